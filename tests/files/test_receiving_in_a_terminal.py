"""A person who is asked, and what they see."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest


@pytest.fixture
def terminal(pair: Any) -> Iterator[Callable[..., Any]]:
    opened: list[Any] = []

    def open_terminal(person: str, *arguments: str) -> Any:
        child = pexpect.spawn(
            str(Path(sys.executable).with_name("e2ee")),
            list(arguments),
            env={**os.environ, "E2EE_HOME": str(pair.folder / person)},
            cwd=str(pair.folder),
            encoding="utf-8",
            timeout=30,
            dimensions=(40, 100),
        )
        opened.append(child)
        return child

    yield open_terminal
    for child in opened:
        child.close(force=True)


def listening(bob: Any) -> str:
    bob.expect(r"e2ee send FILE (127\.0\.0\.1:\d+)")
    return str(bob.match[1])


def test_a_person_takes_one_file_and_not_another(pair: Any, terminal: Callable[..., Any]) -> None:
    (pair.folder / "a\x1b[2J").write_text("a")
    (pair.folder / "b").write_text("b")
    bob = terminal("bob", "receive", "in", "--host", "127.0.0.1", "--port", "0")
    address = listening(bob)
    alice = pair.send("a\x1b[2J", "b", address)
    bob.expect("NEW: never met before, NOT VERIFIED")
    bob.expect_exact("offers a\\x1b[2J (1 B)")
    bob.expect_exact("Take a\\x1b[2J? [y/N]")
    bob.sendline("y")
    bob.expect_exact("Take b? [y/N]")
    bob.sendline("")
    bob.expect(pexpect.EOF)
    bob.close()
    assert bob.exitstatus == 0
    assert pair.finish(alice)[0] == 6
    assert os.listdir(pair.inbox) == ["a_x1b[2J"]


def shows(bob: Any, screen: pyte.Stream, end: str) -> None:
    """Read until the screen ends with rows like these."""
    seen = ""
    while not re.search(rf"(?m)^{end}\Z", seen):
        screen.feed(bob.read_nonblocking(4096, timeout=30))
        assert screen.listener is not None
        rows = [row.rstrip() for row in screen.listener.display]
        seen = "\n".join(rows).rstrip()


def test_what_is_said_while_a_person_is_asked_stands_above_the_question(
    pair: Any, terminal: Callable[..., Any]
) -> None:
    for name in ("a", "b", "c"):
        (pair.folder / name).write_text(name)
    bob = terminal("bob", "receive", "in", "--host", "127.0.0.1", "--port", "0")
    screen = pyte.Stream(pyte.Screen(100, 40))
    alice = pair.send("a", "b", "c", listening(bob))
    offers = "".join(rf"\S+ offers {name} \(1 B\)\n" for name in "abc")
    shows(bob, screen, rf"{offers}Take a\? \[y/N\]")
    bob.send("x")
    shows(bob, screen, rf"{offers}Take a\? \[y/N\] x")
    bob.send("\r")
    shows(bob, screen, r"Take a\? \[y/N\] x\na was declined\nTake b\? \[y/N\]")
    bob.send("y\r")
    shows(bob, screen, r"Take b\? \[y/N\] y\nin/b\nTake c\? \[y/N\]")
    bob.send("\r")
    bob.expect(pexpect.EOF)
    bob.close()
    assert bob.exitstatus == 0
    assert pair.finish(alice)[0] == 6
    assert os.listdir(pair.inbox) == ["b"]


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 0)], ids=["Ctrl-C", "Ctrl-D"])
def test_ctrl_c_at_a_question_stops_the_program_and_ctrl_d_is_a_no(
    pair: Any, terminal: Callable[..., Any], key: str, code: int
) -> None:
    for name in ("a", "b"):
        (pair.folder / name).write_text(name)
    bob = terminal("bob", "receive", "in", "--host", "127.0.0.1", "--port", "0")
    alice = pair.send("a", "b", listening(bob))
    bob.expect_exact("Take a? [y/N]")
    bob.send(key)
    if code == 0:
        bob.expect_exact("Take b? [y/N]")
        bob.sendline("")
    bob.expect(pexpect.EOF)
    assert ("e2ee: stopped by Ctrl-C" in bob.before) == (code == 130)
    bob.close()
    assert bob.exitstatus == code
    assert pair.finish(alice)[0] == 6
    assert os.listdir(pair.inbox) == []


def test_a_sender_that_goes_while_a_person_is_asked(
    pair: Any, terminal: Callable[..., Any]
) -> None:
    (pair.folder / "a").write_text("a")
    bob = terminal("bob", "receive", "in", "--host", "127.0.0.1", "--port", "0")
    alice = pair.send("a", listening(bob))
    bob.expect_exact("Take a? [y/N]")
    alice.kill()
    bob.expect("run the same command again to go on")
    bob.expect(pexpect.EOF)
    bob.close()
    assert bob.exitstatus == 4
    assert os.listdir(pair.inbox) == []


def test_a_row_of_progress_is_drawn_and_taken_away(pair: Any, terminal: Callable[..., Any]) -> None:
    pair.meet()
    with (pair.folder / "big").open("wb") as big:
        big.truncate(400_000_000)
    bob, address = pair.receive("--yes")
    alice = terminal("alice", "send", "big", address)
    alice.expect(r"big +\d+ %  \[#*-*\]")
    alice.expect_exact("\x1b[K")
    alice.expect(r"Sent big \(400")
    alice.expect(pexpect.EOF)
    alice.close()
    assert alice.exitstatus == 0
    assert pair.finish(bob)[0] == 0
