"""A row of progress: a pure function of names and numbers."""

from __future__ import annotations

from .clean import clean, columns_of

_BAR = 20
_NAME = 12
"""Columns that a name keeps at least, while other things give way."""


def progress_row(name: str, done: int, size: int, rate: float, columns: int) -> str:
    """One row of at most ``columns``: name, share, bar, rate and time left.

    ``done`` and ``size`` in bytes, ``rate`` in bytes a second; 0 while it is not known. What has
    no room is left out: first the bar, then the rate, the time left, the end of the name.
    """
    share = 1.0 if size == 0 else done / size
    percent = f"{int(share * 100):3d} %"
    filled = int(share * _BAR)
    bar = "[" + "#" * filled + "-" * (_BAR - filled) + "]"
    speed, left = "", ""
    if rate > 0:
        speed, left = human_size(rate) + "/s", _duration((size - done) / rate) + " left"
    name = clean(name)
    for parts in (
        (percent, bar, speed, left),
        (percent, speed, left),
        (percent, left),
        (percent,),
    ):
        rest = "  ".join(("", *filter(None, parts)))
        room = columns - len(rest)
        if room >= min(_NAME, sum(map(columns_of, name))):
            return _fit(name, room) + rest
    return _fit(name + rest, columns)


def human_size(size: float) -> str:
    """``1,023 B``, ``45.2 MB``: with powers of 1,000, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.95:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def _duration(seconds: float) -> str:
    """``0:42``, ``1:02:03``."""
    minutes, rest = divmod(int(min(seconds + 0.5, 359_999)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _fit(text: str, columns: int) -> str:
    if sum(map(columns_of, text)) <= columns:
        return text
    shown, used = "", 0
    for character in text:
        if used + columns_of(character) > columns - 1:
            break
        shown += character
        used += columns_of(character)
    # Not in the middle of an emoji: its joiner would be shown as what it is then.
    return shown.rstrip("\u200d") + "…" if columns > 0 else ""
