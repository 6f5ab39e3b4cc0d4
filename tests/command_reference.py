"""Prints docs/commands.md, the page of all commands, from the commands themselves.

``python -m tests.command_reference --write`` writes it; a test compares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from e2ee_cli.main import app
from tests.man_page import commands, value

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"

BEGIN = """\
# Commands

As `e2ee COMMAND --help` and `man e2ee` say it: this page is made of the program. What a command
reads and writes is in [In scripts](scripting.md), as are the [settings](scripting.md#settings)
that stand for options; [exit codes](../README.md#in-scripts) are in the README.
"""


def options(parameters: list[Any]) -> Iterator[str]:
    if parameters:
        yield "| | |"
        yield "|---|---|"
    for parameter in parameters:
        names = [value(parameter)]
        if parameter.param_type_name == "option":
            names = [f"{name} {value(parameter)}".rstrip() for name in parameter.opts]
        shown = ", ".join(f"`{name}`" for name in names).replace("|", r"\|")
        default = ""
        if parameter.default not in (None, "", False):
            default = f" Default: `{parameter.default}`."
        yield f"| {shown} | {parameter.help or ''}{default} |"


def page() -> str:
    program: Any = typer.main.get_command(app)
    lines = [BEGIN, "## Before the command", "", *options(program.params), ""]
    for word, top in program.commands.items():
        for name, command in commands(top, word):
            arguments = [p for p in command.params if p.param_type_name == "argument"]
            shown = [value(p) if p.required else f"[{value(p)}]" for p in arguments]
            lines += [f"## e2ee {name}", "", f"`{' '.join(['e2ee', name, *shown])}`", ""]
            for paragraph in re.split(r"\n\s*\n", command.help or ""):
                lines += [" ".join(paragraph.split()), ""]
            lines += [*options(command.params), ""]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def main() -> None:
    if "--write" in sys.argv:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        raise SystemExit(
            "docs/commands.md is behind the program: run python -m tests.command_reference --write"
        )


if __name__ == "__main__":
    main()
