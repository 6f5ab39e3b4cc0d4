"""Records that come again, in another order, not at all, or from somewhere else."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import chain, permutations

import pytest

from e2ee import MessageReceived
from e2ee.errors import DecryptionError, Truncated
from tests.session.long_conversation import long_conversation, opened, refusal
from tests.session.twin import twin

Figure = Callable[[str], None]
Splices = Iterator[tuple[int, int, bytes]]
"""Each with the side that speaks, the number of the record that is due, and what comes instead."""


def test_each_record_in_its_place_is_read() -> None:
    talk = long_conversation("one")
    for side in (0, 1):
        for number, record in enumerate(talk.records[side]):
            events = twin(talk.receivers[side][number]).receive_data(record)
            assert events == talk.events[side][number]


@pytest.mark.attack(20)
@pytest.mark.slow
def test_a_record_of_the_last_thousand_replayed_at_any_later_point_is_refused(
    figure: Figure,
) -> None:
    talk = long_conversation("one")
    source = random.Random(20)
    replays = 100_000
    for _ in range(replays):
        side = source.randrange(2)
        later = source.randint(1, len(talk.records[side]))
        replayed = talk.records[side][source.randrange(max(later - 1000, 0), later)]
        error = refusal(twin(talk.receivers[side][later]), replayed)
        assert type(error) is DecryptionError
        assert error.events == ()
    figure(f"replay: {replays:,} of {replays:,} replays of a record at a later point refused")


@pytest.mark.attack(21)
def test_every_permutation_of_six_records_is_read_up_to_the_first_out_of_place(
    figure: Figure,
) -> None:
    alice, bob = opened()
    sent = [b"message %d" % number for number in range(6)]
    records = []
    for message in sent:
        alice.send(message)
        records.append(alice.data_to_send())
    refused = 0
    in_place = tuple(range(6))
    for order in permutations(in_place):
        receiver = twin(bob)
        wire = b"".join(records[number] for number in order)
        if order == in_place:
            assert receiver.receive_data(wire) == [MessageReceived(message) for message in sent]
            continue
        first = next(i for i in in_place if order[i] != i)
        error = refusal(receiver, wire)
        assert type(error) is DecryptionError
        assert error.events == tuple(MessageReceived(message) for message in sent[:first])
        refused += 1
    figure(
        f"reordering: {refused} of {refused} permutations of 6 records refused "
        "at the first that is out of place, and the one in order read"
    )


@pytest.mark.attack(21)
def test_a_hundred_records_shuffled_are_refused_at_the_first_out_of_place(figure: Figure) -> None:
    talk = long_conversation("one")
    records, receivers, events = talk.records[0], talk.receivers[0], talk.events[0]
    # Across a refresh a copy draws other keys, and not even the right order can be read.
    of_one_epoch = [
        start
        for start in range(len(records) - 100)
        if talk.key(0, start + 99)[1] - talk.key(0, start)[1] == 99
    ]
    source = random.Random(21)
    shuffles = 500
    for _ in range(shuffles):
        start = source.choice(of_one_epoch)
        order = list(range(start, start + 100))
        # Whole shuffles nearly all differ in the first record; these go wrong anywhere.
        kept = source.randrange(99)
        rest = order[kept:]
        while rest == order[kept:]:
            source.shuffle(rest)
        order[kept:] = rest
        first = next(i for i in range(100) if order[i] != start + i)
        error = refusal(twin(receivers[start]), b"".join(records[number] for number in order))
        assert type(error) is DecryptionError
        assert error.events == tuple(chain.from_iterable(events[start : start + first]))
    figure(f"reordering: {shuffles:,} of {shuffles:,} shuffles of 100 records refused")


@pytest.mark.attack(22)
def test_each_dropped_record_is_noticed_at_the_next(figure: Figure) -> None:
    talk = long_conversation("one")
    dropped = 0
    for side in (0, 1):
        records = talk.records[side]
        for number in range(len(records)):
            receiver = twin(talk.receivers[side][number])
            if number + 1 < len(records):
                error = refusal(receiver, records[number + 1])
                assert type(error) is DecryptionError
                assert error.events == ()
            else:
                with pytest.raises(Truncated):
                    receiver.receive_eof()
            dropped += 1
    figure(f"dropping: {dropped:,} of {dropped:,} dropped records noticed at what came next")


# Splices: genuine records in the wrong place.


def from_another_session() -> Splices:
    """The very record with the same number, from another session of the same two."""
    talk, other = long_conversation("one"), long_conversation("other")
    for side in (0, 1):
        for number, record in enumerate(other.records[side][: len(talk.records[side])]):
            yield side, number, record


def from_the_other_direction() -> Splices:
    """What the receiver has itself sent, under the same counter."""
    talk = long_conversation("one")
    for side in (0, 1):
        own: dict[int, list[bytes]] = defaultdict(list)
        for number, record in enumerate(talk.records[1 - side]):
            own[talk.key(1 - side, number)[1]].append(record)
        for number in range(len(talk.records[side])):
            for record in own[talk.key(side, number)[1]]:
                yield side, number, record


def from_another_epoch() -> Splices:
    """Under the same counter, before a refresh or after it."""
    talk = long_conversation("one")
    for side in (0, 1):
        same: dict[int, list[int]] = defaultdict(list)
        for number in range(len(talk.records[side])):
            same[talk.key(side, number)[1]].append(number)
        for numbers in same.values():
            for due in numbers:
                for number in numbers:
                    if number != due:
                        yield side, due, talk.records[side][number]


def from_before_or_after_a_key_update() -> Splices:
    """The records that stand nearest, under the key before or the one after."""
    talk = long_conversation("one")
    for side in (0, 1):
        keys = [talk.key(side, number)[0] for number in range(len(talk.records[side]))]
        for due, key in enumerate(keys):
            for number in range(max(due - 60, 0), min(due + 60, len(keys))):
                if keys[number] is not key:
                    yield side, due, talk.records[side][number]


@pytest.mark.attack(24)
@pytest.mark.parametrize(
    "splices",
    [
        from_another_session,
        from_the_other_direction,
        from_another_epoch,
        from_before_or_after_a_key_update,
    ],
)
def test_a_genuine_record_from_elsewhere_is_refused(
    splices: Callable[[], Splices], figure: Figure
) -> None:
    talk = long_conversation("one")
    tried = [*splices()]
    random.Random(24).shuffle(tried)
    del tried[4_000:]
    for side, number, record in tried:
        error = refusal(twin(talk.receivers[side][number]), record)
        assert type(error) is DecryptionError
        assert error.events == ()
    counted = Counter(side for side, _, _ in tried)
    assert min(counted[0], counted[1]) > 500
    what = splices.__name__.replace("_", " ")
    figure(f"splicing: {len(tried):,} of {len(tried):,} records {what} refused")
