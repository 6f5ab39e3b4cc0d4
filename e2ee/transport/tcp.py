"""TCP: client and server over asyncio, for IPv4, IPv6 and names. SPEC.md sections 4.3 and 13."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Self

from e2ee.errors import (
    AddressInUse,
    ConnectFailed,
    E2EEError,
    NameUnknown,
    TransportError,
    UsageError,
)
from e2ee.limits import MAX_PORT
from e2ee.session import Session
from e2ee.transport.channel import Channel, Timeouts
from e2ee.transport.half_open import HalfOpen, host_of
from e2ee.transport.serving import serve_stream
from e2ee.transport.socket_stream import SocketStream, broken
from e2ee.transport.stream import Stream

__all__ = ["Listener", "SocketListener", "TcpStream", "connect", "connect_stream", "listen"]

CHUNK = 256 * 1024
"""Bytes that one read takes at most."""

CONNECT_TIMEOUT = 10.0
"""Seconds for resolving a name and connecting."""

ATTEMPT_TIMEOUT = 4.0
"""Seconds for each of a name's addresses: where IPv6 leads nowhere, IPv4 still gets its turn."""

BACKLOG = 100
"""Connections that the system keeps for a listener until it takes them."""

ACCEPT_PAUSE = 0.1
"""Seconds until a listener tries again, after the system could not give it a connection."""

SPARED_DESCRIPTORS = 32
"""File descriptors that a listener leaves to the rest of its program: however many connections
there are, its files can be opened."""

MUTE_MARGIN = 0.1
"""Seconds beyond the handshake's deadline at which a mute listener resets a stranger, so that the
deadline itself makes no difference."""

RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER, on, for no time."""


class TcpStream:
    """A Stream over a connection of which somebody has asyncio's reader and writer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        # What ``send`` has taken is the system's when it returns: no close can lose it.
        writer.transport.set_write_buffer_limits(0)

    async def receive(self) -> bytes:
        """As ``Stream.receive``, of at most 256 KiB: 262,144 bytes."""
        try:
            return await self._reader.read(CHUNK)
        except OSError as error:
            raise broken(error) from None

    async def send(self, data: bytes) -> None:
        """As ``Stream.send``: the system has all these bytes when it returns."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise broken(error) from None

    async def close(self) -> None:
        """As ``Stream.close``."""
        # Only a send that was given up leaves something here, and a stuck peer would hold it.
        if self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class _MuteStream(SocketStream):
    """Of a listener that tells strangers nothing: they are all reset at the same age.

    A channel that was opened on it has taken its transport; so it closes on strangers only.
    """

    __slots__ = ("_end",)

    def __init__(self, end: float) -> None:
        super().__init__()
        self._end = end

    async def close(self) -> None:
        task = asyncio.current_task()
        try:
            if task is not None and not task.cancelling():
                await self._outlast()
        finally:
            # With a FIN, bytes that were not read would still show: the system resets then.
            with contextlib.suppress(OSError):
                connection = self._transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            await super().close()

    async def _outlast(self) -> None:
        """Take what comes, as before, so that not even the window tells that nobody listens."""
        self._transport.set_protocol(_Nobody())
        self._transport.resume_reading()
        await asyncio.sleep(self._end - asyncio.get_running_loop().time())


class _Nobody(asyncio.Protocol):
    """Takes everything and does nothing with it, until the connection is closed by us."""

    def eof_received(self) -> bool:
        return True


def display_address(address: tuple[str, int]) -> str:
    """``host:port``, an IPv6 host in brackets."""
    host, port = address[:2]
    host = host.removeprefix("::ffff:")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def connect_stream(host: str, port: int) -> Stream:
    """Connect; every address of a name is tried.

    Raises ConnectFailed, NameUnknown; UsageError for what is no name, or no number.
    """
    _check_kinds(host, port)
    where = display_address((host, port))
    if not 0 < port <= MAX_PORT:
        raise ConnectFailed(f"cannot connect to {where}: a port is from 1 to {MAX_PORT}")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await _connect_to_any(host, port)
    except TimeoutError:
        raise ConnectFailed(f"{where} did not answer in time") from None
    except (socket.gaierror, UnicodeError):
        raise NameUnknown(f"the name {host!r} cannot be resolved to an address") from None
    except OSError as error:
        raise ConnectFailed(f"cannot connect to {where}: {_reason(error)}") from None


async def _connect_to_any(host: str, port: int) -> SocketStream:
    """Try each address of the name. Raises what the last one raised."""
    # One after another: asyncio's own happy eyeballs lose connections when they are cancelled.
    found = await _addresses(host, port)
    failure: OSError = OSError("the name has no address")
    for family, _, _, _, address in found:
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT):
                _, stream = await asyncio.get_running_loop().create_connection(
                    SocketStream, _with_scope(address), port, family=family
                )
        except OSError as error:  # TimeoutError is one.
            failure = error
        else:
            return stream
    raise failure


def _check_kinds(host: str, port: int) -> None:
    if not isinstance(host, str) or type(port) is not int:
        raise UsageError("a host is a string, and a port a whole number")


async def _addresses(host: str, port: int, flags: int = 0) -> list[tuple[Any, ...]]:
    """Of a name, in the order in which to try them, each once."""
    if "\0" in host:
        raise socket.gaierror  # The system would look for what is before it.
    find = asyncio.get_running_loop().getaddrinfo
    return list(dict.fromkeys(await find(host, port, type=socket.SOCK_STREAM, flags=flags)))


def is_spared(number: int) -> bool:
    """Whether a connection has this descriptor, which is meant for other things."""
    # A new descriptor has the lowest number that is free.
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit != resource.RLIM_INFINITY and number >= limit - SPARED_DESCRIPTORS


def _with_scope(address: tuple[Any, ...]) -> str:
    """The host of a socket address; of a link-local one with its interface."""
    host, scope = str(address[0]), address[3] if len(address) > 3 else 0
    return f"{host}%{scope}" if scope and "%" not in host else host


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ECONNREFUSED:
        return "nobody listens there"
    return os.strerror(number) if number else str(error)


async def connect(
    host: str, port: int, session: Session, *, timeouts: Timeouts = Timeouts()
) -> Channel:
    """Connect and shake hands.

    Raises ConnectFailed and UsageError, as ``connect_stream``, and what ``Channel.open`` raises.
    """
    return await Channel.open(await connect_stream(host, port), session, timeouts=timeouts)


class SocketListener(ABC):
    """A server whose connections, on any kind of socket, become authenticated channels.

    The ``Listener`` of TCP and that of Unix sockets are such; it cannot be made by itself.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        new_session: Callable[[], Session],
        on_channel: Callable[[Channel], Awaitable[None]],
        on_failure: Callable[[str, E2EEError], None],
        timeouts: Timeouts,
        *,
        mute: bool = False,
    ) -> None:
        self._own_address = sockets[0].getsockname()
        self._sockets = sockets
        self._new_session = new_session
        self._on_channel = on_channel
        self._on_failure = on_failure
        self._timeouts = timeouts
        self._mute = mute
        self._handshakes = HalfOpen()
        self._tasks: set[asyncio.Task[None]] = set()
        for listening in sockets:
            self._watch(listening)

    # Accepting is not left to asyncio's own server, which loses connections that are half made
    # when it is closed.

    def _watch(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(BACKLOG):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                # No file descriptors left, most likely; who waits may get one in a moment.
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(ACCEPT_PAUSE, self._watch, listening)
                return
            if is_spared(connection.fileno()):
                connection.close()
                continue
            connection.setblocking(False)
            self._take(connection, address)

    @abstractmethod
    def _who(self, address: Any) -> tuple[str, str]:
        """What counts as one host, and how a person is told of it: of who calls from there."""

    def _take(self, connection: socket.socket, address: Any) -> None:
        host, shown = self._who(address)
        task = asyncio.create_task(self._serve(connection, host, shown))
        self._handshakes.add(task, host)
        self._tasks.add(task)
        task.add_done_callback(partial(self._forget, connection, host))

    def _forget(self, connection: socket.socket, host: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._handshakes.discard(task, host)
        connection.close()  # A task that is cancelled before its first step closes nothing.

    async def _serve(self, connection: socket.socket, host: str, address: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timeouts.handshake + MUTE_MARGIN
        _, stream = await loop.connect_accepted_socket(
            (lambda: _MuteStream(end)) if self._mute else SocketStream, connection
        )
        await serve_stream(
            stream,
            self._new_session,
            on_failure=partial(self._on_failure, address),
            on_authenticated=partial(self._handshakes.discard, task, host),
            on_channel=self._on_channel,
            timeouts=self._timeouts,
        )

    def stop_accepting(self) -> None:
        """Take no more connections, and drop those that have not authenticated yet."""
        while self._sockets:
            listening = self._sockets.pop()
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._handshakes.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop accepting and end every channel, but for one whose ``on_channel`` calls this: that
        ends when it returns.
        """
        self.stop_accepting()
        await end_others(self._tasks)


async def end_others(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel these and wait for them, but not for the one that calls this."""
    others = tasks - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        # Not with gather, whose cancellation goes on to those that it waits for: of two that call
        # this, each would cancel the other without end.
        done, _ = await asyncio.wait(others)
        for task in done:
            if not task.cancelled():
                task.exception()  # Its end was wanted, however it took it.


class Listener(SocketListener):
    """A server on TCP whose connections become authenticated channels. ``listen`` makes one."""

    @property
    def port(self) -> int:
        """Of TCP; the one that the system chose, where it was to choose."""
        return int(self._own_address[1])

    def _who(self, address: Any) -> tuple[str, str]:
        return host_of(address[0]), display_address(address)


async def listen(
    new_session: Callable[[], Session],
    on_channel: Callable[[Channel], Awaitable[None]],
    *,
    host: str | None = None,
    port: int = 0,
    on_failure: Callable[[str, E2EEError], None] = lambda _address, _error: None,
    timeouts: Timeouts = Timeouts(),
    mute: bool = False,
) -> Listener:
    """Listen on an address, or on all of IPv4 and IPv6; port 0 lets the system choose.

    ``new_session`` makes a responder's session for each connection. ``on_channel`` gets each
    authenticated channel, which is closed when it returns; ``on_failure`` gets the address and the
    reason where no channel came of a connection, or where ``on_channel`` ended with a ProtocolError
    or TransportError, as it does when the peer breaks off, or with SessionClosed, as it does when
    there was something to send to a peer that has closed. With ``mute``, connections of which no
    channel came are reset at the same age, whatever came: for sessions that take calls from
    contacts only (SPEC.md section 4.3).
    Raises AddressInUse, TransportError; UsageError for a port that does not exist.
    """
    sockets = await listening_sockets(host, port)
    return Listener(sockets, new_session, on_channel, on_failure, timeouts, mute=mute)


async def listening_sockets(host: str | None, port: int) -> list[socket.socket]:
    """As for ``listen``. Raises AddressInUse, TransportError, UsageError."""
    _check_kinds("" if host is None else host, port)
    if not 0 <= port <= MAX_PORT:
        raise UsageError(f"a port is from 0 to {MAX_PORT}")
    try:
        sockets = await _bound_sockets(host, port)
    except (socket.gaierror, UnicodeError):
        raise TransportError(f"the name {host!r} cannot be resolved to an address") from None
    except OSError as error:
        where = display_address((host or "*", port))
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise AddressInUse(f"{where} is in use by another program") from None
        raise TransportError(f"cannot listen on {where}: {_reason(error)}") from None
    for listening in sockets:
        listening.setblocking(False)
    return sockets


async def _bound_sockets(host: str | None, port: int) -> list[socket.socket]:
    if host is None:
        if not socket.has_dualstack_ipv6():
            return [socket.create_server(("", port), backlog=BACKLOG)]
        try:
            return [
                socket.create_server(
                    ("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True
                )
            ]
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            return [socket.create_server(("", port), backlog=BACKLOG)]  # IPv6 is turned off.
    found = await _addresses(host, port, socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in found:
            sockets.append(
                socket.create_server(
                    (address[0], port, *address[2:]), family=family, backlog=BACKLOG
                )
            )
            # Where the system chose the port, every address of the name gets the same one.
            port = sockets[0].getsockname()[1]
    except BaseException:
        for listening in sockets:
            listening.close()
        raise
    return sockets
