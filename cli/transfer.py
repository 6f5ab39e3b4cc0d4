"""Files to and from one peer: FileTransfers, with this disk under it and a channel above it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

from e2ee.file_events import (
    Aborted,
    Accepted,
    Acknowledged,
    Data,
    Declined,
    FileEvent,
    Finished,
    MemberOffered,
    Offered,
    Received,
    Started,
)
from e2ee.file_messages import Reason
from e2ee.file_sender import Read
from e2ee.file_transfer import FileTransfers

from .clean import clean
from .exits import CliError, Exit
from .file_trouble import FileTrouble
from .incoming_files import FileThatCame, Inbox, IncomingFile, IncomingFolder
from .outgoing_files import OutgoingFile, OutgoingFolder, name_to_offer
from .threads import in_thread

T = TypeVar("T")

RETURN_TIMEOUT = 15.0
"""Seconds in which a connection that broke has to be made again."""

GO_ON = "run the same command again to go on"

BECAUSE: dict[Reason, str] = {
    "declined": "did not take it",
    "cancelled": "stopped it",
    "changed": "stopped it: it has changed there while it was sent",
    "unreadable": "cannot read it any more",
    "no_space": "has no room for it",
    "unwritable": "cannot write it",
    "damaged": "got other bytes than were sent",
}
"""What the peer did, by the reason that came."""


@dataclass(eq=False, slots=True)
class Row:
    """A file or folder that was offered, as a person sees it. Sizes are in bytes."""

    name: str
    """Clean."""
    size: int
    incoming: bool
    done: int = 0
    """Written on the receiver's disk, with what was there before."""
    kept: int = 0
    """What was there before."""
    began: float | None = None
    """By the clock of ``time.monotonic``."""
    path: str = ""
    """Where it is, once it has come."""
    repeated: bool = False
    """Whether it had come before, of which the sender had not heard."""
    error: CliError | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def rate(self) -> float:
        """Bytes a second since it began; 0 before there is anything to tell."""
        passed = 0.0 if self.began is None else time.monotonic() - self.began
        return (self.done - self.kept) / passed if passed > 0 else 0.0

    def keep(self, size: int) -> None:
        """So many bytes were there before, of this file or of one in this folder."""
        self.kept += size
        self.done += size
        if self.began is None:
            self.began = time.monotonic()


@dataclass(eq=False, slots=True)
class _Part:
    """A transfer, which is all of its row, or a file of a folder."""

    row: Row
    top: bytes
    counted: int = 0

    def count(self, offset: int) -> None:
        """So much of it is written."""
        self.row.done += offset - self.counted
        self.counted = offset

    def begin(self, offset: int) -> None:
        """It begins at this byte, or it turns out that it does."""
        self.row.keep(offset - self.counted)
        self.counted = offset


@dataclass(eq=False, slots=True)
class _Sent(_Part):
    disk: OutgoingFile | OutgoingFolder | None = None


Step: TypeAlias = Offered | MemberOffered | Started | Data | Received


