"""``e2ee history``: what was kept is shown to its owner, searched, and deleted."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pexpect
import pytest

from e2ee import Identity, Peer
from e2ee.contact_file import ContactFile
from e2ee.conversation_file import ConversationFile
from e2ee_cli.config import Config
from e2ee_cli.conversations import DAY, expire, open_conversations
from e2ee_cli.exits import STOPPED
from e2ee_cli.main import app

BOB, CAROL, LOST = (Identity.generate() for _ in range(3))
Here = Callable[..., tuple[int, str, str]]
NOON = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))


@pytest.fixture
def kept(e2ee: Any, tmp_path: Path) -> ConversationFile:
    """Alice has talked to Bob, on two days, to Carol, and to somebody whom she has removed."""
    home = tmp_path / "alice"
    home.mkdir()
    alice = Identity.generate()
    alice.save(home / "identity")
    with ContactFile(home / "contacts", alice).update() as book:
        for identity, name in ((BOB, "bob"), (CAROL, "carol")):
            peer = Peer(identity.public_key, identity.public_key, 0, 2**50)
            book.meet(peer, "code", int(NOON), name=name)
    file = ConversationFile(home / "conversations", alice)
    file.remember(BOB.public_key, "in", NOON - DAY, "An old WORD")
    file.remember(BOB.public_key, "in", NOON, "to bob: I am \x1b[31mred\u202e\nnew\tline")
    file.remember(BOB.public_key, "out", NOON + 60, "yes", "id 7")
    file.remember(CAROL.public_key, "out", NOON + 120, "a word")
    file.remember(LOST.public_key, "in", NOON + 180, "who am I?")
    file.close()
    return file


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """``here("history", …)`` does it in this process, as Alice, which saves a start: exit code,
    stdout, stderr.
    """
    monkeypatch.setenv("E2EE_HOME", str(tmp_path / "alice"))
    monkeypatch.delenv("E2EE_PROFILE", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = app(arguments, standalone_mode=False)
        return (code or 0, *capfd.readouterr())

    before = {number: signal.getsignal(number) for number in STOPPED}
    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


def test_everything_is_shown_and_nothing_of_it_acts_on_the_terminal(
    e2ee: Any, kept: ConversationFile
) -> None:
    code, out, err = e2ee.run("history")
    assert (code, err) == (0, "")
    assert out == (
        "2026-11-23 12:00 from bob: An old WORD\n"
        "2026-11-24 12:00 from bob: to bob: I am \\x1b[31mred\\u202e\\nnew\tline\n"
        "2026-11-24 12:01 to bob: yes\n"
        "2026-11-24 12:02 to carol: a word\n"
        f"2026-11-24 12:03 from {LOST.id}: who am I?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["BOB"], ["An old WORD", "to bob: I am \x1b[31mred\u202e\nnew\tline", "yes"]),
        (["show", "carol"], ["a word"]),
        ([LOST.id], ["who am I?"]),
        (["--search", "word"], ["An old WORD", "a word"]),
        (["bob", "--search", "wOrD"], ["An old WORD"]),
        (["bob", "--search", "xyz"], []),
        (["--since", "2026-11-24", "--search", "WORD"], ["a word"]),
        (["--since", "2026-11-25"], []),
    ],
)
def test_a_part_is_found(
    here: Here, kept: ConversationFile, arguments: list[str], found: list[str]
) -> None:
    code, out, err = here("history", *arguments, "--json")
    assert code == 0
    assert out.isascii()
    assert [json.loads(line)["text"] for line in out.splitlines()] == found
    assert ("none" in err) is (found == [])


def test_json_has_all_of_a_text(here: Here, kept: ConversationFile) -> None:
    lines = here("history", "--json")[1].splitlines()
    assert json.loads(lines[2]) == {
        "v": 1,
        "event": "kept",
        "name": "bob",
        "id": BOB.id,
        "direction": "out",
        "at": NOON + 60,
        "text": "yes",
    }
    assert json.loads(lines[4])["name"] is None


def test_a_long_text_at_a_terminal_begins_no_row(
    e2ee: Any, kept: ConversationFile, terminal: Any
) -> None:
    kept.remember(BOB.public_key, "in", NOON, "x" * 92 + " 2026-11-24 12:01 to bob: I owe you")
    kept.close()
    child = terminal("history", "bob", "--search", "owe", person="alice")
    child.expect("from bob: x+")
    child.expect("I owe you")
    for row in child.before.split("\n")[1:]:
        assert row.startswith(" " * len("2026-11-24 12:01 from bob: "))


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["bob"], 2),
        (["bob", "--before", "2026-11-24"], 4),
        (["--all", "--before", "2026-11-24"], 4),
        (["--all"], 0),
        ([LOST.id], 4),
    ],
)
def test_deleting_in_a_script(
    here: Here, kept: ConversationFile, arguments: list[str], left: int
) -> None:
    code, _, err = here("history", "delete", *arguments, "--yes")
    assert code == 0
    count = 5 - left
    assert err == f"Deleted: {count} {'text' if count == 1 else 'texts'}.\n"
    assert len(list(kept.history())) == left
    kept.close()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["delete"], 2, "or --all"),
        (["delete", "bob", "--all"], 2, "or --all"),
        (["delete", "bob"], 2, "in a script say --yes"),
        (["delete", "nobody", "--yes"], 3, "e2ee contact list"),
        (["delete", "--all", "--before", "yesterday", "--yes"], 2, "not a day such as"),
        (["nobody"], 3, "e2ee contact list"),
        (["--since", "2026-13-01"], 2, "not a day such as"),
    ],
)
def test_what_is_refused_deletes_nothing(
    here: Here, kept: ConversationFile, arguments: list[str], code: int, says: str
) -> None:
    refused, out, err = here("history", *arguments)
    assert (refused, out) == (code, "")
    assert says in err
    assert len(list(kept.history())) == 5
    kept.close()


@pytest.mark.parametrize(("answer", "left"), [("yes", 2), ("", 5)])
def test_deleting_asks_at_a_terminal(
    e2ee: Any, kept: ConversationFile, terminal: Any, answer: str, left: int
) -> None:
    child = terminal("history", "delete", "bob", person="alice")
    child.expect("of chats with bob\\?")
    child.sendline(answer)
    child.expect("Deleted: 3 texts" if answer else "nothing was deleted")
    child.expect(pexpect.EOF)
    assert len(list(kept.history())) == left
    kept.close()


def test_another_identitys_file_is_a_line_and_a_code(
    here: Here, kept: ConversationFile, tmp_path: Path
) -> None:
    Identity.generate().save(tmp_path / "alice" / "identity", replace=True)
    (tmp_path / "alice" / "contacts").unlink()
    code, _, err = here("history")
    assert code == 10
    assert "another identity's; restore a backup" in err


def test_a_locked_file_is_in_use(
    here: Here, kept: ConversationFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2ee.conversation_database.PATIENCE", 0.1)
    with closing(sqlite3.connect(tmp_path / "alice" / "conversations")) as other:
        other.execute("BEGIN EXCLUSIVE")
        code, _, err = here("history")
    assert code == 8
    assert "is an e2ee stopped in some terminal?" in err


def test_where_nothing_was_kept_it_is_said_and_no_file_is_made(e2ee: Any, tmp_path: Path) -> None:
    e2ee.id_of("alice")
    code, out, err = e2ee.run("history")
    assert (code, out, err) == (0, "", "Nothing such was kept.\n")
    assert not (tmp_path / "alice" / "conversations").exists()


def test_what_is_older_than_the_configured_days_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EE_HOME", str(tmp_path))
    monkeypatch.delenv("E2EE_PROFILE", raising=False)
    with open_conversations(Identity.generate()) as file:
        for day in range(10):
            file.remember(BOB.public_key, "in", NOON - day * DAY, f"{day} days old")
        expire(file, Config(), NOON)
        assert len(list(file.history())) == 10
        expire(file, Config(history_days=3), NOON)
        assert [entry.body for entry in file.history()] == [f"{day} days old" for day in range(4)]
