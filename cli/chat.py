"""A chat at the terminal, or in a pipe, with any number of people, one of whom is spoken to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Literal

from e2ee.contacts import Contact
from e2ee.conversation import CHAT, ChatEvent, Introduced, TextReceived
from e2ee.errors import ConversationBusy, E2EEError
from e2ee.journal import Journal, MemoryJournal
from e2ee.messages import Unsupported
from e2ee.transport import Timeouts

from .conversations import expire, open_conversations
from .correspondent import Correspondent
from .encounter import Encounter, Lost, announce
from .exits import CliError, Exit
from .names import label
from .profile import Profile
from .purpose import agree
from .view import View

if TYPE_CHECKING:
    from e2ee.conversation_file import ConversationFile

TIMEOUTS = Timeouts(close=5, quiet=8, dead=25)
"""A person notices soon that nobody is there; lines are confirmed before a close."""

CONFIRMATION_TIMEOUT = 30.0
"""Seconds without a confirmation after which no more are waited for."""

GOODBYE_TIMEOUT = 2.0
"""Seconds for an orderly close after a signal."""

MAX_WAITING = 10_000
"""Texts to one person that may wait for their confirmation; no more input is read meanwhile."""

LATE = 3.0
"""Seconds after which a person is told that their text has not been delivered."""

Wait = Literal["sent", "delivered"]


class Chat:
    """Everything that goes on between this terminal and the people who are connected."""

    def __init__(
        self,
        profile: Profile,
        view: View,
        *,
        many: bool = False,
        wait: Wait = "delivered",
        patience: float | None = None,
    ) -> None:
        """``many`` -- several people may come. ``wait`` -- what has to become of a text before
        the end of the input is the end of the chat. ``patience`` -- seconds for that.
        """
        self._profile = profile
        self._view = view
        self._many = many
        self._wait = wait
        self._patience = patience
        self._people: dict[bytes, Correspondent] = {}
        self._contacts: dict[bytes, Contact] = {}
        self._current: Correspondent | None = None
        self._somebody = asyncio.Event()
        self._open = contextlib.ExitStack()
        self._conversations: ConversationFile | None = None
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # One channel.

    async def host(self, encounter: Encounter, *, initiator: bool) -> str:
        """All of one channel, from its first word to its end; why it ended.

        Raises what breaks it; Lost where it had begun.
        """
        channel = encounter.channel
        try:
            await agree(channel, [CHAT], initiator=initiator)
        except BaseException:
            await channel.abort()
            raise
        contact = encounter.contact
        self._contacts[contact.identity] = contact
        person = self._people.get(contact.identity)
        if person is None:
            person = self._people[contact.identity] = self._new_person(contact)
        announce(encounter, self._profile)
        if self._current is None:
            self._current = person
            self._view.ready()
        self._somebody.set()
        try:
            return await person.converse(channel, own_name=self._profile.config.name)
        except E2EEError as error:
            raise Lost(contact, error) from error
        except (CliError, OSError) as error:
            if not self._failed.done():
                self._failed.set_exception(error)
            raise

    def _new_person(self, contact: Contact) -> Correspondent:
        identity = contact.identity
        named = False

        async def show(text: TextReceived) -> None:
            await self._view.text(self._contacts[identity], text)

        def tell(event: ChatEvent) -> None:
            nonlocal named
            match event:
                case Introduced(claim) if not named:
                    named = True  # Once: a flood of names would fill the screen and the disk.
                    self._name(identity, claim)
                case Unsupported():
                    self._view.note(
                        "unsupported",
                        f"(The peer sent a {event.kind!r}, which this version cannot show.)",
                        kind=event.kind,
                    )
                case _:
                    pass

        return Correspondent(self._journal(contact), show=show, tell=tell)

    def _journal(self, contact: Contact) -> Journal:
        try:
            return self._open.enter_context(self._file().journal(contact.identity))
        except ConversationBusy:
            self._view.note(
                "busy",
                f"(Another e2ee of yours is talking to {contact.name}; what you write here is not "
                "kept\nwhen this one ends.)",
                name=contact.name,
            )
            return MemoryJournal()

    def _file(self) -> ConversationFile:
        if self._conversations is None:
            opening = open_conversations(self._profile.book.identity)
            self._conversations = self._open.enter_context(opening)
            expire(self._conversations, self._profile.config, time.time())
        return self._conversations

    def _name(self, identity: bytes, claim: str) -> None:
        contact = self._contacts[identity]
        if claim == contact.claimed_name:
            return
        book = self._profile.book
        with contextlib.suppress(E2EEError, CliError):  # Not worth the end of a chat.
            renamed = book.change(lambda contacts: contacts.claim(identity, claim)) or contact
            others = [known for known in book.read().contacts if known.identity != identity]
            self._contacts[identity] = renamed
            self._view.note(
                "name", f"({label(renamed, others)})", name=renamed.name, claimed_name=claim
            )

    # The whole.

    async def run(self, serving: Coroutine[Any, Any, None], *, leave_at_end_of_input: bool) -> None:
        """Carry lines both ways while ``serving`` goes on, which hosts the channels.

        Without ``leave_at_end_of_input`` only a person's Ctrl-D leaves; an input that has ended
        otherwise means that there is nothing more to say. Raises E2EEError; CliError where lines
        may not have reached a peer, or cannot be shown.
        """
        serve = asyncio.create_task(serving)
        speak = asyncio.create_task(self._speak())
        ends: set[asyncio.Future[None]] = {serve, self._failed}
        try:
            await asyncio.wait({*ends, speak}, return_when=asyncio.FIRST_COMPLETED)
            we_leave = not any(end.done() for end in ends) and (
                leave_at_end_of_input or self._view.person or speak.exception() is not None
            )
            if we_leave:
                settling = asyncio.create_task(self._settle(away_too=leave_at_end_of_input))
                await asyncio.wait({*ends, settling}, return_when=asyncio.FIRST_COMPLETED)
                settling.cancel()
                if settling.done():
                    settling.result()
                if not serve.done():
                    await self._leave()
                    serve.cancel()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
            if not serve.cancelled():
                serve.result()
            self._check_nothing_lost(speak, all_input_counts=leave_at_end_of_input)
        except (asyncio.CancelledError, CliError, OSError):
            with contextlib.suppress(E2EEError, TimeoutError):
                async with asyncio.timeout(GOODBYE_TIMEOUT):
                    await self._leave()
            raise
        finally:
            self._failed.cancel()
            for task in (serve, speak):
                task.cancel()
            await asyncio.gather(serve, speak, return_exceptions=True)
            self._open.close()

    async def _speak(self) -> None:
        await self._somebody.wait()
        assert self._current is not None
        await self._current.until(lambda person: person.connected)
        async for texts in self._view.typed():
            person = self._current
            assert person is not None
            person.say(texts)
            await person.has_room(MAX_WAITING)

    async def _settle(self, *, away_too: bool) -> None:
        """Wait until everything is confirmed. Raises CliError when that takes too long."""
        people = self._people.values()

        def done(person: Correspondent) -> bool:
            if not (person.connected or away_too):
                return True
            return not (person.unsent if self._wait == "sent" else person.unconfirmed)

        while not all(map(done, people)):
            before = sum(person.confirmed for person in people)
            limit = CONFIRMATION_TIMEOUT if self._patience is None else self._patience
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await asyncio.gather(*(person.until(done) for person in people))
            progress = sum(person.confirmed for person in people) > before
            if not all(map(done, people)) and (self._patience is not None or not progress):
                raise CliError(
                    f"the peer has confirmed nothing more for {limit:g} seconds",
                    Exit.NOT_CONFIRMED,
                )

    async def _leave(self) -> None:
        await asyncio.gather(*(person.leave() for person in self._people.values()))

    def _check_nothing_lost(self, speak: asyncio.Task[None], *, all_input_counts: bool) -> None:
        lost = self._wait == "delivered" and any(
            person.unconfirmed > 0 for person in self._people.values()
        )
        if speak.done():
            speak.result()
        else:
            # A person who was still at the keyboard has lost nothing.
            lost |= all_input_counts and not self._view.person
        if lost:
            raise CliError(
                "the peer has left without confirming everything that you wrote",
                Exit.NOT_CONFIRMED,
            )
