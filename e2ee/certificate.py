"""The device certificate: an identity's signature over the Noise static key of one device.

It travels in the encrypted payload of handshake messages 2 and 3. SPEC.md section 5.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from e2ee.errors import CertificateError, InvalidPublicKey, MalformedMessage
from e2ee.ids import check_identity_key, encode_id, safety_words
from e2ee.limits import HANDSHAKE_PAYLOAD_LENGTH
from e2ee.messages import Certificate, HandshakePayload, decode, encode

SIGNATURE_LABEL = b"e2ee device certificate v1\0"
_LENGTH_PREFIX = 2

P = TypeVar("P", bound=HandshakePayload)


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom the channel is authenticated to: an identity, and the device that speaks for it.

    ``identity_key`` -- Ed25519 public key, 32 bytes. ``static_key`` -- X25519 public key of the
    device, 32 bytes. ``not_before``, ``not_after`` -- validity of the certificate, seconds since
    1970.
    """

    identity_key: bytes
    static_key: bytes
    not_before: int
    not_after: int

    @property
    def id(self) -> str:
        """The ``e2ee1…`` id, 63 characters."""
        return encode_id(self.identity_key)

    @property
    def words(self) -> tuple[str, ...]:
        """The eight safety words."""
        return safety_words(self.identity_key)


def sign_certificate(identity_key: Ed25519PrivateKey, certificate: Certificate) -> HandshakePayload:
    """The certificate's bytes with the identity's signature over them."""
    signed = encode(certificate)
    return HandshakePayload(
        certificate=signed, signature=identity_key.sign(SIGNATURE_LABEL + signed)
    )


def pad_payload(payload: HandshakePayload) -> bytes:
    """The payload as it travels: length (2 bytes), canonical JSON, zeros up to 512 bytes."""
    data = encode(payload)
    return (len(data).to_bytes(_LENGTH_PREFIX) + data).ljust(HANDSHAKE_PAYLOAD_LENGTH, b"\0")


def unpad_payload(model: type[P], padded: bytes) -> P:
    """Raises MalformedMessage."""
    length = int.from_bytes(padded[:_LENGTH_PREFIX])
    end = _LENGTH_PREFIX + length
    if end > len(padded) or padded.count(0, end) != len(padded) - end:
        raise MalformedMessage("the handshake payload's padding is not zero")
    return decode(model, padded[_LENGTH_PREFIX:end])


def verify_payload(payload: HandshakePayload, *, static_key: bytes, now: float | None) -> Peer:
    """Check that the signer vouches for this static key at this time; returns who that is.

    ``now`` is in seconds since 1970; with None the validity is not checked.
    Raises CertificateError.
    """
    try:
        certificate = decode(Certificate, payload.certificate)
        check_identity_key(certificate.identity)
        Ed25519PublicKey.from_public_bytes(certificate.identity).verify(
            payload.signature, SIGNATURE_LABEL + payload.certificate
        )
    except (MalformedMessage, InvalidPublicKey) as error:
        raise CertificateError(f"the peer's certificate is malformed: {error}") from None
    except (InvalidSignature, ValueError):
        raise CertificateError("the peer's certificate is forged: its signature is wrong") from None
    if not hmac.compare_digest(certificate.static_key, static_key):
        raise CertificateError("the peer's certificate is for another device key")
    if now is not None and not certificate.not_before <= now < certificate.not_after + 1:
        raise CertificateError(
            "the peer's certificate is expired or not yet valid; are both clocks right?"
        )
    return Peer(
        identity_key=certificate.identity,
        static_key=certificate.static_key,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
    )
