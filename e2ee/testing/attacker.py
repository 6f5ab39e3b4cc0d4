"""Whoever is between the two ends: they see every piece on its way, and may change it.

What that gains them, and what not: SPEC.md section 1.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from e2ee.errors import UsageError


class Side(Enum):
    """Who sends: the ``INITIATOR``, who opens the session, or the ``RESPONDER``."""

    INITIATOR = "initiator"
    RESPONDER = "responder"

    @property
    def other(self) -> Side:
        """Who receives it."""
        return Side.RESPONDER if self is Side.INITIATOR else Side.INITIATOR


@dataclass(frozen=True, slots=True)
class Piece:
    """What ``side`` sends at once: a message of the opening, then each record.

    ``number`` counts the pieces of this side, from 0; ``data`` has one byte or more. Under a
    channel a piece is what one ``send`` of its stream was given, which may be several records.
    """

    side: Side
    number: int
    data: bytes


CUT = b""
"""In a piece's place: the stream ends here, in both directions, and what is sent later is lost."""

Attacker = Callable[[Piece], Iterable[bytes]]
"""Is given each piece once, as it is sent, and gives what travels on in its place."""


def forward(piece: Piece) -> list[bytes]:
    """The attacker who only looks: all bytes travel on."""
    return [piece.data]


# An attacker who does what is planned.

Action = Callable[[Piece, Sequence[Piece]], Iterable[bytes]]
"""What becomes of a piece. The second argument has all that were sent until now, this one last."""


def drop(_piece: Piece, _seen: Sequence[Piece]) -> list[bytes]:
    """Not a byte of it arrives."""
    return []


def duplicate(piece: Piece, _seen: Sequence[Piece]) -> list[bytes]:
    """The same bytes arrive twice."""
    return [piece.data, piece.data]


def cut(_piece: Piece, _seen: Sequence[Piece]) -> list[bytes]:
    """The stream ends before the first byte of this piece."""
    return [CUT]


def flip(bit: int) -> Action:
    """Change one bit: 0 is the lowest of the first byte, -1 the highest of the last one.

    When the attack takes place and the piece is shorter, UsageError is raised there.
    """

    def flipped(piece: Piece, _seen: Sequence[Piece]) -> list[bytes]:
        size = 8 * len(piece.data)
        if not -size <= bit < size:
            raise UsageError(f"a piece of {size} bits has no bit {bit}")
        return [_with_bit_flipped(piece.data, bit)]

    return flipped


def insert(data: bytes, at: int) -> Action:
    """Put bytes of the attacker's before byte ``at`` of the piece."""

    def inserted(piece: Piece, _seen: Sequence[Piece]) -> list[bytes]:
        return [piece.data[:at] + data + piece.data[at:]]

    return inserted


def replay(side: Side, number: int) -> Action:
    """Let the piece pass, and then one that was sent before: of this side, or of the other.

    When the attack takes place and there is no such piece yet, UsageError is raised there.
    """

    def replayed(piece: Piece, seen: Sequence[Piece]) -> list[bytes]:
        for earlier in seen:
            if (earlier.side, earlier.number) == (side, number):
                return [piece.data, earlier.data]
        raise UsageError(f"piece {number} of the {side.value} has not been sent yet")

    return replayed


def splice(data: bytes) -> Action:
    """Put other bytes in the piece's place, such as a piece of another session."""

    def spliced(_piece: Piece, _seen: Sequence[Piece]) -> list[bytes]:
        return [data]

    return spliced


class Script:
    """An attacker who forwards every piece, but for those that they were told of.

    ``seen`` has all pieces as they were sent; ``waiting`` the places whose pieces have not come:
    look at it at the end of a test, or an attack that never took place looks like one that failed.
    """

    def __init__(self) -> None:
        self.seen: list[Piece] = []
        self.waiting: dict[tuple[Side, int], Action] = {}

    def at(self, side: Side, number: int, action: Action) -> Self:
        """Do this to that piece. Returns the script, for the next one.

        Raises UsageError for what can never take place, and where something is planned already.
        """
        if not isinstance(side, Side) or type(number) is not int or number < 0:
            raise UsageError("a piece is that of a Side, with a number from 0")
        if not callable(action):
            raise UsageError("an action is a function of a piece, and of those before it")
        if (side, number) in self.waiting:
            raise UsageError(f"something is planned for piece {number} of the {side.value} already")
        self.waiting[side, number] = action
        return self

    def __call__(self, piece: Piece) -> Iterable[bytes]:
        self.seen.append(piece)
        action = self.waiting.pop((piece.side, piece.number), None)
        return forward(piece) if action is None else action(piece, self.seen)


# An attacker by chance.


class Faults:
    """A bad wire: what it does to the pieces of a side follows from the ``seed``, and nothing else.

    ``drop``, ``duplicate``, ``reorder`` (behind the next piece of its side; lost if there is
    none), ``corrupt`` (one bit) and ``cut`` are how likely each is for a piece, 0 to 1. ``done``
    tells what was done to which. Raises UsageError for what is not so likely.
    """

    def __init__(
        self,
        seed: int,
        *,
        drop: float = 0,
        duplicate: float = 0,
        reorder: float = 0,
        corrupt: float = 0,
        cut: float = 0,
    ) -> None:
        self.done: list[tuple[str, Piece]] = []
        self._chances = {
            "drop": drop,
            "duplicate": duplicate,
            "reorder": reorder,
            "corrupt": corrupt,
            "cut": cut,
        }
        for name, likely in self._chances.items():
            if not isinstance(likely, int | float) or not 0 <= likely <= 1:
                raise UsageError(f"how likely {name} is, is a number from 0 to 1")
        # One for each side: which of them speaks first is not for the seed to say.
        self._chance = {side: random.Random(f"{seed} {side.value}") for side in Side}
        self._held: dict[Side, list[bytes]] = {side: [] for side in Side}

    def __call__(self, piece: Piece) -> list[bytes]:
        held, self._held[piece.side] = self._held[piece.side], []
        chance = self._chance[piece.side]
        fault = next((name for name, of in self._chances.items() if chance.random() < of), None)
        if fault is not None:
            self.done.append((fault, piece))
        match fault:
            case "drop":
                return held
            case "duplicate":
                return [piece.data, piece.data, *held]
            case "reorder":
                self._held[piece.side] = [piece.data]
                return held
            case "corrupt":
                at = chance.randrange(8 * len(piece.data))
                return [_with_bit_flipped(piece.data, at), *held]
            case "cut":
                return [CUT]
        return [piece.data, *held]


def _with_bit_flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
