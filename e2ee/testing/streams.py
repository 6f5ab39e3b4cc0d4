"""Two connected streams in memory with an attacker between them, and channels on them.

What a session needs of a stream: SPEC.md section 1.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from e2ee.session import Session
from e2ee.testing.attacker import Attacker, Side, forward
from e2ee.testing.pair import new_sessions
from e2ee.testing.wires import new_wires
from e2ee.transport.channel import Channel, Timeouts
from e2ee.transport.memory import MemoryStream, Wire

_CAPACITY = 64 * 1024
"""Bytes on the way above which a sender waits: no test should depend on there being more room."""

_LONGEST_DELAY = 8
"""Turns of the loop that bytes are late, below this many."""


class _LateStream(MemoryStream):
    """What it receives comes in chunks of any size, and some turns of the loop late, by a seed."""

    def __init__(
        self, incoming: Wire, outgoing: Wire, changed: asyncio.Condition, chance: random.Random
    ) -> None:
        super().__init__(incoming, outgoing, changed, capacity=_CAPACITY, chunk_size=self._any_size)
        self._chance = chance

    async def receive(self) -> bytes:
        for _ in range(self._chance.randrange(_LONGEST_DELAY)):
            await asyncio.sleep(0)
        return await super().receive()

    def _any_size(self) -> int:
        return self._chance.choice([1, self._chance.randint(1, 1000), _CAPACITY])


def new_streams(
    *, attacker: Attacker = forward, seed: int | None = None
) -> tuple[MemoryStream, MemoryStream]:
    """The initiator's end and the responder's; ``break_off`` of either is a reset.

    ``attacker`` -- who sees and changes what each ``send`` is given. ``seed`` -- cuts what arrives
    into chunks, and lets it come late, in a way that follows from this number. Without it,
    everything arrives as soon as it can.
    """
    there, back = new_wires(attacker)
    changed = asyncio.Condition()
    ends = (Side.INITIATOR, back, there), (Side.RESPONDER, there, back)
    if seed is None:
        first, second = (
            MemoryStream(
                incoming, outgoing, changed, capacity=_CAPACITY, chunk_size=lambda: _CAPACITY
            )
            for _, incoming, outgoing in ends
        )
        return first, second
    first, second = (
        _LateStream(incoming, outgoing, changed, random.Random(f"{seed} {side.value}"))
        for side, incoming, outgoing in ends
    )
    return first, second


@asynccontextmanager
async def open_channels(
    sessions: tuple[Session, Session] | None = None,
    *,
    attacker: Attacker = forward,
    seed: int | None = None,
    timeouts: Timeouts = Timeouts(),
) -> AsyncIterator[tuple[Channel, Channel]]:
    """Both ends of a channel in memory, after their handshake; dropped when the block ends.

    ``sessions`` -- those of two new identities, if none are given. The others are as for
    ``new_streams`` and ``Channel.open``. Raises the initiator's error if the handshake fails, or
    the responder's if there is none.
    """
    streams = new_streams(attacker=attacker, seed=seed)
    opening = [
        asyncio.create_task(Channel.open(stream, session, timeouts=timeouts))
        for stream, session in zip(streams, sessions or new_sessions(), strict=True)
    ]
    try:
        await asyncio.wait(opening)
        yield opening[0].result(), opening[1].result()
    finally:
        for task in opening:
            task.cancel()
        await asyncio.wait(opening)
        for task in opening:
            if not task.cancelled() and task.exception() is None:
                await task.result().abort()
