"""Passphrases: from the terminal, unseen, or from a file; never from the command line."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import termios
from collections.abc import Iterator
from types import FrameType

from .exits import STOPPED, CliError, Exit
from .hint import hinting
from .output import Output

PASSPHRASE_VARIABLE = "E2EE_PASSPHRASE_FILE"  # noqa: S105 -- the name of a variable
"""Names a file with the passphrase, for programs that nobody sits in front of."""

MAX_LINE = 4096
"""Characters of a file's first line; a passphrase has fewer."""


def read_passphrase(file: str, output: Output) -> str:
    """The first line of this file. Raises CliError."""
    try:
        with (
            open(file, encoding="utf-8") as text,
            hinting(output, "the passphrase", text.fileno()),
        ):
            passphrase = text.readline(MAX_LINE).rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise CliError(f"{file} cannot be read: {reason}", Exit.FILES) from None
    if not passphrase:
        raise CliError(f"{file} has no passphrase in its first line", Exit.USAGE)
    return passphrase


def ask_passphrase(prompt: str, instead: str) -> str:
    """From the terminal, unseen. Raises CliError, which without one says what to do ``instead``."""
    try:
        with open("/dev/tty", "rb"):
            pass
    except OSError:
        raise CliError(
            f"there is no terminal to ask for the identity's passphrase; {instead}", Exit.IN_USE
        ) from None
    try:
        with _stoppable(prompt):
            return getpass.getpass(prompt)
    except EOFError:
        _end_row()
        raise CliError("no passphrase was given", Exit.IN_USE) from None
    except UnicodeDecodeError:
        _end_row()
        raise CliError("what was typed is not text in this terminal", Exit.USAGE) from None


def _end_row() -> None:
    """The terminal has not shown what ended the question, and the cursor is still behind it."""
    with contextlib.suppress(OSError), open("/dev/tty", "wb", 0) as terminal:
        terminal.write(b"\n")


@contextlib.contextmanager
def _stoppable(prompt: str) -> Iterator[None]:
    """A signal ends the question, and not the program in the midst of it: the terminal would go
    on to hide what is typed. After Ctrl-Z it is asked anew, and hidden again."""

    def stop(number: int, _: FrameType | None) -> None:
        raise STOPPED[signal.Signals(number)]

    def ask_again(_: int, __: FrameType | None) -> None:
        with contextlib.suppress(OSError, termios.error), open("/dev/tty", "r+b", 0) as terminal:
            if os.tcgetpgrp(terminal.fileno()) != os.getpgrp():
                return  # In the background: to read there will stop us.
            # Whoever had the terminal meanwhile has set it to show what is typed.
            modes = termios.tcgetattr(terminal)
            modes[3] &= ~termios.ECHO
            termios.tcsetattr(terminal, termios.TCSAFLUSH, modes)
            terminal.write(prompt.encode())

    before = {number: signal.getsignal(number) for number in STOPPED}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, stop)
        before[signal.SIGCONT] = signal.signal(signal.SIGCONT, ask_again)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
