"""What becomes of a command's errors: one line on stderr, and an exit code."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

import typer

from .exits import CliError, Exit, describe, exit_code
from .output import Output

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def report_errors(output: Output, work: Callable[[], None]) -> None:
    """Run a command's work. Raises typer.Exit with the code of its error."""
    try:
        work()
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except Exception as error:  # noqa: BLE001 -- a user never sees a traceback
        code = exit_code(error)
        fields = error.fields if isinstance(error, CliError) else {}
        report(output, describe(error), code, type(error).__name__, **fields)
        raise typer.Exit(code) from None


def report(output: Output, message: str, code: int, kind: str, **fields: object) -> None:
    """Say what went wrong. ``kind`` -- the name of the exception's class."""
    # The terminal has just shown ^C where the cursor was.
    begin = "\n" if code == Exit.INTERRUPTED and os.isatty(0) else ""
    output.status(
        "error", f"{begin}e2ee: {message}", message=message, code=code, kind=kind, **fields
    )
