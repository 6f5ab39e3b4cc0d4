"""The screen of pipes, logs, screen readers and simple terminals: it only ever appends."""

from __future__ import annotations

import os
import select
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import ClassVar, Self

from .clean import clean
from .commands import Command, CommandHelp, NoSuchCommand, parse
from .lines import STDIN, stdin_lines
from .output import Output
from .rows import colours_wanted, rows
from .screen import Line
from .threads import in_thread

PROGRESS_INTERVAL = 5.0
"""Seconds between two reports of what is under way."""

PASTE_GAP = 0.05
"""Seconds between two lines below which nobody has typed them."""


class PlainScreen:
    """What a person at a terminal types may be a command; from a pipe, or pasted, it is text."""

    redraws: ClassVar[bool] = False

    def __init__(self, output: Output, commands: Sequence[CommandHelp]) -> None:
        self._output = output
        self._commands = commands
        self._person = os.isatty(STDIN)
        self._state = ""
        self._footer = ""
        self._last_progress = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """There is nothing to restore."""

    async def show(self, line: Line) -> None:
        """Returns when it is written. What was typed stands there already."""
        if line.kind == "note":
            human = "\n".join(map(clean, line.body.split("\n")))
            self._output.status("note", human, text=line.body)
        elif line.kind == "theirs" and self._output.to_terminal:
            columns = shutil.get_terminal_size().columns
            text = "\n".join(rows(line, columns, coloured=colours_wanted()))
            await in_thread(lambda: self._output.data(text, event="message"))
        elif line.kind == "theirs":
            await self._output.line(line.speaker, line.body)

    async def flush(self) -> None:
        """Every line has been written when ``show`` returned."""

    def waiting(self, texts: Sequence[str], state: str) -> None:
        state = state if texts else ""
        if state and state != self._state:
            self._output.status("waiting", f"({state})", state=state)
        elif self._state and not state:
            self._output.status("delivered", "(delivered)")
        self._state = state

    def progress(self, texts: Sequence[str]) -> None:
        now = time.monotonic()
        if texts and now - self._last_progress >= PROGRESS_INTERVAL:
            self._last_progress = now
            self._output.status("under_way", "\n".join(map(clean, texts)), rows=list(texts))

    def footer(self, text: str, *, alarm: bool = False) -> None:
        if text != self._footer:
            self._footer = text
            self._output.status("trust", clean(text), text=text, alarm=alarm)

    async def typed(self) -> AsyncIterator[str | Command]:
        last = float("-inf")
        async for lines in stdin_lines():
            if not self._person:
                for line in lines:
                    yield line
                continue
            now = time.monotonic()
            pasted = (
                len(lines) > 1
                or now - last < PASTE_GAP
                or bool(select.select([STDIN], [], [], 0)[0])
            )
            last = now
            try:
                for line in filter(None, lines):
                    yield line if pasted else parse(line, self._commands)
            except NoSuchCommand as error:
                self._output.status("usage", str(error), message=str(error))
