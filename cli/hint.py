"""A word to a person at a terminal whom a command waits for without having said so."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from .output import Output

PATIENCE = 1.0
"""Seconds; who has typed by then knows."""


@contextlib.contextmanager
def hinting(output: Output, what: str, stream: int) -> Iterator[None]:
    """Around a read of this stream: if it is a terminal and it takes longer, say ``what`` is
    awaited.
    """
    if not os.isatty(stream):
        yield
        return
    text = f"I read {what} from this terminal; Enter and then Ctrl-D end it."
    timer = threading.Timer(PATIENCE, output.status, ["hint", text], {"text": text})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
