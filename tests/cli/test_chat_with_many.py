"""One listener, several people: each conversation is its own, and waits for who is away."""

from __future__ import annotations

import re
from typing import Any

import pytest


@pytest.fixture
def bob(terminal: Any) -> Any:
    """Bob listens at a terminal, and keeps what is said."""
    child = terminal("listen", "--history", "--host", "127.0.0.1", "--port", "0", person="bob")
    child.expect(r"e2ee connect (127\.0\.0\.1:\d+)")
    child.address = child.match[1]
    return child


def arrive(bob: Any, e2ee: Any, person: str, *arguments: str) -> tuple[Any, str]:
    """Somebody calls; their program, and what Bob calls them."""
    caller = e2ee.start("connect", bob.address, *arguments, person=person)
    bob.expect(r"to ([a-z]+-[a-z]+)\r")
    name = bob.match[1]
    bob.expect("contact verify")
    return caller, name


def test_each_gets_what_is_said_to_them_and_nothing_else(bob: Any, e2ee: Any) -> None:
    alice, alices_name = arrive(bob, e2ee, "alice")
    carol, carols_name = arrive(bob, e2ee, "carol")
    bob.send("to the first who came\r")
    bob.expect(f"you .to {alices_name}.: to the first who came")
    bob.send(f"/to {carols_name.upper()}\r")
    bob.send("to the second\r")
    bob.expect(f"you .to {carols_name}.: to the second")
    assert alice.stdout.readline() == b"to the first who came\n"
    assert carol.stdout.readline() == b"to the second\n"
    assert e2ee.finish(alice, b"from alice\n")[:2] == (0, "")
    bob.expect(f"{alices_name} .not verified.: from alice")
    bob.expect(f"{alices_name} has left")
    assert e2ee.finish(carol, b"from carol\n")[:2] == (0, "")
    bob.expect(f"{carols_name} .not verified.: from carol")
    bob.sendeof()
    bob.expect_exact("\x1b[?2004l")
    bob.wait()
    assert bob.exitstatus == 0

    kept = e2ee.run("history", person="bob")[1]
    assert [re.sub(r"^\S+ \S+ ", "", line) for line in kept.splitlines()] == [
        f"to {alices_name}: to the first who came",
        f"to {carols_name}: to the second",
        f"from {alices_name}: from alice",
        f"from {carols_name}: from carol",
    ]
    # Who is forgotten leaves nothing behind.
    assert e2ee.run("contact", "remove", carols_name, person="bob")[0] == 0
    assert carols_name not in e2ee.run("history", person="bob")[1]


def test_what_is_said_to_somebody_who_is_away_arrives_when_they_come(bob: Any, e2ee: Any) -> None:
    alice, name = arrive(bob, e2ee, "alice")
    assert e2ee.finish(alice, b"back in a minute\n")[0] == 0
    bob.expect(f"{name} has left")
    bob.send("are you back?\r")
    bob.expect("are you back. .not delivered yet")
    alice, _ = arrive(bob, e2ee, "alice")
    assert alice.stdout.readline() == b"are you back?\n"
    bob.expect("you: are you back")
    assert e2ee.finish(alice, b"")[:2] == (0, "")


def test_a_file_is_taken_only_by_who_is_asked_and_says_yes(
    bob: Any, e2ee: Any, tmp_path: Any
) -> None:
    file = tmp_path / "from alice.txt"
    file.write_text("hello")
    arrive(bob, e2ee, "alice")
    sender = e2ee.start("send", str(file), bob.address, person="alice")
    bob.expect(r"/accept 1 or /decline 1")
    bob.send("/decline 1\r")
    code, _, err = e2ee.finish(sender)
    assert (code, "did not take it" in err) == (6, True)
    bob.send("/accept 1\r")
    bob.expect("No such file is offered")


def test_a_mistyped_command_is_not_said(bob: Any, e2ee: Any) -> None:
    alice, _ = arrive(bob, e2ee, "alice")
    bob.send("/qiut\r")
    bob.expect("No such command")
    bob.send("\x15//quit is how to leave\r")
    bob.expect("you: /quit is how to leave")
    assert alice.stdout.readline() == b"/quit is how to leave\n"
    bob.send("/quit\r")
    bob.wait()
    assert bob.exitstatus == 0


def test_who_already_talks_to_somebody_is_told_that_nothing_more_is_kept(
    bob: Any, e2ee: Any
) -> None:
    first, _ = arrive(bob, e2ee, "alice")
    code, _, err = e2ee.run("connect", bob.address, person="alice")
    assert code == 0
    assert re.search(
        r"^\(Another e2ee of yours is talking to \S+; what you write here is not kept"
        r" when this one ends\.\)$",
        err,
        re.MULTILINE,
    )
    assert e2ee.finish(first, b"")[0] == 0
