"""One contact in a running chat: what is to be said to them, and the channels that they have."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Self

from e2ee.conversation import (
    ChatEvent,
    Conversation,
    PeerLeft,
    StreamOpened,
    TextReceived,
    TextsDelivered,
)
from e2ee.errors import E2EEError, FileError
from e2ee.file_messages import is_file_message
from e2ee.journal import MAX_STREAMS, Journal, Outgoing
from e2ee.transport import Channel

from .transfer import Transfer

GOODBYE_TIMEOUT = 5.0
"""Seconds for the peer's answer to a goodbye; then the channel is closed anyway."""

RECEIPT_INTERVAL = 0.05
"""Seconds from one receipt to the next, which stands for all texts that were shown meanwhile: each
costs both sides a write to their disks.
"""


class _Link:
    """One channel of a contact's."""

    def __init__(self, channel: Channel, conversation: Conversation) -> None:
        self.channel = channel
        self.conversation = conversation
        self.stream = b""
        self.reason = ""
        """Why it was left, by either side; empty while nobody has."""
        self.failure: FileError | None = None
        """What keeps us from remembering what goes over it."""
        self.over = asyncio.Event()
        self._something = asyncio.Event()
        self._something.set()
        self._idle = asyncio.Event()
        self._waking: asyncio.TimerHandle | None = None
        self._last_receipt = float("-inf")

    def wake(self) -> None:
        """There may be something to send."""
        self._idle.clear()
        self._something.set()

    def wake_for_receipt(self) -> None:
        """A text has been shown."""
        if self._waking is None:
            loop = asyncio.get_running_loop()
            due = self._last_receipt + RECEIPT_INTERVAL
            self._waking = loop.call_at(max(due, loop.time()), self._wake_now)

    def _wake_now(self) -> None:
        self._waking = None
        self._last_receipt = asyncio.get_running_loop().time()
        self.wake()

    async def pump(self, note: Callable[[], Awaitable[None]]) -> None:
        """Send whatever the conversation has, for ever, and ``note`` each time that was all.

        Raises what ``Channel.send`` raises.
        """
        while True:
            await self._something.wait()
            self._something.clear()
            while (message := self.conversation.next_message()) is not None:
                await self.channel.send(message)
            await note()
            if not self._something.is_set():
                self._idle.set()

    async def flushed(self) -> None:
        """Wait until all that there is to send has been given to the channel."""
        await self._idle.wait()


