"""Two sessions in memory: what a developer gets of e2ee.testing without a loop."""

from __future__ import annotations

import pytest

from e2ee import (
    Closed,
    Event,
    HandshakeCompleted,
    Identity,
    KeysRefreshed,
    MessageReceived,
    Session,
    State,
    UsageError,
)
from e2ee.errors import UnexpectedPeer
from e2ee.testing.attacker import CUT, Script, Side, cut
from e2ee.testing.pair import Pair, new_sessions


def opened(**options: object) -> Pair:
    pair = Pair(**options)  # type: ignore[arg-type]
    pair.deliver()
    assert pair.initiator.session.state is pair.responder.session.state is State.OPEN
    return pair


def test_a_new_pair_has_not_begun_its_handshake() -> None:
    pair = Pair()
    assert pair.initiator.session.state is pair.responder.session.state is State.HANDSHAKE
    assert pair.initiator.events == pair.responder.events == []


def test_the_first_delivery_is_the_handshake() -> None:
    pair = opened()
    [ours], [theirs] = pair.initiator.events, pair.responder.events
    assert isinstance(ours, HandshakeCompleted)
    assert isinstance(theirs, HandshakeCompleted)
    assert ours.handshake_hash == theirs.handshake_hash


@pytest.mark.parametrize("seed", [None, *range(8)])
def test_messages_arrive_in_order_whatever_the_chunks(seed: int | None) -> None:
    pair = opened(seed=seed)
    messages = [b"first", b"", bytes(200_000), b"last"]
    for message in messages:
        pair.initiator.session.send(message)
        pair.responder.session.send(message[::-1])
    pair.initiator.session.refresh()
    pair.deliver()
    assert pair.responder.received == messages
    assert pair.initiator.received == [message[::-1] for message in messages]
    assert KeysRefreshed() in pair.initiator.events


def steps(seed: int | None) -> list[tuple[int, int]]:
    """How many bytes are on the way, after each step of an opening."""
    pair = Pair(seed=seed)
    wires = pair.initiator.incoming, pair.responder.incoming
    found = []
    while pair.step():
        found.append((len(wires[0].pending), len(wires[1].pending)))
    return found


def test_a_seed_is_one_schedule_and_another_seed_another_one() -> None:
    assert steps(1) == steps(1)
    assert steps(1) != steps(2)
    assert steps(None) == [(1720, 0), (0, 576), (0, 0)]


def test_an_application_answers_by_itself() -> None:
    def echo(session: Session, event: Event) -> None:
        if isinstance(event, MessageReceived):
            session.send(b"echo: " + event.data)

    def greet(session: Session, event: Event) -> None:
        if isinstance(event, HandshakeCompleted):
            session.send(b"hello")
        elif isinstance(event, MessageReceived):
            session.close()

    pair = Pair(applications=(greet, echo))
    pair.deliver()
    assert pair.responder.received == [b"hello"]
    assert pair.initiator.received == [b"echo: hello"]
    assert pair.responder.events[-1] == Closed()


def test_applications_that_never_come_to_rest_are_an_error_and_no_hang() -> None:
    def answer(session: Session, event: Event) -> None:
        session.send(b"and you?")

    with pytest.raises(UsageError, match="for ever"):
        Pair(applications=(answer, answer)).deliver()


def test_what_an_application_raises_comes_out() -> None:
    def fail(session: Session, event: Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Pair(applications=(fail, fail)).deliver()


@pytest.mark.parametrize("seed", [None, *range(4)])
def test_pieces_are_the_messages_of_the_opening_and_then_each_record(seed: int | None) -> None:
    script = Script()
    pair = opened(attacker=script, seed=seed)
    pair.initiator.session.send(bytes(100_000))
    pair.deliver()
    pair.initiator.session.send(b"x")
    pair.responder.session.send(b"x")
    pair.deliver()
    lengths = {side: [len(p.data) for p in script.seen if p.side is side] for side in Side}
    records = {Side.INITIATOR: [65_537, 34_509, 26], Side.RESPONDER: [26]}
    assert lengths[Side.INITIATOR] == [1224, 576, *records[Side.INITIATOR]]
    assert lengths[Side.RESPONDER] == [1720, *records[Side.RESPONDER]]


def test_what_an_application_says_at_once_is_a_piece_of_its_own() -> None:
    def greet(session: Session, event: Event) -> None:
        session.send(b"hello")

    script = Script()
    Pair(attacker=script, applications=(greet, lambda session, event: None)).deliver()
    assert [len(piece.data) for piece in script.seen if piece.side is Side.INITIATOR][1:] == [
        576,
        30,
    ]


def test_a_pair_is_made_of_any_two_sessions_and_a_fault_is_told_by_its_end() -> None:
    alice, bob, mallory = (Identity.generate() for _ in range(3))
    sessions = Session.initiator(alice, expected_peer=mallory.id), Session.responder(bob)
    pair = Pair(sessions)
    pair.deliver()
    assert pair.initiator.error is not None
    assert isinstance(pair.initiator.error, UnexpectedPeer)
    assert pair.initiator.session.state is State.FAILED
    assert pair.responder.session.state is State.HANDSHAKE


def test_a_side_that_has_let_go_of_its_keys_takes_no_more() -> None:
    pair = opened()
    pair.responder.session.discard()
    pair.initiator.session.send(b"into the void")
    pair.deliver()
    assert pair.responder.received == []
    assert pair.responder.error is None


def test_the_end_of_the_stream_comes_once_and_after_all_that_was_sent() -> None:
    pair = opened(attacker=Script().at(Side.INITIATOR, 3, cut))
    pair.initiator.session.send(b"arrives")
    pair.deliver()
    pair.initiator.session.send(b"does not")
    pair.deliver()
    assert pair.responder.received == [b"arrives"]
    for end in pair.ends:
        assert type(end.error).__name__ == "Truncated"
        assert end.session.state is State.FAILED


def test_a_close_and_the_end_of_the_stream_are_no_fault() -> None:
    script = Script().at(Side.RESPONDER, 1, lambda piece, seen: [piece.data, CUT])
    pair = opened(attacker=script)
    pair.initiator.session.close()
    pair.deliver()
    pair.responder.session.close()
    pair.deliver()
    assert not script.waiting
    assert all(end.session.state is State.CLOSED and end.error is None for end in pair.ends)


def test_new_sessions_ask_for_each_other() -> None:
    pair = Pair((new_sessions()[0], new_sessions()[1]))
    pair.deliver()
    assert pair.initiator.error is not None


def test_an_end_is_found_by_its_side() -> None:
    pair = Pair()
    assert [pair.end(side) for side in Side] == [pair.initiator, pair.responder]
    assert Side.INITIATOR.other.other is Side.INITIATOR
