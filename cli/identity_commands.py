"""``e2ee id …``: the options of the commands on who I am."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import Output
from .reports import JsonOption, report_errors

app = typer.Typer(help="Who I am: show, export, import, passphrase, rotate-device.")


@app.callback(invoke_without_command=True)
def identity(context: typer.Context, json: JsonOption = False) -> None:
    """Who I am: my id and my safety words. Makes an identity on first use."""
    if context.invoked_subcommand is None:
        show(json)
    elif json:
        raise typer.BadParameter(f"--json stands after {context.invoked_subcommand}")


@app.command()
def show(json: JsonOption = False) -> None:
    """My id and my safety words."""
    from . import own_identity

    output = Output(as_json=json)
    report_errors(output, lambda: own_identity.show(output))


@app.command()
def export(
    file: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="Write it to this new file.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """A backup of my identity as words, to print and lock away. Whoever has it can be me."""
    from . import own_identity

    output = Output(as_json=json)
    report_errors(output, lambda: own_identity.export(file, output))


@app.command("import")
def import_identity(json: JsonOption = False) -> None:
    """Restore an identity from its backup: type the words, or pipe the exported text in.

    It is read from standard input.
    """
    from . import own_identity

    output = Output(as_json=json)
    report_errors(output, lambda: own_identity.bring_back(output))


@app.command()
def passphrase(
    new_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Read the new passphrase from this file's first line."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Unlock the file for good.")] = False,
    json: JsonOption = False,
) -> None:
    """Lock my identity with a passphrase, change it, or remove it.

    I ask at the terminal; standard input is not read.
    """
    from . import own_identity

    output = Output(as_json=json)
    report_errors(output, lambda: own_identity.passphrase(new_file, output, remove=remove))


@app.command("rotate-device")
def rotate_device(json: JsonOption = False) -> None:
    """Make a new device key, for instance after this machine was in other hands."""
    from . import own_identity

    output = Output(as_json=json)
    report_errors(output, lambda: own_identity.rotate_device(output))
