"""A channel without a session, and a loop that is run until nothing moves any more."""

from __future__ import annotations

import asyncio

TURNS = 50
"""Of the loop, after which nothing moves: nothing here waits for time or for a thread."""


class MemoryChannel:
    def __init__(self) -> None:
        self.arriving: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent: list[bytes] = []
        self.closed = False

    async def receive(self) -> bytes | None:
        return await self.arriving.get()

    async def send(self, message: bytes) -> None:
        self.sent.append(bytes(message))

    async def close(self) -> None:
        self.closed = True


def settle(loop: asyncio.AbstractEventLoop) -> None:
    """Let everything that can go on do so."""

    async def turns() -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    loop.run_until_complete(turns())
