"""What a person can do in a chat besides writing: the commands that begin with a slash."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from e2ee.contacts import Grade
from e2ee.errors import E2EEError
from e2ee.safety_number import SafetyNumber

from .acquaintance import compared, equal, safety_number_text
from .commands import PATH, Command, CommandHelp
from .exits import CliError, describe
from .outgoing_files import outgoing
from .threads import in_thread

if TYPE_CHECKING:
    from .chat import Chat

HELP = CommandHelp("help", "", "what can be typed here")
VERIFY = CommandHelp("verify", "[NUMBER]", "the safety number, or compare it with theirs")
FILE = CommandHelp("file", PATH, "send a file or a folder")
ACCEPT = CommandHelp("accept", "[N]", "take a file that is offered")
DECLINE = CommandHelp("decline", "[N]", "do not take it")
TO = CommandHelp("to", "NAME", "whom to write to")
LIST = CommandHelp("list", "", "who is here")
QUIT = CommandHelp("quit", "", "leave; so does Ctrl-D")

COMMANDS = (HELP, VERIFY, FILE, ACCEPT, DECLINE, TO, LIST, QUIT)


class ChatCommands:
    """Runs commands on a chat. Nothing that goes wrong in one is the end of the chat."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._run: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = {
            HELP.name: self._help,
            VERIFY.name: self._verify,
            FILE.name: self._file,
            ACCEPT.name: self._accept,
            DECLINE.name: self._decline,
            TO.name: self._to,
            LIST.name: self._list,
        }

    async def run(self, command: Command) -> bool:
        """Whether the chat goes on after it."""
        if command.name == QUIT.name:
            return False
        try:
            await self._run[command.name](command.argument)
        except (E2EEError, CliError) as error:
            self._say(describe(error))
        return True

    def _say(self, text: str) -> None:
        self._chat.view.note("answer", text, text=text)

    async def _help(self, _: str) -> None:
        width = max(len(command.usage) for command in COMMANDS)
        rows = [f"{command.usage:<{width}}  {command.help}" for command in COMMANDS]
        keys = "Enter sends, Alt-Enter makes a new line, // at the beginning says a /"
        self._say("\n".join([*rows, keys]))

    async def _verify(self, typed: str) -> None:
        contact = self._chat.current.contact
        book = self._chat.profile.book
        if typed:
            contact = compared(book, contact, typed)
            self._chat.renew(contact)
            self._say(equal(contact))
            return
        number = SafetyNumber(book.identity.public_key, contact.identity)
        self._say(
            safety_number_text(contact, number)
            + "\nCompare it by voice. What the other side shows, type after /verify, in words "
            "or digits."
        )

    async def _file(self, path: str) -> None:
        person = self._chat.current
        if not path:
            self._say("Which? /file PATH")
            return
        found = await in_thread(lambda: outgoing(os.path.expanduser(path)))
        person.desk.wish(path, found)
        away = "" if person.correspondent.connected else ", when there is a connection"
        self._say(f"Offering {path} to {person.contact.name}{away}.")

    async def _accept(self, number: str) -> None:
        self._answer(number, taken=True)

    async def _decline(self, number: str) -> None:
        self._answer(number, taken=False)

    def _answer(self, number: str, *, taken: bool) -> None:
        if not self._chat.answer_offer(number, taken=taken):
            self._say("No such file is offered." if number else "No file is offered.")

    async def _to(self, name: str) -> None:
        if not name:
            self._say("To whom? /to NAME")
            return
        person = self._chat.person(self._chat.profile.book.read().get(name))
        self._chat.turn_to(person)
        if not person.correspondent.connected:
            self._say(f"{person.contact.name} is not here; what you write waits for them.")

    async def _list(self, _: str) -> None:
        rows = []
        for person in self._chat.people:
            mark = "→" if person is self._chat.current else " "
            grade = "verified" if person.contact.grade is Grade.VERIFIED else "not verified"
            here = "here" if person.correspondent.connected else "away"
            waiting = person.correspondent.unconfirmed
            more = f", {waiting} not delivered" if waiting else ""
            rows.append(f"{mark} {person.contact.name}: {here}, {grade}{more}")
        self._say("\n".join(rows) or "Nobody has come yet.")
