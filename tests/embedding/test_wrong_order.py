"""Calls at the wrong time: refused with what to do, and the session is as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2ee import (
    Event,
    HandshakeCompleted,
    Identity,
    MessageReceived,
    ProtocolError,
    Session,
    State,
    UsageError,
)
from e2ee.errors import DecryptionError, SessionClosed
from e2ee.testing.pair import Pair
from e2ee.transport import Channel, Timeouts
from e2ee.transport.memory import pair as streams

Call = Callable[[Session], object]

FROM_THE_HANDSHAKE_ON: dict[str, Call] = {
    "send": lambda session: session.send(b"too early"),
    "close": Session.close,
    "refresh": Session.refresh,
    "update_key": Session.update_key,
    "ping": Session.ping,
    "export": lambda session: session.export("label", 32),
}
EVERY_CALL: dict[str, Call] = {
    **FROM_THE_HANDSHAKE_ON,
    "receive_data": lambda session: session.receive_data(b"more"),
    "receive_eof": Session.receive_eof,
    "data_to_send": Session.data_to_send,
}


def opened() -> Pair:
    pair = Pair()
    pair.deliver()
    return pair


@pytest.mark.parametrize("call", FROM_THE_HANDSHAKE_ON)
@pytest.mark.parametrize("side", [0, 1])
def test_nothing_is_sent_before_the_handshake_and_the_handshake_goes_on(
    call: str, side: int
) -> None:
    pair = Pair()
    with pytest.raises(UsageError, match="wait for HandshakeCompleted"):
        FROM_THE_HANDSHAKE_ON[call](pair.ends[side].session)
    pair.deliver()
    assert all(end.session.state is State.OPEN for end in pair.ends)
    assert pair.initiator.received == pair.responder.received == []


def test_nobody_is_authenticated_before_the_handshake() -> None:
    pair = Pair()
    assert pair.initiator.session.peer is pair.responder.session.peer is None
    assert pair.step()
    assert pair.responder.session.peer is None


@pytest.mark.parametrize("call", ["send", "refresh", "update_key", "ping"])
def test_a_closed_session_says_no_more_and_says_so(call: str) -> None:
    pair = opened()
    pair.initiator.session.close()
    with pytest.raises(SessionClosed):
        FROM_THE_HANDSHAKE_ON[call](pair.initiator.session)
    pair.deliver()
    with pytest.raises(SessionClosed):
        FROM_THE_HANDSHAKE_ON[call](pair.initiator.session)
    assert pair.initiator.session.state is State.CLOSED


def test_a_second_close_does_nothing() -> None:
    pair = opened()
    for _ in range(2):
        pair.initiator.session.close()
    pair.deliver()
    pair.initiator.session.close()
    assert pair.initiator.session.data_to_send() == b""
    assert pair.initiator.session.state is State.CLOSED


@pytest.mark.parametrize("call", EVERY_CALL)
def test_after_an_error_every_call_raises_that_error(call: str) -> None:
    session = opened().initiator.session
    with pytest.raises(ProtocolError) as first:
        session.receive_data(bytes(100))
    with pytest.raises(ProtocolError) as later:
        EVERY_CALL[call](session)
    assert later.value is first.value


@pytest.mark.parametrize("call", EVERY_CALL)
def test_after_discard_every_call_says_that_it_was_discarded(call: str) -> None:
    session = opened().initiator.session
    session.discard()
    with pytest.raises(SessionClosed, match="was discarded"):
        EVERY_CALL[call](session)


def test_an_error_that_nobody_looked_at_comes_again_and_not_once_only() -> None:
    """A program that swallows it cannot go on as if nothing had been."""
    session = opened().initiator.session
    for _ in range(3):
        with pytest.raises(DecryptionError):
            session.receive_data(b"\0\x20" + bytes(32))


# A session's own output, fed back to it.


def fed_to_itself(session: Session) -> tuple[list[Event], ProtocolError | None]:
    """What a session tells when all that it says comes back, until it says no more."""
    events: list[Event] = []
    try:
        while data := session.data_to_send():
            events += session.receive_data(data)
        session.receive_eof()
    except ProtocolError as error:
        return [*events, *error.events], error
    return events, None


@pytest.mark.parametrize("size", [1, 7, 40, 10_000])
def test_an_initiator_that_hears_itself_is_told_so(size: int) -> None:
    session = Session.initiator(Identity.generate())
    sent = session.data_to_send()
    pieces = [sent[begin : begin + size] for begin in range(0, len(sent), size)]
    with pytest.raises(ProtocolError, match="the bytes that this side has sent"):
        assert [session.receive_data(piece) for piece in pieces] == []
    assert session.state is State.FAILED
    assert session.peer is None


def test_a_responder_that_hears_itself_is_told_of_nobody() -> None:
    pair = Pair()
    responder = pair.responder.session
    responder.receive_data(pair.responder.incoming.read())
    events, error = fed_to_itself(responder)
    assert events == []
    assert isinstance(error, DecryptionError)
    assert responder.peer is None


@pytest.mark.parametrize("side", [0, 1])
def test_an_open_session_that_hears_itself_fails_at_once(side: int) -> None:
    session = opened().ends[side].session
    session.send(b"to whom it may concern")
    events, error = fed_to_itself(session)
    assert events == []
    assert isinstance(error, DecryptionError)


def test_one_session_for_both_sides_is_nobody() -> None:
    identity = Identity.generate()
    pair = Pair((Session.initiator(identity), Session.responder(identity)))
    pair.deliver()
    assert type(pair.initiator.error).__name__ == "OwnIdentity"
    assert pair.responder.events == []


def test_two_initiators_or_two_responders_do_not_meet() -> None:
    initiators = [Session.initiator(Identity.generate()) for _ in range(2)]
    pair = Pair((initiators[0], initiators[1]))
    pair.responder.speak(opening=True)
    pair.deliver()
    assert all(end.events == [] for end in pair.ends)
    responders = [Session.responder(Identity.generate()) for _ in range(2)]
    assert all(session.data_to_send() == b"" for session in responders)


# Sessions and events of one connection, used for another one.


def test_a_session_is_good_for_one_connection() -> None:
    pair, other = opened(), opened()
    other.responder.session.send(b"for somebody else")
    with pytest.raises(DecryptionError):
        pair.initiator.session.receive_data(other.responder.session.data_to_send())


async def test_a_channel_is_opened_with_a_session_that_has_not_begun() -> None:
    pair = opened()
    stream, _ = streams()
    with pytest.raises(UsageError, match="has not begun"):
        await Channel.open(stream, pair.initiator.session)


@pytest.mark.parametrize("session", [None, 5, Identity.generate(), Session])
async def test_a_channel_is_opened_with_a_session(session: Any) -> None:
    stream, other = streams()
    with pytest.raises(UsageError, match="a session is needed"):
        await Channel.open(stream, session)
    assert await other.receive() == b""


@pytest.mark.parametrize("name", ["handshake", "quiet", "dead", "refresh", "close"])
@pytest.mark.parametrize("seconds", [None, "5", 0, -1, float("nan")])
def test_a_timeout_is_a_number_of_seconds(name: str, seconds: Any) -> None:
    with pytest.raises(UsageError, match=name):
        Timeouts(**{name: seconds})


def test_what_comes_before_a_fault_is_in_the_error_and_nowhere_else() -> None:
    pair = opened()
    pair.initiator.session.send(b"genuine")
    data = pair.initiator.session.data_to_send() + b"\0\x20" + bytes(32)
    with pytest.raises(DecryptionError) as caught:
        pair.responder.session.receive_data(data)
    assert caught.value.events == (MessageReceived(b"genuine"),)


def test_the_first_event_is_always_the_handshakes() -> None:
    pair = Pair()
    pair.deliver()
    pair.initiator.session.send(b"x")
    pair.deliver()
    first, *others = pair.responder.events
    assert isinstance(first, HandshakeCompleted)
    assert others == [MessageReceived(b"x")]
