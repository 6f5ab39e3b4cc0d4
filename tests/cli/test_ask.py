"""Questions: at a terminal, which is left as it was, and from a pipe, which may never end."""

from __future__ import annotations

import array
import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from e2ee.ids import word_list
from e2ee.invitation import Link

MAX_ANSWER = 4096

LINK = Link(bytes(range(32)), bytes(range(32, 64)), 2**33, (("192.0.2.7", 3233),)).text

ASK = """
import asyncio, sys
from e2ee_cli import ask
from e2ee_cli.exits import CliError
question = {"code": ask.code, "link": ask.link, "line": lambda: ask.line("Value: ")}[sys.argv[1]]
try:
    answer = asyncio.run(question())
except CliError as error:
    print("REFUSED", int(error.code), error)
else:
    print("ANSWER", len(answer), sum(answer.encode()), answer if sys.argv[1] != "link" else "")
"""
"""Tells of a link only its length and the sum of its bytes: the test looks for it on the screen."""

READY = r"\x1b\[\?2004h[^$]*\x1b\[\?25h"
"""Pastes are bracketed and the cursor is shown: it takes keys."""

Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """``ask("code")`` asks in a pseudo-terminal, with its settings printed before and after."""
    script = tmp_path / "ask.py"
    script.write_text(ASK)
    opened: list[Any] = []

    def start(question: str, term: str = "xterm") -> Any:
        child = pexpect.spawn(
            "/bin/sh",
            ["-c", f"stty -g; {sys.executable} {script} {question}; stty -g; echo END"],
            env={**os.environ, "TERM": term},
            encoding="utf-8",
            timeout=30,
            dimensions=(30, 100),
        )
        child.logfile_read = (tmp_path / f"screen{len(opened)}").open("w+")
        opened.append(child)
        return child

    yield start
    for child in opened:
        child.close(force=True)
        child.logfile_read.close()


def screen(child: Any) -> str:
    """All that was shown until the end."""
    child.expect("END\r")
    child.logfile_read.seek(0)
    return str(child.logfile_read.read())


def settings(shown: str) -> list[str]:
    return re.findall("^[0-9a-f]+(?::[0-9a-f]+){4,}", shown, re.MULTILINE)


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_tab_completes_each_word_and_the_terminal_is_left_as_it_was(ask: Ask, term: str) -> None:
    child = ask("code", term)
    child.expect(READY)
    child.send("4-acr\t")
    child.expect("acrobat-")
    child.send("velc\t")
    child.expect("velcro-")
    child.send("sug\t\r")
    child.expect(r"ANSWER \d+ \d+ 4-acrobat-velcro-sugar")
    before, after = settings(screen(child))
    assert before == after


def test_ctrl_z_is_no_part_of_an_answer(ask: Ask) -> None:
    child = ask("line")
    child.expect(READY)
    # Here nobody could continue the program, so the system does not stop it.
    child.send("one \x1a")
    child.expect(READY)
    child.send("two\r")
    child.expect(r"ANSWER \d+ \d+ one two\r")
    before, after = settings(screen(child))
    assert before == after


def test_what_begins_no_word_is_not_completed(ask: Ask) -> None:
    assert not any(word.startswith("qq") for word in word_list())
    child = ask("code")
    child.expect(READY)
    child.send("4-qq\t\r")
    child.expect(r"ANSWER \d+ \d+ 4-qq\r")


@pytest.mark.parametrize("question", ["code", "link", "line"])
@pytest.mark.parametrize(
    ("key", "refusal"),
    [("\x03", "REFUSED 130 stopped by Ctrl-C"), ("\x04", "REFUSED 2 nothing was given")],
    ids=["Ctrl-C", "Ctrl-D"],
)
def test_who_stops_gets_the_terminal_back(ask: Ask, question: str, key: str, refusal: str) -> None:
    child = ask(question)
    child.expect(READY)
    child.send(key)
    child.expect_exact(refusal)
    before, after = settings(screen(child))
    assert before == after


