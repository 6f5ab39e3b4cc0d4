"""The row of progress: what it says, and that it never leaves its columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ee_cli.clean import clean, columns_of
from e2ee_cli.progress import human_size, progress_row


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (80, "photos.zip   45 %  [#########-----------]  1.2 MB/s  0:46 left"),
        (50, "photos.zip   45 %  1.2 MB/s  0:46 left"),
        (30, "photos.zip   45 %  0:46 left"),
        (20, "photos.zip   45 %"),
        (5, "phot…"),
        (1, "…"),
        (0, ""),
    ],
)
def test_what_has_no_room_is_left_out(columns: int, row: str) -> None:
    shown = progress_row("photos.zip", 45_000_000, 100_000_000, 1.2e6, columns)
    assert shown == row


def test_nothing_is_told_that_is_not_known() -> None:
    assert progress_row("a", 0, 10, 0.0, 80) == "a    0 %  [--------------------]"
    assert progress_row("a", 0, 0, 0.0, 80) == "a  100 %  [####################]"
    assert progress_row("a", 10, 10, 5.0, 80).endswith("0:00 left")
    assert progress_row("a", 0, 2**53, 1.0, 80).endswith("99:59:59 left")


@given(
    name=st.text(max_size=60),
    size=st.integers(0, 2**53 - 1),
    share=st.floats(0, 1),
    rate=st.floats(0, 1e12),
    columns=st.integers(0, 200),
)
def test_a_row_is_one_clean_row(
    name: str, size: int, share: float, rate: float, columns: int
) -> None:
    row = progress_row(name, int(size * share), size, rate, columns)
    assert sum(map(columns_of, row)) <= columns
    assert clean(row) == row


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_999, "1.0 MB"),
        (45_200_000, "45.2 MB"),
        (5 * 2**30, "5.4 GB"),
        (2**53 - 1, "9,007.2 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert human_size(size) == text
