"""A chat at the terminal, or in a pipe, with any number of people, one of whom is spoken to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal

from e2ee.contacts import Contact
from e2ee.conversation import (
    CHAT,
    FILES,
    ChatEvent,
    Introduced,
    TextReceived,
    TextsDelivered,
)
from e2ee.errors import ConversationBusy, E2EEError, FileError, OverLimit
from e2ee.file_events import Offered
from e2ee.journal import Journal, MemoryJournal
from e2ee.messages import Unsupported
from e2ee.transport import Timeouts

from .carrying import GOODBYE_TIMEOUT, carry_files
from .chat_commands import COMMANDS, ChatCommands
from .clean import clean
from .commands import Command
from .conversations import expire, open_conversations
from .correspondent import Correspondent
from .encounter import Encounter, Lost, announce
from .exits import CliError, Exit
from .file_desk import FileDesk, offer_text
from .names import label
from .person import Person
from .profile import Profile
from .progress import human_size, progress_row
from .progress_line import columns
from .purpose import agree
from .transfer import Row
from .view import View

if TYPE_CHECKING:
    from e2ee.conversation_file import ConversationFile

TIMEOUTS = Timeouts(close=5, quiet=8, dead=25)
"""A person notices soon that nobody is there; lines are confirmed before a close."""

CONFIRMATION_TIMEOUT = 30.0
"""Seconds without a confirmation after which no more are waited for."""

MAX_WAITING = 10_000
"""Texts to one person that may wait for their confirmation; no more input is read meanwhile."""

MAX_PEOPLE = 100
"""Who are here, or are waited for with something to get; each takes a few open files."""

LATE = 3.0
"""Seconds after which a person is told that their text has not been delivered."""

WATCH = 0.5
"""Seconds between two looks at what changes by itself."""

Wait = Literal["sent", "delivered"]


class Chat:
    """Everything that goes on between this terminal and the people who are connected."""

    def __init__(
        self,
        profile: Profile,
        *,
        many: bool = False,
        wait: Wait = "delivered",
        patience: float | None = None,
    ) -> None:
        """``many`` -- several people may come. ``wait`` -- what has to become of a text before
        the end of the input is the end of the chat. ``patience`` -- seconds for that.
        """
        config = profile.config
        self.profile = profile
        self.view = View(
            profile.output,
            COMMANDS,
            plain=config.plain,
            bell=config.bell,
            notify=config.notify,
            on_failure=self._fail,
        )
        self._commands = ChatCommands(self)
        self._many = many
        self._wait = wait
        self._patience = patience
        self._people: dict[bytes, Person] = {}
        self._current: Person | None = None
        self._somebody = asyncio.Event()
        self._running = asyncio.Event()
        """There is something to show it on."""
        self._offers: dict[int, asyncio.Future[bool]] = {}
        """Questions that have not been answered, by the number that they are shown with."""
        self._last_offer = 0
        self._stack = contextlib.AsyncExitStack()
        self._conversations: ConversationFile | None = None
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # Who is there.

    @property
    def people(self) -> Sequence[Person]:
        """All who have come, in that order."""
        return tuple(self._people.values())

    @property
    def current(self) -> Person:
        """Whom the user writes to. Raises CliError where nobody has come."""
        if self._current is None:
            raise CliError("nobody has come yet", Exit.NO_CONTACT)
        return self._current

    def turn_to(self, person: Person) -> None:
        """Write to somebody else from now on."""
        self._current = person
        self.refresh()

    def renew(self, contact: Contact) -> None:
        """More is known of this contact now."""
        self._people[contact.identity].contact = contact
        self.refresh()

    def refresh(self) -> None:
        """Show the present state of whom the user writes to. A script has nobody who sees it."""
        if not self.view.person:
            return
        person = self._current
        if person is None:
            self.view.footer("nobody is here yet", alarm=False)
            return
        here = "" if person.correspondent.connected else " · no connection"
        others = f" · {len(self._people) - 1} more: /list" if len(self._people) > 1 else ""
        self.view.footer(
            f"{person.contact.name} · {person.trust}{here}{others}", alarm=not person.trusted
        )
        waiting = list(person.waiting.values())
        late = bool(waiting) and time.time() - waiting[0][1] > LATE
        if not (late or self.view.redraws):
            waiting = []
        state = "sending" if person.correspondent.connected and not late else "not delivered yet"
        self.view.waiting([body for body, _ in waiting], state)
        self.view.progress(
            [
                progress_row(row.name, row.done, row.size, row.rate(), columns())
                for each in self.people
                for row in (each.desk.transfer.rows if each.desk.transfer else ())
                if row.began is not None
            ]
        )

    def _fail(self, error: Exception) -> None:
        """The chat cannot go on."""
        if not self._failed.done():
            self._failed.set_exception(error)
            self._failed.exception()  # Where it is ending already, nobody else looks.

    # One channel.

    async def host(self, encounter: Encounter, *, initiator: bool) -> str:
        """All of one channel, from its first word to its end; why it ended.

        Raises what breaks it; Lost where it had begun.
        """
        channel = encounter.channel
        try:
            purposes = [CHAT] if initiator else [CHAT, FILES]
            purpose = await agree(channel, purposes, initiator=initiator)
            person = self.person(encounter.contact)
        except BaseException:
            await channel.abort()
            raise
        await self._running.wait()
        announce(encounter, self.profile)
        if self._current is None:
            self._current = person
            self.view.ready()
        self._somebody.set()
        files = person.desk.open()
        try:
            if purpose == FILES:
                return await carry_files(channel, files)
            return await person.correspondent.converse(
                channel, own_name=self.profile.config.name, files=files
            )
        except (FileError, CliError, OSError) as error:
            self._fail(error)
            raise
        except E2EEError as error:
            raise Lost(person.contact, error) from error
        finally:
            person.desk.closed(files)
            self.refresh()

    def person(self, contact: Contact) -> Person:
        """Somebody to write to, who may be away. Raises ConversationFileError."""
        known = self._people.get(contact.identity)
        if known is None:
            self._make_room()
            known = self._people[contact.identity] = self._new_person(contact)
        known.contact = contact
        return known

    def _make_room(self) -> None:
        """Forget who is away and has nothing to get. Raises OverLimit."""
        for person in self.people:
            if len(self._people) < MAX_PEOPLE:
                return
            here = person.correspondent.connected or person.desk.transfer is not None
            if person is not self._current and not (here or person.correspondent.unconfirmed):
                del self._people[person.contact.identity]
                person.belongings.close()
        if len(self._people) >= MAX_PEOPLE:
            raise OverLimit(f"{MAX_PEOPLE} people are here already")

    def _new_person(self, contact: Contact) -> Person:
        peer = contact.id

        async def show(text: TextReceived, written: Callable[[], None]) -> None:
            def shown() -> None:
                self._remember(person, "in", text.body)
                written()

            mark = "" if person.trusted or not self._many else "not verified"
            await self.view.text(person.contact.name, text, shown, peer=peer, mark=mark)

        async def ask(row: Row, offer: Offered) -> bool:
            return await self._ask(person, row, offer)

        belongings = self._stack.enter_context(contextlib.ExitStack())
        journal = self._journal(contact, belongings)
        correspondent = Correspondent(
            journal, show=show, tell=lambda event: self._on_event(person, event)
        )
        desk = FileDesk(
            self.profile.book.identity,
            contact,
            folder="." if self.view.person else None,
            ask=ask,
            on_end=lambda row: self._on_file(person, row),
        )
        belongings.callback(desk.close)
        person = Person(contact, correspondent, desk, belongings)
        if self.view.person:
            person.waiting = {text.id: (text.body, text.at) for text in journal.unconfirmed()}
        return person

    def _on_event(self, person: Person, event: ChatEvent) -> None:
        match event:
            case Introduced(claim) if not person.named:
                person.named = True  # Once: a flood of names would fill the screen and the disk.
                self._name(person, claim)
            case Unsupported() if not person.puzzling:
                person.puzzling = True  # Once, as well.
                self.view.note(
                    "unsupported",
                    f"(The peer sent a {event.kind!r}, which this version cannot show.)",
                    kind=event.kind,
                )
            case TextsDelivered(ids):
                for number in ids:
                    if known := person.waiting.pop(number, None):
                        to = person.contact.name if len(self._people) > 1 else ""
                        self.view.delivered(*known, to=to)
                if self.profile.output.as_json:
                    left = person.correspondent.unconfirmed
                    name = person.contact.name
                    self.view.note("delivered", "", name=name, count=len(ids), left=left)
            case _:
                pass
        self.refresh()

    def _name(self, person: Person, claim: str) -> None:
        contact, book = person.contact, self.profile.book
        if claim == contact.claimed_name:
            return
        with contextlib.suppress(E2EEError, CliError):  # Not worth the end of a chat.
            renamed = book.change(lambda contacts: contacts.claim(contact.identity, claim))
            person.contact = contact = renamed or contact
            others = [one for one in book.read().contacts if one.identity != contact.identity]
            called = label(contact, others)
            if called != contact.name or self.profile.output.as_json:
                self.view.note("name", f"({called})", name=contact.name, claimed_name=claim)

    # What is kept.

    def _journal(self, contact: Contact, belongings: contextlib.ExitStack) -> Journal:
        try:
            return belongings.enter_context(self._file().journal(contact.identity))
        except ConversationBusy:
            self.view.note(
                "busy",
                f"(Another e2ee of yours is talking to {contact.name}; what you write here is not "
                "kept when this one ends.)",
                name=contact.name,
            )
            return MemoryJournal()

    def _file(self) -> ConversationFile:
        if self._conversations is None:
            opening = open_conversations(self.profile.book.identity)
            self._conversations = self._stack.enter_context(opening)
            expire(self._conversations, self.profile.config, time.time())
        return self._conversations

    def _remember(self, person: Person, direction: Literal["in", "out"], body: str) -> None:
        if self.profile.config.history:
            self._file().remember(person.contact.identity, direction, time.time(), body)

    # Files.

    async def _ask(self, person: Person, row: Row, offer: Offered) -> bool:
        text, fields = offer_text(person.contact, row, offer)
        if not self.view.person:
            self.view.note("offer", f"{text}; nobody is here to take it", **fields)
            return False
        number = self._last_offer = self._last_offer + 1
        answer = self._offers[number] = asyncio.get_running_loop().create_future()
        self.view.note("offer", f"{text}: /accept {number} or /decline {number}", **fields)
        try:
            taken: bool = await answer
            return taken
        finally:
            del self._offers[number]

    def answer_offer(self, number: str, *, taken: bool) -> bool:
        """Whether there is such an offer. The last one, where no number is given."""
        wanted = int(number) if number.isdecimal() else max(self._offers, default=0)
        answer = self._offers.get(wanted) if number in {"", str(wanted)} else None
        if answer is None or answer.done():
            return False
        answer.set_result(taken)
        return True

    def _on_file(self, person: Person, row: Row) -> None:
        size = human_size(row.size)
        if row.error is not None:
            message, code = str(row.error), row.error.code
            self.view.note("failed", message, name=row.name, message=message, code=code)
        elif row.incoming:
            self.view.note(
                "received",
                f"{row.name} has come: {clean(row.path)} ({size})",
                name=row.name,
                path=row.path,
                size=row.size,
            )
        else:
            self.view.note(
                "sent",
                f"{person.contact.name} has {row.name} ({size})",
                name=row.name,
                size=row.size,
            )
        self.refresh()

    # The whole.

    async def run(self, serving: Coroutine[Any, Any, None], *, leave_at_end_of_input: bool) -> None:
        """Carry lines both ways while ``serving`` goes on, which hosts the channels.

        Without ``leave_at_end_of_input`` only a person's Ctrl-D leaves; an input that has ended
        otherwise means that there is nothing more to say. Raises E2EEError; CliError where lines
        may not have reached a peer, or cannot be shown.
        """
        # What the view still shows at its end is remembered.
        async with self._stack, self.view:
            self._running.set()
            self.refresh()
            await self._run(serving, leave_at_end_of_input=leave_at_end_of_input)

    async def _run(
        self, serving: Coroutine[Any, Any, None], *, leave_at_end_of_input: bool
    ) -> None:
        serve = asyncio.create_task(serving)
        speak = asyncio.create_task(self._speak())
        watch = asyncio.create_task(self._watch(give_up=leave_at_end_of_input))
        ends: set[asyncio.Future[None]] = {serve, self._failed}
        try:
            await asyncio.wait({*ends, speak}, return_when=asyncio.FIRST_COMPLETED)
            we_leave = not any(end.done() for end in ends) and (
                leave_at_end_of_input or self.view.person or speak.exception() is not None
            )
            if we_leave:
                settling = asyncio.create_task(
                    self._settle(away_too=leave_at_end_of_input and not self.view.person)
                )
                try:
                    await asyncio.wait({*ends, settling}, return_when=asyncio.FIRST_COMPLETED)
                finally:
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
            for task in (serve, speak, watch):
                task.cancel()
            await asyncio.gather(serve, speak, watch, return_exceptions=True)

    async def _speak(self) -> None:
        if not self.view.person:
            await self._somebody.wait()
            await self.current.correspondent.until(lambda known: known.connected)
        async for item in self.view.typed():
            if isinstance(item, Command):
                if not await self._commands.run(item):
                    return
            elif self._current is None:
                self.view.note("answer", "Nobody has come yet.", text="Nobody has come yet.")
            else:
                await self._say(self._current, item)

    async def _say(self, person: Person, texts: Sequence[str]) -> None:
        correspondent = person.correspondent
        with correspondent.journal.together():
            first = correspondent.say(texts)
            for body in texts:
                self._remember(person, "out", body)
        if self.view.person:
            now = time.time()
            person.waiting |= {number: (body, now) for number, body in enumerate(texts, first)}
        self.refresh()
        await correspondent.has_room(MAX_WAITING)

    async def _watch(self, *, give_up: bool) -> None:
        """Times go by: on a screen, and for a script whose peer is away."""
        away = 0.0
        while True:
            await asyncio.sleep(WATCH)
            if self.view.person:
                self.refresh()
            elif give_up:
                gone = any(
                    person.correspondent.unconfirmed and not person.correspondent.connected
                    for person in self.people
                )
                away = away + WATCH if gone else 0.0
                if away >= self._limit:
                    self._fail(self._too_late())

    @property
    def _limit(self) -> float:
        """Seconds without a confirmation."""
        return CONFIRMATION_TIMEOUT if self._patience is None else self._patience

    def _too_late(self) -> CliError:
        return CliError(
            f"the peer has confirmed nothing more for {self._limit:g} seconds; what they have not "
            "shown is kept, and sent at the next connection",
            Exit.NOT_CONFIRMED,
        )

    async def _settle(self, *, away_too: bool) -> None:
        """Wait until everything is confirmed. Raises CliError when that takes too long."""
        people = [person.correspondent for person in self.people]

        def done(person: Correspondent) -> bool:
            if not (person.connected or (away_too and person.met)):
                return True
            return not (person.unsent if self._wait == "sent" else person.unconfirmed)

        async def settled(person: Correspondent) -> None:
            while not done(person):
                confirmed = person.confirmed
                await person.until(
                    lambda known, before=confirmed: done(known) or known.confirmed > before  # type: ignore[misc]
                )
                if self._patience is None:
                    deadline.reschedule(asyncio.get_running_loop().time() + self._limit)

        try:
            async with asyncio.timeout(self._limit) as deadline:
                while not all(map(done, people)):
                    await asyncio.gather(*map(settled, people))
        except TimeoutError:
            raise self._too_late() from None

    async def _leave(self) -> None:
        await asyncio.gather(*(person.correspondent.leave() for person in self.people))

    def _check_nothing_lost(self, speak: asyncio.Task[None], *, all_input_counts: bool) -> None:
        lost = self._wait == "delivered" and any(
            person.correspondent.unconfirmed > 0 for person in self.people
        )
        if speak.done():
            speak.result()
        else:
            # A person who was still at the keyboard has lost nothing.
            lost |= all_input_counts and not self.view.person
        if lost:
            raise CliError(
                "the peer has left without confirming everything that you wrote; what they have "
                "not shown is kept, and sent at the next connection",
                Exit.NOT_CONFIRMED,
            )
