"""Whatever the two sides do, in any order and any chunks, each gets what the other sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from e2ee import (
    Event,
    HandshakeCompleted,
    Identity,
    KeysRefreshed,
    Limits,
    MessageReceived,
    Padding,
    Session,
    State,
    Suite,
    UsageError,
)
from e2ee.suites import MEETING_SUITES
from e2ee.transport.memory import Wire

ALICE, BOB = Identity.generate(), Identity.generate()
SIDES = st.sampled_from([0, 1])
MANY_KEYS = st.builds(
    Limits,
    key_update_records=st.integers(2, 9),
    refresh_records=st.integers(1, 20),
    refresh_bytes=st.sampled_from([1, 500, 10_000, 2**30]),
)
"""Limits so small that keys are replaced all the time."""

MESSAGES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([65_511, 65_512, 65_513, 150_000]).map(bytes),
)
"""Short ones, those around the end of a record, and one of three records."""

counted: Counter[str] = Counter()


def settle(sessions: list[Session], wires: list[Wire]) -> Iterator[tuple[int, Event]]:
    """Move bytes both ways until nobody has any; yields who got which event."""
    for _ in range(200):
        for side in (0, 1):
            wires[side].write(sessions[side].data_to_send())
            for event in sessions[1 - side].receive_data(wires[side].read()):
                yield 1 - side, event
        if not wires[0].pending and not wires[1].pending:
            done = [session.data_to_send() for session in sessions]
            if done == [b"", b""]:
                return
            wires[0].write(done[0])
            wires[1].write(done[1])
    raise AssertionError("two honest sides never come to rest")


class Conversation(RuleBasedStateMachine):
    """Side 0 opens, side 1 answers; ``wires[n]`` carries what side n has sent."""

    @initialize(
        suite=st.sampled_from(MEETING_SUITES),
        limits=st.tuples(MANY_KEYS, MANY_KEYS),
        padding=st.sampled_from(Padding),
        opened_at_once=st.booleans(),
    )
    def begin(
        self, suite: Suite, limits: tuple[Limits, Limits], padding: Padding, opened_at_once: bool
    ) -> None:
        self.sessions = [
            Session.initiator(ALICE, suite=suite, limits=limits[0], padding=padding),
            Session.responder(BOB, suites=[suite], limits=limits[1], padding=padding),
        ]
        self.wires = [Wire(), Wire()]
        self.sent: list[list[bytes]] = [[], []]
        self.events: list[list[Event]] = [[], []]
        if opened_at_once:
            self.settle()
        counted["conversations"] += 1

    def settle(self) -> None:
        for side, event in settle(self.sessions, self.wires):
            self.events[side].append(event)

    def received(self, side: int) -> list[bytes]:
        return [event.data for event in self.events[side] if isinstance(event, MessageReceived)]

    def can_send(self, side: int) -> bool:
        return self.sessions[side].state is State.OPEN

    @rule(side=SIDES, message=MESSAGES)
    def send(self, side: int, message: bytes) -> None:
        if self.can_send(side):
            self.sessions[side].send(message)
            self.sent[side].append(message)
        else:
            with pytest.raises(UsageError):
                self.sessions[side].send(message)

    @rule(side=SIDES, name=st.sampled_from(["refresh", "update_key", "ping"]))
    def call(self, side: int, name: str) -> None:
        method: Callable[[], None] = getattr(self.sessions[side], name)
        if self.can_send(side):
            method()
        else:
            with pytest.raises(UsageError):
                method()

    @rule(side=SIDES, chance=st.integers(0, 5))
    def close(self, side: int, chance: int) -> None:
        if chance == 0 and self.can_send(side):
            self.sessions[side].close()

    @rule(side=SIDES)
    def put_on_the_wire(self, side: int) -> None:
        self.wires[side].write(self.sessions[side].data_to_send())

    @rule(side=SIDES, size=st.one_of(st.integers(1, 100), st.integers(1, 100_000)))
    def deliver(self, side: int, size: int) -> None:
        self.events[1 - side] += self.sessions[1 - side].receive_data(self.wires[side].read(size))

    @rule()
    def deliver_everything(self) -> None:
        self.settle()

    @invariant()
    def what_has_come_is_the_beginning_of_what_was_sent(self) -> None:
        for side in (0, 1):
            received = self.received(side)
            assert received == self.sent[1 - side][: len(received)]

    def teardown(self) -> None:
        if not hasattr(self, "sessions"):
            return
        self.settle()
        for side in (0, 1):
            self.sessions[side].close()
        self.settle()
        for side in (0, 1):
            assert self.received(side) == self.sent[1 - side]
            assert self.sessions[side].state is State.CLOSED
            self.sessions[side].receive_eof()
            counted["messages"] += len(self.received(side))
            counted["refreshes"] += sum(
                isinstance(event, KeysRefreshed) for event in self.events[side]
            )
        hashes = [events[0] for events in self.events]
        assert isinstance(hashes[0], HandshakeCompleted)
        assert isinstance(hashes[1], HandshakeCompleted)
        assert hashes[0].handshake_hash == hashes[1].handshake_hash


@pytest.mark.attack(31)
def test_each_side_gets_exactly_what_the_other_sent_whatever_happens_in_between(
    figure: Callable[[str], None],
) -> None:
    run_state_machine_as_test(
        Conversation,
        settings=settings(
            max_examples=2 * settings().max_examples,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    figure(
        f"any interleaving: {counted['conversations']} conversations, "
        f"{counted['messages']} messages, {counted['refreshes']} refreshes"
    )


@pytest.mark.parametrize("suite", MEETING_SUITES, ids=lambda suite: suite.name)
def test_both_sides_may_refresh_update_ping_and_close_all_at_once(suite: Suite) -> None:
    sessions = [
        Session.initiator(ALICE, suite=suite),
        Session.responder(BOB, suites=[suite]),
    ]
    wires = [Wire(), Wire()]
    list(settle(sessions, wires))
    for session in sessions:
        session.send(b"before")
        session.refresh()
        session.update_key()
        session.ping()
        session.send(b"after")
        session.close()
    events = list(settle(sessions, wires))
    for side in (0, 1):
        messages = [e.data for who, e in events if who == side and isinstance(e, MessageReceived)]
        assert messages == [b"before", b"after"]
        assert sessions[side].state is State.CLOSED
