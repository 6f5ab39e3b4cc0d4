"""Objects that hold keys and counters must exist once: a copy would repeat nonces."""

from __future__ import annotations

import os
from typing import NoReturn

from e2ee.errors import UsageError

_process = object()
"""Another object in every process. (Asking for the process's number takes five times as long.)"""


def _be_another_process() -> None:
    global _process  # noqa: PLW0603 -- which process this is, is not any object's affair
    _process = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_be_another_process)


def this_process() -> object:
    """For ``check_process``, in a forked child later."""
    return _process


def check_process(made_in: object) -> None:
    """Refuse what was made in another process: a fork is a copy too. Raises UsageError."""
    if made_in is not _process:
        raise UsageError("after a fork only the parent may go on: the nonces would repeat")


class Uncopyable:
    """Refuses to be copied or pickled, and shows none of its fields."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds secrets and cannot be copied or pickled")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
