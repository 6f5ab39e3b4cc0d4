"""Files from a peer on this disk: in one folder and never out of it, whole or not under their name.

Every step goes from an open folder by one name, and follows no link: whoever else may write there
can hinder, but not lead elsewhere. SPEC.md section 19.4.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Sequence

from e2ee import Identity
from e2ee.primitives import HASHES, RunningHash

from .clean import quoted
from .exits import CliError, Exit
from .file_names import numbered, safe_name
from .file_trouble import FileTrouble, writing
from .new_names import rename_to_new

LABEL = b"e2ee partial file v1"
_READ_SIZE = 2**20
_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Inbox:
    """The folder that a peer's files go to."""

    def __init__(self, folder: str, identity: Identity, peer_key: bytes) -> None:
        """``peer_key`` -- whose files: their identity key, 32 bytes. Raises CliError."""
        self._folder = folder
        self._key = identity.derive(LABEL, peer_key)
        self._came: dict[bytes, str] = {}
        try:
            self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a name"
            raise CliError(f"{quoted(folder)} is no folder for files: {why}", Exit.FILES) from None

    def close(self) -> None:
        """Once all that has begun has ended."""
        os.close(self._fd)

    def path_of(self, name: str) -> str:
        """Where the user finds what has this name in it."""
        return os.path.join(self._folder, name)

    def came(self, again: bytes, name: str) -> None:
        """A file has come, and is there under this name."""
        self._came[again] = name

    def file(self, name: str, again: bytes) -> IncomingFile:
        """Begin a file, or go on with what has come of it. Raises FileTrouble.

        One that has come is offered again by a sender who has not heard of that: it is there.
        """
        name = safe_name(name)
        part = self._part(name, again)
        if (there := self._came.get(again)) is not None:
            with contextlib.suppress(OSError):
                return FileThatCame(self._fd, there, part, name)
        return IncomingFile(self._fd, part, name)

    def tree(self, name: str, again: bytes) -> IncomingFolder:
        """Begin a folder, or go on with what has come of it. Raises FileTrouble."""
        name = safe_name(name)
        return IncomingFolder(self._fd, self._part(name, again), name)

    def _part(self, name: str, again: bytes) -> str:
        return f".{name}.{HASHES['SHA256'].hkdf(self._key, again, 8).hex()}.e2ee-part"


class IncomingFile:
    """A file that is coming; nobody else writes to it, by a lock. All methods block.

    Each raises FileTrouble, but ``close``.
    """

    def __init__(self, folder_fd: int, part: str, name: str | None) -> None:
        """``name`` -- what it is to be called at the end; None for one that has its name."""
        self._folder_fd = folder_fd
        self._part = part
        self._name = name
        self._shown = name or part
        with writing(self._shown):
            self._fd = os.open(part, _FILE, 0o600, dir_fd=folder_fd)
        try:
            _check_ours(self._fd, folder_fd, part, self._shown, stat.S_ISREG)
        except BaseException:
            os.close(self._fd)
            raise

    def prefix(self, size: int) -> RunningHash:
        """What has come, of a file that will have ``size`` bytes."""
        with writing(self._shown):
            if os.fstat(self._fd).st_size > size:
                os.ftruncate(self._fd, 0)
            running = RunningHash()
            while data := os.pread(self._fd, _READ_SIZE, running.length):
                running.update(data)
            return running

    def truncate(self, size: int) -> None:
        """Keep the first ``size`` bytes."""
        with writing(self._shown):
            os.ftruncate(self._fd, size)

    def write(self, offset: int, pieces: Sequence[memoryview]) -> None:
        """Write pieces that follow each other."""
        with writing(self._shown):
            for piece in pieces:
                while piece:
                    written = os.pwrite(self._fd, piece, offset)
                    piece, offset = piece[written:], offset + written  # noqa: PLW2901

    def finish(self) -> str:
        """Put it on disk under a name that was free; returns that."""
        with writing(self._shown):
            os.fsync(self._fd)
            if self._name is None:
                return self._part

            def reserve(name: str) -> None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                os.close(os.open(name, flags, 0o600, dir_fd=self._folder_fd))

            return _rename(self._fd, self._folder_fd, self._part, self._name, reserve)

    def close(self) -> None:
        os.close(self._fd)


class FileThatCame(IncomingFile):
    """One that came before, under its name, and is only read. If another is sent, it comes anew."""

    def __init__(self, folder_fd: int, there: str, part: str, name: str) -> None:
        """Raises OSError where it is not there any more."""
        self._folder_fd = folder_fd
        self._part = part
        self._shown = self._name = name
        self._fd = os.open(
            there, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder_fd
        )
        self.there: str | None = there
        """Its name; None once another is sent."""

    def prefix(self, size: int) -> RunningHash:
        if os.fstat(self._fd).st_size != size:
            return RunningHash()
        return super().prefix(size)

    def truncate(self, size: int) -> None:
        if size != os.fstat(self._fd).st_size:
            os.close(self._fd)
            super().__init__(self._folder_fd, self._part, self._shown)
            super().truncate(size)
            self.there = None

    def finish(self) -> str:
        return super().finish() if self.there is None else self.there


