"""Cases of the handshake's payload and the device certificate: SPEC.md sections 5 and 6."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator

from .case import Case
from .second_client import CODE, KNOWN, LINK, second
from .stage import DAY, NOW, PEER, STRANGER, Person, Stage, flipped, secret

Value = int | bytes


def certificate(me: Person, **changes: Value) -> bytes:
    """The certificate's text with some of its members changed."""
    members: dict[str, Value] = {
        "version": 1,
        "identity": me.identity_key,
        "static_key": me.static_key,
        "not_before": me.not_before,
        "not_after": me.not_after,
    }
    text: bytes = second.encode(**(members | changes))
    return text


def signed(me: Person, text: bytes) -> bytes:
    signature: bytes = me.identity.sign(second.SIGNED + text)
    return signature


def padded(text: bytes) -> bytes:
    return (struct.pack(">H", len(text)) + text).ljust(512, b"\0")


def payload(text: bytes, signature: bytes, **further: Value) -> bytes:
    return padded(second.encode(certificate=text, signature=signature, **further))


Certificate = Callable[[Person], bytes]
Payload = Callable[..., bytes]


def _with(**changes: Value) -> Certificate:
    return lambda me: certificate(me, **changes)


def _replaced(old: bytes, new: bytes) -> Certificate:
    """Another text, which means the same, or nothing."""

    def make(me: Person) -> bytes:
        text = certificate(me)
        assert text.count(old) >= 1
        return text.replace(old, new, 1)

    return make


def _without_member(name: bytes) -> Certificate:
    def make(me: Person) -> bytes:
        parts = certificate(me)[1:-1].split(b",")
        return b"{" + b",".join(part for part in parts if not part.startswith(name)) + b"}"

    return make


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data)


