"""Whether anybody looks: by what the terminal tells of its focus, else by the keys."""

from __future__ import annotations

IDLE = 60.0
"""Seconds without a key after which nobody is taken to look, where the terminal tells nothing."""


class Attention:
    """Times are seconds of any steady clock."""

    def __init__(self, now: float) -> None:
        self._focused: bool | None = None
        self._last_key = now
        self._has_unseen = False

    def key(self, now: float) -> None:
        """Somebody typed."""
        self._last_key = now
        self._has_unseen = False
        if self._focused is False:
            self._focused = None  # It did not tell that the focus came back.

    def focus(self, *, gained: bool) -> None:
        """The terminal tells that it got or lost the focus."""
        self._focused = gained
        if gained:
            self._has_unseen = False

    def is_first_unseen(self, now: float) -> bool:
        """Whether a line that is shown now is the first one that nobody sees."""
        looks = now - self._last_key < IDLE if self._focused is None else self._focused
        if looks or self._has_unseen:
            return False
        self._has_unseen = True
        return True
