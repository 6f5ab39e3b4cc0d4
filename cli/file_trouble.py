"""What the disk of this machine refuses, in words for the user and in one for the peer."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from e2ee.file_messages import Reason

from .clean import clean
from .exits import CliError, Exit

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FileTrouble(CliError):
    """A file or folder here cannot be read or written. ``reason`` is what the peer is told."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(clean(message), Exit.FILES)
        self.reason: Reason = reason


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """Whatever the system refuses here is a FileTrouble."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise FileTrouble(
                f"no room for {name}: {error.strerror}; what has come is kept: make room, and "
                "run the same command again to go on",
                "no_space",
            ) from None
        raise FileTrouble(f"{name} cannot be written: {error.strerror}", "unwritable") from None


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Whatever the system refuses here is a FileTrouble."""
    try:
        yield
    except OSError as error:
        raise FileTrouble(f"{name} cannot be read: {error.strerror}", "unreadable") from None
