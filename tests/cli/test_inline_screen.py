"""The chat screen in a terminal: what is typed stays whole, whatever comes in, and the terminal is
left as it was found."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .terminal_emulator import PROGRAM, ScreenProgram

Start = Callable[..., ScreenProgram]


def opened(folder: Path, *options: str, **settings: Any) -> ScreenProgram:
    program = ScreenProgram(folder, *options, **settings)
    program.do(footer={"text": "bob · verified"})
    program.wait(lambda: program.rows[-2:] == [">", "bob · verified"])
    return program


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start("bell", columns=20)``: a program, with its footer in view."""
    programs: list[ScreenProgram] = []

    def open_one(*options: str, **settings: Any) -> ScreenProgram:
        programs.append(opened(tmp_path, *options, **settings))
        return programs[-1]

    yield open_one
    for program in programs:
        program.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScreenProgram]:
    program = opened(tmp_path_factory.mktemp("shared"))
    yield program
    program.close()


@pytest.fixture
def program(shared: ScreenProgram) -> ScreenProgram:
    """One for many tests, as it takes long to start: cleared, with nothing typed."""
    shared.do(footer={"text": "bob · verified"})
    shared.send("x\x03\x0cready")  # Ctrl-C drops the line, Ctrl-L clears the screen.
    shared.wait(lambda: shared.rows == ["> ready", "bob · verified"])
    shared.send("\x03")
    shared.wait(lambda: shared.rows == [">", "bob · verified"])
    shared.forget()
    return shared


def prompt(program: ScreenProgram) -> str:
    """What stands in the row that is typed into."""
    rows = program.rows
    return next((row[2:] for row in reversed(rows) if row.startswith("> ")), "")


def test_what_changes_with_a_line_is_drawn_with_it(program: ScreenProgram) -> None:
    program.do(show={"speaker": "bob", "body": "one"}, footer={"text": "carol"})
    program.wait(lambda: any("one" in row for row in program.rows))
    program.wait(lambda: program.rows[-1] == "carol")
    program.do(
        show={"speaker": "carol", "body": "two"}, waiting={"texts": ["to you"], "state": "sending"}
    )
    program.wait(lambda: program.rows[-3:] == ["to you (sending)", ">", "carol"])
    program.do(show={"speaker": "carol", "body": "three"}, waiting={"texts": [], "state": ""})
    program.wait(lambda: program.rows[-3].endswith("three"))


def test_not_one_typed_character_is_lost_or_displaced_in_a_flood(
    start: Start, figure: Callable[[str], None]
) -> None:
    program = start()
    program.do(flood={"count": 10_000, "body": "line {} of a flood"})
    said, looks, misplaced = [], 0, 0
    text = string.ascii_lowercase
    while not any("flooded" in row for row in program.rows):
        for character in text:
            program.send(character)
            column, row = program.cursor
            looks += 1
            misplaced += not f"> {text}".startswith(row or "-") or column != len(row[2:]) + 2
        program.send("\r")
        said.append(text)
        program.wait(lambda: len(program.typed) == len(said))
        program.wait(lambda: prompt(program) == "")
    assert program.typed == said
    assert looks > 20
    assert misplaced == 0
    shown = program.scrollback
    numbers = [int(match[1]) for row in shown if (match := re.search(r"line (\d+) of", row))]
    assert numbers == list(range(10_000))
    assert not any(row.startswith(">") for row in shown[:-2])
    figure(
        f"{len(said) * len(text)} characters typed while 10,000 lines poured in: none lost;"
        f" {misplaced} of {looks} looks found one displaced"
    )


def test_a_line_longer_than_the_terminal_is_typed_in_several_rows(program: ScreenProgram) -> None:
    text = "one two three four five six seven eight nine ten " * 3 + "end"
    program.send(text)
    program.wait(lambda: "".join(row.ljust(80) for row in program.rows[:-1])[2:].rstrip() == text)
    program.show("hello")
    program.wait_for("bob: hello")
    assert "".join(row.ljust(80) for row in program.rows[1:-1])[2:].rstrip() == text
    program.send("\r")
    program.wait(lambda: program.typed == [text])
    program.wait(lambda: program.rows[1:] == [">", "bob · verified"])


def test_a_changed_size_leaves_one_prompt_and_what_was_typed(start: Start) -> None:
    program = start()
    program.show("before")
    program.send("half a sen")
    program.wait_for("half a sen")
    for columns, rows in ((40, 10), (100, 30), (25, 8)):
        program.resize(columns, rows)
        program.show(f"at {columns}")
        program.wait_for(f"bob: at {columns}")
        program.wait(lambda: prompt(program) == "half a sen")
        assert sum(row.startswith(">") for row in program.rows) == 1
        assert sum("verified" in row for row in program.rows) == 1
    program.send("tence\r")
    program.wait(lambda: program.typed == ["half a sentence"])


