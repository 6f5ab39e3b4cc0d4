"""Channel: a session that lives on a stream. Every transport's timing and tidiness is here.

Back-pressure in both directions, the deadline of the handshake, signs of life, refreshes by the
clock, cancellation and orderly close are handled here once; a stream only moves bytes.
SPEC.md sections 10 and 13.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from e2ee._uncopyable import Uncopyable
from e2ee.certificate import Peer
from e2ee.errors import (
    E2EEError,
    InvitationRefused,
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
from e2ee.transport.stream import Stream

SEND_HIGH_WATER = 256 * 1024
"""Bytes waiting for the stream from which ``Channel.send`` waits."""

RECEIVE_HIGH_WATER = 1024 * 1024
"""Bytes waiting for the application from which the channel stops reading the stream."""

CLOSING_HIGH_WATER = 64 * 1024 * 1024
"""The same bytes once our close is sent: what was on its way may come in, so that the peer's close,
which is behind it, is not held up by an application that receives no more."""

MESSAGE_OVERHEAD = 128
"""Bytes that a message of any length counts more than it holds: empty ones take memory too."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``handshake`` is an absolute deadline, however many bytes come.

    After ``quiet`` without a byte from the peer it is asked for a sign of life; after ``dead`` it
    is given up. ``refresh`` is the time of use after which keys are agreed anew (WireGuard's two
    minutes). ``close`` is how long an orderly close waits without a byte going either way; a peer
    that is busy shows that it is well every ``quiet`` seconds.
    """

    handshake: float = 15
    quiet: float = 30
    dead: float = 90
    refresh: float = 120
    close: float = 35


class Channel(Uncopyable):
    """Messages of 0 bytes up to the session's limit, to and from an authenticated peer. Get one
    with ``await Channel.open(…)``.

    ``async for message in channel`` ends when the peer has closed, and raises where the stream
    was cut or the protocol broken. Any number of tasks may send; one receives. From another loop,
    or a thread without one, every call but ``export`` raises UsageError.
    """

    def __init__(
        self, stream: Stream, session: Session, timeouts: Timeouts, events: list[Event]
    ) -> None:
        completed = events[0]
        assert isinstance(completed, HandshakeCompleted)
        self.peer: Peer = completed.peer
        self.suite: Suite = completed.suite
        self.handshake_hash: bytes = completed.handshake_hash
        self._stream = stream
        self._session = session
        self._timeouts = timeouts
        self._failure: E2EEError | None = None
        self._ended = False
        """Nothing is carried any more, or will not be in a moment."""
        self._received: deque[bytes] = deque()
        self._received_size = 0
        self._sending_size = 0
        self._readable = asyncio.Event()
        """There is a message to receive, or never will be one again."""
        self._room_to_receive = asyncio.Event()
        self._room_to_receive.set()
        self._room_to_send = asyncio.Event()
        self._room_to_send.set()
        self._something_to_send = asyncio.Event()
        self._something_to_send.set()
        self._last_heard = self._last_sent = self._last_refresh = _now()
        self._used_since_refresh = False
        self._deliver(events[1:])
        self._dropped = asyncio.get_running_loop().create_future()
        """Set, where cancelling would do: a task cancelled before its first step tidies nothing."""
        self._running = asyncio.create_task(self._run())

    @classmethod
    async def open(
        cls, stream: Stream, session: Session, *, timeouts: Timeouts = Timeouts()
    ) -> Self:
        """Run the handshake on a fresh stream; the peer is authenticated when this returns.

        On any failure, and on cancellation, the stream is closed. Raises ProtocolError,
        TransportError; TimedOut when the deadline has passed; InvitationRefused, whatever ended
        the stream, where the one try of a code, or a link, may have been spent by it.
        """
        try:
            async with asyncio.timeout(timeouts.handshake):
                events = await _shake_hands(stream, session)
        except TimeoutError:
            await stream.close()
            _say_if_invitation_is_spent(session)
            raise TimedOut(
                f"the peer did not finish its handshake in {timeouts.handshake:g} seconds"
            ) from None
        except TransportError:
            await stream.close()
            _say_if_invitation_is_spent(session)
            raise
        except BaseException:
            await stream.close()
            raise
        return cls(stream, session, timeouts, events)

    # What the application does.

    async def send(self, message: bytes | bytearray | memoryview) -> None:
        """Queue one message, whole or not at all; waits while too much is on its way.

        Raises SessionClosed, UsageError (above the size limit), or what ended the channel.
        """
        self._check_loop()
        while not self._room_to_send.is_set():
            await self._room_to_send.wait()
        self._check_not_failed()
        self._session.send(message)
        self._used_since_refresh = True
        self._sending_size += memoryview(message).nbytes + MESSAGE_OVERHEAD
        if self._sending_size >= SEND_HIGH_WATER:
            self._room_to_send.clear()
        self._something_to_send.set()

    async def receive(self) -> bytes | None:
        """The next message; None when the peer has closed and all has been received.

        Raises what ended the channel otherwise, after everything that came before it.
        """
        self._check_loop()
        await self._readable.wait()
        if self._received:
            message = self._received.popleft()
            self._received_size -= len(message) + MESSAGE_OVERHEAD
            self._make_room()
            if not self._received and not self._ended:
                self._readable.clear()
            return message
        self._check_not_failed()
        return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message

    def refresh(self) -> None:
        """Agree on fresh keys now, unless that is under way; the clock asks for it by itself."""
        self._check_loop()
        self._check_not_failed()
        self._session.refresh()
        self._something_to_send.set()

    def export(self, label: str | bytes, length: int) -> bytes:
        """As ``Session.export``."""
        return self._session.export(label, length)

    async def close(self) -> None:
        """Close in order: everything sent has left, and the peer knows that nothing is missing.

        What the peer sent until it learnt of it can still be received. Raises what ended the
        channel, if that was not a close; TimedOut if the peer does not close in time.
        """
        self._check_loop()
        if not self._ended:
            self._session.close()
            self._make_room()
            self._something_to_send.set()
        began = _now()
        while True:
            # A peer that says something may go on for a while, but not for ever.
            heard = min(self._last_heard, began + self._timeouts.dead)
            left = max(began, self._last_sent, heard) + self._timeouts.close - _now()
            if left <= 0:
                self._fail(TimedOut("the peer did not answer our close; it may lack the end"))
                await self.abort()
                break
            # Not asyncio.wait_for: cancelling this call must not cancel the channel with it.
            done, _ = await asyncio.wait({self._running}, timeout=left)
            if done:
                break
        self._check_not_failed()

    async def abort(self) -> None:
        """Drop the connection at once, with no word to the peer."""
        self._check_loop()
        self._ended = True
        if not self._dropped.done():
            self._dropped.set_result(None)
        await asyncio.wait({self._running})

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

    def _check_loop(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is not self._dropped.get_loop():
            raise UsageError("a channel is used in the event loop that opened it, and in no other")

    def _check_not_failed(self) -> None:
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    # What goes on in the background.

    async def _run(self) -> None:
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        timer = asyncio.create_task(self._watch_the_clock())
        running: set[asyncio.Future[None]] = {reader, writer, timer, self._dropped}
        try:
            # The timer never ends by itself but by raising; reader and writer end at the close.
            while not (reader.done() and writer.done()):
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for ended in done:
                    ended.result()
                if self._dropped.done():
                    self._fail(SessionClosed("the channel was dropped"))
                    break
        except E2EEError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._fail(SessionClosed("the channel was dropped"))
        except Exception as error:
            self._fail(TransportError(f"the channel failed: {error!r}"))
            raise
        finally:
            # First of all: nobody may wait for what will never come.
            self._ended = True
            self._readable.set()
            self._room_to_send.set()
            for task in (reader, writer, timer):
                task.cancel()
            if self._session.state is not State.CLOSED:
                with contextlib.suppress(ProtocolError):
                    self._session.receive_eof()  # It drops its keys.
            await asyncio.gather(reader, writer, timer, return_exceptions=True)
            with contextlib.suppress(Exception):
                await self._stream.close()

    def _fail(self, error: E2EEError) -> None:
        self._failure = self._failure or error

    async def _read(self) -> None:
        while self._session.state is not State.CLOSED:
            await self._room_to_receive.wait()
            with _errors_of_the_stream():
                data = await self._stream.receive()
            self._last_heard = _now()
            try:
                if data:
                    self._deliver(self._session.receive_data(data))
                else:
                    self._session.receive_eof()
            except ProtocolError as error:
                self._deliver(error.events)
                raise
            finally:
                self._something_to_send.set()

    def _deliver(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case MessageReceived(data):
                    self._received.append(data)
                    self._received_size += len(data) + MESSAGE_OVERHEAD
                    self._readable.set()
                    self._used_since_refresh = True
                case KeysRefreshed():
                    self._last_refresh = _now()
                    self._used_since_refresh = False
                case Closed() | HandshakeCompleted():
                    pass
        self._make_room()

    def _make_room(self) -> None:
        closing = self._session.state is not State.OPEN
        if self._received_size < (CLOSING_HIGH_WATER if closing else RECEIVE_HIGH_WATER):
            self._room_to_receive.set()
        else:
            self._room_to_receive.clear()

    async def _write(self) -> None:
        while True:
            await self._something_to_send.wait()
            self._something_to_send.clear()
            finished = self._session.state is State.CLOSED
            while data := self._session.data_to_send():
                size = self._sending_size
                for at in range(0, len(data), SEND_HIGH_WATER):
                    with _errors_of_the_stream():
                        await self._stream.send(data[at : at + SEND_HIGH_WATER])
                    self._last_sent = _now()
                self._sending_size -= size
                if self._sending_size < SEND_HIGH_WATER:
                    self._room_to_send.set()
            if finished:
                return

    async def _watch_the_clock(self) -> None:
        asked_at = 0.0
        while True:
            await asyncio.sleep(self._timeouts.quiet / 10)
            now = _now()
            if self._room_to_receive.is_set():
                silence = now - self._last_heard
                if silence >= self._timeouts.dead:
                    raise TimedOut(f"no sign of life from the peer for {silence:.0f} seconds")
                ask = silence >= self._timeouts.quiet and asked_at <= self._last_heard
            else:
                # It is we who do not listen: the peer may be well, and shall know that we are.
                self._last_heard = now
                ask = now - asked_at >= self._timeouts.quiet
            if self._session.state is not State.OPEN:
                continue
            if ask:
                asked_at = now
                self._session.ping()
                self._something_to_send.set()
            if self._used_since_refresh and now - self._last_refresh >= self._timeouts.refresh:
                self._last_refresh = now
                self._session.refresh()
                self._something_to_send.set()


def _now() -> float:
    """Seconds of the loop's clock."""
    return asyncio.get_running_loop().time()


async def _shake_hands(stream: Stream, session: Session) -> list[Event]:
    events: list[Event] = []
    if session.state is not State.HANDSHAKE:
        raise UsageError("a channel is opened with a session that has not begun")
    try:
        while True:
            if data := session.data_to_send():
                with _errors_of_the_stream():
                    await stream.send(data)
            if events:
                return events
            with _errors_of_the_stream():
                received = await stream.receive()
            if received:
                events = session.receive_data(received)
            else:
                session.receive_eof()
    except ProtocolError as error:
        if error.events:
            return list(error.events)  # They were good; the channel will tell of the fault.
        with contextlib.suppress(E2EEError), _errors_of_the_stream():
            # A refusal, where there is one, tells the peer why.
            await stream.send(session.data_to_send())
        raise


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


@contextlib.contextmanager
def _errors_of_the_stream() -> Iterator[None]:
    """Whatever a foreign stream raises is a TransportError to us."""
    try:
        yield
    except E2EEError:
        raise
    except Exception as error:
        raise TransportError(f"the stream failed: {error!r}") from error
