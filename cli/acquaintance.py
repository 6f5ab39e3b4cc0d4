"""What ``e2ee contact …`` does: show whom one knows, and change what one knows of them."""

from __future__ import annotations

import shutil
import time

from e2ee.contacts import Contact, Grade
from e2ee.ids import decode_id
from e2ee.safety_number import SafetyNumber

from . import ask
from .addresses import with_port
from .book import Book
from .conversations import open_conversations
from .encounter import BY, day
from .exits import CliError, Exit
from .home import own_identity
from .names import claimed, label
from .output import Output
from .qr import qr
from .signals import run
from .ways import way


def _fields(contact: Contact) -> dict[str, object]:
    return {
        "name": contact.name,
        "claimed_name": contact.claimed_name,
        "id": contact.id,
        "words": list(contact.words),
        "grade": contact.grade.name.lower(),
        "how": contact.how,
        "known_since": contact.first_seen,
        "graded_at": contact.graded_at,
        "last_seen": contact.last_seen,
        "blocked": contact.blocked,
        "addresses": [with_port(a.host, a.port) for a in contact.addresses],
    }


def _grade(contact: Contact) -> str:
    if contact.grade is Grade.SEEN:
        return "not verified"
    return f"{BY[contact.how]} on {day(contact.graded_at)}"


def list_all(output: Output) -> None:
    """Everybody, a line each."""
    contacts = Book(own_identity(output)).read().contacts
    if not contacts:
        output.status("none", f"No contacts yet. Begin with: {way('invite')}, or {way('listen')}")
    for contact in contacts:
        shown = label(contact, [other for other in contacts if other is not contact])
        blocked = ", BLOCKED" if contact.blocked else ""
        output.data(
            f"{shown}: {_grade(contact)}, known since {day(contact.first_seen)}{blocked}",
            event="contact",
            **_fields(contact),
        )


def show(name: str, output: Output) -> None:
    """All that is known of one. Raises NoSuchContact."""
    contact = Book(own_identity(output)).read().get(name)
    claim = claimed(contact.claimed_name)
    where = ", ".join(with_port(a.host, a.port) for a in contact.addresses)
    output.data(
        f"{contact.name}\n"
        + (f'  calls themself: "{claim}"\n' if claim else "")
        + f"  id: {contact.id}\n"
        f"  safety words: {' '.join(contact.words)}\n"
        f"  {_grade(contact)}\n"
        f"  known since {day(contact.first_seen)}, last met on {day(contact.last_seen)}"
        + (f"\n  answered at {where}" if where else "")
        + ("\n  BLOCKED" if contact.blocked else ""),
        event="contact",
        **_fields(contact),
    )


def rename(name: str, new_name: str, output: Output) -> None:
    """Raises NoSuchContact, NameRefused."""
    contact = Book(own_identity(output)).change(lambda book: book.rename(name, new_name))
    output.status(
        "renamed", f"{name} is called {contact.name} now.", name=contact.name, id=contact.id
    )


def verify(name: str, output: Output) -> None:
    """Show the safety number, and ask for what the other side shows.

    Raises NoSuchContact, CliError where it is another or none.
    """
    run(_verify(Book(own_identity(output)), name, output))


async def _verify(book: Book, name: str, output: Output) -> None:
    contact = book.read().get(name)
    number = SafetyNumber(book.identity.public_key, contact.identity)
    picture = qr(number.qr_text, shutil.get_terminal_size().columns) if output.to_terminal else None
    output.data(
        safety_number_text(contact, number) + (f"\n{picture}\n" if picture else ""),
        event="safety_number",
        name=contact.name,
        words=list(number.words),
        digits=number.digits,
        qr=number.qr_text,
    )
    typed = await ask.line("What does the other side show? (Enter: not now) ")
    if not typed:
        raise CliError(f"{contact.name} is as verified as before", Exit.NOT_CONFIRMED)
    contact = compared(book, contact, typed)
    output.status("verified", equal(contact), name=contact.name, id=contact.id)


def safety_number_text(contact: Contact, number: SafetyNumber) -> str:
    """As it is shown to a person, in both its forms."""
    rows = [number.words[at : at + 4] for at in range(0, 16, 4)]
    blocks = " ".join(number.digits[at : at + 5] for at in range(0, 50, 5))
    return (
        f"The safety number of {contact.name} and you, the same on both sides:\n\n"
        + "\n".join("  " + " ".join(row) for row in rows)
        + f"\n\n  {blocks[:29]}\n  {blocks[30:]}\n"
    )


def compared(book: Book, contact: Contact, typed: str) -> Contact:
    """The contact, verified by what the other side shows. Raises CliError where it is another."""
    if not SafetyNumber(book.identity.public_key, contact.identity).matches(typed):
        raise CliError(
            f"this is NOT the safety number of {contact.name} and you. If it was typed right, "
            "somebody is in between, or it is another person's; do not trust this contact: "
            f"{way('contact', 'block', contact.name)}",
            Exit.TRUST,
        )
    # By id: meanwhile the name may have become somebody else's.
    return book.change(lambda contacts: contacts.verify(contact.id, time.time()))


def equal(contact: Contact) -> str:
    """What to say of it."""
    return f"They are equal: {contact.name} is verified."


def trust(name: str, new_id: str, output: Output) -> None:
    """Raises InvalidId, NoSuchContact and what a book raises."""
    key = decode_id(new_id)
    contact = Book(own_identity(output)).change(lambda book: book.trust(name, key, time.time()))
    output.status(
        "trusted",
        f"{contact.name} is from now on\n  {contact.id}\nand not verified. To verify:\n"
        f"  {way('contact', 'verify', contact.name)}",
        name=contact.name,
        id=contact.id,
    )


def block(name: str, output: Output, *, blocked: bool) -> None:
    """Raises NoSuchContact."""
    contact = Book(own_identity(output)).change(lambda book: book.block(name, blocked=blocked))
    what = "blocked" if blocked else "allowed again"
    output.status(
        "blocked",
        f"{contact.name} is {what}.",
        name=contact.name,
        id=contact.id,
        blocked=blocked,
    )


def remove(name: str, output: Output) -> None:
    """With all that was kept of chats with them. Raises NoSuchContact, ConversationBusy."""
    book = Book(own_identity(output))
    contact = book.read().get(name)
    with open_conversations(book.identity) as conversations:
        conversations.forget(contact.identity)
    book.change(lambda contacts: contacts.remove(contact.id))
    output.status("removed", f"{contact.name} is forgotten.", name=contact.name, id=contact.id)
