"""No text from a peer has an effect on a terminal but to be shown."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from e2ee_cli.clean import clean


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
    ["plain", "Grüße", "日本語", "עברית", "👩\u200d👩\u200d👧 🏳️\u200d🌈 ❤️", "e\u0301", "a\\nb"],
)
def test_what_people_write_stays(text: str) -> None:
    assert clean(text) == text


def test_a_joiner_outside_of_an_emoji_is_shown() -> None:
    assert clean("a\u200db") == "a\\u200db"


@pytest.mark.parametrize("blank", ["\u3164", "\u2800", "\u115f", "\uffa0"])
def test_letters_that_look_like_nothing_are_shown(blank: str) -> None:
    assert clean(blank).startswith("\\u")
