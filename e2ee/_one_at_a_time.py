"""One call at a time: what is in the middle of one call refuses every other."""

from __future__ import annotations

from e2ee.errors import UsageError


class OneAtATime:
    """A context that only one call is in, of all threads and of all that it calls itself.

    Two calls at once would seal two records under one nonce.
    """

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns = [None]
        """One, which who is inside has taken. A list, since its pop and append are atomic."""

    def __enter__(self) -> None:
        """Raises UsageError for the second."""
        try:
            self._turns.pop()
        except IndexError:
            raise UsageError(
                "the session is in the middle of another call: of a callback's caller, or of "
                "another thread"
            ) from None

    def __exit__(self, *_: object) -> None:
        self._turns.append(None)
