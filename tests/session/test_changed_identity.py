"""Somebody else's identity where a certain one is expected, and everything but that identity is
right: the device key, the link, the code. Not a byte of the application's goes either way."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from e2ee import Identity, ProtocolError, Session, State, UsageError
from e2ee.code_offer import CodeOffer
from e2ee.errors import UnexpectedPeer, WrongCode
from e2ee.opening import KnownDevice
from e2ee.suites import SUITES, Approach, Suite

from .people import (
    ALICE,
    ALICE_ID,
    BOB,
    BOB_ID,
    CODE,
    MALLORY,
    PEOPLE,
    Acquaintance,
    PendingLink,
    new_link,
    static_key,
)

RUNS = 1_000

OTHERS = tuple(Identity._certified(MALLORY._identity_key, who.device_key, None) for who in PEOPLE)
"""By side: another identity on that person's device."""


def sessions(suite: Suite, victim: int) -> list[Session]:
    """The one that side ``victim`` begins, and that of whom is not the one it expects."""
    alice, bob = (OTHERS[0], BOB) if victim == 1 else (ALICE, OTHERS[1])
    alices, bobs = (BOB_ID, None) if victim == 0 else (None, ALICE_ID)
    match suite.approach:
        case Approach.MEETING:
            return [
                Session.initiator(alice, suite=suite, expected_peer=alices),
                Session.responder(bob, suites=[suite], expected_peer=bobs),
            ]
        case Approach.KNOWN:
            device = KnownDevice(static_key(BOB), 1)
            return [
                Session.initiator(alice, device=device, expected_peer=BOB_ID),
                Session.responder(bob, suites=(), admit=lambda *_: True, expected_peer=bobs),
            ]
        case Approach.LINK:
            link = new_link()
            return [
                Session.initiator(alice, invitation=link),
                Session.responder(bob, suites=(), links=PendingLink(link), expected_peer=bobs),
            ]
        case Approach.CODE:
            return [
                Session.initiator(alice, invitation=CODE, expected_peer=alices),
                Session.responder(bob, suites=(), code=CodeOffer(CODE), expected_peer=bobs),
            ]


def lengths_of_flights(suite: Suite) -> tuple[list[int], list[int]]:
    """What either side sends in an opening that comes to its end."""
    honest = Acquaintance(suite).new_sessions()
    flights: tuple[list[int], list[int]] = ([], [])
    side = 0
    while data := honest[side].data_to_send():
        flights[side].append(len(data))
        side = 1 - side
        honest[side].receive_data(data)
    return flights


FLIGHTS = {suite: lengths_of_flights(suite) for suite in SUITES.values()}


def pieces(source: random.Random, data: bytes) -> Iterator[bytes]:
    size = source.choice([1 + source.randrange(50), 100 + source.randrange(2_000), len(data)])
    return (data[at : at + size] for at in range(0, len(data), size))


class Application:
    """Whatever it has to say it says as soon as it can, and it takes whatever it is given."""

    def __init__(self, source: random.Random, session: Session) -> None:
        self.session = session
        self._texts = [source.randbytes(source.choice([0, 20, 5_000])) for _ in range(5)]
        self.said = self.heard = 0
        self.flights: list[int] = []
        self.failure: ProtocolError | None = None

    def say(self) -> None:
        while self._texts:
            try:
                self.session.send(self._texts[-1])
            except (UsageError, ProtocolError):
                return
            self._texts.pop()
            self.said += 1

    def hear(self, data: bytes) -> None:
        try:
            events = self.session.receive_data(data)
        except ProtocolError as error:
            events = list(error.events)
            self.failure = error
        self.heard += len(events)

    def flight(self) -> bytes:
        self.say()
        try:
            data = self.session.data_to_send()
        except ProtocolError:
            return b""
        if data:
            self.flights.append(len(data))
        return data


@pytest.mark.attack(16)
def test_not_a_byte_goes_to_or_comes_from_another_identity(figure: Callable[[str], None]) -> None:
    done: Counter[Suite] = Counter()
    in_vain = 0
    for number in range(RUNS):
        source = random.Random(number)
        suite = source.choice(list(SUITES.values()))
        side = source.randrange(2)
        ends = [Application(source, session) for session in sessions(suite, side)]
        victim, other = ends[side], ends[1 - side]
        turn = 0
        while data := ends[turn].flight():
            turn = 1 - turn
            for piece in pieces(source, data):
                ends[turn].say()
                ends[turn].hear(piece)
        code = suite.approach is Approach.CODE and side == 0
        assert type(victim.failure) is (WrongCode if code else UnexpectedPeer), number
        assert victim.session.state is State.FAILED
        assert victim.session.peer is None
        assert victim.said == victim.heard == 0
        # The opening's own bytes are all that it has sent, and not all of these.
        whole = FLIGHTS[suite][side]
        assert victim.flights == whole[: len(victim.flights)]
        if side == 0:
            assert len(victim.flights) < len(whole)
        done[suite] += 1
        in_vain += other.said
    assert done.keys() == set(SUITES.values())
    assert in_vain > 200
    figure(
        f"another identity: {done.total():,} sessions with whom was not expected, 0 texts said to "
        f"them, 0 taken of {in_vain:,} that they sent"
    )
