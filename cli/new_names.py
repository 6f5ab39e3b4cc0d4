"""A name for what is whole, unless something has it: in one step, which Python has no call for."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import cache

RENAME_NOREPLACE = 1
"""Of linux/fs.h."""


def rename_to_new(folder_fd: int, old: str, new: str) -> None:
    """Rename within a folder. Raises FileExistsError where something has the new name, and
    NotImplementedError where this system, or this file system, cannot do that in one step."""
    renameat2 = _renameat2()
    if renameat2 is None:
        raise NotImplementedError
    number = renameat2(folder_fd, os.fsencode(old), os.fsencode(new))
    if number in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
        raise NotImplementedError
    if number:
        raise OSError(number, os.strerror(number))


@cache
def _renameat2() -> Callable[[int, bytes, bytes], int] | None:
    """Returns the system's error number, or 0."""
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 -- only who receives files needs it

    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None

    def rename(folder_fd: int, old: bytes, new: bytes) -> int:
        failed = function(folder_fd, old, folder_fd, new, RENAME_NOREPLACE)
        return ctypes.get_errno() if failed else 0

    return rename
