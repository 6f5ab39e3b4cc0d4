"""Waiting for those who call: what ``listen`` and ``invite`` have in common."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from e2ee import E2EEError, Padding, Session
from e2ee.contacts import Contact
from e2ee.errors import FileError, SessionClosed
from e2ee.transport import Channel, tcp

from .addresses import ip_literal, reachable_addresses
from .chat import TIMEOUTS
from .clean import clean
from .door import admission
from .encounter import Encounter, Lost, meet
from .exits import CliError
from .lines import STDIN
from .profile import Profile
from .purpose import OtherPurpose

REPORTS = 8
"""Strangers who were turned away that are told of in one period; others are counted."""

REPORT_PERIOD = 10.0
"""Seconds of that period."""

RETURN_TIMEOUT = 10.0
"""Seconds in which the only guest of a script may come back after the connection broke."""


class Waiting:
    """A listener on a port, for everybody who may come in, or for the first of them only."""

    def __init__(
        self,
        profile: Profile,
        name_of_new: Callable[[Channel], str],
        host: Callable[[Encounter], Awaitable[str]],
        *,
        once: bool,
        is_end: Callable[[E2EEError], bool] = lambda _: False,
        asked_for: bool = False,
        patience: float | None = None,
    ) -> None:
        """``name_of_new`` -- the alias of who is met for the first time. ``host`` -- does all that
        is to be done on a channel, and tells why it ended. ``once`` -- nobody else after the
        first. ``is_end`` -- whether a failure ends the waiting, which then raises it.
        ``asked_for`` -- as in an Encounter. ``patience`` -- seconds in which the only guest may
        come back after the connection broke; None for as long as a person likes, and for
        RETURN_TIMEOUT in a script.
        """
        self._profile = profile
        self._name_of_new = name_of_new
        self._host = host
        self._once = once
        self._is_end = is_end
        self._asked_for = asked_for
        self._patience = patience
        if patience is None and not os.isatty(STDIN):
            self._patience = RETURN_TIMEOUT
        self._guest: Contact | None = None
        """Who came first, where nobody else may come."""
        self._present = 0
        """Channels of those who came in: of one person several, while an old one is given up."""
        self._last_error: E2EEError | None = None
        """What broke the channel that ended last, where nobody had left it."""
        self._arrived = asyncio.Event()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._returning: asyncio.TimerHandle | None = None
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
            lambda: new_session() if self._guest is None else self._session_for(self._guest),
            self._on_channel,
            host=host,
            port=port,
            on_failure=self._turn_away,
            timeouts=TIMEOUTS,
            mute=mute,
        )
        return self._listener.port

    async def somebody(self) -> None:
        """Until the first has come. Raises what ended the waiting."""
        await self._arrived.wait()
        if self._over.done():
            self._over.result()

    async def serve(self) -> None:
        """Until the only guest has left, or for ever. Raises what ended it."""
        await self._over

    async def end(self) -> None:
        self._stop_waiting_for_return()
        self._over.cancel()
        await self._listener.close()

    def _session_for(self, guest: Contact) -> Session:
        """For who was here before, and comes back."""
        return Session.responder(
            self._profile.book.identity,
            suites=(),
            admit=admission(self._profile.book),
            expected_peer=guest.id,
            now=time.time(),
            padding=Padding.CHAT,
        )

    async def _on_channel(self, channel: Channel) -> None:
        try:
            encounter = self._let_in(channel)
        except FileError as error:
            self._end(error)
        except E2EEError as error:
            self._turn_away(None, error)
        except (CliError, OSError) as error:
            self._end(error)
        else:
            await self._serve_guest(encounter)
        finally:
            await channel.abort()

    async def _serve_guest(self, encounter: Encounter) -> None:
        contact, output = encounter.contact, self._profile.output
        self._present += 1
        try:
            reason = await self._host(encounter)
            # Who has replaced this channel by another is still here.
            if reason != "replaced":
                output.status("left", f"{contact.name} has left.", name=contact.name)
                self._last_error = None
        except Lost as lost:
            output.status(
                "lost",
                f"The connection to {contact.name} is lost: {lost}",
                name=contact.name,
                reason=str(lost),
            )
            self._last_error = lost.error
        except FileError as error:
            self._end(error)
        except E2EEError as error:
            self._turn_away(None, error)
            self._last_error = error
        except OtherPurpose as error:
            if self._once:
                self._end(error)
            else:
                self._turn_away(None, error)
        except (CliError, OSError) as error:
            self._end(error)
        finally:
            self._present -= 1
        if self._once and not self._present:
            if self._last_error is None:
                self._end(None)
            else:
                self._wait_for_return(self._last_error)

    def _let_in(self, channel: Channel) -> Encounter:
        """Raises what ``meet`` raises, SessionClosed for a second guest where one is all."""
        if self._guest is not None and self._guest.identity != channel.peer.identity_key:
            raise SessionClosed("somebody else came first")
        encounter = meet(
            self._profile,
            channel,
            name=self._name_of_new(channel),
            asked_for=self._asked_for,
        )
        self._arrived.set()
        if self._once:
            self._guest = encounter.contact
            self._stop_waiting_for_return()
        return encounter

    def _wait_for_return(self, error: E2EEError) -> None:
        """The only guest is gone without a goodbye."""
        self._stop_waiting_for_return()
        if self._patience is not None:
            loop = asyncio.get_running_loop()
            self._returning = loop.call_later(self._patience, self._end, error)

    def _stop_waiting_for_return(self) -> None:
        if self._returning is not None:
            self._returning.cancel()

    def _end(self, error: Exception | None) -> None:
        self._arrived.set()
        if self._over.done():
            return
        if error is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(error)

    def _turn_away(self, address: str | None, error: E2EEError | OtherPurpose) -> None:
        if isinstance(error, E2EEError) and self._is_end(error) and self._guest is None:
            self._end(error)
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


def one_of(commands: Sequence[str]) -> str:
    """What follows "run": each of these commands in a row of its own."""
    return (" one of" if len(commands) > 1 else "") + "".join(f"\n  {one}" for one in commands)


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
