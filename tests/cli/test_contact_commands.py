"""``e2ee contact …``, trust on the command line, and every way forward that it prints."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2ee import Identity, Session
from e2ee.contact_file import ContactFile
from e2ee.contacts import ContactBook
from e2ee.messages import Hello, Leave, Name, Stream, Text, encode
from e2ee.transport import tcp


def meet(e2ee: Any, *, port: str = "0") -> tuple[str, str]:
    """Alice calls Bob, and calls him bob; the address, and Bob's id."""
    bob, address = e2ee.listen("--port", port)
    code, _, err = e2ee.run("connect", address, "--json", stdin=b"hello\n")
    assert code == 0, err
    assert e2ee.finish(bob)[0] == 0
    name = next(json.loads(x) for x in err.splitlines() if '"connected"' in x)["name"]
    assert e2ee.run("contact", "rename", name, "bob")[0] == 0
    return address, e2ee.id_of("bob")


def listed(e2ee: Any, person: str = "alice") -> list[dict[str, Any]]:
    out = e2ee.run("contact", "list", "--json", person=person)[1]
    return [json.loads(line) for line in out.splitlines()]


def commands_in(text: str) -> list[list[str]]:
    """The commands that stand on lines of their own."""
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("  e2ee ")]


def again(e2ee: Any, address: str, *options: str) -> Any:
    port = address.rpartition(":")[2]
    return e2ee.listen("--port", port, *options)[0]


def test_the_first_meeting_is_remembered_and_later_ones_say_so(e2ee: Any) -> None:
    address, bob_id = meet(e2ee)
    (contact,) = listed(e2ee)
    assert (contact["name"], contact["id"], contact["grade"]) == ("bob", bob_id, "seen")
    bob = again(e2ee, address)
    code, _, err = e2ee.run("connect", "bob", stdin=b"again\n")
    assert code == 0
    assert "to bob" in err
    assert "known since" in err
    assert "NEW" not in err
    _, out, bobs = e2ee.finish(bob)
    assert out == "again\n"
    assert "known since" in bobs


