"""Prints docs/e2ee.1, the page for ``man``, from the commands and the settings.

``python tests/man_page.py`` checks that the page is that of the program; with ``--write`` it is
written.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from e2ee_cli.main import app
from e2ee_cli.settings import SETTINGS, option, variable

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "e2ee.1"


def plain(text: str) -> str:
    """Text as roff shows it unchanged."""
    text = text.replace("\\", r"\(rs").replace("-", r"\-").replace("`", "").replace("…", "...")
    text = " ".join(text.split())
    return rf"\&{text}" if text.startswith((".", "'")) else text


def value(parameter: Any) -> str:
    if parameter.param_type_name == "option" and parameter.is_flag:
        return ""
    if choices := parameter.type_descriptor.choices:
        return "|".join(choices)
    return str(parameter.metavar or parameter.name.upper())


def definition(parameter: Any) -> Iterator[str]:
    yield ".TP"
    if parameter.param_type_name == "option":
        names = ", ".join(rf"\fB{plain(name)}\fR" for name in parameter.opts)
        yield f"{names} {value(parameter)}".rstrip()
    else:
        yield rf"\fI{plain(value(parameter))}\fR"
    yield plain(parameter.help or "")


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Those that can be run, with their full names."""
    below = getattr(command, "commands", {})
    if not below or (command.callback is not None and command.params):
        yield name, command
    for word, each in below.items():
        if not each.hidden:
            yield from commands(each, f"{name} {word}")


def page() -> str:
    program: Any = typer.main.get_command(app)
    lines = [
        r".\" Made by tests/man_page.py.",
        '.TH E2EE 1 "" e2ee',
        ".SH NAME",
        r"e2ee \- end\-to\-end encrypted chat between two terminals",
        ".SH SYNOPSIS",
        r"\fBe2ee\fR [options] command [options] [arguments]",
        ".SH OPTIONS",
        "These stand before the command.",
    ]
    for parameter in program.params:
        lines += definition(parameter)
    lines.append(".SH COMMANDS")
    for word, top in program.commands.items():
        for name, command in commands(top, word):
            arguments = [p for p in command.params if p.param_type_name == "argument"]
            shown = [value(p) if p.required else f"[{value(p)}]" for p in arguments]
            values = plain(" ".join(shown))
            lines += [f".SS {plain(name)} {values}".rstrip()]
            paragraphs = re.split(r"\n\s*\n", command.help or "")
            lines += "\n.PP\n".join(map(plain, paragraphs)).splitlines()
            for parameter in command.params:
                lines += definition(parameter)
    lines += [".SH SETTINGS", "In config.toml in the folder of the profile, or in the environment."]
    for key, setting in SETTINGS.items():
        ways = [variable(key), *([option(key)] if setting.option else [])]
        lines += [
            ".TP",
            rf"\fB{plain(key)}\fR ({plain(', '.join(ways))})",
            plain(f"{setting.meaning}: {setting.values}. Default: {setting.default}."),
        ]
    lines += [".SH EXIT STATUS", "0 when all is done and confirmed."]
    rows = re.findall(r"(?m)^\| ([\d, ]+) \| (.*) \|$", (ROOT / "README.md").read_text())
    for codes, meaning in rows[1:]:
        lines += [".TP", codes, plain(meaning)]
    lines += [
        ".SH FILES",
        "The folder of a profile is the platform's for user data (~/.local/share/e2ee on Linux),",
        r"or the one that E2EE_HOME names. It has identity, contacts and config.toml.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    if "--write" in sys.argv:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        raise SystemExit("docs/e2ee.1 is behind the program: run python tests/man_page.py --write")


if __name__ == "__main__":
    main()