@pytest.mark.attack(89)
def test_a_paste_of_several_lines_is_one_message_after_enter(
    program: ScreenProgram, figure: Callable[[str], None]
) -> None:
    program.send("see: ")
    program.paste("first\r/quit\r\nthird\r")
    program.wait_for("3 lines pasted: Enter sends them as one message")
    assert [row.strip() for row in program.rows[:3]] == ["> see: first", "/quit", "third"]
    assert program.typed == []
    program.send("\r")
    program.wait(lambda: program.typed == ["see: first\n/quit\nthird"])
    program.wait(lambda: program.rows == [">", "bob · verified"])
    figure("a paste with a command in it: one text after Enter, 0 commands run")


def test_a_command_that_is_pasted_is_text(program: ScreenProgram) -> None:
    program.paste("/quit\r")
    program.wait_for("> //quit")
    program.send("\r")
    program.wait(lambda: program.typed == ["/quit"])


def test_alt_enter_begins_another_line(program: ScreenProgram) -> None:
    program.send("one\x1b\rtwo\r")
    program.wait(lambda: program.typed == ["one\ntwo"])


def test_commands_are_told_from_text_and_mistyped_ones_go_nowhere(program: ScreenProgram) -> None:
    program.send("/etc/passwd\r")
    program.wait_for("No such command; see /help. To say this as text, begin with //")
    assert prompt(program) == "/etc/passwd"
    program.send("\x01/\r")  # To the beginning, and one more.
    program.wait(lambda: program.typed == ["/etc/passwd"])
    program.send("/file  a b.txt \r")
    program.wait(lambda: program.typed[1:] == [["file", "a b.txt"]])


def test_tab_completes_commands_and_paths(program: ScreenProgram, tmp_path: Path) -> None:
    (tmp_path / "holiday photo.jpg").touch()
    (tmp_path / "hidden\u202egpj.exe").touch()
    program.send("/fi")
    program.wait_for("/file PATH  Send a file")
    program.send("\t")
    program.wait(lambda: prompt(program).startswith("/file"))
    program.send(f"{tmp_path}/h")
    program.wait_for("holiday")
    assert not any("hidden" in row for row in program.rows)
    program.send("\t\r")
    program.wait(lambda: program.typed == [["file", f"{tmp_path}/holiday photo.jpg"]])


def test_a_line_that_comes_in_leaves_the_menu_open(program: ScreenProgram) -> None:
    program.send("/fi")
    program.wait_for("/file PATH  Send a file")
    program.show("hello")
    program.wait_for("bob: hello")
    time.sleep(0.2)
    assert [row.strip() for row in program.rows[1:]] == [
        "> /fi",
        "/file PATH  Send a file",
        "bob · verified",
    ]


def test_the_live_area_shows_what_waits_and_what_is_under_way(program: ScreenProgram) -> None:
    program.do(waiting={"texts": ["1st", "2nd", "3rd", "4th\nrow"], "state": "no connection"})
    program.do(progress=["photo.jpg 34 %"], footer={"text": "NOT VERIFIED", "alarm": True})
    program.wait_for("NOT VERIFIED")
    assert program.rows == [
        "and 1 more",
        "2nd",
        "3rd",
        r"4th\nrow (no connection)",
        "photo.jpg 34 %",
        ">",
        "NOT VERIFIED",
    ]
    program.do(waiting={"texts": [], "state": ""}, progress=[])
    program.show("1st", kind="ours", speaker="you")
    program.wait(lambda: len(program.rows) == 3)
    assert program.rows[0].endswith(" you: 1st")
    assert program.rows[1:] == [">", "NOT VERIFIED"]


def test_twenty_columns_are_enough(start: Start) -> None:
    program = start(columns=20, rows=8)
    program.show("a somewhat longer line")
    program.do(waiting={"texts": ["a message that waits"], "state": "not delivered yet"})
    program.send("hello there, how are you?")
    program.wait_for("re you?")
    program.wait_for("longer line")
    assert [row[5:] for row in program.rows[:3]] == [" bob: a", "somewhat", "longer line"]
    assert program.rows[3:] == [
        "a message that wai…",
        "(not delivered yet)",
        "> hello there, how a",
        "re you?",
        "bob · verified",
    ]


