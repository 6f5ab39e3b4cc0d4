"""The command line: each command's options, and what becomes of its errors."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from . import connect as connecting
from . import demo as demonstration
from . import listen as listening
from .addresses import DEFAULT_PORT
from .exits import Exit, describe, exit_code
from .home import own_identity
from .output import Output
from .signals import run

app = typer.Typer(
    name="e2ee",
    help="End-to-end encrypted chat between two terminals. Begin with: e2ee demo",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Peer = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Talk to this identity (e2ee1…) only, and to nobody else."),
]


def _report_errors(output: Output, work: Callable[[], None]) -> None:
    try:
        work()
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except Exception as error:  # noqa: BLE001 -- a user never sees a traceback
        code = exit_code(error)
        _report(output, describe(error), code)
        raise typer.Exit(code) from None


def _report(output: Output, message: str, code: int) -> None:
    # The terminal has just shown ^C where the cursor was.
    begin = "\n" if code == Exit.INTERRUPTED and os.isatty(0) else ""
    output.status("error", f"{begin}e2ee: {message}", message=message, code=code)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.")
    ] = False,
) -> None:
    if show_version:
        typer.echo(f"e2ee {version('e2ee-session')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(
    wire: Annotated[
        bool, typer.Option("--wire", help="Show the bytes that an eavesdropper sees.")
    ] = False,
) -> None:
    """Chat with a second process on this machine; nothing else is needed."""
    output = Output(as_json=False, always_label=True)
    _report_errors(output, lambda: run(demonstration.demo(wire=wire, output=output)))


@app.command()
def listen(
    host: Annotated[
        str | None, typer.Option(help="Listen on this address or name only, not on all.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port; 0 for any free one.")
    ] = DEFAULT_PORT,
    peer: Peer = None,
    json: Json = False,
) -> None:
    """Wait for somebody to connect, and chat."""
    output = Output(as_json=json)
    _report_errors(output, lambda: run(listening.listen(host, port, peer=peer, output=output)))


@app.command()
def connect(
    address: Annotated[str, typer.Argument(metavar="HOST[:PORT]", show_default=False)],
    peer: Peer = None,
    json: Json = False,
) -> None:
    """Connect to somebody who listens, and chat. Reads lines from standard input."""
    output = Output(as_json=json)
    _report_errors(output, lambda: run(connecting.connect(address, peer=peer, output=output)))


@app.command("id")
def show_id(json: Json = False) -> None:
    """Show who I am: my id and my safety words."""
    output = Output(as_json=json)

    def work() -> None:
        identity = own_identity(output)
        words = " ".join(identity.words)
        output.data(
            f"{identity.id}\nsafety words: {words}", id=identity.id, words=list(identity.words)
        )

    _report_errors(output, work)


def main() -> NoReturn:
    # A dump of memory would hold keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding lacks is shown as an escape, not as a traceback.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    output = Output(as_json="--json" in sys.argv)  # For errors from before a command has begun.
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        code = error.exit_code
        _report(output, f"{error.format_message().rstrip('.')}; see e2ee --help", code)
    except OSError as error:  # From --help and --version; commands report their own.
        code = Exit.FILES
        _report(output, f"cannot write to standard output: {error.strerror}", code)
    sys.exit(code)


def _open_missing_streams() -> None:
    """Where a standard stream is closed, the next file or socket would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "r" if number == 0 else "w"))  # noqa: SIM115
