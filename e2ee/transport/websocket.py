"""WebSockets: client and server over the ``websockets`` library, the extra ``websocket``.

Binary messages carry the bytes of the stream; where one of them ends means nothing. What is between
the two ends, such as a web server, sees the sizes and times of records, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from e2ee.errors import ConnectFailed, TransportError
from e2ee.session import Session
from e2ee.transport.channel import Channel, Timeouts

try:
    from websockets.asyncio.client import connect as connect_websocket
    from websockets.asyncio.connection import Connection
    from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, WebSocketException
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "e2ee.transport.websocket needs the extra websocket: e2ee-session[websocket]",
        name=error.name,
    ) from None

SENT_SIZE = 64 * 1024
"""Bytes of the stream in one message that we send."""

MAX_RECEIVED_SIZE = 1024 * 1024
"""Bytes in one message of the other end; more break the connection."""

CONNECT_TIMEOUT = 10.0
"""Seconds for connecting and the opening handshake of the WebSocket."""

GOODBYE_TIMEOUT = 1.0
"""Seconds for the last bytes to leave, and for TLS to end, once a stream is closed."""

OPTIONS: dict[str, Any] = {
    "compression": None,  # Ciphertext only grows by it.
    "ping_interval": None,  # The channel asks for signs of life.
    "close_timeout": GOODBYE_TIMEOUT,
    "max_size": MAX_RECEIVED_SIZE,
    "max_queue": 4,
    "write_limit": 0,  # What ``send`` has taken is the system's when it returns.
}
"""How ``websockets`` is to be asked for a connection that becomes a stream."""


class WebSocketStream:
    """A Stream over a connection of ``websockets``, made with OPTIONS, by whichever side."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def receive(self) -> bytes:
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
        try:
            for at in range(0, len(data), SENT_SIZE):
                await self._connection.send(data[at : at + SENT_SIZE])
        except ConnectionClosed as error:
            raise _broken(error) from None

    async def close(self) -> None:
        transport = self._connection.transport
        try:
            # Only a send that was given up leaves something here, and a stuck peer would hold it.
            if not transport.get_write_buffer_size():
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
    """Connect to a ``ws://`` or ``wss://`` address. Raises ConnectFailed."""
    try:
        return WebSocketStream(
            await connect_websocket(uri, open_timeout=CONNECT_TIMEOUT, **OPTIONS)
        )
    except TimeoutError:
        raise ConnectFailed(f"{uri} did not answer in time") from None
    except (OSError, ValueError, WebSocketException, ImportError) as error:
        raise ConnectFailed(f"cannot connect to {uri}: {error}") from None


async def connect(uri: str, session: Session, *, timeouts: Timeouts = Timeouts()) -> Channel:
    """Connect and shake hands. Raises ConnectFailed and what ``Channel.open`` raises."""
    return await Channel.open(await connect_stream(uri), session, timeouts=timeouts)
