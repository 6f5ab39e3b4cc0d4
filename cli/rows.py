"""A line of a chat as rows of a terminal: cleaned, folded, coloured.

All rows but the first are indented, so that nothing of a peer's begins a row like the program's.
"""

from __future__ import annotations

import os
import time
import unicodedata
import zlib
from collections.abc import Iterator

from .clean import clean, columns_of, fold
from .screen import Line

NEW = "── new ──"
"""Stands before the first line that nobody has seen."""

COLOURS = (28, 31, 98, 130, 163)
"""Of xterm's 256: each can be read on black and on white."""

TAB = "    "
_FSI, _PDI = "\u2068", "\u2069"
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def colours_wanted() -> bool:
    """See https://no-color.org."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in {"dumb", "unknown"}


def rows(line: Line, columns: int, *, coloured: bool) -> Iterator[str]:
    """The rows of a line in a terminal of so many columns, without newlines."""
    first, *others = line.body.split("\n")
    stamp = time.strftime("%H:%M", time.localtime(line.at))
    mark = f" ({line.mark})" if line.mark else ""
    head = f"{stamp} — " if line.kind == "note" else f"{stamp} {line.speaker}{mark}: "
    indent = min(columns_of(head), max(columns // 4, 2))
    margin = " " * indent
    top, *below = fold(head + _clean(first), columns, indent=indent).split("\n")
    if top.startswith(head):
        yield _head(line, stamp, mark, coloured=coloured) + isolated(top.removeprefix(head))
    else:
        yield isolated(top)
    for row in below:
        yield margin + isolated(row.removeprefix(margin))
    for other in others:
        inner = len(other) - len(other.lstrip(" ")) if line.kind == "note" else 0
        deeper = indent + min(inner, columns // 4)
        for row in fold(margin + _clean(other), columns, indent=deeper).split("\n"):
            yield margin + isolated(row.removeprefix(margin))


def _clean(text: str) -> str:
    return TAB.join(map(clean, text.split("\t")))


def _head(line: Line, stamp: str, mark: str, *, coloured: bool) -> str:
    if coloured:
        stamp = f"\x1b[2m{stamp}\x1b[22m"
    if line.kind == "note":
        return f"{stamp} — "
    speaker = isolated(line.speaker)
    if coloured and line.kind == "theirs":
        speaker = f"\x1b[38;5;{colour(line.speaker)}m{speaker}\x1b[39m"
    return f"{stamp} {speaker}{isolated(mark)}: "


def colour(name: str) -> int:
    """The same for a name wherever and whenever it is shown."""
    return COLOURS[zlib.crc32(name.encode()) % len(COLOURS)]


def isolated(text: str) -> str:
    """Text whose right-to-left letters, in a terminal that turns them around, move nothing else."""
    if text.isascii() or not any(
        unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text
    ):
        return text
    return f"{_FSI}{text}{_PDI}"


def fit(text: str, columns: int) -> str:
    """The beginning of a text, clean, in one row."""
    shown = clean(text)
    if columns_of(shown[: columns + 1]) <= columns and len(shown) <= columns:
        return shown
    cut = ""
    for character in shown:
        if columns_of(cut + character) > columns - 1:
            break
        cut += character
    return cut.rstrip("\u200d") + "…"
