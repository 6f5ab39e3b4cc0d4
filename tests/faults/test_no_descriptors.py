"""Programs that the system gives no more file descriptors: a message and an exit code, and a
listener that goes on when there are some again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from e2ee import Identity
from e2ee.errors import E2EEError
from e2ee.messages import Hello
from e2ee.transport.tcp import SPARED_DESCRIPTORS

LIMITED = """
import resource, sys
from e2ee_cli.__main__ import main
import e2ee_cli.main
number = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))
main()
"""
"""``e2ee`` that may have descriptors below this number only."""


async def come(peers: Any, address: str) -> Any:
    """A stranger who comes in, if he is let in. Raises E2EEError."""
    peer = await peers.Peer.call(address, Identity.generate(now=time.time()))
    await peer.hear(Hello)
    return peer


@pytest.mark.attack(58)
def test_callers_who_stay_do_not_take_the_descriptors_that_a_listener_needs_for_its_files(
    people: Any, peers: Any, figure: Callable[[str], None]
) -> None:
    bob, address = people.listen("bob")
    pid, room = bob.process.pid, 20
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    few = psutil.Process(pid).num_fds() + SPARED_DESCRIPTORS + room

    async def come_and_stay() -> int:
        stay = []
        for _ in range(room + 20):
            with contextlib.suppress(E2EEError):
                stay.append(await come(peers, address))
        for peer in stay:
            await peer.hang_up()
        return len(stay)

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, usual[1]))
    stayed = asyncio.run(come_and_stay())
    assert 0 < stayed <= room
    bob.wait_for(lambda: bob.count("lost") == stayed)

    async def come_again() -> None:
        await (await come(peers, address)).hang_up()

    asyncio.run(come_again())
    figure(
        f"of {room + 20} callers who stay, at a listener with {few} descriptors, {stayed} are let "
        "in; when they have gone, the next one is"
    )


@pytest.mark.attack(55)
@pytest.mark.parametrize("left", [0, 2, 5])
def test_a_listener_without_descriptors_goes_on_when_it_has_some_again(
    people: Any, peers: Any, figure: Callable[[str], None], left: int
) -> None:
    bob, address = people.listen("bob")
    pid = bob.process.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    few = psutil.Process(pid).num_fds() + left

    async def try_to_come(patience: float) -> None:
        with contextlib.suppress(E2EEError, TimeoutError):
            async with asyncio.timeout(patience):
                await (await come(peers, address)).hang_up()

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, usual[1]))
    for _ in range(3):
        asyncio.run(try_to_come(0.5))
    assert not bob.count("connected")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    asyncio.run(try_to_come(peers.PATIENCE))
    bob.wait_for(lambda: bob.count("connected") == 1)
    figure(f"a listener that may open {left} files more answers nobody, and then answers again")


@pytest.mark.attack(55)
@pytest.mark.parametrize("command", [("id",), ("connect", "127.0.0.1:9")])
def test_a_command_without_descriptors_says_so(
    command: tuple[str, ...], tmp_path: Path, figure: Callable[[str], None]
) -> None:
    codes = set()
    numbers = (3, 4, 6, 8)
    for number in numbers:
        run = subprocess.run(
            [sys.executable, "-c", LIMITED, str(number), *command],
            env={**os.environ, "E2EE_HOME": str(tmp_path / str(number))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in run.stderr, run.stderr
        assert "Warning" not in run.stderr, run.stderr
        codes.add(run.returncode)
        if run.returncode not in {0, 4}:
            assert run.returncode == 10
            assert run.stderr.splitlines()[-1].startswith("e2ee: ")
            assert "Too many open files" in run.stderr
    assert 10 in codes
    assert len(codes) == 2
    figure(
        f"e2ee {command[0]} that may open 0 to {numbers[-1] - 3} files ends with the exit codes "
        f"{sorted(codes)}"
    )
