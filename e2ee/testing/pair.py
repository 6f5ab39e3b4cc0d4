"""Two sessions and the wire between them, all in memory: no socket, no loop, no clock.

What sessions are called with and tell: SPEC.md section 10.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from e2ee.errors import E2EEError, ProtocolError, UsageError
from e2ee.events import Event, MessageReceived
from e2ee.identity import Identity
from e2ee.session import Session
from e2ee.states import State
from e2ee.testing.attacker import Attacker, Side, forward
from e2ee.testing.wires import AttackedWire, new_wires
from e2ee.transport.memory import Wire

_MAX_STEPS = 10_000
"""Steps of one ``deliver``, after which the two are taken to answer each other for ever."""

Application = Callable[[Session, Event], None]
"""What a program does about an event: it may send, refresh, close."""


def _no_application(_session: Session, _event: Event) -> None:
    """Does nothing: the test itself makes the calls."""


def new_sessions() -> tuple[Session, Session]:
    """An initiator and a responder, of two new identities, with everything else as by default."""
    initiator, responder = Identity.generate(), Identity.generate()
    return (
        Session.initiator(initiator, expected_peer=responder.id),
        Session.responder(responder, expected_peer=initiator.id),
    )


class End:
    """One side of a pair: the ``session``, to be called as ever, and what came of it.

    ``events`` has everything that the session has told, the last events before a fault too.
    ``error`` is the ProtocolError that ended it, if one did; nothing arrives after it. ``incoming``
    is the wire from the other side: its ``pending`` is what has not arrived yet.
    """

    def __init__(
        self,
        session: Session,
        application: Application,
        incoming: Wire,
        outgoing: AttackedWire,
    ) -> None:
        self.session = session
        self.events: list[Event] = []
        self.error: ProtocolError | None = None
        self._application = application
        self.incoming = incoming
        self._outgoing = outgoing
        self._knows_the_end = False

    @property
    def received(self) -> list[bytes]:
        """Every message that has come, of 0 bytes or more."""
        return [event.data for event in self.events if isinstance(event, MessageReceived)]

    @property
    def has_something_to_take(self) -> bool:
        """Whether bytes are on their way to it, or the end of the stream is."""
        return bool(self.incoming.pending) or (self.incoming.ended and not self._knows_the_end)

    def speak(self, *, opening: bool = False) -> None:
        """Put on the wire what the session has to say: one message of the opening, or records."""
        try:
            data = self.session.data_to_send()
        except E2EEError:
            if self.session.state is not State.FAILED:
                raise
            return
        for piece in [data] if opening and data else _records(data):
            self._outgoing.write(piece)

    def take(self, size: int) -> None:
        """Give the session at most this many bytes off the wire; or the end, when none are left."""
        data = self.incoming.read(size)
        self._knows_the_end = not data
        if self.session.state is State.FAILED:
            return
        opening = self.session.state is State.HANDSHAKE
        events: list[Event] = []
        try:
            if data:
                events = self.session.receive_data(data)
            else:
                self.session.receive_eof()
        except ProtocolError as error:
            self.error = error
            events = list(error.events)
        if opening:
            # Before the application says more: a message of the opening is a piece of its own.
            self.speak(opening=True)
        self.events += events
        for event in events:
            self._application(self.session, event)


class Pair:
    """Two connected ends: ``initiator`` and ``responder``.

    ``sessions`` -- those of two new identities, if none are given, before their handshake.
    ``attacker`` -- who sees and changes each piece on its way.
    ``seed`` -- cuts what arrives into chunks of any size, and lets either direction wait for the
    other, in a way that follows from this number. Without it everything arrives whole and at once.
    ``applications`` -- what is called for each event of the initiator, and of the responder.

    Messages of the opening and records are what an attacker gets as pieces, whatever the chunks.
    Raises UsageError for what are no sessions.
    """

    def __init__(
        self,
        sessions: tuple[Session, Session] | None = None,
        *,
        attacker: Attacker = forward,
        seed: int | None = None,
        applications: tuple[Application, Application] = (_no_application, _no_application),
    ) -> None:
        initiator, responder = new_sessions() if sessions is None else sessions
        if not isinstance(initiator, Session) or not isinstance(responder, Session):
            raise UsageError("a pair is of two sessions, the initiator's and the responder's")
        there, back = new_wires(attacker)
        self.initiator = End(initiator, applications[0], back, there)
        self.responder = End(responder, applications[1], there, back)
        self._chance = None if seed is None else random.Random(seed)
        self.initiator.speak(opening=True)

    @property
    def ends(self) -> tuple[End, End]:
        """The initiator's and the responder's."""
        return self.initiator, self.responder

    def end(self, side: Side) -> End:
        """That of this side."""
        return self.initiator if side is Side.INITIATOR else self.responder

    def deliver(self) -> None:
        """Carry everything both ways, until neither side has anything to say.

        The first time that is the handshake. Raises UsageError if the two never come to rest, and
        what an application raises; errors of the sessions are in ``End.error``.
        """
        for _ in range(_MAX_STEPS):
            if not self.step():
                return
        raise UsageError("the two ends answer each other for ever")

    def step(self) -> bool:
        """Carry one chunk to one side; whether there was one, or the end of the stream."""
        for end in self.ends:
            end.speak()
        waiting = [end for end in self.ends if end.has_something_to_take]
        if not waiting:
            return False
        if self._chance is None:
            size, end = len(waiting[0].incoming.pending), waiting[0]
        else:
            end = self._chance.choice(waiting)
            whole = len(end.incoming.pending)
            size = self._chance.choice([1, self._chance.randint(1, whole or 1), whole])
        end.take(size)
        return True


def _records(data: bytes) -> Iterator[bytes]:
    while data:
        end = 2 + int.from_bytes(data[:2])
        yield data[:end]
        data = data[end:]