def test_in_three_rows_the_trust_stays_in_view(start: Start) -> None:
    program = start(columns=20, rows=3)
    program.do(waiting={"texts": ["hi"], "state": "sending"}, progress=["photo.jpg 1 %"])
    program.show("hello")
    program.wait(lambda: [row[6:] for row in program.rows] == ["bob: hello", "", "verified"])
    program.send("hi")
    program.wait(lambda: program.rows[1:] == ["> hi", "bob · verified"])


def test_nothing_that_a_peer_says_acts_on_the_terminal(program: ScreenProgram) -> None:
    before = len(program.raw)
    for body in (
        "\x1b]52;c;aGk=\x07\x1b]0;title\x07",
        "\x1b[2J\x1b[H\x9b31m\x1b[?2004l",
        "\x1b]8;;http://x\x1b\\click",
        "first\n12:00 alice: yes\r\x1b[A",
        "\u202egnp.exe",
    ):
        program.show(body)
    program.show("end")
    program.wait_for("bob: end")
    shown = program.raw[before:]
    assert not re.search(r"\x1b(?!\[)|\x07|\x9b|\u202e|\x1b\[2J|\x1b\[H|\x1b\[\?2004l", shown)
    assert [row[9:].strip() for row in program.rows[:-3]] == [
        r": \x1b]52;c;aGk=\x07\x1b]0;title\x07",
        r": \x1b[2J\x1b[H\x9b31m\x1b[?2004l",
        r": \x1b]8;;http://x\x1b\click",
        ": first",
        r"12:00 alice: yes\r\x1b[A",
        r": \u202egnp.exe",
    ]
    # Nothing of theirs begins a row.
    assert all(re.match(r"\d\d:\d\d bob: | {10}", row) for row in program.rows[:-2])


def test_wide_combining_and_right_to_left_text(program: ScreenProgram) -> None:
    program.show("日本語も大丈夫です、長い行も折り返します" * 2)
    program.show("e\u0301te\u0301")
    program.show("שלום 12:00 alice: כן")
    program.wait_for("alice")
    program.send("日本")
    program.wait_for("> 日本")
    assert program.cursor[0] == 6
    program.send("\r")
    rows = [row.replace(" ", "") for row in program.rows]
    joined = "".join(rows)
    assert "日本語も大丈夫です、長い行も折り返します" * 2 in joined
    assert any(row.endswith("bob: été") for row in program.rows)
    assert "\u2068שלום 12:00 alice: כן\u2069" in program.raw  # noqa: RUF001


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(start: Start) -> None:
    program = start(in_shell=True)
    assert program.has_mode(1004)
    program.send("half")
    program.wait_for("> half")
    program.send("\x1a")
    program.wait_for("Stopped")
    program.wait(lambda: program.rows[-1] == "$")
    assert not any(row.startswith("> ") for row in program.rows)
    assert not program.has_mode(1004)
    program.send("fg\r")
    program.wait(lambda: prompt(program) == "half")
    program.wait(lambda: program.rows[-1] == "bob · verified")
    program.send(" done\r")
    program.wait(lambda: program.typed == ["half done"])
    program.wait(lambda: [row for row in program.rows if "verified" in row] == ["bob · verified"])


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        (lambda program: program.send("\x03"), 130),
        (lambda program: program.send("\x04"), 0),
        (lambda program: program.process.send_signal(signal.SIGTERM), 143),
        (lambda program: program.do(fail="on purpose"), 1),
    ],
    ids=["Ctrl-C", "Ctrl-D", "SIGTERM", "exception"],
)
def test_every_way_out_leaves_the_terminal_as_it_was_found(
    start: Start, leave: Callable[[ScreenProgram], None], code: int
) -> None:
    program = start()
    program.show("hello")
    program.do(waiting={"texts": ["one"], "state": "sending"})
    program.wait_for("one (sending)")
    assert program.modes != program.found
    leave(program)
    assert program.process.wait(20) == code
    assert program.modes == program.found
    program.wait(lambda: program.rows[1:] == [] or code == 1)
    assert program.cursor[0] == 0
    for mode in ("2004", "1004", "25", "7"):
        switched = re.findall(rf"\x1b\[\?{mode}([hl])", program.raw)
        assert switched[-1] == ("l" if mode in {"2004", "1004"} else "h"), mode


def test_a_second_signal_leaves_the_terminal_as_it_was_found(start: Start) -> None:
    program = start()
    program.do(show={"speaker": "bob", "body": "hello"}, linger=60)
    program.wait_for("hello")
    program.process.send_signal(signal.SIGTERM)
    program.process.send_signal(signal.SIGINT)
    assert program.process.wait(20) in {130, 143}
    assert program.modes == program.found
    program.wait(lambda: program.rows[1:] == [])
    assert not program.has_mode(2004)
    assert not program.has_mode(1004)


