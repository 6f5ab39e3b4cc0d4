"""``e2ee contact …``: whom one knows, and how well."""

from __future__ import annotations

import shutil
import time
from typing import Annotated

import typer

from e2ee.contacts import Contact, Grade
from e2ee.ids import decode_id
from e2ee.safety_number import SafetyNumber

from . import ask
from .addresses import with_port
from .book import Book
from .encounter import BY, day
from .exits import CliError, Exit
from .home import own_identity
from .names import claimed, label
from .output import Output
from .qr import qr
from .reports import JsonOption, report_errors
from .signals import run
from .ways import way

app = typer.Typer(help="Whom I know: list, show, rename, verify, trust, block, remove.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A contact's name or id.")]


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


@app.command("list")
def list_contacts(json: JsonOption = False) -> None:
    """Everybody I have met."""
    output = Output(as_json=json)

    def work() -> None:
        contacts = Book(own_identity(output)).read().contacts
        if not contacts:
            output.status(
                "none", f"No contacts yet. Begin with: {way('invite')}, or {way('listen')}"
            )
        for contact in contacts:
            shown = label(contact, [other for other in contacts if other is not contact])
            blocked = ", BLOCKED" if contact.blocked else ""
            output.data(
                f"{shown}: {_grade(contact)}, known since {day(contact.first_seen)}{blocked}",
                **_fields(contact),
            )

    report_errors(output, work)


@app.command()
def show(name: Name, json: JsonOption = False) -> None:
    """All that is known of one contact."""
    output = Output(as_json=json)

    def work() -> None:
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
            **_fields(contact),
        )

    report_errors(output, work)


@app.command()
def rename(name: Name, new_name: str) -> None:
    """Call a contact something else; only I see it."""
    output = Output(as_json=False)

    def work() -> None:
        contact = Book(own_identity(output)).change(lambda book: book.rename(name, new_name))
        output.status("renamed", f"{name} is called {contact.name} now.")

    report_errors(output, work)


@app.command()
def verify(name: Name, json: JsonOption = False) -> None:
    """Compare the safety number with the other person, who runs the same command.

    Read it to each other, or hold the QR codes side by side. Then type or paste what the other
    side shows: its sixteen words (three letters of each are enough), its digits, or its id.
    """
    output = Output(as_json=json)
    report_errors(output, lambda: run(_verify(Book(own_identity(output)), name, output)))


async def _verify(book: Book, name: str, output: Output) -> None:
    contact = book.read().get(name)
    number = SafetyNumber(book.identity.public_key, contact.identity)
    picture = qr(number.qr_text, shutil.get_terminal_size().columns) if output.to_terminal else None
    rows = [number.words[at : at + 4] for at in range(0, 16, 4)]
    blocks = " ".join(number.digits[at : at + 5] for at in range(0, 50, 5))
    output.data(
        f"The safety number of {contact.name} and you, the same on both sides:\n\n"
        + "\n".join("  " + " ".join(row) for row in rows)
        + f"\n\n  {blocks[:29]}\n  {blocks[30:]}\n"
        + (f"\n{picture}\n" if picture else ""),
        name=contact.name,
        words=list(number.words),
        digits=number.digits,
        qr=number.qr_text,
    )
    typed = await ask.line("What does the other side show? (Enter: not now) ")
    if not typed:
        raise CliError(f"{contact.name} is as verified as before", Exit.NOT_CONFIRMED)
    if not number.matches(typed):
        raise CliError(
            f"this is NOT the safety number of {contact.name} and you. If it was typed right, "
            "somebody is in between, or it is another person's; do not trust this contact: "
            f"{way('contact', 'block', contact.name)}",
            Exit.TRUST,
        )
    # By id: meanwhile the name may have become somebody else's.
    contact = book.change(lambda contacts: contacts.verify(contact.id, time.time()))
    output.status(
        "verified", f"They are equal: {contact.name} is verified.", name=contact.name, id=contact.id
    )


@app.command()
def trust(
    name: Name,
    new_id: Annotated[str, typer.Argument(metavar="ID", help="Their new id, e2ee1…")],
) -> None:
    """Accept one new identity of a contact, who has to be verified anew."""
    output = Output(as_json=False)

    def work() -> None:
        key = decode_id(new_id)
        contact = Book(own_identity(output)).change(lambda book: book.trust(name, key, time.time()))
        output.status(
            "trusted",
            f"{contact.name} is from now on\n  {contact.id}\nand not verified. To verify:\n"
            f"  {way('contact', 'verify', contact.name)}",
        )

    report_errors(output, work)


@app.command()
def block(name: Name) -> None:
    """Refuse every call from and to a contact."""
    _block(name, blocked=True)


@app.command()
def unblock(name: Name) -> None:
    """Allow a contact again."""
    _block(name, blocked=False)


def _block(name: str, *, blocked: bool) -> None:
    output = Output(as_json=False)

    def work() -> None:
        contact = Book(own_identity(output)).change(lambda book: book.block(name, blocked=blocked))
        what = "blocked" if blocked else "allowed again"
        output.status("blocked", f"{contact.name} is {what}.")

    report_errors(output, work)


@app.command()
def remove(name: Name) -> None:
    """Forget a contact; at the next meeting they are new."""
    output = Output(as_json=False)

    def work() -> None:
        contact = Book(own_identity(output)).change(lambda book: book.remove(name))
        output.status("removed", f"{contact.name} is forgotten.")

    report_errors(output, work)
