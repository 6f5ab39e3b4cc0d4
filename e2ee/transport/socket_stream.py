"""SocketStream: an asyncio transport of a socket as a Stream, until a channel takes it over.

TCP and Unix sockets differ in how they are opened, and in nothing here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys

from e2ee.errors import TransportError, UsageError


class SocketStream(asyncio.Protocol):
    """A Stream over an asyncio transport, which is made with this class as the protocol's factory.

    As a Stream it is slow: it reads only when it is asked, so that a channel, which is driven by
    the transport itself, can take it over at any time and misses nothing.
    """

    __slots__ = (
        "_ended",
        "_failure",
        "_held_up",
        "_readable",
        "_received",
        "_taken_over",
        "_transport",
        "_writable",
    )

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = b""
        self._ended = False
        self._taken_over = False
        self._held_up = False
        """The transport holds bytes that the system has not taken yet."""
        self._failure: TransportError | None = None
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    def attach(self, protocol: asyncio.Protocol) -> None:
        """Let this protocol have the transport from now on. Raises what has broken the stream."""
        self._check_not_failed()
        self._taken_over = True
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._received:
            data, self._received = self._received, b""
            protocol.data_received(data)
        if self._ended:
            protocol.eof_received()
        self._transport.resume_reading()

    async def receive(self) -> bytes:
        self.check_own()
        if self._readable is not None and not self._readable.done():
            raise UsageError("somebody waits for what this stream receives already")
        if not self._received and not self._ended:
            self._transport.resume_reading()
            self._readable = asyncio.get_running_loop().create_future()
            await self._readable
        data, self._received = self._received, b""
        if not data:
            self._check_not_failed()
        return data

    async def send(self, data: bytes) -> None:
        self.check_own()
        self._transport.write(data)
        if self._transport.is_closing():
            await asyncio.sleep(0)  # Until the transport has told why.
        elif self._held_up:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable
        self._check_not_failed()
        if self._transport.is_closing():
            raise TransportError("the connection is closed")

    async def close(self) -> None:
        # Only a send that was given up leaves something here, and a stuck peer would hold it.
        self._transport.abort()
        await asyncio.sleep(0)  # The transport closes its socket in the loop's next turn.

    def check_own(self) -> None:
        """Raises UsageError where a channel has the transport."""
        if self._taken_over:
            raise UsageError("a channel has taken this stream over")

    def _check_not_failed(self) -> None:
        if self._failure is not None:
            raise self._failure.with_traceback(None)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # What ``send`` has taken is the system's when it returns: no close can lose it.
        transport.set_write_buffer_limits(0)
        transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._transport.pause_reading()
        _wake(self._readable)

    def eof_received(self) -> bool:
        self._ended = True
        _wake(self._readable)
        return True  # There may be something to send yet.

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        if error is not None:
            self._received += left_unread(self._transport)
            self._failure = broken(error)
        _wake(self._readable)
        _wake(self._writable)

    def pause_writing(self) -> None:
        self._held_up = True

    def resume_writing(self) -> None:
        self._held_up = False
        _wake(self._writable)


def left_unread(transport: asyncio.BaseTransport) -> bytes:
    """What had come on a socket when it broke: for ``connection_lost``, which is the last that can
    read it. asyncio reads no more once it could not write.
    """
    if sys.platform == "win32":
        return b""
    import fcntl  # noqa: PLC0415 -- not on Windows
    import termios  # noqa: PLC0415

    number = transport.get_extra_info("socket").fileno()
    with contextlib.suppress(OSError, ValueError):  # It may have been closed from under us.
        # No more than there is now: the other end may take nothing, and still send without end.
        (length,) = struct.unpack("i", fcntl.ioctl(number, termios.FIONREAD, bytes(4)))
        return os.read(number, length)
    return b""


def broken(error: Exception) -> TransportError:
    """What a transport tells of its end, in words for a person."""
    reason = error.strerror if isinstance(error, OSError) else None
    return TransportError(f"the connection broke: {reason or error}")


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
