"""1 GiB from one process to another, in bounded memory."""

import asyncio
import contextlib
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import Identity, Session
from e2ee.transport.tcp import connect

MIB = 2**20
GIB = 2**30

COMMON = f"""
import asyncio, hashlib, sys
from e2ee import Identity, Session
from e2ee.transport.tcp import connect, listen

MIB = {MIB}

def peak():
    # Not ru_maxrss: Linux lets a new process inherit its parent's.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
"""

SLEEPER = (
    COMMON
    + """
def memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

async def main():
    connected = asyncio.Event()

    async def sleep(channel):
        connected.set()
        await asyncio.Event().wait()

    identity = Identity.generate()
    listener = await listen(lambda: Session.responder(identity), sleep, host="127.0.0.1")
    print(listener.port, flush=True)
    await connected.wait()
    before = memory()
    await asyncio.to_thread(sys.stdin.readline)
    print(peak() - before, flush=True)
    await listener.close()

asyncio.run(main())
"""
)

RECEIVER = (
    COMMON
    + """
async def main():
    done = asyncio.Event()

    async def receive(channel):
        digest, count = hashlib.sha256(), 0
        async for message in channel:
            digest.update(message)
            count += len(message)
        print(count, digest.hexdigest(), peak(), flush=True)
        done.set()

    identity = Identity.generate()
    listener = await listen(lambda: Session.responder(identity), receive, host="127.0.0.1")
    print(listener.port, flush=True)
    await done.wait()
    await listener.close()

asyncio.run(main())
"""
)

SENDER = (
    COMMON
    + """
async def main(port, messages):
    session = Session.initiator(Identity.generate())
    async with await connect("127.0.0.1", port, session) as channel:
        for number in range(messages):
            await channel.send(number.to_bytes(4) * (MIB // 4))
    print(peak(), flush=True)

asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""
)


def transfer(size: int) -> tuple[float, int, int]:
    """Send so many bytes from process to process; seconds, and the peaks of both."""
    messages = size // MIB
    with subprocess.Popen(
        [sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True
    ) as receiver:
        try:
            assert receiver.stdout is not None
            port = receiver.stdout.readline().strip()
            began = time.monotonic()
            sender = subprocess.run(
                [sys.executable, "-c", SENDER, port, str(messages)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            count, digest, receiver_peak = receiver.stdout.readline().split()
            took = time.monotonic() - began
        finally:
            receiver.kill()
    expected = hashlib.sha256()
    for number in range(messages):
        expected.update(number.to_bytes(4) * (MIB // 4))
    assert int(count) == size
    assert digest == expected.hexdigest()
    return took, int(sender.stdout), int(receiver_peak)


@pytest.mark.attack(54)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
@pytest.mark.timeout(300)
def test_a_gibibyte_takes_no_more_memory_than_64_mebibytes(figure: Callable[[str], None]) -> None:
    _, small_sender, small_receiver = transfer(64 * MIB)
    took, sender, receiver = transfer(GIB)
    figure(
        f"bulk: 1 GiB over loopback TCP at {GIB / MIB / took:.0f} MiB/s; peak of the sender"
        f" {sender / MIB:.0f} MiB (64 MiB: {small_sender / MIB:.0f}), of the receiver"
        f" {receiver / MIB:.0f} MiB (64 MiB: {small_receiver / MIB:.0f})"
    )
    assert sender < small_sender + 16 * MIB
    assert receiver < small_receiver + 16 * MIB


@pytest.mark.attack(54)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
def test_a_gibibyte_offered_to_a_reader_that_sleeps_is_held_back(
    figure: Callable[[str], None],
) -> None:
    size = 64 * 1024
    taken = 0

    async def offer(port: int) -> None:
        nonlocal taken
        channel = await connect("127.0.0.1", port, Session.initiator(Identity.generate()))
        # It waits for room as soon as the buffers on the way are full.
        with contextlib.suppress(TimeoutError):
            while taken < GIB:
                async with asyncio.timeout(1):
                    await channel.send(bytes(size))
                taken += size
        await channel.abort()

    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sleeper:
        try:
            assert sleeper.stdin is not None
            assert sleeper.stdout is not None
            asyncio.run(offer(int(sleeper.stdout.readline())))
            sleeper.stdin.write("\n")
            sleeper.stdin.flush()
            grown = int(sleeper.stdout.readline())
        finally:
            sleeper.kill()
    assert taken < GIB / 16
    assert grown <= 4 * MIB
    figure(
        f"of 1 GiB offered to a reader that sleeps {taken / MIB:.0f} MiB are taken, most of it by "
        f"the system; the reader grows by {grown / MIB:.1f} MiB"
    )
