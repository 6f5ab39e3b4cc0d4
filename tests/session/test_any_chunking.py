"""In whatever chunks a stream comes, it tells the same and is answered with the same bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

import pytest

from e2ee import HYBRID_AESGCM, HYBRID_CHACHAPOLY, Event, Suite
from tests.session.recorded_session import KEYS, SIDES, Recording, recorded

Figure = Callable[[str], None]


@pytest.fixture(autouse=True)
def _fixed_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    KEYS.put_in_place(monkeypatch)


def read(recording: Recording, first: int, chunks: Iterable[bytes]) -> tuple[list[Event], bytes]:
    """What these chunks tell a receiver, from this piece on, and all that it sends."""
    receiver = recording.receiver_before(first)
    events = [event for chunk in chunks for event in receiver.receive_data(chunk)]
    return events, receiver.data_to_send()


@pytest.mark.attack(27)
@pytest.mark.parametrize("suite", [HYBRID_AESGCM, HYBRID_CHACHAPOLY], ids=lambda suite: suite.name)
@pytest.mark.parametrize("sender", SIDES)
def test_byte_by_byte_is_read_as_all_at_once(suite: Suite, sender: str, figure: Figure) -> None:
    recording = recorded(suite, sender)
    expected = read(recording, 0, [recording.stream])
    assert expected[0] == recording.events
    assert read(recording, 0, (bytes([byte]) for byte in recording.stream)) == expected
    figure(f"any chunking: {len(recording.stream):,} bytes of the {sender} one by one")


@pytest.mark.attack(27)
@pytest.mark.parametrize("sender", SIDES)
def test_every_split_in_two_is_read_as_all_at_once(sender: str, figure: Figure) -> None:
    recording = recorded(HYBRID_AESGCM, sender)
    splits = 0
    for number, piece in enumerate(recording.pieces):
        # What comes after the next piece meets the same receiver as without the split.
        stream = b"".join(some.data for some in recording.pieces[number : number + 2])
        expected = read(recording, number, [stream])
        for at in range(len(piece.data)):
            assert read(recording, number, [stream[:at], stream[at:]]) == expected
            splits += 1
    figure(f"any chunking: {splits:,} of {splits:,} splits in two of what the {sender} sends")


def split(stream: bytes, source: random.Random) -> Iterator[bytes]:
    longest = source.choice([10, 100, 1000])
    while stream:
        size = source.randint(0, longest)
        yield stream[:size]
        stream = stream[size:]


@pytest.mark.attack(27)
@pytest.mark.parametrize("sender", SIDES)
def test_random_splits_are_read_as_all_at_once(sender: str, figure: Figure) -> None:
    recording = recorded(HYBRID_AESGCM, sender)
    expected = read(recording, 0, [recording.stream])
    source = random.Random(27)
    for _ in range(500):
        assert read(recording, 0, split(recording.stream, source)) == expected
    figure(f"any chunking: 500 of 500 random splits of what the {sender} sends")