CERTIFICATES: dict[str, tuple[str, Certificate]] = {
    "version_0": ("Version 0.", _with(version=0)),
    "version_2": ("Version 2.", _with(version=2)),
    "version_is_a_string": ("The version is a string.", _replaced(b":1,", b':"1",')),
    "version_is_true": ("The version is true.", _replaced(b":1,", b":true,")),
    "version_is_a_fraction": ("The version is 1.0.", _replaced(b":1,", b":1.0,")),
    "version_has_an_exponent": ("The version is 1e0.", _replaced(b":1,", b":1e0,")),
    "version_has_a_leading_zero": ("The version is 01.", _replaced(b":1,", b":01,")),
    "version_is_null": ("The version is null.", _replaced(b":1,", b":null,")),
    "identity_of_31_bytes": ("A byte is missing.", _with(identity=secret("31")[:31])),
    "identity_of_33_bytes": ("A byte too many.", _with(identity=secret("33") + b"\0")),
    "identity_is_empty": ("The identity is empty.", _with(identity=b"")),
    "identity_of_somebody_else": (
        "The identity is another's, whose signature this is not.",
        lambda me: certificate(me, identity=Person(STRANGER).identity_key),
    ),
    "static_key_of_31_bytes": (
        "A byte is missing.",
        lambda me: certificate(me, static_key=me.static_key[:31]),
    ),
    "static_key_of_33_bytes": (
        "A byte too many.",
        lambda me: certificate(me, static_key=me.static_key + b"\0"),
    ),
    "static_key_of_another_device": (
        "The certificate is for a device key that was not proved.",
        _with(static_key=secret("another device")),
    ),
    "static_key_with_another_top_bit": (
        "The device key with its unused bit set is another text.",
        lambda me: certificate(me, static_key=flipped(me.static_key, 31, 7)),
    ),
    "static_key_is_the_identity": (
        "The identity key stands where the device key belongs.",
        lambda me: certificate(me, static_key=me.identity_key),
    ),
    "not_yet_valid": ("It is valid from the next second.", _with(not_before=NOW + 1)),
    "expired": ("It was valid until the last second.", _with(not_after=NOW - 1)),
    "never_valid": (
        "It ends before it begins.",
        _with(not_before=NOW + DAY, not_after=NOW - DAY),
    ),
    "not_before_is_negative": ("A time before 1970.", _with(not_before=-1)),
    "not_after_is_2_to_the_53": ("Above the largest integer.", _with(not_after=2**53)),
    "not_after_is_huge": ("An integer of 60 digits.", _with(not_after=10**59)),
    "not_before_is_minus_zero": (
        "-0 has a sign.",
        lambda me: certificate(me, not_before=0).replace(b":0,", b":-0,"),
    ),
    "not_after_is_a_fraction": (
        "The end has a fraction.",
        lambda me: certificate(me).replace(b"}", b".0}"),
    ),
    "not_after_is_infinite": (
        "The end is Infinity, which JSON does not have.",
        lambda me: certificate(me, not_after=7).replace(b":7}", b":Infinity}"),
    ),
    "blank_after_a_colon": ("White space.", _replaced(b":1,", b": 1,")),
    "blank_after_a_comma": ("White space.", _replaced(b',"static', b', "static')),
    "newline_at_the_end": ("White space.", lambda me: certificate(me) + b"\n"),
    "blank_at_the_beginning": ("White space.", lambda me: b" " + certificate(me)),
    "byte_order_mark": ("A mark of byte order.", lambda me: b"\xef\xbb\xbf" + certificate(me)),
    "bytes_after_the_end": ("Something after the object.", lambda me: certificate(me) + b"{}"),
    "members_in_another_order": (
        "The times are swapped.",
        lambda me: certificate(me).replace(
            b'"not_before":%d,"not_after":%d' % (me.not_before, me.not_after),
            b'"not_after":%d,"not_before":%d' % (me.not_after, me.not_before),
        ),
    ),
    "member_twice_alike": (
        "A member stands twice, with one value.",
        _replaced(b'"version":1,', b'"version":1,"version":1,'),
    ),
    "member_twice_first_wrong": (
        "A member stands twice, and the last one is right.",
        _replaced(b'"version":1,', b'"version":2,"version":1,'),
    ),
    "member_twice_last_wrong": (
        "A member stands twice, and the first one is right.",
        _replaced(b'"version":1,', b'"version":1,"version":2,'),
    ),
    "member_more": ("A member that nobody asked for.", _replaced(b"}", b',"a":1}')),
    "member_of_another_case": ("A name in capitals.", _replaced(b'"version"', b'"Version"')),
    "name_with_an_escape": ("A name with an escape.", _replaced(b'"version"', b'"v\\u0065rsion"')),
    "value_with_an_escape": (
        "A value with an escape that is not needed.",
        lambda me: certificate(me).replace(b'=",', b'\\u003d",', 1),
    ),
    "base64_without_padding": ("No = at the end.", _replaced(b'=",', b'",')),
    "base64_with_more_padding": ("A = too many.", _replaced(b'=",', b'==",')),
    "base64_of_the_other_alphabet": (
        "Base64 with + and / instead of - and _.",
        lambda me: certificate(me).replace(_b64(me.static_key), base64.b64encode(me.static_key)),
    ),
    "base64_with_trailing_bits": (
        "The unused bits of the last letter are not zero.",
        lambda me: certificate(me).replace(
            _b64(me.static_key), _trailing_bits(_b64(me.static_key))
        ),
    ),
    "base64_with_a_newline": (
        "A line break within base64.",
        lambda me: certificate(me).replace(
            _b64(me.static_key), _b64(me.static_key)[:8] + b"\\n" + _b64(me.static_key)[8:]
        ),
    ),
    "static_key_in_hex": (
        "Hexadecimal digits instead of base64.",
        lambda me: certificate(me).replace(_b64(me.static_key), me.static_key.hex().encode()),
    ),
    "static_key_is_a_list": (
        "A list of numbers instead of base64.",
        lambda me: certificate(me).replace(b'"' + _b64(me.static_key) + b'"', b"[1,2,3]"),
    ),
    "not_utf_8": ("A byte that no UTF-8 has.", _replaced(b"}", b',"\xff":1}')),
    "a_list": ("A list of one certificate.", lambda me: b"[" + certificate(me) + b"]"),
    "a_string": ("A string.", lambda _: b'"certificate"'),
    "null": ("null.", lambda _: b"null"),
    "empty": ("Nothing.", lambda _: b""),
    "deep": ("Nothing but opening brackets.", lambda _: b"[" * 290),
    **{
        f"without_{name}": (f"{name} is missing.", _without_member(b'"' + name.encode()))
        for name in ("version", "identity", "static_key", "not_before", "not_after")
    },
}
"""Changed certificates, each signed by the identity of its sender."""


def _trailing_bits(text: bytes) -> bytes:
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(text[42:43])
    return text[:42] + alphabet[last | 1 : (last | 1) + 1] + text[43:]


