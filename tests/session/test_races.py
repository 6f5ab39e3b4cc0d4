"""Both sides replace their keys at any moment, while records of the other are on the way.

Every sequence of so many steps is tried. A step is: a side sends a message, updates its key, or
begins a refresh; or the oldest record that is on its way from a side arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from e2ee import CLASSICAL_AESGCM, MessageReceived, Session
from e2ee.record.refresh import RefreshState
from tests.session.long_conversation import opened, records_of
from tests.session.twin import twin

Figure = Callable[[str], None]

CALLS: dict[str, Callable[[Session], None]] = {
    "send": lambda session: session.send(b"said"),
    "update": Session.update_key,
    "refresh": Session.refresh,
}
STEPS = [*product((0, 1), (*CALLS, "arrive"))]
FIRST_STEPS = [*product((0, 1), CALLS)]
"""Nothing is on its way yet."""


class Moment:
    """Two sides, the records on their way from each, and how many of its messages are missing."""

    def __init__(self, sides: list[Session], ways: list[list[bytes]], missing: list[int]) -> None:
        self.sides = sides
        self.ways = ways
        self.missing = missing

    def copy(self) -> Moment:
        return Moment(
            [twin(side) for side in self.sides], [[*way] for way in self.ways], [*self.missing]
        )

    def can(self, side: int, step: str) -> bool:
        return step != "arrive" or bool(self.ways[side])

    def do(self, side: int, step: str) -> None:
        if step == "arrive":
            events = self.sides[1 - side].receive_data(self.ways[side].pop(0))
            self.missing[side] -= events.count(MessageReceived(b"said"))
            self._put_on_the_way(1 - side)
        else:
            CALLS[step](self.sides[side])
            self.missing[side] += step == "send"
            self._put_on_the_way(side)

    def _put_on_the_way(self, side: int) -> None:
        self.ways[side] += records_of(self.sides[side].data_to_send())

    def settle(self) -> None:
        """Let everything arrive, and one message more from each side."""
        for side in (0, 1):
            self.do(side, "send")
        while any(self.ways):
            for side in (0, 1):
                if self.ways[side]:
                    self.do(side, "arrive")
        assert self.missing == [0, 0]
        for session in self.sides:
            assert session._layer is not None
            assert session._layer._refresh.state is RefreshState.IDLE


def tried(moment: Moment, steps: int) -> int:
    """Every sequence of so many steps from here on; returns how many there are."""
    if steps == 0:
        moment.settle()
        return 1
    count = 0
    for side, step in STEPS:
        if moment.can(side, step):
            after = moment.copy()
            after.do(side, step)
            count += tried(after, steps - 1)
    return count


def begun(first: tuple[int, str]) -> Moment:
    moment = Moment([*opened(CLASSICAL_AESGCM)], [[], []], [0, 0])
    moment.do(*first)
    return moment


@pytest.mark.attack(31)
@pytest.mark.parametrize("first", FIRST_STEPS, ids=lambda first: f"{first[0]}-{first[1]}")
def test_no_race_of_four_steps_leaves_the_two_sides_apart(
    first: tuple[int, str], figure: Figure
) -> None:
    count = tried(begun(first), 3)
    figure(f"races of new keys: {count:,} of {count:,} sequences of 4 steps end in agreement")


@pytest.mark.attack(31)
@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", FIRST_STEPS, ids=lambda first: f"{first[0]}-{first[1]}")
def test_no_race_of_seven_steps_leaves_the_two_sides_apart(
    first: tuple[int, str], figure: Figure
) -> None:
    count = tried(begun(first), 6)
    figure(f"races of new keys: {count:,} of {count:,} sequences of 7 steps end in agreement")
