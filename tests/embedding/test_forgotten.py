"""What a program can forget: to send, to await, to look, to close."""

from __future__ import annotations

import gc
import warnings

import pytest

from e2ee import CLASSICAL_AESGCM, Identity, Session
from e2ee.errors import Truncated, UnsupportedSuite
from e2ee.testing.pair import Pair
from e2ee.testing.streams import open_channels
from e2ee.testing.unsent import nothing_unsent


def opened() -> Pair:
    pair = Pair()
    pair.deliver()
    return pair


def test_what_was_not_flushed_is_not_lost_but_leaves_with_the_next_flush_in_order() -> None:
    pair = opened()
    pair.initiator.session.send(b"first")
    pair.initiator.session.refresh()
    pair.initiator.session.send(b"second")
    pair.deliver()
    assert pair.responder.received == [b"first", b"second"]


def test_a_flush_that_was_forgotten_is_told_in_tests() -> None:
    with pytest.raises(AssertionError, match=r"call data_to_send\(\)"), nothing_unsent():
        opened().initiator.session.send(b"never flushed")


def test_a_flush_of_nothing_is_nothing() -> None:
    session = opened().initiator.session
    assert [session.data_to_send() for _ in range(3)] == [b""] * 3


def test_what_was_flushed_and_dropped_is_missed_by_the_peer() -> None:
    """``data_to_send`` gives everything once: who calls it twice and sends one half is caught."""
    pair = opened()
    pair.initiator.session.send(b"first")
    pair.initiator.session.data_to_send()
    pair.initiator.session.send(b"second")
    pair.deliver()
    assert pair.responder.received == []
    assert pair.responder.error is not None


def test_a_stream_that_ends_without_a_close_is_never_taken_for_a_close() -> None:
    pair = opened()
    pair.initiator.session.send(b"the first half")
    pair.deliver()
    with pytest.raises(Truncated):
        pair.responder.session.receive_eof()


def test_events_that_were_dropped_change_nothing_in_the_session() -> None:
    """They are told once. The session answers what needs an answer by itself."""
    pair = opened()
    pair.initiator.session.send(b"dropped")
    pair.initiator.session.refresh()
    pair.responder.session.receive_data(pair.initiator.session.data_to_send())
    assert pair.responder.session.receive_data(b"") == []
    pair.initiator.session.send(b"seen")
    pair.deliver()
    assert pair.responder.received == [b"seen"]


async def test_a_send_without_await_sends_nothing_and_python_says_so() -> None:
    async with open_channels() as (alice, bob):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            alice.send(b"never awaited")  # type: ignore[unused-coroutine]
            gc.collect()
        assert any("was never awaited" in str(warning.message) for warning in told)
        await alice.send(b"awaited")
        assert await bob.receive() == b"awaited"


async def test_a_receive_without_await_takes_nothing() -> None:
    async with open_channels() as (alice, bob):
        await alice.send(b"for who awaits")
        bob.receive().close()
        assert await bob.receive() == b"for who awaits"


def test_a_session_is_no_context_and_no_file() -> None:
    """So that nobody takes the end of a block for a close that the peer was told of."""
    session = Session.initiator(Identity.generate())
    for name in ("__enter__", "__iter__", "read", "write", "flush", "__bool__", "__len__"):
        assert not hasattr(session, name)


async def test_a_channel_that_is_left_by_an_error_is_no_close_to_the_peer() -> None:
    """Who has half of the messages must not take them for all."""

    async def fail_in_the_middle() -> None:
        async with alice:
            await alice.send(b"the first half")
            assert await bob.receive() == b"the first half"
            raise ZeroDivisionError

    async with open_channels() as (alice, bob):
        with pytest.raises(ZeroDivisionError):
            await fail_in_the_middle()
        with pytest.raises(Truncated):
            await bob.receive()


def test_an_expected_peer_that_was_forgotten_is_told_by_the_event() -> None:
    """Nobody is refused then, and whoever it was has proved who they are."""
    mallory = Identity.generate()
    pair = Pair((Session.initiator(Identity.generate()), Session.responder(mallory)))
    pair.deliver()
    assert pair.initiator.session.peer is not None
    assert pair.initiator.session.peer.id == mallory.id


def test_a_refusal_leaves_by_the_flush_after_the_error_and_explains_it() -> None:
    initiator = Session.initiator(Identity.generate(), suite=CLASSICAL_AESGCM)
    responder = Session.responder(Identity.generate())
    with pytest.raises(UnsupportedSuite):
        responder.receive_data(initiator.data_to_send())
    with pytest.raises(UnsupportedSuite, match="the peer does not accept"):
        initiator.receive_data(responder.data_to_send())