class IncomingFolder:
    """A folder that is coming, under a name for partial ones; nobody else may look into it."""

    def __init__(self, parent_fd: int, part: str, name: str) -> None:
        """Raises FileTrouble."""
        self._parent_fd = parent_fd
        self._part = part
        self._name = name
        self._taken: set[tuple[str, ...]] = set()
        with writing(name):
            self._fd = _open_folder(parent_fd, part)
        try:
            _check_ours(self._fd, parent_fd, part, name, stat.S_ISDIR)
        except BaseException:
            self.close()
            raise

    def file(self, path: Sequence[str]) -> IncomingFile:
        """Begin a file of it, or go on with what has come. Raises FileTrouble."""
        names = tuple(safe_name(name, hidden=True) for name in path)
        if names in self._taken:
            raise FileTrouble(f"two files in {self._name} would be {'/'.join(names)}", "unwritable")
        self._taken.add(names)
        with writing("/".join((self._name, *names))):
            fd = os.dup(self._fd)
            for name in names[:-1]:
                try:
                    inner = _open_folder(fd, name)
                finally:
                    os.close(fd)
                fd = inner
        try:
            return _Member(fd, names[-1])
        except BaseException:
            os.close(fd)
            raise

    def finish(self) -> str:
        """Give the folder a name that was free; returns that. Raises FileTrouble."""

        def reserve(name: str) -> None:
            os.mkdir(name, 0o700, dir_fd=self._parent_fd)

        with writing(self._name):
            return _rename(self._fd, self._parent_fd, self._part, self._name, reserve)

    def close(self) -> None:
        os.close(self._fd)


class _Member(IncomingFile):
    """A file of a folder. It keeps the folder that it is in open."""

    def __init__(self, folder_fd: int, name: str) -> None:
        super().__init__(folder_fd, name, None)

    def close(self) -> None:
        super().close()
        os.close(self._folder_fd)


def _open_folder(parent_fd: int, name: str) -> int:
    # One from before a cut may be there; what it is shows when it is opened.
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent_fd)
    return os.open(name, _FOLDER, dir_fd=parent_fd)


def _check_ours(
    fd: int, folder_fd: int, name: str, shown: str, is_kind: Callable[[int], bool]
) -> None:
    """What was opened is no trap, and nobody else receives it. Raises FileTrouble."""
    with writing(shown):
        status = os.fstat(fd)
        single = status.st_nlink == 1 or stat.S_ISDIR(status.st_mode)
        if not is_kind(status.st_mode) or status.st_uid != os.geteuid() or not single:
            raise FileTrouble(f"{name} is in the way of {shown}; remove it", "unwritable")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileTrouble(f"{shown} is being received already", "unwritable") from None
        # Whoever had the lock may just have given it its name: then it is whole, and not ours.
        if not _is(fd, folder_fd, name):
            raise FileTrouble(f"{shown} has just been received", "unwritable")


def _rename(fd: int, folder_fd: int, part: str, name: str, reserve: Callable[[str], None]) -> str:
    """Give what is whole a name that is free."""
    for candidate in numbered(name):
        try:
            _take_name(folder_fd, part, candidate, reserve)
        except FileExistsError:
            continue
        if not _is(fd, folder_fd, candidate):
            raise FileTrouble(
                f"somebody changes {candidate} while it is written; look at it with care",
                "unwritable",
            )
        os.fsync(folder_fd)
        return candidate
    raise FileTrouble(f"there are too many files called {name}", "unwritable")


def _take_name(folder_fd: int, part: str, name: str, reserve: Callable[[str], None]) -> None:
    """Raises FileExistsError: nothing is overwritten."""
    try:
        rename_to_new(folder_fd, part, name)
    except NotImplementedError:
        # So the name is taken first: for an instant it has something empty.
        reserve(name)
        try:
            os.rename(part, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
        except OSError:
            _give_back(folder_fd, name)
            raise


def _give_back(folder_fd: int, name: str) -> None:
    """What holds a name is empty; nothing else is removed."""
    with contextlib.suppress(OSError):
        status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.rmdir(name, dir_fd=folder_fd)
        elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
            os.unlink(name, dir_fd=folder_fd)


def _is(fd: int, folder_fd: int, name: str) -> bool:
    """Whether this name leads to what is open."""
    try:
        there = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
