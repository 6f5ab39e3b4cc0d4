"""BlockingChannel: a channel for programs of threads, over a socket that is connected.

It is a Channel, on an event loop in a thread of its own: signs of life, refreshes and deadlines are
kept whatever the program does meanwhile. SPEC.md sections 10 and 13.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import weakref
from collections.abc import Coroutine, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from e2ee._uncopyable import Uncopyable, check_process, this_process
from e2ee.certificate import Peer
from e2ee.errors import E2EEError, TransportError, UsageError
from e2ee.session import Session
from e2ee.suites import Suite
from e2ee.transport.channel import Channel, Timeouts
from e2ee.transport.socket_stream import SocketStream, broken

__all__ = ["BlockingChannel"]

T = TypeVar("T")


class BlockingChannel(Uncopyable):
    """Messages of 0 bytes up to the session's limit, to and from an authenticated peer. Get one
    with ``BlockingChannel.open(…)``.

    Every call returns when it is done. Any number of threads may send; one receives meanwhile.
    ``for message in channel`` ends when the peer has closed, and raises where the connection was
    cut or the protocol broken. What another thread ends with ``close`` or ``abort`` returns, or
    raises, where it waits. In a forked child every call raises UsageError.
    """

    __slots__ = ("__weakref__", "_channel", "_loop", "_process", "handshake_hash", "peer", "suite")

    def __init__(self, channel: Channel, loop: asyncio.AbstractEventLoop) -> None:
        self.peer: Peer = channel.peer
        self.suite: Suite = channel.suite
        self.handshake_hash: bytes = channel.handshake_hash
        self._channel = channel
        self._loop = loop
        self._process = this_process()
        weakref.finalize(self, _end, channel, loop, self._process)

    @classmethod
    def open(
        cls, connection: socket.socket, session: Session, *, timeouts: Timeouts = Timeouts()
    ) -> Self:
        """Run the handshake over a socket that has just been connected or accepted, of TCP or
        another stream; the peer is authenticated when this returns.

        The socket is the channel's from then on, and is closed with it, or when this fails: the
        object that was given has it no more, and its own ``close`` does nothing.
        Raises as ``Channel.open``; UsageError for what is no such socket, and leaves that alone.
        """
        if not isinstance(connection, socket.socket) or connection.type != socket.SOCK_STREAM:
            raise UsageError("a connected socket of the type SOCK_STREAM is needed here")
        if isinstance(connection, ssl.SSLSocket):
            raise UsageError("this socket is one of TLS, and what is below it is needed here")
        loop = asyncio.new_event_loop()
        threading.Thread(target=_run, args=(loop,), name="e2ee channel", daemon=True).start()
        try:
            return cls(_wait(_open(connection, session, timeouts), loop), loop)
        except BaseException:
            loop.call_soon_threadsafe(loop.stop)
            raise

    def send(self, message: bytes | bytearray | memoryview) -> None:
        """Queue one message, whole or not at all; waits while too much is on its way.

        Raises SessionClosed, UsageError (above the size limit), or what ended the channel.
        """
        self._do(self._channel.send(message))

    def receive(self) -> bytes | None:
        """The next message; None when the peer has closed and all has been received.

        Raises what ended the channel otherwise, after everything that came before it.
        """
        return self._do(self._channel.receive())

    def __iter__(self) -> Iterator[bytes]:
        while (message := self.receive()) is not None:
            yield message

    def export(self, label: str | bytes, length: int) -> bytes:
        """As ``Session.export``."""
        channel = self._channel

        async def export() -> bytes:
            return channel.export(label, length)  # Not from here: it may be at work.

        return self._do(export())

    def close(self) -> None:
        """Close in order: everything sent has left, and the peer knows that nothing is missing.

        As ``Channel.close``, which see.
        """
        self._do(self._channel.close())

    def abort(self) -> None:
        """Drop the connection at once, with no word to the peer."""
        self._do(self._channel.abort())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def _do(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            check_process(self._process)
        except UsageError:
            call.close()
            raise
        return _wait(_with_errors_of_its_own(call), self._loop)


async def _with_errors_of_its_own(call: Coroutine[Any, Any, T]) -> T:
    """The channel keeps the error that has ended it, and where that is raised to a caller, it keeps
    the caller's variables: so nobody could ever be done with the channel, which are in there.
    """
    try:
        return await call
    except E2EEError as error:
        twin = type(error).__new__(type(error), *error.args)
        twin.__dict__.update(error.__dict__)
        try:
            raise twin from None
        finally:
            del twin  # This frame is in the traceback of the first one.


def _wait(call: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    future = asyncio.run_coroutine_threadsafe(call, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()  # Ctrl-C: what nobody waits for any more is not to happen later.
        raise
    finally:
        del future  # It holds an error, whose traceback holds this frame.


def _run(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()


async def _open(connection: socket.socket, session: Session, timeouts: Timeouts) -> Channel:
    if connection.fileno() == -1:
        raise TransportError("the socket is closed")
    taken = socket.socket(connection.family, connection.type, connection.proto, connection.detach())
    try:
        taken.setblocking(False)
        loop = asyncio.get_running_loop()
        _, stream = await loop.create_connection(SocketStream, sock=taken)
    except OSError as error:
        taken.close()
        raise broken(error) from None
    return await Channel.open(stream, session, timeouts=timeouts)


def _end(channel: Channel, loop: asyncio.AbstractEventLoop, process: object) -> None:
    """Nobody can use it any more. In a forked child there is nothing to end."""

    async def end() -> None:
        await channel.abort()
        loop.stop()

    if process is this_process():
        asyncio.run_coroutine_threadsafe(end(), loop)
