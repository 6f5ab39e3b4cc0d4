"""The table of SPEC.md section 10: what each state of a session makes of each input and call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2ee import (
    HYBRID_AESGCM,
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
from e2ee.errors import (
    DecryptionError,
    ProtocolError,
    SessionClosed,
    Truncated,
    UnexpectedMessage,
)
from e2ee.handshake import CipherState
from e2ee.messages import RefreshSwitch

ALICE, BOB = Identity.generate(), Identity.generate()


def exchange(*pair: Session) -> None:
    """Let both say what they have to say until they have no more."""
    first, second = pair
    while True:
        there, back = first.data_to_send(), second.data_to_send()
        if not there and not back:
            return
        second.receive_data(there)
        first.receive_data(back)


def pair_in(state: State) -> tuple[Session, Session]:
    """A session in this state, and its peer, which is open where it can be."""
    session, peer = Session.initiator(ALICE), Session.responder(BOB)
    if state is State.HANDSHAKE:
        return session, peer
    exchange(session, peer)
    if state is State.CLOSING:
        session.close()
        session.data_to_send()  # held back, so that the peer goes on
    if state is State.CLOSED:
        session.close()
        exchange(session, peer)
    if state is State.FAILED:
        with pytest.raises(ProtocolError):
            session.receive_data(b"\x00\x13" + bytes(19))
    assert session.state is state
    return session, peer


CALLS: dict[str, Callable[[Session], object]] = {
    "send": lambda session: session.send(b"message"),
    "refresh": Session.refresh,
    "update_key": Session.update_key,
    "ping": Session.ping,
    "close": Session.close,
    "export": lambda session: session.export("label", 32),
    "data_to_send": Session.data_to_send,
    "buffer_to_send": Session.buffer_to_send,
    "receive_nothing": lambda session: session.receive_data(b""),
}
SENDING = ("send", "refresh", "update_key", "ping")

TABLE: dict[tuple[str, State], type[Exception] | None] = {
    **{(call, State.HANDSHAKE): UsageError for call in (*SENDING, "close", "export")},
    **{(call, State.OPEN): None for call in CALLS},
    **{(call, State.CLOSING): SessionClosed for call in SENDING},
    **{(call, State.CLOSED): SessionClosed for call in SENDING},
    **{(call, State.FAILED): DecryptionError for call in CALLS},
    **{
        (call, state): None
        for call in ("close", "export")
        for state in (State.CLOSING, State.CLOSED)
    },
    **{
        (call, state): None
        for call in ("data_to_send", "buffer_to_send", "receive_nothing")
        for state in (State.HANDSHAKE, State.CLOSING, State.CLOSED)
    },
}


def test_the_table_has_every_pair() -> None:
    assert set(TABLE) == {(call, state) for call in CALLS for state in State}


@pytest.mark.parametrize(("call", "state"), TABLE)
def test_a_call_is_done_or_refused_as_the_table_says(call: str, state: State) -> None:
    session, _ = pair_in(state)
    refusal = TABLE[call, state]
    if refusal is None:
        CALLS[call](session)
    else:
        with pytest.raises(refusal) as caught:
            CALLS[call](session)
        assert type(caught.value) is refusal
    expected = State.CLOSING if (call, state) == ("close", State.OPEN) else state
    assert session.state is expected


@pytest.mark.parametrize(("call", "state"), [pair for pair in TABLE if TABLE[pair] is not None])
def test_a_refused_call_changes_nothing(call: str, state: State) -> None:
    session, peer = pair_in(state)
    for _ in range(2):
        with pytest.raises((UsageError, ProtocolError)):
            CALLS[call](session)
    if state is State.HANDSHAKE:
        exchange(session, peer)
        assert session.state is peer.state is State.OPEN
        session.send(b"still well")
        assert peer.receive_data(session.data_to_send()) == [MessageReceived(b"still well")]
    if state is State.CLOSING:
        assert session.data_to_send() == b""
        peer.close()
        assert session.receive_data(peer.data_to_send()) == [Closed()]
    if state is State.CLOSED:
        assert session.data_to_send() == b""
        session.receive_eof()


@pytest.mark.parametrize("state", State)
def test_the_end_of_the_stream_is_fine_only_when_closed(state: State) -> None:
    session, _ = pair_in(state)
    if state is State.CLOSED:
        session.receive_eof()
        session.receive_eof()
        assert session.state is State.CLOSED
    else:
        with pytest.raises(DecryptionError if state is State.FAILED else Truncated):
            session.receive_eof()
        assert session.state is State.FAILED


# Inputs.


def test_the_bytes_of_the_opening_lead_from_handshake_to_open() -> None:
    alice, bob = Session.initiator(ALICE), Session.responder(BOB)
    assert [alice.state, bob.state] == [State.HANDSHAKE, State.HANDSHAKE]
    assert [alice.peer, bob.peer] == [None, None]
    assert bob.receive_data(alice.data_to_send()) == []
    (completed,) = alice.receive_data(bob.data_to_send())
    assert [alice.state, bob.state] == [State.OPEN, State.HANDSHAKE]
    (completed_too,) = bob.receive_data(alice.data_to_send())
    assert [alice.state, bob.state] == [State.OPEN, State.OPEN]
    assert isinstance(completed, HandshakeCompleted)
    assert isinstance(completed_too, HandshakeCompleted)
    assert completed.peer == alice.peer
    assert completed.handshake_hash == completed_too.handshake_hash


@pytest.mark.parametrize("state", [State.OPEN, State.CLOSING])
def test_data_records_give_messages_while_open_and_while_closing(state: State) -> None:
    session, peer = pair_in(state)
    peer.send(b"one")
    peer.send(b"")
    peer.send(b"two")
    assert session.receive_data(peer.data_to_send()) == [
        MessageReceived(b"one"),
        MessageReceived(b""),
        MessageReceived(b"two"),
    ]
    assert session.state is state


def test_a_close_is_answered_after_what_was_queued() -> None:
    alice, bob = pair_in(State.OPEN)
    alice.send(b"queued")
    bob.send(b"the last word")
    bob.close()
    assert alice.receive_data(bob.data_to_send()) == [MessageReceived(b"the last word"), Closed()]
    assert bob.receive_data(alice.data_to_send()) == [MessageReceived(b"queued"), Closed()]
    assert [alice.state, bob.state] == [State.CLOSED, State.CLOSED]


def test_a_close_while_closing_finishes_and_sends_nothing_more() -> None:
    alice, bob = pair_in(State.CLOSING)
    bob.close()
    assert alice.receive_data(bob.data_to_send()) == [Closed()]
    assert alice.state is State.CLOSED
    assert alice.data_to_send() == b""


@pytest.mark.parametrize("state", [State.OPEN, State.CLOSING])
def test_a_key_update_is_followed_while_open_and_while_closing(state: State) -> None:
    session, peer = pair_in(state)
    peer.update_key()
    peer.send(b"under the new key")
    assert session.receive_data(peer.data_to_send()) == [MessageReceived(b"under the new key")]


def test_a_ping_is_answered_once_for_all_while_open() -> None:
    alice, bob = pair_in(State.OPEN)
    for _ in range(5):
        bob.ping()
    assert alice.receive_data(bob.data_to_send()) == []
    pong = alice.data_to_send()
    assert len(pong) == 2 + 3 + len(b'{"kind":"pong"}') + 16
    assert bob.receive_data(pong) == []
    assert bob.data_to_send() == alice.data_to_send() == b""


def test_a_ping_is_not_answered_while_closing() -> None:
    alice, bob = pair_in(State.CLOSING)
    bob.ping()
    assert alice.receive_data(bob.data_to_send()) == []
    assert alice.data_to_send() == b""


def test_a_ping_that_a_close_overtakes_is_not_answered_after_it() -> None:
    alice, bob = pair_in(State.OPEN)
    bob.ping()
    alice.receive_data(bob.data_to_send())
    alice.close()
    assert bob.receive_data(alice.data_to_send()) == [Closed()]


def test_a_refresh_ends_with_an_event_on_both_sides() -> None:
    alice, bob = pair_in(State.OPEN)
    alice.refresh()
    assert bob.receive_data(alice.data_to_send()) == []
    assert alice.receive_data(bob.data_to_send()) == [KeysRefreshed()]
    assert bob.receive_data(alice.data_to_send()) == [KeysRefreshed()]


def test_a_refresh_already_under_way_is_not_begun_twice() -> None:
    alice, bob = pair_in(State.OPEN)
    alice.refresh()
    alice.data_to_send()
    alice.refresh()
    assert alice.data_to_send() == b""
    del bob


def test_of_two_crossing_offers_the_initiators_stands() -> None:
    alice, bob = pair_in(State.OPEN)
    alice.refresh()
    bob.refresh()
    from_alice, from_bob = alice.data_to_send(), bob.data_to_send()
    assert alice.receive_data(from_bob) == []
    assert alice.data_to_send() == b""
    assert bob.receive_data(from_alice) == []
    assert alice.receive_data(bob.data_to_send()) == [KeysRefreshed()]
    assert bob.receive_data(alice.data_to_send()) == [KeysRefreshed()]
    for speaker, listener in ((alice, bob), (bob, alice)):
        speaker.send(b"well")
        assert listener.receive_data(speaker.data_to_send()) == [MessageReceived(b"well")]


def test_an_offer_while_closing_is_not_answered() -> None:
    alice, bob = pair_in(State.CLOSING)
    bob.refresh()
    bob.send(b"after the offer")
    assert alice.receive_data(bob.data_to_send()) == [MessageReceived(b"after the offer")]
    assert alice.data_to_send() == b""
    bob.close()
    assert alice.receive_data(bob.data_to_send()) == [Closed()]


def test_an_answer_while_closing_brings_the_new_receiving_key_and_no_switch() -> None:
    alice, bob = pair_in(State.OPEN)
    alice.refresh()
    offer = alice.data_to_send()
    alice.close()
    closing = alice.data_to_send()
    assert bob.receive_data(offer) == []
    bob.send(b"under the new key")
    events: list[Event] = alice.receive_data(bob.data_to_send())
    assert MessageReceived(b"under the new key") in events
    assert alice.data_to_send() == b""
    assert bob.receive_data(closing) == [Closed()]
    assert alice.receive_data(bob.data_to_send()) == [Closed()]
    assert alice.state is bob.state is State.CLOSED


@pytest.mark.parametrize("extra", [b"\x00", b"\x00\x13" + bytes(19)])
@pytest.mark.parametrize("with_the_close", [True, False])
def test_any_byte_after_the_peers_close_is_an_error(extra: bytes, with_the_close: bool) -> None:
    alice, bob = pair_in(State.OPEN)
    bob.close()
    closing = bob.data_to_send()
    if with_the_close:
        with pytest.raises(UnexpectedMessage) as caught:
            alice.receive_data(closing + extra)
        assert caught.value.events == (Closed(),)
    else:
        alice.receive_data(closing)
        with pytest.raises(UnexpectedMessage):
            alice.receive_data(extra)
    assert alice.state is State.FAILED
    with pytest.raises(UnexpectedMessage):
        alice.receive_eof()


def test_a_session_that_has_failed_keeps_its_peer_for_the_message_about_it() -> None:
    session, _ = pair_in(State.FAILED)
    assert session.peer is not None
    assert session.peer.id == BOB.id


def test_a_responder_that_accepts_no_suite_is_refused() -> None:
    with pytest.raises(UsageError):
        Session.responder(BOB, suites=())


@pytest.mark.parametrize("state", State)
def test_a_session_shows_its_state_and_nothing_else(state: State) -> None:
    session, _ = pair_in(state)
    for text in (repr(session), str(session), f"{session}"):
        assert text == f"<Session {state.value}>"


def test_an_offer_that_comes_while_closing_is_ignored_and_a_switch_then_is_refused() -> None:
    session, peer = pair_in(State.CLOSING)
    peer.refresh()
    assert session.receive_data(peer.data_to_send()) == []
    assert session.data_to_send() == b""
    assert peer._layer is not None
    peer._layer._seal_control(RefreshSwitch())
    with pytest.raises(UnexpectedMessage, match="refresh switch"):
        session.receive_data(peer.data_to_send())


@pytest.mark.parametrize("wrong", ["text", 5, None, [1, 2]])
def test_what_is_not_bytes_is_refused_and_changes_nothing(wrong: Any) -> None:
    session, peer = pair_in(State.OPEN)
    for call in (session.send, session.receive_data):
        with pytest.raises(UsageError, match="bytes are needed"):
            call(wrong)
    session.send(bytearray(b"still open"))
    assert peer.receive_data(memoryview(session.data_to_send())) == [MessageReceived(b"still open")]


def test_a_buffer_may_be_changed_after_it_was_given() -> None:
    session, peer = pair_in(State.OPEN)
    message = bytearray(b"as it was")
    session.send(message)
    message[:] = b"changed!!"
    sealed = bytearray(session.data_to_send())
    events = peer.receive_data(memoryview(sealed)[:5])
    sealed[:5] = bytes(5)
    events += peer.receive_data(memoryview(sealed)[5:])
    assert events == [MessageReceived(b"as it was")]


@pytest.mark.parametrize(
    "call", ["send", "refresh", "update_key", "ping", "close", "data_to_send", "buffer_to_send"]
)
def test_a_call_that_is_interrupted_leaves_no_half_of_a_message(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, peer = pair_in(State.OPEN)
    session.send(b"waiting")
    calls: dict[str, Callable[[Session], object]] = {
        **CALLS,
        "send": lambda open_session: open_session.send(bytes(200_000)),
    }

    def interrupted(self: CipherState, *_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(CipherState, "encrypt_with_ad", interrupted)
    monkeypatch.setattr(CipherState, "encrypt_in_place", interrupted)
    with pytest.raises(KeyboardInterrupt):
        calls[call](session)
    monkeypatch.undo()
    assert session.state is State.FAILED
    with pytest.raises(ProtocolError, match="interrupted"):
        session.data_to_send()
    with pytest.raises(Truncated):
        peer.receive_eof()


@pytest.mark.parametrize(
    "wrong",
    [
        {"suite": None},
        {"suite": 1},
        {"limits": None},
        {"padding": "none"},
        {"padding": None},
        {"expected_peer": b"e2ee1"},
        {"expected_peer": "bob"},
    ],
    ids=repr,
)
def test_an_initiator_is_not_made_of_wrong_parts(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Session.initiator(ALICE, **wrong)
    with pytest.raises(UsageError):
        Session.responder(BOB, **{"suites": [wrong.pop("suite", HYBRID_AESGCM)], **wrong})


@pytest.mark.parametrize(
    ("label", "length"),
    [("", 0), ("", 8161), ("", -1), ("", True), ("", 2.5), ("", "b"), (None, 3), ("\ud800", 3)],
)
def test_an_export_needs_a_label_and_a_length(label: Any, length: Any) -> None:
    session, _ = pair_in(State.OPEN)
    with pytest.raises(UsageError):
        session.export(label, length)


def test_exports_of_other_lengths_and_labels_have_nothing_in_common() -> None:
    session, peer = pair_in(State.OPEN)
    assert session.export("a", 64) == peer.export(b"a", 64)
    assert session.export("a", 64)[:32] != session.export("a", 32)
    assert session.export("a", 32) != session.export("b", 32)


@pytest.mark.parametrize("extra", [b"\0", b"\0\0\0", bytes(100), b"\xff" * 3])
def test_bytes_after_a_close_are_one_error_in_any_chunking(extra: bytes) -> None:
    for together in (True, False):
        session, peer = pair_in(State.OPEN)
        peer.close()
        sealed = peer.data_to_send()
        *before, last = [sealed + extra] if together else [sealed, extra]
        for chunk in before:
            session.receive_data(chunk)
        with pytest.raises(UnexpectedMessage, match="after the peer's close"):
            session.receive_data(last)
