"""The receiving half of FileTransfers: never more than was announced, nor than the window."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from e2ee.errors import UnexpectedMessage, UsageError
from e2ee.file_events import Aborted, Data, FileEvent, MemberOffered, Offered, Received, Started
from e2ee.file_messages import (
    Chunk,
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
    order,
)
from e2ee.file_states import MAX_MEMBERS, MAX_OFFERS, MAX_RUNNING, WINDOW, Part, State
from e2ee.messages import encode
from e2ee.primitives import RunningHash


@dataclass(eq=False, slots=True)
class ReceivedFolder:
    id: bytes
    offer: FolderOffer
    state: State = State.OFFERED
    listing: RunningHash = field(default_factory=RunningHash)
    last: tuple[bytes, ...] = ()
    announced: int = 0
    """Files; ``size`` -- their bytes; ``open`` -- those that are not done."""
    size: int = 0
    open: int = 0
    part = Part.RECEIVED_FOLDER
    in_folder = False


@dataclass(eq=False, slots=True)
class ReceivedFile:
    id: bytes
    size: int
    folder: ReceivedFolder | None = None
    state: State = State.OFFERED
    prefix: RunningHash = field(default_factory=RunningHash)
    hash: RunningHash = field(default_factory=RunningHash)
    """Of what has come."""
    written: int = 0
    acknowledged: int = 0
    part = Part.RECEIVED_FILE

    @property
    def in_folder(self) -> bool:
        return self.folder is not None


class FileReceiver:
    """Files and folders from the peer to here. Use it as ``FileTransfers.receiving``.

    A call about a transfer that has ended meanwhile does nothing: its end may have come while the
    caller was writing to a disk.
    """

    def __init__(self) -> None:
        self._transfers: dict[bytes, ReceivedFile | ReceivedFolder] = {}
        self._control: deque[bytes] = deque()
        self._to_acknowledge: dict[bytes, ReceivedFile] = {}
        self._running = 0
        self._unacknowledged = 0

    # What the caller wants.

    def accept(self, transfer: bytes, prefix: RunningHash | None = None) -> None:
        """Take a file or folder that is offered. ``prefix`` -- what is here of the file already.

        Raises UsageError for a prefix that is longer than the file.
        """
        found = self._transfers.get(transfer)
        if found is None or found.state is not State.OFFERED:
            return
        prefix = prefix or RunningHash()
        if prefix.length > (found.size if isinstance(found, ReceivedFile) else 0):
            raise UsageError("a prefix is not longer than the file")
        if isinstance(found, ReceivedFile):
            found.prefix = prefix
            found.state = State.ACCEPTED
        else:
            found.state = State.RUNNING
        accept = FileAccept(transfer=transfer, offset=prefix.length, prefix_hash=prefix.digest())
        self._control.append(encode(accept))

    def decline(self, transfer: bytes, reason: Reason) -> None:
        """Do not take a file or folder that is offered."""
        found = self._transfers.get(transfer)
        if found is None or found.state is not State.OFFERED:
            return
        if found.in_folder:
            raise UsageError("a file of a folder is not declined; cancel the folder")
        self.forget(found.id)
        self._control.append(encode(FileDecline(transfer=transfer, reason=reason)))

    def written(self, transfer: bytes, offset: int) -> None:
        """Everything before ``offset`` is on disk; the peer may send more."""
        file = self._transfers.get(transfer)
        if not isinstance(file, ReceivedFile) or file.state not in {State.RUNNING, State.ENDED}:
            return
        if not file.written < offset <= file.hash.length:
            raise UsageError("what is written has come, and was not written before")
        file.written = offset
        self._to_acknowledge[transfer] = file

    def finished(self, transfer: bytes) -> list[FileEvent]:
        """What was Received has its name. After the last file of a folder, the folder is."""
        found = self._transfers.get(transfer)
        if found is None or found.state is not State.ENDED:
            return []
        self.forget(found.id)
        self._control.append(encode(FileDone(transfer=transfer)))
        if isinstance(found, ReceivedFolder) or found.folder is None:
            return []
        folder = found.folder
        folder.open -= 1
        if folder.open or folder.announced < folder.offer.count:
            return []
        folder.state = State.ENDED
        return [Received(folder.id)]

    def cancel(self, transfer: bytes, reason: Reason) -> None:
        """End a transfer early; that of a file in a folder ends the folder's."""
        found = self._transfers.get(transfer)
        top = found.folder or found if isinstance(found, ReceivedFile) else found
        if top is None or top.state is State.ABORTING:
            return
        for each in (top, *self._members(top)):
            self._release(each)
            each.state = State.ABORTING
        self._control.append(encode(FileAbort(transfer=top.id, reason=reason)))

    def next_message(self) -> bytes | None:
        """What is to be sent next; None while there is nothing."""
        if self._control:
            return self._control.popleft()
        if not self._to_acknowledge:
            return None
        transfer, file = self._to_acknowledge.popitem()
        self._unacknowledged -= file.written - file.acknowledged
        file.acknowledged = file.written
        return encode(FileAck(transfer=transfer, offset=file.written))

    # What the peer says.

    def find(self, transfer: bytes) -> ReceivedFile | ReceivedFolder | None:
        return self._transfers.get(transfer)

    def offered(self, message: FileOffer | FolderOffer) -> list[FileEvent]:
        """Raises UnexpectedMessage, where too many are offered."""
        if sum(not found.in_folder for found in self._transfers.values()) >= MAX_OFFERS:
            raise UnexpectedMessage(f"the peer offers more than {MAX_OFFERS} files at once")
        count = None
        if isinstance(message, FolderOffer):
            count = message.count
            self._transfers[message.transfer] = ReceivedFolder(message.transfer, message)
        else:
            self._transfers[message.transfer] = ReceivedFile(message.transfer, message.size)
        again = encode(message.model_copy(update={"transfer": bytes(16)}))
        return [Offered(message.transfer, message.name, message.size, count, again)]

    def take(
        self,
        found: ReceivedFile | ReceivedFolder,
        message: FolderFile | FileStart | Chunk | FileEnd,
        following: State,
    ) -> list[FileEvent]:
        """The table allows this message, and leads to this state. Raises UnexpectedMessage."""
        if isinstance(message, FolderFile):
            assert isinstance(found, ReceivedFolder)
            return self._member(found, message)
        assert isinstance(found, ReceivedFile)
        if found.state is State.ABORTING:
            return []
        found.state = following
        match message:
            case FileStart():
                return self._started(found, message)
            case Chunk():
                return self._data(found, message)
            case FileEnd():
                return self._end(found, message)

    def _member(self, folder: ReceivedFolder, message: FolderFile) -> list[FileEvent]:
        key, offer = order(message.path), folder.offer
        folder.announced += 1
        folder.size += message.size
        folder.open += 1
        folder.listing.update(encode(Listed(path=message.path, size=message.size)) + b"\n")
        if folder.announced > offer.count or folder.size > offer.size:
            raise UnexpectedMessage("the peer sends more of a folder than it has announced")
        if key <= folder.last or folder.open > MAX_MEMBERS:
            raise UnexpectedMessage("the files of a folder come in order, and few at once")
        if folder.announced == offer.count and (
            folder.size != offer.size or folder.listing.digest() != offer.listing
        ):
            raise UnexpectedMessage("the peer sends other files of a folder than announced")
        folder.last = key
        file = ReceivedFile(message.transfer, message.size, folder)
        self._transfers[message.transfer] = file
        if folder.state is State.ABORTING:
            file.state = State.ABORTING
            return []
        return [MemberOffered(message.transfer, folder.id, message.path, message.size)]

    def _started(self, file: ReceivedFile, message: FileStart) -> list[FileEvent]:
        self._running += 1
        if self._running > MAX_RUNNING:
            raise UnexpectedMessage(f"the peer sends more than {MAX_RUNNING} files at once")
        if message.offset not in {0, file.prefix.length}:
            raise UnexpectedMessage("a file begins where the receiver has said, or at 0")
        if message.offset:
            file.hash = file.prefix
        file.written = file.acknowledged = message.offset
        return [Started(file.id, message.offset)]

    def _data(self, file: ReceivedFile, message: Chunk) -> list[FileEvent]:
        size = len(message.data)
        if message.offset != file.hash.length or size > file.size - message.offset:
            raise UnexpectedMessage("the peer sends other bytes of a file than are next")
        self._unacknowledged += size
        if self._unacknowledged > WINDOW:
            raise UnexpectedMessage("the peer sends more than may be on its way")
        file.hash.update(message.data)
        return [Data(file.id, message.offset, message.data)]

    def _end(self, file: ReceivedFile, message: FileEnd) -> list[FileEvent]:
        if file.hash.length != file.size:
            raise UnexpectedMessage("the peer ends a file before its end")
        if file.hash.digest() != message.sha256:
            self.cancel(file.id, "damaged")
            top = file if file.folder is None else file.folder
            return [Aborted(top.id, "damaged")]
        return [Received(file.id)]

    def forget(self, transfer: bytes) -> None:
        """It is over, and all that belongs to it."""
        top = self._transfers[transfer]
        for each in (top, *self._members(top)):
            self._release(each)
            each.state = State.GONE
            del self._transfers[each.id]

    # The rest.

    def _members(self, top: ReceivedFile | ReceivedFolder) -> list[ReceivedFile]:
        if isinstance(top, ReceivedFile):
            return []
        return [
            each
            for each in self._transfers.values()
            if isinstance(each, ReceivedFile) and each.folder is top
        ]

    def _release(self, found: ReceivedFile | ReceivedFolder) -> None:
        """It takes no room any more."""
        if not isinstance(found, ReceivedFile):
            return
        if found.state in {State.RUNNING, State.ENDED}:
            self._running -= 1
            self._unacknowledged -= found.hash.length - found.acknowledged
        self._to_acknowledge.pop(found.id, None)
