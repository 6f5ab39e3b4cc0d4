"""Being seen by contacts on a network, and by nobody else, whatever others send there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from zeroconf import (  # type: ignore[attr-defined]
    DNSAddress,
    DNSCache,
    DNSIncoming,
    DNSOutgoing,
    DNSPointer,
    DNSService,
    DNSText,
)

from e2ee import Identity, Peer
from e2ee.contact_file import ContactFile
from e2ee.contacts import Contact, ContactBook
from e2ee.nearby_tag import PERIOD, Sign, new_sign
from e2ee_cli import nearby
from e2ee_cli.mdns import MAX_ANSWERS, POLL
from e2ee_cli.nearby import (
    MAX_MACHINES,
    MAX_PLACES,
    MAX_TEXT,
    SEARCH_TIME,
    SERVICE,
    look,
    visible,
)
from e2ee_cli.output import Output
from tests.virtual_time import in_virtual_time, now

needs_multicast = pytest.mark.usefixtures("can_multicast")

OUTPUT = Output(as_json=True)


def contact(identity: Identity) -> Contact:
    return ContactBook().meet(Peer(identity.public_key, bytes(32), 0, 1), "meeting", 0)


@contextlib.asynccontextmanager
async def seen(identity: Identity, port: int = 4567) -> AsyncIterator[None]:
    async with visible(identity.public_key, port, lambda: ["127.0.0.1"], OUTPUT):
        yield


async def found(*people: Identity, seconds: float = 3) -> dict[str, set[tuple[str, int]]]:
    places: dict[str, set[tuple[str, int]]] = {}
    async with contextlib.aclosing(look(map(contact, people), seconds=seconds)) as shown:
        async for who, place in shown:
            places.setdefault(who.id, set()).add(place)
    return places


@needs_multicast
def test_contacts_see_who_wants_to_be_seen_and_nobody_learns_who_it_is(overhear: Any) -> None:
    bob, carol = Identity.generate(), Identity.generate()

    async def work() -> None:
        async with seen(bob):
            by_contact, by_stranger = await asyncio.gather(found(carol, bob), found(carol))
            assert by_contact == {bob.id: {("127.0.0.1", 4567)}}
            assert by_stranger == {}
        assert await found(bob, seconds=0.7) == {}

    overheard = overhear()
    asyncio.run(work())
    told = overheard.read()
    assert b"_e2ee" in told
    for secret in (bob.public_key, bob.id.encode(), socket.gethostname().encode()):
        assert secret not in told
    assert bob.words[0].encode() not in told


@needs_multicast
def test_in_each_period_everything_that_is_shown_is_new(
    overhear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Identity.generate()
    shown: list[tuple[str, Sign]] = []
    really = nearby.shown

    def recorded(service: str, name: str, *arguments: Any, text: Any, **options: Any) -> Any:
        shown.append((name, Sign(text["n"], text["t"])))
        return really(service, name, *arguments, text=text, **options)

    monkeypatch.setattr(nearby, "shown", recorded)
    monkeypatch.setattr(nearby, "CLOCK_CHECK", 0.05)
    ahead = 0.0
    monkeypatch.setattr(nearby.time, "time", lambda: 2 * 10**9 + ahead)

    async def work() -> None:
        nonlocal ahead
        async with seen(bob):
            assert await found(bob, seconds=3) == {bob.id: {("127.0.0.1", 4567)}}
            ahead = PERIOD
            assert await found(bob, seconds=4) == {bob.id: {("127.0.0.1", 4567)}}
            assert len(shown) == 2

    overheard = overhear()
    asyncio.run(work())
    (first, old), (second, new) = shown
    assert first != second
    assert old.nonce != new.nonce
    told = overheard.read()
    assert first.encode() in told
    assert new.nonce in told


def forged(
    sign: Sign,
    *,
    name: str = "0123456789abcdef",
    port: int = 666,
    addresses: tuple[str, ...] = ("10.6.6.6",),
    text: bytes | None = None,
) -> list[bytes]:
    """Packets that show this sign."""
    whole, server = f"{name}.{SERVICE}", f"{name[:20]}.local."
    if text is None:
        text = b"\x12n=" + sign.nonce + b"\x12t=" + sign.tag
    answer = DNSOutgoing(0x8400)
    for record in (
        DNSPointer(SERVICE, 12, 1, 120, whole),
        DNSService(whole, 33, 1, 120, 0, 0, port, server),
        DNSText(whole, 16, 1, 120, text),
        *(DNSAddress(server, 1, 1, 120, socket.inet_aton(address)) for address in addresses),
    ):
        answer.add_answer_at_time(record, 0)
    packets: list[bytes] = answer.packets()
    return packets


@needs_multicast
def test_what_strangers_send_is_passed_over_and_what_is_repeated_is_only_an_address(
    attacker: Any,
) -> None:
    bob, carol = Identity.generate(), Identity.generate()
    now = time.time()
    sign, strange = new_sign(bob.public_key, now), new_sign(carol.public_key, now)
    old = new_sign(bob.public_key, now - 2 * PERIOD - 1)
    early = new_sign(bob.public_key, now + 3 * PERIOD)
    nothing: list[bytes] = [
        packet
        for number, packets in enumerate(
            [
                [b"", b"\0", b"\xff" * 500, bytes(12)],
                forged(strange, name="1"),
                forged(old, name="2"),
                forged(early, name="3"),
                forged(sign, name="4", port=0),
                forged(sign, name="5", addresses=("224.0.0.1", "0.0.0.0")),  # noqa: S104
                forged(sign, name="6", addresses=()),
                forged(sign, name="7", text=b""),
                forged(sign, name="8", text=b"\xff"),
                forged(sign, name="9", text=b"\x12n=" + sign.nonce),
                forged(sign, name="a", text=b"\x11n=" + sign.nonce[1:] + b"\x12t=" + sign.tag),
                forged(sign, name="b", text=b"\x12n=" + sign.nonce + b"\x12t=" + sign.tag[::-1]),
                forged(
                    sign, name="c", text=b"\x12n=" + sign.nonce + b"\x12t=" + sign.tag + b"\0" * 300
                ),
            ]
        )
        for packet in packets
    ]

    async def work() -> None:
        async with attacker(nothing):
            assert await found(bob, seconds=2) == {}
        async with attacker(forged(sign, name="d") + forged(strange, name="e")):
            assert await found(bob, seconds=2) == {bob.id: {("10.6.6.6", 666)}}

    asyncio.run(work())


@needs_multicast
def test_a_flood_of_places_for_one_contact_is_cut_short(attacker: Any) -> None:
    bob = Identity.generate()
    sign = new_sign(bob.public_key, time.time())
    packets = [
        packet
        for number in range(40)
        for packet in forged(sign, name=f"evil{number}", addresses=(f"10.6.6.{number}",))
    ]

    async def work() -> None:
        async with attacker(packets):
            assert len((await found(bob, seconds=2))[bob.id]) == MAX_PLACES

    asyncio.run(work())


@needs_multicast
def test_a_contact_who_has_moved_is_found_by_name(e2ee: Any, closed_port: int) -> None:
    alice, bob = (Identity.load(e2ee.folder / person / "identity") for person in people(e2ee))
    with ContactFile(e2ee.folder / "alice" / "contacts", alice).update() as book:
        peer = Peer(bob.public_key, bob.device_key.public_key().public_bytes_raw(), 0, 1)
        book.meet(peer, "meeting", time.time(), address=("127.0.0.1", closed_port), name="bob")
    listening, address = e2ee.listen("--visible", "--json")
    assert b'"event":"visible"' in listening.stderr.readline()
    code, out, _ = e2ee.run("nearby", "--json")
    assert (code, json.loads(out)["name"], json.loads(out)["addresses"]) == (0, "bob", [address])
    code, _, err = e2ee.run("connect", "bob", stdin=b"found you\n")
    assert code == 0, err
    assert f"Connecting to 127.0.0.1:{closed_port} …\nLooking for bob on this network" in err
    assert f"Reached {address}, shaking hands" in err
    assert '"found you"' in e2ee.finish(listening)[1]
    code, out, err = e2ee.run("nearby")
    assert (code, out) == (0, "")
    assert "e2ee listen --visible" in err


def people(e2ee: Any) -> tuple[str, str]:
    for person in ("alice", "bob"):
        e2ee.id_of(person)
    return "alice", "bob"


def test_where_the_network_does_not_allow_it_that_is_said_and_listening_goes_on(
    e2ee: Any,
) -> None:
    # A name is no address that could be shown.
    listening = e2ee.start(
        "listen",
        "--once",
        "--visible",
        "--json",
        "--host",
        "localhost",
        "--port",
        "0",
        person="bob",
    )
    lines = [json.loads(listening.stderr.readline()) for _ in range(3)]
    assert [line["event"] for line in lines[1:]] == ["listening", "not_visible"]
    assert e2ee.run("connect", f"127.0.0.1:{lines[1]['port']}", stdin=b"hello\n")[0] == 0
    assert '"hello"' in e2ee.finish(listening)[1]


# How much is looked at, and for how long; on a network that is none, where the time passes at once.


class Heard:
    """What has come from a network; nobody hears what is asked there."""

    def __init__(self) -> None:
        self.cache = DNSCache()
        self.zeroconf = self

    def async_send(self, _: DNSOutgoing) -> None: ...

    def hear(self, packets: list[bytes]) -> None:
        for packet in packets:
            self.cache.async_add_records(DNSIncoming(packet).answers())


@pytest.fixture
def new_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Heard]:
    def make() -> Heard:
        heard = Heard()
        network = contextlib.nullcontext(heard)
        monkeypatch.setattr(nearby, "local_network", lambda _: network)
        return heard

    return make


@pytest.mark.attack(26)
@pytest.mark.parametrize("each", [0, 1, MAX_ANSWERS // 2])
def test_the_signs_of_so_many_machines_are_looked_at(
    each: int, new_network: Callable[[], Heard], figure: Callable[[str], None]
) -> None:
    bob, carol = Identity.generate(), Identity.generate()

    async def is_seen_behind(others: int) -> bool:
        network = new_network()
        for number in range(others):
            sign = new_sign(carol.public_key, time.time())
            name = f"machine{number // max(each, 1)}"
            network.hear(forged(sign, name=name, text=None if each else b"\0"))
        network.hear(forged(new_sign(bob.public_key, time.time())))
        return await found(bob, seconds=POLL) != {}

    async def work() -> None:
        seen = [await is_seen_behind(MAX_MACHINES - 1 + more) for more in (-1, 0, 1)]
        assert seen == [True, True, False]

    in_virtual_time(work())
    figure(
        f"limits: who comes after {MAX_MACHINES} signs, {each} of each machine, is not looked at"
    )


@pytest.mark.attack(26)
def test_so_long_a_record_is_looked_at(
    new_network: Callable[[], Heard], figure: Callable[[str], None]
) -> None:
    bob = Identity.generate()

    async def is_seen_with(size: int) -> bool:
        sign = new_sign(bob.public_key, time.time())
        text = b"\x12n=" + sign.nonce + b"\x12t=" + sign.tag
        rest = size - len(text)
        new_network().hear(forged(sign, text=text + bytes([rest - 1]) + b"x" * (rest - 1)))
        return await found(bob, seconds=POLL) != {}

    async def work() -> None:
        sizes = (MAX_TEXT - 1, MAX_TEXT, MAX_TEXT + 1)
        assert [await is_seen_with(size) for size in sizes] == [True, True, False]

    in_virtual_time(work())
    figure(f"limits: a record of {MAX_TEXT} bytes on the network looked at, a longer one not")


@pytest.mark.attack(26)
def test_who_shows_up_later_than_that_is_not_here(
    new_network: Callable[[], Heard], figure: Callable[[str], None]
) -> None:
    bob = Identity.generate()

    async def is_seen_after(seconds: float) -> bool:
        packets = forged(new_sign(bob.public_key, time.time()))
        asyncio.get_running_loop().call_later(seconds, new_network().hear, packets)
        began = now()
        async with contextlib.aclosing(look([contact(bob)])) as shown:
            seen = [who.id async for who, _ in shown]
        assert SEARCH_TIME <= now() - began < SEARCH_TIME + 1.5 * POLL
        return seen == [bob.id]

    async def work() -> None:
        times = (0, SEARCH_TIME - POLL, SEARCH_TIME + 2 * POLL)
        assert [await is_seen_after(seconds) for seconds in times] == [True, True, False]

    in_virtual_time(work())
    figure(f"limits: who shows up on the network in {SEARCH_TIME:g} s is seen, and nobody later")