@pytest.mark.parametrize("term", ["xterm", "dumb"])
@pytest.mark.parametrize("bracketed", [True, False])
def test_a_link_pasted_with_line_breaks_is_taken_whole_and_not_shown(
    ask: Ask, term: str, bracketed: bool
) -> None:
    rows = [LINK[at : at + 40] for at in range(0, len(LINK), 40)]
    assert len(rows) > 2
    child = ask("link", term)
    child.expect(READY)
    paste = "\r".join(rows)
    child.send(f"\x1b[200~{paste}\x1b[201~\r" if bracketed else f"{paste}\r")
    child.expect(r"ANSWER (\d+) (\d+)")
    # Line breaks within a paste come along.
    length, total = int(child.match[1]), int(child.match[2])
    breaks = length - len(LINK)
    assert breaks == (len(rows) - 1 if bracketed else 0)
    assert total - breaks * ord("\n") == sum(LINK.encode())
    shown = screen(child)
    assert not any(LINK[at : at + 6] in shown for at in range(len("e2ee:invite1"), len(LINK) - 6))


def test_free_text_is_given_without_the_blanks_around_it(ask: Ask) -> None:
    child = ask("line")
    child.expect(READY)
    child.send("  12345 67890 \r")
    child.expect(r"ANSWER \d+ \d+ 12345 67890\r")


def test_an_answer_is_not_kept_for_the_next_question(ask: Ask) -> None:
    child = ask("link")
    child.expect(READY)
    child.send("e2ee:invite1secret\r")
    child.expect("goes on")
    child.send("\x1b[A\r")  # Arrow up.
    child.expect(r"ANSWER 18 ")


def piped(tmp_path: Path, question: str, data: bytes) -> str:
    script = tmp_path / "ask.py"
    script.write_text(ASK)
    run = subprocess.run(
        [sys.executable, script, question], input=data, capture_output=True, timeout=30, check=True
    )
    assert run.stderr == b""
    return run.stdout.decode().strip()


def test_a_pipe_may_break_a_link_into_lines(tmp_path: Path) -> None:
    data = f"{LINK[:50]}\n{LINK[50:]}\n".encode()
    assert piped(tmp_path, "link", data) == f"ANSWER {len(LINK)} {sum(LINK.encode())}"


def test_what_follows_the_answer_is_left_in_the_pipe() -> None:
    read, write = os.pipe()
    os.write(write, b"4-acrobat-velcro-sugar\nhello\n")
    subprocess.run(
        [sys.executable, "-c", "import asyncio; from e2ee_cli import ask; asyncio.run(ask.code())"],
        stdin=read,
        timeout=30,
        check=True,
    )
    assert os.read(read, 100) == b"hello\n"
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("question", ["code", "link", "line"])
def test_a_line_that_is_too_long_is_refused(tmp_path: Path, question: str) -> None:
    answer = piped(tmp_path, question, b"a" * 3 * MAX_ANSWER)
    assert answer == f"REFUSED 9 what was given is above {MAX_ANSWER:,} bytes"


def test_a_link_of_endless_lines_is_refused(tmp_path: Path) -> None:
    answer = piped(tmp_path, "link", b"aaaa\n" * MAX_ANSWER)
    assert answer == f"REFUSED 9 what was given is above {MAX_ANSWER:,} bytes"


def is_empty(pipe: int) -> bool:
    waiting = array.array("i", [1])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0] == 0


def test_a_pipe_that_would_block_is_waited_for(tmp_path: Path, wait_until: Any) -> None:
    script = tmp_path / "ask.py"
    script.write_text(ASK)
    read, write = os.pipe()
    os.set_blocking(read, False)
    command = [sys.executable, str(script), "line"]
    with subprocess.Popen(command, stdin=read, stdout=subprocess.PIPE) as process:
        os.write(write, b"hel")
        wait_until(lambda: is_empty(read))
        os.write(write, b"lo\n")
        out, _ = process.communicate(timeout=30)
    assert b" hello" in out
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_ends_the_wait_for_a_pipe(
    e2ee: Any, wait_until: Any, number: int, code: int
) -> None:
    e2ee.id_of("alice")
    process = e2ee.start("join", "--link", person="alice")
    process.stdin.write(b"e2ee:invite1\n")
    process.stdin.flush()
    # The first part of a link is taken, and more is waited for.
    wait_until(lambda: is_empty(process.stdin.fileno()))
    process.send_signal(number)
    assert process.wait(20) == code


def test_prompt_toolkit_is_loaded_only_to_ask() -> None:
    code = "import sys, e2ee_cli.ask; sys.exit('prompt_toolkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
