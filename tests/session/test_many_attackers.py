"""Hundreds of openings with Mallory on the wire, each drawn from its number; how many follows
hypothesis's profile."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import settings

from e2ee import Peer, ProtocolError, Session, State
from e2ee.contacts import ContactBook, Grade, TrustPolicy
from e2ee.errors import ChangedIdentity
from e2ee.handshake import parse_protocol_name
from e2ee.suites import SUITES, Approach, Suite

from .people import MALLORY, PEOPLE, Acquaintance, Keys, mallory, static_key

Figure = Callable[[str], None]


def runs(times: int) -> Iterator[random.Random]:
    for number in range(times * settings().max_examples):
        yield random.Random(number)


def exchange(
    sessions: tuple[Session, Session], change: Callable[[int, bytes], bytes] = lambda _, data: data
) -> None:
    """Every flight, by its number and ``change``, until nobody says anything; then the end."""
    number = 0
    with suppress(ProtocolError):
        while data := sessions[number % 2].data_to_send():
            sessions[1 - number % 2].receive_data(change(number, data))
            number += 1
    for session in sessions:
        with suppress(ProtocolError):
            session.receive_eof()


def book_of_both() -> ContactBook:
    book = ContactBook()
    for person in PEOPLE:
        book.meet(Peer(person.public_key, static_key(person), 0, 2**50), "code", 0)
    return book


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(Keys.OWN, marks=pytest.mark.attack(1)),
        pytest.param(Keys.CERTIFICATE, marks=pytest.mark.attack(4)),
        pytest.param(Keys.STOLEN, marks=pytest.mark.attack(5)),
    ],
    ids=lambda keys: keys.name.lower(),
)
def test_mallory_between_the_two_is_refused_or_seen_to_be_somebody_new(
    keys: Keys, figure: Figure
) -> None:
    """She ends both openings, with what she has; the two expect each other, or nobody."""
    book = book_of_both()
    ended: Counter[str] = Counter()
    for source in runs(1):
        suite = source.choice(list(SUITES.values()))
        expected = source.random() < 0.5
        acquaintance = Acquaintance(suite, expected=(expected, expected))
        honest = acquaintance.new_sessions()
        for victim, session in enumerate(honest):
            hers = mallory(victim, keys, acquaintance)
            exchange((session, hers) if victim == 0 else (hers, session))
            if session.peer is None:
                assert session.state is State.FAILED
                ended["refused"] += 1
                continue
            # Only somebody who is new there can be met without having anything in common.
            assert keys is Keys.OWN
            assert suite.approach is Approach.MEETING
            assert not expected
            assert session.peer.identity_key == MALLORY.public_key
            assert TrustPolicy().judge(book, session.peer).grade is Grade.NEW
            other = book.of(PEOPLE[1 - victim].public_key)
            with pytest.raises(ChangedIdentity):
                TrustPolicy().judge(book, session.peer, expected=other)
            ended["as herself, and new"] += 1
    assert (len(ended) == 2) == (keys is Keys.OWN)
    figure(
        f"Mallory with {keys.value}: {ended.total():,} openings, "
        + ", ".join(f"{count:,} {how}" for how, count in sorted(ended.items()))
        + ", 0 as the one she poses as"
    )


# Flights of many conversations, given to whomever: who finishes agrees with who finished.


@pytest.mark.attack(4)
def test_all_who_finish_have_each_other_as_peers_and_one_transcript(figure: Figure) -> None:
    """Six sessions of three people; each flight goes to a random one that waits."""
    people = (*PEOPLE, MALLORY)
    finished = 0
    for source in runs(1):
        owners = [source.choice(people) for _ in range(6)]
        sessions = [
            Session.initiator(person) if side < 3 else Session.responder(person)
            for side, person in enumerate(owners)
        ]
        partner = source.sample(range(3, 6), 3)
        for _ in range(3):
            for side in range(6):
                target = partner[side] if side < 3 else partner.index(side)
                if source.random() < 0.1:
                    target = source.randrange(6)
                with suppress(ProtocolError):
                    if data := sessions[side].data_to_send():
                        sessions[target].receive_data(data)
        views = []
        for session, owner in zip(sessions, owners, strict=True):
            if session.state is State.OPEN:
                assert session.peer is not None
                secret = session.export("views", 32)
                views.append((secret, owner.public_key, session.peer.identity_key))
        finished += len(views)
        # An initiator may be ahead of a responder that never gets its last message.
        for secret, own, peer in views:
            others = [view for view in views if view[0] == secret and view[1] != own]
            assert own != peer
            assert others in ([], [(secret, peer, own)])
        assert len({view[0] for view in views}) >= len(views) / 2
    assert finished > settings().max_examples
    figure(f"mixed-up flights: {finished:,} sides finished, all views of one secret agree")


# The post-quantum half.


def kem_field(suite: Suite) -> dict[int, slice]:
    """By the number of the flight: where the KEM's key is in it, or its ciphertext."""
    before = {Approach.MEETING: 8, Approach.KNOWN: 8, Approach.LINK: 24, Approach.CODE: 0}
    start = before[suite.approach] + 32
    key = 1184 if suite.approach is Approach.MEETING else 1184 + 16
    first = 2 if suite.approach is Approach.CODE else 0
    answer = 32 if suite.approach is Approach.CODE else 40
    return {
        first: slice(start, start + key),
        first + 1: slice(answer, answer + 1088 + 16),
    }


STRIPPED: dict[str, Callable[[random.Random, bytes, bytes], bytes]] = {
    "removed": lambda _source, _field, _other: b"",
    "zeros": lambda _source, field, _other: bytes(len(field)),
    "random": lambda source, field, _other: source.randbytes(len(field)),
    "cut": lambda source, field, _other: field[: source.randrange(len(field))],
    "another's": lambda _source, _field, other: other,
    "a bit": lambda source, field, _other: (
        int.from_bytes(field) ^ 1 << source.randrange(8 * len(field))
    ).to_bytes(len(field)),
}


def stripped(
    source: random.Random, how: str, number: int, place: slice, other: bytes, at: int, data: bytes
) -> bytes:
    """Flight ``at``, changed if it is the one with this number; ``other`` is of another opening."""
    if at != number:
        return data
    field = data[place]
    assert len(field) == place.stop - place.start
    new = STRIPPED[how](source, field, other)
    assert new != field
    return data[: place.start] + new + data[place.stop :]


@pytest.mark.attack(3)
def test_no_opening_ends_without_its_kem(figure: Figure) -> None:
    hybrid = [suite for suite in SUITES.values() if parse_protocol_name(suite.name).kem]
    assert len(hybrid) == 5
    done: Counter[str] = Counter()
    for source in runs(3):
        suite = source.choice(hybrid)
        number, place = source.choice(list(kem_field(suite).items()))
        how = source.choice(sorted(STRIPPED))
        recorded: list[bytes] = []

        def record(_number: int, data: bytes, to: list[bytes] = recorded) -> bytes:
            to.append(data)
            return data

        exchange(Acquaintance(suite).new_sessions(), record)
        strip = partial(stripped, source, how, number, place, recorded[number][place])
        sessions = Acquaintance(suite).new_sessions()
        exchange(sessions, strip)
        for session in sessions:
            assert session.peer is None
            assert session.state is State.FAILED
        done[how] += 1
    assert done.keys() == STRIPPED.keys()
    figure(
        f"KEM stripped: 0 of {done.total():,} openings finish: "
        + ", ".join(f"{count} {how}" for how, count in sorted(done.items()))
    )
