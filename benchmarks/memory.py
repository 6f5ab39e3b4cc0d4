"""Bytes of idle sessions, alone and with their connections: ``python -m benchmarks.memory KIND N``.

Of a process of its own, as the system counts it: what is resident in memory. That has all in it,
also what ``cryptography`` and OpenSSL keep; buffers of the system's are not in it. Both ends are in
the process, and each counts.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.sessions import shaking_hands
from e2ee import HYBRID_AESGCM, Identity, Session
from e2ee.transport import Channel, tcp

MOST_TRACED = 2_000
WARM = 100
"""Sessions before the first is counted: what is made once is no session's."""

Make = Callable[[], Awaitable[Any]]


def idle(kind: str, *counts: int) -> dict[str, dict[str, float]]:
    """Bytes of each of so many ``sessions`` or ``connections``, as two see it.

    ``resident`` is what the system counts. ``tracemalloc`` does not see what is allocated outside
    of Python, and slows down: it is told of the first two thousand.
    """
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", kind, *map(str, counts)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, float]] = json.loads(run.stdout)
    return found


async def _sessions() -> Make:
    shake_hands = shaking_hands(HYBRID_AESGCM)

    async def make() -> object:
        return shake_hands()

    return make


async def _connections() -> Make:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    alice, bob = Identity.generate(), Identity.generate()
    accepted: asyncio.Queue[Channel] = asyncio.Queue()

    async def keep(channel: Channel) -> None:
        await accepted.put(channel)
        await asyncio.Event().wait()

    listener = await tcp.listen(lambda: Session.responder(bob), keep, host="127.0.0.1")

    async def make() -> object:
        mine = await tcp.connect("127.0.0.1", listener.port, Session.initiator(alice))
        return mine, await accepted.get(), listener

    return make


def _resident() -> int:
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def main(kind: str, *counts: int) -> None:
    found: dict[str, dict[str, float]] = {str(count): {} for count in counts}
    for name, memory in (("resident", _resident), ("tracemalloc", _traced)):
        make = await {"sessions": _sessions, "connections": _connections}[kind]()
        kept = [await make() for _ in range(WARM // 2)]
        if name == "tracemalloc":
            tracemalloc.start()
        before, made = memory(), 0
        for count in counts:
            if name == "tracemalloc" and count > MOST_TRACED:
                break
            while made < count:
                kept.append(await make())
                made += 2
            found[str(count)][name] = (memory() - before) / made
    print(json.dumps(found), flush=True)
    os._exit(0)  # Nobody waits for thousands of closes.


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
