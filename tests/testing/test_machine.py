"""The machine holds for sessions, honest and attacked, and finds the mistakes of programs."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from e2ee import CLASSICAL_AESGCM, Event, Identity, MessageReceived, Session, State
from e2ee.testing.attacker import Side
from e2ee.testing.machine import TwoEndpoints

FEW = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SOON = settings(FEW, max_examples=300, phases=[Phase.generate], report_multiple_bugs=False)
"""For a mistake that is to be found: not the smallest example of it."""

ALICE, BOB = Identity.generate(), Identity.generate()


class Classical(TwoEndpoints):
    """In the cheapest suite."""

    seen: ClassVar[Counter[str]] = Counter()

    def new_sessions(self) -> tuple[Session, Session]:
        return (
            Session.initiator(ALICE, suite=CLASSICAL_AESGCM),
            Session.responder(BOB, suites=[CLASSICAL_AESGCM]),
        )

    def teardown(self) -> None:
        super().teardown()
        self.seen["disturbed"] += self.disturbed
        self.seen["failed"] += any(end.error is not None for end in self.pair.ends)
        self.seen["closed"] += self._all(State.CLOSED)
        self.seen["messages"] += sum(len(end.received) for end in self.pair.ends)


def test_sessions_hold_what_they_promise_and_all_of_it_happens() -> None:
    Classical.seen.clear()
    run_state_machine_as_test(Classical, settings=FEW)
    assert min(Classical.seen[what] for what in ("disturbed", "failed", "closed", "messages")) > 0


class Honest(Classical):
    hostile = False


def test_without_an_attacker_nothing_is_disturbed() -> None:
    Classical.seen.clear()
    run_state_machine_as_test(Honest, settings=FEW)
    assert Classical.seen["disturbed"] == Classical.seen["failed"] == 0
    assert Classical.seen["closed"] > 0


TestTheDefaultSessions = TwoEndpoints.TestCase
TestTheDefaultSessions.settings = settings(FEW, max_examples=10)


class Echo(Honest):
    """A program that answers each message of the initiator, and a rule of its users."""

    def on_event(self, side: Side, session: Session, event: Event) -> None:
        answers = side is Side.RESPONDER and session.state is State.OPEN
        if answers and isinstance(event, MessageReceived):
            session.send(self.answer(event.data))

    def answer(self, message: bytes) -> bytes:
        return b"echo: " + message

    @rule()
    def greet(self) -> None:
        self.call(Side.INITIATOR, lambda session: session.send(b"hello"))

    @invariant()
    def no_message_is_lost(self) -> None:
        for message in self.pair.initiator.received:
            assert b"oops" not in message


def test_a_program_is_part_of_the_machine_with_its_own_rules_and_invariants() -> None:
    run_state_machine_as_test(Echo, settings=FEW)


class WrongAnswer(Echo):
    def answer(self, message: bytes) -> bytes:
        return b"oops" if message == b"hello" else message


class Crashes(Echo):
    def answer(self, message: bytes) -> bytes:
        raise ZeroDivisionError


class Forges(Honest):
    """Has a message that nobody has sent."""

    def on_event(self, side: Side, session: Session, event: Event) -> None:
        self.pair.initiator.events.append(MessageReceived(b"made up"))


class Meddles(Honest):
    """Gives its session bytes of its own."""

    def on_event(self, side: Side, session: Session, event: Event) -> None:
        if side is Side.RESPONDER and isinstance(event, MessageReceived):
            self.pair.responder.incoming.pending += bytes(100)


class Loses(Honest):
    """Takes bytes off the session that belong on the wire."""

    def on_event(self, side: Side, session: Session, event: Event) -> None:
        if isinstance(event, MessageReceived) and session.state is State.OPEN:
            session.send(b"lost")
            session.data_to_send()


class Talks(Honest):
    """Both sides answer every answer."""

    def on_event(self, side: Side, session: Session, event: Event) -> None:
        if session.state is State.OPEN:
            session.send(b"and you?")


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (WrongAnswer, "oops"),
        (Forges, "has what was not sent"),
        (Meddles, "nobody had done anything|not come to an end"),
        (Loses, "nobody had done anything|something is missing|not come to an end"),
        (Talks, "for ever"),
    ],
)
def test_a_mistake_of_a_program_is_found(program: type[TwoEndpoints], told: str) -> None:
    with pytest.raises(Exception, match=told):
        run_state_machine_as_test(program, settings=SOON)


class NeverBegins(TwoEndpoints):
    def new_sessions(self) -> tuple[Session, Session]:
        raise ZeroDivisionError


@pytest.mark.parametrize("program", [Crashes, NeverBegins])
def test_what_a_program_raises_is_found(program: type[TwoEndpoints]) -> None:
    with pytest.raises(ZeroDivisionError):
        run_state_machine_as_test(program, settings=SOON)


def test_sessions_are_as_ever_after_the_machine() -> None:
    before = Session.send
    run_state_machine_as_test(Honest, settings=settings(FEW, max_examples=2))
    assert Session.send is before


class Discards(Honest):
    """Lets go of the keys after the first message."""

    def on_event(self, side: Side, session: Session, event: Event) -> None:
        if isinstance(event, MessageReceived):
            session.discard()


def test_a_program_may_discard_its_session() -> None:
    run_state_machine_as_test(Discards, settings=FEW)
