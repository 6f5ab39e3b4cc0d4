"""Objects that hold keys and counters must exist once: a copy would repeat nonces."""

from __future__ import annotations

from os import getpid
from typing import NoReturn

from e2ee.errors import UsageError


def check_process(process: int) -> None:
    """Refuse what was made in another process: a fork is a copy too. Raises UsageError."""
    if getpid() != process:
        raise UsageError("after a fork only the parent may go on: the nonces would repeat")


class Uncopyable:
    """Refuses to be copied or pickled, and shows none of its fields."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds secrets and cannot be copied or pickled")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
