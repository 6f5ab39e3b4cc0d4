"""Where a contact is tried, in which order, and what is said where nobody answers."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import pytest

from e2ee import Identity, Peer
from e2ee.contact_file import ContactFile
from e2ee.contacts import Contact, ContactBook
from e2ee.errors import ConnectFailed, DecryptionError, E2EEError, NameUnknown
from e2ee.transport import Channel
from e2ee_cli import finding
from e2ee_cli.exits import CliError, Exit
from e2ee_cli.mdns import NoDiscovery
from e2ee_cli.output import Output
from e2ee_cli.pipe import JOIN
from e2ee_cli.send import SEND

OUTPUT = Output(as_json=True)
CHANNEL = cast(Channel, object())
IDENTITY = Identity.generate()
PEER = Peer(IDENTITY.public_key, IDENTITY.device_key.public_key().public_bytes_raw(), 0, 1)


def bob(*addresses: tuple[str, int]) -> Contact:
    """The last of the addresses was met first."""
    book = ContactBook()
    book.meet(PEER, "meeting", 0, name="bob")
    for address in reversed(addresses):
        book.meet(PEER, "meeting", 0, address=address)
    return book.get("bob")


@pytest.fixture
def nearby(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is found on the network."""
    found: list[tuple[str, int]] = []

    async def look(contacts: list[Contact]) -> AsyncGenerator[tuple[Contact, tuple[str, int]]]:
        if not found:
            raise NoDiscovery("no network")
        for place in found:
            yield contacts[0], place

    monkeypatch.setattr(finding, "look", look)
    return found


class Calls:
    """Answers as it is told, and remembers where it was called."""

    def __init__(self, **errors: Exception | None) -> None:
        self.errors = errors
        self.places: list[str] = []

    async def __call__(self, host: str, port: int) -> Channel:
        self.places.append(host)
        if (error := self.errors[host]) is not None:
            raise error
        return CHANNEL


def first(contact: Contact, calls: Calls) -> tuple[Channel, tuple[str, int]]:
    answered: tuple[Channel, tuple[str, int]] = asyncio.run(
        finding.first_to_answer(contact, calls, OUTPUT)
    )
    return answered


def test_all_addresses_are_tried_in_order_and_then_the_network(
    nearby: list[tuple[str, int]],
) -> None:
    nearby += [("b", 2), ("c", 3), ("d", 4), ("e", 5)]
    gone = ConnectFailed("gone")
    calls = Calls(a=gone, b=gone, c=gone, d=None)
    assert first(bob(("a", 1), ("b", 2)), calls) == (CHANNEL, ("d", 4))
    assert calls.places == ["a", "b", "c", "d"]


def test_nothing_more_is_tried_once_somebody_answers(nearby: list[tuple[str, int]]) -> None:
    nearby.append(("c", 3))
    calls = Calls(a=ConnectFailed("gone"), b=None)
    assert first(bob(("a", 1), ("b", 2)), calls) == (CHANNEL, ("b", 2))
    assert calls.places == ["a", "b"]


STRANGER = CliError("STOPPED. This is not bob.", Exit.TRUST, peer="e2ee1…")


def test_the_error_names_for_each_place_what_failed_there(nearby: list[tuple[str, int]]) -> None:
    nearby.append(("d", 4))
    calls = Calls(
        a=NameUnknown("the name 'a' cannot be resolved to an address"),
        b=ConnectFailed("cannot connect to b:2: nobody listens there"),
        c=DecryptionError(),
        d=STRANGER,
    )
    with pytest.raises(CliError) as caught:
        first(bob(("a", 1), ("b", 2), ("c", 3)), calls)
    assert caught.value.code is Exit.NETWORK
    assert str(caught.value).splitlines()[:5] == [
        "bob was not reached:",
        "  the name 'a' cannot be resolved to an address",
        "  cannot connect to b:2: nobody listens there",
        f"  c:3, handshake: {DecryptionError()}",
        "  d:4, handshake: somebody else answers there",
    ]
    tried = cast(list[dict[str, str]], caught.value.fields["tried"])
    assert [(one["address"], one["stage"]) for one in tried] == [
        ("a:1", "resolving"),
        ("b:2", "connecting"),
        ("c:3", "handshake"),
        ("d:4", "handshake"),
    ]


