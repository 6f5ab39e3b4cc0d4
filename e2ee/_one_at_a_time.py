"""One call at a time: what is in the middle of one call refuses every other."""

from __future__ import annotations

from e2ee.errors import UsageError


class OneAtATime(list[None]):
    """A context that only one call is in, of all threads and of all that it calls itself.

    Two calls at once would seal two records under one nonce. It has one item, which who is inside
    has taken: a list, since its ``pop`` and ``append`` are atomic. Calls that must cost little
    use these two themselves.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__((None,))

    def __enter__(self) -> None:
        """Raises UsageError for the second."""
        try:
            self.pop()
        except IndexError:
            raise busy() from None

    def __exit__(self, *_: object) -> None:
        self.append(None)


def busy() -> UsageError:
    """What the second call is told."""
    return UsageError(
        "the session is in the middle of another call: of a callback's caller, or of another thread"
    )