def _outer(make: Callable[[bytes, bytes], bytes]) -> Payload:
    """A payload with this text, of the honest certificate and signature."""
    return lambda me, **further: padded(make(*me.certificate()))


def _honest(me: Person, **further: Value) -> bytes:
    text, signature = me.certificate()
    return payload(text, signature, **further)


def _text(certificate_: bytes, signature: bytes) -> bytes:
    text: bytes = second.encode(certificate=certificate_, signature=signature)
    return text


PAYLOADS: dict[str, tuple[str, Payload]] = {
    "signature_changed": (
        "One bit of the signature is another.",
        _outer(lambda text, signature: _text(text, flipped(signature, 0))),
    ),
    "signature_of_zeros": ("All zero.", _outer(lambda text, _: _text(text, bytes(64)))),
    "signature_of_63_bytes": ("One too few.", _outer(lambda text, s: _text(text, s[:63]))),
    "signature_of_65_bytes": ("One too many.", _outer(lambda text, s: _text(text, s + b"\0"))),
    "signature_is_empty": ("No signature.", _outer(lambda text, _: _text(text, b""))),
    "signature_by_somebody_else": (
        "Another identity has signed.",
        _outer(lambda text, _: _text(text, signed(Person(STRANGER), text))),
    ),
    "signature_without_its_label": (
        "The signature is over the certificate alone.",
        lambda me, **_: padded(_text(me.certificate()[0], me.identity.sign(me.certificate()[0]))),
    ),
    "signature_with_s_not_reduced": (
        "s of the signature, plus the order of the group.",
        _outer(lambda text, s: _text(text, _malleable(s))),
    ),
    "certificate_changed_after_signing": (
        "The certificate was signed with another end.",
        lambda me, **_: padded(
            _text(certificate(me, not_after=NOW + 1000 * DAY), me.certificate()[1])
        ),
    ),
    "certificate_in_the_clear": (
        "The certificate stands as an object, not as base64.",
        _outer(lambda text, s: b'{"certificate":' + text + b',"signature":"' + _b64(s) + b'"}'),
    ),
    "without_signature": (
        "The signature is missing.",
        _outer(lambda text, _: second.encode(certificate=text)),
    ),
    "without_certificate": (
        "The certificate is missing.",
        _outer(lambda _, s: second.encode(signature=s)),
    ),
    "members_in_another_order": (
        "The signature comes first.",
        _outer(lambda text, s: second.encode(signature=s, certificate=text)),
    ),
    "member_more": (
        "A member that nobody asked for.",
        _outer(lambda text, s: second.encode(certificate=text, signature=s, a=1)),
    ),
    "signature_twice": (
        "Two signatures, of which the last is right.",
        _outer(
            lambda text, s: (
                _text(text, s)[:-1].replace(b',"signature"', b',"signature":"","signature"') + b"}"
            )
        ),
    ),
    "blank": ("White space.", _outer(lambda text, s: _text(text, s) + b" ")),
    "sequence_in_a_meeting": (
        "A sequence number, which only a call to a contact has.",
        _outer(lambda text, s: second.encode(certificate=text, signature=s, sequence=7)),
    ),
    "nonce_in_a_meeting": (
        "A nonce, which only a code has.",
        lambda me, **_: padded(
            second.encode(certificate=b"{}", signature=bytes(64), nonce=bytes(32))
        ),
    ),
    "length_511": (
        "The length goes beyond the payload.",
        lambda me, **_: b"\x01\xff" + _honest(me)[2:],
    ),
    "length_65535": ("The largest length.", lambda me, **_: b"\xff\xff" + _honest(me)[2:]),
    "length_0": ("Nothing, and padding.", lambda me, **_: bytes(512)),
    "length_one_less": (
        "The last byte of the JSON is padding, and not zero.",
        lambda me, **_: _length(_honest(me), -1),
    ),
    "length_one_more": (
        "The first byte of padding is JSON.",
        lambda me, **_: _length(_honest(me), 1),
    ),
    "padding_first_byte": (
        "The first byte of the padding is not zero.",
        lambda me, **_: _pad(_honest(me), 2 + int.from_bytes(_honest(me)[:2])),
    ),
    "padding_last_byte": (
        "The last byte of the padding is not zero.",
        lambda me, **_: _pad(_honest(me), 511),
    ),
}


