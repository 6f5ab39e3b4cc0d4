"""Files and folders to and from a peer over one session, as an object without I/O.

SPEC.md section 19. Messages in, events and messages out; the caller reads and writes the disk.
"""

from __future__ import annotations

from e2ee.errors import ProtocolError, UnexpectedMessage
from e2ee.file_events import Aborted, FileEvent
from e2ee.file_messages import (
    Chunk,
    FileAbort,
    FileEnd,
    FileMessage,
    FileOffer,
    FileStart,
    FolderFile,
    FolderOffer,
    Reason,
    decode_file_message,
)
from e2ee.file_receiver import FileReceiver
from e2ee.file_sender import FileSender
from e2ee.file_states import State, step


class FileTransfers:
    """All files and folders of one session, both ways, any number at once.

    Feed it the messages of the peer for which ``is_file_message`` is true, and send what
    ``next_message`` gives; ``sending`` and ``receiving`` take what is wanted here. A ProtocolError
    is final: every later call of these two raises it again.
    """

    def __init__(self) -> None:
        self.sending = FileSender()
        self.receiving = FileReceiver()
        self._error: ProtocolError | None = None

    def receive(self, message: bytes) -> list[FileEvent]:
        """Process one message; returns what it told. Raises MalformedMessage, UnexpectedMessage."""
        self._check_alive()
        try:
            return self._receive(decode_file_message(message))
        except ProtocolError as error:
            self._error = error
            raise

    def next_message(self) -> bytes | None:
        """One message that is to be sent now; None while there is nothing. What it says to the
        peer comes before data, and files take turns, with one chunk each.
        """
        self._check_alive()
        return self.receiving.next_message() or self.sending.next_message()

    def cancel(self, transfer: bytes, reason: Reason) -> None:
        """End a transfer early, whichever way it goes. No event follows, but for one that the
        peer had Finished before it learnt of this.
        """
        self.sending.cancel(transfer, reason)
        self.receiving.cancel(transfer, reason)

    def _receive(self, message: FileMessage) -> list[FileEvent]:
        if isinstance(message, FileAbort):
            return self._aborted(message)
        if isinstance(message, FileOffer | FolderOffer | FolderFile):
            if self.sending.find(message.transfer) or self.receiving.find(message.transfer):
                raise UnexpectedMessage("the peer uses the number of a transfer again")
            if not isinstance(message, FolderFile):
                return self.receiving.offered(message)
        if isinstance(message, FolderFile | FileStart | Chunk | FileEnd):
            transfer = message.folder if isinstance(message, FolderFile) else message.transfer
            incoming = self.receiving.find(transfer)
            if incoming is not None:
                return self.receiving.take(incoming, message, step(incoming, message.kind))
        else:
            outgoing = self.sending.find(message.transfer)
            if outgoing is not None:
                return self.sending.take(outgoing, message, step(outgoing, message.kind))
        raise UnexpectedMessage(f"the peer sent {message.kind} for a transfer that is not there")

    def _aborted(self, message: FileAbort) -> list[FileEvent]:
        """One that is not there has ended, by our word, before the peer knew: SPEC.md 19.2."""
        for half in (self.sending, self.receiving):
            found = half.find(message.transfer)
            if found is None:
                continue
            step(found, message.kind)
            if found.state is State.ABORTING:
                half.forget(found.id)
                return []
            half.cancel(found.id, message.reason)
            half.forget(found.id)
            return [Aborted(found.id, message.reason)]
        return []

    def _check_alive(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
