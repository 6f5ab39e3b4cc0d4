"""Making text from a peer safe to show: it is data, whatever it looks like."""

from __future__ import annotations

import unicodedata

from e2ee.invisible import INVISIBLE

_EMOJI_STYLE = "\ufe0f"
_JOINER = "\u200d"
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SYMBOLS = frozenset({"So", "Sm"})
_OTHER_EMOJI = frozenset("\u203c\u2049\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
"""Exclamation marks and skin tones; more that can be a part of an emoji."""

_LATELY_WIDE = frozenset(
    map(
        chr,
        [
            *(*range(0x2630, 0x2638), *range(0x268A, 0x2690), *range(0x4DC0, 0x4E00)),
            *(*range(0x1D300, 0x1D357), *range(0x1D360, 0x1D377)),
            *range(0x1F1E6, 0x1F200),
        ],
    )
)
"""Wide since Unicode 16, which terminals know before Python does; and the letters of flags."""

_KEYS = frozenset("0123456789#*")
_KEYCAP = "\u20e3"


def clean(text: str) -> str:
    """One line with every control, bidirectional and invisible character made visible.

    ESC becomes the four characters ``\\x1b``, a newline ``\\n``. What is left has no effect on
    a terminal but to be shown. Joiners and style selectors inside of emoji stay.
    """
    if text.isascii() and text.isprintable():
        return text  # Most are so, and a flood of them takes a tenth of the time.
    return "".join(
        _visible(character) if _is_refused(text, at) else character
        for at, character in enumerate(text)
    )


def quoted(text: str) -> str:
    """What somebody has typed, or a file says, as an error names it: in quotes, one clean line."""
    return clean(repr(text))


def _is_refused(text: str, at: int) -> bool:
    character = text[at]
    if character.isascii():
        return not character.isprintable()
    if character == _EMOJI_STYLE:
        styled = text[at - 1 : at]
        return not (_is_emoji(styled) or (styled in _KEYS and text[at + 1 : at + 2] == _KEYCAP))
    if character == _JOINER:
        before = at - 1 if text[at - 1 : at] == _EMOJI_STYLE else at
        return not (_is_emoji(text[before - 1 : before]) and _is_emoji(text[at + 1 : at + 2]))
    return character in INVISIBLE or unicodedata.category(character) in _REFUSED_CATEGORIES


def _is_emoji(character: str) -> bool:
    if character == "" or character.isascii() or character in INVISIBLE:
        return False  # One of the symbols is a blank.
    return unicodedata.category(character) in _SYMBOLS or character in _OTHER_EMOJI


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def fold(line: str, columns: int, *, indent: int) -> str:
    """Break a clean line into rows of a terminal, all but the first indented.

    Where the terminal did it, a peer could make its text begin a row, and pose as the program.
    """
    room = columns - indent - 1
    if room < 1 or (len(line) < columns and line.isascii()):
        return line
    rows: list[str] = []
    row, used = "", 0
    for character in line:
        width = _width(character)
        if used + width > (room if rows else columns - 1):
            head, space, word = row.rpartition(" ")
            carried = columns_of(word)
            if not space or carried > room // 2 or carried + width > room:
                head, word, carried = row, "", 0
            rows.append(head)
            row, used = word, carried
        row += character
        used += width
    return ("\n" + " " * indent).join([*rows, row])


def columns_of(text: str) -> int:
    """How many columns clean text takes, or more."""
    return sum(map(_width, text))


def _width(character: str) -> int:
    """Columns, or more: terminals differ in what they join to one."""
    if character == _EMOJI_STYLE:
        return 1  # It makes what it styles wide.
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    is_wide = unicodedata.east_asian_width(character) in "WF" or character in _LATELY_WIDE
    return 2 if is_wide else 1
