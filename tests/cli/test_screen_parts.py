"""What the chat screens are made of: rows, commands, attention."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ee_cli import output
from e2ee_cli.attention import IDLE, Attention
from e2ee_cli.clean import columns_of
from e2ee_cli.commands import Command, CommandHelp, NoSuchCommand, as_text, parse
from e2ee_cli.rows import COLOURS, colour, fit, rows
from e2ee_cli.screen import Line

NOON = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))
COMMANDS = (CommandHelp("help", "", "What there is"), CommandHelp("file", "PATH", "Send a file"))


def shown(body: str, columns: int = 40, **fields: str) -> list[str]:
    line = Line(**{"kind": "theirs", "speaker": "bob", "body": body, "at": NOON, **fields})
    return list(rows(line, columns, coloured=False))


def test_a_line_has_its_time_its_speaker_and_the_mark() -> None:
    assert shown("hi") == ["12:00 bob: hi"]
    assert shown("hi", mark="not verified") == ["12:00 bob (not verified): hi"]
    assert shown("bob has left", kind="note", speaker="") == ["12:00 — bob has left"]


def test_a_body_of_several_lines_stays_under_its_head() -> None:
    assert shown("a\n\tb\n") == ["12:00 bob: a", " " * 14 + "b", " " * 10]


def test_a_note_keeps_what_it_indents_indented() -> None:
    assert shown("bob\n  one two three four", columns=24, kind="note", speaker="") == [
        "12:00 — bob",
        *("        one two three", "        four"),
    ]


def test_at_a_terminal_no_safety_word_is_broken_and_no_command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "_columns", lambda _: 40)
    command = "  e2ee connect [2001:db8::1234:5678:9abc:def0]:40000"
    words = "Your safety words: shelf fleshiness observer mural saddlebag voicemail dawn jigsaw"
    output.Output(as_json=False).status("listening", f"{command}\n{words}")
    first, *others = capfd.readouterr().err.splitlines()
    assert first == command
    assert others == [
        *("Your safety words: shelf fleshiness", "    observer mural saddlebag voicemail"),
        "    dawn jigsaw",
    ]


@given(st.text(), st.integers(12, 100))
def test_no_row_is_wider_than_the_terminal_and_none_but_the_first_begins_at_its_edge(
    body: str, columns: int
) -> None:
    first, *others = shown(body, columns)
    assert first.startswith("12:00 bob:"[: columns - 1])
    for row in others:
        assert row.startswith("  ")
    for row in (first, *others):
        assert columns_of(row) < columns
        assert not set(row) & set("\x1b\x07\r\n\x9b\u202e")


def test_right_to_left_text_is_isolated_in_each_row() -> None:
    word = "\u05e9\u05dc\u05d5\u05dd"
    first, second = shown(f"{word} 1\n{word} 2")
    assert first == f"12:00 bob: \u2068{word} 1\u2069"
    assert second == f"{' ' * 10}\u2068{word} 2\u2069"
    assert shown("hi", speaker=word) == [f"12:00 \u2068{word}\u2069: hi"]
    assert "\u2068" not in shown("left to right, é and 日本")[0]


def test_a_name_has_one_colour_which_can_be_read_on_black_and_on_white() -> None:
    assert colour("bob") == colour("bob")
    assert {colour(f"name {number}") for number in range(100)} == set(COLOURS)
    steps = (0, 95, 135, 175, 215, 255)
    for number in COLOURS:
        place = number - 16
        parts = [steps[place // 36], steps[place // 6 % 6], steps[place % 6]]
        red, green, blue = (
            part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
            for part in parts
        )
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        # Contrast as in the Web Content Accessibility Guidelines.
        assert (luminance + 0.05) / 0.05 >= 4
        assert 1.05 / (luminance + 0.05) >= 4


@given(st.text(), st.integers(2, 30))
def test_what_fits_no_row_is_cut(text: str, columns: int) -> None:
    cut = fit(text, columns)
    assert columns_of(cut) <= columns
    assert not any(unicodedata.category(character) == "Cc" for character in cut)


def test_commands() -> None:
    assert parse("/help", COMMANDS) == Command("help", "")
    assert parse("/file  a b ", COMMANDS) == Command("file", "a b")
    assert parse(" /help", COMMANDS) == " /help"
    assert parse("//help", COMMANDS) == "/help"
    assert COMMANDS[1].usage == "/file PATH"


@pytest.mark.parametrize("text", ["/", "/hel", "/etc/passwd", "/HELP", "/help\n/file x"])
def test_what_is_none_of_the_commands_is_not_said(text: str) -> None:
    with pytest.raises(NoSuchCommand):
        parse(text, COMMANDS)


@given(st.text(alphabet="/ab \n"))
def test_every_text_can_be_said(text: str) -> None:
    assert parse(as_text(text), COMMANDS) == text


def test_without_a_word_of_the_terminal_a_minute_without_keys_is_absence() -> None:
    attention = Attention(0)
    assert not attention.is_first_unseen(IDLE - 1)
    assert attention.is_first_unseen(IDLE)
    assert not attention.is_first_unseen(IDLE + 1)
    attention.key(100)
    assert not attention.is_first_unseen(100)
    assert attention.is_first_unseen(100 + IDLE)


def test_what_the_terminal_tells_of_its_focus_counts_for_more() -> None:
    attention = Attention(0)
    attention.focus(gained=False)
    assert attention.is_first_unseen(1)
    attention.focus(gained=True)
    assert not attention.is_first_unseen(10 * IDLE)
    attention.focus(gained=False)
    assert attention.is_first_unseen(10 * IDLE)
    attention.key(10 * IDLE)  # Somebody is there all the same.
    assert not attention.is_first_unseen(10 * IDLE)
