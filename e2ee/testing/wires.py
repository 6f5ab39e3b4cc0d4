"""The two directions of a connection in memory, with an attacker at them."""

from __future__ import annotations

from collections.abc import Iterable

from e2ee.errors import UsageError
from e2ee.testing.attacker import CUT, Attacker, Piece, Side
from e2ee.transport.memory import Wire


class AttackedWire(Wire):
    """What ``side`` sends. Each ``write`` is a piece, and what the attacker makes of it arrives."""

    opposite: AttackedWire

    def __init__(self, side: Side, attacker: Attacker) -> None:
        super().__init__()
        self._side = side
        self._attacker = attacker
        self._count = 0

    def write(self, data: bytes) -> None:
        if self.ended:
            return
        piece = Piece(self._side, self._count, bytes(data))
        self._count += 1
        parts: object = self._attacker(piece)
        if not isinstance(parts, Iterable):
            raise UsageError(f"an attacker gives a list of bytes, not {type(parts).__name__}")
        for part in parts:
            if not isinstance(part, bytes | bytearray):
                raise UsageError(f"an attacker gives a list of bytes, not of {type(part).__name__}")
            if part == CUT:
                self.ended = self.opposite.ended = True
                return
            super().write(bytes(part))


def new_wires(attacker: Attacker) -> tuple[AttackedWire, AttackedWire]:
    """From the initiator to the responder, and back."""
    there, back = (AttackedWire(side, attacker) for side in Side)
    there.opposite, back.opposite = back, there
    return there, back
