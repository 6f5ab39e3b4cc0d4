"""What the program says: lines from the peer on stdout, everything else on stderr.

With ``--json`` each line, on either, is one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from typing import Any

from .clean import clean
from .exits import CliError, Exit
from .threads import in_thread

STDOUT = 1
TAB = "    "


class Output:
    def __init__(self, *, as_json: bool, always_label: bool = False) -> None:
        """``always_label`` marks lines with their speaker even where stdout is no terminal."""
        self._as_json = as_json
        self._terminal = os.isatty(STDOUT)
        self._label = not as_json and (self._terminal or always_label)

    async def line(self, speaker: str, body: str) -> None:
        """A text of the chat. At a terminal it is marked, so that no peer can pose as us.

        Raises BrokenPipeError where nobody reads stdout any more, CliError where it is full.
        """
        if self._as_json:
            line = _json(event="message", text=body)
        else:
            line = f"{speaker}: " if self._label else ""
            line += (TAB if self._terminal else "\t").join(map(clean, body.split("\t")))
        data = (line + "\n").encode(sys.stdout.encoding, "backslashreplace")
        if len(data) <= select.PIPE_BUF and select.select([], [STDOUT], [], 0)[1]:
            _write(data)  # It will not block: that much has room in a pipe that has any.
        else:
            await in_thread(lambda: _write(data))

    def data(self, human: str, **fields: Any) -> None:
        """The result that a command was called for, on stdout."""
        _write(((_json(**fields) if self._as_json else human) + "\n").encode())

    def status(self, event: str, human: str, **fields: Any) -> None:
        """Something that the program has to say; ``human`` may have several lines."""
        text = _json(event=event, **fields) if self._as_json else human
        with contextlib.suppress(OSError):  # With stderr gone there is nowhere to complain.
            print(text, file=sys.stderr, flush=True)


def _write(data: bytes) -> None:
    # Not sys.stdout, whose lock a stuck write would hold when the program ends.
    try:
        while data:
            data = data[os.write(STDOUT, data) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CliError(f"cannot write to standard output: {error.strerror}", Exit.FILES) from None


def _json(**fields: Any) -> str:
    # ASCII only: what a peer sends cannot reach a terminal as anything but \u escapes.
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
