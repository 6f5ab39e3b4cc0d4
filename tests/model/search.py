"""Every state that bounded sessions can reach, whatever the intruder delivers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from tests.model.intruder import Knowledge
from tests.model.openings import Fact, Rules, Session, Step
from tests.model.terms import Term


@dataclass(frozen=True)
class State:
    """All sessions, what programs remember, and what the intruder knows; at its ``end``, nothing
    more can be delivered."""

    sessions: tuple[Session, ...]
    facts: frozenset[Fact]
    intruder: Knowledge
    path: tuple[str, ...] = ()
    end: bool = False


Claim = Callable[[State], str | None]
"""None, or what is wrong in this state."""


@dataclass
class Outcome:
    """What a search saw: how many states, and the first attack on each claim that fails."""

    states: int = 0
    attacks: dict[str, tuple[str, ...]] = field(default_factory=dict)


def explore(
    rules: Rules,
    sessions: Iterable[Session],
    knows: Iterable[Term],
    claims: dict[str, Claim],
    *,
    passive: bool = False,
    logarithms: bool = False,
    lattices: bool = False,
) -> Outcome:
    """Go through all states, breadth first, until each claim has failed or all states are seen.

    ``passive`` -- the intruder only delivers what honest programs sent.
    ``logarithms``, ``lattices`` -- what he can break, all the time; see ``Knowledge``.
    """
    started = [rules.start(each) for each in sessions]
    intruder = Knowledge(knows, logarithms=logarithms, lattices=lattices)
    intruder = intruder.and_also(term for step in started for term in step.sent)
    outcome = Outcome()
    seen = set()
    after = _After(rules, passive=passive)
    waiting = [State(tuple(step.session for step in started), frozenset(), intruder)]
    while waiting:
        reached: list[State] = []
        for state in waiting:
            key = (state.sessions, state.facts, state.intruder.key)
            if key in seen:
                continue
            seen.add(key)
            outcome.states += 1
            following = after(state)
            reached += following
            checked = replace(state, end=not following)
            for name, claim in claims.items():
                if name not in outcome.attacks and (wrong := claim(checked)):
                    outcome.attacks[name] = (*state.path, wrong)
            if len(outcome.attacks) == len(claims):
                return outcome
        waiting = reached
    return outcome


class _After:
    """The states after a state. What was worked out once is remembered: the same step is possible
    in many states, and many ways lead to the same knowledge."""

    def __init__(self, rules: Rules, *, passive: bool) -> None:
        self._rules = rules
        self._passive = passive
        self._steps: dict[object, list[Step]] = {}
        self._knowledge: dict[object, Knowledge] = {}

    def __call__(self, state: State) -> list[State]:
        found = []
        for place, session in enumerate(state.sessions):
            for step in self._possible(session, state):
                sessions = (*state.sessions[:place], step.session, *state.sessions[place + 1 :])
                path = (*state.path, f"{session.name} takes {session.stage}")
                intruder = self._learn(state.intruder, step.sent)
                found.append(State(sessions, state.facts | step.facts, intruder, path))
        return found

    def _possible(self, session: Session, state: State) -> list[Step]:
        key = (session, state.facts, state.intruder.key)
        if key not in self._steps:
            self._steps[key] = [
                step
                for step in self._rules.steps(session, state.intruder, state.facts)
                if not self._passive or step.message in state.intruder.terms
            ]
        return self._steps[key]

    def _learn(self, intruder: Knowledge, sent: tuple[Term, ...]) -> Knowledge:
        if not sent:
            return intruder
        key = (intruder.key, sent)
        if key not in self._knowledge:
            more = intruder.and_also(sent)
            self._knowledge[key] = self._knowledge.setdefault(more.key, more)
        return self._knowledge[key]
