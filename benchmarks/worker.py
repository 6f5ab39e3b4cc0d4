"""One process that measures: ``python -m benchmarks.worker GROUP {full,quick}``; JSON comes of it.

What has run before in a process changes its heap, and so its speed. A group is what is measured in
the same state.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from benchmarks.effort import EFFORTS, Effort
from benchmarks.handshakes import handshakes
from benchmarks.loopback import loopback
from benchmarks.messages import (
    GROWING_QUEUES,
    QUEUED,
    SIZES,
    bulk,
    growing_sizes,
    passed,
    queued,
    sealed_and_opened,
)
from benchmarks.rounds import Seconds, measure
from benchmarks.startup import measure_starts
from e2ee.limits import MIB

LARGE = {name: SIZES[name] for name in ("16 KiB", "64 KiB")}

LARGE_BLOCK = 31 * MIB
"""Bytes of a block that is freed to make a heap warm. From then on the C library keeps what is
freed, and asks the system for less (M_MMAP_THRESHOLD in mallopt(3))."""


def main(group: str, effort: str) -> None:
    print(json.dumps(GROUPS[group](EFFORTS[effort])))


def warm_up() -> None:
    """Make the heap warm."""
    bytearray(LARGE_BLOCK)


def warm(effort: Effort) -> Seconds:
    """Messages and handshakes in memory, on a warm heap."""
    warm_up()
    comparisons = [
        *sealed_and_opened(SIZES),
        *queued((QUEUED,)),
        *passed(SIZES),
        handshakes(),
        bulk(effort.bulk),
    ]
    return measure(comparisons, effort.rounds, effort.slice_seconds)


def cold(effort: Effort) -> Seconds:
    """Large messages in a process that has just begun."""
    return measure(sealed_and_opened(LARGE), effort.rounds, effort.slice_seconds)


def tcp(effort: Effort) -> Seconds:
    """Connections on loopback."""
    warm_up()
    with loopback(effort.bulk) as comparisons:
        return measure(comparisons, effort.rounds, effort.slice_seconds)


def masked(effort: Effort) -> Seconds:
    """Large amounts, where OpenSSL was told that the processor can do less."""
    warm_up()
    with loopback(effort.bulk) as (moved, _):
        return measure([bulk(effort.bulk), moved], effort.rounds, effort.slice_seconds)


def growth(effort: Effort) -> Seconds:
    """What costs more as work grows: larger messages, longer queues."""
    warm_up()
    comparisons = [
        *growing_sizes(effort.largest),
        *queued(count for count in GROWING_QUEUES if count <= effort.longest),
    ]
    return measure(comparisons, effort.rounds, effort.slice_seconds)


def start(effort: Effort) -> Seconds:
    """The program, beside an interpreter that imports a library."""
    return measure_starts(effort.starts)


GROUPS: dict[str, Callable[[Effort], Seconds]] = {
    "warm": warm,
    "cold": cold,
    "tcp": tcp,
    "masked": masked,
    "growth": growth,
    "start": start,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
