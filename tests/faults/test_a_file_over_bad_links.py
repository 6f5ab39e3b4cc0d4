"""A file of 64 MiB over a link that breaks a hundred times: it arrives once, and whole.

E2EE_FAULTS_SEED chooses other faults than those of seed 1.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SEED = int(os.environ.get("E2EE_FAULTS_SEED", "1"))
MIB = 2**20
SIZE = 64 * MIB
FAULTS = 140
"""Then the link is good. All of them fit into the bytes of the file."""

FIRST = 20_000
"""Bytes that are spared at the beginning: a ``send`` that never reached anybody gives up."""


def stormy(bad_link: Any, left: Iterator[int], chance: random.Random, number: int) -> Any:
    def faults() -> Iterator[Any]:
        spared = FIRST if number == 0 else 0
        for _ in left:
            kind = chance.choice(["cut", "reset", "half-cut", "reset", "cut", "stall"])
            after = spared + chance.randrange(750_000)
            yield bad_link.Fault(kind, after, seconds=chance.uniform(0.02, 0.2))
            spared = 0

    return bad_link.Line(faults())


@pytest.mark.attack(55)
@pytest.mark.timeout(300)
def test_a_file_arrives_once_and_whole_over_a_link_that_breaks_a_hundred_times(
    people: Any, bad_link: Any, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    bob, address = people.listen("bob", "--once")
    alice = people.start("alice", "connect", address)
    alice.say("we have met", end=True)
    assert alice.end() == 0
    assert bob.end() == 0
    folder = tmp_path / "in"
    folder.mkdir()
    file = tmp_path / "film"
    block = random.Random(SEED).randbytes(MIB)
    file.write_bytes(b"".join(number.to_bytes(8) + block[8:] for number in range(SIZE // MIB)))

    bob, address = people.wait("bob", "receive", str(folder), "--yes")
    left = iter(range(FAULTS))

    def weather(chance: random.Random, number: int) -> Any:
        return stormy(bad_link, left, chance, number)

    began = time.monotonic()
    with bad_link.Proxy(address, weather, seed=SEED) as proxy:
        alice = people.start("alice", "send", str(file), proxy.address)
        assert alice.end(250) == 0
        assert bob.end() == 0
    seconds = time.monotonic() - began

    assert [entry.name for entry in folder.iterdir()] == ["film"]
    came, sent = ((where / "film").read_bytes() for where in (folder, tmp_path))
    assert hashlib.sha256(came).digest() == hashlib.sha256(sent).digest()
    faults = {kind: proxy.done[kind] for kind in ("cut", "reset", "half-cut", "stall")}
    breaks = sum(count for kind, count in faults.items() if kind != "stall")
    assert breaks >= 100
    figure(
        f"bad links: a file of {SIZE // MIB} MiB, once and whole, in {seconds:.0f} s over "
        f"{proxy.done['connection']} connections, {proxy.passed / MIB - SIZE / MIB:.1f} MiB more "
        f"than it has ({(proxy.passed - SIZE) / breaks / 1e6:.2f} MB for each break); "
        + ", ".join(f"{count} {kind}" for kind, count in faults.items())
    )
