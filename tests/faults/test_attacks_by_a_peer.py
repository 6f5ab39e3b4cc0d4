"""What an authenticated peer can do to a real ``listen``: nothing to the others that it serves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest

from e2ee import Identity
from e2ee.errors import E2EEError
from e2ee.limits import MAX_KNOWN_TIME
from e2ee.messages import Hello, Leave, Name, Receipt, Resume, Stream, Text

STREAM = b"m" * 16
GROWTH = 60e6
"""Bytes by which an attack may make the listener grow."""


async def receipts_for_what_was_not_sent(peer: Any) -> None:
    await peer.say(Receipt(id=MAX_KNOWN_TIME))
    await peer.is_turned_away()


async def stream_after_stream(peer: Any) -> None:
    with contextlib.suppress(E2EEError):
        for number in range(10_000):
            await peer.say(Stream(id=number.to_bytes(16), first=1))
    await peer.is_turned_away()


async def huge_numbers(peer: Any) -> None:
    await peer.say(Resume(received=MAX_KNOWN_TIME), Resume(received=MAX_KNOWN_TIME))
    await peer.is_turned_away()


async def a_stream_that_begins_at_its_end(peer: Any) -> None:
    await peer.say(Stream(id=STREAM, first=MAX_KNOWN_TIME))
    await peer.say(Text(id=MAX_KNOWN_TIME, body="the last one that there can be"))
    await peer.hear(Receipt)
    await peer.say(Text(id=1, body="and one more"))
    await peer.is_turned_away()


async def words_after_the_goodbye(peer: Any) -> None:
    await peer.say(Leave(), Stream(id=STREAM, first=1), Text(id=1, body="one more thing"))
    await peer.is_turned_away()


async def a_second_hello(peer: Any) -> None:
    await peer.say(Hello(purposes=("chat",)))
    await peer.is_turned_away()


async def a_flood_of_names(peer: Any) -> None:
    with contextlib.suppress(E2EEError):
        for number in range(3_000):
            await peer.say(Name(name=f"{number} " + "n" * 50))
    await peer.say(Stream(id=b"n" * 16, first=1), Text(id=1, body="that was my name"))
    await peer.hear(Receipt)


async def unknown_words(peer: Any) -> None:
    for number in range(3_000):
        await peer.channel.send(b'{"kind":"x%d"}' % number)
    await peer.say(Stream(id=b"u" * 16, first=1), Text(id=1, body="that was unknown"))
    await peer.hear(Receipt)


async def texts_without_a_stream(peer: Any) -> None:
    await peer.say(Text(id=1, body="out of the blue"))
    await peer.is_turned_away()


IN_A_CHAT = [
    receipts_for_what_was_not_sent,
    stream_after_stream,
    huge_numbers,
    a_stream_that_begins_at_its_end,
    words_after_the_goodbye,
    a_second_hello,
    a_flood_of_names,
    unknown_words,
    texts_without_a_stream,
]


async def no_hello(peer: Any) -> None:
    await peer.say(Stream(id=STREAM, first=1))
    await peer.is_turned_away()


async def an_endless_hello(peer: Any) -> None:
    with contextlib.suppress(E2EEError):
        await peer.channel.send(b'{"kind":"hello","purposes":["' + b"a" * (15 * 2**20))
    await peer.is_turned_away()


async def another_purpose(peer: Any) -> None:
    await peer.say(Hello(purposes=("pipe", "something.else")))
    await peer.hear(Leave, lambda leave: leave.reason == "purpose")
    await peer.is_turned_away()


INSTEAD_OF_HELLO = [another_purpose, no_hello, an_endless_hello]

ATTACKS = (*INSTEAD_OF_HELLO, *IN_A_CHAT)


SAID = {
    "identity_created",
    "listening",
    "connected",
    "turned_away",
    "lost",
    "left",
    "name",
    "unsupported",
    "ready",
}


def attack(
    people: Any,
    peers: Any,
    what: Callable[[str, Any], Awaitable[None]],
    prepare: Callable[[Any], None] = lambda _: None,
) -> tuple[Any, float]:
    """Let it happen to a new listener; which is returned, and the bytes by which it grew."""
    bob, address = people.listen("bob")
    prepare(bob)

    async def scenario() -> float:
        honest = await peers.Chatting.with_listener(address)
        await honest.say("before")
        before = memory(bob)
        most = 0.0

        async def measure() -> None:
            nonlocal most
            while True:
                most = max(most, memory(bob))
                await asyncio.sleep(0.05)

        measuring = asyncio.create_task(measure())
        await what(address, honest)
        measuring.cancel()
        await honest.say("afterwards")
        await honest.hang_up()
        newcomer = await peers.Chatting.with_listener(address)
        await newcomer.say("and a newcomer")
        await newcomer.hang_up()
        return most - before

    grown = asyncio.run(scenario())
    bob.pause = 0
    bob.wait_for(lambda: "and a newcomer" in bob.texts())
    said = {event["event"] for event in bob.events()}
    assert said <= SAID, said - SAID
    assert bob.process.poll() is None
    return bob, grown


def memory(run: Any) -> float:
    return float(psutil.Process(run.process.pid).memory_info().rss)


@pytest.mark.attack(60)
def test_no_word_of_a_peer_ends_a_listener_or_holds_up_another_person(
    people: Any, peers: Any, figure: Callable[[str], None]
) -> None:
    async def all_of_them(address: str, honest: Any) -> None:
        mallory = Identity.generate(now=time.time())
        silent = await peers.Peer.call(address, mallory, hello=False)
        for act in ATTACKS:
            peer = await peers.Peer.call(address, mallory, hello=act in IN_A_CHAT)
            acting = asyncio.create_task(act(peer))
            await honest.say(f"during {act.__name__}")
            async with asyncio.timeout(peers.PATIENCE):
                await acting
            await honest.say(f"after {act.__name__}")
            await peer.hang_up()
        await silent.hang_up()

    bob, grown = attack(people, peers, all_of_them)
    texts = bob.texts()
    for act in ATTACKS:
        assert f"during {act.__name__}" in texts
        assert f"after {act.__name__}" in texts
    assert not {"one more thing", "and one more", "out of the blue"} & set(texts)
    assert bob.count("name") == 1
    assert grown < GROWTH
    figure(
        f"attacks by a peer: a listener grew by {grown / 1e6:.0f} MB during {len(ATTACKS)} of them"
    )


@pytest.mark.attack(54)
def test_a_flood_of_texts_at_a_slow_reader_is_held_back_and_holds_up_nobody(
    people: Any, peers: Any, figure: Callable[[str], None]
) -> None:
    flood = 100_000
    sent = 0

    async def flooding(peer: Any) -> None:
        nonlocal sent
        await peer.say(Stream(id=STREAM, first=1))
        for number in range(1, flood + 1):
            await peer.say(Text(id=number, body="flood " * 100))
            sent = number

    def slow(bob: Any) -> None:
        bob.pause = 0.001

    async def flood_and_talk(address: str, honest: Any) -> None:
        peer = await peers.Peer.call(address, Identity.generate(now=time.time()))
        acting = asyncio.create_task(flooding(peer))
        await peer.hear(Receipt)
        for number in range(5):
            await honest.say(f"during {number}")
        acting.cancel()
        await peer.hang_up()

    bob, grown = attack(people, peers, flood_and_talk, prepare=slow)
    texts = bob.texts()
    assert [text for text in texts if text.startswith("during")] == [
        f"during {number}" for number in range(5)
    ]
    assert sent < flood
    assert grown < GROWTH
    figure(
        f"attacks by a peer: of a flood of {flood:,} texts {sent:,} went out while a slow reader "
        f"was shown {len(texts):,}; the listener grew by {grown / 1e6:.0f} MB"
    )
