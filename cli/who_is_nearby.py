"""``e2ee nearby``: which contacts show on this network that they are listening."""

from __future__ import annotations

import contextlib

from e2ee.contacts import Contact

from .addresses import with_port
from .book import Book
from .exits import CliError, Exit
from .mdns import NoDiscovery
from .names import label
from .nearby import look
from .output import Output
from .ways import way


async def show_nearby(book: Book, output: Output) -> None:
    """Say of each where, and how to call them. Raises CliError where the network does not let."""
    contacts = book.read().contacts
    output.status("searching", "Looking who is on this network …")
    found: dict[str, list[str]] = {}
    people: dict[str, Contact] = {}
    allowed = [contact for contact in contacts if not contact.blocked]
    try:
        async with contextlib.aclosing(look(allowed)) as seen:
            async for contact, place in seen:
                people[contact.id] = contact
                found.setdefault(contact.id, []).append(with_port(*place))
    except NoDiscovery as error:
        raise CliError(
            f"this machine cannot look around on its network: {error}; see: {way('doctor')}",
            Exit.NETWORK,
        ) from None
    for contact_id, where in found.items():
        contact = people[contact_id]
        shown = label(contact, [other for other in contacts if other.id != contact_id])
        output.data(
            f"{shown}: at {', '.join(where)}; to talk: {way('connect', contact.name)}",
            event="nearby",
            name=contact.name,
            claimed_name=contact.claimed_name,
            id=contact.id,
            grade=contact.grade.name.lower(),
            addresses=where,
        )
    if not found:
        output.status(
            "none",
            "No contact shows themself on this network. Who wants to be seen there runs\n"
            "  e2ee listen --visible",
        )
