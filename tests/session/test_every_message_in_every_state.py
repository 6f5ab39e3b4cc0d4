"""Every sequence of messages, from every state, in both roles: only the legal ones are taken.

What a state allows stands here by hand, from SPEC.md sections 4, 9.7 and 10. The sender has all
keys and breaks any rule: what is refused is refused for its place, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import pytest

from e2ee import CLASSICAL_AESGCM, HYBRID_AESGCM, ProtocolError, Session, State
from e2ee.code_offer import CodeOffer
from e2ee.handshake import Handshake
from e2ee.messages import Pong, RefreshAnswer, RefreshOffer, RefreshSwitch, encode
from e2ee.opening import KnownDevice
from e2ee.record import RecordLayer
from e2ee.record.layer import ContentType
from e2ee.record.refresh import RefreshState
from e2ee.suites import Approach

from .people import ALICE, BOB, BOB_ID, CODE, PEOPLE, Acquaintance, new_link, static_key
from .poisoned import assert_dead
from .twin import twin

Figure = Callable[[str], None]
ROLES = ("initiator", "responder")

IDLE, OFFERED, CROSSED, ANSWERED = RefreshState

# Records: after the opening.

CALLS: dict[str, Callable[[Session], None]] = {
    "data": lambda session: session.send(b"message"),
    "close": Session.close,
    "key_update": Session.update_key,
    "ping": Session.ping,
    "offer": Session.refresh,
}
REFRESHING = ("offer", "answer", "switch")
TYPES = ("data", "close", "key_update", "ping", "pong", "unknown", *REFRESHING)
ALWAYS = {"data", "close", "key_update", "ping", "pong"}

LEGAL: dict[tuple[State, RefreshState], set[str]] = {
    (State.OPEN, IDLE): {*ALWAYS, "offer"},
    (State.OPEN, OFFERED): {*ALWAYS, "offer", "answer"},
    (State.OPEN, CROSSED): {*ALWAYS, "answer"},
    (State.OPEN, ANSWERED): {*ALWAYS, "switch"},
    (State.CLOSING, IDLE): {*ALWAYS, "offer"},
    (State.CLOSING, OFFERED): {*ALWAYS, "offer", "answer"},
    (State.CLOSING, CROSSED): {*ALWAYS, "offer", "answer"},
    (State.CLOSING, ANSWERED): {*ALWAYS, "offer", "switch"},
    (State.CLOSED, IDLE): set(),
}


@dataclass
class Moment:
    """A session; its peer; and what the session has said and the peer has not read."""

    session: Session
    peer: Session
    unread: bytes

    @property
    def state(self) -> tuple[State, RefreshState]:
        if self.session.state is State.CLOSED:  # It has dropped what a refresh needs.
            return State.CLOSED, IDLE
        return self.session.state, layer(self.session)._refresh.state

    def get(self, kind: str) -> Moment:
        """This moment's twin, after it has received a message of this kind."""
        after = Moment(twin(self.session), twin(self.peer), self.unread)
        legal = kind in LEGAL[self.state]
        after.session.receive_data(after.made_by_peer(kind) if legal else after.forged(kind))
        if self.session.state is State.OPEN and after.session.state is State.OPEN:
            after.unread += after.session.data_to_send()
        return after

    def made_by_peer(self, kind: str) -> bytes:
        refresh = layer(self.peer)._refresh
        if kind in ("answer", "switch") or (kind == "offer" and refresh.state is ANSWERED):
            self.peer.receive_data(self.unread)
            self.unread = b""
        if kind == "pong" or (kind == "offer" and refresh.state is not IDLE):
            return self.forged(kind)
        if kind in CALLS:
            CALLS[kind](self.peer)
        return self.peer.data_to_send()

    def forged(self, kind: str) -> bytes:
        """Sealed as the peer's next record, whatever the peer itself would have to say."""
        peer = layer(self.peer)
        noise = Handshake(
            peer._refresh._suite.refresh_name,
            initiator=True,
            prologue=peer._refresh._prologue,
            psks=[peer._refresh._psk],
        ).write_message()
        contents = {
            "pong": encode(Pong()),
            "offer": encode(RefreshOffer(message=noise)),
            "answer": encode(RefreshAnswer(message=noise)),
            "switch": encode(RefreshSwitch()),
            "unknown": b'{"kind":"unknown"}',
        }
        if kind in contents:
            peer._seal(ContentType.CONTROL, len(contents[kind]), [contents[kind]])
            return peer.take()
        peer.state = State.OPEN
        CALLS[kind](self.peer)
        return peer.take()


def layer(session: Session) -> RecordLayer:
    assert session._layer is not None
    return session._layer


