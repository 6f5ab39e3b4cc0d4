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
        self._block: bytearray | None = None
        self._end = FIRST_RECORD
        """Of the records in the block that wait behind the pieces; there are some if it is above
        FIRST_RECORD."""

    def add(self, record: bytes) -> None:
        """Put a small record last."""
        if self._end > FIRST_RECORD:
            # Or every large one between two small ones would have a block for itself.
            end = self._end + len(record)
            if end <= BLOCK_LENGTH:
                assert self._block is not None
                self._block[self._end : end] = record
                self._end = end
                return
            self._pieces.append(self._filled())
        self._pieces.append(record)

    def room(self, length: int) -> memoryview:
        """Memory of this length, at most a record's, in which the next record can be made."""
        if self._end + length > BLOCK_LENGTH:
            self._pieces.append(self._filled())
        if self._end == FIRST_RECORD:
            self._block = self._empty_block()
        assert self._block is not None
        return memoryview(self._block)[self._end : self._end + length]

    def fill(self, length: int) -> None:
        """Put last what has been made in ``room``."""
        self._end += length

    def _filled(self) -> memoryview:
        assert self._block is not None
        filled = memoryview(self._block)[FIRST_RECORD : self._end]
        self._end = FIRST_RECORD
        return filled

    def _empty_block(self) -> bytearray:
        block = self._block
        if block is not None:
            try:
                block.append(block.pop())  # Refused while there is a view of it.
            except BufferError:
                pass
            else:
                return block
        return bytearray(BLOCK_LENGTH)

    def take(self) -> bytes:
        """All of it."""
        pieces = self._pieces
        if self._end > FIRST_RECORD:
            pieces.append(self._filled())
        else:
            self._block = None  # There may be small ones only for a long time.
        data = b"".join(pieces)
        pieces.clear()
        return data

    def take_piece(self) -> bytes | memoryview:
        """As much as comes first without a copy of anything large; b"" where nothing is left."""
        pieces = self._pieces
        if not pieces:
            return self._filled() if self._end > FIRST_RECORD else b""
        small = 0
        while small < len(pieces) and type(pieces[small]) is bytes:
            small += 1
        if small == 0:
            return pieces.pop(0)
        piece = b"".join(pieces[:small])
        del pieces[:small]
        return piece
