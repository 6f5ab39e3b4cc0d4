"""A spoken code on offer: one for all connections of the inviter, and good for one try.

SPEC.md section 4.5.
"""

from __future__ import annotations

from enum import Enum

from e2ee._uncopyable import Uncopyable
from e2ee.invitation import SpokenCode


class OfferState(Enum):
    """What has become of the code."""

    OPEN = "open"
    """Nobody has tried it yet."""
    TAKEN = "taken"
    """Somebody has shown that they know the code."""
    BURNED = "burned"
    """Somebody has tried a wrong one, or could not finish with the right one."""


class CodeOffer(Uncopyable):
    """The inviter's side of a spoken code. Give the same object to every responder session.

    The first who shows that they know the code takes it; the first who does not burns it.
    Either way everybody else is refused from then on.
    """

    __slots__ = ("code", "state")

    def __init__(self, code: SpokenCode) -> None:
        self.code = code
        self.state = OfferState.OPEN

    def __repr__(self) -> str:
        return f"<CodeOffer number {self.code.number}, {self.state.value}>"
