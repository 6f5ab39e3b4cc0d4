"""WebSockets: client and server over the ``websockets`` library, the extra ``websocket``.

Binary messages carry the bytes of the stream; where one of them ends means nothing. What is between
the two ends, such as a web server, sees the sizes and times of records, and nothing else.
SPEC.md section 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Self

from e2ee.errors import ConnectFailed, E2EEError, TransportError, UsageError
from e2ee.session import Session
from e2ee.transport.channel import Channel, Timeouts
from e2ee.transport.half_open import HalfOpen, host_of
from e2ee.transport.serving import serve_stream
from e2ee.transport.tcp import display_address, end_others, is_spared, listening_sockets

try:
    from websockets.asyncio.client import connect as connect_websocket
    from websockets.asyncio.connection import Connection
    from websockets.asyncio.server import Server, ServerConnection, serve
    from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, WebSocketException
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "e2ee.transport.websocket needs the extra websocket: e2ee-session[websocket]",
        name=error.name,
    ) from None

__all__ = ["OPTIONS", "Listener", "WebSocketStream", "connect", "connect_stream", "listen"]

SENT_SIZE = 64 * 1024
"""Bytes of the stream in one message that we send."""

MAX_RECEIVED_SIZE = 1024 * 1024
"""Bytes in one message of the other end; more break the connection."""

CONNECT_TIMEOUT = 10.0
"""Seconds for connecting and the opening handshake of the WebSocket, for who connects."""

GOODBYE_TIMEOUT = 1.0
"""Seconds for the last bytes to leave, and for TLS to end, once a stream is closed."""

_HELD = 1
"""Bytes that may still be held back. With 0 asyncio's TLS would never say that there is room."""

OPTIONS: dict[str, Any] = {
    "compression": None,  # Ciphertext only grows by it.
    "ping_interval": None,  # The channel asks for signs of life.
    "close_timeout": GOODBYE_TIMEOUT,
    "max_size": MAX_RECEIVED_SIZE,
    "max_queue": 4,
    "write_limit": _HELD,  # What ``send`` has taken is the system's when it returns.
}
"""How ``websockets`` is to be asked for a connection that becomes a stream."""


class WebSocketStream:
    """A Stream over a connection of ``websockets``, made with OPTIONS, by whichever side."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def receive(self) -> bytes:
        """As every stream: at least one byte, or b"" at the end. Raises TransportError."""
        try:
            while True:
                message = await self._connection.recv()
                if isinstance(message, str):
                    raise TransportError("the other end sent text over the WebSocket, not bytes")
                if message:
                    return message
        except ConnectionClosedOK:
            return b""
        except ConnectionClosed as error:
            raise _broken(error) from None

    async def send(self, data: bytes) -> None:
        """As every stream: any number of bytes. Raises TransportError."""
        try:
            for at in range(0, len(data), SENT_SIZE):
                await self._connection.send(data[at : at + SENT_SIZE])
        except ConnectionClosed as error:
            raise _broken(error) from None

    async def close(self) -> None:
        """As every stream: the other end is told, and not waited for."""
        transport = self._connection.transport
        try:
            # Only a send that was given up leaves something here, and a stuck peer would hold it.
            if transport.is_closing() or transport.get_write_buffer_size() <= _HELD:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0):  # The close is sent, its answer not waited for.
                        await self._connection.close()
                transport.close()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GOODBYE_TIMEOUT):
                        await self._connection.wait_closed()
        finally:
            transport.abort()


def _broken(error: ConnectionClosed) -> TransportError:
    if isinstance(error, ConnectionClosedOK):
        return TransportError("the other end has closed the WebSocket")
    return TransportError(f"the WebSocket broke: {error}")


async def connect_stream(uri: str) -> WebSocketStream:
    """Connect to a ``ws://`` or ``wss://`` address.

    Raises ConnectFailed, which does not repeat a password out of the address; UsageError for what
    is no text.
    """
    if not isinstance(uri, str):
        raise UsageError("the address of a WebSocket is a string")
    try:
        return WebSocketStream(
            await connect_websocket(uri, open_timeout=CONNECT_TIMEOUT, **OPTIONS)
        )
    except TimeoutError:
        raise ConnectFailed(_without_user(f"{uri} did not answer in time")) from None
    except (OSError, ValueError, WebSocketException, ImportError) as error:
        raise ConnectFailed(_without_user(f"cannot connect to {uri}: {error}")) from None


def _without_user(text: str) -> str:
    """``user:password@`` in an address is for the server, and for nobody's log."""
    return re.sub(r"(?<=//)[^/?#]*@", "", text)


