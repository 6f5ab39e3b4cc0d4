"""Two channels with a faulty network between them: all messages, or a clear error, in time."""

import asyncio
import collections
import contextlib
import random
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from e2ee import Identity, Session
from e2ee.errors import E2EEError
from e2ee.transport import Channel, Timeouts
from e2ee.transport.tcp import connect, listen

CLIENT, SERVER = Identity.generate(), Identity.generate()
HERE = "127.0.0.1"
TIMEOUTS = Timeouts(handshake=3, quiet=0.4, dead=1.6, close=4)
RUNS, AT_ONCE = 200, 20
BOUND = 20.0
"""Seconds: the sum of the timeouts, and as much again for a busy machine."""


@dataclass(frozen=True)
class Fault:
    """What befalls one direction: bytes in slices, each late, and after ``limit`` an ``end``."""

    slice: int
    delay: float
    limit: int | None
    end: str

    @classmethod
    def by_chance(cls, chance: random.Random) -> "Fault":
        limit = chance.choice([None, None, chance.randrange(3_000), chance.randrange(200_000)])
        return cls(
            slice=chance.choice([20 + chance.randrange(100), 1_000, 65_536]),
            delay=chance.choice([0, 0, 0.0005, 0.003]),
            limit=limit,
            end=chance.choice(["reset", "half-close", "stall", "drop"]),
        )


class Proxy:
    """Stands between one client and a server, and does to their bytes what it is told."""

    def __init__(self, port: int, forth: Fault, back: Fault) -> None:
        self._port = port
        self._faults = forth, back
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._accept, HERE)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._task = asyncio.create_task(self._relay(reader, writer))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = await asyncio.open_connection(HERE, self._port)
        pumps = asyncio.gather(
            self._pump(reader, to_server[1], self._faults[0]),
            self._pump(to_server[0], writer, self._faults[1]),
        )
        pumps.add_done_callback(lambda _: self._over.set())
        await self._over.wait()
        pumps.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pumps
        for end in (writer, to_server[1]):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault
    ) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(fault.slice):
                if fault.limit is not None and passed + len(data) > fault.limit:
                    writer.write(data[: fault.limit - passed])
                    await writer.drain()
                    await self._end(writer, fault.end)
                    return
                passed += len(data)
                writer.write(data)
                await writer.drain()
                # Tiny slices of a large transfer must not take minutes.
                if fault.delay and passed < 60 * fault.slice:
                    await asyncio.sleep(fault.delay)
            writer.write_eof()

    async def _end(self, writer: asyncio.StreamWriter, end: str) -> None:
        match end:
            case "reset":
                reset = struct.pack("ii", 1, 0)
                endpoint = writer.get_extra_info("socket")
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                self._over.set()
            case "drop":
                self._over.set()
            case "half-close":
                writer.write_eof()
            case "stall":
                await self._over.wait()

    async def stop(self) -> None:
        self._server.close()
        self._over.set()
        if self._task is not None:
            await asyncio.wait({self._task})


Outcome = tuple[list[bytes], E2EEError | None]


async def talk(channel: Channel, messages: list[bytes], *, closes: bool) -> Outcome:
    """Send everything, receive everything; whoever ``closes`` waits for the other's last first."""
    received: list[bytes] = []
    enough = asyncio.Event()

    async def send() -> None:
        for message in messages:
            await channel.send(message)
        if closes:
            await enough.wait()
            await channel.close()

    sending = asyncio.create_task(send())
    try:
        async for message in channel:
            received.append(message)
            if len(received) == len(messages):
                enough.set()
        await sending
    except E2EEError as error:
        return received, error
    finally:
        sending.cancel()
        await asyncio.wait({sending})
        if not sending.cancelled():
            sending.exception()
        await channel.abort()
    return received, None


def is_prefix(received: list[bytes], sent: list[bytes]) -> bool:
    return received == sent[: len(received)]


async def run(seed: int) -> str:
    """One conversation through one faulty network; how it ended at the client."""
    chance = random.Random(seed)
    forth, back = Fault.by_chance(chance), Fault.by_chance(chance)
    clients, servers = (
        [chance.randbytes(chance.choice([0, 10, 1_000, 30_000])) for _ in range(10)]
        for _ in range(2)
    )
    server_outcome: list[Outcome] = []

    async def serve(channel: Channel) -> None:
        server_outcome.append(await talk(channel, servers, closes=False))

    def fail(_: str, error: E2EEError) -> None:
        server_outcome.append(([], error))

    listener = await listen(
        lambda: Session.responder(SERVER), serve, host=HERE, on_failure=fail, timeouts=TIMEOUTS
    )
    proxy = Proxy(listener.port, forth, back)
    port = await proxy.start()
    began = time.monotonic()
    received: list[bytes] = []
    error: E2EEError | None = None
    try:
        async with asyncio.timeout(BOUND):
            channel = await connect(HERE, port, Session.initiator(CLIENT), timeouts=TIMEOUTS)
            received, error = await talk(channel, clients, closes=True)
    except TimeoutError:
        pytest.fail(f"seed {seed}: the client hung with {forth} and {back}")
    except E2EEError as failure:
        error = failure
    for _ in range(int(BOUND * 20)):
        if server_outcome:
            break
        await asyncio.sleep(0.05)
    assert server_outcome, f"seed {seed}: the server hung with {forth} and {back}"
    assert time.monotonic() - began < BOUND, f"seed {seed}"
    await listener.close()
    await proxy.stop()

    [(server_received, server_error)] = server_outcome
    assert is_prefix(received, servers), f"seed {seed}"
    assert is_prefix(server_received, clients), f"seed {seed}"
    if error is None:
        assert received == servers, f"seed {seed}: an orderly end without all messages"
    if server_error is None:
        assert server_received == clients, f"seed {seed}: an orderly end without all messages"
    if forth.limit is back.limit is None:
        assert error is server_error is None, f"seed {seed}: {error}, {server_error}"
    assert error is None or str(error), f"seed {seed}: an error without a text"
    return "all messages" if error is None else type(error).__name__


@pytest.mark.attack(55)
@pytest.mark.timeout(180)
async def test_every_faulty_network_gives_all_messages_or_a_clear_error_in_bounded_time(
    figure: Callable[[str], None],
) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def run_in_turn(seed: int) -> str:
        async with places:
            return await run(seed)

    outcomes = collections.Counter(await asyncio.gather(*map(run_in_turn, range(RUNS))))
    assert outcomes["all messages"] > RUNS / 20
    assert len(outcomes) >= 3
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    figure(f"faults: {RUNS} faulty networks: {counts}")