def test_somebody_else_at_an_address_of_theirs_is_the_alarm_but_does_not_end_the_search(
    nearby: list[tuple[str, int]],
) -> None:
    assert first(bob(("a", 1), ("b", 2)), Calls(a=STRANGER, b=None)) == (CHANNEL, ("b", 2))
    with pytest.raises(CliError, match="STOPPED") as caught:
        first(bob(("a", 1), ("b", 2)), Calls(a=ConnectFailed("b is away"), b=STRANGER))
    assert caught.value.code is Exit.TRUST
    assert caught.value.fields["peer"] == "e2ee1…"
    assert "b is away" in str(caught.value)


def test_a_contact_without_addresses_may_be_nearby(nearby: list[tuple[str, int]]) -> None:
    with pytest.raises(CliError, match="no address of bob is known") as caught:
        first(bob(), Calls())
    assert caught.value.code is Exit.USAGE
    nearby.append(("d", 4))
    assert first(bob(), Calls(d=None)) == (CHANNEL, ("d", 4))


@pytest.mark.parametrize("error", [CliError("busy", Exit.IN_USE), E2EEError("own fault")])
def test_what_is_wrong_here_is_not_tried_again_elsewhere(
    nearby: list[tuple[str, int]], error: Exception
) -> None:
    calls = Calls(a=error)
    with pytest.raises(type(error), match=str(error)):
        first(bob(("a", 1), ("b", 2)), calls)
    assert calls.places == ["a"]


def test_the_program_says_at_which_stage_it_is(e2ee: Any, closed_port: int) -> None:
    e2ee.id_of("alice")
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=greet, args=(server,), daemon=True).start()
    http = server.getsockname()[1]
    alice = Identity.load(e2ee.folder / "alice" / "identity")
    with ContactFile(e2ee.folder / "alice" / "contacts", alice).update() as book:
        for host, port in (
            ("127.0.0.1", http),
            ("127.0.0.1", closed_port),
            ("nowhere.invalid", 3233),
        ):
            book.meet(PEER, "meeting", time.time(), address=(host, port), name="bob")
    code, _, err = e2ee.run("connect", "bob", "--json")
    server.close()
    *stages, error = [json.loads(line) for line in err.splitlines()]
    assert [(line["event"], line.get("address", line.get("host"))) for line in stages[:5]] == [
        ("resolving", "nowhere.invalid"),
        ("connecting", "nowhere.invalid:3233"),
        ("connecting", f"127.0.0.1:{closed_port}"),
        ("connecting", f"127.0.0.1:{http}"),
        ("handshake", f"127.0.0.1:{http}"),
    ]
    assert (code, error["code"]) == (4, 4)
    stages_of_errors = [one["stage"] for one in error["tried"]]
    assert stages_of_errors == ["resolving", "connecting", "handshake"]
    assert "HTTP" in error["message"]


def greet(server: socket.socket) -> None:
    with server.accept()[0] as connection:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        while connection.recv(65_536):
            pass


def test_the_network_is_not_asked_while_places_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: Callable[..., Any] = pytest.fail
    monkeypatch.setattr(finding, "look", looked)
    assert first(bob(("a", 1)), Calls(a=None)) == (CHANNEL, ("a", 1))


@pytest.mark.parametrize(
    ("caller", "advice"),
    [
        (
            finding.CONNECT,
            "Do they run `e2ee listen`? With another address: e2ee connect HOST:PORT",
        ),
        (SEND, "Do they run `e2ee receive`? With another address: e2ee send FILE HOST:PORT"),
        (JOIN, "Do they run `e2ee pipe --listen`? With another address: e2ee pipe HOST:PORT"),
    ],
)
@pytest.mark.usefixtures("nearby")
def test_the_way_forward_is_that_of_the_command_that_called(
    caller: finding.Caller, advice: str
) -> None:
    calls = Calls(a=ConnectFailed("gone"))
    with pytest.raises(CliError) as caught:
        asyncio.run(finding.first_to_answer(bob(("a", 1)), calls, OUTPUT, caller=caller))
    assert str(caught.value).splitlines()[-1] == f"{advice} --peer bob"
    with pytest.raises(CliError) as caught:
        asyncio.run(finding.first_to_answer(bob(), calls, OUTPUT, caller=caller))
    assert str(caught.value).endswith(f"{advice.rpartition(': ')[2]} --peer bob")
