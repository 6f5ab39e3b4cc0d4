"""One identity with several channels to a listener at once: two programs, or one that came anew."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

from e2ee import Identity
from e2ee.messages import Leave, Receipt, Resume, Stream, Text

IMPATIENT = (sys.executable, str(Path(__file__).with_name("impatient.py")))
STREAM = b"a" * 16


def test_of_two_programs_each_text_is_shown_once_and_answers_go_to_the_one_that_came_first(
    people: Any,
) -> None:
    bob, address = people.listen("bob")
    first = people.start("alice", "connect", address)
    bob.wait_for(lambda: bob.count("connected") == 1)
    second = people.start("alice", "connect", address)
    bob.wait_for(lambda: bob.count("connected") == 2)
    mine = [[f"{who} {number}" for number in range(300)] for who in ("first", "second")]
    first.say(*mine[0])
    second.say(*mine[1])
    bob.wait_for(lambda: len(bob.shown) == 600)
    assert [text for text in bob.texts() if text.startswith("first")] == mine[0]
    assert [text for text in bob.texts() if text.startswith("second")] == mine[1]

    bob.say("to the first")
    first.wait_for(lambda: first.texts() == ["to the first"])
    first.say(end=True)
    assert first.end() == 0
    bob.say("to the second")
    second.wait_for(lambda: second.shown)
    assert second.texts() == ["to the second"]
    second.say(end=True)
    assert second.end() == 0
    bob.process.send_signal(signal.SIGTERM)
    assert bob.end() == 143


def test_a_program_that_comes_anew_after_a_silent_break_takes_over_from_its_old_channel(
    people: Any, peers: Any
) -> None:
    bob, address = people.listen("bob", "--once")
    alice = Identity.generate(now=time.time())

    async def scenario() -> None:
        old = await peers.Peer.call(address, alice)
        await old.say(Stream(id=STREAM, first=1), Text(id=1, body="one"), Text(id=2, body="two"))
        await old.hear(Receipt, lambda receipt: receipt.id == 2)
        new = await peers.Peer.call(address, alice, before=old)
        await new.say(Stream(id=STREAM, first=1))
        assert (await new.hear(Resume)).received == 2
        await old.hear(Leave, lambda leave: leave.reason == "replaced")
        bob.say("an answer")
        await new.hear(Stream)
        await new.say(Resume(received=0), Text(id=3, body="three"))
        await new.hear(Text, lambda text: text.body == "an answer")
        await new.hear(Receipt, lambda receipt: receipt.id == 3)
        # The old one is over, and that is not the end of a listener for one guest.
        await old.hang_up()
        await asyncio.sleep(0.5)
        await new.say(Text(id=4, body="four"))
        await new.hear(Receipt, lambda receipt: receipt.id == 4)
        await new.say(Receipt(id=1), Leave())
        await new.is_turned_away()
        await new.hang_up()

    asyncio.run(scenario())
    assert bob.end() == 0
    assert bob.texts() == ["one", "two", "three", "four"]


def test_an_old_channel_that_breaks_late_does_not_end_a_listener_whose_guest_is_back(
    people: Any, peers: Any
) -> None:
    bob, address = people.listen("bob", "--once", command=IMPATIENT)
    alice = Identity.generate(now=time.time())

    async def scenario() -> None:
        old = await peers.Peer.call(address, alice)
        await old.say(Stream(id=STREAM, first=1))
        new = await peers.Peer.call(address, alice, before=old)
        await old.hang_up()
        bob.wait_for(lambda: bob.count("lost"))
        await asyncio.sleep(1)  # Longer than it waits for a guest's return.
        await new.say(Stream(id=STREAM, first=1), Text(id=1, body="still here"), Leave())
        await new.is_turned_away()
        await new.hang_up()

    asyncio.run(scenario())
    assert bob.end() == 0
    assert bob.texts() == ["still here"]
