"""Whatever is changed on the way, the receiver notices, and delivers nothing that is wrong.

A session is recorded for each direction (recorded_session.py), and every change of each kind is
tried (tampering.py). Where each is refused stands in a table, golden/tampering.txt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from e2ee import HYBRID_AESGCM, HYBRID_CHACHAPOLY
from tests.session.recorded_session import KEYS, SIDES, THE_END, Outcome, Recording, recorded
from tests.session.tampering import (
    AT_ONCE,
    BYTE_CHANGES,
    CUT,
    PIECE_CHANGES,
    Counts,
    another_value,
    as_lines,
    golden,
    heading,
    section,
    with_bytes_changed,
)

Figure = Callable[[str], None]

ROWS = dict(zip(PIECE_CHANGES, (22, 20, 21, 21), strict=True)) | {CUT: 23}
"""What each kind of change is evidence for; all others are for row 19."""


@pytest.fixture(autouse=True)
def _fixed_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    KEYS.put_in_place(monkeypatch)


@pytest.fixture(params=SIDES)
def recording(request: pytest.FixtureRequest, _fixed_keys: None) -> Recording:
    return recorded(HYBRID_AESGCM, request.param)


def assert_refused(counts: Counts) -> str:
    """All of them were; says where."""
    assert not [outcome for outcome in counts if not outcome.refused_in]
    where = Counter({THE_END: 0, AT_ONCE: 0})
    for outcome, count in counts.items():
        where[outcome.refused_in] += count
    later = counts.total() - where[AT_ONCE] - where[THE_END]
    return (
        f"{counts.total()} of {counts.total()} refused: {where[AT_ONCE]} at once, "
        f"{later} in a later piece, {where[THE_END]} at the end of the stream"
    )


def test_the_recorded_bytes_unchanged_are_read_as_they_were_from_any_piece_on(
    recording: Recording,
) -> None:
    for number in range(len(recording.pieces)):
        events = len(recording.events) - recording.places[number].events
        assert recording.receive(number, recording.rest(number)) == Outcome("", "", events)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("a bit flipped", marks=[pytest.mark.attack(19), pytest.mark.slow]),
        *(
            pytest.param(kind, marks=pytest.mark.attack(ROWS.get(kind, 19)))
            for kind in (*BYTE_CHANGES, CUT, *PIECE_CHANGES)
            if kind != "a bit flipped"
        ),
    ],
)
def test_every_change_is_refused_where_the_table_says(
    recording: Recording, kind: str, figure: Figure
) -> None:
    rows = section(recording, kind)
    told = assert_refused(sum((row.counts for row in rows), Counter()))
    what = kind if kind not in PIECE_CHANGES else f"a piece {kind}"
    figure(f"tampering with what the {recording.sender} sends: {what}: {told}")
    assert as_lines(rows) == golden()[heading(recording.sender, kind)]
    if kind == "a bit flipped":
        # All that a changed value can do to keep a receiver waiting.
        waiting = {row.field for row in rows if any(o.refused_in == THE_END for o in row.counts)}
        assert waiting == {"length"}


PARTS = 16


@pytest.mark.attack(19)
@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_other_value_of_every_byte_is_refused(
    recording: Recording, part: int, figure: Figure
) -> None:
    counts: Counts = Counter()
    for number, piece in enumerate(recording.pieces):
        places = range(len(piece.data))[part::PARTS]
        counts += with_bytes_changed(recording, number, places, another_value)
    told = assert_refused(counts)
    figure(
        f"tampering with what the {recording.sender} sends: every other value of every byte, "
        f"part {part + 1} of {PARTS}: {told}"
    )


def one_bit_flipped(data: bytes, at: int) -> Iterator[bytes]:
    yield data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]


@pytest.mark.attack(19)
@pytest.mark.parametrize("sender", SIDES)
def test_bytes_of_the_other_cipher_are_protected_too(sender: str, figure: Figure) -> None:
    recording = recorded(HYBRID_CHACHAPOLY, sender)
    counts: Counts = Counter()
    for number, piece in enumerate(recording.pieces):
        counts += with_bytes_changed(recording, number, range(len(piece.data)), one_bit_flipped)
    told = assert_refused(counts)
    figure(f"tampering under ChaCha20-Poly1305: a bit of each byte that the {sender} sends: {told}")
