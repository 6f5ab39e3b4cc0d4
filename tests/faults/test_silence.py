"""Laptops that sleep, networks that stall or change: exactly once, when they are back."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

IMPATIENT = (sys.executable, str(Path(__file__).with_name("impatient.py")))
SLEEP = 2.5
"""Seconds: more than the patience of an impatient one."""


@pytest.mark.parametrize("sleeper", ["caller", "listener", "network"])
def test_a_sleep_longer_than_the_others_patience_loses_nothing_and_shows_nothing_twice(
    people: Any, bad_link: Any, sleeper: str
) -> None:
    bob, address = people.listen("bob", command=IMPATIENT)
    with bad_link.Proxy(address) as proxy:
        alice = people.start("alice", "connect", proxy.address, command=IMPATIENT)
        sides = {"caller": alice, "listener": bob}
        bob.say(*(f"before {number}" for number in range(100)))
        alice.say(*(f"before {number}" for number in range(100)))
        alice.wait_for(lambda: len(alice.shown) == 100)
        bob.wait_for(lambda: len(bob.shown) == 100)

        if sleeper == "network":
            proxy.freeze()
        else:
            sides[sleeper].process.send_signal(signal.SIGSTOP)
        for side in sides.values():
            side.say(*(f"meanwhile {number}" for number in range(100)))
        time.sleep(SLEEP)
        if sleeper == "network":
            proxy.thaw()
        else:
            sides[sleeper].process.send_signal(signal.SIGCONT)

        alice.wait_for(lambda: alice.count("lost"))
        alice.wait_for(lambda: len(alice.shown) == 200)
        alice.say("afterwards", end=True)
        assert alice.end() == 0
    expected = [f"{when} {number}" for when in ("before", "meanwhile") for number in range(100)]
    assert bob.texts() == [*expected, "afterwards"]
    assert alice.texts() == expected


def test_where_an_address_goes_away_another_of_the_same_person_is_called(
    people: Any, bad_link: Any
) -> None:
    bob, address = people.listen("bob")
    with bad_link.Proxy(address) as other:
        met = people.start("alice", "connect", other.address)
        met.say("by the other way", end=True)
        assert met.end() == 0
        with bad_link.Proxy(address) as proxy:
            alice = people.start("alice", "connect", proxy.address)
            alice.say("here")
            bob.wait_for(lambda: len(bob.shown) == 2)
        alice.say("and there", end=True)
        assert alice.end() == 0
        assert other.done["connection"] == 2
    assert bob.texts() == ["by the other way", "here", "and there"]