def test_the_way_forward_of_a_first_meeting_verifies(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    code, _, err = e2ee.run("connect", address, stdin=b"hello\n")
    assert code == 0
    e2ee.finish(bob)
    (command,) = commands_in(err)
    words = " ".join(json.loads(e2ee.run("id", "--json", person="bob")[1])["words"])
    assert words in err
    code, _, err = e2ee.run(*command, stdin=f"{words}\n".encode())
    assert code == 0
    assert "is verified" in err
    assert listed(e2ee)[0]["how"] == "comparison"


def test_both_see_one_safety_number(e2ee: Any) -> None:
    meet(e2ee)
    bobs_name = listed(e2ee, "bob")[0]["name"]
    numbers = []
    for person, name in (("alice", "bob"), ("bob", bobs_name)):
        code, out, _ = e2ee.run("contact", "verify", name, "--json", person=person)
        assert code == 6  # Nothing was typed.
        numbers.append(json.loads(out))
    for form in ("words", "digits", "qr"):
        assert numbers[0][form] == numbers[1][form]
    for form in (numbers[1]["digits"], " ".join(numbers[1]["words"]), numbers[1]["qr"]):
        assert e2ee.run("contact", "verify", "bob", stdin=f"{form}\n".encode())[0] == 0


@pytest.mark.attack(17)
def test_another_number_verifies_nothing(e2ee: Any, figure: Callable[[str], None]) -> None:
    meet(e2ee)
    for typed, code, says in (
        ("0" * 50, 5, "NOT the safety number"),
        ("tiger " * 16, 5, "NOT the safety number"),
        ("0" * 49, 2, "50 digits"),
        ("nonsense", 2, "no word of the list"),
        ("", 6, "as verified as before"),
    ):
        exit_code, _, err = e2ee.run("contact", "verify", "bob", stdin=f"{typed}\n".encode())
        assert exit_code == code
        assert says in err
        assert listed(e2ee)[0]["grade"] == "seen"
    figure("safety number: another one verifies nothing")


@pytest.mark.attack(16)
def test_a_changed_identity_stops_and_each_way_forward_works(
    e2ee: Any, figure: Callable[[str], None]
) -> None:
    address, old_id = meet(e2ee)
    for file in (e2ee.folder / "bob").iterdir():
        file.unlink()
    new_id = e2ee.id_of("bob")
    bob = again(e2ee, address)
    for target in ("bob", address):
        code, out, err = e2ee.run("connect", target, stdin=b"secret\n")
        assert (code, out) == (5, "")
        for part in (old_id, new_id, "STOPPED", "Nothing was sent", "by voice"):
            assert part in err
        ways = commands_in(err)
        assert ways == [
            ["contact", "trust", "bob", new_id],
            ["connect", address, "--peer", new_id],
        ]
    assert bob.poll() is None
    # The second: somebody else, at this address. They become a contact of their own.
    code, _, err = e2ee.run(*ways[1], stdin=b"hello, you\n")
    assert code == 0
    assert e2ee.finish(bob)[1] == "hello, you\n"
    names = {contact["name"] for contact in listed(e2ee)}
    assert len(names) == 2
    assert "bob" in names
    e2ee.run("contact", "remove", (names - {"bob"}).pop())
    # The first: it is Bob, who is met anew.
    code, _, err = e2ee.run(*ways[0])
    assert code == 0
    assert listed(e2ee)[0]["grade"] == "seen"
    assert commands_in(err) == [["contact", "verify", "bob"]]
    bob = again(e2ee, address)
    assert e2ee.run("connect", address, "--peer", "bob", stdin=b"hello\n")[0] == 0
    assert e2ee.finish(bob)[0] == 0
    code, _, err = e2ee.run(*commands_in(err)[0], stdin=f"{new_id}\n".encode())
    assert code == 0
    figure("changed identity: 0 bytes sent, both ids shown; only naming the new id goes on")


def test_the_way_forward_of_a_block_allows_again(e2ee: Any) -> None:
    address, _ = meet(e2ee)
    assert e2ee.run("contact", "block", "bob")[0] == 0
    assert "BLOCKED" in e2ee.run("contact", "list")[1]
    code, _, err = e2ee.run("connect", address, stdin=b"hello\n")
    assert code == 5
    assert "e2ee contact unblock bob" in err
    command = re.search("e2ee (contact unblock bob)", err)
    assert command is not None
    assert e2ee.run(*command[1].split())[0] == 0
    bob = again(e2ee, address)
    assert e2ee.run("connect", address, stdin=b"hello\n")[0] == 0
    e2ee.finish(bob)


def test_who_is_blocked_cannot_call(e2ee: Any) -> None:
    address, _ = meet(e2ee)
    name = listed(e2ee, "bob")[0]["name"]
    assert e2ee.run("contact", "block", name, person="bob")[0] == 0
    bob = again(e2ee, address)
    code, out, _ = e2ee.run("connect", address, stdin=b"hello\n")
    assert code in (4, 6)
    bob.terminate()
    code, out, err = e2ee.finish(bob)
    assert out == ""
    assert "is blocked" in err


@pytest.mark.parametrize("where", ["option", "configuration"])
def test_the_grade_that_is_required(e2ee: Any, where: str) -> None:
    address, bob_id = meet(e2ee)

    def call(grade: str) -> tuple[int, str]:
        options = ["--require", grade] if where == "option" else []
        if where == "configuration":
            (e2ee.folder / "alice" / "config.toml").write_text(f'require = "{grade}"\n')
        bob = again(e2ee, address)
        code, _, err = e2ee.run("connect", address, *options, stdin=b"hello\n")
        bob.terminate()
        e2ee.finish(bob)
        return code, err

    assert call("seen")[0] == 0
    code, err = call("verified")
    assert code == 5
    assert f"verified is required; to verify them: e2ee contact verify {bob_id}\n" in err
    assert e2ee.run("contact", "verify", "bob", stdin=bob_id.encode())[0] == 0
    assert call("verified")[0] == 0


def test_a_stranger_is_not_let_in_where_a_grade_is_required(e2ee: Any) -> None:
    bob, address = e2ee.listen("--require", "seen")
    assert e2ee.run("connect", address, stdin=b"hello\n")[0] in (4, 6)
    bob.terminate()
    _, out, err = e2ee.finish(bob)
    assert out == ""
    assert "is new, but seen is required" in err
    assert listed(e2ee, "bob") == []


def test_a_stranger_is_not_called_where_a_grade_is_required(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    code, _, err = e2ee.run("connect", address, "--require", "verified", stdin=b"hello\n")
    assert code == 5
    assert "is new, but verified is required; meet by an invitation: e2ee invite\n" in err
    bob.terminate()
    e2ee.finish(bob)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('require = "all"', "require is one of seen, invited, verified"),
        ("require = 3", "require is one of"),
        ("colour = 1", "'colour', which means nothing"),
        ("require =", "is not TOML"),
        ("name = 3", "name is a text"),
        (f'name = "{"x" * 33}"', "name is a text"),
        ('name = "a\\u001bb"', "name is a text"),
    ],
)
def test_a_configuration_that_is_wrong(e2ee: Any, text: str, says: str) -> None:
    (e2ee.folder / "alice").mkdir()
    (e2ee.folder / "alice" / "config.toml").write_text(text)
    code, _, err = e2ee.run("connect", "127.0.0.1:1")
    assert code == 2
    assert says in err
    assert "config.toml" in err


