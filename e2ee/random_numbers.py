"""Random numbers of the system; where it has none, nothing goes on without."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from cryptography.exceptions import InternalError

from e2ee.errors import NoRandomNumbers

P = ParamSpec("P")
T = TypeVar("T")


def drawn(draw: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """What ``draw`` makes of random numbers. Raises NoRandomNumbers."""
    try:
        return draw(*arguments, **options)
    except (OSError, NotImplementedError, InternalError):
        # What os.urandom raises, or OpenSSL in long lines that ask to be reported to others.
        raise NoRandomNumbers("the system gives no random numbers") from None
