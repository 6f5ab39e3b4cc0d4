"""SymmetricState: the chaining key and the transcript hash. Noise revision 34, section 5.2."""

from __future__ import annotations

from e2ee._uncopyable import Uncopyable
from e2ee.handshake.cipher_state import CipherState
from e2ee.handshake.protocol_name import Protocol
from e2ee.primitives import KEY_LENGTH


class SymmetricState(Uncopyable):
    """All the symmetric cryptography of a handshake; everything passes through here once."""

    __slots__ = ("_cipher", "_cipher_state", "_hash", "chaining_key", "handshake_hash")

    def __init__(self, protocol: Protocol) -> None:
        self._cipher = protocol.cipher
        self._hash = protocol.hash
        self._cipher_state: CipherState | None = None
        name = protocol.name.encode()
        self.handshake_hash = (
            name.ljust(self._hash.length, b"\0")
            if len(name) <= self._hash.length
            else self._hash.hash(name)
        )
        self.chaining_key = self.handshake_hash

    @property
    def has_key(self) -> bool:
        return self._cipher_state is not None

    def _hkdf(self, key_material: bytes, outputs: int) -> list[bytes]:
        length = self._hash.length
        stream = self._hash.hkdf(self.chaining_key, key_material, outputs * length)
        return [stream[i * length : (i + 1) * length] for i in range(outputs)]

    def _set_key(self, key: bytes) -> None:
        self._cipher_state = CipherState(self._cipher, key[:KEY_LENGTH])

    def mix_key(self, key_material: bytes) -> None:
        self.chaining_key, key = self._hkdf(key_material, 2)
        self._set_key(key)

    def mix_hash(self, data: bytes) -> None:
        self.handshake_hash = self._hash.hash(self.handshake_hash + data)

    def mix_key_and_hash(self, key_material: bytes) -> None:
        self.chaining_key, hashed, key = self._hkdf(key_material, 3)
        self.mix_hash(hashed)
        self._set_key(key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        ciphertext = (
            self._cipher_state.encrypt_with_ad(self.handshake_hash, plaintext)
            if self._cipher_state
            else plaintext
        )
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        plaintext = (
            self._cipher_state.decrypt_with_ad(self.handshake_hash, ciphertext)
            if self._cipher_state
            else ciphertext
        )
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState, bytes]:
        """The initiator's sending state, the responder's, and the exporter secret.

        The first two are Noise's Split(). The third is the next output of the same HKDF, which
        Noise leaves unused; it has the hash's length (SPEC.md section 3.5).
        """
        first, second, exporter_secret = self._hkdf(b"", 3)
        return (
            CipherState(self._cipher, first[:KEY_LENGTH]),
            CipherState(self._cipher, second[:KEY_LENGTH]),
            exporter_secret,
        )
