"""``--help`` fits a screen, the manual is that of the program, and neither takes long."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from e2ee_cli.completion import ASKED
from e2ee_cli.main import app

ROOT = Path(__file__).parent.parent.parent
COLUMNS, ROWS = 80, 24

READ_NOTHING = {
    *("completion", "schema"),
    *("contact list", "contact show", "contact rename", "contact trust"),
    *("contact block", "contact unblock", "contact remove"),
    *("id", "id show", "id export", "id rotate-device", "invite list", "invite revoke"),
    *("history", "history show", "history delete", "nearby", "doctor", "send"),
}

HEAVY = {
    *("cryptography", "pydantic", "pydantic_core", "prompt_toolkit", "zeroconf", "segno", "ifaddr"),
    *("confusable_homoglyphs", "asyncio", "ssl", "logging", "rich", "importlib.metadata"),
    *("sqlite3", "tomllib", "ctypes", "email"),
}


def contexts(command: Any, parent: Any = None, name: str = "e2ee") -> Iterator[Any]:
    """Of each command and group."""
    context = command.make_context(
        name, [], parent=parent, resilient_parsing=True, terminal_width=COLUMNS - 2
    )
    yield context
    for word, below in getattr(command, "commands", {}).items():
        yield from contexts(below, context, word)


CONTEXTS = {c.command_path.partition(" ")[2]: c for c in contexts(typer.main.get_command(app))}


@pytest.mark.parametrize("name", CONTEXTS)
def test_the_help_of_a_command_fits_a_screen(name: str) -> None:
    lines = CONTEXTS[name].get_help().splitlines()
    assert max(map(len, lines)) < COLUMNS
    # The list of all commands may grow beyond a screen; the prompt is a row.
    assert len(lines) < ROWS or name == ""


@pytest.mark.parametrize(
    "name", [n for n, c in CONTEXTS.items() if c.command.callback and n not in READ_NOTHING | {""}]
)
def test_the_help_of_a_command_says_what_it_reads(name: str) -> None:
    assert "tandard input" in " ".join(CONTEXTS[name].get_help().split())


def test_the_manual_is_that_of_the_program() -> None:
    path = ROOT / "tests" / "man_page.py"
    spec = importlib.util.spec_from_file_location("man_page", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run: python tests/man_page.py --write"
    for name in CONTEXTS:
        assert name.replace("-", r"\-") in module.page()


@pytest.mark.parametrize(
    "command",
    [
        ["mandoc", "-T", "lint", "-W", "error"],
        ["man", "--warnings", "-E", "UTF-8", "-l"],
    ],
)
def test_the_manual_can_be_shown(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    run = subprocess.run(
        [*command, str(ROOT / "docs" / "e2ee.1")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MANWIDTH": "80"},
    )
    assert run.stderr == ""
    assert "contact verify" in run.stdout or command[0] == "mandoc"


@pytest.mark.parametrize(("words", "asked"), [(["--help"], {}), (["con"], {ASKED: "1"})])
def test_help_and_completion_import_nothing_that_takes_long(
    e2ee: Any, words: list[str], asked: dict[str, str]
) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", e2ee.path, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}, **asked},
    )
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "connect" in run.stdout
    assert "e2ee_cli.main" in imported
    assert imported & HEAVY == set()
