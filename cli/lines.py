"""Lines of standard input for asyncio, whatever stdin is: a terminal, a pipe, a file."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from e2ee.messages import MAX_TEXT_LENGTH

from .exits import CliError, Exit
from .threads import in_thread

T = TypeVar("T")

STDIN = 0
_READ_SIZE = 65_536


async def stdin_lines() -> AsyncIterator[list[str]]:
    """Lines without their newlines, as many at a time as have come, until the input ends.

    Raises CliError for input that is not UTF-8, or for a line above the limit of a text, when
    what came before it has been given.
    """
    rest = b""
    while chunk := await in_thread(_read):
        *lines, rest = (rest + chunk).split(b"\n")
        good: list[str] = []
        try:
            for line in lines:
                good.append(_text(line))  # noqa: PERF401 -- those before a bad one count
            if len(rest) > MAX_TEXT_LENGTH:
                raise _too_long()
        except CliError:
            yield good
            raise
        yield good
    if rest:
        yield [_text(rest)]


def _read() -> bytes:
    try:
        return read_when_ready(_READ_SIZE)
    except OSError as error:
        if error.errno == errno.EIO:
            return b""  # The terminal has gone.
        raise unreadable(error) from None


def read_when_ready(size: int) -> bytes:
    """At most so many bytes of standard input; none at its end. Raises OSError."""
    return when_ready(lambda: os.read(STDIN, size))


def when_ready(read: Callable[[], T]) -> T:
    """What this read of standard input gives, when there is something to read. Raises OSError."""
    while True:
        try:
            return read()
        except BlockingIOError:
            select.select([STDIN], [], [])


def unreadable(error: OSError) -> CliError:
    """What to say of it."""
    return CliError(f"cannot read the input: {error.strerror}", Exit.FILES)


def _text(line: bytes) -> str:
    if len(line) > MAX_TEXT_LENGTH:
        raise _too_long()
    try:
        return line.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        raise CliError("the input is not UTF-8 text", Exit.USAGE) from None


def _too_long() -> CliError:
    return CliError(f"a line of the input is above {MAX_TEXT_LENGTH:,} bytes", Exit.OVER_LIMIT)
