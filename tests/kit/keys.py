"""Cases of public keys that MUST be refused: SPEC.md sections 2 and 7.5.

Whoever shows such a key here knows the secret that it gives, so nothing but the check refuses it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from .case import Case
from .certificates import certificate, payload
from .handshakes import OPENINGS, section
from .second_client import CODE, KNOWN, LINK, Draws, second
from .stage import KEMS, NOW, PEER, GivenKem, LowOrder, Person, Stage, draws

P = 2**255 - 19
LOW_ORDER_U = {
    "0": 0,
    "1": 1,
    "order_8_first": int.from_bytes(
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"
    ),
    "order_8_second": int.from_bytes(
        bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"
    ),
    "p_minus_1": P - 1,
    "p": P,
    "p_plus_1": P + 1,
}
"""All u below 2^255 of points of low order on Curve25519 and its twist."""

ORDER_8_Y = [
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
]
LOW_ORDER_ED25519 = {
    f"{name}{'_sign' if sign else ''}": (y | sign << 255).to_bytes(32, "little")
    for name, y in {
        "0": 0,
        "1": 1,
        "p_minus_1": P - 1,
        "order_8_first": ORDER_8_Y[0],
        "order_8_second": ORDER_8_Y[1],
        "p": P,
        "p_plus_1": P + 1,
    }.items()
    for sign in (0, 1)
}
"""The 14 encodings of points of low order on Ed25519, not all of them canonical."""


def point(u: int, top: bool = False) -> bytes:
    return (u | top << 255).to_bytes(32, "little")


def _ephemeral(public: bytes) -> Draws:
    drawn = draws(PEER)
    drawn.ephemerals[0] = LowOrder(public)
    return drawn


def _device(public: bytes) -> Person:
    me = Person(PEER)
    me.static = LowOrder(public)
    return me


def cases() -> Iterator[Case]:
    yield from _ephemerals()
    yield from _devices()
    yield from _shares()
    yield from _kem_keys()
    yield from _kem_ciphertexts()
    yield from _identities()


def _ephemerals() -> Iterator[Case]:
    for role, top in (("initiator", False), ("responder", True)):
        for name, u in LOW_ORDER_U.items():
            stage = Stage(role, 0x0003, draw=_ephemeral(point(u, top)))
            stage.give(fail="bad-key")
            yield stage.finished(
                f"key/x25519_ephemeral_{name}{'_top_bit' * top}_{role}",
                "The peer's ephemeral key is of low order: ee is all zero.",
                "2",
            )
    for opening, role, before, secret in (
        ("meeting", "initiator", 0, "ee"),
        ("meeting", "responder", 0, "ee"),
        ("chacha", "initiator", 0, "ee"),
        ("known", "initiator", 0, "ee"),
        ("known", "responder", 0, "es"),
        ("link", "initiator", 0, "ee"),
        ("link", "responder", 0, "ee"),
        ("code", "initiator", 1, "ee"),
        ("code", "responder", 1, "ee"),
    ):
        stage = Stage(role, OPENINGS[opening], draw=_ephemeral(point(0)))
        stage.flights(before)
        stage.give(
            fail="new-code-needed" if (opening, role) == ("code", "initiator") else "bad-key"
        )
        yield stage.finished(
            f"key/x25519_ephemeral_{opening}_{role}",
            f"The peer's ephemeral key is of low order: {secret} is all zero.",
            section(opening),
        )


def _devices() -> Iterator[Case]:
    for opening, role, before, secret in (
        ("classical", "initiator", 0, "es"),
        ("classical", "responder", 1, "se"),
        ("meeting", "initiator", 0, "es"),
        ("meeting", "responder", 1, "se"),
        ("known", "responder", 0, "ss"),
        ("link", "initiator", 0, "es"),
        ("link", "responder", 1, "se"),
        ("code", "initiator", 1, "es"),
        ("code", "responder", 2, "se"),
    ):
        for name in ("1", "p"):
            me = _device(point(LOW_ORDER_U[name]))
            stage = Stage(role, OPENINGS[opening], me=me)
            stage.flights(before)
            late = (opening, role) == ("code", "initiator")
            stage.give(fail="new-code-needed" if late else "bad-key")
            yield stage.finished(
                f"key/x25519_device_{name}_{opening}_{role}",
                f"The peer's device key is of low order, and certified: {secret} is all zero.",
                section(opening),
            )


def _shares() -> Iterator[Case]:
    for role in ("initiator", "responder"):
        for name, u in LOW_ORDER_U.items():
            stage = Stage(role, CODE)
            data = stage.take()
            at = 8 if role == "initiator" else 26
            stage.give(data[:at] + point(u) + data[at + 32 :], fail="bad-key")
            yield stage.finished(
                f"key/cpace_share_{name}_{role}",
                "The share of CPace is of low order: K is all zero.",
                "7.5",
            )


def unreduced(coefficient: int, value: int) -> bytes:
    """An ML-KEM public key with this value in place of one coefficient of 12 bits."""
    key = second.MLKEM768PrivateKey.from_seed_bytes(KEMS[0][0]).public_key().public_bytes_raw()
    number = int.from_bytes(key[:1152], "little")
    number &= ~(0xFFF << 12 * coefficient)
    number |= value << 12 * coefficient
    return bytes(number.to_bytes(1152, "little") + key[1152:])


def _kem_keys() -> Iterator[Case]:
    shown = [
        ("meeting", 0, 3329),
        ("meeting", 767, 4095),
        ("meeting", 255, 3330),
        ("meeting", 512, 3329),
        ("chacha", 1, 3329),
        ("known", 0, 3329),
        ("link", 0, 3329),
        ("code", 0, 3329),
    ]
    for opening, coefficient, value in shown:
        drawn = draws(PEER)
        drawn.kems[0] = GivenKem(unreduced(coefficient, value))
        stage = Stage("responder", OPENINGS[opening], draw=drawn)
        stage.flights(opening == "code")
        stage.give(fail="bad-key")
        yield stage.finished(
            f"key/ml_kem_coefficient_{coefficient}_is_{value}_{opening}",
            "A coefficient of the ML-KEM public key is not reduced modulo 3,329.",
            "2",
        )


def _kem_ciphertexts() -> Iterator[Case]:
    _, sealed, shared = KEMS[0]
    changed = bytearray(sealed)
    changed[7] ^= 1
    junk = hashlib.shake_256(b"e2ee kit ciphertext").digest(len(sealed))
    answers = {
        "changed": (shared, bytes(changed)),
        "junk": (shared, junk),
        "zeros": (shared, bytes(len(sealed))),
        "secret_of_zeros": (bytes(32), sealed),
        "secret_left_out": (b"", sealed),
    }
    for name, answer in answers.items():
        for opening, suite in (
            ("meeting", 0x0001),
            ("chacha", 0x0002),
            ("known", KNOWN),
            ("link", LINK),
            ("code", CODE),
        ):
            if opening != "meeting" and name in ("junk", "zeros"):
                continue
            drawn = draws(PEER)
            drawn.encapsulations[0] = answer
            stage = Stage("initiator", suite, draw=drawn)
            stage.flights(opening == "code")
            stage.give(fail="new-code-needed" if opening == "code" else "decryption-failed")
            yield stage.finished(
                f"key/ml_kem_ciphertext_{name}_{opening}",
                "The responder seals a ciphertext whose secret is not the one that it goes on "
                "with: the next tag does not fit.",
                "14",
            )


def _scalar(signature_r: bytes, public: bytes, text: bytes) -> int:
    digest = hashlib.sha512(signature_r + public + text).digest()
    order = 2**252 + 27742317777372353535851937790883648493
    return int.from_bytes(digest, "little") % order


def _certified_by(public: bytes) -> Any:
    """A payload whose signature verifies under a key of low order, and which nobody made.

    With R the neutral element and s = 0 it holds when the hash is a multiple of the key's order.
    """
    neutral = b"\1" + bytes(31)

    def spoil(me: Person, **further: int | bytes) -> bytes:
        for shift in range(10_000):
            text = certificate(me, identity=public, not_before=NOW - shift)
            if _scalar(neutral, public, second.SIGNED + text) % 8 == 0:
                break
        return payload(text, neutral + bytes(32), **further)

    return spoil


def _identities() -> Iterator[Case]:
    for name, public in LOW_ORDER_ED25519.items():
        me = Person(PEER)
        me.spoil = _certified_by(public)
        stage = Stage("initiator", 0x0003, me=me)
        stage.give(fail="bad-certificate")
        yield stage.finished(
            f"key/ed25519_identity_{name}",
            "The identity key is a point of low order, under which the signature verifies.",
            "2",
        )
    for opening, role, before in (
        ("classical", "responder", 1),
        ("known", "responder", 0),
        ("link", "responder", 1),
        ("code", "responder", 2),
    ):
        me = Person(PEER)
        me.spoil = _certified_by(LOW_ORDER_ED25519["1"])
        stage = Stage(role, OPENINGS[opening], me=me)
        stage.flights(before)
        stage.give(fail="bad-certificate")
        yield stage.finished(
            f"key/ed25519_identity_{opening}_{role}",
            "The identity key is a point of low order, under which the signature verifies.",
            "2",
        )
    me = Person(PEER)
    me.spoil = _certified_by((P + 3).to_bytes(32, "little"))
    stage = Stage("initiator", 0x0003, me=me)
    stage.give(fail="bad-certificate")
    yield stage.finished(
        "key/ed25519_identity_not_reduced", "The y of the identity key is p + 3.", "2"
    )
