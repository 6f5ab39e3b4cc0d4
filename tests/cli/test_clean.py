"""No text from a peer has an effect on a terminal but to be shown."""

from __future__ import annotations

import random
import sys
import unicodedata
from collections.abc import Callable

import pytest
import wcwidth
from hypothesis import example, given
from hypothesis import strategies as st

from e2ee_cli.clean import clean, columns_of, fold
from tests.fuzz.texts import terminal

from .hostile_texts import HOSTILE


@given(st.text(st.characters(exclude_categories=[])))
@example("\x00\x07\x1b\x7f\x80\x9b\x9d\xad")
def test_what_is_left_is_printable_and_stays_as_it_is(text: str) -> None:
    shown = clean(text)
    for character in shown:
        assert unicodedata.category(character) not in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
        assert character not in "\u200b\u200c\u2060\ufeff\u061c"
    assert clean(shown) == shown
    shown.encode()


def test_every_control_character_becomes_an_escape() -> None:
    for number in (*range(0x20), 0x7F, *range(0x80, 0xA0)):
        assert clean(f"a{chr(number)}b")[1] == "\\"
    for character in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(character) == "Cf" and character != "\u200d":
            assert clean(f"a{character}b")[1] == "\\"


@pytest.mark.parametrize(
    "text",
    [
        *("plain", "Grüße", "日本語", "עברית", "e\u0301", "a\\nb"),
        *(
            "👩\u200d👩\u200d👧 🏳️\u200d🌈 ❤️",
            "👩🏽\u200d🚀",
            "1\ufe0f\u20e3 #\ufe0f\u20e3 ‼\ufe0f ↔\ufe0f",
        ),
    ],
)
def test_what_people_write_stays(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize("around", ["a_b", "1_2", "/_+", "¨_¨", "._.", "a_👩", "👩_.", "👩_1"])
def test_a_joiner_outside_of_an_emoji_is_shown(around: str) -> None:
    assert clean(around.replace("_", "\u200d")) == around.replace("_", "\\u200d")


@pytest.mark.parametrize("before", ["", "a", "1", "#", "/", ".", "+", "^", "¨"])
def test_a_style_that_styles_nothing_is_shown(before: str) -> None:
    assert clean(f"{before}\ufe0fx") == f"{before}\\ufe0fx"


@pytest.mark.parametrize("text", ["_\ufe0f", "_\u200d👩", "👩\u200d_", "_\ufe0f\u200d👩"])
def test_a_blank_is_no_emoji_that_could_be_joined_or_styled(text: str) -> None:
    around = [part.encode("unicode_escape").decode() if part != "👩" else part for part in text]
    assert clean(text.replace("_", "\u2800")) == "".join(around).replace("_", "\\u2800")


@pytest.mark.parametrize("blank", ["\u3164", "\u2800", "\u115f", "\uffa0"])
def test_letters_that_look_like_nothing_are_shown(blank: str) -> None:
    assert clean(blank).startswith("\\u")


@pytest.mark.parametrize(
    "selector", [*map(chr, range(0xFE00, 0xFE10)), "\u180b", "\U000e0100", "\U000e01ef"]
)
def test_selectors_that_select_nothing_are_shown(selector: str) -> None:
    assert clean(f"a{selector}") == "a" + selector.encode("unicode_escape").decode()


def test_a_long_line_is_broken_so_that_no_part_of_it_begins_a_row() -> None:
    line = "peer: " + "x" * 200
    rows = fold(line, 80, indent=6).split("\n")
    assert all(len(row) <= 79 for row in rows)
    assert all(row.startswith(" " * 6) for row in rows[1:])
    assert "".join(row[6:] for row in rows) == line[6:]


def test_a_line_is_broken_between_words_where_there_are_some() -> None:
    assert (
        fold("peer: one two three four", 15, indent=6) == "peer: one two\n      three\n      four"
    )


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    assert fold("日" * 20, 21, indent=0) == "日" * 10 + "\n" + "日" * 10
    assert fold("e\u0301" * 20, 21, indent=0) == "e\u0301" * 20


def test_nothing_takes_more_columns_in_a_terminal_than_it_is_counted_for() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(character) in {"Cn", "Co", "Cs"} or columns_of(character) == 2:
            continue  # It is escaped, or no character is wider.
        if clean(character) == character:
            assert columns_of(character) >= wcwidth.wcwidth(character)
        if clean(styled := character + "\ufe0f") == styled:
            assert columns_of(styled) >= wcwidth.wcswidth(styled)


@pytest.mark.attack(88)
@pytest.mark.parametrize("wide", ["❤\ufe0f", "\u4dc0", "🇩🇪", "☰", "日", "👩\u200d🚀"])
def test_wide_characters_do_not_bring_a_peers_words_to_the_beginning_of_a_row(
    wide: str, figure: Callable[[str], None]
) -> None:
    head = "12:00 bob: "
    attempts = 0
    for count in range(90):
        text = head + wide * count + "12:00 alice: it is me"
        for row in fold(text, 80, indent=len(head)).split("\n"):
            assert wcwidth.wcswidth(row) <= 79
        attempts += 1
    figure(f"rows with {wide!a}: 0 of {attempts} lines are broken by the terminal")


@pytest.mark.parametrize("columns", [0, 1, 7])
def test_where_nothing_fits_nothing_is_broken(columns: int) -> None:
    assert fold("peer: hello there", columns, indent=6) == "peer: hello there"


@pytest.mark.attack(85)
@pytest.mark.parametrize(
    "texts",
    [1_000, pytest.param(1_000_000, marks=[pytest.mark.nightly, pytest.mark.timeout(7200)])],
)
def test_hostile_texts_in_any_mixture_do_nothing_to_a_terminal(
    texts: int, figure: Callable[[str], None]
) -> None:
    """Pieces of them, and any other characters, one after the other."""
    source = random.Random(85)
    changed = 0
    for _ in range(texts):
        text = "".join(
            chr(source.randrange(sys.maxunicode + 1)) if source.random() < 0.1 else piece(source)
            for _ in range(source.randint(1, 6))
        )
        changed += clean(text) != text
        terminal(bytes([source.randrange(256)]) + text.encode("utf-8", "surrogatepass"))
    assert changed > texts / 2
    figure(f"a terminal drew {texts:,} mixtures of hostile texts, and did nothing else")


def piece(source: random.Random) -> str:
    text = source.choice(HOSTILE).text
    start = source.randrange(len(text) + 1)
    return text[start : start + source.randint(1, 20)]
