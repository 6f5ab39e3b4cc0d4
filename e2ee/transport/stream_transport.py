"""StreamTransport: runs a channel on any Stream, in the place of an asyncio transport."""

from __future__ import annotations

import asyncio
import contextlib

from e2ee._uncopyable import Uncopyable
from e2ee.errors import E2EEError, TransportError
from e2ee.transport.stream import Stream

PIECE = 256 * 1024
"""Bytes that one ``send`` of the stream gets at most: only then is it seen that they move."""

GRACE = 0.1
"""Seconds for reading what has come already, when nothing can be sent any more."""


class StreamProtocol(asyncio.Protocol):
    """What a StreamTransport drives: as any of asyncio's, but told of a failure before the end.

    ``connection_lost`` comes when the stream is closed, which may take its time.
    """

    __slots__ = ()

    def stream_failed(self, error: E2EEError) -> None:
        """Nothing more comes or goes; ``abort`` is expected."""


class StreamTransport(Uncopyable, asyncio.Transport):
    """An asyncio transport whose bytes a Stream carries, for a protocol that heeds its pauses.

    Nothing is raised here: what a stream raises, the protocol is told.
    """

    def __init__(self, stream: Stream, protocol: StreamProtocol) -> None:
        super().__init__()
        self._stream = stream
        self._protocol = protocol
        self._unsent = 0
        self._may_read = asyncio.Event()
        self._may_read.set()
        protocol.connection_made(self)
        self._reading = asyncio.create_task(self._read())
        self._writing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def _read(self) -> None:
        try:
            while True:
                await self._may_read.wait()
                data = await self._stream.receive()
                if not data:
                    break
                self._protocol.data_received(data)
        except Exception as error:  # noqa: BLE001 -- whatever somebody else's stream raises
            self._protocol.stream_failed(_as_told(error))
        else:
            self._protocol.eof_received()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Takes the next bytes when it has been told to resume only."""
        self._protocol.pause_writing()
        self._unsent = len(data)
        self._writing = asyncio.create_task(self._write(bytes(data)))

    async def _write(self, data: bytes) -> None:
        try:
            for at in range(0, len(data), PIECE):
                piece = data[at : at + PIECE]
                await self._stream.send(piece)
                self._unsent -= len(piece)
        except Exception as error:  # noqa: BLE001 -- whatever somebody else's stream raises
            await asyncio.sleep(GRACE)
            self._protocol.stream_failed(_as_told(error))
        else:
            self._protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        return self._unsent

    def is_closing(self) -> bool:
        return self._closing is not None

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def abort(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())

    async def _close(self) -> None:
        tasks = [task for task in (self._reading, self._writing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Exception):
            await self._stream.close()
        self._protocol.connection_lost(None)


def _as_told(error: Exception) -> E2EEError:
    """Whatever a foreign stream raises is a TransportError to us."""
    if isinstance(error, E2EEError):
        return error
    failure = TransportError(f"the stream failed: {error!r}")
    failure.__cause__ = error
    return failure
