"""The sending half of FileTransfers: offers, data in turns, one window for all."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from pydantic import ValidationError

from e2ee.errors import OverLimit, UnexpectedMessage, UsageError
from e2ee.file_events import Accepted, Acknowledged, Declined, FileEvent, Finished
from e2ee.file_messages import (
    MAX_CHUNK,
    MAX_FILES,
    FileAbort,
    FileAccept,
    FileAck,
    FileDecline,
    FileDone,
    FileEnd,
    FileOffer,
    FileStart,
    FolderFile,
    FolderOffer,
    Listed,
    Reason,
    encode_chunk,
    order,
)
from e2ee.file_states import MAX_MEMBERS, MAX_OFFERS, MAX_RUNNING, WINDOW, Part, State
from e2ee.messages import encode
from e2ee.primitives import RunningHash
from e2ee.random_numbers import drawn

READ_SIZE = 8 * MAX_CHUNK
"""Bytes that are asked for at once: a read costs more than its bytes."""

SentPath: TypeAlias = tuple[str, ...]


class Read(NamedTuple):
    """Bytes of a file that are wanted."""

    transfer: bytes
    offset: int
    length: int


@dataclass(eq=False, slots=True)
class SentFolder:
    id: bytes
    files: Iterator[tuple[SentPath, int]]
    count: int
    state: State = State.OFFERED
    open: int = 0
    """Files that are offered and not done."""
    done: int = 0
    part = Part.SENT_FOLDER
    in_folder = False


@dataclass(eq=False, slots=True)
class SentFile:
    id: bytes
    size: int
    folder: SentFolder | None = None
    path: SentPath = ()
    state: State = State.OFFERED
    accepted: FileAccept | None = None
    hash: RunningHash = field(default_factory=RunningHash)
    """Of what was given to be sent."""
    buffers: deque[memoryview] = field(default_factory=deque)
    buffered: int = 0
    asked: Read | None = None
    sent: int = 0
    acknowledged: int = 0
    part = Part.SENT_FILE

    @property
    def in_folder(self) -> bool:
        return self.folder is not None


class FileSender:
    """Files and folders from here to the peer. Use it as ``FileTransfers.sending``.

    A call about a transfer that has ended meanwhile does nothing: its end may have come while the
    caller was reading a disk.
    """

    def __init__(self) -> None:
        self._transfers: dict[bytes, SentFile | SentFolder] = {}
        self._control: deque[bytes] = deque()
        self._ready: deque[SentFile] = deque()
        """Accepted, and waiting for others to end."""
        self._turns: deque[SentFile] = deque()
        self._running = 0
        self._on_their_way = 0

    # What the caller wants.

    def offer_file(self, name: str, size: int) -> bytes:
        """Offer a file of so many bytes; returns its transfer id, 16 bytes.

        Raises OverLimit while too many are offered, UsageError for what cannot be offered.
        """
        self._check_room()
        transfer = drawn(secrets.token_bytes, 16)
        try:
            offer = FileOffer(transfer=transfer, name=name, size=size)
        except ValidationError:
            raise UsageError("a file with this name, or of this size, cannot be offered") from None
        self._transfers[transfer] = SentFile(transfer, size)
        self._control.append(encode(offer))
        return transfer

    def offer_folder(self, name: str, files: Sequence[tuple[SentPath, int]]) -> bytes:
        """Offer a folder: paths from there, each with its size in bytes, and in ascending order
        (of their components' UTF-8). Returns the folder's transfer id, 16 bytes.

        Raises OverLimit while too many are offered, UsageError for what cannot be offered.
        """
        self._check_room()
        if len(files) > MAX_FILES:
            raise OverLimit(f"a folder may have {MAX_FILES:,} files, and this has more")
        files = tuple(files)  # They are offered one after another, from what is listed now.
        transfer = drawn(secrets.token_bytes, 16)
        listing = RunningHash()
        last: tuple[bytes, ...] = ()
        try:
            for path, size in files:
                listed = Listed(path=path, size=size)
                key = order(listed.path)
                if key <= last:
                    raise UsageError("the files of a folder are given in order, each once")
                listing.update(encode(listed) + b"\n")
                last = key
            offer = FolderOffer(
                transfer=transfer,
                name=name,
                size=sum(size for _, size in files),
                count=len(files),
                listing=listing.digest(),
            )
        except (ValidationError, UnicodeEncodeError):
            raise UsageError(
                "a folder with such names, or without files, cannot be offered"
            ) from None
        self._transfers[transfer] = SentFolder(transfer, iter(files), len(files))
        self._control.append(encode(offer))
        return transfer

    def give_prefix(self, transfer: bytes, prefix: RunningHash) -> None:
        """What the file here begins with, as many bytes as Accepted has said.

        Where that is what the peer has, the data goes on from there, else it begins at 0.
        """
        file = self._transfers.get(transfer)
        if not isinstance(file, SentFile) or file.state is not State.ACCEPTED:
            return
        assert file.accepted is not None
        if file in self._ready or prefix.length != file.accepted.offset:
            raise UsageError("the prefix is as long as the peer has said, and is given once")
        if prefix.digest() == file.accepted.prefix_hash:
            file.hash = prefix
        self._make_ready(file)

    def what_to_read(self) -> list[Read]:
        """What the files' next bytes are wanted for; each is told once. Then give_data."""
        reads = []
        for file in self._turns:
            begin = file.hash.length
            if file.asked is None and begin < file.size and file.buffered < READ_SIZE:
                file.asked = Read(file.id, begin, min(READ_SIZE, file.size - begin))
                reads.append(file.asked)
        return reads

    def give_data(self, transfer: bytes, data: bytes | memoryview) -> None:
        """The bytes that what_to_read asked for, all of them. Raises UsageError for others.

        After the last of a file it counts as sent whole: check before that it has not changed.
        """
        file = self._transfers.get(transfer)
        if not isinstance(file, SentFile) or file.state is not State.RUNNING:
            return
        if file.asked is None or len(data) != file.asked.length:
            raise UsageError("these are not the bytes that were asked for")
        file.asked = None
        file.hash.update(data)
        file.buffers.append(memoryview(data))
        file.buffered += len(data)

    def cancel(self, transfer: bytes, reason: Reason) -> None:
        """End a transfer early; that of a file in a folder ends the folder's."""
        found = self._transfers.get(transfer)
        top = found.folder or found if isinstance(found, SentFile) else found
        if top is None or top.state is State.ABORTING:
            return
        for each in (top, *self._members(top)):
            self._release(each)
            each.state = State.ABORTING
        self._control.append(encode(FileAbort(transfer=top.id, reason=reason)))
        self._start_ready()

    def next_message(self) -> bytes | None:
        """What is to be sent next; None while there is nothing. Files take turns."""
        if self._control:
            return self._control.popleft()
        for _ in range(len(self._turns)):
            file = self._turns.popleft()
            if file.state is not State.RUNNING:
                continue
            if file.sent == file.size:
                file.state = State.ENDED
                return encode(FileEnd(transfer=file.id, sha256=file.hash.digest()))
            self._turns.append(file)
            if message := self._next_chunk(file):
                return message
        return None

    def _next_chunk(self, file: SentFile) -> bytes | None:
        if not file.buffers:
            return None
        data = file.buffers[0][:MAX_CHUNK]
        if self._on_their_way + len(data) > WINDOW:
            return None
        message = encode_chunk(file.id, file.sent, data)
        file.buffers[0] = file.buffers[0][len(data) :]
        if not file.buffers[0]:
            file.buffers.popleft()
        file.buffered -= len(data)
        file.sent += len(data)
        self._on_their_way += len(data)
        return message

    # What the peer says.

    def find(self, transfer: bytes) -> SentFile | SentFolder | None:
        return self._transfers.get(transfer)

    def take(
        self,
        found: SentFile | SentFolder,
        message: FileAccept | FileDecline | FileAck | FileDone,
        following: State,
    ) -> list[FileEvent]:
        """The table allows this message, and leads to this state. Raises UnexpectedMessage."""
        if found.state is State.ABORTING:
            if following is State.GONE:
                self.forget(found.id)
            done = isinstance(message, FileDone) and not found.in_folder
            return [Finished(found.id)] if done else []
        match message:
            case FileAccept():
                return self._accepted(found, message, following)
            case FileAck():
                assert isinstance(found, SentFile)
                return self._acknowledged(found, message)
            case FileDecline():
                self.forget(found.id)
                return [Declined(found.id, message.reason)]
            case FileDone():
                return self._done(found)

    def _accepted(
        self, found: SentFile | SentFolder, message: FileAccept, following: State
    ) -> list[FileEvent]:
        size = found.size if isinstance(found, SentFile) else 0
        if message.offset > size:
            raise UnexpectedMessage("the peer has more of a file than there is")
        if message.offset == 0 and message.prefix_hash != RunningHash().digest():
            raise UnexpectedMessage("no bytes have one hash, and this is another")
        found.state = following
        if isinstance(found, SentFolder):
            self._offer_members(found)
            return [Accepted(found.id, 0)]
        found.accepted = message
        if message.offset == 0:
            self._make_ready(found)
        folder = None if found.folder is None else found.folder.id
        return [Accepted(found.id, message.offset, folder, found.path)]

    def _acknowledged(self, file: SentFile, message: FileAck) -> list[FileEvent]:
        if not file.acknowledged < message.offset <= file.sent:
            raise UnexpectedMessage("the peer acknowledges what was not sent, or twice")
        self._on_their_way -= message.offset - file.acknowledged
        file.acknowledged = message.offset
        return [Acknowledged(file.id, message.offset)]

    def _done(self, found: SentFile | SentFolder) -> list[FileEvent]:
        self.forget(found.id)
        if isinstance(found, SentFile) and found.folder is not None:
            folder = found.folder
            folder.open -= 1
            folder.done += 1
            if folder.done == folder.count:
                folder.state = State.ENDED
            self._offer_members(folder)
        return [Finished(found.id)]

    def forget(self, transfer: bytes) -> None:
        """It is over, and all that belongs to it."""
        top = self._transfers[transfer]
        for each in (top, *self._members(top)):
            self._release(each)
            each.state = State.GONE
            del self._transfers[each.id]
        self._start_ready()

    # The rest.

    def _check_room(self) -> None:
        if sum(not found.in_folder for found in self._transfers.values()) >= MAX_OFFERS:
            raise OverLimit(f"{MAX_OFFERS} files and folders are offered, and no more can be")

    def _members(self, top: SentFile | SentFolder) -> list[SentFile]:
        if isinstance(top, SentFile):
            return []
        return [
            each
            for each in self._transfers.values()
            if isinstance(each, SentFile) and each.folder is top
        ]

    def _offer_members(self, folder: SentFolder) -> None:
        while folder.open < MAX_MEMBERS:
            path, size = next(folder.files, ((), 0))
            if not path:
                return
            transfer = drawn(secrets.token_bytes, 16)
            self._transfers[transfer] = SentFile(transfer, size, folder, path)
            folder.open += 1
            offer = FolderFile(transfer=transfer, folder=folder.id, path=path, size=size)
            self._control.append(encode(offer))

    def _make_ready(self, file: SentFile) -> None:
        self._ready.append(file)
        self._start_ready()

    def _start_ready(self) -> None:
        while self._ready and self._running < MAX_RUNNING:
            file = self._ready.popleft()
            if file.state is not State.ACCEPTED:
                continue
            file.state = State.RUNNING
            self._running += 1
            file.sent = file.acknowledged = file.hash.length
            self._turns.append(file)
            self._control.append(encode(FileStart(transfer=file.id, offset=file.sent)))

    def _release(self, found: SentFile | SentFolder) -> None:
        """It takes no room any more."""
        if not isinstance(found, SentFile):
            return
        if found.state in {State.RUNNING, State.ENDED}:
            self._running -= 1
        self._on_their_way -= found.sent - found.acknowledged
        found.acknowledged = found.sent
        found.buffers.clear()
