"""docs/commands.md is what the program's commands are, and other pages name no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from e2ee_cli.main import app
from tests import command_reference
from tests.man_page import commands

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(ROOT.glob("docs/*.md"))]
PROGRAM: Any = typer.main.get_command(app)


def named(text: str) -> Iterator[list[str]]:
    """The words of each command line of the program's, in examples and in sentences."""
    for line in re.findall(r"(?m)(?:`|^ *[a-z]*\$ |^)e2ee ([a-z-][^`\n|;&><]*)", text):
        yield line.split()


def unknown(words: list[str]) -> str | None:
    """The first word that the program does not know."""
    command, options, value = PROGRAM, {"--help"}, False
    for word in words:
        options |= {name for each in command.params for name in each.opts}
        if word.startswith("-"):
            if word.partition("=")[0] not in options:
                return word
            value = word in {"--profile", "--log-file"}
        elif word in getattr(command, "commands", {}) and not value:
            command = command.commands[word]
        elif command is PROGRAM and not value and word not in {"COMMAND", "…"}:
            return word
        else:
            value = False
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_command_or_option_that_is_not_there(page: Path) -> None:
    wrong = [words for words in named(page.read_text()) if unknown(words)]
    assert wrong == []


def test_a_command_that_is_not_there_is_seen() -> None:
    text = "Run `e2ee -q call bob`.\n$ e2ee send --fast a\nbob$ e2ee --profile bob id show --json\n"
    assert [unknown(words) for words in named(text)] == ["call", "--fast", None]


def test_the_page_of_commands_is_that_of_the_program() -> None:
    page = command_reference.PAGE.read_text()
    assert page == command_reference.page(), "run: python -m tests.command_reference --write"


def test_it_has_every_command_and_every_option() -> None:
    page = command_reference.page()
    for word, top in PROGRAM.commands.items():
        for name, command in commands(top, word):
            _, _, section = page.partition(f"\n## e2ee {name}\n")
            section = section.partition("\n## ")[0]
            assert section, name
            for parameter in command.params:
                assert parameter.param_type_name == "argument" or parameter.opts[0] in section
