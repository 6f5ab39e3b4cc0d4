"""Reading a fuzzer's bytes as what to do: whatever they are, they mean something."""

from __future__ import annotations

import random


class Script:
    """``rest`` -- what was not read yet. Where nothing is left, everything is 0 or empty."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, size: int) -> bytes:
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def number(self, size: int = 1) -> int:
        """Of so many bytes."""
        return int.from_bytes(self.take(size))

    def text(self, size: int) -> bytes:
        """Bytes whose length stands before them, in ``size`` bytes."""
        return self.take(self.number(size))


def cut(data: bytes, seed: int) -> list[bytes]:
    """The same bytes in chunks, some of them of one byte and some of none."""
    source = random.Random(seed)
    chunks = []
    while data:
        size = source.choice((0, 1, 1, 2, 7, 18, 64, 1000))
        chunks.append(data[:size])
        data = data[size:]
    return chunks
