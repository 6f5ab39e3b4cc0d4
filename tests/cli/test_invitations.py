"""Invitations: from nothing to a chat in two commands, and everything that can go wrong."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest

from e2ee import Identity
from e2ee.invitation import Link, SpokenCode
from e2ee_cli import links
from e2ee_cli.book import Book

HERE = ("--host", "127.0.0.1", "--port", "0")


def chat_and_end(alice: Any, bob: Any) -> None:
    for child in (alice, bob):
        child.expect("Ctrl-D leaves")
    alice.sendline("hello")
    bob.expect(": hello")
    bob.sendline("welcome")
    alice.expect(": welcome")
    alice.sendeof()
    for child in (alice, bob):
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0


def contacts(e2ee: Any, person: str) -> list[dict[str, Any]]:
    out = e2ee.run("contact", "list", "--json", person=person)[1]
    return [json.loads(line) for line in out.splitlines()]


def test_two_profiles_go_from_nothing_to_a_verified_chat_by_a_spoken_code(
    e2ee: Any, terminal: Any, multicast: bool
) -> None:
    bob = terminal("invite", *HERE, person="bob")
    bob.expect(r"(\d+-[a-z]+-[a-z]+-[a-z]+)\r")
    code = bob.match[1]
    bob.expect(r"e2ee join --at (127\.0\.0\.1:\d+)")
    where = () if multicast else ("--at", bob.match[1])
    bob.expect("type it")
    alice = terminal("join", *where, person="alice")
    alice.expect("Tab completes")
    number, first, second, third = code.split("-")
    # Three letters and Tab, twice; the last one whole.
    alice.send(f"{number}-{first[:3]}\t")
    alice.expect(first)
    alice.send(f"{second[:3]}\t")
    alice.expect(second)
    alice.send(f"{third}\r")
    for child in (alice, bob):
        child.expect("verified by code on")
    # No question was asked that wants a yes or a no.
    shown = alice.before + bob.before
    assert not re.search(r"(?i)\[?y/n\]?|yes/no|\(yes\)", shown)
    chat_and_end(alice, bob)
    for person, other in (("alice", "bob"), ("bob", "alice")):
        (contact,) = contacts(e2ee, person)
        assert contact["grade"] == "verified"
        assert contact["how"] == "code"
        assert contact["id"] == e2ee.id_of(other)


def test_two_profiles_go_from_nothing_to_a_chat_by_a_link(e2ee: Any, terminal: Any) -> None:
    bob = terminal("invite", "--link", *HERE, person="bob")
    bob.expect(r"(e2ee:invite1\w+)")
    link = bob.match[1]
    bob.expect("and paste it")
    alice = terminal("join", "--link", person="alice")
    alice.expect("not shown")
    # Pasted with a line break in it.
    alice.sendline(link[:70])
    alice.expect("goes on")
    alice.sendline(f"  {link[70:]} ")
    for child in (alice, bob):
        child.expect("paired by link on")
    assert link[20:60] not in alice.before
    chat_and_end(alice, bob)
    for person, other in (("alice", "bob"), ("bob", "alice")):
        (contact,) = contacts(e2ee, person)
        assert (contact["grade"], contact["how"]) == ("invited", "link")
        assert contact["id"] == e2ee.id_of(other)


def invite(e2ee: Any, *options: str, person: str = "bob") -> tuple[Any, dict[str, Any], str]:
    """The process, what it told, and where it is."""
    process = e2ee.start("invite", *HERE, "--json", *options, person=person)
    told = json.loads(process.stdout.readline())
    if "link" in told:
        host, port = Link.parse(told["link"]).addresses[0]
        return process, told, f"{host}:{port}"
    return process, told, f"127.0.0.1:{told['port']}"


def test_a_wrong_code_burns_the_invitation_and_tells_the_inviter(e2ee: Any) -> None:
    bob, told, where = invite(e2ee)
    wrong = SpokenCode(told["number"], ["tiger", "tiger", "opera"])
    code, out, err = e2ee.run("join", "--at", where, stdin=f"{wrong}\n".encode())
    assert (code, out) == (7, "")
    assert "ask for a new one" in err
    code, _, err = e2ee.finish(bob, b"")
    assert code == 7
    assert "burned" in err
    assert "e2ee invite" in err
    assert contacts(e2ee, "alice") == contacts(e2ee, "bob") == []


def test_who_takes_their_own_code_is_told_that_it_is_used_up(e2ee: Any) -> None:
    bob, told, where = invite(e2ee)
    code, out, err = e2ee.run(
        "join", "--at", where, stdin=f"{told['code']}\n".encode(), person="bob"
    )
    assert (code, out) == (7, "")
    assert "it is yourself" in err
    assert "ask for a new one" in err
    code, _, err = e2ee.finish(bob, b"")
    assert code == 7
    assert "e2ee invite" in err


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("{n}-{a}-{b}", "a number and 3 words"),
        ("{n}-{a}-{b}-zzz", "'zzz' is no word"),
        ("{a}-{b}-{c}", "begins with its number"),
        ("", "begins with its number"),
    ],
)
def test_a_code_that_is_none_is_not_tried(e2ee: Any, typed: str, says: str) -> None:
    bob, told, where = invite(e2ee)
    n, a, b, c = told["code"].split("-")
    text = typed.format(n=n, a=a, b=b, c=c)
    code, _, err = e2ee.run("join", "--at", where, stdin=f"{text}\n".encode())
    assert code == 7
    assert says in err
    # It was not burned by that.
    assert e2ee.run("join", "--at", where, stdin=f"{told['code']}\nhi\n".encode())[0] == 0
    assert e2ee.finish(bob)[0] == 0


def test_another_number_is_refused_and_burns_nothing(e2ee: Any) -> None:
    bob, told, where = invite(e2ee)
    other = SpokenCode(told["number"] + 1, told["code"].split("-")[1:])
    code, _, err = e2ee.run("join", "--at", where, stdin=f"{other}\n".encode())
    assert code == 7
    assert "ask for a new one" in err
    assert e2ee.run("join", "--at", where, stdin=f"{told['code']}\n".encode())[0] == 0
    assert e2ee.finish(bob)[0] == 0


def test_a_code_from_the_command_line_a_file_and_the_environment(e2ee: Any, tmp_path: Path) -> None:
    for way in ("argument", "file", "environment"):
        bob, told, where = invite(e2ee)
        arguments, environment = ["join", "--at", where], e2ee.environment("alice")
        if way == "argument":
            arguments.insert(1, told["code"])
        elif way == "file":
            (tmp_path / "code").write_text(told["code"].replace("-", " ") + "\n")
            arguments += ["--file", str(tmp_path / "code")]
        else:
            environment["E2EE_INVITATION"] = told["code"]
        alice = e2ee.start(*arguments, env=environment)
        code, _, err = e2ee.finish(alice, b"from " + way.encode())
        assert code == 0, err
        assert err.count("Others on this machine can see") == (way == "argument")
        assert told["code"] not in err
        assert "from " + way in e2ee.finish(bob)[1]


def test_a_link_on_the_command_line_is_refused(e2ee: Any) -> None:
    link = Link(Identity.generate().public_key, bytes(32), 2**40, [("127.0.0.1", 1)])
    code, _, err = e2ee.run("join", link.text)
    assert code == 2
    assert "e2ee join --link" in err
    assert link.text[20:60] not in err


def test_a_link_is_good_once(e2ee: Any) -> None:
    bob, told, where = invite(e2ee, "--link")
    assert e2ee.run("join", "--link", stdin=f"{told['link']}\n".encode())[0] == 0
    assert e2ee.finish(bob)[0] == 0
    port = where.rpartition(":")[2]
    bob, _ = e2ee.listen("--port", port)
    code, _, err = e2ee.run("join", "--link", person="carol", stdin=f"{told['link']}\n".encode())
    assert code == 7
    assert "used, revoked or expired" in err
    bob.terminate()
    e2ee.finish(bob)


def test_a_link_of_somebody_who_is_elsewhere_now(e2ee: Any) -> None:
    bob, told, _ = invite(e2ee, "--link", "--at", "192.0.2.1")
    said = map(json.loads, iter(bob.stderr.readline, ""))
    port = next(line["port"] for line in said if line["event"] == "inviting")
    joined = ("join", "--link", "--at", f"127.0.0.1:{port}")
    assert e2ee.run(*joined, stdin=f"{told['link']}\n".encode())[0] == 0
    assert e2ee.finish(bob)[0] == 0


def test_a_link_waits_for_a_later_listen(e2ee: Any) -> None:
    bob, told, where = invite(e2ee, "--link", "--as", "ally")
    bob.terminate()
    e2ee.finish(bob)
    bob, _ = e2ee.listen("--port", where.rpartition(":")[2])
    assert e2ee.run("join", "--link", stdin=f"{told['link']}\nhi\n".encode())[0] == 0
    assert e2ee.finish(bob)[0] == 0
    (contact,) = contacts(e2ee, "bob")
    assert (contact["name"], contact["grade"]) == ("ally", "invited")


def test_an_expired_link_is_refused_by_who_joins_and_by_who_invites(
    e2ee: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = Identity.generate()
    link = Link(identity.public_key, bytes(32), int(time.time()) - 5, [("127.0.0.1", 1)])
    code, _, err = e2ee.run("join", "--link", stdin=f"{link.text}\n".encode())
    assert code == 7
    assert "expired" in err
    assert "clocks" in err


@pytest.mark.parametrize(("after", "is_good"), [(-1, True), (0.9, True), (1, False)])
def test_a_link_is_good_to_the_end_of_its_last_second(
    after: float, is_good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EE_HOME", str(tmp_path))
    book = Book(Identity.generate())
    monkeypatch.setattr(links.time, "time", lambda: 1_000.0)
    link, pending = links.new_link(book, [("127.0.0.1", 1)], lifetime=60, name="")
    assert link.expires == pending.expires == 1_060
    monkeypatch.setattr(links.time, "time", lambda: 1_060 + after)
    found = links.PendingLinks(book)
    assert (found.psk(link.lookup_id) == link.psk) is is_good
    assert found.take(link.lookup_id) is is_good
    assert not found.take(link.lookup_id)
    assert found.psk(link.lookup_id) is None


def test_links_are_listed_and_revoked(e2ee: Any) -> None:
    bob, told, where = invite(e2ee, "--link", "--expires", "2w")
    bob.terminate()
    e2ee.finish(bob)
    code, out, _ = e2ee.run("invite", "list", person="bob")
    assert code == 0
    (line,) = out.splitlines()
    assert "pending" in line
    assert told["link"][20:50] not in out
    short = line.split()[0]
    assert e2ee.run("invite", "revoke", short, person="bob")[0] == 0
    assert e2ee.run("invite", "list", person="bob")[1] == ""
    code, _, err = e2ee.run("invite", "revoke", short, person="bob")
    assert code == 7
    assert "e2ee invite list" in err
    bob, _ = e2ee.listen("--port", where.rpartition(":")[2])
    code, _, err = e2ee.run("join", "--link", stdin=f"{told['link']}\n".encode())
    assert code == 7
    bob.terminate()
    e2ee.finish(bob)


def test_two_joiners_at_once(e2ee: Any) -> None:
    for kind in ((), ("--link",)):
        bob, told, where = invite(e2ee, *kind)
        secret = told.get("link") or told["code"]
        arguments = ("join", *(kind or ("--at", where)))
        joiners = [e2ee.start(*arguments, person=person) for person in ("carol", "dave")]
        codes = sorted(e2ee.finish(one, f"{secret}\nhi\n".encode())[0] for one in joiners)
        assert codes[0] == 0
        assert codes[1] in (4, 7)
        assert e2ee.finish(bob)[0] == 0
        shutil.rmtree(e2ee.folder / "carol")
        shutil.rmtree(e2ee.folder / "dave")


def test_nobody_answers_for_the_number(e2ee: Any) -> None:
    code, _, err = e2ee.run("join", stdin=b"998-acrobat-velcro-sugar\n")
    assert code == 4
    assert "nobody on this network" in err
    assert "e2ee join --at HOST" in err


@pytest.mark.parametrize("life", ["1", "d", "0d", "1y", "-1d", "99999w", "1d2h"])
def test_lives_that_no_link_has(e2ee: Any, life: str) -> None:
    code, _, err = e2ee.run("invite", "--link", f"--expires={life}")
    assert code == 2
    assert "30m, 12h, 1d or 2w" in err


def test_a_code_asked_for_at_the_terminal_can_be_left(terminal: Any) -> None:
    for key, code in (("\x03", 130), ("\x04", 2)):
        alice = terminal("join", person="alice")
        alice.expect("Tab completes")
        alice.send(key)
        alice.expect(pexpect.EOF)
        alice.close()
        assert alice.exitstatus == code


@pytest.mark.attack(81)
def test_secrets_are_in_no_argument_list(e2ee: Any, figure: Callable[[str], None]) -> None:
    bob, told, where = invite(e2ee)
    alice = e2ee.start("join", "--at", where)
    alice.stdin.write(f"{told['code']}\n".encode())
    alice.stdin.flush()
    for line in alice.stderr:
        if b"Connected" in line:
            break
    for process in (alice, bob):
        for file in ("cmdline", "environ"):
            try:
                seen = Path(f"/proc/{process.pid}/{file}").read_bytes()
            except PermissionError:
                assert file == "environ"  # It is not dumpable: for root only.
                continue
            assert told["code"].encode() not in seen
    figure("/proc: a code that is typed is in no cmdline or environ of inviter and joiner")
    assert e2ee.finish(alice, b"")[0] == 0
    assert e2ee.finish(bob)[0] == 0
