"""Ten thousand texts over a link that breaks a hundred times: each arrives once, in order.

E2EE_FAULTS_SEED chooses other faults than those of seed 1. E2EE_FAULTS_TIMES=20 makes it twenty
times as many texts, and so as many faults, in as many times the time.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

SEED = int(os.environ.get("E2EE_FAULTS_SEED", "1"))
TIMES = int(os.environ.get("E2EE_FAULTS_TIMES", "1"))

FAULTS = 120 * TIMES
"""Then the link is good. All of them fit into the bytes of the texts."""

HANDSHAKE = 6_000
"""Bytes, at least as many as a handshake has."""

IN_HANDSHAKE = 0.1
"""The part of the faults that come so early; each costs pauses of the one who calls."""

BETWEEN_FAULTS = 30_000
"""Bytes, at most, after the handshake."""


def stormy(bad_link: Any, left: Iterator[int], chance: random.Random, number: int) -> Any:
    """``left`` -- gives something for each fault that is left.

    The first handshake is spared: a ``connect`` that never reached anybody gives up.
    """

    def faults() -> Iterator[Any]:
        spared = HANDSHAKE if number == 0 else 0
        for _ in left:
            kind = chance.choice(["cut", "reset", "half-cut", "stall", "stall"])
            after = spared + chance.randrange(HANDSHAKE)
            if chance.random() > IN_HANDSHAKE:
                after = HANDSHAKE + chance.randrange(BETWEEN_FAULTS)
            yield bad_link.Fault(kind, after, seconds=chance.uniform(0.02, 0.2))
            spared = 0

    return bad_link.Line(
        faults(),
        slice=chance.choice([50 + chance.randrange(200), 1_400, 65_536]),
        latency=chance.choice([0, 0, 0.001]),
        rate=chance.choice([float("inf"), 500_000]),
    )


def texts_of(who: str, count: int) -> list[str]:
    """No two are equal."""
    chance = random.Random(who)
    return [f"{who}{number} {'.' * chance.randrange(400)}" for number in range(count)]


@pytest.mark.attack(55)
@pytest.mark.timeout(100 * TIMES + 50)
def test_each_text_arrives_once_and_in_order_over_a_link_that_breaks_a_hundred_times(
    people: Any, bad_link: Any, figure: Callable[[str], None]
) -> None:
    forth, back = (texts_of(who, count * TIMES) for who, count in (("a", 10_000), ("b", 1_000)))
    bob, address = people.listen("bob", "--once")
    left = iter(range(FAULTS))

    def weather(chance: random.Random, number: int) -> Any:
        return stormy(bad_link, left, chance, number)

    began = time.monotonic()
    with bad_link.Proxy(address, weather, seed=SEED) as proxy:
        alice = people.start("alice", "connect", proxy.address)
        bob.say(*back)
        alice.say(*forth, end=True)
        assert alice.end(100 * TIMES) == 0
        assert bob.end() == 0
    seconds = time.monotonic() - began

    assert bob.texts() == forth
    assert alice.texts() == back
    faults = {kind: proxy.done[kind] for kind in ("cut", "reset", "half-cut", "stall")}
    assert sum(faults.values()) >= 100 * TIMES
    figure(
        f"bad links: {len(forth):,} texts one way and {len(back):,} the other, each once and in "
        f"order, in {seconds:.0f} s over {proxy.done['connection']} connections, "
        f"{proxy.passed / 1e6:.1f} MB; "
        + ", ".join(f"{count} {kind}" for kind, count in faults.items())
    )
