"""Commands that are typed into a chat: ``/name argument``, told apart from what is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PATH = "PATH"
"""The argument of this name is a file's; Tab completes it."""


@dataclass(frozen=True, slots=True)
class CommandHelp:
    """What a chat offers: ``/name arguments``, and what it does in one line."""

    name: str
    arguments: str
    help: str

    @property
    def usage(self) -> str:
        return f"/{self.name} {self.arguments}".rstrip()


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody typed; ``argument`` is all that follows the name, without blanks around it."""

    name: str
    argument: str


class NoSuchCommand(Exception):
    """Its text says to the person what to do."""


def parse(text: str, commands: Iterable[CommandHelp]) -> str | Command:
    """A command, or what is to be said. ``//`` at the beginning says a text that begins with ``/``.

    Raises NoSuchCommand for what begins with one ``/`` and is none of these commands: something
    mistyped must not go to the peer.
    """
    if text.startswith("//"):
        return text[1:]
    if not text.startswith("/"):
        return text
    name, _, argument = text[1:].partition(" ")
    if "\n" in text:
        raise NoSuchCommand("A command is one line. To say this as text, begin with //")
    if not any(command.name == name for command in commands):
        raise NoSuchCommand("No such command; see /help. To say this as text, begin with //")
    return Command(name, argument.strip())


def as_text(text: str) -> str:
    """What to type so that this is said, whatever it begins with."""
    return "/" + text if text.startswith("/") else text
