"""A program that floods a listener: ``flood.py PORT HOW MANY AT_ONCE HOSTS``.

HOW is one of ``silent``, ``garbage``, ``partial`` (a part of a first message), ``closes`` (at
once), ``unfinished`` (a whole first message, and then nothing) and ``mixed``. So many of the MANY
connections are held AT_ONCE, the oldest of them closed first, from HOSTS addresses 127.0.1.N in
turn. It says ``holding`` when all have been made, with the seconds that they took, and holds the
last of them until its input ends.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import resource
import socket
import sys
import time

from e2ee import Identity, Session

HERE = "127.0.0.1"
CONNECTING = 64
"""Connections that are being made at a time."""

FIRST_MESSAGE = Session.initiator(Identity.generate()).data_to_send()
SAID = {
    "silent": b"",
    "garbage": bytes(range(255, 0, -1)) * 8,
    "partial": FIRST_MESSAGE[:700],
    "closes": b"",
    "unfinished": FIRST_MESSAGE,
}


class Flood:
    def __init__(self, port: int, how: str, at_once: int, hosts: int) -> None:
        self._port = port
        self._ways = itertools.cycle(SAID if how == "mixed" else [how])
        self._at_once = at_once
        self._hosts = itertools.cycle(f"127.0.1.{number}" for number in range(1, hosts + 1))
        self._held: collections.deque[socket.socket] = collections.deque()

    async def make(self, many: int) -> None:
        left = iter(range(many))
        await asyncio.gather(*(self._connect_for_each(left) for _ in range(CONNECTING)))

    async def _connect_for_each(self, left: collections.abc.Iterator[int]) -> None:
        loop = asyncio.get_running_loop()
        for _ in left:
            connection, way = socket.socket(), next(self._ways)
            connection.setblocking(False)
            connection.bind((next(self._hosts), 0))
            # Who is dropped already is not told so, but tries again with the next.
            with contextlib.suppress(OSError):
                await loop.sock_connect(connection, (HERE, self._port))
                await loop.sock_sendall(connection, SAID[way])
            if way == "closes":
                connection.close()
                continue
            self._held.append(connection)
            if len(self._held) > self._at_once:
                self._held.popleft().close()


def main(port: str, how: str, many: str, at_once: str, hosts: str) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    flood = Flood(int(port), how, int(at_once), int(hosts))
    began = time.monotonic()
    asyncio.run(flood.make(int(many)))
    print("holding", time.monotonic() - began, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
