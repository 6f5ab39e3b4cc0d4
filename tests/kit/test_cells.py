"""Each cell of SPEC.md's tables of a chat and of transfers has a case, on the side that it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.specification import rows, table

from .case import FOLDER

OWN = {
    "resume": ("resume",),
    "resume, too high": ("resume_of_the_number_that_comes_next", "resume_of_the_highest_number"),
    "receipt, new": ("receipt", "receipt_of_all"),
    "receipt, any other": ("receipt_of_what_was_confirmed_before", "receipt_of_what_was_not_sent"),
}
PEERS = {
    "stream": ("stream",),
    "text, any other": ("text_6", "text_of_the_highest_number"),
    "name": ("name",),
    "kind that is not known": ("kind_not_known", "kind_not_known_and_not_json"),
    "leave": ("leave", "leave_replaced"),
    "hello": ("hello",),
    "end": ("end",),
    "written": ("written",),
    "no message of section 11.1": ("empty", "data_of_a_pipe", "text_without_body"),
}
NAMED = {
    ("receipt, new", "AGAIN"): ("receipts_that_cross",),
    ("text, the next", "NONE"): ("text_1_none",),
    ("text, the next", "FIRST"): ("text_5_first",),
    ("text, the next", "SECOND"): ("text_1_second",),
    ("text, the next", "LEFT"): ("text_5_left",),
}
"""Cells whose message is not one for every state."""


def _missing(kind: str, names: tuple[str, ...], *, refused: bool) -> list[str]:
    paths = [f"{kind}/{name}.txt" if refused else f"valid/{kind}_{name}.txt" for name in names]
    return [path for path in paths if not (FOLDER / path).exists()]


@pytest.mark.parametrize(("corner", "stems"), [("own texts", OWN), ("peer's texts", PEERS)])
def test_each_cell_of_a_chat_has_its_case(
    corner: str, stems: dict[str, tuple[str, ...]], figure: Callable[[str], None]
) -> None:
    missing, cells = [], table(corner)
    for (message, state), cell in cells.items():
        usual = tuple(f"{stem}_{state.lower()}" for stem in stems.get(message, ()))
        names = NAMED.get((message, state)) or usual
        assert names, message
        missing += _missing("chat", names, refused=cell.is_empty)
    assert missing == []
    figure(f"kit, cells of the table of {corner}: {len(cells)} of {len(cells)}")


def test_each_cell_of_transfers_has_its_case(figure: Callable[[str], None]) -> None:
    (_, _, *states), *body = rows("message")
    missing, count = [], 0
    for message, part, *cells in body:
        kind = message.strip("` ¹")
        what, side = part.split(", ")
        done = "sent" if side == "sender" else "received"
        for state, cell in zip(states, cells, strict=True):
            if what == "folder" and state == "ACCEPTED":
                assert not cell  # A folder is never there.
                continue
            name = f"{kind}_{done}_{what}_{state.lower()}"
            missing += _missing("transfer", (name,), refused=not cell)
            count += 1
    assert missing == []
    figure(f"kit, cells of the table of transfers: {count} of {count}")
