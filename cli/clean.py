"""Making text from a peer safe to show: it is data, whatever it looks like."""

from __future__ import annotations

import unicodedata

# Letters and symbols by category, but blank on every screen.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINER = "\u200d"
_EMOJI_CATEGORIES = frozenset({"So", "Sk"})
_VARIATION_SELECTOR = "\ufe0f"


def clean(text: str) -> str:
    """One line with every control, bidirectional and invisible character made visible.

    ESC becomes the four characters ``\\x1b``, a newline ``\\n``. What is left has no effect on
    a terminal but to be shown. Joiners inside emoji stay.
    """
    return "".join(
        _visible(character) if _is_refused(text, at) else character
        for at, character in enumerate(text)
    )


def _is_refused(text: str, at: int) -> bool:
    character = text[at]
    if character.isascii():
        return not character.isprintable()
    if character == _JOINER:
        return not _joins_emoji(text, at)
    return character in _BLANK or unicodedata.category(character) in _REFUSED_CATEGORIES


def _joins_emoji(text: str, at: int) -> bool:
    before = text[:at].rstrip(_VARIATION_SELECTOR)[-1:]
    after = text[at + 1 : at + 2]
    return all(
        neighbour and unicodedata.category(neighbour) in _EMOJI_CATEGORIES
        for neighbour in (before, after)
    )


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
