"""Showing and finding a service on the local network: mDNS (RFC 6762), DNS-SD (RFC 6763).

What answers is not believed: it is an address to try, and the handshake finds out who is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2ee.limits import MAX_HOST_LENGTH, MAX_PORT

from .addresses import ip_literal

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf

QUERY, RESPONSE, A, PTR, TXT, AAAA, SRV, IN = 0, 0x8400, 1, 12, 16, 28, 33, 1
"""RFC 1035, RFC 3596 and RFC 2782."""

FIRST_PAUSE = 0.25
"""Seconds until a question is asked again, and twice as long each time after."""

POLL = 0.05

ECHO_TIME = 1.0
"""Seconds in which what one has sent oneself is there, if it comes at all."""

MAX_ANSWERS = 16
"""Answers that are taken to one question: machines, or addresses of one."""


MAX_LABEL = 63
"""Bytes of each part of a name (RFC 1035, section 2.3.4). What came as no UTF-8 is longer here than
it was, and cannot be asked for.
"""


class NoDiscovery(Exception):
    """This machine cannot do it: no network, or no multicast."""


class NameTaken(NoDiscovery):
    """Another machine on this network has the instance."""


@dataclass(frozen=True, slots=True)
class Found:
    """A machine that says it has the service: its addresses, and the port."""

    addresses: tuple[str, ...]
    port: int


@contextlib.asynccontextmanager
async def local_network(interfaces: list[str] | None) -> AsyncIterator[AsyncZeroconf]:
    """``interfaces`` -- addresses of those to use; all that lead to the network if there are
    none. Raises NoDiscovery.
    """
    from zeroconf import Error, InterfaceChoice  # noqa: PLC0415 -- other commands start quicker so
    from zeroconf.asyncio import AsyncZeroconf  # noqa: PLC0415

    try:
        network = AsyncZeroconf(interfaces=interfaces or InterfaceChoice.Default)
    except (OSError, RuntimeError) as error:
        raise NoDiscovery(getattr(error, "strerror", None) or str(error)) from None
    try:
        try:
            await network.zeroconf.async_wait_for_start()  # What is sent before goes nowhere.
        except Error as error:
            raise NoDiscovery(str(error)) from None
        yield network
    finally:
        await asyncio.shield(network.async_close())


@contextlib.asynccontextmanager
async def shown(
    service: str,
    instance: str,
    port: int,
    addresses: Iterable[str],
    *,
    text: dict[str, bytes] | None = None,
    interfaces: list[str] | None = None,
) -> AsyncIterator[None]:
    """Answer for ``instance`` of a service until the end of the ``with``, under a host name drawn
    for the occasion. ``text`` -- the pairs of its TXT record. ``interfaces`` -- as for
    ``local_network``. Raises NoDiscovery, NameTaken.
    """
    from zeroconf import Error, NonUniqueNameException, ServiceInfo  # noqa: PLC0415

    literals = [address for address in addresses if ip_literal(address) is not None]
    if not literals:
        raise NoDiscovery("no address to tell")
    info = ServiceInfo(
        service,
        f"{instance}.{service}",
        port=port,
        properties=text or {},
        server=f"{secrets.token_hex(8)}.local.",
        parsed_addresses=literals,
    )
    async with local_network(interfaces) as network:
        try:
            await (await network.async_register_service(info))
        except NonUniqueNameException:
            raise NameTaken(f"another machine has {instance}") from None
        except (OSError, Error) as error:
            raise NoDiscovery(str(error)) from None
        yield


class Question:
    """Something to ask the network for again and again, at growing intervals."""

    def __init__(self, network: AsyncZeroconf) -> None:
        self._network = network
        self._again_at = asyncio.get_running_loop().time()
        self._pause = FIRST_PAUSE

    def ask_if_due(self, *questions: tuple[str, int]) -> None:
        """``questions`` -- names, and the type of record that is wanted of each."""
        now = asyncio.get_running_loop().time()
        if now >= self._again_at:
            self._again_at, self._pause = now + self._pause, 2 * self._pause
            self.ask(*questions)

    def ask(self, *questions: tuple[str, int]) -> None:
        from zeroconf import DNSOutgoing, DNSQuestion  # type: ignore[attr-defined]  # noqa: PLC0415

        query = DNSOutgoing(QUERY)
        for name, kind in questions:
            if _can_be_asked(name):
                query.add_question(DNSQuestion(name, kind, IN))
        self._network.zeroconf.async_send(query)


def _can_be_asked(name: str) -> bool:
    # One that cannot would spoil the others in its packet. For zeroconf the last dot counts.
    packed = name.encode()
    return len(packed) <= MAX_HOST_LENGTH and all(
        0 < len(part) <= MAX_LABEL for part in packed.removesuffix(b".").split(b".")
    )


def questions_about(network: AsyncZeroconf, name: str) -> list[tuple[str, int]]:
    """What to ask for a service instance: where it is, and the addresses of who answered."""
    questions = [(name, SRV)]
    for service in network.zeroconf.cache.entries_with_name(name)[:MAX_ANSWERS]:
        if server := getattr(service, "server", ""):
            questions += [(server, A), (server, AAAA)]
    return questions


def machines(network: AsyncZeroconf, name: str) -> list[Found]:
    """Who has answered for a service instance so far."""
    cache = network.zeroconf.cache
    found = []
    for service in cache.entries_with_name(name)[:MAX_ANSWERS]:
        port, server = getattr(service, "port", 0), getattr(service, "server", "")
        addresses = [
            usable(getattr(record, "address", b""))
            for record in cache.entries_with_name(server)[:MAX_ANSWERS]
        ]
        known = tuple(dict.fromkeys(filter(None, addresses)))
        if known and 0 < port <= MAX_PORT:
            found.append(Found(known, port))
    return found


def usable(packed: bytes) -> str | None:
    """The address as text, if one can connect to it."""
    try:
        address = ipaddress.ip_address(packed)
    except ValueError:
        return None
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return None
    return str(address)


async def comes_back(network: AsyncZeroconf, *, seconds: float = ECHO_TIME) -> bool:
    """Whether what this machine tells the network reaches itself: an empty record of a random
    name, which everybody forgets after a second.
    """
    from zeroconf import DNSOutgoing, DNSText  # type: ignore[attr-defined]  # noqa: PLC0415

    name = f"{secrets.token_hex(8)}.local."
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await network.zeroconf.async_wait_for_start()
    answer = DNSOutgoing(RESPONSE)
    answer.add_answer_at_time(DNSText(name, TXT, IN, 1, b"\0"), 0)
    network.zeroconf.async_send(answer)
    while loop.time() < end:
        if network.zeroconf.cache.entries_with_name(name):
            return True
        await asyncio.sleep(POLL)
    return False
