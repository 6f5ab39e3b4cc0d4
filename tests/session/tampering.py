"""Every change of a kind to a recorded stream, and the golden table of what becomes of each.

    python -m tests.session.tampering

writes the table anew, in the folder of the project; a change of behaviour is then a diff of
``golden/tampering.txt``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from e2ee import HYBRID_AESGCM
from tests.session.recorded_session import (
    ENCAPSULATIONS,
    KEYS,
    SIDES,
    THE_END,
    Outcome,
    Piece,
    Recording,
    recorded,
)

TABLE = Path(__file__).parent / "golden" / "tampering.txt"
AT_ONCE = "at once"
"""Refused while the first piece is read that differs from what was sent."""

ABOUT = """\
What becomes of a changed stream, where one side sends and the other receives: each line has what is
changed, in how many ways, and how many of these were refused where, with which error. "at once" is
while the first piece is read that differs. Where events are named, so many came after that piece
had begun, and all of them are of what was sent. The pieces, in bytes:"""

Counts = Counter[Outcome]


class Row(NamedTuple):
    field: str
    """"" for a whole piece."""
    piece: str
    counts: Counts


# Changes of bytes.

Change = Callable[[bytes, int], Iterator[bytes]]
"""From the bytes of a piece and a place in it, what it becomes."""


def flipped(data: bytes, at: int) -> Iterator[bytes]:
    for bit in range(8):
        yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def another_value(data: bytes, at: int) -> Iterator[bytes]:
    for difference in range(1, 256):
        yield data[:at] + bytes([data[at] ^ difference]) + data[at + 1 :]


def removed(data: bytes, at: int) -> Iterator[bytes]:
    yield data[:at] + data[at + 1 :]


def doubled(data: bytes, at: int) -> Iterator[bytes]:
    yield data[: at + 1] + data[at:]


def inserted(data: bytes, at: int) -> Iterator[bytes]:
    """One that differs in every bit from the byte that it stands before."""
    yield data[:at] + bytes([data[at] ^ 0xFF]) + data[at:]


BYTE_CHANGES: dict[str, Change] = {
    "a bit flipped": flipped,
    "a byte removed": removed,
    "a byte doubled": doubled,
    "a byte inserted": inserted,
}
CUT = "cut before a byte"


def with_bytes_changed(
    recording: Recording, number: int, places: Iterable[int], change: Change
) -> Counts:
    """Every such change at these places in piece ``number``, with all the others as they were."""
    data = recording.pieces[number].data
    return Counter(
        recording.receive(number, [(AT_ONCE, changed), *recording.rest(number + 1)])
        for at in places
        for changed in change(data, at)
    )


def cut(recording: Recording, number: int, places: Iterable[int]) -> Counts:
    """The end of the stream before each of these bytes."""
    data = recording.pieces[number].data
    return Counter(recording.receive(number, [(AT_ONCE, data[:at])]) for at in places)


# Changes of the order of pieces.

Order = list[Piece]


def left_out(pieces: Order, i: int) -> Iterator[Order]:
    for j in range(i + 1, len(pieces) + 1):
        yield pieces[:i] + pieces[j:]


def repeated(pieces: Order, i: int) -> Iterator[Order]:
    for j in range(len(pieces)):
        yield [*pieces[: j + 1], pieces[i], *pieces[j + 1 :]]


def moved(pieces: Order, i: int) -> Iterator[Order]:
    others = pieces[:i] + pieces[i + 1 :]
    for j in range(len(pieces)):
        if j != i:
            yield [*others[:j], pieces[i], *others[j:]]


def swapped(pieces: Order, i: int) -> Iterator[Order]:
    for j in range(i + 1, len(pieces)):
        yield [*pieces[:i], pieces[j], *pieces[i + 1 : j], pieces[i], *pieces[j + 1 :]]


PIECE_CHANGES: dict[str, Callable[[Order, int], Iterator[Order]]] = {
    "left out, with any number that follow": left_out,
    "repeated after any piece": repeated,
    "moved to any place": moved,
    "swapped with any that follows": swapped,
}


def in_another_order(recording: Recording, order: Order) -> Outcome:
    original = recording.pieces
    same = 0
    while same < min(len(order), len(original)) and order[same] is original[same]:
        same += 1
    chunks = [(piece.name, piece.data) for piece in order[same:]]
    chunks[:1] = [(AT_ONCE, data) for _, data in chunks[:1]]
    return recording.receive(same, chunks)


# The table.

KINDS = (*BYTE_CHANGES, CUT, *PIECE_CHANGES)


def section(recording: Recording, kind: str) -> list[Row]:
    """A part of the table: one sender, one kind of change."""
    pieces = recording.pieces
    if kind in PIECE_CHANGES:
        orders = PIECE_CHANGES[kind]
        return [
            Row(
                "",
                piece.name,
                Counter(in_another_order(recording, order) for order in orders(pieces, number)),
            )
            for number, piece in enumerate(pieces)
        ]
    return [
        Row(
            field.name,
            piece.name,
            cut(recording, number, field.places)
            if kind == CUT
            else with_bytes_changed(recording, number, field.places, BYTE_CHANGES[kind]),
        )
        for number, piece in enumerate(pieces)
        for field in piece.fields
    ]


def as_lines(rows: Sequence[Row]) -> list[str]:
    """First the fields of the handshake, then the lengths of records, then the rest of them.

    Rows of one field that follow each other and have the same outcomes are one line.
    """
    order = {"length": 1, "sealed": 2}
    ordered = sorted(rows, key=lambda row: order.get(row.field, 0))
    lines = []
    for (field, outcomes), group in groupby(ordered, lambda row: (row.field, sorted(row.counts))):
        run = list(group)
        names = run[0].piece if len(run) == 1 else f"{run[0].piece} to {run[-1].piece}"
        counts = sum((row.counts for row in run), Counter())
        told = [
            f"{counts[outcome]} {_where(outcome)}: {outcome.error}"
            + (f" after {outcome.events}" if outcome.events else "")
            for outcome in outcomes
        ]
        name = f"{field} of {names}" if field else names
        if told:
            lines.append(f"{name:38} {counts.total():6}    {'; '.join(told)}")
    return lines


def _where(outcome: Outcome) -> str:
    if outcome.refused_in == AT_ONCE:
        return AT_ONCE
    return f"at {THE_END}" if outcome.refused_in == THE_END else f"in {outcome.refused_in}"


def heading(sender: str, kind: str) -> str:
    return f"From the {sender}: {kind}"


def golden() -> dict[str, list[str]]:
    """The lines of the table, by heading."""
    found = {}
    for part in TABLE.read_text().split("\n\n")[1:]:
        first, *lines = part.strip().split("\n")
        found[first] = lines
    return found


def write() -> None:
    about = ABOUT
    parts = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        KEYS.put_in_place(monkeypatch)
        for sender in SIDES:
            recording = recorded(HYBRID_AESGCM, sender)
            about += f"\n{sender}: " + ", ".join(
                f"{piece.name} {len(piece.data)}" for piece in recording.pieces
            )
            parts += [
                "\n".join([heading(sender, kind), *as_lines(section(recording, kind))])
                for kind in KINDS
            ]
    TABLE.write_text("\n\n".join([about, *parts]) + "\n")
    ENCAPSULATIONS.write_text(json.dumps(KEYS.encapsulations, indent=1) + "\n")


if __name__ == "__main__":
    write()
