"""The program of docs/first-program.md, as it stands there, in two processes."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "first-program.md").read_text()
PROGRAM, KEEPING = re.findall(r"(?ms)^```python\n(.*?)^```$", PAGE)
TIMEOUT = 60
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts the program with these arguments, in a folder of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert PROGRAM.count("4000") == 2
    (tmp_path / "hello.py").write_text(PROGRAM.replace("4000", str(port)))
    with ExitStack() as running:

        def start(*arguments: str) -> Any:
            process = running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-u", "-W", "error", "hello.py", *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=tmp_path,
                )
            )
            running.callback(process.kill)
            return process

        yield start


def code_of(inviter: subprocess.Popen[str]) -> str:
    assert inviter.stdout is not None
    said = re.fullmatch(r"Code: (1(-[a-z]+){3})\n", inviter.stdout.readline())
    assert said
    return said[1]


def test_it_has_25_lines_at_most() -> None:
    assert len([line for line in PROGRAM.splitlines() if line.strip()]) <= 25


def test_two_processes_greet_each_other(run: Run) -> None:
    inviter = run()
    joiner = run("join")
    greeting = r"[a-z]+ says b'Hello!'\n"
    out, err = joiner.communicate(code_of(inviter) + "\n", timeout=TIMEOUT)
    assert (joiner.returncode, err) == (0, "")
    assert re.fullmatch("Code: " + greeting, out)
    out, err = inviter.communicate(timeout=TIMEOUT)
    assert (inviter.returncode, err) == (0, "")
    assert re.fullmatch(greeting, out)


def test_a_wrong_word_ends_it_for_both(run: Run) -> None:
    inviter = run()
    *right, last = code_of(inviter).split("-")
    wrong = "-".join([*right, "zebra" if last != "zebra" else "acrobat"])
    for code in (wrong, "-".join([*right, last])):
        joiner = run("join")
        out, err = joiner.communicate(code + "\n", timeout=TIMEOUT)
        assert joiner.returncode == 1
        assert "says" not in out
        assert re.search(r"(?m)^e2ee\.errors\.(WrongCode|InvitationRefused): ", err)
    assert inviter.stdout is not None
    assert "somebody tried a wrong code, which is burned now" in inviter.stdout.readline()


def test_an_identity_is_kept(tmp_path: Path) -> None:
    ids = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", KEEPING],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            cwd=tmp_path,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert ids[0] == ids[1]
    assert re.fullmatch(r"e2ee1\w{58}\n", ids[0])
