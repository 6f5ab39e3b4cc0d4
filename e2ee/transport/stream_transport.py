"""StreamTransport: runs a channel on any Stream, in the place of an asyncio transport."""

from __future__ import annotations

import asyncio

from e2ee._uncopyable import Uncopyable
from e2ee.errors import E2EEError, TransportError
from e2ee.transport.stream import Stream

PIECE = 256 * 1024
"""Bytes that one ``send`` of the stream gets at most: only then is it seen that they move."""

GRACE = 0.1
"""Seconds for reading what has come already, when nothing can be sent any more."""

CLOSE_TIMEOUT = 5.0
"""Seconds for a stream to end what it is doing, and again for it to close. Then it is left."""

_OF_THE_PROGRAM = (GeneratorExit, KeyboardInterrupt, SystemExit)
"""What ends more than a stream."""


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
        except _OF_THE_PROGRAM:
            raise
        except BaseException as error:  # noqa: BLE001 -- whatever somebody else's stream raises
            self._fail(error)
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
        except _OF_THE_PROGRAM:
            raise
        except BaseException as error:  # noqa: BLE001 -- whatever somebody else's stream raises
            asyncio.get_running_loop().call_later(GRACE, self._fail, error)
        else:
            self._protocol.resume_writing()

    def _fail(self, error: BaseException) -> None:
        if self._closing is None:  # Otherwise it is we who have cancelled it.
            self._protocol.stream_failed(_as_told(error))

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
        try:
            tasks = {task for task in (self._reading, self._writing) if task is not None}
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)
            closing = asyncio.create_task(self._close_stream())
            _, stuck = await asyncio.wait({closing}, timeout=CLOSE_TIMEOUT)
            for task in stuck:
                task.cancel()
        finally:
            self._protocol.connection_lost(None)

    async def _close_stream(self) -> None:
        try:
            await self._stream.close()
        except _OF_THE_PROGRAM:
            raise
        except BaseException:  # noqa: BLE001, S110 -- whatever somebody else's stream raises
            pass


def _as_told(error: BaseException) -> E2EEError:
    """Whatever a foreign stream raises is a TransportError to us."""
    if isinstance(error, E2EEError):
        return error
    failure = TransportError(f"the stream failed: {error!r}")
    failure.__cause__ = error
    return failure
