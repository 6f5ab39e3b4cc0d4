"""Staying connected: who called calls again when the connection breaks, until somebody leaves."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator

from e2ee.contacts import Contact
from e2ee.errors import ProtocolError, TransportError, UnexpectedPeer

from .chat import Chat
from .dialling import call
from .encounter import Encounter, Lost
from .exits import CliError, Exit
from .profile import Profile
from .view import View

FIRST_PAUSE = 0.1
"""Seconds before the next try; each is twice the one before, and up to a half more by chance."""

LONGEST_PAUSE = 30.0
"""Seconds that no such pause exceeds, but for what chance adds."""

ASLEEP = 15.0
"""Seconds by which the clock may run away from the computer's own: it has slept, then."""

WATCH = 2.0
"""Seconds between two looks at the clocks."""


async def stay_connected(chat: Chat, encounter: Encounter) -> None:
    """Host this channel, and others to the same person after it, until one side leaves.

    Raises what no further try would mend: TrustRefused, UnexpectedPeer, CliError; and what breaks
    the first channel before both have said hello.
    """
    contact = encounter.contact
    pauses = new_pauses()
    chatted = False
    while True:
        try:
            reason = await _until_asleep(chat, encounter)
        except Lost as lost:
            chat.view.note(
                "lost",
                f"The connection to {contact.name} is lost: {lost}. Trying again …",
                name=contact.name,
                reason=str(lost),
            )
            chatted = True
            pauses = new_pauses()
        except (TransportError, ProtocolError):
            # Between the handshake and the chat: as if nobody had answered.
            if not chatted:
                raise
        else:
            _say_why(reason, contact, chat.view)
            return
        encounter = await call_again(contact, chat.profile, pauses)


def _say_why(reason: str, contact: Contact, view: View) -> None:
    if reason == "replaced":
        view.note(
            "replaced",
            f"You are in the chat with {contact.name} from somewhere else now.",
            name=contact.name,
        )
    else:
        view.note("left", f"{contact.name} has left.", name=contact.name)


async def _until_asleep(chat: Chat, encounter: Encounter) -> str:
    hosting = asyncio.create_task(chat.host(encounter, initiator=True))
    waking = asyncio.create_task(_waking())
    try:
        await asyncio.wait({hosting, waking}, return_when=asyncio.FIRST_COMPLETED)
        if not hosting.done():
            # The peer has given us up meanwhile, and waiting to find that out takes a while.
            await encounter.channel.abort()
        return await hosting
    finally:
        waking.cancel()
        hosting.cancel()
        await asyncio.gather(waking, hosting, return_exceptions=True)


async def _waking() -> None:
    """Wait until this machine has slept: the time of day has gone on, its own clock has not."""
    while True:
        before = time.time() - time.monotonic()
        await asyncio.sleep(WATCH)
        if time.time() - time.monotonic() - before > ASLEEP:
            return


def new_pauses() -> Iterator[float]:
    """Seconds before each try, for ever."""
    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(1, 1.5)  # noqa: S311 -- not a secret
        pause = min(2 * pause, LONGEST_PAUSE)


async def call_again(contact: Contact, profile: Profile, pauses: Iterator[float]) -> Encounter:
    """Call until the same person answers."""
    # First only where they were: a link that broke is often good again at once, and to search the
    # network takes seconds.
    search = False
    for pause in pauses:
        await asyncio.sleep(pause)
        try:
            return await call(profile, contact.id, peer=contact.id, quietly=True, search=search)
        except UnexpectedPeer:
            raise
        except (TransportError, ProtocolError):
            pass
        except CliError as error:
            if error.code is not Exit.NETWORK:
                raise
        finally:
            search = True
    raise AssertionError("the pauses have no end")
