"""QR codes in the terminal: what is shown is the code, module for module."""

from __future__ import annotations

import pytest
import segno

from e2ee_cli.qr import QUIET_ZONE, qr

TEXTS = ["A", "E2EE:INVITE1" + "Q" * 150, "SAFETY1" + "P" * 109, "e2ee:invite1" + "z" * 300]
LIGHT = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


@pytest.mark.parametrize("text", TEXTS)
def test_the_characters_are_the_modules(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = qr(text, 200)
    assert shown is not None
    rows: list[list[int]] = []
    for line in shown.split("\n"):
        halves = [LIGHT[character] for character in line]
        rows += [[top for top, _ in halves], [bottom for _, bottom in halves]]
    matrix = [list(row) for row in segno.make(text, error="l", micro=False).matrix]
    size = len(matrix)
    inside = [
        [1 - cell for cell in row[QUIET_ZONE : QUIET_ZONE + size]]
        for row in rows[QUIET_ZONE : QUIET_ZONE + size]
    ]
    assert inside == matrix
    whole = rows[: size + 2 * QUIET_ZONE]
    border = whole[:QUIET_ZONE] + whole[-QUIET_ZONE:]
    border += [row[:QUIET_ZONE] + row[-QUIET_ZONE:] for row in whole]
    assert all(cell == 1 for row in border for cell in row)


def test_one_that_does_not_fit_is_not_shown() -> None:
    size = len(segno.make(TEXTS[1], error="l", micro=False).matrix) + 2 * QUIET_ZONE
    assert qr(TEXTS[1], size) is not None
    assert qr(TEXTS[1], size - 1) is None


def test_colours_are_set_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = qr("A", 200)
    assert shown is not None
    for line in shown.split("\n"):
        assert line.startswith("\x1b[97;40m")
        assert line.endswith("\x1b[0m")


def test_an_empty_no_color_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b" in str(qr("A", 200))
