"""Handshakes that are always under way at a listener: ``python -m benchmarks.storm PORT NUMBER``.

It says when the first has been made, and how many a second when its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
import time

from e2ee import Identity, Session
from e2ee.transport import tcp


async def main(port: int, number: int) -> None:
    identity = Identity.generate(now=time.time())
    made = 0

    async def again_and_again() -> None:
        nonlocal made
        while True:
            session = Session.initiator(identity, now=time.time())
            channel = await tcp.connect("127.0.0.1", port, session)
            made += 1
            if made == 1:
                print("begun", flush=True)
            await channel.abort()

    tasks = [asyncio.create_task(again_and_again()) for _ in range(number)]
    began = time.monotonic()
    end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([end, *tasks], return_when=asyncio.FIRST_COMPLETED)
    print(made / (time.monotonic() - began))
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
