"""A QR code for the terminal, two modules in each character."""

from __future__ import annotations

import os

QUIET_ZONE = 2
"""Modules around the code. The standard's four are for print; cameras do with two."""

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
"""By whether the upper and the lower module are light."""


def qr(text: str, columns: int) -> str | None:
    """The code as rows of text, light on dark; None where the terminal is too narrow for it.

    Capital letters, digits and some signs take less room.
    """
    import segno  # noqa: PLC0415 -- starting other commands is quicker so

    matrix = segno.make(text, error="l", micro=False).matrix
    size = len(matrix) + 2 * QUIET_ZONE
    if size > columns:
        return None

    def light(row: int, column: int) -> bool:
        row, column = row - QUIET_ZONE, column - QUIET_ZONE
        inside = 0 <= row < len(matrix) and 0 <= column < len(matrix)
        return not (inside and matrix[row][column])

    rows = range(0, size, 2)
    text = "\n".join(
        "".join(
            _HALVES[light(row, column), row + 1 < size and light(row + 1, column)]
            for column in range(size)
        )
        for row in rows
    )
    if os.environ.get("NO_COLOR"):
        return text
    # On a terminal with dark letters on light the same characters would be the negative.
    return "\n".join(f"\x1b[97;40m{line}\x1b[0m" for line in text.split("\n"))
