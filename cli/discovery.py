"""Finding a spoken invitation on the local network by its number. SPEC.md section 7.7.

Only the number is told. A code allows one try, so it matters who answers besides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from .mdns import POLL, Found, NameTaken, Question, local_network, machines, questions_about, shown

SERVICE = "_e2ee-invite._tcp.local."

SEARCH_TIME = 4.0
"""Seconds of a search, after which nobody on this network has the number."""

CHECK_TIME = 1.3
"""Seconds to look for somebody else with the number before taking it: who has answered within the
last second waits until it is over (RFC 6762, section 6)."""

AFTERTIME = 1.3
"""Seconds to go on after the first answer, so that a second one is seen, for the same reason."""


class NumberTaken(Exception):
    """Another machine on this network has an invitation with this number."""


@contextlib.asynccontextmanager
async def advertised(
    number: int, port: int, addresses: list[str], *, interfaces: list[str] | None = None
) -> AsyncIterator[None]:
    """Answer for this number until the end of the ``with``. ``interfaces`` -- as for
    ``local_network``. Raises NumberTaken, NoDiscovery.
    """
    if await find(number, seconds=CHECK_TIME, interfaces=interfaces):
        raise NumberTaken
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(
                shown(SERVICE, str(number), port, addresses, interfaces=interfaces)
            )
        except NameTaken:
            raise NumberTaken from None
        yield


async def find(
    number: int, *, seconds: float = SEARCH_TIME, interfaces: list[str] | None = None
) -> list[Found]:
    """Everybody who answers for this number in this time. Raises NoDiscovery."""
    name = f"{number}.{SERVICE}"
    async with local_network(interfaces) as network:
        question = Question(network)
        found: list[Found] = []
        # Counted, as on a machine that is busy much time may pass in which nobody is heard.
        looks = round(seconds / POLL)
        while looks > 0:
            looks -= 1
            question.ask_if_due(*questions_about(network, name))
            await asyncio.sleep(POLL)
            answers = machines(network, name)
            if answers and not found:
                # Once more: who answers before he is asked must not be the only one.
                question.ask(*questions_about(network, name))
                looks = round(AFTERTIME / POLL)
            found = answers
        return found
