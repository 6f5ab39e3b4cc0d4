"""The one writer to the terminal: what is drawn is collected, and written by a thread.

A terminal that takes nothing holds up neither the event loop nor the end of the program, and
nothing piles up for it: while a write is under way nothing is drawn.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from .exits import CliError
from .output import write_stdout
from .threads import in_thread

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: a terminal that knows it shows nothing of a frame before all of it has come,
where others show a row without the text that is still to be drawn there.
"""


class Frames:
    """Has what ``Vt100_Output`` of prompt_toolkit needs of a file."""

    encoding = "utf-8"
    """For prompt_toolkit; the bytes are in the encoding of standard output."""

    def __init__(self, on_written: Callable[[], None]) -> None:
        """``on_written`` -- called after each write, when there may be drawn again."""
        self._on_written = on_written
        self._parts: list[str] = []
        self._writing: asyncio.Task[None] | None = None
        self._failure: CliError | BrokenPipeError | None = None
        self.under_way = False
        """Whether the terminal has not yet taken what was written last."""

    def write(self, text: str) -> int:
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Begin to write; what comes in the same turn of the event loop is written with it."""
        if self._failure is not None:
            self._parts.clear()
        elif self._parts and self._writing is None:
            self._writing = asyncio.create_task(self._write())

    def fileno(self) -> int:
        return sys.stdout.fileno()

    def isatty(self) -> bool:
        return True

    async def written(self) -> None:
        """Wait until everything is. Raises CliError, BrokenPipeError."""
        while self._writing is not None:
            await asyncio.wait({self._writing})
        if self._failure is not None:
            raise self._failure

    async def _write(self) -> None:
        try:
            while self._parts:
                frame = BEGIN + "".join(self._parts) + END
                data = frame.encode(sys.stdout.encoding, "backslashreplace")
                self._parts.clear()
                self.under_way = True
                await in_thread(lambda data=data: write_stdout(data))  # type: ignore[misc]
                self.under_way = False
                self._on_written()
        except (CliError, BrokenPipeError) as error:
            self._failure = error
        finally:
            self.under_way = False
            self._writing = None
