"""Waiting for one caller: what ``listen`` and ``invite`` have in common."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import deque
from collections.abc import Callable

from e2ee import E2EEError, Session
from e2ee.transport import Channel, tcp

from .addresses import ip_literal, reachable_addresses
from .chat import TIMEOUTS
from .clean import clean
from .encounter import Encounter, meet
from .exits import CliError
from .profile import Profile

REPORTS, REPORT_PERIOD = 8, 10.0
"""Of strangers who were turned away so many are told of in so many seconds; others are counted."""


class Waiting:
    """A listener on a port until the first caller who may come in."""

    def __init__(
        self,
        profile: Profile,
        name_of_new: Callable[[Channel], str],
        *,
        is_end: Callable[[E2EEError], bool] = lambda _: False,
        asked_for: bool = False,
    ) -> None:
        """``name_of_new`` -- the alias of who is met for the first time. ``is_end`` -- whether a
        failure ends the waiting, which then raises it. ``asked_for`` -- as in an Encounter.
        """
        self._profile = profile
        self._name_of_new = name_of_new
        self._is_end = is_end
        self._asked_for = asked_for
        self._arrived: asyncio.Future[Encounter] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._reported: deque[float] = deque(maxlen=REPORTS)
        self._unreported = 0

    async def begin(
        self,
        new_session: Callable[[], Session],
        host: str | None,
        port: int,
        *,
        mute: bool = False,
    ) -> int:
        """Listen; returns the port. Raises what ``tcp.listen`` raises."""
        self._listener = await tcp.listen(
            new_session,
            self._on_channel,
            host=host,
            port=port,
            on_failure=self._turn_away,
            timeouts=TIMEOUTS,
            mute=mute,
        )
        return self._listener.port

    async def first(self) -> Encounter:
        """The first who may come in; nobody else after them."""
        arrived = await self._arrived
        self._listener.stop_accepting()
        return arrived

    async def end(self) -> None:
        self._over.set()
        await self._listener.close()

    async def _on_channel(self, channel: Channel) -> None:
        if self._arrived.done():
            return
        try:
            encounter = meet(
                self._profile,
                channel,
                name=self._name_of_new(channel),
                asked_for=self._asked_for,
            )
        except E2EEError as error:
            self._turn_away(None, error)
            await channel.abort()
        except CliError as error:
            self._arrived.set_exception(error)
        else:
            self._arrived.set_result(encounter)
            await self._over.wait()

    def _turn_away(self, address: str | None, error: E2EEError) -> None:
        if self._is_end(error) and not self._arrived.done():
            self._arrived.set_exception(error)
            return
        now = time.monotonic()
        if len(self._reported) == REPORTS and now - self._reported[0] < REPORT_PERIOD:
            self._unreported += 1
            return
        reason = clean(str(error))
        others = f" (and {self._unreported} before)" if self._unreported else ""
        where = "" if address is None else f" at {address}"
        self._profile.output.status(
            "turned_away",
            f"Somebody{where} was not let in: {reason}{others}",
            address=address,
            reason=reason,
            unreported=self._unreported,
        )
        self._reported.append(now)
        self._unreported = 0


def plain_host(host: str | None) -> str | None:
    """The value of ``--host`` as the system wants it; None for all addresses."""
    return None if host == "*" else host and host.removeprefix("[").removesuffix("]")


def addresses_of(host: str | None) -> list[str]:
    """What to tell the other side for this host."""
    if host is None:
        return reachable_addresses()
    chosen = ip_literal(host)
    if chosen is None or not chosen.is_unspecified:
        return [host]
    return [ip for ip in reachable_addresses() if ipaddress.ip_address(ip).version == 4] or [host]
