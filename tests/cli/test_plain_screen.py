"""The screen that only appends: at simple terminals, in pipes, for screen readers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .terminal_emulator import PROGRAM, ScreenProgram


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ScreenProgram]]:
    opened: list[ScreenProgram] = []

    def open_one(*options: str, **settings: Any) -> ScreenProgram:
        opened.append(ScreenProgram(tmp_path, *options, **settings))
        opened[-1].do(footer={"text": "bob · verified"})
        opened[-1].wait_for("bob · verified")
        return opened[-1]

    yield open_one
    for program in opened:
        program.close()


@pytest.mark.parametrize(("options", "term"), [(["plain"], "xterm"), ([], "dumb")])
def test_a_plain_screen_only_appends(
    start: Callable[..., ScreenProgram], options: list[str], term: str
) -> None:
    program = start(*options, TERM=term, NO_COLOR="1")
    program.do(footer={"text": "bob · verified"})
    program.show("hello\nyou")
    program.do(waiting={"texts": ["hi"], "state": "not delivered yet: no connection"})
    program.do(waiting={"texts": ["hi", "again"], "state": "not delivered yet: no connection"})
    program.do(progress=["photo.jpg 1 %"])
    program.do(progress=["photo.jpg 2 %"])
    program.do(waiting={"texts": [], "state": ""})
    program.show("hi", kind="ours", speaker="you")
    program.show("bob \x1b[2Jhas left", kind="note", speaker="")
    program.wait_for("has left")
    assert "\x1b" not in program.raw
    first, *others = program.rows
    assert first == "bob · verified"
    assert [row[5:] if "hello" in row else row for row in others] == [
        " bob: hello",
        " " * 11 + "you",
        "(not delivered yet: no connection)",
        "photo.jpg 1 %",
        "(delivered)",
        r"bob \x1b[2Jhas left",
    ]
    program.send("\x04")
    assert program.process.wait(20) == 0


def test_commands_are_typed_and_what_is_pasted_is_text(
    start: Callable[..., ScreenProgram],
) -> None:
    program = start("plain")
    program.send("/help\r")
    program.wait(lambda: program.typed == [["help", ""]])
    time.sleep(0.1)
    program.send("one\r/quit\rthree\r")
    program.wait(lambda: program.typed[1:] == ["one", "/quit", "three"])
    time.sleep(0.1)
    program.send("/unknown\r")
    program.wait_for("No such command")
    assert len(program.typed) == 4


def test_in_a_pipe_every_line_is_text_and_only_the_peer_is_on_standard_output(
    tmp_path: Path,
) -> None:
    control, typed = tmp_path / "control", tmp_path / "typed"
    control.write_text(
        '{"show": {"speaker": "bob", "body": "hello\\nyou"}}\n{"footer": {"text": "verified"}}\n'
    )
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(control), str(typed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"hello\\nyou\n"
    out, err = process.communicate(b"/quit\n\n//x\n", timeout=20)
    assert (out, err, process.returncode) == (b"", b"verified\n", 0)
    assert typed.read_text() == '"/quit"\n""\n"//x"\n'
