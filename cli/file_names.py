"""Names of files from a peer: a suggestion, of which a harmless name for one file is made."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .clean import clean

MAX_BYTES = 200
"""Bytes of UTF-8 in a name here: file systems take 255, and the mark of a part needs room."""

MAX_NUMBERED = 1000
"""Names that are tried for a file, the number in brackets being below this."""

_MAX_SUFFIX = 20

_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)", re.IGNORECASE)
"""What Windows, and so a disk that is carried there, takes for devices."""

_DROPPED = " ."
"""At the end of a name; Windows drops it, and has another name then."""

_JOINER = "\u200d"

_SEPARATORS = re.compile(r"[\\/]")


def safe_name(name: str, *, hidden: bool = False) -> str:
    """One component, never empty, with nothing in it that acts on a terminal or a file system.

    A leading dot, which hides, and a leading dash, which is taken for an option, get a ``_`` before
    them; with ``hidden`` dots stay, as inside of a folder.
    """
    # What cleaning makes visible begins with a backslash.
    name = _shortened(_SEPARATORS.sub("_", clean(name)).lstrip(" ").rstrip(_DROPPED))
    if name.startswith("-" if hidden else (".", "-")) or _DEVICES.match(name):
        name = _shortened("_" + name)
    return name or "_"


def numbered(name: str) -> Iterator[str]:
    """The name, and what it is called where that is taken: ``NAME (1).TXT`` and so on."""
    yield name
    stem, suffix = _split(name)
    for number in range(1, MAX_NUMBERED):
        yield f"{stem} ({number}){suffix}"


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, suffix = _split(name)
    return _cut(stem, MAX_BYTES - len(suffix.encode())) + suffix


def _split(name: str) -> tuple[str, str]:
    """The ending goes by itself, so that a file stays of its kind."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending.encode()) >= _MAX_SUFFIX:
        return name, ""
    return stem, dot + ending


def _cut(text: str, size: int) -> str:
    """Not in the middle of an emoji, and without what may not stand at the end of a name."""
    return text.encode()[:size].decode("utf-8", "ignore").rstrip(_DROPPED + _JOINER)
