"""The terminal as it was found, for an end that leaves no time to close a screen."""

from __future__ import annotations

import contextlib
import os
import select
import termios
from collections.abc import Callable

from .lines import STDIN
from .output import STDERR, STDOUT

_NO_SCREEN = b"\x1b[?2026l\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[?25h\r\x1b[J"
"""No frame, no bracketed paste, no word of the focus; rows break, the cursor is seen, and nothing
stands from its row on.
"""


def found() -> Callable[[], None]:
    """What puts it back to how it is now. That waits for nothing, and does nothing where there is
    no terminal, or where it is as it was.
    """
    try:
        modes = termios.tcgetattr(STDIN)
    except termios.error:
        return lambda: None

    def put_back() -> None:
        with contextlib.suppress(termios.error, OSError):
            # In the background it is another program's.
            if os.tcgetpgrp(STDIN) != os.getpgrp() or termios.tcgetattr(STDIN) == modes:
                return
            termios.tcsetattr(STDIN, termios.TCSANOW, modes)
            shown_on = STDOUT if os.isatty(STDOUT) else STDERR
            if select.select([], [shown_on], [], 0)[1]:
                os.write(shown_on, _NO_SCREEN)

    return put_back
