"""Files and folders of this disk on their way to a peer: what they are, and that they stay so."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from e2ee.file_messages import MAX_DEPTH, MAX_FILES, order
from e2ee.primitives import RunningHash

from .clean import quoted
from .file_trouble import FileTrouble, reading

_READ_SIZE = 2**20
# O_NONBLOCK: opening a FIFO must not wait for somebody to write to it.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Stamp(NamedTuple):
    """Another one means that the file has changed."""

    device: int
    inode: int
    size: int
    mtime_ns: int


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class OutgoingFile:
    """A regular file as it was when it was offered. Its methods block, and raise FileTrouble.

    It is opened for each read: a hundred that wait take no descriptors.
    """

    def __init__(self, shown: str, open_it: Callable[[], int], stamp: Stamp) -> None:
        self.shown = shown
        self.size = stamp.size
        self._open = open_it
        self._stamp = stamp

    def read(self, offset: int, length: int) -> bytes:
        """So many bytes, of a file that has not changed before or after."""
        with reading(self.shown):
            fd = self._open()
            try:
                data = os.pread(fd, length, offset)
                if _stamp(os.fstat(fd)) != self._stamp or len(data) != length:
                    raise FileTrouble(
                        f"{self.shown} has changed while it was sent; run the same command again",
                        "changed",
                    )
            finally:
                os.close(fd)
            return data

    def prefix(self, length: int) -> RunningHash:
        """The hash of its first ``length`` bytes."""
        running = RunningHash()
        while running.length < length:
            running.update(self.read(running.length, min(_READ_SIZE, length - running.length)))
        return running


class OutgoingFolder:
    """A folder, and the regular files in it, as they were when it was walked."""

    def __init__(self, path: str) -> None:
        """Walks it, following no links. Raises FileTrouble for what cannot be sent."""
        self.shown = path
        self.links = 0
        """Symbolic links in it, which are not sent."""
        self._path = path
        found: dict[tuple[str, ...], Stamp] = {}
        with reading(path):
            for folder, folders, files, fd in os.fwalk(path, onerror=_fail):
                inner = os.path.relpath(folder, path)
                above = () if inner == os.curdir else tuple(inner.split(os.sep))
                for name in (*folders, *files):
                    shown = os.path.join(folder, name)
                    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    if stat.S_ISLNK(status.st_mode):
                        self.links += 1
                    elif not stat.S_ISDIR(status.st_mode):
                        _check_sendable(shown, status)
                        if not os.access(name, os.R_OK, dir_fd=fd):
                            raise FileTrouble(f"{shown} may not be read", "unreadable")
                        found[(*above, name)] = _stamp(status)
                if len(found) > MAX_FILES or len(above) >= MAX_DEPTH:
                    raise FileTrouble(
                        f"{path} has more than {MAX_FILES:,} files, or folders {MAX_DEPTH} deep: "
                        "make an archive of it",
                        "unreadable",
                    )
        if not found:
            raise FileTrouble(f"{path} has no files in it", "unreadable")
        self._stamps = {names: found[names] for names in sorted(found, key=order)}

    @property
    def files(self) -> list[tuple[tuple[str, ...], int]]:
        """Paths from here, with sizes in bytes, in the order in which they are sent."""
        return [(names, stamp.size) for names, stamp in self._stamps.items()]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(stamp.size for stamp in self._stamps.values())

    def file(self, names: tuple[str, ...]) -> OutgoingFile:
        """One of ``files``."""
        shown = os.path.join(self._path, *names)
        return OutgoingFile(shown, lambda: _open_below(self._path, names), self._stamps[names])


def outgoing(path: str) -> OutgoingFile | OutgoingFolder:
    """What is at a path of the user's own. Raises FileTrouble for what cannot be sent."""
    try:
        os.path.basename(os.path.abspath(path)).encode()
        with reading(path):
            fd = os.open(path, _FILE)
    except ValueError:
        raise FileTrouble(f"{quoted(path)} has a name that cannot be sent", "unreadable") from None
    try:
        status = os.fstat(fd)
    finally:
        os.close(fd)
    if stat.S_ISDIR(status.st_mode):
        return OutgoingFolder(path)
    _check_sendable(path, status)
    return OutgoingFile(path, lambda: os.open(path, _FILE), _stamp(status))


def name_to_offer(path: str) -> str:
    """What the peer is told that it is called."""
    return os.path.basename(os.path.abspath(path))


def _check_sendable(shown: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise FileTrouble(f"{shown} is neither a file nor a folder", "unreadable")
    try:
        shown.encode()
    except UnicodeEncodeError:
        raise FileTrouble(f"{quoted(shown)} has a name that is not UTF-8", "unreadable") from None


def _open_below(path: str, names: Sequence[str]) -> int:
    """Open a file below a folder, following no link there."""
    fd = os.open(path, _FOLDER)
    for name in names[:-1]:
        try:
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    try:
        return os.open(names[-1], _FILE | os.O_NOFOLLOW, dir_fd=fd)
    finally:
        os.close(fd)


def _fail(error: OSError) -> NoReturn:
    raise error
