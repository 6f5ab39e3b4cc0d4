"""The system's random numbers, which fail from a certain draw on."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from cryptography.exceptions import InternalError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import primitives


@contextmanager
def failing_from(number: int) -> Iterator[list[str]]:
    """Draws fail from this one on, counted from 1. Gives a list that grows with each."""
    made: list[str] = []

    def of(name: str, draw: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            made.append(name)
            if len(made) < number:
                return draw(*arguments)
            if name in SYSTEM:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            raise InternalError("Unknown OpenSSL error.\n\nPlease file an issue", [])

        return counted

    def load(data: bytes) -> SimpleNamespace:
        key = MLKEM768PublicKey.from_public_bytes(data)
        return SimpleNamespace(encapsulate=of("encapsulate", key.encapsulate))

    with ExitStack() as stack:
        for name in SYSTEM:
            stack.enter_context(patch.object(secrets, name, of(name, getattr(secrets, name))))
        for kind in (Ed25519PrivateKey, X25519PrivateKey, MLKEM768PrivateKey):
            draw = of(kind.__name__, kind.generate)
            stack.enter_context(patch.object(kind, "generate", draw))
        public = SimpleNamespace(from_public_bytes=load)
        stack.enter_context(patch.object(primitives, "MLKEM768PublicKey", public))
        yield made


SYSTEM = ("token_bytes", "token_hex", "randbelow", "randbits", "choice")
"""Of ``secrets``; the others are of ``cryptography``, whose OpenSSL fails in its own way."""