@dataclass(eq=False, slots=True)
class _Coming(_Part):
    steps: deque[Step] = field(default_factory=deque)
    """What is to be done, in order."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    deciding: asyncio.Future[bool] | None = None
    over: bool = False
    """Nothing comes after the steps that wait."""
    disk: IncomingFile | IncomingFolder | None = None
    again: bytes = b""
    """As in Offered."""

    def put(self, step: Step) -> None:
        self.steps.append(step)
        self.news.set()

    async def next(self) -> Step | None:
        while not self.steps and not self.over:
            self.news.clear()
            await self.news.wait()
        return self.steps.popleft() if self.steps else None

    def end(self) -> None:
        self.over = True
        self.news.set()
        if self.deciding is not None:
            self.deciding.cancel()


class Sink(Protocol):
    """Where messages go: a Channel."""

    async def send(self, message: bytes) -> None: ...


class Transfer:
    """All files of one channel, both ways. Nothing here blocks the event loop.

    Feed it messages with ``hear``, and let ``send_queue`` run beside that.
    """

    def __init__(
        self,
        inbox: Inbox | None,
        decide: Callable[[Row, Offered], Coroutine[Any, Any, bool]],
        on_end: Callable[[Row], None],
        *,
        peer: str,
    ) -> None:
        """``inbox`` -- where files go; without it every offer is declined. ``decide`` -- whether to
        take what is offered. ``on_end`` -- gets each row when its fate is known: ``error`` says
        whether it is whole. ``peer`` -- what messages call the other side.
        """
        self._transfers = FileTransfers()
        self._inbox = inbox
        self._decide = decide
        self._on_end = on_end
        self._peer = peer
        self._sent: dict[bytes, _Sent] = {}
        self._coming: dict[bytes, _Coming] = {}
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        """All that there was to be sent has been given to the sink."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.rows: list[Row] = []
        """Those that have not ended."""

    def offer(self, path: str, disk: OutgoingFile | OutgoingFolder) -> Row:
        """Offer what ``outgoing`` found at a path. Raises OverLimit, UsageError."""
        name = name_to_offer(path)
        if isinstance(disk, OutgoingFolder):
            transfer = self._transfers.sending.offer_folder(name, disk.files)
        else:
            transfer = self._transfers.sending.offer_file(name, disk.size)
        row = Row(clean(name), disk.size, incoming=False)
        self._sent[transfer] = _Sent(row, transfer, disk=disk)
        self.rows.append(row)
        self._wake()
        return row

    def hear(self, message: bytes) -> None:
        """Take a message for which ``is_file_message`` is true. Raises as FileTransfers.receive."""
        self._on_events(self._transfers.receive(message))

    async def send_queue(self, sink: Sink) -> None:
        """Send what is to be sent, one message after the other, until cancelled.

        What other tasks send comes in between. Raises what the sink raises.
        """
        while True:
            self._read_more()
            message = self._transfers.next_message()
            if message is None:
                self._idle.set()
                self._news.clear()
                await self._news.wait()
            else:
                await sink.send(message)

    async def drained(self) -> None:
        """Wait until ``send_queue`` has sent everything that there is."""
        await self._idle.wait()

    def cancel(self) -> None:
        """Stop everything that has not ended, and let the peer know."""
        for transfer, part in {**self._sent, **self._coming}.items():
            if part.top == transfer:
                self._end_with(transfer, part, CliError(f"{part.row.name} was stopped", Exit.OK))
                self._transfers.cancel(transfer, "cancelled")
        self._wake()

    async def end(self) -> None:
        """No message comes any more: finish what has come whole, and let go of files.

        What is not whole ends with an error.
        """
        for coming in self._coming.values():
            coming.end()
        while self._tasks:
            await asyncio.wait(self._tasks)
        for transfer, part in {**self._sent, **self._coming}.items():
            if part.top == transfer:
                lost = CliError(f"{part.row.name}: the connection has ended; {GO_ON}", Exit.NETWORK)
                self._end_with(transfer, part, lost)

    def _wake(self) -> None:
        self._idle.clear()
        self._news.set()

    # What the peer says.

    def _on_events(self, events: list[FileEvent]) -> None:
        for event in events:
            match event:
                case Offered():
                    row = Row(clean(event.name), event.size, incoming=True)
                    self.rows.append(row)
                    self._begin(event, _Coming(row, event.transfer, again=event.again))
                case MemberOffered():
                    self._begin(event, _Coming(self._coming[event.folder].row, event.folder))
                case Started() | Data() | Received():
                    if coming := self._coming.get(event.transfer):
                        coming.put(event)
                case Accepted():
                    self._on_accepted(event)
                case Acknowledged():
                    self._sent[event.transfer].count(event.offset)
                case Finished():
                    self._on_finished(event)
                case Declined() | Aborted():
                    self._on_refused(event)
        self._wake()

    def _on_accepted(self, event: Accepted) -> None:
        if event.folder is not None:
            above = self._sent[event.folder]
            assert isinstance(above.disk, OutgoingFolder)
            disk = above.disk.file(event.path)
            self._sent[event.transfer] = _Sent(above.row, event.folder, disk=disk)
        self._sent[event.transfer].begin(event.offset)
        if event.offset:
            self._run(self._give_prefix(event))

    def _on_finished(self, event: Finished) -> None:
        part = self._sent.get(event.transfer)
        if part is None:
            return  # It was stopped here, too late.
        if part.top == event.transfer:
            part.row.done = part.row.size
            self._end_with(event.transfer, part, None)
        else:
            assert isinstance(part.disk, OutgoingFile)
            part.count(part.disk.size)
            del self._sent[event.transfer]

    def _on_refused(self, event: Declined | Aborted) -> None:
        part = self._sent.get(event.transfer) or self._coming.get(event.transfer)
        if part is not None:
            what = f"{part.row.name}: {self._peer} {BECAUSE[event.reason]}"
            self._end_with(event.transfer, part, CliError(what, Exit.NOT_CONFIRMED))

    # From this disk.

    def _read_more(self) -> None:
        for wanted in self._transfers.sending.what_to_read():
            if wanted.offset == 0 and (part := self._sent.get(wanted.transfer)):
                part.begin(0)
            self._run(self._give_data(wanted))

    async def _give_data(self, wanted: Read) -> None:
        data = await self._from_disk(
            wanted.transfer, lambda file: file.read(wanted.offset, wanted.length)
        )
        if data is not None:
            self._transfers.sending.give_data(wanted.transfer, data)
            self._wake()

    async def _give_prefix(self, accepted: Accepted) -> None:
        prefix = await self._from_disk(accepted.transfer, lambda file: file.prefix(accepted.offset))
        if prefix is not None:
            self._transfers.sending.give_prefix(accepted.transfer, prefix)
            self._wake()

    async def _from_disk(self, transfer: bytes, read: Callable[[OutgoingFile], T]) -> T | None:
        part = self._sent.get(transfer)
        if part is None:
            return None  # It has ended meanwhile.
        assert isinstance(part.disk, OutgoingFile)
        file = part.disk
        try:
            return await in_thread(lambda: read(file))
        except FileTrouble as error:
            self._give_up(part, error, error.reason)
            return None

    # To this disk.

    def _begin(self, event: Offered | MemberOffered, coming: _Coming) -> None:
        self._coming[event.transfer] = coming
        coming.put(event)
        self._run(self._write(event.transfer, coming))

    async def _write(self, transfer: bytes, coming: _Coming) -> None:
        """The life of a transfer that comes: one step after the other, each in a thread.

        It is never cancelled while a thread uses its file.
        """
        try:
            while (step := await coming.next()) is not None:
                await self._do(transfer, coming, step)
                self._wake()
        except FileTrouble as error:
            self._give_up(coming, error, error.reason)
        except CliError as error:
            self._give_up(coming, error, "cancelled")
        if coming.disk is not None:
            await in_thread(coming.disk.close)

    async def _do(self, transfer: bytes, coming: _Coming, step: Step) -> None:
        match step:
            case Offered():
                await self._answer(step, coming)
            case MemberOffered():
                above = self._coming.get(coming.top)
                if above is None:
                    return  # The folder has ended meanwhile.
                assert isinstance(above.disk, IncomingFolder)
                folder = above.disk
                coming.disk = file = await in_thread(lambda: folder.file(step.path))
                await self._accept(transfer, file, step.size)
            case Started():
                assert isinstance(coming.disk, IncomingFile)
                file = coming.disk
                await in_thread(lambda: file.truncate(step.offset))
                coming.begin(step.offset)
            case Data():
                await self._write_data(transfer, coming, step)
            case Received():
                await self._finish(transfer, coming)

    async def _answer(self, offer: Offered, coming: _Coming) -> None:
        transfer = offer.transfer
        inbox = self._inbox
        coming.deciding = asyncio.ensure_future(self._decide(coming.row, offer))
        await asyncio.wait({coming.deciding})
        if coming.deciding.cancelled():
            return
        if not coming.deciding.result() or inbox is None:
            self._transfers.receiving.decline(transfer, "declined")
            declined = CliError(f"{coming.row.name} was declined", Exit.OK)
            self._end_with(transfer, coming, declined)
        elif transfer not in self._coming:
            pass  # The peer has changed its mind.
        elif offer.count is None:
            coming.disk = file = await in_thread(lambda: inbox.file(offer.name, offer.again))
            await self._accept(transfer, file, offer.size)
        else:
            coming.disk = await in_thread(lambda: inbox.tree(offer.name, offer.again))
            self._transfers.receiving.accept(transfer)

    async def _accept(self, transfer: bytes, file: IncomingFile, size: int) -> None:
        prefix = await in_thread(lambda: file.prefix(size))
        self._transfers.receiving.accept(transfer, prefix)

    async def _write_data(self, transfer: bytes, coming: _Coming, first: Data) -> None:
        assert isinstance(coming.disk, IncomingFile)
        file, pieces = coming.disk, [first.data]
        # All that waits goes to the disk at once.
        while coming.steps and isinstance(next_step := coming.steps[0], Data):
            pieces.append(next_step.data)
            coming.steps.popleft()
        await in_thread(lambda: file.write(first.offset, pieces))
        end = first.offset + sum(map(len, pieces))
        self._transfers.receiving.written(transfer, end)
        coming.count(end)

    async def _finish(self, transfer: bytes, coming: _Coming) -> None:
        if transfer not in self._coming:
            return  # The peer has changed its mind.
        assert coming.disk is not None
        name = await in_thread(coming.disk.finish)
        coming.row.repeated = isinstance(coming.disk, FileThatCame) and bool(coming.disk.there)
        following = self._transfers.receiving.finished(transfer)
        if coming.top == transfer:
            assert self._inbox is not None
            coming.row.path = self._inbox.path_of(name)
            if isinstance(coming.disk, IncomingFile):
                self._inbox.came(coming.again, name)
            self._end_with(transfer, coming, None)
        else:
            self._coming.pop(transfer, None)
            coming.end()
        self._on_events(following)

    # The end.

    def _give_up(self, part: _Part, error: CliError, reason: Reason) -> None:
        """This side cannot go on."""
        top: _Part | None = self._sent.get(part.top) or self._coming.get(part.top)
        if top is not None:
            self._transfers.cancel(part.top, reason)
            self._end_with(part.top, top, error)
        self._wake()

    def _end_with(self, transfer: bytes, part: _Part, error: CliError | None) -> None:
        """Its fate is known; all that belongs to it ends."""
        for known in (self._sent, self._coming):
            for each in [each for each, its in known.items() if its.top == transfer]:
                ended = known.pop(each)
                if isinstance(ended, _Coming):
                    ended.end()
        row = part.row
        if not row.ended.is_set():
            row.error = error
            row.ended.set()
            self.rows.remove(row)
            self._on_end(row)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
