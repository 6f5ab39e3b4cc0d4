"""Names of people on the screen: one's own for them always wins, theirs is shown as a claim.

What looks alike is found by Unicode's data (UTS #39), from ``confusable_homoglyphs``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from e2ee.contacts import Contact

from .clean import clean

MAX_SHOWN = 32
"""Characters of a claimed name that are shown: it stands before each line of a chat."""

MAX_MARKS = 2
"""Combining marks on one letter; more would reach into other lines."""

SHORT_ID = 16
"""Characters of an id that tell two people with one name apart: 11 of them are the key's."""

OWN_WORDS = ("you", "me", "e2ee", "error", "system", "verified", "new", "peer", "note")
"""What the program says of itself; nobody may pose as it."""

_BRACKETS = frozenset({"Ps", "Pe", "Pi", "Pf"})
"""Categories of brackets and quotes in any script, full-width ones too."""

_CLOSING = frozenset(
    "\"'<>`\u00b4\uff02\uff07\uff1c\uff1e\uff40\u02b9\u02ba\u02bc\u02dd\u02ee\u2032\u2033\u2034"
    "\u05f4\u275b\u275c\u275d\u275e\u275f\u2760\U0001f676\U0001f677\U0001f678"
)
"""More that looks as if it ended the program's own words around a claim."""

_JOINER = "\u200d"


def claimed(text: str) -> str:
    """A name that a peer claims, fit to be shown: cleaned, short, possibly empty."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    # Several in a row would look like one double quote.
    text = re.sub("'+", "'", "".join(map(_unquoted, text)))
    # A mark without a letter would go onto the program's own quote.
    shown, room = "", 0
    # Again, as a mark may follow the last letter of an escape now.
    for character in unicodedata.normalize("NFC", clean(text)):
        is_mark = unicodedata.category(character) in {"Mn", "Me"}
        if not is_mark:
            room = 0 if character == " " else MAX_MARKS
        if (not is_mark or room > 0) and len(shown) < MAX_SHOWN:
            shown += character
        if is_mark:
            room -= 1
    # Such a mark may have stood between two blanks.
    shown = " ".join(filter(None, shown.split(" "))).strip(" " + _JOINER)
    # A selector may have lost the keycap that it was for.
    return shown if clean(shown) == shown else shown[:-1]


def _unquoted(character: str) -> str:
    closes = character in _CLOSING or unicodedata.category(character) in _BRACKETS
    return "'" if closes else character


def label(contact: Contact, others: Iterable[Contact]) -> str:
    """Whom the user talks to: the alias, and what they call themselves where that is another.

    A claim that looks like somebody else's name, or like the program, comes with the id.
    """
    claim = claimed(contact.claimed_name)
    if not claim or skeleton(claim) == skeleton(contact.name):
        return contact.name
    warning = ""
    taken = {skeleton(word): "" for word in OWN_WORDS}
    for other in others:
        for name in filter(None, (other.name, claimed(other.claimed_name))):
            taken[skeleton(name)] = f", not your contact {other.name}"
    if skeleton(claim) in taken:
        warning = f", {contact.id[:SHORT_ID]}…{taken[skeleton(claim)]}"
    return f'{contact.name} (calls themself "{claim}"{warning})'


def skeleton(name: str) -> str:
    """Equal for names that look alike: letters of any script by their looks, without case,
    accents, blanks and dashes."""
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    looks = "".join(map(_look, decomposed)).casefold()
    return "".join(character for character in looks if character.isalnum()) or name


@cache
def _look(character: str) -> str:
    """What Unicode takes for the typical form of this look."""
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415 -- large

    def alike(text: str) -> list[str]:
        return [entry["c"] for entry in confusables_data.get(text, [])]

    # The data lists each typical form with all that look like it, and each of those with it.
    for _ in range(3):
        typical = max([character, *alike(character)], key=lambda text: len(alike(text)))
        if typical == character:
            break
        character = typical
    return character