def _length(data: bytes, by: int) -> bytes:
    return struct.pack(">H", int.from_bytes(data[:2]) + by) + data[2:]


def _pad(data: bytes, at: int) -> bytes:
    return data[:at] + b"\1" + data[at + 1 :]


def _malleable(signature: bytes) -> bytes:
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(signature[32:], "little") + order
    return signature[:32] + s.to_bytes(32, "little")


def cases() -> Iterator[Case]:
    for name, (about, text) in CERTIFICATES.items():
        yield _refused(f"certificate/{name}", about, _signing(text))
    for name, (about, make) in PAYLOADS.items():
        yield _refused(f"payload/{name}", about, make)
    yield from _in_the_other_openings()
    for name, changes in {
        "first_second": {"not_before": NOW},
        "last_second": {"not_after": NOW},
        "one_second": {"not_before": NOW, "not_after": NOW},
        "for_ever": {"not_before": 0, "not_after": 2**53 - 1},
    }.items():
        me = Person(PEER)
        me.spoil = _signing(_with(**changes))
        stage = Stage("initiator", 0x0003, me=me).open()
        yield stage.finished(
            f"valid/certificate_{name}", "Both ends of the validity belong to it.", "5"
        )


def _signing(text: Certificate) -> Payload:
    return lambda me, **more: payload(text(me), signed(me, text(me)), **more)


def _refused(name: str, about: str, spoil: Payload) -> Case:
    me = Person(PEER)
    me.spoil = spoil
    stage = Stage("initiator", 0x0003, me=me)
    stage.give(fail="bad-certificate")
    return stage.finished(name, about, "5")


def _in_the_other_openings() -> Iterator[Case]:
    """A few of them wherever a certificate is read."""
    some = {
        "expired": _signing(CERTIFICATES["expired"][1]),
        "of_another_device": _signing(CERTIFICATES["static_key_of_another_device"][1]),
        "not_canonical": _signing(CERTIFICATES["blank_after_a_colon"][1]),
        "forged": lambda me, **further: payload(me.certificate()[0], bytes(64), **further),
        "padding": lambda me, **further: _pad(_honest(me, **further), 511),
    }
    places = {
        "classical_responder": ("responder", 0x0003, 1),
        "meeting_initiator": ("initiator", 0x0001, 0),
        "known_initiator": ("initiator", KNOWN, 0),
        "known_responder": ("responder", KNOWN, 0),
        "link_initiator": ("initiator", LINK, 0),
        "link_responder": ("responder", LINK, 1),
        "code_initiator": ("initiator", CODE, 1),
        "code_responder": ("responder", CODE, 2),
    }
    for place, (role, suite, before) in places.items():
        changes: dict[str, Payload] = dict(some)
        if suite == KNOWN and role == "responder":
            changes |= {
                "without_sequence": lambda me, **_: _honest(me),
                "sequence_negative": lambda me, **_: _honest(me, sequence=-1),
                "sequence_2_to_the_53": lambda me, **_: _honest(me, sequence=2**53),
                "sequence_is_a_string": lambda me, **_: _honest(me, sequence=b"7"),
                "sequence_first": lambda me, **_: padded(
                    second.encode(
                        sequence=7, certificate=me.certificate()[0], signature=me.certificate()[1]
                    )
                ),
            }
        if suite == CODE:
            changes |= {
                "without_nonce": lambda me, **_: _honest(me),
                "nonce_of_31_bytes": lambda me, nonce: _honest(me, nonce=nonce[:31]),
                "nonce_of_33_bytes": lambda me, nonce: _honest(me, nonce=nonce + b"\0"),
                "another_nonce": lambda me, nonce: _honest(me, nonce=flipped(nonce, 0)),
                "another_identity": _of_another_identity,
            }
        for name, spoil in changes.items():
            me = Person(PEER)
            me.spoil = spoil
            stage = Stage(role, suite, me=me)
            stage.flights(before)
            late = place == "code_initiator"
            stage.give(fail="new-code-needed" if late else "bad-certificate")
            yield stage.finished(
                f"certificate/{place}_{name}",
                "What is wrong with the payload or its certificate is in the name.",
                "5",
            )


def _of_another_identity(me: Person, **further: Value) -> bytes:
    """The device is certified by another identity than the one that was committed to."""
    stranger = Person(STRANGER)
    text = certificate(me, identity=stranger.identity_key)
    return payload(text, signed(stranger, text), **further)
