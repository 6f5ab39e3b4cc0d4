"""Bugs in the opening: preambles, the order of messages, payloads, certificates, links, codes.

SPEC.md sections 4 to 6, and 7.5.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.second_client.bugs import (
    ANSWERED,
    BAD_IDENTITY,
    BAD_KEM_KEY,
    BAD_LENGTH,
    BURNED,
    CLASSICAL_SUITE,
    CONFIRMATION,
    ECHO,
    FORGED,
    KEYS_DIFFER,
    LOW_ORDER,
    NOT_A_CERTIFICATE,
    NOT_A_CODE_PAYLOAD,
    NOT_A_KNOWN_PAYLOAD,
    NOT_A_PAYLOAD,
    NOT_ADMITTED,
    NOT_COMMITTED,
    NOT_E2EE,
    NOT_TAKEN,
    NOT_VALID_NOW,
    ONE_TRY,
    OTHER_DEVICE,
    OUR_OWN,
    PAYLOAD_NOT_CANONICAL,
    PAYLOAD_PADDING,
    TAG,
    TRUNCATED,
    UNKNOWN_HERE,
    UNKNOWN_SUITE,
    UNKNOWN_THERE,
    Bug,
    Instead,
    after,
    before,
    cut,
    given,
    result,
    said,
    spent,
    suite_refused,
    unexpected,
)
from tests.second_client.client import (
    DATA,
    PATTERNS,
    SIGNED,
    A,
    Client,
    Event,
    Me,
    P,
    encode,
    hkdf,
    id_of,
)

SOMEBODY = Ed25519PrivateKey.from_private_bytes(bytes(32))
"""Another identity."""

# Preambles and what follows them.


def hello(change: Callable[[bytes], bytes]) -> Instead:
    return result(change)


def answer(change: Callable[[bytes], bytes]) -> Instead:
    """The prologue is right, and the answer on the wire another."""
    return after(lambda client, *args: setattr(client, "hello", change(client.hello)))


def field(version: int = 1, code: int = 0, suite: int | None = None) -> Callable[[bytes], bytes]:
    def change(preamble: bytes) -> bytes:
        return (
            preamble[:4]
            + bytes([version, code])
            + (preamble[6:] if suite is None else struct.pack(">H", suite))
        )

    return change


def out(change: Callable[[bytearray], object]) -> Instead:
    """What waits to be sent is changed behind it."""
    return after(lambda client, *args: change(client.out))


def prologue(change: Callable[[bytes], bytes]) -> Instead:
    return given(lambda client, text, *psk: (client, change(text), *psk))


def message(n: int) -> Callable[..., bool]:
    """Message n of the opening's handshake is written now, from 1."""
    return lambda handshake, payload: (
        handshake.message == n - 1 and handshake.pattern != PATTERNS["NNhfs+psk0"]
    )


def confirms(make: Callable[[Client], bytes]) -> Instead:
    return after(lambda client: setattr(client, "confirmation", make(client)))


def mirrors(right: Instead, client: Client, data: bytes) -> list[Event]:
    client.out += data
    return []


def data_instead(right: Instead, client: Client, *args: Any) -> None:
    """A record goes out in the place of what should."""
    right(client, *args)
    client.out.clear()
    client._seal(DATA, bytes(600))


# Payloads and certificates.


def payload_with(**changed: Any) -> Instead:
    """Members are replaced, or left out where they are None."""

    def instead(right: Instead, me: Me, **further: Any) -> bytes:
        certificate, signature = me.certificate()
        members = {"certificate": certificate, "signature": signature, **further, **changed}
        text = encode(**{name: value for name, value in members.items() if value is not None})
        return (struct.pack(">H", len(text)) + text).ljust(512, b"\0")

    return instead


def text_of_payload(change: Callable[[bytes], bytes]) -> Instead:
    def instead(right: Instead, me: Me, **further: Any) -> bytes:
        padded = right(me, **further)
        text = change(padded[2 : 2 + int.from_bytes(padded[:2], "big")])
        return (struct.pack(">H", len(text)) + text).ljust(512, b"\0")

    return instead


