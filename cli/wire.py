"""What an eavesdropper sees: the bytes that cross a stream, shown as they pass."""

from __future__ import annotations

from collections.abc import Callable

from e2ee.transport import Stream

SHOWN = 14
"""Bytes of each piece that are shown, as many as a row of a chat has room for in a terminal of 80
columns; the rest is as random as they are.
"""


class WatchedStream:
    """A Stream that shows what it carries, as it stands on the wire."""

    def __init__(self, stream: Stream, show: Callable[[str], None]) -> None:
        self._stream = stream
        self._show = show

    async def receive(self) -> bytes:
        data = await self._stream.receive()
        if data:
            self._show(_line("<-", data))
        return data

    async def send(self, data: bytes) -> None:
        self._show(_line("->", data))
        await self._stream.send(data)

    async def close(self) -> None:
        await self._stream.close()


def _line(arrow: str, data: bytes) -> str:
    more = " …" if len(data) > SHOWN else ""
    return f"    wire {arrow} {len(data):5} bytes: {data[:SHOWN].hex(' ')}{more}"