@pytest.mark.parametrize("command", ["show", "rename", "verify", "trust", "block", "remove"])
def test_who_is_not_there_is_exit_code_3(e2ee: Any, command: str) -> None:
    more = {"rename": ["new"], "trust": [Identity.generate().id]}.get(command, [])
    code, _, err = e2ee.run("contact", command, "nobody", *more)
    assert code == 3
    assert "e2ee contact list" in err


def test_the_rest_of_the_commands(e2ee: Any) -> None:
    address, bob_id = meet(e2ee)
    code, out, _ = e2ee.run("contact", "show", "BOB")
    assert code == 0
    for part in (bob_id, address, "not verified", "known since", "safety words"):
        assert part in out
    shown = json.loads(e2ee.run("contact", "show", bob_id, "--json")[1])
    assert shown["addresses"] == [address]
    assert e2ee.run("contact", "rename", "bob", "a/b")[0] == 2
    assert e2ee.run("contact", "remove", "bob")[0] == 0
    assert listed(e2ee) == []
    code, _, err = e2ee.run("contact", "list")
    assert code == 0
    assert "e2ee invite" in err


def test_a_name_is_a_claim_and_the_alias_wins(e2ee: Any) -> None:
    meet(e2ee)
    (e2ee.folder / "carol").mkdir()
    (e2ee.folder / "carol" / "config.toml").write_text('name = "B\u043eb"  # a Cyrillic o\n')
    carol, other = e2ee.listen(person="carol")
    assert e2ee.run("connect", other, stdin=b"hello\n")[0] == 0
    assert e2ee.finish(carol)[0] == 0
    contact = next(one for one in listed(e2ee) if one["name"] != "bob")
    assert contact["claimed_name"] == "B\u043eb"
    out = e2ee.run("contact", "list")[1]
    line = next(one for one in out.splitlines() if contact["name"] in one)
    assert f'{contact["name"]} (calls themself "B\u043eb", {contact["id"][:16]}…' in line
    assert "not your contact bob)" in line


@pytest.mark.parametrize(("claim", "told"), [("Bob", ""), ("Zoë", '(bob (calls themself "Zoë"))')])
def test_who_calls_themself_as_i_do_is_not_told_again(e2ee: Any, claim: str, told: str) -> None:
    meet(e2ee)
    (e2ee.folder / "bob" / "config.toml").write_text(f'name = "{claim}"\n')
    bob, address = e2ee.listen()
    code, _, err = e2ee.run("connect", address, "--peer", "bob", stdin=b"hello\n")
    assert code == 0
    assert e2ee.finish(bob)[0] == 0
    assert [line for line in err.splitlines() if line.startswith("(")] == [told] * bool(told)
    assert {one["claimed_name"] for one in listed(e2ee)} == {claim}


def test_a_damaged_contact_file_is_left_as_it_is(e2ee: Any) -> None:
    address, _ = meet(e2ee)
    path = e2ee.folder / "alice" / "contacts"
    data = path.read_bytes()
    damaged = data[:200] + b"\0" + data[201:]
    path.write_bytes(damaged)
    for arguments in (["contact", "list"], ["connect", address], ["invite"]):
        code, _, err = e2ee.run(*arguments)
        assert code == 10
        assert "damaged" in err
        assert "restore a backup" in err
    assert path.read_bytes() == damaged


