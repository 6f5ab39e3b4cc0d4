"""Files that hold secrets: readable by their owner only, and written whole or not at all.

Each function raises the kind of FileError that it is given. SPEC.md section 8.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from e2ee._uncopyable import this_process
from e2ee.errors import FileError, UsageError
from e2ee.random_numbers import drawn


def as_path(path: str | os.PathLike[str], error: type[FileError]) -> Path:
    """A name that a file can have. Raises UsageError for what is no name at all."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise UsageError("the name of a file is a string, or a path made of strings")
    with contextlib.suppress(ValueError):
        if b"\0" not in os.fsencode(path) and Path(path).name:
            return Path(path)
    raise error(f"{os.fspath(path)!r} is not the name of a file")


def read_private(path: Path, max_size: int, error: type[FileError]) -> bytes:
    """The file's bytes, of which it may have ``max_size``. One that others may open is refused."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for somebody to write to it.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise error(f"{path} is not a regular file")
            if os.name == "posix" and status.st_mode & 0o077:
                raise error(f"{path} can be read or changed by others; run: chmod 600 {path}")
            with open(fd, "rb", closefd=False) as file:
                data = file.read(max_size + 1)
        finally:
            os.close(fd)
    except FileNotFoundError:
        raise error(f"{path} does not exist") from None
    except OSError as failure:
        denied = isinstance(failure, PermissionError)
        way = "; make it yours again: chown, chmod 600" if denied else ""
        raise error(f"{path} cannot be read: {failure.strerror}{way}") from None
    if len(data) > max_size:
        raise error(f"{path} is larger than any file of its kind; restore a backup")
    return data


@contextlib.contextmanager
def alone(path: Path, *, error: type[FileError], busy: type[FileError]) -> Iterator[None]:
    """With no other program that changes this file; a lock on the file beside it, ``….lock``.

    Raises ``busy`` where another holds it in this moment: the core has no clock to wait by.
    """
    import fcntl  # noqa: PLC0415 -- not on Windows, where reading needs no lock

    process = this_process()
    lock = path.with_name(path.name + ".lock")
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as failure:
        raise error(f"{lock} cannot be written: {failure.strerror}") from None
    try:
        try:
            # The system lets go of it when the process ends, however it ends.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy(f"another program is writing {path}; try again") from None
        except OSError as failure:
            raise error(f"{lock} cannot be locked: {failure.strerror}") from None
        yield
    finally:
        # Nothing was written to it, so nothing is lost where this fails.
        with contextlib.suppress(OSError):
            try:
                if process is this_process():
                    # A child that was forked meanwhile has the lock too, for as long as it lives.
                    fcntl.flock(fd, fcntl.LOCK_UN)
            finally:
                os.close(fd)


def write_private(path: Path, data: bytes, *, replace: bool, error: type[FileError]) -> None:
    """Create the file 0600. At every instant it is the old one, whole, or the new one, on disk."""
    temporary = path.with_name(f".{path.name}.{drawn(secrets.token_hex, 8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    try:
        try:
            fd = os.open(temporary, flags, 0o600)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
                os.fsync(fd)
            finally:
                os.close(fd)
            if replace:
                os.replace(temporary, path)
            else:
                _link(temporary, path)
            _sync_folder(path.parent)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
    except FileExistsError:
        raise error(f"{path} exists already and was left as it is") from None
    except OSError as failure:
        raise error(f"{path} cannot be written: {failure.strerror}") from None


def _link(temporary: Path, path: Path) -> None:
    """Give the finished file its name, unless something has that name: nobody's key is lost."""
    try:
        os.link(temporary, path)
    except OSError as failure:
        if failure.errno not in (errno.EPERM, errno.ENOTSUP):
            raise
        # A file system without hard links.
        if path.exists():
            raise FileExistsError from None
        os.replace(temporary, path)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
