"""What the program does, for ``-v`` and ``--log-file``, through the standard ``logging``.

A line names an event and those of its fields that cli/events.py lets into a log: never a text, a
code, a link, a passphrase or another secret. The core logs nothing.
"""

from __future__ import annotations

import io
import logging
import os
import stat
import sys
from collections.abc import Mapping
from typing import TextIO

from .clean import clean
from .events import EVENTS
from .exits import CliError, Exit
from .output import Output

LOGGER = "e2ee_cli"

MODE = 0o600
"""Of a new file: it tells with whom its owner talks, and when."""

NOT_SAID = {"started": {"command"}, "ended": {"code", "seconds"}}
"""What is for the log only, and its fields."""


def begin(output: Output, *, verbose: bool, file: str | None) -> None:
    """Log to standard error if ``verbose``, and to the end of a file. Raises CliError."""
    logging.raiseExceptions = False
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if verbose:
        logger.addHandler(_ToOutput(output))
    if file is not None:
        logger.addHandler(_ToFile(output, file))
    Output.observers.append(_log)


def _log(event: str, fields: Mapping[str, object]) -> None:
    if event == "log":
        return
    allowed = NOT_SAID.get(event, set())
    if event in EVENTS:
        allowed = {name for name, field in EVENTS[event].fields.items() if field.logged}
    shown = [f" {name}={clean(str(value))}" for name, value in fields.items() if name in allowed]
    level = logging.ERROR if event == "error" else logging.INFO
    logging.getLogger(LOGGER).log(level, "%s", event + "".join(shown))


class _ToOutput(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._output.status(
            "log", self.format(record), level=record.levelname.lower(), text=record.getMessage()
        )


class _ToFile(logging.StreamHandler[TextIO]):
    def __init__(self, output: Output, file: str) -> None:
        # Without a buffer: what could not be written would be tried again at the very end.
        raw = open(_open(file), "ab", buffering=0)  # noqa: SIM115
        super().__init__(io.TextIOWrapper(raw, encoding="utf-8", write_through=True))
        self._output = output
        self._file = file
        self._failed = False
        self.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 -- logging's
        """Say it once. A log that cannot be written must not end a chat."""
        if not self._failed:
            self._failed = True
            reason = getattr(sys.exception(), "strerror", None) or "something went wrong"
            warning = f"The log file {clean(self._file)} cannot be written: {reason}"
            self._output.status("warning", warning, text=warning)


def _open(file: str) -> int:
    try:
        # O_NONBLOCK: a pipe that nobody reads would hold us up.
        number = os.open(
            file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, MODE
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "that is no name of a file"
        raise CliError(
            f"the log file {clean(file)} cannot be written: {reason}", Exit.FILES
        ) from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise CliError(f"the log file {clean(file)} is not a plain file", Exit.FILES)
    return number
