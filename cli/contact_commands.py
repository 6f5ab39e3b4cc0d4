"""``e2ee contact …``: the options of the commands on whom one knows."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import Output
from .reports import JsonOption, report_errors

app = typer.Typer(help="Whom I know: list, show, rename, verify, trust, block, remove.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A contact's name or id.")]


@app.command("list")
def list_contacts(json: JsonOption = False) -> None:
    """Everybody I have met."""
    from . import acquaintance

    output = Output(as_json=json)
    report_errors(output, lambda: acquaintance.list_all(output))


@app.command()
def show(name: Name, json: JsonOption = False) -> None:
    """All that is known of one contact."""
    from . import acquaintance

    output = Output(as_json=json)
    report_errors(output, lambda: acquaintance.show(name, output))


@app.command()
def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="What to call them.")],
    json: JsonOption = False,
) -> None:
    """Call a contact something else; only I see it."""
    from . import acquaintance

    output = Output(as_json=json)
    report_errors(output, lambda: acquaintance.rename(name, new_name, output))


@app.command()
def verify(name: Name, json: JsonOption = False) -> None:
    """Compare the safety number with the other person, who runs the same command.

    Read it to each other, or hold the QR codes side by side. Then type or paste what the other
    side shows: its sixteen words (three letters of each are enough), its digits, or its id.
    In a script it is the first line of standard input.
    """
    from . import acquaintance

    output = Output(as_json=json)
    report_errors(output, lambda: acquaintance.verify(name, output))


@app.command()
def trust(
    name: Name,
    new_id: Annotated[str, typer.Argument(metavar="ID", help="Their new id, e2ee1…")],
    json: JsonOption = False,
) -> None:
    """Accept one new identity of a contact, who has to be verified anew."""
    from . import acquaintance

    output = Output(as_json=json)
    report_errors(output, lambda: acquaintance.trust(name, new_id, output))


@app.command()
def block(name: Name, json: JsonOption = False) -> None:
    """Refuse every call from and to a contact."""
    from . import acquaintance

    output = Output(as_json=json)
    report_errors(output, lambda: acquaintance.block(name, output, blocked=True))


@app.command()
def unblock(name: Name, json: JsonOption = False) -> None:
    """Allow a contact again."""
    from . import acquaintance

    output = Output(as_json=json)
    report_errors(output, lambda: acquaintance.block(name, output, blocked=False))


@app.command()
def remove(name: Name, json: JsonOption = False) -> None:
    """Forget a contact; at the next meeting they are new."""
    from . import acquaintance

    output = Output(as_json=json)
    report_errors(output, lambda: acquaintance.remove(name, output))
