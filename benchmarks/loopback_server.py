"""The other end on loopback: ``python -m benchmarks.loopback_server KIND CERTIFICATE``.

The kind is ``e2ee`` or ``tls``, which needs the file with key and certificate. It says its port,
and serves until its standard input ends. A connection says first what it wants: ECHO of each ping,
or SINK, where a byte comes back for so many bytes.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from contextlib import suppress

from benchmarks.tls import server_context
from e2ee import Identity, Session
from e2ee.errors import E2EEError
from e2ee.transport import Channel, tcp

ECHO = b"E"
SINK = b"S"
PING = 64
"""Bytes of what is sent to and fro."""

BLOCK = 64 * 1024
"""Bytes that are sent with one call, and read at most with one."""

COUNT = 8
"""Bytes of the count after SINK."""


async def serve_channel(channel: Channel) -> None:
    with suppress(E2EEError):
        wanted = await channel.receive() or b""
        if wanted == ECHO:
            async for message in channel:
                await channel.send(message)
        total = left = int.from_bytes(wanted[1:])
        async for message in channel:
            left -= len(message)
            if left == 0:
                await channel.send(SINK)
                left = total


async def serve_streams(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        if await reader.readexactly(1) == ECHO:
            while True:
                writer.write(await reader.readexactly(PING))
                await writer.drain()
        total = left = int.from_bytes(await reader.readexactly(COUNT))
        while data := await reader.read(BLOCK):
            left -= len(data)
            if left == 0:
                writer.write(SINK)
                await writer.drain()
                left = total
    writer.close()


async def listen(kind: str, certificate: str) -> int:
    """Begin; gives the port."""
    if kind == "tls":
        context = server_context()
        context.verify_mode = ssl.CERT_NONE  # How long a handshake takes is measured elsewhere.
        context.load_cert_chain(certificate)
        server = await asyncio.start_server(serve_streams, "127.0.0.1", 0, ssl=context)
        return int(server.sockets[0].getsockname()[1])
    identity = Identity.generate(now=time.time())
    listener = await tcp.listen(
        lambda: Session.responder(identity, now=time.time()), serve_channel, host="127.0.0.1"
    )
    return listener.port


async def main() -> None:
    print(await listen(*sys.argv[1:]), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
