"""A real ``listen`` that thousands of hostile connections come to, while honest people call."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from e2ee import Identity, Session
from e2ee.errors import E2EEError
from e2ee.transport import tcp

MIB = 2**20
MAX_MEMORY = 256 * MIB
"""Of the listener, in all."""

PATIENCE = 15.0
"""Seconds after which a call has failed."""

CALLER = Identity.generate(now=time.time())


class Honest(NamedTuple):
    seconds: list[float]
    """That each call took which got through."""
    failed: int


async def call(address: str) -> float:
    """Connect, shake hands, and say goodbye; the seconds that it took to be authenticated."""
    host, _, port = address.rpartition(":")
    began = time.monotonic()
    session = Session.initiator(CALLER, now=time.time())
    async with asyncio.timeout(PATIENCE):
        channel = await tcp.connect(host, int(port), session)
        took = time.monotonic() - began
        await channel.abort()
    return took


async def calls(address: str, go_on: Callable[[], bool]) -> Honest:
    seconds, failed = [], 0
    while go_on():
        try:
            seconds.append(await call(address))
        except (E2EEError, TimeoutError):
            failed += 1
    return Honest(seconds, failed)


@contextmanager
def flood(address: str, how: str, many: int, at_once: int, hosts: int) -> Iterator[Any]:
    """tests/faults/flood.py in a process of its own."""
    port = address.rpartition(":")[2]
    program = str(Path(__file__).with_name("flood.py"))
    with subprocess.Popen(
        [sys.executable, program, port, how, *map(str, (many, at_once, hosts))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        try:
            yield process.stdout
        finally:
            process.kill()


def settled(process: psutil.Process, descriptors: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while process.num_fds() != descriptors and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(process.num_fds() == descriptors)


@pytest.mark.attack(57)
@pytest.mark.slow
def test_an_honest_caller_gets_through_beside_5000_half_open_connections(
    people: Any, figure: Callable[[str], None]
) -> None:
    bob, address = people.listen("bob")
    listener = psutil.Process(bob.process.pid)
    descriptors = listener.num_fds()
    with flood(address, "silent", 5_000, 5_000, 50) as said:
        during = asyncio.run(calls(address, lambda: not said.readline()))
        beside = asyncio.run(calls(address, iter([True] * 10 + [False]).__next__))
        held = listener.num_fds() - descriptors
    assert beside.failed == during.failed == 0
    assert settled(listener, descriptors)
    assert bob.process.poll() is None
    figure(
        f"beside 5,000 half-open connections, of which a listener keeps {held}, an honest caller "
        f"is authenticated in {max(beside.seconds) * 1000:.0f} ms; while they are made, in "
        f"{max(during.seconds) * 1000:.0f} ms"
    )


@pytest.mark.attack(58)
@pytest.mark.slow
@pytest.mark.parametrize(
    "many",
    [
        2_000,
        pytest.param(10_000, marks=pytest.mark.nightly),
        pytest.param(100_000, marks=pytest.mark.nightly),
    ],
)
def test_honest_callers_get_through_a_flood_of_hostile_connections(
    people: Any, figure: Callable[[str], None], many: int
) -> None:
    bob, address = people.listen("bob")
    listener = psutil.Process(bob.process.pid)
    descriptors, most = listener.num_fds(), 0

    with flood(address, "mixed", many, 1_000, 8) as said:

        def goes_on() -> bool:
            nonlocal most
            most = max(most, listener.memory_info().rss)
            return not said.readline()

        honest = asyncio.run(calls(address, goes_on))
    through = len(honest.seconds)
    assert through >= 0.99 * (through + honest.failed)
    assert most < MAX_MEMORY
    assert settled(listener, descriptors)
    assert bob.process.poll() is None
    figure(
        f"during {many:,} hostile connections from 8 hosts {through} of {through + honest.failed} "
        f"honest calls get through; the listener has {most / MIB:.0f} MiB, and afterwards no "
        "descriptor more than before"
    )


@pytest.mark.attack(59)
@pytest.mark.slow
@pytest.mark.parametrize("hosts", [1, pytest.param(64, marks=pytest.mark.nightly)])
def test_honest_callers_get_through_a_flood_of_first_messages(
    people: Any, figure: Callable[[str], None], hosts: int
) -> None:
    bob, address = people.listen("bob")
    unloaded = asyncio.run(calls(address, iter([True] * 50 + [False]).__next__))
    listener = psutil.Process(bob.process.pid)
    calculated = sum(listener.cpu_times()[:2])
    with flood(address, "unfinished", 2_000, 1_000, hosts) as said:
        line = b""

        def goes_on() -> bool:
            nonlocal line
            line = said.readline()
            return not line

        honest = asyncio.run(calls(address, goes_on))
    calculated = sum(listener.cpu_times()[:2]) - calculated
    through, took = len(honest.seconds), float(line.split()[1])
    assert through >= 0.99 * (through + honest.failed)
    usual, now = (len(each.seconds) / sum(each.seconds) for each in (unloaded, honest))
    figure(
        f"during {2_000 / took:.0f} first messages a second from {hosts} hosts {through} of "
        f"{through + honest.failed} honest calls get through, at {now / usual:.0%} of the unloaded "
        f"rate; the listener calculates for {calculated:.1f} s"
    )
