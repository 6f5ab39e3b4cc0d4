"""The same people, keys and random numbers in every process, so that an input means the same
everywhere; and a cipher that hides nothing, so that a fuzzer gets behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import Identity
from e2ee.errors import InvalidPublicKey
from e2ee.primitives import CIPHERS, Cipher, MlKem768

NOW = 1_800_000_000


def secret(name: str) -> bytes:
    """32 bytes that are always the same."""
    return hashlib.sha256(b"e2ee fuzz " + name.encode()).digest()


@cache
def x25519(name: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(secret(name))


@cache
def person(name: str) -> Identity:
    return Identity._certified(
        Ed25519PrivateKey.from_private_bytes(secret(f"{name}'s identity")),
        x25519(f"{name}'s device"),
        NOW,
    )


@cache
def kem_key() -> tuple[MLKEM768PrivateKey, bytes]:
    private = MLKEM768PrivateKey.from_seed_bytes(secret("kem d") + secret("kem z"))
    return private, private.public_key().public_bytes_raw()


def _encapsulate(_: MlKem768, public_key: bytes) -> tuple[bytes, bytes]:
    try:
        MLKEM768PublicKey.from_public_bytes(public_key)
    except ValueError:
        raise InvalidPublicKey("the peer sent a malformed ML-KEM-768 public key") from None
    ciphertext = hashlib.shake_256(public_key).digest(MlKem768.ciphertext_length)
    return ciphertext, hashlib.sha256(public_key + ciphertext).digest()


def _decapsulate(_: MlKem768, __: MLKEM768PrivateKey, ciphertext: bytes) -> bytes:
    return hashlib.sha256(kem_key()[1] + ciphertext).digest()


class NullAead:
    """Adds a tag that says nothing, and refuses one that ends with 0xff."""

    TAG = bytes(16)

    def __init__(self, key: bytes) -> None: ...

    def encrypt(self, nonce: bytes, data: bytes | memoryview, ad: bytes | None) -> bytes:
        return bytes(data) + self.TAG

    def encrypt_into(
        self, nonce: bytes, data: memoryview, ad: bytes | None, out: memoryview
    ) -> int:
        out[:] = self.encrypt(nonce, data, ad)
        return len(out)

    def decrypt(self, nonce: bytes, data: bytes | memoryview, ad: bytes | None) -> bytes:
        if data[-1] == 0xFF:
            raise InvalidTag
        return bytes(data[:-16])


_null: Any = NullAead
NULL_CIPHER = Cipher(_null, CIPHERS["AESGCM"].pack_nonce)


@contextlib.contextmanager
def fixed_randomness(role: str, *, null_cipher: bool) -> Iterator[None]:
    """Inside of it every session draws its role's keys, and, with ``null_cipher``, seals nothing.

    ML-KEM's encapsulation, which is random in ``cryptography``, is replaced by one that is not,
    and only the check of the public key stays.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(X25519PrivateKey, "generate", lambda: x25519(role))
        patch.setattr(MlKem768, "generate", lambda _: kem_key())
        patch.setattr(MlKem768, "encapsulate", _encapsulate)
        patch.setattr(MlKem768, "decapsulate", _decapsulate)
        patch.setattr(secrets, "token_bytes", lambda size=32: bytes(range(size)))
        if null_cipher:
            for name in CIPHERS:
                patch.setitem(CIPHERS, name, NULL_CIPHER)
        yield
