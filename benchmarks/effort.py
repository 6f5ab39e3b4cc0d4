"""How much is done: all of it, or so little that a test can wait for it."""

from __future__ import annotations

from dataclasses import dataclass

from e2ee.limits import MIB


@dataclass(frozen=True, slots=True)
class Effort:
    """``processes`` measure ``rounds`` each, in which each contender has ``slice_seconds``.

    ``bulk`` is in bytes; messages grow to ``largest`` bytes and queues to ``longest`` messages;
    ``sessions`` and ``connections`` are numbers that memory is measured of,
    ``storms`` numbers of handshakes at once, ``pings`` those of each storm, ``starts`` rounds.
    """

    processes: int
    rounds: int
    slice_seconds: float
    bulk: int
    largest: int
    longest: int
    sessions: tuple[int, ...]
    connections: int
    storms: tuple[int, ...]
    pings: int
    starts: int


EFFORTS = {
    "full": Effort(
        processes=3,
        rounds=8,
        slice_seconds=0.02,
        bulk=64 * MIB,
        largest=16 * MIB,
        longest=10_000,
        sessions=(2, 10, 100, 1_000, 10_000),
        connections=2_000,
        storms=(0, 1, 8, 32),  # A listener takes no more than 32 of one host.
        pings=500,
        starts=10,
    ),
    "quick": Effort(
        processes=1,
        rounds=1,
        slice_seconds=0.0005,
        bulk=4 * MIB,
        largest=MIB,
        longest=100,
        sessions=(2, 10),
        connections=10,
        storms=(1,),
        pings=10,
        starts=1,
    ),
}
