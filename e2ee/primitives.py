"""The primitives, each a thin entry in a table: all the mathematics is in ``cryptography``.

Noise revision 34, section 12; FIPS 203 for ML-KEM. SPEC.md section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from e2ee.errors import InvalidPublicKey, UsageError
from e2ee.random_numbers import drawn

KEY_LENGTH = 32
"""Bytes of a cipher key."""

TAG_LENGTH = 16
"""Bytes that either cipher adds."""

DhPrivateKey: TypeAlias = X25519PrivateKey | X448PrivateKey
DhPublicKey: TypeAlias = X25519PublicKey | X448PublicKey


@dataclass(frozen=True, slots=True)
class Dh:
    """A Diffie-Hellman function; its keys and its secrets have ``length`` bytes each."""

    length: int
    private_type: type[X25519PrivateKey] | type[X448PrivateKey]
    public_type: type[X25519PublicKey] | type[X448PublicKey]

    def generate(self) -> DhPrivateKey:
        generate: Callable[[], DhPrivateKey] = self.private_type.generate
        return drawn(generate)

    def load_private(self, key: bytes | DhPrivateKey) -> DhPrivateKey:
        """Raises UsageError for a wrong length or the other curve's key."""
        if isinstance(key, self.private_type):
            return key
        if not isinstance(key, bytes) or len(key) != self.length:
            raise UsageError(f"a private key here is {self.length} bytes or a loaded key object")
        return self.private_type.from_private_bytes(key)

    def load_public(self, key: bytes | DhPublicKey) -> DhPublicKey:
        """Raises UsageError for a wrong length or the other curve's key."""
        if isinstance(key, self.public_type):
            return key
        if not isinstance(key, bytes) or len(key) != self.length:
            raise UsageError(f"a public key here is {self.length} bytes or a loaded key object")
        return self.public_type.from_public_bytes(key)

    def exchange(self, private: DhPrivateKey, public: DhPublicKey) -> bytes:
        """The shared secret. Raises InvalidPublicKey where it would be all zero."""
        # The two unions always hold the same curve here: both were loaded by this object.
        exchange: Callable[[Any], bytes] = private.exchange
        try:
            return exchange(public)
        except ValueError:
            raise InvalidPublicKey("the peer sent a public key of low order") from None


class Kem(Protocol):
    """A key encapsulation mechanism. Tests may hand one with known answers to a Handshake."""

    public_key_length: int
    ciphertext_length: int

    def generate(self) -> tuple[Any, bytes]:
        """A new private key object, and its public key's bytes."""

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """Ciphertext and shared secret. Raises InvalidPublicKey."""

    def decapsulate(self, private_key: Any, ciphertext: bytes) -> bytes:
        """The shared secret. A forged ciphertext of the right length gives an unrelated one."""


class MlKem768:
    """ML-KEM-768 (FIPS 203); shared secrets have 32 bytes."""

    public_key_length = 1184
    ciphertext_length = 1088

    def generate(self) -> tuple[MLKEM768PrivateKey, bytes]:
        private_key = drawn(MLKEM768PrivateKey.generate)
        return private_key, private_key.public_key().public_bytes_raw()

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        try:
            loaded = MLKEM768PublicKey.from_public_bytes(public_key)
        except ValueError:
            raise InvalidPublicKey("the peer sent a malformed ML-KEM-768 public key") from None
        secret, ciphertext = drawn(loaded.encapsulate)
        return ciphertext, secret

    def decapsulate(self, private_key: MLKEM768PrivateKey, ciphertext: bytes) -> bytes:
        return private_key.decapsulate(ciphertext)


@dataclass(frozen=True, slots=True)
class Cipher:
    """An AEAD with a 32-byte key and a 12-byte nonce: four zero bytes, then the counter."""

    aead: type[AESGCM] | type[ChaCha20Poly1305]
    pack_nonce: Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Hash:
    """A hash function with its HKDF (RFC 5869 with empty info is Noise's HKDF)."""

    algorithm: hashes.HashAlgorithm
    length: int

    def hash(self, data: bytes) -> bytes:
        return hashes.Hash.hash(self.algorithm, data)

    def hkdf(self, salt: bytes, key_material: bytes, length: int, info: bytes = b"") -> bytes:
        return HKDF(self.algorithm, length, salt, info).derive(key_material)

    def hmac(self, key: bytes, data: bytes) -> bytes:
        mac = hmac.HMAC(key, self.algorithm)
        mac.update(data)
        return mac.finalize()


DHS = {
    "25519": Dh(32, X25519PrivateKey, X25519PublicKey),
    "448": Dh(56, X448PrivateKey, X448PublicKey),
}
KEMS: dict[str, Kem] = {"MLKEM768": MlKem768()}
CIPHERS = {
    "AESGCM": Cipher(AESGCM, struct.Struct(">LQ").pack),
    "ChaChaPoly": Cipher(ChaCha20Poly1305, struct.Struct("<LQ").pack),
}
HASHES = {
    "SHA256": Hash(hashes.SHA256(), 32),
    "SHA512": Hash(hashes.SHA512(), 64),
    "BLAKE2s": Hash(hashes.BLAKE2s(32), 32),
    "BLAKE2b": Hash(hashes.BLAKE2b(64), 64),
}


class RunningHash:
    """SHA-256 of data that comes in pieces; ``length`` is how many bytes have come."""

    __slots__ = ("_hash", "length")

    def __init__(self) -> None:
        self._hash = hashes.Hash(hashes.SHA256())
        self.length = 0

    def update(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        self.length += len(data)

    def digest(self) -> bytes:
        """32 bytes; more may come after."""
        return self._hash.copy().finalize()
