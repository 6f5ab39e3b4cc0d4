"""Streams in memory: a connected pair, with control over chunking and faults. For tests.

``Wire`` is one direction without any asyncio: property tests move bytes between two sessions
with it by hand. ``pair`` puts two of them under two streams. What a session needs of a stream:
SPEC.md section 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from e2ee.errors import TransportError, UsageError


class Wire:
    """Bytes on their way in one direction.

    ``pending`` is a bytearray that a test may change as it likes: flip, drop, insert, swap.
    ``ended`` says that the sender will send no more, ``abandoned`` that the receiver will take no
    more. ``broken`` makes both ends fail.
    """

    def __init__(self) -> None:
        self.pending = bytearray()
        self.ended = False
        self.abandoned = False
        self.broken = False

    def write(self, data: bytes) -> None:
        """Put any number of bytes on their way."""
        self.pending += data

    def read(self, size: int | None = None) -> bytes:
        """Take at most this many bytes off, or all."""
        taken = bytes(self.pending[:size])
        del self.pending[: len(taken)]
        return taken


class MemoryStream:
    """One end of a pair. ``chunk_size`` tells how many bytes the next ``receive`` may give."""

    def __init__(
        self,
        incoming: Wire,
        outgoing: Wire,
        changed: asyncio.Condition,
        *,
        capacity: int,
        chunk_size: Callable[[], int],
    ) -> None:
        self.incoming = incoming
        self.outgoing = outgoing
        self._changed = changed
        self._capacity = capacity
        self._chunk_size = chunk_size

    async def receive(self) -> bytes:
        """As ``Stream.receive``, of at most ``chunk_size`` bytes. Raises TransportError."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self.incoming.pending or self.incoming.ended or self.incoming.broken
            )
            self._check(self.incoming)
            data = self.incoming.read(max(1, self._chunk_size()))
            self._changed.notify_all()
            return data

    async def send(self, data: bytes) -> None:
        """As ``Stream.send``: waits while ``capacity`` bytes are on their way.

        Raises TransportError.
        """
        async with self._changed:
            self._check(self.outgoing)
            self.outgoing.write(data)
            self._changed.notify_all()
            await self._changed.wait_for(
                lambda: (
                    len(self.outgoing.pending) < self._capacity
                    or self.outgoing.broken
                    or self.outgoing.abandoned
                    or self.outgoing.ended
                )
            )
            self._check(self.outgoing)

    async def close(self) -> None:
        """As ``Stream.close``: the other end reads what is there, and then the end."""
        async with self._changed:
            self.outgoing.ended = True
            self.incoming.abandoned = True
            self._changed.notify_all()

    async def break_off(self) -> None:
        """Cut the connection in both directions, as a reset would."""
        async with self._changed:
            self.incoming.broken = self.outgoing.broken = True
            self._changed.notify_all()

    def _check(self, wire: Wire) -> None:
        if wire.broken:
            raise TransportError("the connection in memory was cut")
        if wire is self.outgoing and wire.abandoned:
            raise TransportError("the other end of the connection in memory is closed")


def pair(
    *,
    capacity: int = 64 * 1024,
    chunk_size: Callable[[], int] = lambda: 64 * 1024,
) -> tuple[MemoryStream, MemoryStream]:
    """Two connected streams. ``capacity`` is in bytes: a sender waits while as many are on the way.

    Raises UsageError for a capacity below 1, with which every sender would wait for ever.
    """
    if type(capacity) is not int or capacity < 1:
        raise UsageError("a stream in memory has a capacity of 1 byte or more")
    there, back, changed = Wire(), Wire(), asyncio.Condition()
    return (
        MemoryStream(back, there, changed, capacity=capacity, chunk_size=chunk_size),
        MemoryStream(there, back, changed, capacity=capacity, chunk_size=chunk_size),
    )