def moment_in(state: State, refresh: RefreshState, side: int) -> Moment:
    sessions = Acquaintance(CLASSICAL_AESGCM).new_sessions()
    for _ in range(3):
        sessions[1].receive_data(sessions[0].data_to_send())
        sessions[0].receive_data(sessions[1].data_to_send())
    session, peer = sessions[side], sessions[1 - side]
    if refresh in (OFFERED, CROSSED):
        session.refresh()
    if refresh in (CROSSED, ANSWERED):
        peer.refresh()
        session.receive_data(peer.data_to_send())
    unread = session.data_to_send()
    if state is not State.OPEN:
        session.close()
        session.data_to_send()
    moment = Moment(session, peer, unread)
    if state is State.CLOSED:
        moment = moment.get("close")
    assert moment.state == (state, refresh)
    return moment


def walk(moment: Moment, steps: int, seen: set[tuple[State, RefreshState, str]]) -> int:
    """Every sequence of so many messages from here on; returns how many there are."""
    count = 0
    for kind in TYPES:
        seen.add((*moment.state, kind))
        count += 1
        if kind in LEGAL[moment.state]:
            after = moment.get(kind)
            assert (after.session.state is State.CLOSED) == (kind == "close")
            if steps > 1:
                count += walk(after, steps - 1, seen)
        else:
            session = twin(moment.session)
            with pytest.raises(ProtocolError) as caught:
                session.receive_data(Moment(session, twin(moment.peer), moment.unread).forged(kind))
            assert caught.value.events == ()
            assert_dead(session, caught.value)
    return count


STATES = [
    (state, refresh, side)
    for state, refresh in LEGAL
    for side in (0, 1)
    if (refresh, side) != (CROSSED, 1)  # The responder answers an offer that crosses its own.
]


@pytest.mark.attack(13)
@pytest.mark.parametrize(("state", "refresh", "side"), STATES)
def test_a_record_is_taken_only_in_its_place(
    state: State, refresh: RefreshState, side: int, figure: Figure
) -> None:
    every_sequence(state, refresh, side, 3, figure)


@pytest.mark.attack(13)
@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("state", "refresh", "side"), STATES)
def test_a_record_is_taken_only_in_its_place_after_any_four(
    state: State, refresh: RefreshState, side: int, figure: Figure
) -> None:
    every_sequence(state, refresh, side, 5, figure)


def every_sequence(
    state: State, refresh: RefreshState, side: int, steps: int, figure: Figure
) -> None:
    seen: set[tuple[State, RefreshState, str]] = set()
    count = walk(moment_in(state, refresh, side), steps, seen)
    figure(
        f"messages out of place: {count:,} sequences of up to {steps} records from "
        f"{state.value}, {refresh.value}, {ROLES[side]}; "
        f"{len(seen)} pairs of state and type"
    )


def test_the_table_of_what_is_legal_has_every_state() -> None:
    assert set(LEGAL) == {
        (State.CLOSED, IDLE),
        *product((State.OPEN, State.CLOSING), RefreshState),
    }


# The opening.

PIECES: dict[Approach, list[tuple[int, str, int]]] = {
    Approach.MEETING: [
        (0, "preamble", 8),
        (0, "message 1", 1216),
        (1, "preamble", 8),
        (1, "message 2", 1712),
        (0, "message 3", 576),
    ],
    Approach.KNOWN: [
        (0, "preamble", 8),
        (0, "message 1", 1808),
        (1, "preamble", 8),
        (1, "message 2", 1664),
        (0, "confirmation", 32),
    ],
    Approach.LINK: [
        (0, "preamble", 8),
        (0, "lookup id", 16),
        (0, "message 1", 1248),
        (1, "preamble", 8),
        (1, "message 2", 1712),
        (0, "message 3", 576),
        (1, "confirmation", 32),
    ],
    Approach.CODE: [
        (0, "preamble", 8),
        (0, "first share", 82),
        (1, "preamble", 8),
        (1, "second share", 64),
        (0, "message 1", 1248),
        (1, "message 2", 1712),
        (0, "message 3", 576),
        (1, "confirmation", 32),
    ],
}
"""Who sends what, and how many bytes, in a hybrid suite: SPEC.md section 4."""

LINK = new_link()


class EveryLink:
    """Takes a link any number of times, so that what is refused is so for its place."""

    def psk(self, _lookup_id: bytes) -> bytes:
        return LINK.psk

    def take(self, _lookup_id: bytes) -> bool:
        return True


