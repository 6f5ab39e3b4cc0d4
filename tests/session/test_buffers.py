"""The memory that a session lends: for what is received, and of what is to be sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ee import Closed, Event, MessageReceived, Session, State, UsageError
from e2ee.errors import DecryptionError
from e2ee.limits import MAX_CONTENT_LENGTH, MAX_RECORD_LENGTH
from e2ee.record.layer import IN_PLACE_LENGTH
from e2ee.record.outbox import BLOCK_LENGTH, FIRST_RECORD
from e2ee.session import MAX_BUFFER_LENGTH, MIN_BUFFER_LENGTH

from .test_limits import ALICE, BOB, opened

EDGES = (0, 1, IN_PLACE_LENGTH - 5, IN_PLACE_LENGTH - 4, MAX_CONTENT_LENGTH - 5)
OVERHEAD = 2 + 16 + 3 + 4
"""Bytes of a record of one message, beside the message."""
LENGTHS = st.sampled_from(EDGES) | st.integers(0, 200_000)


def pieces(session: Session) -> list[bytes | memoryview]:
    return list(iter(session.buffer_to_send, b""))


def put_into_buffer(session: Session, data: bytes, chunk: int) -> list[Event]:
    """As a transport does that has at most so many bytes at a time."""
    events: list[Event] = []
    while data:
        buffer = session.get_buffer()
        length = min(chunk, len(buffer), len(data))
        buffer[:length] = data[:length]
        data = data[length:]
        events += session.buffer_updated(length)
    return events


def message(number: int, length: int) -> bytes:
    return number.to_bytes(4, "little").ljust(length, b"%d" % (number % 10))[:length]


@given(st.lists(LENGTHS, max_size=6), st.integers(1, 300_000), st.booleans())
def test_what_comes_by_a_buffer_in_any_chunks_is_what_was_sent(
    lengths: list[int], chunk: int, flush_each: bool
) -> None:
    alice, bob = opened()
    messages = [message(number, length) for number, length in enumerate(lengths)]
    wire = b""
    for text in messages:
        alice.send(text)
        if flush_each:
            wire += b"".join(pieces(alice))
    alice.close()
    wire += b"".join(pieces(alice))
    chunk = max(chunk, len(wire) // 2_000)
    assert put_into_buffer(bob, wire, chunk) == [*map(MessageReceived, messages), Closed()]


def test_a_handshake_comes_by_buffers() -> None:
    alice, bob = (Session.initiator(ALICE), Session.responder(BOB))
    for sender, receiver in ((alice, bob), (bob, alice), (alice, bob)):
        put_into_buffer(receiver, b"".join(pieces(sender)), 100)
    assert alice.state is bob.state is State.OPEN


@given(st.lists(LENGTHS, min_size=1, max_size=8), st.data())
def test_pieces_that_are_kept_stay_as_they_were(lengths: list[int], data: st.DataObject) -> None:
    alice, bob = opened()
    kept: list[bytes | memoryview] = []
    seen: list[bytes] = []
    for number, length in enumerate(lengths):
        alice.send(message(number, length))
        if data.draw(st.booleans()):
            alice.ping()
        for piece in pieces(alice):
            kept.append(piece)
            seen.append(bytes(piece))
    assert [bytes(piece) for piece in kept] == seen
    events = bob.receive_data(b"".join(kept))
    assert events == [MessageReceived(message(*pair)) for pair in enumerate(lengths)]


def test_what_was_sent_frees_its_memory_for_the_next() -> None:
    alice, _ = opened()
    memory: set[int] = set()
    for _ in range(20):
        alice.send(bytes(MAX_CONTENT_LENGTH))
        for piece in pieces(alice):
            if isinstance(piece, memoryview):
                memory.add(id(piece.obj))
            del piece
    assert len(memory) == 1


def test_many_large_messages_with_small_records_between_them_share_their_memory() -> None:
    alice, bob = opened()
    for _ in range(40):
        alice.send(bytes(IN_PLACE_LENGTH))
        alice.ping()
    waiting = pieces(alice)
    assert len(waiting) <= 1 + sum(map(len, waiting)) // (BLOCK_LENGTH - MAX_RECORD_LENGTH)
    assert all(len(piece) <= BLOCK_LENGTH for piece in waiting)
    assert len(bob.receive_data(b"".join(waiting))) == 40


def test_the_buffer_grows_with_what_comes_and_is_gone_when_little_does() -> None:
    alice, bob = opened()
    alice.send(bytes(4 * MAX_BUFFER_LENGTH))
    wire = alice.data_to_send()
    lengths = []
    while wire:
        buffer = bob.get_buffer()
        lengths.append(len(buffer))
        length = min(len(buffer), len(wire))
        buffer[:length] = wire[:length]
        wire = wire[length:]
        bob.buffer_updated(length)
    assert lengths[:3] == [MIN_BUFFER_LENGTH, 2 * MIN_BUFFER_LENGTH, 4 * MIN_BUFFER_LENGTH]
    assert max(lengths) == MAX_BUFFER_LENGTH
    alice.send(b"little")
    put_into_buffer(bob, alice.data_to_send(), MIN_BUFFER_LENGTH)
    assert bob._buffer == b""
    assert len(bob.get_buffer()) == MIN_BUFFER_LENGTH


def test_small_records_come_together_and_large_ones_as_they_lie() -> None:
    alice, bob = opened()
    for _ in range(3):
        alice.ping()
    alice.send(bytes(2 * MAX_CONTENT_LENGTH))
    waiting = pieces(alice)
    assert [type(piece) for piece in waiting] == [bytes, memoryview]
    assert bob.receive_data(b"".join(waiting)) == [MessageReceived(bytes(2 * MAX_CONTENT_LENGTH))]
    alice.ping()
    alice.send(bytes(5 * MAX_CONTENT_LENGTH))
    waiting = pieces(alice)
    assert [type(piece) for piece in waiting] == [bytes, memoryview, memoryview]
    assert bob.receive_data(b"".join(waiting)) == [MessageReceived(bytes(5 * MAX_CONTENT_LENGTH))]


@pytest.mark.parametrize("left", [*range(-2, 3), 40_000])
def test_a_small_record_behind_a_full_block_is_in_its_place(left: int) -> None:
    """``left`` -- bytes of the block that the small record leaves free, or lacks."""
    alice, bob = opened()
    messages = [bytes(MAX_CONTENT_LENGTH - 4)] * 3
    free = BLOCK_LENGTH - FIRST_RECORD - 3 * (2 + MAX_RECORD_LENGTH)
    messages += [bytes(free - left - 2 * OVERHEAD - 900), b"small" * 180, b"large" * 9_000]
    for text in messages:
        alice.send(text)
        alice.ping()
    # What the pings took is in neither of the two.
    waiting = pieces(alice)
    assert sum(isinstance(piece, memoryview) for piece in waiting) == 2
    events = put_into_buffer(bob, b"".join(waiting), MAX_BUFFER_LENGTH)
    assert events == [*map(MessageReceived, messages)]
    assert pieces(alice) == []


def test_a_session_that_has_sent_nothing_yet_sends_a_large_message_first() -> None:
    alice, bob = Session.initiator(ALICE), Session.responder(BOB)
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    bob.receive_data(alice.data_to_send())
    bob.send(bytes(MAX_CONTENT_LENGTH))
    assert alice.receive_data(b"".join(pieces(bob))) == [MessageReceived(bytes(MAX_CONTENT_LENGTH))]


def test_the_memory_of_large_messages_is_gone_with_the_next_small_one() -> None:
    alice, _ = opened()
    alice.send(bytes(MAX_CONTENT_LENGTH))
    assert len(pieces(alice)) == 1
    outbox = alice._layer._outbox  # type: ignore[union-attr]
    assert outbox._block is not None
    alice.send(b"small")
    assert alice.data_to_send()
    assert outbox._block is None


def test_a_ping_is_answered_by_a_piece() -> None:
    alice, bob = opened()
    alice.ping()
    bob.receive_data(alice.data_to_send())
    [answer] = pieces(bob)
    alice.receive_data(answer)
    assert pieces(bob) == []


def test_a_buffer_of_which_nothing_is_filled_tells_nothing_and_of_a_dead_session_is_gone() -> None:
    _, bob = opened()
    assert len(bob.get_buffer()) == MIN_BUFFER_LENGTH
    assert bob.buffer_updated(0) == []
    bob.get_buffer(MAX_BUFFER_LENGTH)[:4] = b"\x00\x13\x00\x00"
    with pytest.raises(DecryptionError):
        bob.buffer_updated(MAX_BUFFER_LENGTH)
    assert bob._buffer == b""


@pytest.mark.parametrize("hint", [-1, 0, 1, MIN_BUFFER_LENGTH + 1, 2**62])
def test_a_hint_makes_the_buffer_as_large_as_it_may_be(hint: int) -> None:
    _, bob = opened()
    wanted = min(max(hint, MIN_BUFFER_LENGTH), MAX_BUFFER_LENGTH)
    assert len(bob.get_buffer(hint)) == wanted


@pytest.mark.parametrize("length", [-1, 1, MIN_BUFFER_LENGTH])
def test_no_more_is_taken_from_a_buffer_than_was_lent(length: int) -> None:
    alice, bob = opened()
    with pytest.raises(UsageError, match="get_buffer"):
        bob.buffer_updated(length)
    bob.get_buffer()
    with pytest.raises(UsageError, match="get_buffer"):
        bob.buffer_updated(-1 if length < 0 else MIN_BUFFER_LENGTH + 1)
    alice.send(b"still there")
    events = put_into_buffer(bob, alice.data_to_send(), MIN_BUFFER_LENGTH)
    assert events == [MessageReceived(b"still there")]