class Correspondent:
    """A contact to whom texts go, once each and in order, whatever becomes of the channels."""

    def __init__(
        self,
        journal: Journal,
        *,
        show: Callable[[TextReceived, Callable[[], None]], Awaitable[None]],
        tell: Callable[[ChatEvent], None],
    ) -> None:
        """``show`` -- shows a text of theirs, calls what it is given when that is done, and waits
        where too much is to be shown. ``tell`` -- gets every other event.
        """
        self.journal = journal
        self._show = show
        self._tell = tell
        self._links: list[_Link] = []
        self._showing = asyncio.Lock()
        self._news = asyncio.Condition()
        self._taken: dict[bytes, int] = {}
        """The last text of each stream that was given to ``show``."""
        self.met = False
        """Whether there has been a channel."""
        self.confirmed = 0
        """Texts of ours that were confirmed since the program began."""

    @property
    def connected(self) -> bool:
        """Whether there is a channel."""
        return bool(self._links)

    @property
    def unconfirmed(self) -> int:
        """Texts that the peer's program has not shown yet."""
        return self.journal.count_unconfirmed()

    @property
    def unsent(self) -> bool:
        """Whether a text has not gone out on a channel that is still there."""
        sender = next((link for link in self._links if link.conversation.sending), None)
        sent = self.journal.first_kept() - 1 if sender is None else sender.conversation.sent
        return sent < self.journal.next_id() - 1

    def say(self, bodies: Iterable[str]) -> int:
        """Texts, each kept until it is confirmed; the number of the first.

        Raises ConversationFileError.
        """
        first = self.journal.next_id()
        with self.journal.together():
            for body in bodies:
                self.journal.add(Outgoing(self.journal.next_id(), body, time.time()))
        for link in self._links:
            link.wake()
        return first

    async def until(self, condition: Callable[[Self], bool]) -> None:
        """Wait for this to become true of what this class tells of itself."""
        async with self._news:
            await self._news.wait_for(lambda: condition(self))

    async def has_room(self, limit: int) -> None:
        """Wait until fewer texts than this wait for their confirmation."""
        await self.until(lambda self: self.unconfirmed < limit)

    async def converse(
        self, channel: Channel, *, own_name: str = "", files: Transfer | None = None
    ) -> str:
        """Carry texts both ways until the channel ends; the reason that one side gave for it.

        Empty where the peer closed without one. ``files`` -- those that go beside the texts.
        Raises what breaks the channel.
        """
        link = _Link(channel, Conversation(self.journal))
        if own_name:
            link.conversation.introduce(own_name)
        self._links.append(link)
        self.met = True
        self._choose_sender()
        await self._note()
        tasks = [asyncio.create_task(self._pump(link))]
        if files is not None:
            tasks.append(asyncio.create_task(files.send_queue(channel)))
        try:
            await self._read(link, files, tasks)
        finally:
            for task in tasks:
                task.cancel()
            # Their failures are the channel's, which whoever iterates sees.
            await asyncio.gather(*tasks, return_exceptions=True)
            self._links.remove(link)
            link.over.set()
            try:
                link.conversation.keep()
                self._choose_sender()
            finally:
                await self._note()
                await channel.abort()
                if files is not None:
                    await files.end()
        return link.reason

    async def _read(
        self, link: _Link, files: Transfer | None, tasks: list[asyncio.Task[None]]
    ) -> None:
        """Until the channel ends. Raises what breaks it."""
        try:
            async for data in link.channel:
                if files is not None and is_file_message(data):
                    files.hear(data)
                else:
                    await self._hear(link, data, tasks)
        except E2EEError:
            if link.failure is not None:
                raise link.failure from None
            if link.reason in {"", "left"}:
                raise
        except Exception:
            # Nothing more can be shown here; the peer shall know that it was not.
            await self._break_off(link)
            raise

    async def _pump(self, link: _Link) -> None:
        try:
            await link.pump(self._note)
        except FileError as error:
            link.failure = error
            await link.channel.abort()

    async def leave(self) -> None:
        """Say goodbye on every channel, and see that each is closed."""
        await asyncio.gather(*(self._leave(link, "left") for link in list(self._links)))

    async def _leave(self, link: _Link, reason: str) -> None:
        # The peer answers a goodbye by closing.
        await self._say_goodbye(link, reason, link.over.wait)

    async def _break_off(self, link: _Link) -> None:
        """Nobody would hear the answer, so it is not waited for."""
        await self._say_goodbye(link, "left", link.flushed)

    async def _say_goodbye(
        self, link: _Link, reason: str, done: Callable[[], Awaitable[object]]
    ) -> None:
        link.reason = link.reason or reason
        link.conversation.leave(reason)
        link.wake()
        if reason == "replaced":
            self._choose_sender()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await done()
        with contextlib.suppress(E2EEError):
            await link.channel.close()

    def _choose_sender(self) -> None:
        """Texts go out on one channel: that which has been there longest."""
        staying = [link for link in self._links if not link.reason]
        if staying and not any(link.conversation.sending for link in self._links):
            staying[0].conversation.begin()
            staying[0].wake()

    async def _hear(self, link: _Link, data: bytes, tasks: list[asyncio.Task[None]]) -> None:
        if not link.stream:
            # Before the peer is told what we have of its texts.
            for each in self._links:
                each.conversation.keep()
        event = link.conversation.receive(data)
        match event:
            case TextReceived():
                await self._show_once(link, event)
            case StreamOpened():
                # Earlier channels of the same program; the network has not told of their end.
                tasks.extend(
                    asyncio.create_task(self._leave(other, "replaced"))
                    for other in self._links
                    if other is not link and other.stream == event.stream
                )
                link.stream = event.stream
            case PeerLeft():
                link.reason = link.reason or event.reason
                tasks.append(asyncio.create_task(self._answer_leave(link, event.reason)))
            case TextsDelivered(ids):
                self.confirmed += len(ids)
        if isinstance(event, TextReceived):
            return
        link.wake()
        if event is not None:
            self._tell(event)
            await self._note()

    def _shown(self, link: _Link, text: TextReceived) -> None:
        link.conversation.shown(text)
        if link not in self._links:
            link.conversation.keep()
        else:
            link.wake_for_receipt()

    async def _show_once(self, link: _Link, text: TextReceived) -> None:
        # What came on another channel, and is not kept yet, is sent again on this one.
        async with self._showing:
            if text.id <= self._taken.get(text.stream, 0):
                self._shown(link, text)
                return
            await self._show(text, lambda: self._shown(link, text))
            self._taken.pop(text.stream, None)
            self._taken[text.stream] = text.id
            if len(self._taken) > MAX_STREAMS:
                del self._taken[next(iter(self._taken))]

    async def _answer_leave(self, link: _Link, reason: str) -> None:
        if reason == "left" and link.conversation.sending:
            last = self.journal.next_id() - 1
            await self.until(lambda self: self.journal.first_kept() > last)
        link.wake()
        await link.flushed()
        await link.channel.close()

    async def _note(self) -> None:
        async with self._news:
            self._news.notify_all()