def certifies(signer: Ed25519PrivateKey | None = None, **changed: Any) -> Instead:
    """A certificate with other members, well signed by us, or by this signer."""

    def instead(right: Instead, me: Me) -> tuple[bytes, bytes]:
        members: dict[str, Any] = {
            "version": 1,
            "identity": me.identity_key,
            "static_key": me.static_key,
            "not_before": me.not_before,
            "not_after": me.not_after,
        }
        certificate = encode(**{n: v for n, v in (members | changed).items() if v is not None})
        return certificate, (signer or me.identity).sign(SIGNED + certificate)

    return instead


def rewrites(change: Callable[[bytes], bytes]) -> Instead:
    """The text of the certificate is changed, and signed so."""

    def instead(right: Instead, me: Me) -> tuple[bytes, bytes]:
        certificate = change(right(me)[0])
        return certificate, me.identity.sign(SIGNED + certificate)

    return instead


def signs(make: Callable[[Me, bytes], bytes]) -> Instead:
    def instead(right: Instead, me: Me) -> tuple[bytes, bytes]:
        certificate, _ = right(me)
        return certificate, make(me, certificate)

    return instead


# Links and codes.


def label(text: bytes) -> Callable[..., bool]:
    """What is derived with this label."""
    return lambda salt, ikm, info, length: info == text


def labelled(text: bytes) -> Instead:
    return given(lambda salt, ikm, info, length: (salt, ikm, text, length))


def returns_share(right: Instead, client: Client, data: bytes) -> None:
    right(client, data)
    client.out[8:40] = data[18:50]


def spoken(**changed: Any) -> Instead:
    """The code was heard wrong."""

    def act(client: Client, *args: Any) -> None:
        assert client.code is not None
        client.code = replace(client.code, **changed)

    return before(act)


PREAMBLE, BEGIN, CALL, USE = "preamble", "Client._begin", "Client._call", "Client._use"
SEND, PAYLOAD, CERTIFICATE = "Handshake.write", "Me.payload", "Me.certificate"
MESSAGE_1, MESSAGE_2, MESSAGE_3 = "Client._message_1", "Client._message_2", "Client._message_3"
SPLIT, SHARE = "Client._split", "Client._cpace_share"
GENERATOR, ISK = "cpace_generator", "cpace_isk"

