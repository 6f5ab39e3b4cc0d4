"""A hypothesis machine: your program at both ends, and whoever is between them.

Each example is a conversation of some steps, honest or not, and after each step everything is
checked that must hold whatever was done: SPEC.md sections 1, 10 and 12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar
from unittest.mock import patch

from e2ee.errors import ProtocolError, UsageError
from e2ee.events import Event, HandshakeCompleted
from e2ee.session import Session
from e2ee.states import State
from e2ee.testing._hypothesis import st, stateful
from e2ee.testing.attacker import Action, Piece, Script, Side
from e2ee.testing.pair import Pair, new_sessions
from e2ee.testing.strategies import actions, application_messages, sides

_CALLS = [Session.refresh, Session.update_key, Session.ping]


class TwoEndpoints(stateful.RuleBasedStateMachine):
    """Make a class of it, put your program in ``new_sessions`` and ``on_event``, and run that:

        TestMyProgram = MyProgram.TestCase

    Add rules for what your program's users do, and invariants for what must hold of it. ``pair``
    has both ends, ``sent`` the messages that each side's session has been given, and ``disturbed``
    says whether the attacker has done anything yet.

    What is checked here: each side has received the beginning of what the other has sent; both have
    one handshake hash; a session that has failed stays failed, with one error; nothing but an
    attacker makes one fail; an undisturbed conversation ends with everything received; and nothing
    is raised but errors of e2ee. ``hostile`` -- whether there is an attacker, who has no keys.
    """

    hostile: ClassVar[bool] = True

    pair: Pair
    sent: dict[Side, list[bytes]]
    disturbed: bool

    def new_sessions(self) -> tuple[Session, Session]:
        """The two sides, before their handshake; of new identities, if this is not overridden."""
        return new_sessions()

    def on_event(self, side: Side, session: Session, event: Event) -> None:
        """What your program does about an event; nothing, if this is not overridden."""

    @stateful.initialize(seed=st.integers(0, 2**32 - 1), opened=st.booleans())
    def begin(self, seed: int, opened: bool) -> None:
        """Each conversation: in chunks by this seed, and with its handshake done or not."""
        self.sent = {side: [] for side in Side}
        self.disturbed = False
        self._script = Script()
        sessions = self.new_sessions()
        self.pair = Pair(
            sessions,
            attacker=self._script,
            seed=seed,
            applications=(
                partial(self.on_event, Side.INITIATOR),
                partial(self.on_event, Side.RESPONDER),
            ),
        )
        self._noting = patch.object(Session, "send", self._noted_send(sessions))
        self._noting.start()
        if opened:
            self.pair.deliver()

    def _noted_send(self, sessions: tuple[Session, Session]) -> Callable[[Session, bytes], None]:
        """Whoever calls it: your program has the session too."""
        send = Session.send

        def noted(session: Session, message: bytes) -> None:
            send(session, message)
            for side, own in zip(Side, sessions, strict=True):
                if session is own:
                    self.sent[side].append(bytes(message))

        return noted

    # What happens.

    @stateful.rule()
    def deliver(self) -> None:
        """Everything arrives."""
        self.pair.deliver()

    @stateful.rule()
    def deliver_a_chunk(self) -> None:
        """A part of it arrives, at one side."""
        self.pair.step()

    @stateful.rule(side=sides(), message=application_messages())
    def send(self, side: Side, message: bytes) -> None:
        """A message of any number of bytes, at any time."""
        self.call(side, lambda session: session.send(message))

    @stateful.rule(
        side=sides(), call=st.sampled_from([Session.refresh, Session.update_key, Session.ping])
    )
    def renew(self, side: Side, call: Callable[[Session], None]) -> None:
        """What a channel's clock asks for: fresh keys, a sign of life."""
        self.call(side, call)

    @stateful.rule(side=sides(), chance=st.integers(0, 3))
    def close(self, side: Side, chance: int) -> None:
        """One time in four: else few conversations would last."""
        if chance == 0:
            self.call(side, Session.close)

    @stateful.precondition(lambda self: self.hostile)
    @stateful.rule(side=sides(), ahead=st.integers(0, 3), action=actions())
    def attack(self, side: Side, ahead: int, action: Action) -> None:
        """Plan something for one of the next pieces of this side."""

        def attacked(piece: Piece, seen: Sequence[Piece]) -> Iterable[bytes]:
            self.disturbed = True
            return action(piece, seen)

        number = sum(piece.side is side for piece in self._script.seen) + ahead
        while (side, number) in self._script.waiting:
            number += 1
        self._script.at(side, number, attacked)

    def call(self, side: Side, call: Callable[[Session], None]) -> None:
        """Call a session. A refusal changes nothing, and one that is dead has one error."""
        end = self.pair.end(side)
        before = end.session.state
        error: ProtocolError | None = None
        try:
            call(end.session)
        except UsageError:
            assert end.session.state is before, "a call that was refused has changed the session"
        except ProtocolError as raised:
            error = raised
        assert error in (None, end.error), "a dead session raises the error that has ended it"

    # What holds after each step.

    @stateful.invariant()
    def each_has_received_the_beginning_of_what_the_other_sent(self) -> None:
        """And nothing else, in that order."""
        for side in Side:
            received, sent = self.pair.end(side).received, self.sent[side.other]
            assert received == sent[: len(received)], f"the {side.value} has what was not sent"

    @stateful.invariant()
    def both_have_one_handshake_hash(self) -> None:
        """As soon as both have had their handshake."""
        hashes = {
            event.handshake_hash
            for end in self.pair.ends
            for event in end.events
            if isinstance(event, HandshakeCompleted)
        }
        assert len(hashes) <= 1, "the two sides have different sessions"

    @stateful.invariant()
    def dead_stays_dead_and_the_undisturbed_live(self) -> None:
        """A session that has failed has one error for every call, and an attacker to blame."""
        for end in self.pair.ends:
            if end.error is not None:
                assert self.disturbed, f"a session failed and nobody had done anything: {end.error}"
                assert end.session.state is State.FAILED
                assert _error_of(end.session) is end.error, "a dead session has one error"

    # The end.

    def teardown(self) -> None:
        """The undisturbed come to a clean end with everything received."""
        if not hasattr(self, "pair"):
            return
        try:
            self._finish()
        finally:
            self._noting.stop()

    def _finish(self) -> None:
        self._script.waiting.clear()
        self._deliver_all()
        # What a program has discarded has no end to come to.
        if not self.disturbed and self._all(State.OPEN, State.CLOSING, State.CLOSED):
            for side in Side:
                self.call(side, Session.close)
            self._deliver_all()
            assert self._all(State.CLOSED), "the two sides do not come to an end"
            for side in Side:
                assert self.pair.end(side).received == self.sent[side.other], "something is missing"

    def _deliver_all(self) -> None:
        self.pair.deliver()
        self.each_has_received_the_beginning_of_what_the_other_sent()
        self.both_have_one_handshake_hash()
        self.dead_stays_dead_and_the_undisturbed_live()

    def _all(self, *states: State) -> bool:
        return all(end.session.state in states for end in self.pair.ends)


def _error_of(session: Session) -> ProtocolError | None:
    try:
        session.ping()
    except ProtocolError as error:
        return error
    return None
