"""A terminal with a screen and a scrollback, to run a program in and look at what it shows."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte

PROGRAM = Path(__file__).with_name("screen_program.py")

ISOLATES = str.maketrans("", "", "\u2068\u2069")
"""The emulator would stop at these, which it does not know and a terminal does not show."""

SYNCHRONIZED = 2026 << 5
"""The mode between the beginning and the end of a frame: a terminal shows nothing of it yet."""


class _Screen(pyte.HistoryScreen):
    def __init__(self, columns: int, rows: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, rows, history=200_000)
        self._answer = answer

        self._cursor_before_frame = (0, "")

    def set_mode(self, *modes: int, **private: bool) -> None:
        if SYNCHRONIZED >> 5 in modes:
            self._cursor_before_frame = self.cursor_shown()
        super().set_mode(*modes, **private)

    def cursor_shown(self) -> tuple[int, str]:
        """Its column and row."""
        if SYNCHRONIZED in self.mode:
            return self._cursor_before_frame
        row = self.buffer[self.cursor.y]
        return self.cursor.x, "".join(row[x].data for x in range(self.columns)).rstrip()

    def write_process_input(self, data: str) -> None:
        """Where the cursor is, for whoever asks."""
        self._answer(data)

    def draw(self, data: str) -> None:
        super().draw(data.translate(ISOLATES))


class Terminal:
    """Runs a command in a session of its own, as a login would."""

    def __init__(
        self, command: list[str], *, columns: int = 80, rows: int = 24, **environment: str
    ) -> None:
        self._master, slave = pty.openpty()
        self._screen = _Screen(columns, rows, self.send)
        self._lock = threading.Lock()
        self.raw = ""
        self.paused = False
        self._set_size(columns, rows)
        self.found = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
            env={**os.environ, "TERM": "xterm-256color", "TMUX": "", "PS1": "$ ", **environment},
        )
        self._slave = slave
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        stream = pyte.Stream(self._screen)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            while self.paused:
                time.sleep(0.01)
            try:
                text = decoder.decode(os.read(self._master, 4096))
            except OSError:
                return
            with self._lock:
                self.raw += text
                stream.feed(text)
            time.sleep(0)  # Whoever looks has its turn.

    def close(self) -> None:
        self.paused = False
        self.process.send_signal(signal.SIGHUP)  # In order, as its coverage is to be written.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        os.close(self._slave)
        self._reading.join(10)
        os.close(self._master)

    def send(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def paste(self, text: str) -> None:
        """As a terminal does that was asked to mark pastes."""
        self.send(f"\x1b[200~{text}\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        with self._lock:
            self._screen.resize(rows, columns)
        self._set_size(columns, rows)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def modes(self) -> list[Any]:
        """What the program has set of the terminal's input."""
        return termios.tcgetattr(self._slave)

    @property
    def rows(self) -> list[str]:
        """What is on the screen, without empty rows at its end."""
        with self._lock:
            shown = [row.rstrip() for row in self._screen.display]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    @property
    def scrollback(self) -> list[str]:
        """All rows, from the first one."""
        with self._lock:
            gone = [
                "".join(row[column].data for column in range(self._screen.columns)).rstrip()
                for row in self._screen.history.top
            ]
        return gone + self.rows

    @property
    def cursor(self) -> tuple[int, str]:
        """The column where it stands, from 0, and the row, all at one moment."""
        with self._lock:
            return self._screen.cursor_shown()

    def has_mode(self, number: int) -> bool:
        """Whether a private mode is on, as 1004, which tells of the focus."""
        with self._lock:
            return number << 5 in self._screen.mode

    def wait(self, condition: Callable[[], object], patience: float = 15) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, "\n".join(["waited in vain:", *self.rows])
            time.sleep(0.02)

    def wait_for(self, text: str) -> None:
        self.wait(lambda: any(text in row for row in self.rows))


class ScreenProgram(Terminal):
    """The chat screen without a network, and how to control it."""

    def __init__(
        self, folder: Path, *options: str, in_shell: bool = False, **settings: Any
    ) -> None:
        self._control = folder / "control"
        self._typed = folder / "typed"
        os.mkfifo(self._control)
        self._typed.touch()
        command = [sys.executable, str(PROGRAM), str(self._control), str(self._typed), *options]
        super().__init__(["bash", "--norc", "-i"] if in_shell else command, **settings)
        if in_shell:
            self.send(" ".join(command) + "\r")
        # For reading too: so it waits for nobody.
        self._pipe = os.open(self._control, os.O_RDWR)

    def do(self, **verbs: Any) -> None:
        os.write(self._pipe, (json.dumps(verbs) + "\n").encode())

    def show(self, body: str, speaker: str = "bob", **fields: Any) -> None:
        self.do(show={"speaker": speaker, "body": body, **fields})

    @property
    def typed(self) -> list[str | list[str]]:
        """What was said, and the commands, as lists."""
        return [json.loads(line) for line in self._typed.read_text().splitlines()]

    def forget(self) -> None:
        """What was typed until now."""
        os.truncate(self._typed, 0)

    def close(self) -> None:
        super().close()
        os.close(self._pipe)
