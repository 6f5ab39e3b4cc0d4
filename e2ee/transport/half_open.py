"""Connections of a listener that have not authenticated yet: how many, and who is dropped."""

from __future__ import annotations

import ipaddress
from typing import Protocol

MAX_HANDSHAKES = 256
"""Handshakes under way at a listener: each holds a file descriptor."""

MAX_HANDSHAKES_OF_HOST = 32
"""Handshakes of one host under way. It also bounds what a host can have calculated: of those that
come at once most are dropped before they have cost anything."""


class Droppable(Protocol):
    """A handshake under way: its task, or its connection where that is before its task."""

    def cancel(self) -> object:
        """Drop it."""


class HalfOpen:
    """Handshakes under way, by the host that each came from.

    One more than a host may have drops the oldest of that host; one more than there may be, the
    oldest of the host that has the most. So who floods a listener from a few hosts drops nothing
    but connections of their own.
    """

    def __init__(self) -> None:
        self._by_host: dict[str, dict[Droppable, None]] = {}
        """The oldest first."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, handshake: Droppable, host: str) -> None:
        """Count this one; it cancels another where that is one too many."""
        if len(self._by_host.get(host, ())) >= MAX_HANDSHAKES_OF_HOST:
            self._drop_oldest(host)
        elif self._count >= MAX_HANDSHAKES:
            self._drop_oldest(max(self._by_host, key=lambda each: len(self._by_host[each])))
        self._by_host.setdefault(host, {})[handshake] = None
        self._count += 1

    def _drop_oldest(self, host: str) -> None:
        oldest = next(iter(self._by_host[host]))
        self.discard(oldest, host)
        oldest.cancel()

    def discard(self, handshake: Droppable, host: str) -> None:
        """It has authenticated, or ended."""
        handshakes = self._by_host.get(host, {})
        if handshake in handshakes:
            del handshakes[handshake]
            self._count -= 1
            if not handshakes:
                del self._by_host[host]

    def cancel(self) -> None:
        """Drop them all."""
        for handshakes in self._by_host.values():
            for handshake in handshakes:
                handshake.cancel()


def host_of(address: str) -> str:
    """What counts as one host: an IPv4 address, the /64 of an IPv6 one, which one host may have.

    ``address`` -- of an accepted connection, as the system gives it.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
