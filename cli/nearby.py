"""Who of my contacts is on this network, and being seen there by them. SPEC.md section 7.8.

What is found is an address to try. It proves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING

from e2ee.contacts import Contact
from e2ee.nearby_tag import NONCE_LENGTH, TAG_LENGTH, Acquaintances, Sign, new_sign, period_of

from .mdns import (
    MAX_ANSWERS,
    POLL,
    PTR,
    TXT,
    NoDiscovery,
    Question,
    local_network,
    machines,
    questions_about,
    shown,
)
from .output import Output

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf

SERVICE = "_e2ee._tcp.local."

SEARCH_TIME = 3.0
"""Seconds after which whoever has not answered is not here."""

CLOCK_CHECK = 15.0
"""Seconds after which the clock is looked at again: a machine that slept is in another period."""

MAX_MACHINES = 64
"""Machines on one network whose signs are looked at."""

MAX_PLACES = 8
"""Addresses of one contact that are worth trying: signs can be repeated by anybody."""

MAX_TEXT = 255
"""Bytes of a TXT record that is looked at; ours has 38."""


@contextlib.asynccontextmanager
async def visible(
    identity_key: bytes,
    port: int,
    addresses: Callable[[], list[str]],
    output: Output,
    *,
    interfaces: list[str] | None = None,
) -> AsyncIterator[None]:
    """Show this identity's sign until the end of the ``with``, a new one in each period.

    ``addresses`` -- this machine's, asked anew each time. Where the network does not allow it, it
    is said, and tried again: nothing here is worth the end of a ``listen``.
    """
    showing = asyncio.create_task(_show(identity_key, port, addresses, output, interfaces))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _show(
    identity_key: bytes,
    port: int,
    addresses: Callable[[], list[str]],
    output: Output,
    interfaces: list[str] | None,
) -> None:
    said: bool | None = None
    while True:
        now = time.time()
        sign = new_sign(identity_key, now)
        text = {"n": sign.nonce, "t": sign.tag}
        name = secrets.token_hex(8)
        try:
            async with shown(SERVICE, name, port, addresses(), text=text, interfaces=interfaces):
                if said is not True:
                    output.status("visible", "Contacts on this network can see that you are here.")
                    said = True
                await _end_of_period(period_of(now))
        except NoDiscovery as error:
            if said is not False:
                output.status(
                    "not_visible", f"Contacts cannot see you here: {error}", reason=str(error)
                )
                said = False
            await asyncio.sleep(CLOCK_CHECK)


async def _end_of_period(period: int) -> None:
    while period_of(time.time()) == period:  # noqa: ASYNC110 -- no event tells of the clock
        await asyncio.sleep(CLOCK_CHECK)


async def look(
    contacts: Iterable[Contact],
    *,
    seconds: float = SEARCH_TIME,
    interfaces: list[str] | None = None,
) -> AsyncGenerator[tuple[Contact, tuple[str, int]]]:
    """Each of them who shows up in this time, with an address and a port to try; again with
    another address. Raises NoDiscovery.
    """
    by_key = {contact.identity: contact for contact in contacts}
    acquaintances = Acquaintances(by_key)
    judged: dict[Sign, bytes | None] = {}
    places: dict[bytes, set[tuple[str, int]]] = {}
    loop = asyncio.get_running_loop()
    async with local_network(interfaces) as network:
        end = loop.time() + seconds
        question = Question(network)
        while loop.time() < end:
            question.ask_if_due((SERVICE, PTR), *_missing(network))
            await asyncio.sleep(POLL)
            for name in _instances(network):
                for sign in _signs(network, name):
                    if sign not in judged and len(judged) < MAX_MACHINES:
                        judged[sign] = acquaintances.who(sign, time.time())
                    if (key := judged.get(sign)) is None:
                        continue
                    known = places.setdefault(key, set())
                    for place in _places(network, name):
                        if place not in known and len(known) < MAX_PLACES:
                            known.add(place)
                            yield by_key[key], place


def _instances(network: AsyncZeroconf) -> list[str]:
    """The names of those who have answered."""
    names = [
        getattr(record, "alias", "")
        for record in network.zeroconf.cache.entries_with_name(SERVICE)[:MAX_MACHINES]
    ]
    return [name for name in names if name.lower().endswith(f".{SERVICE}")]


def _missing(network: AsyncZeroconf) -> list[tuple[str, int]]:
    """What to ask for of those who have not told all with their first answer."""
    incomplete = [
        name
        for name in _instances(network)
        if not (_signs(network, name) and machines(network, name))
    ]
    return [
        question
        for name in incomplete[:MAX_ANSWERS]
        for question in ((name, TXT), *questions_about(network, name))
    ]


def _signs(network: AsyncZeroconf, name: str) -> list[Sign]:
    from zeroconf import ServiceInfo  # noqa: PLC0415 -- starting other commands is quicker so

    signs = []
    for record in network.zeroconf.cache.entries_with_name(name)[:MAX_ANSWERS]:
        text = getattr(record, "text", b"")
        if not 0 < len(text) <= MAX_TEXT:
            continue
        pairs = ServiceInfo(SERVICE, SERVICE, properties=text).properties
        nonce, tag = pairs.get(b"n") or b"", pairs.get(b"t") or b""
        if len(nonce) == NONCE_LENGTH and len(tag) == TAG_LENGTH:
            signs.append(Sign(nonce, tag))
    return signs


def _places(network: AsyncZeroconf, name: str) -> list[tuple[str, int]]:
    return [
        (address, machine.port)
        for machine in machines(network, name)
        for address in machine.addresses
    ]
