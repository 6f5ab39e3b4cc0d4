"""A bad link: a TCP proxy on loopback that does to connections what networks do, by a seed."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

HERE = "127.0.0.1"
CHUNK = 65_536
RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER, on, for no time."""

LINGER = 2.0
"""Seconds that both ends of a connection that was cut have to close it too."""

Kind = Literal["cut", "reset", "half-cut", "stall", "timeout"]


@dataclass(frozen=True)
class Fault:
    """``cut`` -- FIN to both ends. ``reset`` -- RST to both. ``half-cut`` -- FIN to one of them,
    while the other direction goes on. ``stall`` -- nothing moves for ``seconds``, and then all of
    it does. ``timeout`` -- nothing moves any more, and after ``seconds`` both ends are reset.
    ``after`` -- so many bytes, of both directions together, since the fault before.
    """

    kind: Kind
    after: int
    seconds: float = 0


@dataclass(frozen=True)
class Line:
    """One connection: at most ``slice`` bytes at a time, each ``latency`` seconds late, in each
    direction ``rate`` bytes a second, and the faults that befall it, in order. An end that one
    side closes is closed ``slow_close`` seconds later at the other. ``down`` -- it is reset as soon
    as it is there.
    """

    faults: Iterator[Fault]
    slice: int = CHUNK
    latency: float = 0
    rate: float = float("inf")
    slow_close: float = 0
    down: bool = False


Weather = Callable[[random.Random, int], Line]
"""What a connection is like, of which so many were there before."""


def calm(_chance: random.Random, _number: int) -> Line:
    return Line(iter(()))


class Proxy:
    """Use it in a ``with``; it runs in a thread of its own. ``address`` -- where to connect.
    ``done`` -- how often it did what. ``passed`` -- bytes that it let through.
    """

    def __init__(self, target: str, weather: Weather = calm, *, seed: int = 0) -> None:
        host, _, port = target.rpartition(":")
        self.target = (host, int(port))
        self.weather = weather
        self.done: collections.Counter[str] = collections.Counter()
        self.passed = 0
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._server = self._loop.run_until_complete(asyncio.start_server(self._accept, HERE))
        self.address = f"{HERE}:{self._server.sockets[0].getsockname()[1]}"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nobody answers at the address any more, and every connection is reset."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze(self) -> None:
        """Let nothing through, as a stopped process would, until ``thaw``."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def thaw(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.set)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        line = self.weather(self._chance, self.done["connection"])
        self.done["connection"] += 1
        writers = [writer]
        try:
            if line.down:
                reset(writers)
                return
            with contextlib.suppress(OSError):
                back, forth = await asyncio.open_connection(*self.target)
                writers.append(forth)
                connection = _Connection(self, line, writers)
                await asyncio.gather(connection.pump(reader, forth), connection.pump(back, writer))
        except asyncio.CancelledError:
            reset(writers)
        finally:
            self._tasks.discard(task)
            for each in writers:
                each.close()

    async def flowing(self) -> None:
        await self._flowing.wait()

    def chosen(self, writers: list[asyncio.StreamWriter]) -> asyncio.StreamWriter:
        return self._chance.choice(writers)


class _Connection:
    """Both directions of one connection."""

    def __init__(self, proxy: Proxy, line: Line, writers: list[asyncio.StreamWriter]) -> None:
        self._proxy = proxy
        self._line = line
        self._writers = writers
        self._fault = next(line.faults, None)
        self._counted = 0
        self._stalled_until = 0.0
        self._deaf: set[asyncio.StreamWriter] = set()
        """Those that get nothing more."""

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await reader.read(self._line.slice):
                await self._proxy.flowing()
                await asyncio.sleep(max(0, self._stalled_until - loop.time()))
                if delay := self._line.latency + len(data) / self._line.rate:
                    await asyncio.sleep(delay)
                await self._pass(data, writer)
            await self._proxy.flowing()
            await asyncio.sleep(self._line.slow_close)
            if writer not in self._deaf:
                self._deafen(writer)

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        while self._fault is not None and self._counted + len(data) > self._fault.after:
            allowed = self._fault.after - self._counted
            fault, self._counted = self._fault, 0
            over = fault.kind in {"cut", "reset", "timeout"}
            self._fault = None if over else next(self._line.faults, None)
            await self._write(data[:allowed], writer)
            data = data[allowed:]
            await self._do(fault)
        self._counted += len(data)
        await self._write(data, writer)

    async def _write(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if data and writer not in self._deaf:
            self._proxy.passed += len(data)
            writer.write(data)
            await writer.drain()

    def _deafen(self, writer: asyncio.StreamWriter) -> None:
        self._deaf.add(writer)
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _do(self, fault: Fault) -> None:
        self._proxy.done[fault.kind] += 1
        match fault.kind:
            case "stall":
                self._stalled_until = asyncio.get_running_loop().time() + fault.seconds
                await asyncio.sleep(fault.seconds)
            case "timeout":
                self._deaf.update(self._writers)
                loop = asyncio.get_running_loop()
                loop.call_later(fault.seconds, reset, self._writers)
            case "reset":
                reset(self._writers)
            case "half-cut":
                self._deafen(self._proxy.chosen(self._writers))
            case "cut":
                for writer in self._writers:
                    self._deafen(writer)
                # What still comes is dropped; who does not close either is not waited for.
                asyncio.get_running_loop().call_later(LINGER, reset, self._writers)


def reset(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        if not writer.is_closing():
            end = writer.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            writer.transport.abort()
