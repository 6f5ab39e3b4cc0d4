"""Whom a listener drops when too many have not authenticated."""

import asyncio
import collections
import random
from collections.abc import Callable

import pytest

from e2ee.transport.half_open import MAX_HANDSHAKES, MAX_HANDSHAKES_OF_HOST, HalfOpen, host_of

ARRIVALS = 3_000


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_host_is_an_ipv4_address_or_the_network_that_an_ipv6_host_may_have(
    address: str, host: str
) -> None:
    assert host_of(address) == host


@pytest.mark.attack(57, 58)
@pytest.mark.parametrize("hosts", [1, 2, 20, 500])
async def test_who_is_dropped_is_the_oldest_of_the_host_with_the_most(
    hosts: int, figure: Callable[[str], None]
) -> None:
    chance = random.Random(hosts)
    half_open, alive = HalfOpen(), collections.defaultdict[str, list[asyncio.Task[None]]](list)
    dropped = 0
    for _ in range(ARRIVALS):
        # Some hosts come more often than others, and some connections end by themselves.
        host = str(min(chance.randrange(hosts), chance.randrange(hosts)))
        before = {each: len(tasks) for each, tasks in alive.items()}
        task = asyncio.create_task(asyncio.sleep(3600))
        half_open.add(task, host)
        alive[host].append(task)
        for each, tasks in alive.items():
            for gone in [other for other in tasks if other.cancelling()]:
                dropped += 1
                assert gone is tasks.pop(0)
                full = before[each] == MAX_HANDSHAKES_OF_HOST and each == host
                assert full or before[each] == max(before.values())
        if chance.random() < 0.1:
            ended = alive[host].pop()
            ended.cancel()
            half_open.discard(ended, host)
            half_open.discard(ended, host)
        assert len(half_open) == sum(map(len, alive.values())) <= MAX_HANDSHAKES
        assert all(len(tasks) <= MAX_HANDSHAKES_OF_HOST for tasks in alive.values())
    half_open.cancel()
    assert all(task.cancelling() for tasks in alive.values() for task in tasks)
    figure(f"{ARRIVALS} arrivals from {hosts} hosts: {dropped} dropped, each the one to be")
