"""Lines of standard input for asyncio, whatever stdin is: a terminal, a pipe, a file, closed."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator

from e2ee.messages import MAX_TEXT_LENGTH

from .exits import CliError, Exit

_READ_SIZE = 65_536
_WAITING_LINES = 64


async def stdin_lines() -> AsyncIterator[str]:
    """Each line without its newline, until the input ends.

    Raises CliError for input that is not UTF-8, or for a line above the limit of a text.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=_WAITING_LINES)

    def read() -> None:
        # A thread, since a file cannot be watched by the loop; a daemon, since nothing but
        # input can wake it. os.read rather than sys.stdin, which would hold a lock at exit.
        while True:
            try:
                chunk = os.read(0, _READ_SIZE)
            except OSError:
                chunk = b""
            try:
                asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
            except (RuntimeError, asyncio.CancelledError):
                return
            if not chunk:
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    rest = b""
    while chunk := await chunks.get():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield _text(line)
        if len(rest) > MAX_TEXT_LENGTH:
            raise _too_long()
    if rest:
        yield _text(rest)


def stdin_is_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _text(line: bytes) -> str:
    if len(line) > MAX_TEXT_LENGTH:
        raise _too_long()
    try:
        return line.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        raise CliError("the input is not UTF-8 text", Exit.USAGE) from None


def _too_long() -> CliError:
    return CliError(f"a line of the input is above {MAX_TEXT_LENGTH:,} bytes", Exit.OVER_LIMIT)
