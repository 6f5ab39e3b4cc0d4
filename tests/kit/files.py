"""Cases of files that an owner keeps: the identity and the contacts. SPEC.md sections 8 and 17.2.

``input`` is the file, in hexadecimal digits; ``mode`` its permissions, in octal.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from .case import Case
from .certificates import certificate, signed
from .second_client import second
from .stage import NOW, PEER, STRANGER, TESTED, Person, flipped, secret

Lines = dict[str, bytes]
ME = Person(TESTED)
PASSPHRASE = "correct horse"  # noqa: S105 -- of files that anybody can make


def cases() -> Iterator[Case]:
    yield from _plain()
    yield from _locked()
    yield from _contacts()


def _case(
    name: str, about: str, data: bytes, result: str, *, mode: str = "0600", words: str = ""
) -> Case:
    settings = [("section", "8.1"), ("about", about), ("kind", "identity-file"), ("mode", mode)]
    if words:
        settings.append(("passphrase", words.encode().hex()))
    end = (
        ("fail", result) if result else ("valid", f"{ME.identity_key.hex()} {ME.static_key.hex()}")
    )
    path = f"identity_file/{name}" if result else f"valid/identity_file_{name}"
    return Case(path, [*settings, ("input", data.hex()), end])


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data)


def _fields() -> Lines:
    text, signature = ME.certificate()
    return {
        "identity-key": secret(TESTED, "identity"),
        "device-key": secret(TESTED, "device"),
        "certificate": text,
        "signature": signature,
    }


def _file(header: bytes = b"e2ee identity, version 1", **changes: bytes) -> bytes:
    fields = _fields() | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [header, *(name.encode() + b" " + _b64(value) for name, value in fields.items())]
    return b"\n".join(lines) + b"\n"


def _plain() -> Iterator[Case]:
    good = _file()
    seed = _b64(secret(TESTED, "identity"))
    stranger = Person(STRANGER)
    other = certificate(ME, identity=stranger.identity_key)
    bad = {
        "empty": b"",
        "header_only": b"e2ee identity, version 1\n",
        "last_newline_missing": good[:-1],
        "newline_more": good + b"\n",
        "line_more": good + b"comment mine\n",
        "line_missing": good.replace(good.split(b"\n")[2] + b"\n", b""),
        "lines_swapped": b"\n".join([good.split(b"\n")[i] for i in (0, 2, 1, 3, 4, 5)]),
        "line_twice": good.replace(b"\ndevice-key", b"\nidentity-key " + seed + b"\ndevice-key"),
        "carriage_returns": good.replace(b"\n", b"\r\n"),
        "byte_order_mark": b"\xef\xbb\xbf" + good,
        "version_2": _file(b"e2ee identity, version 2"),
        "version_01": _file(b"e2ee identity, version 01"),
        "another_file": b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "not_ascii": good.replace(b"signature", b"s\xc3\xafgnature"),
        "name_in_capitals": good.replace(b"device-key", b"Device-key"),
        "two_blanks": good.replace(b"device-key ", b"device-key  "),
        "base64_without_padding": good.replace(seed, seed[:-1]),
        "base64_with_trailing_bits": good.replace(
            seed, seed[:-2] + bytes([seed[-2] + 1]) + seed[-1:]
        ),
        "base64_of_nothing": good.replace(seed, b""),
        "seed_of_31_bytes": _file(identity_key=secret(TESTED, "identity")[:31]),
        "seed_of_64_bytes": _file(identity_key=secret(TESTED, "identity") * 2),
        "device_key_of_31_bytes": _file(device_key=secret(TESTED, "device")[:31]),
        "another_seed": _file(identity_key=secret(PEER, "identity")),
        "another_device_key": _file(device_key=secret(PEER, "device")),
        "keys_swapped": _file(
            identity_key=secret(TESTED, "device"), device_key=secret(TESTED, "identity")
        ),
        "signature_changed": _file(signature=flipped(ME.certificate()[1], 5)),
        "signature_of_63_bytes": _file(signature=ME.certificate()[1][:63]),
        "certificate_changed": _file(certificate=certificate(ME, not_after=NOW)),
        "certificate_of_another_identity": _file(
            certificate=other, signature=signed(stranger, other)
        ),
        "certificate_not_canonical": _file(
            certificate=ME.certificate()[0] + b" ",
            signature=signed(ME, ME.certificate()[0] + b" "),
        ),
        "above_4096_bytes": good + b"#" * 4096,
    }
    for name, data in bad.items():
        yield _case(name, "Not a whole identity file.", data, "unusable-file")
    for mode in ("0640", "0604", "0660", "0606", "0610", "0601"):
        yield _case(
            f"mode_{mode}", "Others may read or write it.", good, "unusable-file", mode=mode
        )
    yield _case("plain", "As it should be.", good, "")
    yield _case("read_only", "Its owner may only read it.", good, "", mode="0400")


def _sealed(
    parameters: str = "8 1 1",
    *,
    header: str = "e2ee locked identity, version 1",
    plain: bytes | None = None,
) -> bytes:
    memory, passes, lanes = map(int, parameters.split())
    salt = secret("salt")[:16]
    kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory)
    key = kdf.derive(PASSPHRASE.encode())
    head = f"{header}\nargon2id {parameters}\nsalt {_b64(salt).decode()}\n".encode()
    sealed = second.AESGCM(key).encrypt(bytes(12), _file() if plain is None else plain, head)
    return head + b"sealed " + _b64(sealed) + b"\n"


def _locked() -> Iterator[Case]:
    good = _sealed()
    words, salt = good.split(b"\n"), _b64(secret("salt")[:16])
    about = "A locked file that is not as it should be."
    for name, data in {
        "memory_above_the_limit": good.replace(b"8 1 1", b"262145 1 1"),
        "passes_above_the_limit": good.replace(b"8 1 1", b"8 17 1"),
        "lanes_above_the_limit": good.replace(b"8 1 1", b"65536 1 17"),
        "memory_0": good.replace(b"8 1 1", b"0 1 1"),
        "passes_0": good.replace(b"8 1 1", b"8 0 1"),
        "lanes_0": good.replace(b"8 1 1", b"8 1 0"),
        "memory_below_its_lanes": good.replace(b"8 1 1", b"15 1 2"),
        "memory_with_a_leading_zero": good.replace(b"8 1 1", b"08 1 1"),
        "another_function": good.replace(b"argon2id", b"argon2i"),
        "salt_cut": good.replace(salt, salt[4:]),
        "salt_without_padding": good.replace(salt, salt[:-2]),
        "sealed_is_empty": b"\n".join([*words[:3], b"sealed ", b""]),
        "line_missing": b"\n".join([words[0], *words[2:]]),
        "line_more": good + b"more\n",
        "version_2": good.replace(b"version 1", b"version 2"),
        "plain_inside_is_not_whole": _sealed(plain=_file()[:-1]),
        "locked_inside": _sealed(plain=_sealed()),
    }.items():
        yield _case(f"locked_{name}", about, data, "unusable-file", words=PASSPHRASE)
    for name, data in {
        "tag_changed": b"\n".join([*words[:3], b"sealed " + _changed(words[3][7:]), b""]),
        "passes_changed": good.replace(b"8 1 1", b"8 2 1"),
        "sealed_is_short": b"\n".join([*words[:3], b"sealed AAAA", b""]),
    }.items():
        yield _case(f"locked_{name}", about, data, "wrong-passphrase", words=PASSPHRASE)
    yield _case(
        "locked_wrong_passphrase",
        "Another passphrase.",
        good,
        "wrong-passphrase",
        words="Correct horse",
    )
    yield _case("locked_no_passphrase", "No passphrase is given.", good, "locked")
    yield _case("locked", "The passphrase opens it.", good, "", words=PASSPHRASE)


def _changed(text: bytes) -> bytes:
    return _b64(flipped(base64.urlsafe_b64decode(text), -1))


# 17.2


def _contents(**changes: Any) -> dict[str, Any]:
    peer = Person(PEER)
    contact = {
        "name": "Bob",
        "claimed_name": "",
        "identity": second.b64(peer.identity_key),
        "how": "code",
        "first_seen": NOW,
        "graded_at": NOW,
        "last_seen": NOW,
        "blocked": False,
        "floor": 0,
        "devices": [{"static_key": second.b64(peer.static_key), "sequence": 7}],
        "addresses": [
            {"host": "localhost", "port": 3233, "static_key": second.b64(peer.static_key)}
        ],
    }
    return {
        "version": 1,
        "own_sequence": 7,
        "contacts": [contact | changes],
        "invitations": [
            {"nonce": second.b64(bytes(16)), "created": NOW, "expires": NOW, "name": ""}
        ],
    }


def _written(contents: dict[str, Any]) -> bytes:
    return json.dumps(contents, ensure_ascii=False, separators=(",", ":")).encode()


def _contact_file(
    data: bytes, *, header: bytes = b"e2ee contacts, version 1\n", length: int = 0, pad: int = 4096
) -> bytes:
    salt = secret("salt of contacts")
    info = b"e2ee own secret v1\0" + b"e2ee contact file v1"
    key = second.hkdf(salt, secret(TESTED, "identity"), info, 32)
    plain = (length or len(data)).to_bytes(4, "big") + data
    plain += bytes(-len(plain) % pad)
    return header + salt + bytes(second.AESGCM(key).encrypt(bytes(12), plain, header))


def _contact_case(name: str, about: str, data: bytes, valid: str = "") -> Case:
    text, signature = ME.certificate()
    lines = [
        ("section", "17.2"),
        ("about", about),
        ("kind", "contact-file"),
        ("identity-seed", secret(TESTED, "identity").hex()),
        ("device-private", secret(TESTED, "device").hex()),
        ("certificate", text.hex()),
        ("signature", signature.hex()),
        ("input", data.hex()),
        ("valid", valid) if valid else ("fail", "unusable-file"),
    ]
    return Case(f"valid/contact_file_{name}" if valid else f"contact_file/{name}", lines)


def _contacts() -> Iterator[Case]:
    whole = _contents()
    good = _contact_file(_written(whole))
    twice = _contents()
    twice["contacts"] *= 2
    named = _contents()
    named["contacts"].append(
        _contents(identity=second.b64(ME.identity_key), name="BOB")["contacts"][0]
    )
    bad = {
        "empty": b"",
        "header_only": b"e2ee contacts, version 1\n",
        "cut": good[:-1],
        "longer": good + b"\0",
        "salt_changed": flipped(good, 30),
        "tag_changed": flipped(good, -1),
        "header_changed": good.replace(b"contacts", b"Contacts", 1),
        "version_2": _contact_file(_written(whole), header=b"e2ee contacts, version 2\n"),
        "version_2_within": _contact_file(_written(whole | {"version": 2})),
        "length_beyond_the_file": _contact_file(_written(whole), length=10**6),
        "blank": _contact_file(_written(whole) + b" "),
        "members_missing": _contact_file(b'{"version":1}'),
        "member_more": _contact_file(_written(whole | {"a": 1})),
        "identity_twice": _contact_file(_written(twice)),
        "name_twice_in_another_case": _contact_file(_written(named)),
        "name_empty": _contact_file(_written(_contents(name=""))),
        "name_of_33": _contact_file(_written(_contents(name="a" * 33))),
        "how_unknown": _contact_file(_written(_contents(how="hearsay"))),
        "identity_of_31_bytes": _contact_file(_written(_contents(identity=second.b64(bytes(31))))),
        "blocked_is_a_number": _contact_file(_written(_contents(blocked=0))),
        "floor_negative": _contact_file(_written(_contents(floor=-1))),
        "nine_devices": _contact_file(
            _written(_contents(devices=_contents()["contacts"][0]["devices"] * 9))
        ),
    }
    for name, data in bad.items():
        yield _contact_case(name, "It is damaged, or of no form.", data)
    yield _contact_case(
        "one_contact", "The identity of its one contact.", good, Person(PEER).identity_key.hex()
    )