def test_contacts_that_another_program_holds_for_long_are_said_to_be_in_use(e2ee: Any) -> None:
    meet(e2ee)
    owner = Identity.load(e2ee.folder / "alice" / "identity")
    with ContactFile(e2ee.folder / "alice" / "contacts", owner).update() as book:
        assert isinstance(book, ContactBook)
        code, _, err = e2ee.run("contact", "block", "bob")
    assert code == 8
    assert "another program" in err
    assert e2ee.run("contact", "block", "bob")[0] == 0


def test_two_profiles_with_one_identity_know_that_it_is_themselves(e2ee: Any) -> None:
    e2ee.id_of("alice")
    (e2ee.folder / "bob").mkdir()
    path = Path(e2ee.folder / "alice" / "identity")
    (e2ee.folder / "bob" / "identity").write_bytes(path.read_bytes())
    (e2ee.folder / "bob" / "identity").chmod(0o600)
    bob, address = e2ee.listen()
    code, _, err = e2ee.run("connect", address, stdin=b"hello\n")
    assert code == 5
    assert "it is yourself" in err
    bob.terminate()
    e2ee.finish(bob)


def test_the_ways_forward_are_those_of_the_profile(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    code, _, err = e2ee.run("--profile", "work", "connect", address, stdin=b"hello\n")
    assert code == 0
    e2ee.finish(bob)
    (command,) = commands_in(err)
    assert command[:2] == ["--profile", "work"]
    code, _, err = e2ee.run(*command, stdin=e2ee.id_of("bob").encode())
    assert code == 0
    assert listed(e2ee) == []


def test_a_name_with_a_blank_stands_in_quotes(e2ee: Any) -> None:
    meet(e2ee)
    assert e2ee.run("contact", "rename", "bob", "Bob the Builder")[0] == 0
    code, _, err = e2ee.run("contact", "trust", "bob the builder", Identity.generate().id)
    assert code == 0
    assert commands_in(err) == [["contact", "verify", "Bob the Builder"]]


def test_a_flood_of_names_is_one_name(e2ee: Any) -> None:
    async def flood(address: str) -> None:
        host, port = address.split(":")
        channel = await tcp.connect(host, int(port), Session.initiator(Identity.generate()))
        await channel.send(encode(Hello(purposes=("chat",))))
        await channel.send(encode(Stream(id=bytes(16), first=1)))
        for number in range(500):
            await channel.send(encode(Name(name=f"name {number}")))
        await channel.send(encode(Text(id=1, body="that was all")))
        async for message in channel:
            if b"receipt" in message:
                await channel.send(encode(Leave()))
        await channel.close()

    bob, address = e2ee.listen("--json")
    asyncio.run(flood(address))
    code, out, err = e2ee.finish(bob)
    assert code == 0
    assert json.loads(out)["text"] == "that was all"
    assert err.count('"event":"name"') == 1
    assert listed(e2ee, "bob")[0]["claimed_name"] == "name 0"


EACH_COMMAND = """
import sys
from e2ee.ids import encode_id
from e2ee_cli.main import main
from tests.session.low_order import LOW_ORDER_ED25519
for key in LOW_ORDER_ED25519:
    who = encode_id(key)
    for command in (
        ["contact", "trust", "bob", who],
        ["connect", "127.0.0.1:1", "--peer", who],
        ["listen", "--peer", who, "--host", "127.0.0.1", "--port", "0"],
    ):
        sys.argv = ["e2ee", *command]
        try:
            main()
        except SystemExit as end:
            print("ended with", end.code)
"""


@pytest.mark.attack(9)
def test_no_command_that_takes_a_new_id_takes_one_of_low_order(
    e2ee: Any, figure: Callable[[str], None]
) -> None:
    meet(e2ee)
    before = listed(e2ee)
    result = subprocess.run(
        [sys.executable, "-c", EACH_COMMAND],
        env=e2ee.environment("alice"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.count("ended with 2") == 14 * 3, result.stdout + result.stderr
    assert listed(e2ee) == before
    figure("ids of low order: 14 of 14 refused by each of 3 commands, exit code 2")
