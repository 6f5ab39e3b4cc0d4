"""The other process of ``e2ee demo``: it listens on loopback and answers what it is told.

It prints its port, serves one caller, and ends with the chat or with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import Callable

from e2ee import Identity, Padding, Session
from e2ee.conversation import CHAT, TextReceived
from e2ee.errors import E2EEError
from e2ee.journal import MemoryJournal
from e2ee.transport import Channel, tcp

from .correspondent import Correspondent
from .lines import stdin_lines
from .purpose import agree

GREETING = "Hello! I am a second process on this machine. Write me something."
ANSWERS = (
    "I can read it: {body}",
    "Only you and I. An eavesdropper sees bytes that look random; e2ee demo --wire shows them.",
    "Every line that I show is confirmed to you, and every key is used in this session only.",
)


async def main() -> None:
    now = time.time()
    identity = Identity.generate(now=now)
    over = asyncio.Event()

    async def answer(channel: Channel) -> None:
        try:
            await _answer(channel)
        finally:
            over.set()

    listener = await tcp.listen(
        lambda: Session.responder(identity, now=time.time(), padding=Padding.CHAT),
        answer,
        host="127.0.0.1",
    )
    sys.stdout.write(f"{listener.port}\n")
    sys.stdout.flush()
    watching = asyncio.create_task(_end_of_input())
    await asyncio.wait(
        {watching, asyncio.create_task(over.wait())}, return_when=asyncio.FIRST_COMPLETED
    )
    await listener.close()


async def _answer(channel: Channel) -> None:
    answers = itertools.cycle(ANSWERS)

    async def show(text: TextReceived, written: Callable[[], None]) -> None:
        written()
        peer.say([next(answers).format(body=text.body)])

    peer = Correspondent(MemoryJournal(), show=show, tell=lambda _: None)
    peer.say([GREETING])
    with contextlib.suppress(E2EEError):
        await agree(channel, [CHAT], initiator=False)
        await peer.converse(channel)


async def _end_of_input() -> None:
    async for _ in stdin_lines():
        pass


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
