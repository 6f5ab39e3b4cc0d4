"""Finding a spoken invitation on the local network by its number: mDNS (RFC 6762), DNS-SD.

Only the number is told, under a host name drawn for the occasion. What answers is not believed:
the handshake finds out who it is, and a code allows one try.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .addresses import ip_literal

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf

SERVICE = "_e2ee-invite._tcp.local."

QUERY, A, AAAA, SRV, IN = 0, 1, 28, 33, 1
"""RFC 1035, RFC 3596 and RFC 2782."""

SEARCH_TIME = 4.0
"""Seconds after which nobody on this network has the number."""

CHECK_TIME = 0.7
"""Seconds to look for somebody else with the number before taking it."""

AFTERTIME = 0.6
"""Seconds to go on after the first answer, so that a second one is seen."""

FIRST_PAUSE = 0.25
"""Seconds until the question is asked again, and twice as long each time after."""

POLL = 0.05

MAX_ANSWERS = 16


class NumberTaken(Exception):
    """Another machine on this network has an invitation with this number."""


class NoDiscovery(Exception):
    """This machine cannot do it: no network, or no multicast."""


@dataclass(frozen=True, slots=True)
class Found:
    """A machine that says it has the invitation: its addresses, and the port."""

    addresses: tuple[str, ...]
    port: int


@contextlib.asynccontextmanager
async def _zeroconf(addresses: list[str] | None) -> AsyncIterator[AsyncZeroconf]:
    from zeroconf import InterfaceChoice  # noqa: PLC0415 -- starting other commands is quicker so
    from zeroconf.asyncio import AsyncZeroconf  # noqa: PLC0415

    try:
        network = AsyncZeroconf(interfaces=addresses or InterfaceChoice.Default)
    except (OSError, RuntimeError) as error:
        raise NoDiscovery(str(error)) from None
    try:
        yield network
    finally:
        await asyncio.shield(network.async_close())


@contextlib.asynccontextmanager
async def advertised(
    number: int, port: int, addresses: list[str], *, interfaces: list[str] | None = None
) -> AsyncIterator[None]:
    """Answer for this number until the end of the ``with``. ``interfaces`` -- addresses of those
    to use; all that lead to the network if none are given. Raises NumberTaken, NoDiscovery.
    """
    from zeroconf import NonUniqueNameException, ServiceInfo  # noqa: PLC0415

    addresses = [address for address in addresses if ip_literal(address) is not None]
    if not addresses:
        raise NoDiscovery("no address to tell")

    if await find(number, seconds=CHECK_TIME, interfaces=interfaces):
        raise NumberTaken
    service = ServiceInfo(
        SERVICE,
        f"{number}.{SERVICE}",
        port=port,
        server=f"{secrets.token_hex(8)}.local.",
        parsed_addresses=addresses,
    )
    async with _zeroconf(interfaces) as network:
        try:
            await (await network.async_register_service(service))
        except NonUniqueNameException:
            raise NumberTaken from None
        except OSError as error:
            raise NoDiscovery(str(error)) from None
        yield


async def find(
    number: int, *, seconds: float = SEARCH_TIME, interfaces: list[str] | None = None
) -> list[Found]:
    """Everybody who answers for this number in this time. Raises NoDiscovery."""
    name = f"{number}.{SERVICE}"
    loop = asyncio.get_running_loop()
    async with _zeroconf(interfaces) as network:
        end = loop.time() + seconds
        ask_at, pause = loop.time(), FIRST_PAUSE
        found: list[Found] = []
        while loop.time() < end:
            if loop.time() >= ask_at:
                _ask(network, name)
                ask_at, pause = loop.time() + pause, 2 * pause
            await asyncio.sleep(POLL)
            answers = _answers(network, name)
            if answers and not found:
                # Once more: who answers before he is asked must not be the only one.
                _ask(network, name)
                end = min(end, loop.time()) + AFTERTIME
            found = answers
        return found


def _ask(network: AsyncZeroconf, name: str) -> None:
    from zeroconf import DNSOutgoing, DNSQuestion  # type: ignore[attr-defined]  # noqa: PLC0415

    query = DNSOutgoing(QUERY)
    query.add_question(DNSQuestion(name, SRV, IN))
    for service in network.zeroconf.cache.entries_with_name(name)[:MAX_ANSWERS]:
        if server := getattr(service, "server", ""):
            query.add_question(DNSQuestion(server, A, IN))
            query.add_question(DNSQuestion(server, AAAA, IN))
    network.zeroconf.async_send(query)


def _answers(network: AsyncZeroconf, name: str) -> list[Found]:
    cache = network.zeroconf.cache
    found = []
    for service in cache.entries_with_name(name)[:MAX_ANSWERS]:
        port, server = getattr(service, "port", 0), getattr(service, "server", "")
        addresses = [
            _usable(getattr(record, "address", b""))
            for record in cache.entries_with_name(server)[:MAX_ANSWERS]
        ]
        usable = tuple(dict.fromkeys(filter(None, addresses)))
        if usable and 0 < port <= 65_535:
            found.append(Found(usable, port))
    return found


def _usable(packed: bytes) -> str | None:
    """The address as text, if one can connect to it."""
    try:
        address = ipaddress.ip_address(packed)
    except ValueError:
        return None
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return None
    return str(address)
