"""The examples are run as somebody would run them: as programs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@dataclass(frozen=True)
class Person:
    file: Path
    id: str


def command(example: str, *arguments: object) -> list[str]:
    return [
        *(sys.executable, "-W", "error", str(EXAMPLES / f"{example}.py")),
        *map(str, arguments),
    ]


def run(example: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run it to its end; whatever happens there, it shows no traceback."""
    ended = subprocess.run(
        command(example, *arguments), capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Person, Person, Person]:
    """Two who know each other, and a stranger."""
    files = [tmp_path_factory.mktemp("identity") / "key" for _ in range(3)]
    one, other, stranger = (
        Person(file, run("new_identity", file).stdout.strip()) for file in files
    )
    return one, other, stranger


@pytest.fixture
def start() -> Iterator[Callable[..., str]]:
    """Start an example that goes on, and wait for the first line that it prints."""
    with ExitStack() as stack:

        def begin(example: str, *arguments: object) -> str:
            program = stack.enter_context(
                subprocess.Popen(
                    command(example, *arguments),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(stop, program)
            assert program.stdout is not None
            line = program.stdout.readline().strip()
            assert line or program.poll() is None
            return line

        yield begin


def stop(program: subprocess.Popen[str]) -> None:
    program.kill()
    _, errors = program.communicate(timeout=10)
    assert "Traceback" not in errors, errors
    assert "never retrieved" not in errors, errors
