"""What a connection costs: memory while it is idle and while it receives, work by its bytes."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from e2ee import Event, Identity, Session, State
from e2ee.errors import ProtocolError
from e2ee.limits import MAX_RECORD_LENGTH

ALICE, BOB = Identity.generate(), Identity.generate()
KIB = 1_024
MAX_IDLE = 64 * KIB
"""Bytes of memory for one end of an idle connection."""

IDLE = """
import asyncio, sys
from e2ee import Identity, Session, State
from e2ee.transport import Channel
from e2ee.transport.memory import pair

ALICE, BOB = Identity.generate(), Identity.generate()

def memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

def sessions():
    one, other = Session.initiator(ALICE), Session.responder(BOB)
    while State.HANDSHAKE in (one.state, other.state):
        other.receive_data(one.data_to_send())
        one.receive_data(other.data_to_send())
    return one, other

async def channels():
    there, back = pair()
    return await asyncio.gather(
        Channel.open(there, Session.initiator(ALICE)), Channel.open(back, Session.responder(BOB))
    )

async def main(kind, connections):
    kept = []
    async def make(count):
        for _ in range(count // 2):
            kept.extend(sessions() if kind == "sessions" else await channels())
    await make(100)
    before = memory()
    await make(connections)
    print((memory() - before) / connections)
    for channel in kept if kind == "channels" else ():
        await channel.abort()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def connected() -> tuple[Session, Session]:
    one, other = Session.initiator(ALICE), Session.responder(BOB)
    while State.HANDSHAKE in {one.state, other.state}:
        other.receive_data(one.data_to_send())
        one.receive_data(other.data_to_send())
    return one, other


@pytest.mark.attack(60)
@pytest.mark.parametrize("kind", ["sessions", "channels"])
@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_an_idle_connection_keeps_little_memory(
    kind: str, count: int, figure: Callable[[str], None]
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", IDLE, kind, str(count)], capture_output=True, text=True, check=True
    )
    each = float(run.stdout)
    assert 100 < each <= MAX_IDLE
    figure(f"{count:,} idle authenticated {kind}: {each / KIB:.1f} KiB each")


def peak_while(receive: Callable[[], object]) -> int:
    """The most bytes that were allocated at a time meanwhile."""
    tracemalloc.start()
    try:
        receive()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.attack(60)
@pytest.mark.parametrize("piece", [1, 1_000, 65_536])
def test_receiving_takes_no_more_than_two_records_besides_the_message(
    piece: int, figure: Callable[[str], None]
) -> None:
    ours, theirs = connected()
    theirs.send(bytes(60_000))
    record = theirs.data_to_send()
    pieces = [record[at : at + piece] for at in range(0, len(record), piece)]
    events: list[Event] = []

    def receive() -> None:
        for each in pieces:
            events.extend(ours.receive_data(each))

    peak = peak_while(receive)
    assert len(events) == 1
    limit = 60_000 + 2 * MAX_RECORD_LENGTH
    assert peak <= limit
    figure(
        f"receiving a record in pieces of {piece} takes {peak / KIB:.0f} KiB at most, its "
        "message of 59 KiB included"
    )


def allocated_in_pieces(message_size: int, piece: int) -> tuple[int, int]:
    """Bytes allocated, summed over the feeding of each piece, and functions called."""
    ours, theirs = connected()
    theirs.send(bytes(message_size))
    wire = memoryview(theirs.data_to_send())
    allocated = called = 0

    def count(_: FrameType, event: str, __: Any) -> None:
        nonlocal called
        called += event in {"call", "c_call"}

    tracemalloc.start()
    events: list[Event] = []
    for at in range(0, len(wire), piece):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        sys.setprofile(count)
        events += ours.receive_data(wire[at : at + piece])
        sys.setprofile(None)
        allocated += tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert len(events) == 1
    return allocated, called


@pytest.mark.attack(61)
@pytest.mark.parametrize(
    ("size", "piece"),
    [(8_000, 1), (2**21, 1_000), pytest.param(2**23, 1, marks=pytest.mark.nightly)],
)
def test_twice_as_many_bytes_make_twice_the_work_in_small_pieces(
    size: int, piece: int, figure: Callable[[str], None]
) -> None:
    once, twice = allocated_in_pieces(size, piece), allocated_in_pieces(2 * size, piece)
    memory, calls = (more / less for more, less in zip(twice, once, strict=True))
    assert memory <= 2.3
    assert calls <= 2.3
    figure(
        f"a message of {2 * size:,} bytes in pieces of {piece} makes {calls:.2f} times the calls "
        f"and allocates {memory:.2f} times the bytes of one of {size:,}"
    )


def responder_work(received: bytes) -> dict[str, int]:
    """The expensive operations of a responder that gets these first bytes."""
    session = Session.responder(BOB)
    done = {
        "exchange": 0,
        "encapsulate": 0,
        "decapsulate": 0,
        "generate": 0,
        "verify": 0,
        "sign": 0,
    }

    def count(_: FrameType, event: str, what: Any) -> None:
        if event == "c_call" and what.__name__ in done:
            done[what.__name__] += 1

    sys.setprofile(count)
    try:
        session.receive_data(received)
    except ProtocolError:
        pass
    finally:
        sys.setprofile(None)
    return {name: times for name, times in done.items() if times}


@pytest.mark.attack(59)
def test_a_stranger_makes_a_listener_calculate_only_with_a_whole_first_message(
    figure: Callable[[str], None],
) -> None:
    first = Session.initiator(ALICE).data_to_send()
    for beginning in (b"", first[:-1], b"\0" * len(first), first[:8] + bytes(100)):
        assert responder_work(beginning) == {}
    work = responder_work(first)
    assert work == {"exchange": 2, "encapsulate": 1}
    figure(
        "a whole first message of a stranger costs a listener 2 Diffie-Hellman exchanges and 1 "
        "encapsulation, anything less costs neither"
    )
