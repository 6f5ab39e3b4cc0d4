"""The comparison of handshakes: both sides, from the first object to open channels."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from benchmarks.noises import dissononce, noiseprotocol, static_key
from benchmarks.pyopenssl import PyOpenSsl
from benchmarks.rounds import Comparison, plain
from benchmarks.sessions import shaking_hands
from benchmarks.tls import Tls
from e2ee import CLASSICAL_AESGCM, HYBRID_AESGCM
from e2ee.handshake import Handshake
from e2ee.limits import HANDSHAKE_PAYLOAD_LENGTH

CERTIFICATE = 310
"""Bytes that an identity signs, about."""


def handshakes() -> Comparison:
    """All of them; those of sessions and TLS with certificates of both sides."""
    operations: dict[str, Callable[[], object]] = {
        "e2ee, hybrid": shaking_hands(HYBRID_AESGCM),
        "its primitives": _Primitives(hybrid=True).run,
        "e2ee, classical": shaking_hands(CLASSICAL_AESGCM),
        "e2ee, engine": _engine(),
        "its primitives, XX": _Primitives(hybrid=False).run,
        "ssl": Tls().connect,
        "pyOpenSSL": PyOpenSsl().connect,
        "noiseprotocol": noiseprotocol(),
        "dissononce": dissononce(),
    }
    contenders = {name: plain(operation) for name, operation in operations.items()}
    return Comparison("handshake", contenders)


def _engine() -> Callable[[], object]:
    """What the other Noise libraries do too: no certificates, empty payloads."""
    initiator_key, responder_key = static_key(), static_key()

    def run() -> object:
        initiator = Handshake(CLASSICAL_AESGCM.name, initiator=True, s=initiator_key)
        responder = Handshake(CLASSICAL_AESGCM.name, initiator=False, s=responder_key)
        responder.read_message(initiator.write_message())
        initiator.read_message(responder.write_message())
        responder.read_message(initiator.write_message())
        return initiator.split(), responder.split()

    run()
    return run


class _Primitives:
    """Every call of ``cryptography`` that both sides of a handshake cannot do without, and no more.

    Noise XX: two new keys, three exchanges a side, HKDF for each secret that is mixed in, a hash
    for each of the fields, the cipher for those that are sealed. A hybrid one has ML-KEM-768 too,
    and there both sides verify the other's signed certificate.
    """

    def __init__(self, *, hybrid: bool) -> None:
        self._hybrid = hybrid
        self._static = X25519PrivateKey.generate()
        self._static_bytes = self._static.public_key().public_bytes_raw()
        identity = Ed25519PrivateKey.generate()
        self._identity_bytes = identity.public_key().public_bytes_raw()
        self._certificate = os.urandom(CERTIFICATE)
        self._signature = identity.sign(self._certificate)

    def run(self) -> object:
        for own in (X25519PrivateKey.generate(), X25519PrivateKey.generate()):
            public = own.public_key().public_bytes_raw()
            ephemeral = X25519PublicKey.from_public_bytes(public)
            static = X25519PublicKey.from_public_bytes(self._static_bytes)
            self._mix(own.exchange(ephemeral), public)
            self._mix(own.exchange(static), self._static_bytes)
            self._mix(self._static.exchange(ephemeral), b"")
            if self._hybrid:
                Ed25519PublicKey.from_public_bytes(self._identity_bytes).verify(
                    self._signature, self._certificate
                )
        if self._hybrid:
            self._encapsulate()
        # One side seals its static key and two payloads; so does the other.
        payload = bytes(HANDSHAKE_PAYLOAD_LENGTH) if self._hybrid else b""
        for field in (self._static_bytes, payload) * 2:
            self._seal(field)
        return [_hkdf(b"", 96) for _ in range(2)]

    def _mix(self, secret: bytes, public: bytes) -> None:
        _hkdf(secret, 64)
        hashes.Hash.hash(hashes.SHA256(), bytes(32) + public)

    def _encapsulate(self) -> None:
        private = MLKEM768PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        secret, ciphertext = MLKEM768PublicKey.from_public_bytes(public).encapsulate()
        private.decapsulate(ciphertext)
        for _ in range(2):
            self._mix(secret, public)
        self._seal(ciphertext)

    def _seal(self, field: bytes) -> Any:
        """At one side, and what the other opens; each has its own object of the key."""
        sealed = AESGCM(bytes(32)).encrypt(bytes(12), field, bytes(32))
        for _ in range(2):
            hashes.Hash.hash(hashes.SHA256(), bytes(32) + sealed)
        return AESGCM(bytes(32)).decrypt(bytes(12), sealed, bytes(32))


def _hkdf(secret: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, bytes(32), b"").derive(secret)
