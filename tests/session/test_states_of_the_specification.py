"""The tables of SPEC.md sections 4.7, 9.7 and 10: every cell, an empty one with its error."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from e2ee import Event, MessageReceived, ProtocolError, Session, State, UsageError
from e2ee.code_offer import CodeOffer
from e2ee.errors import UnexpectedMessage
from e2ee.record.layer import ContentType
from e2ee.record.refresh import RefreshInput, RefreshState
from e2ee.suites import Approach
from tests.specification import Cell, rows, table

from .people import ALICE, BOB, CODE
from .test_every_message_in_every_state import (
    LINK,
    PIECES,
    EveryLink,
    Moment,
    layer,
    moment_in,
    new_sessions,
)
from .twin import twin

Figure = Callable[[str], None]

# Section 10.

SESSION = table("session")

INPUTS = {
    "data record": "data",
    "close": "close",
    "key_update": "key_update",
    "refresh_offer": "offer",
    "refresh_answer": "answer",
    "refresh_switch": "switch",
    "ping": "ping",
    "pong": "pong",
    "another kind of control": "unknown",
}
BEFORE = {"answer": RefreshState.OFFERED, "switch": RefreshState.ANSWERED}

CALLS: dict[str, Callable[[Session], object]] = {
    "call send": lambda session: session.send(b"message"),
    "call refresh": Session.refresh,
    "call update_key": Session.update_key,
    "call ping": Session.ping,
    "call close": Session.close,
    "call export": lambda session: session.export("label", 32),
    "call discard": Session.discard,
}


def in_state(state: State, refresh: RefreshState = RefreshState.IDLE) -> Moment:
    if state is State.HANDSHAKE:
        return Moment(Session.initiator(ALICE), Session.responder(BOB), b"")
    if state is State.FAILED:
        moment = in_state(State.OPEN)
        with pytest.raises(ProtocolError):
            moment.session.receive_data(b"\x00\x00")
        return moment
    return moment_in(state, refresh, 0)


def records(moment: Moment, wire: bytes) -> list[str]:
    """What the peer reads: the kinds of control messages, and data."""
    kinds = []
    while wire:
        length = int.from_bytes(wire[:2])
        plaintext = layer(moment.peer)._receive.decrypt_with_ad(b"", wire[2 : 2 + length])
        content = plaintext[3 : 3 + int.from_bytes(plaintext[1:3])]
        is_data = plaintext[0] == ContentType.DATA
        kinds.append("data" if is_data else json.loads(content)["kind"])
        wire = wire[2 + length :]
    return kinds


def input_in(row: str, state: State) -> tuple[Moment, bytes]:
    """A moment in this state, and the bytes of this row."""
    kind = INPUTS.get(row, "")
    refresh = RefreshState.IDLE if state is State.CLOSED else BEFORE.get(kind, RefreshState.IDLE)
    moment = in_state(state, refresh)
    if row == "the opening's bytes" or state in {State.HANDSHAKE, State.FAILED}:
        if state is not State.HANDSHAKE:
            # As a record it is long: its tag is wrong, which shows when all of it is there.
            return moment, Session.initiator(ALICE).data_to_send() * 40
        if row == "the opening's bytes":
            moment.peer.receive_data(moment.session.data_to_send())
            return moment, moment.peer.data_to_send()
        elsewhere = moment_in(State.OPEN, RefreshState.IDLE, 0)
        return moment, elsewhere.forged(kind or "pong")
    if row == "another type of record":
        sealed = layer(moment.peer)._send.encrypt_with_ad(b"", b"\x02\x00\x00")
        return moment, len(sealed).to_bytes(2) + sealed
    if state is State.CLOSED or kind == "unknown":
        return moment, moment.forged(kind)
    return moment, moment.made_by_peer(kind)


@pytest.mark.attack(13)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_each_state_of_a_session_makes_of_each_input_what_the_table_says(
    state: State, figure: Figure
) -> None:
    stopped = 0
    for (row, column), cell in SESSION.items():
        if column != state.name or row in CALLS:
            continue
        stopped += cell.is_empty
        if row == "end of the stream":
            check_input(in_state(state), None, cell)
        else:
            check_input(*input_in(row, state), cell)
    figure(f"states of a session: {state.name}: {stopped} inputs end it, as SPEC.md has them")


def given(session: Session, data: bytes | None) -> list[Event]:
    """``data`` -- None for the end of the stream."""
    if data is not None:
        return session.receive_data(data)
    session.receive_eof()
    return []


def check_input(moment: Moment, data: bytes | None, cell: Cell) -> None:
    before = moment.session.state
    if before is State.OPEN:
        moment.session.data_to_send()
    if cell.is_empty:
        with pytest.raises(ProtocolError):
            given(moment.session, data)
        assert moment.session.state is State.FAILED
        return
    events = given(moment.session, data)
    assert [type(event).__name__ for event in events] == cell.events
    assert moment.session.state.name == (cell.following or before.name)
    if before is not State.HANDSHAKE:
        assert records(moment, moment.session.data_to_send()) == cell.sent
    if moment.session.state in {State.OPEN, State.CLOSING} and before is not State.HANDSHAKE:
        moment.peer.send(b"next")
        received = moment.session.receive_data(moment.peer.data_to_send())
        assert received == [MessageReceived(b"next")]


@pytest.mark.attack(13)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_each_state_of_a_session_makes_of_each_call_what_the_table_says(
    state: State, figure: Figure
) -> None:
    refused = 0
    for call, act in CALLS.items():
        cell = SESSION[call, state.name]
        moment = in_state(state)
        if state is not State.FAILED:
            moment.session.data_to_send()
        if cell.is_empty:
            refused += 1
            with pytest.raises(ProtocolError if state is State.FAILED else UsageError):
                act(moment.session)
            assert moment.session.state is state
            continue
        act(moment.session)
        assert moment.session.state.name == (cell.following or state.name)
        if moment.session.state is not State.FAILED:
            sent = ["data"] if "send data" in cell.text else cell.sent
            assert records(moment, moment.session.data_to_send()) == sent, call
    figure(f"states of a session: {state.name}: {refused} of {len(CALLS)} calls refused")


def test_the_table_of_the_session_has_every_state_and_row() -> None:
    assert {column for _, column in SESSION} == {state.name for state in State}
    others = {"the opening's bytes", "another type of record", "end of the stream"}
    assert {row for row, _ in SESSION} == {*INPUTS, *CALLS, *others}


# Section 9.7.

REFRESH = table("refresh")


@pytest.mark.attack(13)
def test_each_state_of_a_refresh_makes_of_each_input_what_the_table_says(figure: Figure) -> None:
    refused = 0
    states = {column for _, column in REFRESH}
    assert states == {state.name for state in RefreshState}
    for event in RefreshInput:
        for state in RefreshState:
            cell = REFRESH[event.value, state.name]
            refresh = layer(in_state(State.OPEN).session)._refresh
            refresh.state = state
            if cell.is_empty:
                refused += 1
                with pytest.raises(UnexpectedMessage):
                    refresh.on(event)
                assert refresh.state is state
            else:
                assert cell.text.startswith(refresh.on(event).value + " →")
                assert refresh.state.name == cell.following
    for state in RefreshState:
        session = in_state(State.OPEN, state).session
        session.data_to_send()
        session.refresh()
        is_sent = bool(session.data_to_send())
        assert is_sent == ("send" in REFRESH["own wish", state.name].text)
    figure(f"states of a refresh: {refused} of {len(RefreshInput) * len(RefreshState)} refused")


# Section 4.7.

STEPS = rows("opening and side")[1:]
SIDES = ("initiator", "responder")


def outcome(session: Session, act: Callable[[Session], object]) -> str:
    """The error that ends the session, and what the peer is told; empty where there is none."""
    try:
        act(session)
    except ProtocolError as error:
        told = session.data_to_send() if session._unsent else b""
        assert session.state is State.FAILED
        return f"`{type(error).__name__}`" + (f", sends code {told[5]}" if told else "")
    return ""


class OneLink(EveryLink):
    """Good any number of times, but no other is."""

    def psk(self, lookup_id: bytes) -> bytes:
        return LINK.psk if lookup_id == LINK.lookup_id else None  # type: ignore[return-value]


def steps(approach: Approach, side: int) -> list[list[str]]:
    """The table's rows, as they are found."""
    offer = CodeOffer(CODE)
    sessions = new_sessions(approach, offer)
    if approach is Approach.LINK:
        sessions = (sessions[0], Session.responder(BOB, suites=(), links=OneLink()))
    session, peer = sessions[side], sessions[1 - side]
    pieces = [piece for piece in PIECES[approach] if piece[0] != side]
    unread, found = b"", []
    for number, (_, name, length) in enumerate(pieces, 1):
        peer.receive_data(session.data_to_send())
        unread += peer.data_to_send()
        message, unread = unread[:length], unread[length:]
        assert len(message) == length
        before = offer.state

        def receive(data: bytes | bytearray) -> Callable[[Session], object]:
            return lambda tried: tried.receive_data(data)

        wrong = set()
        for at in range(0, length, 1 + length // 100):
            # No ML-KEM key has 0xFF but in each third byte: its coefficients are below 3,329.
            byte = message[at]
            others = (
                {byte ^ 1, byte ^ 2, byte ^ 3, byte ^ 0x80}
                if name == "preamble"
                else {byte ^ 1, 0xFF}
            )
            for other in others - {byte}:
                offer.state = before
                changed = bytearray(message)
                changed[at] = other
                wrong.add(outcome(twin(session), receive(changed)) or "taken")
        offer.state = before
        for short in (0, 1, length - 1):
            waiting = twin(session)
            waiting.receive_data(message[:short])
            assert waiting.state is State.HANDSHAKE
            assert waiting.data_to_send() == session.data_to_send() == b""
            cut = outcome(waiting, Session.receive_eof)
        offer.state = before
        session.receive_data(message)
        reply = len(twin(session).data_to_send())
        is_last = session.state is State.OPEN
        assert is_last == (number == len(pieces))
        found.append(
            [
                f"{approach.value}, {SIDES[side]}",
                str(number),
                name,
                str(length),
                f"{reply} bytes" if reply else "nothing",
                "; ".join(sorted(wrong)),
                cut,
            ]
        )
    return found


@pytest.mark.attack(13)
@pytest.mark.parametrize("side", [0, 1], ids=SIDES)
@pytest.mark.parametrize("approach", Approach, ids=lambda approach: approach.value)
def test_each_step_of_an_opening_is_as_the_table_says(
    approach: Approach, side: int, figure: Figure
) -> None:
    expected = [step for step in STEPS if step[0] == f"{approach.value}, {SIDES[side]}"]
    assert steps(approach, side) == expected
    figure(f"states of an opening: {expected[0][0]}: {len(expected)} steps as SPEC.md has them")
