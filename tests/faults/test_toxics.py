"""Toxiproxy's eight toxics (https://github.com/Shopify/toxiproxy) between two channels over TCP:
all messages, or the first of them and an error of ours, in bounded time."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import random
from collections.abc import Callable
from typing import Any

import pytest

from e2ee import Identity, Session
from e2ee.errors import E2EEError
from e2ee.transport import Channel, Timeouts
from e2ee.transport.tcp import Listener, connect, listen

CLIENT, SERVER = Identity.generate(), Identity.generate()
HERE = "127.0.0.1"
TIMEOUTS = Timeouts(handshake=2, quiet=0.3, dead=1, close=2)
DEADLINE = 30.0
"""Seconds after which an end is taken for a hang: several times the sum of the timeouts."""

AT_ONCE = 10
WHOLE = 4_000
"""Bytes of a handshake, about; what befalls a conversation does so in it, or after."""


def latency(link: Any, chance: random.Random) -> Any:
    return link.Line(iter(()), latency=chance.uniform(0, 0.03))


def down(link: Any, chance: random.Random) -> Any:
    return link.Line(iter(()), down=True)


def bandwidth(link: Any, chance: random.Random) -> Any:
    return link.Line(iter(()), slice=2_000, rate=chance.uniform(50_000, 500_000))


def slow_close(link: Any, chance: random.Random) -> Any:
    return link.Line(iter(()), slow_close=chance.uniform(0, 0.5))


def timeout(link: Any, chance: random.Random) -> Any:
    return link.Line(
        iter([link.Fault("timeout", chance.randrange(4 * WHOLE), chance.uniform(0, 3))])
    )


def reset_peer(link: Any, chance: random.Random) -> Any:
    return link.Line(iter([link.Fault("reset", chance.randrange(4 * WHOLE))]))


def slicer(link: Any, chance: random.Random) -> Any:
    return link.Line(iter(()), slice=chance.choice([16, 100, 1_000]), latency=0.0001)


def limit_data(link: Any, chance: random.Random) -> Any:
    return link.Line(iter([link.Fault("cut", chance.randrange(4 * WHOLE))]))


TOXICS = [latency, down, bandwidth, slow_close, timeout, reset_peer, slicer, limit_data]
HARMLESS = {latency, bandwidth, slow_close, slicer}
"""These lose nothing."""

SEEDS = [
    pytest.param(range(12), id="12"),
    pytest.param(range(12, 112), id="100", marks=pytest.mark.nightly),
]


def messages_of(name: bytes, seed: int) -> list[bytes]:
    chance = random.Random(name + bytes([seed]))
    return [name + bytes([seed]) + bytes(chance.randrange(800)) for _ in range(8)]


class Talks:
    """What both sides of each conversation received, and how it ended at the one who called."""

    def __init__(self) -> None:
        self.received: dict[tuple[bytes, int], list[bytes]] = collections.defaultdict(list)
        self.ends: list[E2EEError | None] = []

    async def serve(self, channel: Channel) -> None:
        with contextlib.suppress(E2EEError):
            first = await channel.receive()
            if first is None:
                return
            seed = first[1]
            received = self.received[b"c", seed]
            received.append(first)
            for message in messages_of(b"s", seed):
                await channel.send(message)
            async for message in channel:
                received.append(message)

    async def call(self, port: int, seed: int) -> None:
        received = self.received[b"s", seed]
        try:
            session = Session.initiator(CLIENT)
            async with await connect(HERE, port, session, timeouts=TIMEOUTS) as channel:
                for message in messages_of(b"c", seed):
                    await channel.send(message)
                while len(received) < 8 and (answer := await channel.receive()) is not None:
                    received.append(answer)
        except E2EEError as error:
            self.ends.append(error)
        else:
            self.ends.append(None)


@pytest.mark.attack(55)
@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("toxic", TOXICS)
def test_a_toxic_network_gives_all_messages_or_the_first_of_them_and_an_error(
    bad_link: Any,
    toxic: Callable[[Any, random.Random], Any],
    seeds: range,
    figure: Callable[[str], None],
) -> None:
    talks = Talks()

    def weather(_: random.Random, number: int) -> Any:
        return toxic(bad_link, random.Random(f"{toxic.__name__} {seeds.start + number}"))

    async def call_all(listener: Listener, address: str) -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def call(seed: int) -> None:
            async with places, asyncio.timeout(DEADLINE):
                await talks.call(int(address.rpartition(":")[2]), seed)

        await asyncio.gather(*map(call, seeds))
        async with asyncio.timeout(DEADLINE):
            while listener._tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await listener.close()

    with asyncio.Runner() as runner:
        new_session = functools.partial(Session.responder, SERVER)
        listener = runner.run(listen(new_session, talks.serve, host=HERE, timeouts=TIMEOUTS))
        with bad_link.Proxy(f"{HERE}:{listener.port}", weather) as proxy:
            runner.run(call_all(listener, proxy.address))

    for (name, seed), received in talks.received.items():
        sent = messages_of(name, seed)
        assert received == (sent if toxic in HARMLESS else sent[: len(received)])
    assert len(talks.ends) == len(seeds)
    whole = sum(end is None for end in talks.ends)
    assert whole == len(seeds) or toxic not in HARMLESS, talks.ends
    figure(
        f"{toxic.__name__}: {len(seeds)} conversations, {whole} whole, {len(seeds) - whole} with "
        "an error of ours after the first messages; none hangs"
    )
