"""What the program says: lines from the peer on stdout, everything else on stderr.

With ``--json`` each line, on either, is one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import stat
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .clean import clean, fold
from .exits import CliError, Exit
from .threads import in_thread

STDOUT, STDERR = 1, 2
TAB = "    "

VERSION = 1
"""Of what ``--json`` says, which cli/events.py describes."""

STDERR_PATIENCE = 1.0
"""Seconds that something to say may take; what comes while it takes longer is dropped."""

ON_THE_WAY = {"searching", "resolving", "connecting", "handshake", "left"}
"""Events that tell how far something has come."""

PEERS_WORDS = frozenset(
    {"connected", "contact", "failed", "name", "nearby", "offer", "received", "sent"}
)
"""Events that tell what a peer calls themself, or a file."""

SAFETY_WORDS = "safety words:"
"""In a line that has more room than many terminals, and is read aloud: none of them is broken."""

INDENT = 4
"""Blanks before what a terminal has no room for in a row of theirs."""


class Output:
    quiet: ClassVar[bool] = False
    """Whether nothing but errors is said on stderr."""

    observers: ClassVar[list[Callable[[str, Mapping[str, Any]], None]]] = []
    """They get every event but a text of the chat, with its fields, secret ones too."""

    def __init__(self, *, as_json: bool, always_label: bool = False) -> None:
        """``always_label`` marks lines with their speaker even where stdout is no terminal."""
        self.as_json = as_json
        self.elsewhere: Callable[[str], None] | None = None
        """Shows what there is to say while a screen has the terminal."""
        self.above: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
        """While something is said, a question that is open at the terminal is not there."""
        self._stderr_writer: threading.Thread | None = None
        self._terminal = os.isatty(STDOUT)
        self._pipe = stat.S_ISFIFO(os.fstat(STDOUT).st_mode)
        self._label = not as_json and (self._terminal or always_label)

    @classmethod
    def tell_observers(cls, event: str, **fields: Any) -> None:
        """Something that is not said, but may be of interest to them."""
        for observe in cls.observers:
            observe(event, fields)

    @property
    def to_terminal(self) -> bool:
        """Whether what ``data`` gives is for the eyes of a person."""
        return self._terminal and not self.as_json

    async def line(self, speaker: str, body: str, **fields: Any) -> None:
        """A text of the chat. At a terminal it is marked, so that no peer can pose as us.

        ``fields`` -- what ``--json`` shows beside it.

        Raises BrokenPipeError where nobody reads stdout any more, CliError where it is full.
        """
        if self.as_json:
            line = _json("message", **{"from": speaker}, **fields, text=body)
        else:
            line = self._shown(f"{speaker}: " if self._label else "", body)
        data = (line + "\n").encode(sys.stdout.encoding, "backslashreplace")
        if self._pipe and len(data) <= select.PIPE_BUF and select.select([], [STDOUT], [], 0)[1]:
            write_stdout(data)  # It will not block: that much has room in a pipe that has any.
        else:
            await in_thread(lambda: write_stdout(data))

    def data(self, human: str, *, event: str, **fields: Any) -> None:
        """The result that a command was called for, on stdout. cli/events.py has the events."""
        self.tell_observers(event, **fields)
        text = _json(event, **fields) if self.as_json else _folded(event, human, STDOUT)
        with self.above():
            write_stdout((text + "\n").encode())

    def kept(self, label: str, body: str, **fields: Any) -> None:
        """A text of a chat that was kept, as a result on stdout. Raises as ``line``."""
        self.data(self._shown(label, body), event="kept", **fields)

    def _shown(self, label: str, body: str) -> str:
        """A text that cannot pose as anything but what its label says."""
        line = label + (TAB if self._terminal else "\t").join(map(clean, body.split("\t")))
        return fold(line, _columns(STDOUT), indent=len(label)) if self._terminal else line

    def status(self, event: str, human: str, **fields: Any) -> None:
        """Something that the program has to say; ``human`` may have several lines.
        cli/events.py has the events.

        Where nobody reads stderr it is dropped: nothing waits for that.
        """
        self.tell_observers(event, **fields)
        if self.quiet and event != "error":
            return
        if self.elsewhere is not None and not self.as_json:
            self.elsewhere(human)
            return
        text = _json(event, **fields) if self.as_json else _folded(event, human, STDERR)
        data = (text + "\n").encode(sys.stderr.encoding, "backslashreplace")
        if self._stderr_writer is None or not self._stderr_writer.is_alive():
            with self.above():
                self._stderr_writer = threading.Thread(
                    target=_write_stderr, args=(data,), daemon=True
                )
                self._stderr_writer.start()
                self._stderr_writer.join(STDERR_PATIENCE)


class Silent(Output):
    """Says nothing on stderr."""

    def __init__(self) -> None:
        super().__init__(as_json=False)

    def status(self, event: str, human: str, **fields: Any) -> None:  # noqa: ARG002
        self.tell_observers(event, **fields)


class Terse(Output):
    """For a command that says no more than whom it talks to, and what goes wrong."""

    def status(self, event: str, human: str, **fields: Any) -> None:
        if self.as_json or event not in ON_THE_WAY:
            super().status(event, human, **fields)
        else:
            self.tell_observers(event, **fields)


def write_stdout(data: bytes | memoryview) -> None:
    """All of it, however long that takes. Raises BrokenPipeError, CliError."""
    # Not sys.stdout, whose lock a stuck write would hold when the program ends.
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(STDOUT, left) :]
        except BlockingIOError:
            select.select([], [STDOUT], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CliError(
                f"cannot write to standard output: {error.strerror}", Exit.FILES
            ) from None


def _write_stderr(data: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(STDERR, data)


def _folded(event: str, human: str, stream: int) -> str:
    """Where the terminal broke a row, a name could be such that its end poses as the program."""
    columns = _columns(stream)
    return "\n".join(
        fold(line, columns, indent=INDENT)
        if event in PEERS_WORDS or SAFETY_WORDS in line
        else line  # A command, an id or a path, which can be copied as long as nobody breaks it.
        for line in human.split("\n")
    )


def _columns(stream: int) -> int:
    """0 where it is no terminal."""
    with contextlib.suppress(OSError):
        return os.get_terminal_size(stream).columns
    return 0


def _json(event: str, **fields: Any) -> str:
    # ASCII only: what a peer sends cannot reach a terminal as anything but \u escapes.
    return json.dumps(
        {"v": VERSION, "event": event, **fields}, ensure_ascii=True, separators=(",", ":")
    )
