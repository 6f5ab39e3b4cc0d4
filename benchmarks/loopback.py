"""Comparisons over TCP on loopback: a channel beside asyncio's streams with TLS.

The other end is a process of its own, ``loopback_server``.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from benchmarks.certificates import as_pem, new_certificate
from benchmarks.loopback_server import BLOCK, COUNT, ECHO, PING, SINK
from benchmarks.rounds import Comparison, Run
from benchmarks.tls import client_context
from e2ee import Identity, Session
from e2ee.transport import Channel, tcp

PINGS = 200
"""To and fro in one round, which counts as their median."""

Move = Callable[[], Awaitable[None]]


@contextmanager
def loopback(total: int) -> Iterator[list[Comparison]]:
    """Comparisons that can be measured in this context: ``total`` bytes, and pings."""
    with ExitStack() as stack:
        certificate = stack.enter_context(_certificate())
        e2ee = stack.enter_context(_server("e2ee", certificate))
        tls = stack.enter_context(_server("tls", certificate))
        runner = stack.enter_context(asyncio.Runner())

        def operation(move: Move) -> Run:
            async def timed() -> float:
                began = time.perf_counter()
                await move()
                return time.perf_counter() - began

            return lambda number: sum(runner.run(timed()) for _ in range(number))

        def pinging(move: Move) -> Run:
            return lambda number: number * median(runner.run(latencies(move, PINGS)))

        yield [
            Comparison(
                "TCP bulk",
                {
                    "e2ee": operation(runner.run(_bulk_of_channel(e2ee, total))),
                    "ssl": operation(runner.run(_bulk_of_streams(tls, total))),
                },
            ),
            Comparison(
                "TCP ping",
                {
                    "e2ee": pinging(runner.run(_ping_of_channel(e2ee))),
                    "ssl": pinging(runner.run(_ping_of_streams(tls))),
                },
            ),
        ]


def storms(numbers: Sequence[int], pings: int) -> dict[str, dict[str, float]]:
    """By the number of handshakes under way: how many are made a second, and latencies.

    Of a running session on the same listener, in seconds: the median and the 95th of a hundred.
    """
    found = {}
    with _server("e2ee", "") as port, asyncio.Runner() as runner:
        ping = runner.run(_ping_of_channel(port))
        for number in numbers:
            command = [sys.executable, "-m", "benchmarks.storm", str(port), str(number)]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as storm:
                runner.run(_wait_for(storm, number))
                taken = runner.run(latencies(ping, pings))
                made, _ = storm.communicate("")
            found[str(number)] = {
                "handshakes": float(made) if number else 0.0,
                "median": median(taken),
                "p95": quantiles(taken, n=20)[-1],
            }
    return found


async def latencies(move: Move, count: int) -> list[float]:
    """Seconds of each."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await move()
        taken.append(time.perf_counter() - began)
    return taken


async def _channel(port: int) -> Channel:
    session = Session.initiator(Identity.generate(now=time.time()), now=time.time())
    return await tcp.connect("127.0.0.1", port, session)


async def _streams(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = client_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return await asyncio.open_connection("127.0.0.1", port, ssl=context)


async def _bulk_of_channel(port: int, total: int) -> Move:
    channel, block = await _channel(port), os.urandom(BLOCK)
    await channel.send(SINK + total.to_bytes(COUNT))

    async def move() -> None:
        for _ in range(total // BLOCK):
            await channel.send(block)
        _arrived(await channel.receive() == SINK)

    return move


async def _bulk_of_streams(port: int, total: int) -> Move:
    reader, writer = await _streams(port)
    block = os.urandom(BLOCK)
    writer.write(SINK + total.to_bytes(COUNT))

    async def move() -> None:
        for _ in range(total // BLOCK):
            writer.write(block)
            await writer.drain()
        _arrived(await reader.readexactly(1) == SINK)

    return move


async def _ping_of_channel(port: int) -> Move:
    channel, ping = await _channel(port), os.urandom(PING)
    await channel.send(ECHO)

    async def move() -> None:
        await channel.send(ping)
        _arrived(await channel.receive() == ping)

    return move


async def _ping_of_streams(port: int) -> Move:
    reader, writer = await _streams(port)
    ping = os.urandom(PING)
    writer.write(ECHO)

    async def move() -> None:
        writer.write(ping)
        await writer.drain()
        _arrived(await reader.readexactly(PING) == ping)

    return move


def _arrived(right: bool) -> None:
    if not right:
        raise RuntimeError("other bytes have come than were sent")


@contextmanager
def _certificate() -> Iterator[str]:
    # ssl takes a private key from a file only.
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "key-and-certificate.pem")
        with open(path, "xb") as file:
            file.write(as_pem(*new_certificate()))
        yield path


@contextmanager
def _server(kind: str, certificate: str) -> Iterator[int]:
    """Its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.loopback_server", kind, certificate],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


async def _wait_for(storm: subprocess.Popen[str], number: int) -> None:
    """Until it has begun."""
    assert storm.stdout is not None
    if number:
        await asyncio.to_thread(storm.stdout.readline)
