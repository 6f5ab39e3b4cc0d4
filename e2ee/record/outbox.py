"""What has been sealed and waits to be sent; large records are sealed where they wait."""

from __future__ import annotations

BLOCK_LENGTH = 256 * 1024
"""Bytes of a block: three records of the greatest length, or more shorter ones."""

FIRST_RECORD = 103
"""Where in a block the first record begins. A copy to a place that lies 1 to 31 bytes further into
its page of memory than the source into its own takes ten times as long on some processors, and
what programs send lies near a page's beginning."""


class Outbox:
    """Records in order, each in one piece with its neighbours where that saves a copy.

    Large ones are in a block of memory, which is used again once it has been sent and nobody has
    a view of it: new memory is slow.
    """

    __slots__ = ("_block", "_end", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes | memoryview] = []
        """If the last is a view, it is of ``_block``, from the first record to ``_end``."""
        self._block: bytearray | None = None
        self._end = FIRST_RECORD

    def add(self, record: bytes) -> None:
        """Put a small record last."""
        pieces = self._pieces
        if not pieces:
            self._block = None  # There may be small ones only for a long time.
        elif type(pieces[-1]) is memoryview and self._end + len(record) <= BLOCK_LENGTH:
            # Or every large one between two small ones would have a block for itself.
            self.room(len(record))[:] = record
            self.fill(len(record))
            return
        pieces.append(record)

    def room(self, length: int) -> memoryview:
        """Memory of this length, at most a record's, in which the next record can be made."""
        pieces = self._pieces
        if not (pieces and type(pieces[-1]) is memoryview and self._end + length <= BLOCK_LENGTH):
            self._begin_block()
        return memoryview(self._block)[self._end : self._end + length]  # type: ignore[arg-type]

    def fill(self, length: int) -> None:
        """Put last what has been made in ``room``."""
        if self._end > FIRST_RECORD:
            self._pieces.pop()
        self._end += length
        self._pieces.append(memoryview(self._block)[FIRST_RECORD : self._end])  # type: ignore[arg-type]

    def _begin_block(self) -> None:
        self._end = FIRST_RECORD
        if self._block is not None:
            try:
                self._block.pop()  # Refused while there is a view of it.
                self._block.append(0)
            except BufferError:
                self._block = None
        if self._block is None:
            self._block = bytearray(BLOCK_LENGTH)

    def take(self) -> bytes:
        """All of it."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    def take_piece(self) -> bytes | memoryview:
        """As much as comes first without a copy of anything large; b"" where nothing is left."""
        pieces = self._pieces
        small = 0
        while small < len(pieces) and type(pieces[small]) is bytes:
            small += 1
        if small == 0:
            return pieces.pop(0) if pieces else b""
        piece = b"".join(pieces[:small])
        del pieces[:small]
        return piece
