"""Keys that are the same in every run of a test, and of no use outside of one.

Everybody can compute them. So there are only any while pytest runs a test; sessions that are opened
with them begin with other bytes than all others (SPEC.md section 4.1), which no peer takes; their
KEM is none; and no identity made of them is written to a file, or of any use after the block.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, NoReturn, TypeVar
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import identity, invitation, journal, opening, pake
from e2ee.errors import UsageError
from e2ee.identity import Identity
from e2ee.primitives import Dh, MlKem768

TEST_MAGIC = b"test"
"""Four bytes, in place of ``e2ee``, that the preambles of sessions with fixed keys begin with."""

_T = TypeVar("_T")


@contextmanager
def fixed_keys(seed: str) -> Iterator[None]:
    """In the whole process, identities and sessions get keys that follow from the ``seed``.

    The same calls in the same order then give the same ids, codes, bytes on the wire and handshake
    hashes. Use sessions and identities of the block inside of it only: a session has its handshake
    with another one of such a block, and with nobody else. What is written to files keeps its own
    randomness.

    Raises UsageError for a seed that is no string, and where pytest is not running a test. It is
    what sets the environment variable ``PYTEST_CURRENT_TEST``, which the programs that a test
    starts inherit; under another runner set it yourself.
    """
    if not os.environ.get("PYTEST_CURRENT_TEST"):
        raise UsageError(
            "keys are fixed in tests only: PYTEST_CURRENT_TEST is not set, so none is running"
        )
    if not isinstance(seed, str):
        raise UsageError(f"a seed of keys is a string, not {type(seed).__name__}")
    drawn = _Drawn(seed)
    replaced: list[tuple[object, str, Any]] = [
        (Dh, "generate", lambda dh: dh.private_type.from_private_bytes(drawn.draw(dh.length))),
        (MlKem768, "generate", drawn.kem_key),
        (MlKem768, "encapsulate", drawn.encapsulation),
        (MlKem768, "decapsulate", _decapsulate),
        (Identity, "save", _refuse_to_save),
        (Identity, "__init__", drawn.noting(Identity.__init__)),
        (identity, "Ed25519PrivateKey", drawn.keys_of(Ed25519PrivateKey)),
        (identity, "X25519PrivateKey", drawn.keys_of(X25519PrivateKey)),
        (pake, "X25519PrivateKey", drawn.keys_of(X25519PrivateKey)),
        (opening, "MAGIC", TEST_MAGIC),
        *((module, "secrets", drawn.secrets) for module in (invitation, journal, opening)),
    ]
    with ExitStack() as stack:
        for owner, name, value in replaced:
            stack.enter_context(patch.object(owner, name, value))
        try:
            yield
        finally:
            for made in drawn.identities:
                made.__class__ = _OutOfUse


class _Drawn:
    """Bytes in place of random ones, and what is made of them."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._count = 0
        self.secrets = SimpleNamespace(token_bytes=self.draw, choice=self._choice)
        """What a module takes for ``secrets``."""
        self.identities: list[Identity] = []
        """All that were made."""

    def draw(self, length: int) -> bytes:
        self._count += 1
        label = b"e2ee fixed keys\0%d\0" % self._count
        return hashlib.shake_256(label + self._seed).digest(length)

    def _choice(self, values: Sequence[_T]) -> _T:
        return values[int.from_bytes(self.draw(16)) % len(values)]

    def keys_of(self, kind: type[Ed25519PrivateKey] | type[X25519PrivateKey]) -> SimpleNamespace:
        """What a module takes for the class of these keys."""
        load = kind.from_private_bytes
        return SimpleNamespace(generate=lambda: load(self.draw(32)), from_private_bytes=load)

    def noting(self, make: Callable[..., None]) -> Callable[..., None]:
        def noted(made: Identity, *parts: Any) -> None:
            make(made, *parts)
            self.identities.append(made)

        return noted

    # Not a KEM: whoever sees the public key and the ciphertext has the secret. The real one cannot
    # be given its randomness.

    def kem_key(self) -> tuple[bytes, bytes]:
        key = self.draw(MlKem768.public_key_length)
        return key, key

    def encapsulation(self, public_key: bytes) -> tuple[bytes, bytes]:
        ciphertext = self.draw(MlKem768.ciphertext_length)
        return ciphertext, _shared(public_key, ciphertext)


class _OutOfUse(Identity):
    """An identity of a block that has ended."""

    __slots__ = ()

    def handshake_payload(self, **_: object) -> NoReturn:
        raise UsageError("this identity has fixed keys, and the block that it was made in is over")


def _decapsulate(_kem: MlKem768, key: bytes, ciphertext: bytes) -> bytes:
    return _shared(key, ciphertext)


def _shared(public_key: bytes, ciphertext: bytes) -> bytes:
    return hashlib.sha256(public_key + ciphertext).digest()


def _refuse_to_save(*_: object, **__: object) -> NoReturn:
    raise UsageError("an identity whose keys are fixed is not saved: everybody can compute them")
