"""What stands on a command line is in the shell's history, and every program can read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from e2ee_cli.main import app

SECRET = re.compile(
    r"password|secret|phrase|code|link|\bkeys?\b|words|seed|token|psk", re.IGNORECASE
)

NO_SECRETS = {
    ("invite", "link"): "a flag: by a link, not by a code",
    ("join", "link"): "a flag: asks for a link",
    ("join", "file"): "the name of a file",
    ("invite", "expires"): "how long a link is good",
    ("connect", "timeout"): "seconds; the help names an exit code",
    ("invite revoke", "link"): "eight digits that name a link in the list",
    ("id passphrase", "new_file"): "the name of a file",
}
BY_CHOICE = ("join", "code")
"""It is good for one try in this minute, and the help says that to be asked is safer."""


def parameters(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for parameter in command.params:
        yield path, parameter
    for name, below in getattr(command, "commands", {}).items():
        yield from parameters(below, f"{path} {name}".strip())


@pytest.mark.attack(81)
def test_no_option_takes_a_secret(figure: Callable[[str], None]) -> None:
    seen = list(parameters(typer.main.get_command(app)))
    named = {
        (path, parameter.name): parameter
        for path, parameter in seen
        if SECRET.search(f"{parameter.name} {getattr(parameter, 'help', '')}")
    }
    assert set(named) == {*NO_SECRETS, BY_CHOICE}
    assert "Without it I ask: safer" in named[BY_CHOICE].help
    for place, why in NO_SECRETS.items():
        assert getattr(named[place], "is_flag", False) is why.startswith("a flag")
    figure(
        f"arguments: of {len(seen)} parameters none takes a key, a passphrase or a link; one takes "
        "a spoken code, if somebody prefers that to being asked"
    )
