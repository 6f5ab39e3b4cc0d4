"""What ``e2ee history …`` does: shows, searches and deletes what was kept of chats."""

from __future__ import annotations

import os
import time

from e2ee.contacts import ContactBook
from e2ee.ids import decode_id, encode_id

from . import ask
from .book import Book
from .clean import quoted
from .conversations import open_conversations
from .dialling import id_of
from .exits import CliError, Exit
from .home import own_identity
from .lines import STDIN
from .output import Output
from .signals import run
from .ways import way


def show(output: Output, name: str | None, search: str | None, since: str | None) -> None:
    """What was said, with one contact or with all. Raises CliError, NoSuchContact, InvalidId."""
    begin = None if since is None else _midnight(since)
    book = Book(own_identity(output))
    contacts = book.read()
    contact = None if name is None else _identity(contacts, name)
    none = True
    with open_conversations(book.identity) as file:
        for entry in file.history(contact, since=begin, containing=search):
            none = False
            who = contacts.of(entry.contact)
            called = encode_id(entry.contact) if who is None else who.name
            # At the same place in each line, so that no name can pose as the other side.
            direction = "from" if entry.direction == "in" else "to"
            output.kept(
                f"{_minute(entry.at)} {direction} {called}: ",
                entry.body,
                name=None if who is None else who.name,
                id=encode_id(entry.contact),
                direction=entry.direction,
                at=entry.at,
                text=entry.body,
            )
    if none:
        output.status("none", "Nothing such was kept.")


def delete(
    output: Output, name: str | None, before: str | None, *, everybody: bool, ask_first: bool
) -> None:
    """Delete what was kept, for good. Raises as ``show``."""
    end = None if before is None else _midnight(before)
    if (name is None) is not everybody:
        raise CliError(f"say whose: {way('history', 'delete', 'NAME')}, or --all", Exit.USAGE)
    book = Book(own_identity(output))
    contact = None if name is None else _identity(book.read(), name)
    if ask_first:
        whose = "everybody" if name is None else name
        run(_ask(f"with {whose}" + ("" if before is None else f" before {before}")))
    with open_conversations(book.identity) as file:
        count = file.delete_history(contact, before=end)
    output.status("deleted", f"Deleted: {count} {'text' if count == 1 else 'texts'}.", count=count)


async def _ask(what: str) -> None:
    """Raises CliError where it is not wanted."""
    if not os.isatty(STDIN):
        raise CliError("deleting asks at a terminal; in a script say --yes", Exit.USAGE)
    if await ask.line(f"Delete what was kept of chats {what}? (yes, or Enter: no) ") != "yes":
        raise CliError("nothing was deleted", Exit.NOT_CONFIRMED)


def _identity(contacts: ContactBook, who: str) -> bytes:
    """Also of somebody who is no contact any more, by their id. Raises NoSuchContact, InvalidId."""
    return decode_id(id_of(contacts, who))


def _midnight(day: str) -> float:
    """Seconds since 1970 when a day began here. Raises CliError."""
    try:
        return time.mktime(time.strptime(day, "%Y-%m-%d"))
    except (ValueError, OverflowError):
        raise CliError(f"{quoted(day)} is not a day such as 2026-11-24", Exit.USAGE) from None


def _minute(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
