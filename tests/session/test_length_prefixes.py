"""All that the two bytes before a record can say, and all that an opening can begin with."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from e2ee import MessageReceived, Session
from e2ee.errors import DecryptionError, InvalidLength, NotE2EE
from e2ee.limits import MAX_RECORD_LENGTH, MIN_RECORD_LENGTH
from tests.session.long_conversation import ALICE, BOB, opened, refusal
from tests.session.twin import twin

Figure = Callable[[str], None]


@pytest.mark.attack(25)
@pytest.mark.slow
def test_every_other_length_of_a_record_is_refused_at_once_or_when_it_is_whole(
    figure: Figure,
) -> None:
    alice, bob = opened()
    alice.send(b"short")
    record = alice.data_to_send()
    # So much genuine data follows that the longest record has come whole.
    alice.send(bytes(70_000))
    rest = record[2:] + alice.data_to_send()
    at_once = when_whole = 0
    for length in range(2**16):
        receiver = twin(bob)
        prefix = length.to_bytes(2)
        if length < MIN_RECORD_LENGTH:
            assert type(refusal(receiver, prefix)) is InvalidLength
            at_once += 1
            continue
        assert receiver.receive_data(prefix) == []
        if prefix == record[:2]:
            told = [MessageReceived(b"short"), MessageReceived(bytes(70_000))]
            assert receiver.receive_data(rest) == told
            continue
        assert receiver.receive_data(rest[: length - 1]) == []
        error = refusal(receiver, rest[length - 1 : length])
        assert type(error) is DecryptionError
        assert error.events == ()
        when_whole += 1
    assert at_once + when_whole == 2**16 - 1
    figure(
        f"lengths of a record: all 65,535 wrong ones refused, {at_once} of them at the length and "
        f"{when_whole:,} with the last byte that they announce"
    )


@pytest.mark.attack(25)
def test_a_length_takes_no_memory_before_its_bytes_come(figure: Figure) -> None:
    _, bob = opened()
    prefix, part = MAX_RECORD_LENGTH.to_bytes(2), bytes(1000)
    tracemalloc.start()
    bob.receive_data(prefix)
    announced = tracemalloc.get_traced_memory()[1]
    for _ in range(10):
        bob.receive_data(part)
    arrived = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert announced < 4_000
    assert arrived < 30_000
    figure(
        f"lengths of a record: {MAX_RECORD_LENGTH:,} bytes announced take less than 4,000 bytes of "
        "memory, and less than 30,000 when 10,000 have come"
    )


@pytest.mark.attack(25)
@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_all_two_bytes_but_one_pair_are_refused_at_once_by_an_opening(
    role: str, figure: Figure
) -> None:
    """No message of an opening has a length before it; each begins with what it must be."""
    fresh = Session.initiator(ALICE) if role == "initiator" else Session.responder(BOB)
    refused = 0
    for number in range(2**16):
        beginning = number.to_bytes(2)
        if beginning == b"e2":
            assert twin(fresh).receive_data(beginning) == []
            continue
        assert type(refusal(twin(fresh), beginning)) is NotE2EE
        refused += 1
    assert refused == 2**16 - 1
    figure(f"beginnings: {refused:,} of {refused:,} wrong pairs of bytes refused by the {role}")