BUGS: dict[str, Bug] = {
    # Preambles.
    "a hello in capital letters": Bug(
        PREAMBLE, hello(lambda p: p.upper()), {"M> K> L> C>": said(NOT_E2EE)}
    ),
    "a hello of HTTP": Bug(
        PREAMBLE,
        hello(lambda p: b"GET / HT"),
        {"M> K>": said("NotE2EE: the other end does not speak e2ee, but HTTP")},
    ),
    "a hello of TLS": Bug(
        PREAMBLE,
        hello(lambda p: b"\x16\3\1\2\0\1\0\1"),
        {"M> K>": said("NotE2EE: the other end does not speak e2ee, but TLS")},
    ),
    "a hello of SSH": Bug(
        PREAMBLE,
        hello(lambda p: b"SSH-2.0-"),
        {"M> K>": said("NotE2EE: the other end does not speak e2ee, but SSH")},
    ),
    "a hello of version 0": Bug(
        PREAMBLE,
        hello(field(version=0)),
        {
            "M> L> C>": said(
                "UnsupportedVersion: the peer speaks version 0, this side 1",
                sends="6532656501010000",
            ),
            "K>": said("UnsupportedVersion: the peer speaks version 0, this side 1"),
        },
    ),
    "a hello of version 2": Bug(
        PREAMBLE,
        hello(field(version=2)),
        {
            "M> L> C>": said(
                "UnsupportedVersion: the peer speaks version 2, this side 1",
                sends="6532656501010000",
            ),
            "K>": said("UnsupportedVersion: the peer speaks version 2, this side 1"),
        },
    ),
    "a hello that is an answer": Bug(
        PREAMBLE, hello(field(code=2)), {"M> K> L> C>": said(ANSWERED)}
    ),
    "a hello with an unknown code": Bug(
        PREAMBLE, hello(field(code=4)), {"M> K> L> C>": said(ANSWERED)}
    ),
    "a hello with an unknown suite": Bug(
        PREAMBLE,
        hello(field(suite=9)),
        {
            "M>": said(UNKNOWN_SUITE, sends="6532656501020001"),
            "K>": said(UNKNOWN_SUITE),
            "L>": said(UNKNOWN_SUITE, sends="6532656501020201"),
            "C>": said(UNKNOWN_SUITE, sends="6532656501020301"),
        },
    ),
    "a hello with its suite in little-endian order": Bug(
        PREAMBLE,
        hello(lambda p: p[:6] + p[:5:-1]),
        {
            "M>": said(
                "UnsupportedSuite: the peer wants the suite number 0x0100, not accepted here",
                sends="6532656501020001",
            ),
            "L>": said(
                "UnsupportedSuite: the peer wants the suite number 0x0102, not accepted here",
                sends="6532656501020201",
            ),
            "C>": said(
                "UnsupportedSuite: the peer wants the suite number 0x0103, not accepted here",
                sends="6532656501020301",
            ),
        },
    ),
    "a hello with the classical suite": Bug(
        PREAMBLE,
        hello(field(suite=3)),
        {
            "M>": said(CLASSICAL_SUITE, sends="6532656501020001"),
            "K>": said(CLASSICAL_SUITE),
            "L>": said(CLASSICAL_SUITE, sends="6532656501020201"),
            "C>": said(CLASSICAL_SUITE, sends="6532656501020301"),
        },
    ),
    "hello twice": Bug(
        CALL,
        out(lambda out: out.__setitem__(slice(0, 0), out[:8])),
        {
            "M>": said(BAD_KEM_KEY),
            "K>": said(TAG),
            "L>": said(UNKNOWN_HERE, sends="6532656501030201"),
        },
    ),
    "an answer of another version": Bug(BEGIN, answer(field(version=2)), {"M< K< L<": said(ECHO)}),
    "an answer of another suite": Bug(BEGIN, answer(field(suite=2)), {"M< K< L<": said(ECHO)}),
    "an answer with an unknown code": Bug(BEGIN, answer(field(code=4)), {"M< K< L<": said(ECHO)}),
    "an answer in capital letters": Bug(
        BEGIN, answer(lambda p: p.upper()), {"M< K< L<": said(NOT_E2EE)}
    ),
    "an answer that refuses the version, and goes on": Bug(
        BEGIN,
        answer(field(code=1)),
        {"M< K< L<": said("UnsupportedVersion: the peer speaks version 1, this side 1")},
    ),
    "an answer that refuses the suite, and goes on": Bug(
        BEGIN,
        answer(field(code=2)),
        {
            "M<": suite_refused("Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256"),
            "K<": suite_refused("Noise_IKhfs_25519+MLKEM768_AESGCM_SHA256"),
            "L<": suite_refused("Noise_XXhfs+psk0_25519+MLKEM768_AESGCM_SHA256"),
        },
    ),
    "an answer that refuses the invitation, and goes on": Bug(
        BEGIN, answer(field(code=3)), {"M< K< L<": said(UNKNOWN_THERE)}
    ),
    "no answer": Bug(BEGIN, answer(lambda p: b""), {"M< K< L<": said(NOT_E2EE)}),
    "a mirror": Bug(
        "Client.receive",
        mirrors,
        {"M< K< L< C<": said(OUR_OWN)},
    ),
    # The prologue.
    "an empty prologue": Bug(BEGIN, prologue(lambda p: b""), KEYS_DIFFER),
    "a prologue without magic": Bug(BEGIN, prologue(lambda p: p[4:]), KEYS_DIFFER),
    "a prologue with the answer": Bug(BEGIN, prologue(lambda p: p + p[:8]), KEYS_DIFFER),
    "a prologue that ends with the hello": Bug(
        BEGIN,
        prologue(lambda p: p[:8]),
        {"L>": said(TAG), "C>": said(BURNED), "L<": cut(TRUNCATED), "C<": cut(ONE_TRY)},
    ),
    # The order of messages.
    "message 1 twice": Bug(
        SEND,
        result(lambda m: m + m),
        {"M> L> C>": said(TAG), "K>": said(CONFIRMATION)},
        when=message(1),
    ),
    "message 1 one byte too short": Bug(
        SEND, result(lambda m: m[:-1]), {"M> K> L> C>": cut(TRUNCATED)}, when=message(1)
    ),
    "message 1 one byte too long": Bug(
        SEND,
        result(lambda m: m + b"\0"),
        {"M> L> C>": said(TAG), "K>": said(CONFIRMATION)},
        when=message(1),
    ),
    "message 1 behind its length": Bug(
        SEND,
        result(lambda m: struct.pack(">H", len(m)) + m),
        {"M>": said(BAD_KEM_KEY), "K> L>": said(TAG), "C>": said(BURNED)},
        when=message(1),
    ),
    "a payload in message 1": Bug(
        SEND,
        given(lambda handshake, _: (handshake, b"x")),
        {"M>": cut(TRUNCATED), "L>": said(TAG), "C>": said(BURNED)},
        when=message(1),
    ),
    "message 2 one byte too short": Bug(
        SEND,
        result(lambda m: m[:-1]),
        {"M< K<": cut(TRUNCATED), "L<": cut(NOT_TAKEN), "C<": cut(ONE_TRY)},
        when=message(2),
    ),
    "zeros behind message 2": Bug(
        SEND,
        result(lambda m: m + bytes(2)),
        {
            "M< K<": said(BAD_LENGTH, "opened"),
            "L<": said(CONFIRMATION),
            "C<": said(spent(CONFIRMATION)),
        },
        when=message(2),
    ),
    "message 2 left out": Bug(
        SEND,
        result(lambda m: b""),
        {"M< K<": cut(TRUNCATED), "L<": cut(NOT_TAKEN), "C<": cut(ONE_TRY)},
        when=message(2),
    ),
    "message 3 one byte too short": Bug(
        SEND, result(lambda m: m[:-1]), {"M> L> C>": cut(TRUNCATED)}, when=message(3)
    ),
    "zeros behind message 3": Bug(
        SEND,
        result(lambda m: m + bytes(2)),
        {"M> L> C>": said(BAD_LENGTH, "opened")},
        when=message(3),
    ),
    "message 3 left out": Bug(
        SEND, result(lambda m: b""), {"M> L> C>": cut(TRUNCATED)}, when=message(3)
    ),
    "data in the place of message 3 or the confirmation": Bug(
        MESSAGE_2, data_instead, {"M> L> C>": said(TAG), "K>": said(CONFIRMATION)}
    ),
    "data in the place of the responder's confirmation": Bug(
        MESSAGE_3, data_instead, {"L<": said(CONFIRMATION), "C<": said(spent(CONFIRMATION))}
    ),
    "a confirmation before message 3": Bug(
        MESSAGE_1,
        out(lambda out: out.extend(bytes(32))),
        {"L<": said(CONFIRMATION), "C<": said(spent(CONFIRMATION))},
    ),
    "no confirmation": Bug(
        SPLIT,
        confirms(lambda client: b""),
        {"K>": cut(TRUNCATED), "L<": cut(NOT_TAKEN), "C<": cut(ONE_TRY)},
    ),
    "a confirmation of zeros": Bug(
        SPLIT,
        confirms(lambda client: bytes(32)),
        {"K> L<": said(CONFIRMATION), "C<": said(spent(CONFIRMATION))},
    ),
    "a confirmation with another label": Bug(
        SPLIT,
        confirms(
            lambda client: hkdf(
                client.handshake_hash, client.exporter_secret, b"e2ee confirmation", 32
            )
        ),
        {"K> L<": said(CONFIRMATION), "C<": said(spent(CONFIRMATION))},
    ),
    "a confirmation with salt and secret swapped": Bug(
        SPLIT,
        confirms(
            lambda client: hkdf(
                client.exporter_secret, client.handshake_hash, b"e2ee confirmation v1", 32
            )
        ),
        {"K> L<": said(CONFIRMATION), "C<": said(spent(CONFIRMATION))},
    ),
    "half a confirmation": Bug(
        SPLIT,
        confirms(lambda client: client.confirmation[:16]),
        {"K>": cut(TRUNCATED), "L<": cut(NOT_TAKEN), "C<": cut(ONE_TRY)},
    ),
    "zeros behind the confirmation": Bug(
        SPLIT,
        confirms(lambda client: client.confirmation + bytes(2)),
        {"K> L< C<": said(BAD_LENGTH, "opened")},
    ),
    "a confirmation where there is none": Bug(
        "Client._open", out(lambda out: out.extend(bytes(32))), {"M>": said(BAD_LENGTH, "opened")}
    ),
    # Payloads.
    "a payload whose padding is not zero": Bug(
        PAYLOAD,
        result(lambda p: p[:-1] + b"\1"),
        {"M> K> L> C> M< K< L<": said(PAYLOAD_PADDING), "C<": said(spent(PAYLOAD_PADDING))},
    ),
    "a payload whose length is too long": Bug(
        PAYLOAD,
        result(lambda p: b"\xff\xff" + p[2:]),
        {"M> K> L> C> M< K< L<": said(PAYLOAD_PADDING), "C<": said(spent(PAYLOAD_PADDING))},
    ),
    "a payload whose length is one too short": Bug(
        PAYLOAD,
        result(lambda p: struct.pack(">H", int.from_bytes(p[:2], "big") - 1) + p[2:]),
        {"M> K> L> C> M< K< L<": said(PAYLOAD_PADDING), "C<": said(spent(PAYLOAD_PADDING))},
    ),
    "a payload whose length is in little-endian order": Bug(
        PAYLOAD,
        result(lambda p: p[1::-1] + p[2:]),
        {"M> K> L> C> M< K< L<": said(PAYLOAD_PADDING), "C<": said(spent(PAYLOAD_PADDING))},
    ),
    "a payload of zeros": Bug(
        PAYLOAD,
        result(lambda p: bytes(512)),
        {
            "M> L> M< K< L<": said(NOT_A_PAYLOAD),
            "K>": said(NOT_A_KNOWN_PAYLOAD),
            "C>": said(NOT_A_CODE_PAYLOAD),
            "C<": said(spent(NOT_A_CODE_PAYLOAD)),
        },
    ),
    "a payload of 511 bytes": Bug(
        PAYLOAD,
        result(lambda p: p[:-1]),
        {"M> K> L> C> M< K<": cut(TRUNCATED), "L<": cut(NOT_TAKEN), "C<": cut(ONE_TRY)},
    ),
    "a payload with white space": Bug(
        PAYLOAD,
        text_of_payload(lambda text: text.replace(b":", b": ", 1)),
        {"M> K> L> M< K< L<": said(PAYLOAD_NOT_CANONICAL)},
    ),
    "a payload that is a list": Bug(
        PAYLOAD, text_of_payload(lambda text: b"[" + text + b"]"), {"M> M<": said(NOT_A_PAYLOAD)}
    ),
    "a payload without signature": Bug(
        PAYLOAD,
        payload_with(signature=None),
        {
            "M> L> M< K< L<": said(NOT_A_PAYLOAD),
            "K>": said(NOT_A_KNOWN_PAYLOAD),
            "C>": said(NOT_A_CODE_PAYLOAD),
            "C<": said(spent(NOT_A_CODE_PAYLOAD)),
        },
    ),
    "a payload without certificate": Bug(
        PAYLOAD,
        payload_with(certificate=None),
        {
            "M> L> M< K< L<": said(NOT_A_PAYLOAD),
            "K>": said(NOT_A_KNOWN_PAYLOAD),
            "C>": said(NOT_A_CODE_PAYLOAD),
            "C<": said(spent(NOT_A_CODE_PAYLOAD)),
        },
    ),
    "a payload with one more member": Bug(
        PAYLOAD,
        payload_with(name=b"me"),
        {"M> L> M< K< L<": said(NOT_A_PAYLOAD), "K>": said(NOT_A_KNOWN_PAYLOAD)},
    ),
    "a payload with a sequence that does not belong there": Bug(
        PAYLOAD, payload_with(sequence=1), {"M> L> M< K< L<": said(NOT_A_PAYLOAD)}
    ),
    "a payload with a nonce that does not belong there": Bug(
        PAYLOAD,
        payload_with(nonce=bytes(32)),
        {"M> L> M< K< L<": said(NOT_A_PAYLOAD), "K>": said(NOT_A_KNOWN_PAYLOAD)},
    ),
    "the signature before the certificate": Bug(
        PAYLOAD,
        text_of_payload(
            lambda text: (
                b'{"signature'
                + text.partition(b',"signature')[2][:-1]
                + b","
                + text.partition(b',"signature')[0][1:]
                + b"}"
            )
        ),
        {"M> M<": said(PAYLOAD_NOT_CANONICAL)},
    ),
    # Certificates.
    "a certificate of another identity's": Bug(
        CERTIFICATE,
        certifies(SOMEBODY, identity=SOMEBODY.public_key().public_bytes_raw()),
        {
            "K>": said(NOT_ADMITTED),
            "C>": said(NOT_COMMITTED),
            "C<": said(spent(NOT_COMMITTED)),
            "K< L<": said(unexpected(id_of(SOMEBODY.public_key().public_bytes_raw()))),
        },
    ),
    "a certificate in another identity's name": Bug(
        CERTIFICATE,
        certifies(identity=SOMEBODY.public_key().public_bytes_raw()),
        {"M> K> L> C> M< K< L<": said(FORGED), "C<": said(spent(FORGED))},
    ),
    "a certificate signed by somebody else": Bug(
        CERTIFICATE,
        certifies(SOMEBODY),
        {"M> K> L> C> M< K< L<": said(FORGED), "C<": said(spent(FORGED))},
    ),
    "a certificate for another device key": Bug(
        CERTIFICATE,
        certifies(static_key=bytes([9]).ljust(32, b"\0")),
        {"M> K> L> C> M< K< L<": said(OTHER_DEVICE), "C<": said(spent(OTHER_DEVICE))},
    ),
    "a certificate that has expired": Bug(
        CERTIFICATE,
        certifies(not_after=1_000_000_000),
        {"M> K> L> C> M< K< L<": said(NOT_VALID_NOW), "C<": said(spent(NOT_VALID_NOW))},
    ),
    "a certificate that is not valid yet": Bug(
        CERTIFICATE,
        certifies(not_before=2**53 - 1),
        {"M> K> L> C> M< K< L<": said(NOT_VALID_NOW), "C<": said(spent(NOT_VALID_NOW))},
    ),
    "a certificate of version 2": Bug(
        CERTIFICATE,
        certifies(version=2),
        {"M> K> L> C> M< K< L<": said(NOT_A_CERTIFICATE), "C<": said(spent(NOT_A_CERTIFICATE))},
    ),
    "a certificate whose version is a text": Bug(
        CERTIFICATE, certifies(version="1"), {"M> M<": said(NOT_A_CERTIFICATE)}
    ),
    "a certificate of version true": Bug(
        CERTIFICATE, certifies(version=True), {"M> M<": said(PAYLOAD_NOT_CANONICAL)}
    ),
    "a certificate that ends before it begins to count": Bug(
        CERTIFICATE, certifies(not_after=-1), {"M> M<": said(NOT_A_CERTIFICATE)}
    ),
    "a certificate valid beyond 2^53": Bug(
        CERTIFICATE, certifies(not_after=2**53), {"M> M<": said(NOT_A_CERTIFICATE)}
    ),
    "a certificate valid until a fraction": Bug(
        CERTIFICATE, certifies(not_after=9e9), {"M> M<": said(NOT_A_CERTIFICATE)}
    ),
    "a certificate without beginning": Bug(
        CERTIFICATE, certifies(not_before=None), {"M> M<": said(NOT_A_CERTIFICATE)}
    ),
    "a certificate with a name": Bug(
        CERTIFICATE, certifies(name="me"), {"M> M<": said(NOT_A_CERTIFICATE)}
    ),
    "a certificate with an identity of low order": Bug(
        CERTIFICATE, certifies(identity=bytes(32)), {"M> K> M< K<": said(BAD_IDENTITY)}
    ),
    "a certificate with an identity that is not reduced": Bug(
        CERTIFICATE, certifies(identity=b"\xff" * 31 + b"\x7f"), {"M> M<": said(BAD_IDENTITY)}
    ),
    "a certificate with an identity of 31 bytes": Bug(
        CERTIFICATE, certifies(identity=bytes(31)), {"M> M<": said(NOT_A_CERTIFICATE)}
    ),
    "a certificate that is not canonical": Bug(
        CERTIFICATE,
        rewrites(lambda text: text.replace(b":1,", b": 1,")),
        {"M> M<": said(PAYLOAD_NOT_CANONICAL)},
    ),
    "a certificate with its members in another order": Bug(
        CERTIFICATE,
        rewrites(lambda text: b"{" + text[13:-1] + b',"version":1}'),
        {"M> M<": said(PAYLOAD_NOT_CANONICAL)},
    ),
    "a certificate that is too long for its payload": Bug(
        CERTIFICATE, rewrites(lambda text: text.ljust(301)), {"M> M<": said(TAG)}
    ),
    "a certificate that is no JSON": Bug(
        CERTIFICATE,
        rewrites(lambda text: b"-----BEGIN CERTIFICATE-----"),
        {"M> M<": said(NOT_A_CERTIFICATE)},
    ),
    "a signature with one bit wrong": Bug(
        CERTIFICATE,
        result(lambda pair: (pair[0], bytes([pair[1][0] ^ 1]) + pair[1][1:])),
        {"M> K> L> C> M< K< L<": said(FORGED), "C<": said(spent(FORGED))},
    ),
    "a signature of zeros": Bug(
        CERTIFICATE, signs(lambda me, text: bytes(64)), {"M> M<": said(FORGED)}
    ),
    "a signature without label": Bug(
        CERTIFICATE,
        signs(lambda me, text: me.identity.sign(text)),
        {"M> K> L> C> M< K< L<": said(FORGED), "C<": said(spent(FORGED))},
    ),
    "a signature of 63 bytes": Bug(
        CERTIFICATE,
        signs(lambda me, text: me.identity.sign(SIGNED + text)[:-1]),
        {"M> M<": said(NOT_A_PAYLOAD)},
    ),
    "an empty signature": Bug(
        CERTIFICATE, signs(lambda me, text: b""), {"M> M<": said(NOT_A_PAYLOAD)}
    ),
    # Known.
    "a call with the number 0": Bug(PAYLOAD, payload_with(sequence=0), {"K>": said(NOT_ADMITTED)}),
    "a call without number": Bug(
        PAYLOAD, payload_with(sequence=None), {"K>": said(NOT_A_KNOWN_PAYLOAD)}
    ),
    "a call with a negative number": Bug(
        PAYLOAD, payload_with(sequence=-1), {"K>": said(NOT_A_KNOWN_PAYLOAD)}
    ),
    "a call with the number 2^53": Bug(
        PAYLOAD, payload_with(sequence=2**53), {"K>": said(NOT_A_KNOWN_PAYLOAD)}
    ),
    "a call whose number is a text": Bug(
        PAYLOAD, payload_with(sequence="2"), {"K>": said(NOT_A_KNOWN_PAYLOAD)}
    ),
    "a call to another device key": Bug(
        "Handshake.__init__",
        lambda right, handshake, *args, **options: right(
            handshake, *args, **(options | {"responder_static": bytes([9]).ljust(32, b"\0")})
        ),
        {"K>": said(TAG)},
        turn=1,
    ),
    "a call as a meeting": Bug(
        USE,
        after(
            lambda client, suite: setattr(
                client, "protocol", "Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256"
            )
        ),
        {"K>": cut(TRUNCATED)},
    ),
    # Links.
    "a wrong lookup id": Bug(
        "hkdf",
        result(lambda _: bytes(16)),
        {"L>": said(UNKNOWN_HERE, sends="6532656501030201")},
        when=label(b"e2ee link lookup id v1"),
    ),
    "a lookup id with another label": Bug(
        "hkdf",
        labelled(b"e2ee link lookup v1"),
        {"L>": said(UNKNOWN_HERE, sends="6532656501030201"), "L<": said(UNKNOWN_THERE)},
        when=label(b"e2ee link lookup id v1"),
    ),
    "the beginning of the secret as lookup id": Bug(
        "hkdf",
        lambda right, salt, ikm, info, length: ikm[:length],
        {"L>": said(UNKNOWN_HERE, sends="6532656501030201"), "L<": said(UNKNOWN_THERE)},
        when=label(b"e2ee link lookup id v1"),
    ),
    "no lookup id": Bug(
        CALL,
        out(lambda out: out.__delitem__(slice(8, 24))),
        {"L>": said(UNKNOWN_HERE, sends="6532656501030201")},
    ),
    "a wrong psk of the link": Bug(
        "hkdf",
        result(lambda _: bytes(32)),
        {"L>": said(TAG), "L<": cut(TRUNCATED)},
        when=label(b"e2ee link psk v1"),
    ),
    "a psk of the link with another label": Bug(
        "hkdf",
        labelled(b"e2ee psk v1"),
        {"L>": said(TAG), "L<": cut(TRUNCATED)},
        when=label(b"e2ee link psk v1"),
    ),
    "the secret of the link as psk": Bug(
        "hkdf",
        lambda right, salt, ikm, info, length: ikm,
        {"L>": said(TAG), "L<": cut(TRUNCATED)},
        when=label(b"e2ee link psk v1"),
    ),
    # Codes.
    "wrong words": Bug(
        SHARE, spoken(password=b"acrobat-velcro-sugar"), {"C>": said(BURNED), "C<": cut(ONE_TRY)}
    ),
    "the words with blanks between": Bug(
        SHARE,
        before(
            lambda client, *args: setattr(
                client.code, "password", client.code.password.replace(b"-", b" ")
            )
        ),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "the number in the password": Bug(
        SHARE,
        before(
            lambda client, *args: setattr(client.code, "password", b"999-" + client.code.password)
        ),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "a wrong number": Bug(
        CALL,
        spoken(number=998),
        {
            "C>": said(
                "InvitationRefused: the peer has a code with the number 998",
                sends="6532656501030301",
            )
        },
    ),
    "a share of zeros": Bug(SHARE, result(lambda share: bytes(32)), {"C> C<": said(LOW_ORDER)}),
    "a share of low order": Bug(
        SHARE, result(lambda share: bytes([1]).ljust(32, b"\0")), {"C> C<": said(LOW_ORDER)}
    ),
    "another share than the one that is used": Bug(
        SHARE,
        result(lambda share: bytes([9]).ljust(32, b"\0")),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "the other's share sent back": Bug(
        "Client._code_asked",
        returns_share,
        {"C<": said("InvalidPublicKey: the peer sent our own share back")},
    ),
    "a generator without sid": Bug(
        GENERATOR,
        given(lambda password, ci, sid: (password, ci, b"")),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "a generator without channel identifier": Bug(
        GENERATOR,
        given(lambda password, ci, sid: (password, b"", sid)),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "a generator without the number": Bug(
        GENERATOR,
        given(lambda password, ci, sid: (password, ci[:-2], sid)),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "the other point of Elligator": Bug(
        GENERATOR,
        result(lambda g: ((-A - int.from_bytes(g, "little")) % P).to_bytes(32, "little")),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "the base point as generator": Bug(
        GENERATOR,
        result(lambda g: bytes([9]).ljust(32, b"\0")),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "a key without sid": Bug(
        ISK, given(lambda sid, *rest: (b"", *rest)), {"C>": said(BURNED), "C<": cut(ONE_TRY)}
    ),
    "a key with the shares swapped": Bug(
        ISK,
        given(lambda sid, k, ya, ada, yb, adb: (sid, k, yb, adb, ya, ada)),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "a key with the commitments swapped": Bug(
        ISK,
        given(lambda sid, k, ya, ada, yb, adb: (sid, k, ya, adb, yb, ada)),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "a key without the commitments": Bug(
        ISK,
        given(lambda sid, k, ya, ada, yb, adb: (sid, k, ya, b"", yb, b"")),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
    ),
    "a psk of the code with another label": Bug(
        "hkdf",
        labelled(b"e2ee link psk v1"),
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
        when=label(b"e2ee code psk v1"),
    ),
    "the key of CPace cut to a psk": Bug(
        "hkdf",
        lambda right, salt, ikm, info, length: ikm[:length],
        {"C>": said(BURNED), "C<": cut(ONE_TRY)},
        when=label(b"e2ee code psk v1"),
    ),
    "message 1 before the answer": Bug(
        CALL, out(lambda out: out.extend(bytes(1248))), {"C>": said(BURNED)}
    ),
    "a wrong commitment": Bug(
        USE,
        after(lambda client, suite: setattr(client, "commitment", bytes(32))),
        {"C>": said(NOT_COMMITTED), "C<": said(spent(NOT_COMMITTED))},
    ),
    "no commitment": Bug(
        USE,
        after(lambda client, suite: setattr(client, "commitment", b"")),
        {"C> C<": cut(TRUNCATED)},
    ),
    "another nonce than the one committed to": Bug(
        PAYLOAD,
        payload_with(nonce=bytes(32)),
        {"C>": said(NOT_COMMITTED), "C<": said(spent(NOT_COMMITTED))},
    ),
    "no nonce": Bug(
        PAYLOAD,
        payload_with(nonce=None),
        {"C>": said(NOT_A_CODE_PAYLOAD), "C<": said(spent(NOT_A_CODE_PAYLOAD))},
    ),
    "a nonce of 31 bytes": Bug(
        PAYLOAD,
        payload_with(nonce=bytes(31)),
        {"C>": said(NOT_A_CODE_PAYLOAD), "C<": said(spent(NOT_A_CODE_PAYLOAD))},
    ),
}