async def connect(uri: str, session: Session, *, timeouts: Timeouts = Timeouts()) -> Channel:
    """Connect and shake hands.

    Raises ConnectFailed and UsageError, as ``connect_stream``, and what ``Channel.open`` raises.
    """
    return await Channel.open(await connect_stream(uri), session, timeouts=timeouts)


class _Connection(ServerConnection):
    """A connection of a listener, half open from the first: who connects may never say a word."""

    def __init__(self, handshakes: HalfOpen, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.began = self.loop.time()
        self.host = ""
        self.task: asyncio.Task[None] | None = None
        """What serves it, after the opening handshake of the WebSocket."""
        self._handshakes = handshakes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        number = transport.get_extra_info("socket").fileno()
        if is_spared(number) or not self.server.is_serving():
            self.transport.abort()
            return
        self.host = host_of(transport.get_extra_info("peername")[0])
        self._handshakes.add(self, self.host)

    def connection_lost(self, exc: Exception | None) -> None:
        self.authenticated()
        super().connection_lost(exc)

    def authenticated(self) -> None:
        """It is half open no more."""
        self._handshakes.discard(self, self.host)

    def cancel(self) -> None:
        """Drop it."""
        if self.task is None:
            self.transport.abort()
        else:
            self.task.cancel()


class Listener:
    """A WebSocket server whose connections become authenticated channels. ``listen`` makes one."""

    def __init__(
        self,
        new_session: Callable[[], Session],
        on_channel: Callable[[Channel], Awaitable[None]],
        on_failure: Callable[[str, E2EEError], None],
        timeouts: Timeouts,
    ) -> None:
        self.port = 0
        self._new_session = new_session
        self._on_channel = on_channel
        self._on_failure = on_failure
        self._timeouts = timeouts
        self._handshakes = HalfOpen()
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[Server] = []

    async def _listen(self, host: str | None, port: int) -> None:
        sockets = await listening_sockets(host, port)
        self.port = sockets[0].getsockname()[1]
        new_connection: Any = partial(_Connection, self._handshakes)
        for listening in sockets:
            self._servers.append(
                await serve(
                    self._serve,
                    sock=listening,
                    create_connection=new_connection,
                    open_timeout=self._timeouts.handshake,
                    **OPTIONS,
                )
            )

    async def _serve(self, connection: ServerConnection) -> None:
        assert isinstance(connection, _Connection)
        connection.task = task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        # The deadline is absolute: what the WebSocket's own handshake took is a part of it.
        left = connection.began + self._timeouts.handshake - connection.loop.time()
        try:
            await serve_stream(
                WebSocketStream(connection),
                self._new_session,
                on_failure=partial(self._on_failure, display_address(connection.remote_address)),
                on_authenticated=connection.authenticated,
                on_channel=self._on_channel,
                timeouts=replace(self._timeouts, handshake=max(left, math.ulp(0.0))),
            )
        finally:
            self._tasks.discard(task)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """As for TCP."""
        for server in self._servers:
            server.close(close_connections=False)
        await end_others(self._tasks)
        self._handshakes.cancel()
        # Who has been accepted, and no more than that, is not waited for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                for server in self._servers:
                    await server.wait_closed()


async def listen(
    new_session: Callable[[], Session],
    on_channel: Callable[[Channel], Awaitable[None]],
    *,
    host: str | None = None,
    port: int = 0,
    on_failure: Callable[[str, E2EEError], None] = lambda _address, _error: None,
    timeouts: Timeouts = Timeouts(),
) -> Listener:
    """Listen for WebSockets at any path of ``ws://``; for ``wss://`` put a web server before it.

    The rest is as for TCP, and raises the same. But all that comes by way of a web server is of
    one host, of which there are at most 32 handshakes at a time.
    """
    listener = Listener(new_session, on_channel, on_failure, timeouts)
    await listener._listen(host, port)  # noqa: SLF001 -- a constructor cannot wait
    return listener
