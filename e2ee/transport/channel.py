"""Channel: a session that lives on a stream. Every transport's timing and tidiness is here.

Back-pressure in both directions, the deadline of the handshake, signs of life, refreshes by the
clock, cancellation and orderly close are handled here once; a stream only moves bytes.
SPEC.md sections 10 and 13.

Nothing runs in the background: the transport calls when bytes have come or gone, and one timer
when it is time to look at the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Self, TypeVar

from e2ee._uncopyable import Uncopyable
from e2ee.certificate import Peer
from e2ee.errors import (
    E2EEError,
    InvitationRefused,
    NoRandomNumbers,
    ProtocolError,
    SessionClosed,
    TimedOut,
    TransportError,
    UsageError,
)
from e2ee.events import Closed, Event, HandshakeCompleted, KeysRefreshed, MessageReceived
from e2ee.session import Session
from e2ee.states import State
from e2ee.suites import Suite
from e2ee.transport.socket_stream import SocketStream, broken, left_unread
from e2ee.transport.stream import Stream
from e2ee.transport.stream_transport import StreamProtocol, StreamTransport

T = TypeVar("T")

SEND_HIGH_WATER = 256 * 1024
"""Bytes waiting for the stream from which ``Channel.send`` waits."""

RECEIVE_HIGH_WATER = 1024 * 1024
"""Bytes waiting for the application from which the channel stops reading the stream."""

CLOSING_HIGH_WATER = 64 * 1024 * 1024
"""The same bytes once our close is sent: what was on its way may come in, so that the peer's close,
which is behind it, is not held up by an application that receives no more."""

COPIED = 16 * 1024
"""Bytes waiting for the stream below which they are copied together, as that takes less time than
to take them where they are."""

MESSAGE_OVERHEAD = 128
"""Bytes that a message of any length counts more than it holds: empty ones take memory too."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``handshake`` is an absolute deadline, however many bytes come.

    After ``quiet`` without a byte from the peer it is asked for a sign of life; after ``dead`` it
    is given up. That bytes which were held up move on to it is a sign, too. ``refresh`` is the time
    of use after which keys are agreed anew (WireGuard's two minutes). ``close`` is how long an
    orderly close waits without a byte going either way; a peer that is busy shows that it is well
    every ``quiet`` seconds. Raises UsageError for what is not a number above 0.
    """

    handshake: float = 15
    quiet: float = 30
    dead: float = 90
    refresh: float = 120
    close: float = 35

    def __post_init__(self) -> None:
        for field in fields(self):
            seconds = getattr(self, field.name)
            if not isinstance(seconds, int | float) or not seconds > 0:
                raise UsageError(f"{field.name} is a number of seconds above 0")


class Channel(Uncopyable):
    """Messages of 0 bytes up to the session's limit, to and from an authenticated peer. Get one
    with ``await Channel.open(…)``.

    ``async for message in channel`` ends when the peer has closed, and raises where the stream
    was cut or the protocol broken. Any number of tasks may send; one receives. From another loop,
    or a thread without one, every call but ``export`` raises UsageError.
    """

    __slots__ = ("__weakref__", "_driver", "handshake_hash", "peer", "suite")

    def __init__(self, driver: _Driver, completed: HandshakeCompleted) -> None:
        self.peer: Peer = completed.peer
        self.suite: Suite = completed.suite
        self.handshake_hash: bytes = completed.handshake_hash
        self._driver = driver

    @classmethod
    async def open(
        cls, stream: Stream, session: Session, *, timeouts: Timeouts = Timeouts()
    ) -> Self:
        """Run the handshake on a fresh stream; the peer is authenticated when this returns.

        On any failure, and on cancellation, the stream is closed. Raises ProtocolError,
        TransportError; TimedOut when the deadline has passed; InvitationRefused, whatever ended
        the stream, where the one try of a code, or a link, may have been spent by it. UsageError
        for a stream that another channel has, which is left to it.
        """
        if isinstance(stream, SocketStream):
            stream.check_own()
        driver = _Driver(session, timeouts)
        try:
            async with asyncio.timeout(timeouts.handshake):
                return cls(driver, await driver.shake_hands(stream))
        except TimeoutError:
            await driver.give_up(stream)
            _say_if_invitation_is_spent(session)
            raise TimedOut(
                f"the peer did not finish its handshake in {timeouts.handshake:.3g} seconds"
            ) from None
        except TransportError:
            await driver.give_up(stream)
            _say_if_invitation_is_spent(session)
            raise
        except BaseException:
            await driver.give_up(stream)
            raise

    async def send(self, message: bytes | bytearray | memoryview) -> None:
        """Queue one message, whole or not at all; waits while too much is on its way. Of several
        tasks that wait, each has its turn: who called first is first.

        Raises SessionClosed, UsageError (above the size limit), or what ended the channel.
        """
        driver = self._driver
        driver.check_loop()
        if (driver.sending_size >= SEND_HIGH_WATER or driver.senders) and not driver.ended:
            await driver.turn_to_send()
        driver.check_not_failed()
        try:
            driver.session.send(message)
        except UsageError:
            raise
        except Exception as error:
            driver.end(error)
            raise
        driver.used_since_refresh = True
        driver.sending_size += memoryview(message).nbytes + MESSAGE_OVERHEAD
        if driver.is_turn_to_speak:
            driver.flush()
        else:
            driver.flush_soon()

    async def receive(self) -> bytes | None:
        """The next message; None when the peer has closed and all has been received.

        Raises what ended the channel otherwise, after everything that came before it.
        """
        driver = self._driver
        driver.check_loop()
        while not driver.received:
            if driver.ended:
                driver.check_not_failed()
                return None
            await driver.turn_of(driver.receivers)
        message = driver.received.popleft()
        driver.received_size -= len(message) + MESSAGE_OVERHEAD
        if not driver.room_to_receive:
            driver.make_room()
        return message

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message

    def refresh(self) -> None:
        """Agree on fresh keys now, unless that is under way; the clock asks for it by itself."""
        self._driver.check_loop()
        self._driver.check_not_failed()
        self._driver.refresh()

    def export(self, label: str | bytes, length: int) -> bytes:
        """As ``Session.export``."""
        return self._driver.session.export(label, length)

    async def close(self) -> None:
        """Close in order: everything sent has left, and the peer knows that nothing is missing.

        What the peer sent until it learnt of it can still be received. Raises what ended the
        channel, if that was not a close; TimedOut if the peer does not close in time.
        """
        driver = self._driver
        driver.check_loop()
        if not driver.ended:
            driver.session.close()
            driver.make_room()
            driver.flush_soon()
        began = driver.loop.time()
        while not driver.lost:
            left = driver.patience_at_close(began)
            if left <= 0:
                driver.end(TimedOut("the peer did not answer our close; it may lack the end"))
                await self.abort()
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await driver.turn_of(driver.closers)
        driver.check_not_failed()

    async def abort(self) -> None:
        """Drop the connection at once, with no word to the peer."""
        self._driver.check_loop()
        await self._driver.drop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self.close()
        else:
            await self.abort()


class _Driver(Uncopyable, asyncio.BufferedProtocol, StreamProtocol):
    """What goes on by itself: a session, on a transport that calls this, and by the clock."""

    __slots__ = (
        "_asked_at",
        "_completed",
        "_finished",
        "_flush_due",
        "_held_up",
        "_last_heard",
        "_last_refresh",
        "_last_sent",
        "_opened",
        "_timer",
        "_transport",
        "_unsent",
        "closers",
        "ended",
        "failure",
        "is_turn_to_speak",
        "loop",
        "lost",
        "received",
        "received_size",
        "receivers",
        "room_to_receive",
        "senders",
        "sending_size",
        "session",
        "timeouts",
        "used_since_refresh",
    )

    def __init__(self, session: Session, timeouts: Timeouts) -> None:
        self.loop = asyncio.get_running_loop()
        self.session = session
        self.timeouts = timeouts
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._completed: HandshakeCompleted | None = None
        self._opened = False
        """The handshake has completed, and the last of it has left."""
        self._finished = False
        """The peer has closed; what is left to do is to send."""
        self.failure: Exception | None = None
        self.ended = False
        """Nothing is carried any more."""
        self.lost = False
        """The transport has closed its connection."""

        self.received: deque[bytes] = deque()
        self.received_size = 0
        self.room_to_receive = True
        self.sending_size = 0
        self._held_up = False
        """The transport has bytes that the system has not taken yet."""
        self._unsent = 0
        """How many, when it was looked at last; 0 before the first look."""
        self._flush_due = False
        self.is_turn_to_speak = False
        """The peer was the last to say something: an answer goes at once, what follows together."""

        # Of tasks that wait:
        self.receivers: list[asyncio.Future[None]] = []
        """until there is a message, or never will be one again."""
        self.senders: list[asyncio.Future[None]] = []
        """until there is room, or nothing is held up any more."""
        self.closers: list[asyncio.Future[None]] = []
        """until the connection is closed."""

        self._last_heard = self._last_sent = self._last_refresh = self.loop.time()
        self._asked_at = 0.0
        self.used_since_refresh = False

    # For the channel.

    def refresh(self) -> None:
        try:
            self.session.refresh()
        except UsageError:
            raise
        except Exception as error:
            self.end(error)
            raise
        self.flush_soon()

    def check_loop(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is not self.loop:
            raise UsageError("a channel is used in the event loop that opened it, and in no other")

    def check_not_failed(self) -> None:
        if self.failure is not None:
            raise self.failure.with_traceback(None)

    async def turn_of(self, waiting: list[asyncio.Future[None]]) -> None:
        """Wait to be woken, as all who wait for the same are: what for, is to be looked at then."""
        future = self.loop.create_future()
        waiting.append(future)
        try:
            await future
        finally:
            waiting.remove(future)

    async def turn_to_send(self) -> None:
        """Wait for room, and for those who wait already."""
        turn = self.loop.create_future()
        self.senders.append(turn)
        try:
            await turn
            while self.sending_size >= SEND_HIGH_WATER and not self.ended:
                # It was taken by the one before.
                turn = self.senders[0] = self.loop.create_future()
                await turn
        finally:
            self.senders.remove(turn)
            self._let_next_send()

    def _let_next_send(self) -> None:
        if self.senders and not self.senders[0].done():
            self.senders[0].set_result(None)

    async def shake_hands(self, stream: Stream) -> HandshakeCompleted:
        if not isinstance(self.session, Session):
            raise UsageError(f"a session is needed here, not {type(self.session).__name__}")
        if self.session.state is not State.HANDSHAKE:
            raise UsageError("a channel is opened with a session that has not begun")
        if isinstance(stream, SocketStream):
            stream.attach(self)
        else:
            StreamTransport(stream, self)
        self.flush()
        while not self._opened and not self.ended:
            await self.turn_of(self.receivers)
        if self._opened:
            assert self._completed is not None
            return self._completed
        failure = self.failure
        assert failure is not None
        traceback = failure.__traceback__
        await self._say_why()  # The session raises the same error again.
        raise failure.with_traceback(traceback)

    async def _say_why(self) -> None:
        """A refusal, where there is one, tells the peer why we end the handshake."""
        with contextlib.suppress(E2EEError):
            await self._all_has_left()
            if refusal := self.session.data_to_send():
                self._transport.write(refusal)
            await self._all_has_left()

    async def _all_has_left(self) -> None:
        while self._held_up:
            await self.turn_of(self.closers)

    async def give_up(self, stream: Stream) -> None:
        """Close a stream that no channel could be opened on."""
        if hasattr(self, "_transport") and not isinstance(stream, SocketStream):
            await self.drop()
        else:
            self.end(SessionClosed("the channel was dropped"))
            await stream.close()

    async def drop(self) -> None:
        """End, and wait until the connection is closed."""
        self.end(SessionClosed("the channel was dropped"))
        self._transport.abort()
        while not self.lost:
            await self.turn_of(self.closers)

    def patience_at_close(self, began: float) -> float:
        """Seconds for which a close that began then may still wait."""
        self._see_what_was_sent()
        # A peer that says something may go on for a while, but not for ever.
        heard = min(self._last_heard, began + self.timeouts.dead)
        return max(began, self._last_sent, heard) + self.timeouts.close - self.loop.time()

    def end(self, error: Exception | None) -> None:
        """Carry nothing any more; the channel's later calls tell of the error."""
        if self.ended:
            return
        self.ended = True
        self.failure = error
        if self._timer is not None:
            self._timer.cancel()
        if self._opened:
            if not isinstance(error, E2EEError | None):
                self.failure = TransportError(f"the channel failed: {error!r}")
                self.loop.call_exception_handler(
                    {"message": "an e2ee channel failed", "exception": error}
                )
            if not self._finished:
                with contextlib.suppress(ProtocolError):
                    self.session.receive_eof()  # It drops its keys.
            self._transport.abort()
        elif hasattr(self, "_transport"):
            self._transport.pause_reading()  # Whoever opens the channel closes the stream.
        _wake(self.receivers)
        _wake(self.senders)

    # Receiving.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.session.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self._process(self.session.buffer_updated, nbytes)

    def data_received(self, data: bytes) -> None:
        self._process(self.session.receive_data, data)

    def _process(self, process: Callable[[T], list[Event]], data: T) -> None:
        if self.ended:
            return
        self._last_heard = self.loop.time()
        try:
            events = process(data)
        except ProtocolError as error:
            self._deliver(error.events)  # They were good.
            self._opened = self._completed is not None
            self.end(error)
        except Exception as error:  # noqa: BLE001 -- of what the application lets the session call
            self.end(error)
        else:
            self._deliver(events)
            self.flush()
            self.is_turn_to_speak = True

    def _deliver(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case MessageReceived():
                    data = event.data
                    self.received.append(data)
                    self.received_size += len(data) + MESSAGE_OVERHEAD
                    self.used_since_refresh = True
                case KeysRefreshed():
                    self._last_refresh = self.loop.time()
                    self.used_since_refresh = False
                case HandshakeCompleted():
                    self._completed = event
                    self._last_refresh = self.loop.time()
                    self._look_at_the_clock_later()
                case Closed():
                    self._finished = True
                    self._transport.pause_reading()
        if self.receivers and self.received:
            _wake(self.receivers)
        if self.received_size >= RECEIVE_HIGH_WATER:
            self.make_room()

    def make_room(self) -> None:
        """Read on, unless too much waits for the application."""
        closing = self.session.state is not State.OPEN
        limit = CLOSING_HIGH_WATER if closing else RECEIVE_HIGH_WATER
        self.room_to_receive = self.received_size < limit
        if self.room_to_receive and not self._finished:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        if not self.ended and not self._finished:
            try:
                self.session.receive_eof()
            except ProtocolError as error:
                self.end(error)
        return True  # There may be something to send yet; it is for us to close.

    # Sending.

    def flush_soon(self) -> None:
        """Flush in the loop's next turn: whatever is sent until then goes in one write."""
        if not self._flush_due:
            self._flush_due = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        self._flush_due = self.is_turn_to_speak = False
        if self.ended or self._held_up:
            return
        try:
            if self.sending_size < COPIED:
                if data := self.session.data_to_send():
                    self._transport.write(data)
                elif not self.sending_size and self._opened and not self._finished:
                    return
            else:
                while not self._held_up and (piece := self.session.buffer_to_send()):
                    self._transport.write(piece)
        except Exception as error:  # noqa: BLE001 -- whatever it is, nobody may wait for ever
            self.end(error)
        else:
            self._count_what_has_left()

    def _count_what_has_left(self) -> None:
        if self._held_up:
            return
        self._last_sent = self.loop.time()
        self.sending_size = 0
        if self.senders:
            self._let_next_send()
        if (self._finished or not self._opened) and not self._transport.is_closing():
            if self._completed is not None and not self._opened:
                self._opened = True
                _wake(self.receivers)
            if self._finished:
                self.end(None)

    def pause_writing(self) -> None:
        self._held_up = True

    def resume_writing(self) -> None:
        self._held_up = False
        self._last_sent = self.loop.time()
        self._see_that_it_moved(0)
        _wake(self.closers)
        self.flush_soon()  # Not now: the transport is in the middle of something.

    # The end.

    def stream_failed(self, error: E2EEError) -> None:
        self._held_up = False
        self.end(error)
        _wake(self.closers)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if error is not None:
            self._held_up = True  # Nothing can be sent of what it may ask for.
            self.data_received(left_unread(self._transport))
        self._held_up = False
        self.end(broken(error) if error else TransportError("the connection was closed"))
        for waiting in (self.receivers, self.closers):
            _wake(waiting)

    # The clock.

    def _look_at_the_clock_later(self) -> None:
        self._timer = self.loop.call_later(self.timeouts.quiet / 10, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._look_at_the_clock_later()
        self._see_what_was_sent()
        now = self.loop.time()
        if self.room_to_receive:
            silence = now - self._last_heard
            if silence >= self.timeouts.dead:
                self.end(TimedOut(f"no sign of life from the peer for {silence:.0f} seconds"))
                return
            ask = silence >= self.timeouts.quiet and self._asked_at <= self._last_heard
        else:
            # It is we who do not listen: the peer may be well, and shall know that we are.
            self._last_heard = now
            ask = now - self._asked_at >= self.timeouts.quiet
        if self.session.state is not State.OPEN:
            return
        if ask:
            self._asked_at = now
            self.session.ping()
            self.flush_soon()
        if self.used_since_refresh and now - self._last_refresh >= self.timeouts.refresh:
            self._last_refresh = now
            with contextlib.suppress(NoRandomNumbers):
                self.refresh()

    def _see_what_was_sent(self) -> None:
        if self._held_up:
            self._see_that_it_moved(self._transport.get_write_buffer_size())

    def _see_that_it_moved(self, unsent: int) -> None:
        if unsent < self._unsent:
            # The peer has made room. It may be silent: our ping is behind what is held up.
            self._last_sent = self._last_heard = self.loop.time()
        self._unsent = unsent


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)


def _say_if_invitation_is_spent(session: Session) -> None:
    """However a stream ends, it is the end for the session, and may cost its invitation.

    Raises InvitationRefused.
    """
    try:
        session.receive_eof()
    except InvitationRefused:
        raise
    except E2EEError:
        pass  # Nothing more than what the stream has told.
