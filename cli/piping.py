"""A channel that carries bytes both ways, between the standard streams of its two ends."""

from __future__ import annotations

import asyncio
import contextlib

from e2ee.errors import E2EEError, UnexpectedMessage
from e2ee.messages import End, Leave, Written, encode
from e2ee.pipe_messages import decode_pipe
from e2ee.transport import Channel

from .carrying import GOODBYE_TIMEOUT
from .exits import CliError, Exit
from .output import write_stdout
from .standard_bytes import Input, end_stdout, widen_pipes
from .threads import Worker

MESSAGES_AHEAD = 32
"""Messages, of 64 KiB at most, that wait for standard output."""

REASONS = {
    "output": "what is sent there is not taken any more",
    "input": "its input cannot be read",
    "stopped": "it was stopped",
}
"""Why the peer has left: SPEC.md section 11.5."""


class Pipe:
    """What goes over a channel for a pipe after the hellos. SPEC.md section 11.5."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._arrived: asyncio.Queue[memoryview | None] = asyncio.Queue(MESSAGES_AHEAD)
        """What is to be written to standard output; None when nothing more will come."""
        self._end_sent = self._end_came = self._confirmed = False

    async def run(self) -> None:
        """Until everything has been written out on both sides.

        Raises CliError, BrokenPipeError where it will not be.
        """
        widen_pipes()
        sending = asyncio.create_task(self._send())
        receiving = asyncio.create_task(self._receive())
        writing = asyncio.create_task(self._write())
        tasks = (receiving, writing, sending)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            if receiving.done():
                await asyncio.wait({writing})  # What has come is good, whatever came after.
            for task in tasks:
                if task.done():
                    task.result()
            with contextlib.suppress(E2EEError):  # Nothing is missing any more.
                await self._channel.close()
        except asyncio.CancelledError:
            await self._leave("stopped", sending)
            raise
        except (CliError, OSError):
            if not (receiving.done() and receiving.exception()):  # It listens.
                failed = writing.done() and writing.exception()
                await self._leave("output" if failed else "input", sending)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self) -> None:
        source, worker = Input(), Worker()
        reading = worker.begin(source.read)
        try:
            while messages := await reading:
                reading = worker.begin(source.read)
                for message in messages:
                    await self._channel.send(message)
            self._end_sent = True
            await self._channel.send(encode(End()))
        except E2EEError:
            return  # Who receives is told more.
        finally:
            reading.cancel()
            worker.end()

    async def _receive(self) -> None:
        try:
            while not (self._end_came and self._confirmed):
                await self._on(await self._channel.receive())
        except E2EEError as error:
            await self._stop_writing()
            raise CliError(f"{error}; {self._missing}", Exit.NETWORK) from None
        except CliError:
            await self._stop_writing()
            raise

    async def _on(self, message: bytes | None) -> None:
        match message and decode_pipe(message):
            case None:
                raise CliError(f"the other side has closed: {self._missing}", Exit.NETWORK)
            case memoryview() as data if not self._end_came:
                await self._arrived.put(data)
            case End() if not self._end_came:
                self._end_came = True
                await self._arrived.put(None)
            case Written() if self._end_sent and not self._confirmed:
                self._confirmed = True
            case Leave(reason=reason):
                why = REASONS.get(reason, "it wants no more")
                raise CliError(
                    f"the other side has left: {why}; {self._missing}", Exit.NOT_CONFIRMED
                )
            case _:
                raise UnexpectedMessage("the peer went on where its part of the pipe had ended")

    async def _stop_writing(self) -> None:
        if not self._end_came:
            await self._arrived.put(None)

    @property
    def _missing(self) -> str:
        theirs = "" if self._confirmed else "what the other side got may not be whole"
        ours = "" if self._end_came else "what came from there is not whole"
        return ", ".join(filter(None, (theirs, ours)))

    async def _write(self) -> None:
        worker = Worker()
        try:
            data: memoryview | None = memoryview(b"")
            while data is not None:
                parts = []
                data = await self._arrived.get()
                while data is not None:
                    parts.append(data)
                    if self._arrived.empty():
                        break
                    data = self._arrived.get_nowait()
                await worker.begin(lambda parts=parts: _write_all(parts))  # type: ignore[misc]
            if self._end_came:
                await worker.begin(end_stdout)
                with contextlib.suppress(E2EEError):  # Who receives is told.
                    await self._channel.send(encode(Written()))
        finally:
            worker.end()

    async def _leave(self, reason: str, sending: asyncio.Task[None]) -> None:
        """Tell the peer why, if it listens."""
        sending.cancel()
        with contextlib.suppress(E2EEError, TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await self._channel.send(encode(Leave(reason=reason)))
                await self._channel.close()


def _write_all(parts: list[memoryview]) -> None:
    for part in parts:
        write_stdout(part)
