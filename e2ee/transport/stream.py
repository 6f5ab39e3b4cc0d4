"""The one protocol that any byte stream meets to carry a session. SPEC.md section 1."""

from __future__ import annotations

from typing import Protocol


class Stream(Protocol):
    """A reliable, ordered, two-way stream of bytes. It moves bytes and knows nothing of them.

    Any object with these methods is one; docs/writing-a-transport.md says what they promise.
    """

    async def receive(self) -> bytes:
        """The next bytes, at least one; b"" when the other end has finished, again and again.

        Raises TransportError where the stream broke.
        """

    async def send(self, data: bytes) -> None:
        """Take all these bytes; return when there is room for more (back-pressure).

        Never called twice at once. Raises TransportError where the stream broke.
        """

    async def close(self) -> None:
        """Release everything, without waiting for the other end. Raises nothing."""
