"""Every container in a session has a cap, and can be filled to it and no further."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from e2ee import CLASSICAL_AESGCM, Limits, MessageReceived, Session, State, Suite
from e2ee.errors import MessageTooLarge
from e2ee.limits import MAX_CONTENT_LENGTH, MAX_RECORD_LENGTH
from e2ee.suites import SUITES

from .containers import BY_LIMITS, BY_OWN_CALLS, CAPS, assert_within_caps, containers, size
from .people import Acquaintance

Figure = Callable[[str], None]
DEFAULT = Limits()


def opened(suite: Suite = CLASSICAL_AESGCM, limits: Limits = DEFAULT) -> tuple[Session, Session]:
    *_, sides = opening(suite, limits)
    return sides


def opening(suite: Suite, limits: Limits = DEFAULT) -> Iterator[tuple[Session, Session]]:
    """Both sides, before and after each few bytes that either gets."""
    sides = Acquaintance(suite, (limits, limits)).new_sessions()
    yield sides
    while State.HANDSHAKE in {side.state for side in sides}:
        for side in (0, 1):
            for piece in pieces(sides[1 - side].data_to_send()):
                sides[side].receive_data(piece)
                yield sides
    yield sides


def pieces(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 99):
        yield data[at : at + 99]


def held(session: Session, place: tuple[str, str]) -> int:
    return sum(size(value) for found, value in containers(session) if found == place)


@pytest.mark.attack(60)
def test_every_container_of_a_session_has_a_cap_and_every_cap_a_container(figure: Figure) -> None:
    seen: set[tuple[str, str]] = set()
    moments = 0

    def look(*sides: Session) -> None:
        nonlocal moments
        for side in sides:
            assert_within_caps(side, Limits(), 0)
            seen.update(place for place, _ in containers(side))
            moments += 1

    for suite in SUITES.values():
        for sides in opening(suite):
            look(*sides)
        for side in (0, 1):
            sides[side].refresh()
            sides[side].send(bytes(MAX_CONTENT_LENGTH))
            for piece in pieces(sides[side].data_to_send()):
                sides[1 - side].receive_data(piece)
                look(*sides)
            sides[side].receive_data(sides[1 - side].data_to_send())
            sides[1 - side].receive_data(sides[side].data_to_send())
            look(*sides)
    assert seen == {*CAPS, BY_LIMITS, BY_OWN_CALLS}
    figure(f"containers: {len(seen)} in a session, each below its cap in {moments:,} moments")


@pytest.mark.attack(60)
def test_a_record_is_kept_to_its_last_byte_and_gone_with_it(figure: Figure) -> None:
    alice, bob = opened()
    alice.send(bytes(MAX_CONTENT_LENGTH - 4))
    record = alice.data_to_send()
    assert len(record) == 2 + MAX_RECORD_LENGTH
    bob.receive_data(record[:-1])
    place = ("RecordReader", "_partial")
    assert held(bob, place) == CAPS[place]
    assert bob.receive_data(record[-1:]) == [MessageReceived(bytes(MAX_CONTENT_LENGTH - 4))]
    assert held(bob, place) == 0
    figure(f"containers: of a record {CAPS[place]:,} bytes are kept, and none with the next")


@pytest.mark.attack(60)
def test_a_message_is_kept_to_its_last_byte_and_one_above_the_limit_not_at_all(
    figure: Figure,
) -> None:
    limits = Limits(max_message_size=3 * MAX_CONTENT_LENGTH)
    largest = limits.max_message_size
    alice, bob = opened(limits=limits)
    alice.send(bytes(largest))
    alice._layer._queue(memoryview((largest + 1).to_bytes(4)))  # type: ignore[union-attr]
    stream = alice.data_to_send()
    last_record = 2 + 16 + 3 + 4 + 4
    events = bob.receive_data(stream[:-last_record])
    assert events == []
    kept = held(bob, BY_LIMITS)
    assert largest - MAX_CONTENT_LENGTH <= kept < largest
    with pytest.raises(MessageTooLarge) as caught:
        bob.receive_data(stream[-last_record:])
    assert caught.value.events == (MessageReceived(bytes(largest)),)
    figure(f"containers: {kept:,} bytes of a message of {largest:,} are kept; none of one above")


@pytest.mark.attack(60)
def test_what_is_queued_is_sealed_when_it_fills_a_record(figure: Figure) -> None:
    alice, _ = opened()
    place = ("RecordLayer", "_pending")
    alice.send(bytes(CAPS[place] - 4))
    assert held(alice, place) == CAPS[place]
    assert held(alice, BY_OWN_CALLS) == 0
    alice.send(b"")
    assert held(alice, place) == 3
    assert len(alice._layer._outbox.take_piece()) == 2 + MAX_RECORD_LENGTH  # type: ignore[union-attr]
    figure(f"containers: {CAPS[place]:,} bytes wait to be sealed, and one more seals them")


@pytest.mark.attack(60)
def test_no_peer_makes_a_session_queue_more_than_one_answer(figure: Figure) -> None:
    alice, bob = opened()
    for _ in range(1_000):
        alice.ping()
        alice.send(b"")
    alice.refresh()
    alice.ping()
    bob.receive_data(alice.data_to_send())
    assert_within_caps(bob, Limits(), 0)
    queued = held(bob, BY_OWN_CALLS)
    assert len(bob.data_to_send()) < 2 * queued
    figure(f"containers: 1,001 pings and an offer make a session queue {queued} bytes, and a pong")