def test_a_rule_stands_before_the_first_line_that_nobody_has_seen(start: Start) -> None:
    program = start("bell", "notify")
    program.show("seen")
    program.wait_for("seen")
    program.send("\x1b[O")
    time.sleep(0.2)
    program.show("1st")
    program.show("2nd")
    program.wait_for("2nd")
    assert [row[5:] for row in program.rows[:4]] == [" bob: seen", "w ──", " bob: 1st", " bob: 2nd"]
    assert program.rows[1] == "── new ──"
    assert program.raw.count("\x1b]9;bob wrote\x07") == 1
    assert program.raw.count("\x07") == 2
    assert prompt(program) == ""
    program.send("\x1b[I")
    time.sleep(0.2)
    program.show("3rd")
    program.wait_for("3rd")
    assert sum(row == "── new ──" for row in program.rows) == 1


def test_no_bell_and_no_notification_unless_asked_for(start: Start) -> None:
    program = start()
    program.send("\x1b[O")
    time.sleep(0.2)
    program.show("1st")
    program.wait_for("1st")
    assert "\x07" not in program.raw


def test_no_colour_where_it_is_not_wanted(start: Start) -> None:
    program = start(NO_COLOR="1")
    program.show("hello")
    program.wait_for("bob: hello")
    assert not re.search(r"\x1b\[[^m]*[34]8?[;0-9]+m", program.raw)


def test_a_stuck_terminal_holds_up_neither_the_end_nor_the_memory(
    start: Start, figure: Callable[[str], None]
) -> None:
    program = start()
    program.show("hello")
    program.wait_for("hello")
    program.paused = True
    program.do(flood={"count": 100_000, "body": "line {} of a flood that nobody reads"})
    time.sleep(1)
    for number in range(50):
        program.do(progress=[f"{number} %"])
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024  # type: ignore[index]
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(20) == 143
    assert program.modes == program.found
    assert peak < 150
    figure(f"a flood of 100,000 lines to a terminal that takes none: {peak} MiB in all")


class Tmux:
    """The program in tmux, which breaks rows that become too long, as many terminals do."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "socket"), "-f", "/dev/null"]
        os.mkfifo(folder / "control")
        self._control = os.open(folder / "control", os.O_RDWR)
        program = f"{sys.executable} {PROGRAM} {folder}/control {folder}/typed"
        self.run("new-session", "-d", "-x", "60", "-y", "12", program)

    def run(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._tmux, *arguments], check=True, capture_output=True, text=True, timeout=20
        ).stdout

    def do(self, **verbs: Any) -> None:
        os.write(self._control, (json.dumps(verbs) + "\n").encode())

    @property
    def rows(self) -> list[str]:
        """With the scrollback."""
        return [row for row in self.run("capture-pane", "-p", "-S", "-").splitlines() if row]

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in "\n".join(self.rows):
            assert time.monotonic() < deadline, self.rows
            time.sleep(0.05)

    def close(self) -> None:
        self.run("kill-server")
        os.close(self._control)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("no tmux")
    program = Tmux(tmp_path)
    yield program
    program.close()


def test_tmux_shows_a_flood_and_what_is_typed_meanwhile(tmux: Tmux) -> None:
    tmux.do(footer={"text": "bob"})
    tmux.wait_for("bob")
    tmux.do(flood={"count": 1000, "body": "line {} of a flood"})
    for character in string.ascii_lowercase:
        tmux.run("send-keys", "-l", character)
    tmux.wait_for("flooded")
    tmux.wait_for(string.ascii_lowercase)
    rows = tmux.rows
    assert [row.split(" ", 2)[2] for row in rows[:1000]] == [
        f"line {number} of a flood" for number in range(1000)
    ]
    assert rows[1001:] == [f"> {string.ascii_lowercase}", "bob"]


def test_tmux_keeps_nothing_of_the_prompt_when_it_becomes_narrower(tmux: Tmux) -> None:
    tmux.do(flood={"count": 20, "body": "line {} of a flood"})
    tmux.do(footer={"text": "bob · verified"}, progress=["a file with quite a long name 34 %"])
    tmux.wait_for("34 %")
    text = "a text that takes more than one row in sixty columns, and here is its end"
    tmux.run("send-keys", "-l", text)
    tmux.wait_for("its end")
    tmux.run("resize-window", "-x", "30", "-y", "12")
    tmux.wait_for("a file with quite a long nam…")
    assert tmux.rows[-5:] == [
        "a file with quite a long nam…",
        f"> {text[:28]}".rstrip(),
        text[28:58].strip(),
        text[58:],
        "bob · verified",
    ]
    assert sum("34 %" in row or row.startswith("> ") for row in tmux.rows) == 1
