"""The tables of states in SPEC.md, as tests read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SPEC = Path(__file__).parent.parent / "SPEC.md"


@dataclass(frozen=True)
class Cell:
    """What a state makes of an input. An empty one means an error."""

    text: str

    @property
    def is_empty(self) -> bool:
        return not self.text

    @property
    def following(self) -> str | None:
        """The state that it leads to; None where it stays."""
        found = re.search(r"→ ([A-Z]+)", self.text)
        return found and found[1]

    @property
    def events(self) -> list[str]:
        return re.findall(r"event `(\w+)`", self.text)

    @property
    def sent(self) -> list[str]:
        return re.findall(r"send `(\w+)`", self.text)


def rows(corner: str) -> list[list[str]]:
    """The table whose first cell is this, with its head."""
    lines = SPEC.read_text().splitlines()
    (start,) = (at for at, line in enumerate(lines) if line.startswith(f"| {corner} |"))
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return [found[0], *found[2:]]


def table(corner: str) -> dict[tuple[str, str], Cell]:
    """By row and column."""
    (_, *columns), *body = rows(corner)
    assert all(len(cells) == len(columns) for _, *cells in body)
    return {
        (name.replace("`", ""), column): Cell(cell)
        for name, *cells in body
        for column, cell in zip(columns, cells, strict=True)
    }
