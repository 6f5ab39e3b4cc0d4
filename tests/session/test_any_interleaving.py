"""Whatever the two sides do at once, and in any chunks, each gets what the other sent.

In any order: ``test_two_endpoints_and_an_attacker.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2ee import (
    Event,
    Identity,
    MessageReceived,
    Session,
    State,
    Suite,
)
from e2ee.suites import MEETING_SUITES
from e2ee.transport.memory import Wire

ALICE, BOB = Identity.generate(), Identity.generate()


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