def new_sessions(approach: Approach, offer: CodeOffer) -> tuple[Session, Session]:
    match approach:
        case Approach.MEETING:
            return Session.initiator(ALICE, suite=HYBRID_AESGCM), Session.responder(BOB)
        case Approach.KNOWN:
            device = KnownDevice(static_key(BOB), 1)
            return (
                Session.initiator(ALICE, device=device, expected_peer=BOB_ID),
                Session.responder(BOB, suites=(), admit=lambda _peer, _number: True),
            )
        case Approach.LINK:
            return (
                Session.initiator(ALICE, invitation=LINK),
                Session.responder(BOB, suites=(), links=EveryLink()),
            )
        case Approach.CODE:
            return (
                Session.initiator(ALICE, invitation=CODE),
                Session.responder(BOB, suites=(), code=offer),
            )


def recorded(approach: Approach) -> dict[str, bytes]:
    """Each message of another opening of the same two, and the first record after it."""
    sessions = new_sessions(approach, CodeOffer(CODE))
    streams = [b"", b""]
    for _ in range(4):
        for side in (0, 1):
            data = sessions[side].data_to_send()
            streams[side] += data
            sessions[1 - side].receive_data(data)
    messages = {}
    for side, name, length in PIECES[approach]:
        messages[name], streams[side] = streams[side][:length], streams[side][length:]
        assert len(messages[name]) == length
    assert streams == [b"", b""]
    sessions[0].send(b"record")
    messages["record"] = sessions[0].data_to_send()
    return messages


class OpeningWalk:
    """Every sequence of messages to one side of an opening: its peer's, or recorded ones."""

    def __init__(self, approach: Approach, side: int, longest: int) -> None:
        self.side = side
        self.longest = longest
        self.recorded = recorded(approach)
        self.offer = CodeOffer(CODE)
        self.steps = [piece for piece in PIECES[approach] if piece[0] != side]
        self.sequences = 0
        self.completed = 0
        sessions = new_sessions(approach, self.offer)
        self.honest(sessions[side], sessions[1 - side], b"", 0)

    def honest(self, session: Session, peer: Session, unread: bytes, step: int) -> None:
        """From here on the next message is the peer's, or all that follow are any."""
        peer.receive_data(session.data_to_send())
        offer_state = self.offer.state
        self.any(session, 1)
        self.offer.state = offer_state
        if step == len(self.steps):
            self.completed += 1
            assert session.state is State.OPEN
            assert session.peer is not None
            assert session.peer.identity_key == PEOPLE[1 - self.side].public_key
            return
        unread += peer.data_to_send()
        length = self.steps[step][2]
        assert len(unread) >= length
        assert session.state is State.HANDSHAKE
        session.receive_data(unread[:length])
        self.honest(session, peer, unread[length:], step + 1)

    def any(self, session: Session, length: int) -> None:
        """``length`` -- of the sequences that end with the next message."""
        offer_state = self.offer.state
        for message in self.recorded.values():
            self.sequences += 1
            other = twin(session)
            self.offer.state = offer_state
            try:
                events = other.receive_data(message)
            except ProtocolError as error:
                self.dead(other, error)
                continue
            assert events == []
            assert other.peer is session.peer
            assert other.state is session.state
            if length < self.longest:
                self.any(other, length + 1)
            with pytest.raises(ProtocolError):
                other.receive_eof()

    def dead(self, session: Session, error: ProtocolError) -> None:
        assert error.events == ()
        if session._unsent:
            session.data_to_send()  # A refusal that explains it to the peer.
        assert_dead(session, error)


def every_sequence_of_an_opening(
    approach: Approach, side: int, longest: int, figure: Figure
) -> None:
    walked = OpeningWalk(approach, side, longest)
    assert walked.completed == 1
    figure(
        f"openings, {approach.value}, to the {ROLES[side]}: of {walked.sequences:,} sequences of "
        f"up to {longest} messages replayed from another opening none completes"
    )


@pytest.mark.attack(7, 13)
@pytest.mark.parametrize("side", [0, 1], ids=ROLES)
@pytest.mark.parametrize("approach", Approach, ids=lambda approach: approach.value)
def test_a_message_of_an_opening_is_taken_only_in_its_place(
    approach: Approach, side: int, figure: Figure
) -> None:
    every_sequence_of_an_opening(approach, side, 3, figure)


@pytest.mark.attack(7, 13)
@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("side", [0, 1], ids=ROLES)
@pytest.mark.parametrize("approach", Approach, ids=lambda approach: approach.value)
def test_no_five_messages_of_another_opening_lead_anywhere(
    approach: Approach, side: int, figure: Figure
) -> None:
    every_sequence_of_an_opening(approach, side, 5, figure)
