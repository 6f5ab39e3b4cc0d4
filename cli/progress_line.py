"""How far files have come, on stderr: one row that is redrawn, or with ``--json`` events."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

from .output import STDERR, Output
from .progress import progress_row
from .threads import in_thread
from .transfer import Row, Transfer

REDRAWN_EVERY = 0.25
"""Seconds, at a terminal."""

TOLD_EVERY = 1.0
"""Seconds, with ``--json``."""

_CLEAR = "\r\x1b[K"


class ProgressLine:
    """The row, and everything else that is said while it stands there."""

    def __init__(self, output: Output, *, as_json: bool) -> None:
        self._output = output
        self._as_json = as_json
        self._terminal = not as_json and os.isatty(STDERR)
        self._shown = ""
        self.hidden = False
        """While a question is asked."""

    async def run(self, transfer: Transfer) -> None:
        """Show the rows of a transfer until cancelled."""
        while True:
            if self._as_json:
                for row in transfer.rows:
                    self._tell(row)
            elif self._terminal and not self.hidden:
                await self._draw(transfer.rows)
            await asyncio.sleep(TOLD_EVERY if self._as_json else REDRAWN_EVERY)

    def say(self, event: str, human: str, **fields: Any) -> None:
        """As ``Output.status``, above the row."""
        clear, self._shown = _CLEAR if self._shown else "", ""
        self._output.status(event, clear + human, **fields)

    def failed(self, row: Row) -> None:
        """Say why something is not whole."""
        if row.error is not None:
            message, code = str(row.error), row.error.code
            self.say("failed", message, name=row.name, message=message, code=code)

    def clear(self) -> None:
        """Take the row away."""
        if self._shown:
            self._shown = ""
            _write(_CLEAR)

    def _tell(self, row: Row) -> None:
        self._output.status(
            "progress",
            "",
            name=row.name,
            incoming=row.incoming,
            done=row.done,
            size=row.size,
            rate=int(row.rate()),
        )

    async def _draw(self, rows: list[Row]) -> None:
        moving = [row for row in rows if row.began is not None]
        if not moving:
            return
        others = f" and {len(moving) - 1} more" if len(moving) > 1 else ""
        text = progress_row(
            moving[0].name + others,
            sum(row.done for row in moving),
            sum(row.size for row in moving),
            sum(row.rate() for row in moving),
            columns() - 1,
        )
        if text != self._shown:
            self._shown = text
            # A terminal that is stopped by Ctrl-S must not stop the transfer.
            await in_thread(lambda: _write(_CLEAR + text))


def _write(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(STDERR, text.encode())


def columns() -> int:
    """Of the terminal; 80 where there is none."""
    with contextlib.suppress(OSError):
        return os.get_terminal_size(STDERR).columns
    return 80
