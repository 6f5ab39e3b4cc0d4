"""Standard input and output as bytes, whatever they are, and without a copy of what is read."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import stat
from itertools import cycle

from e2ee.pipe_messages import MARK, MAX_DATA

from .lines import STDIN, unreadable, when_ready
from .output import STDOUT

MESSAGES_AT_ONCE = 16
"""One call reads so many, some 1 MiB."""

PIPE_SIZE = 2**20
"""Bytes; Linux gives that much to everybody, and 64 KiB to who does not ask."""


class Input:
    """Standard input, cut into messages of a pipe where it lies."""

    def __init__(self) -> None:
        self._buffers = cycle([_slots(), _slots()])
        self._ended = False

    def read(self) -> list[memoryview]:
        """What there is, and at least one message; none when the input has ended.

        Blocks. The messages are good until the next call but one. Raises CliError.
        """
        slots = next(self._buffers)
        length = 0
        try:
            while not self._ended and length < MAX_DATA * len(slots):
                if length and not select.select([STDIN], [], [], 0)[0]:
                    break
                first, offset = divmod(length, MAX_DATA)
                rest = [slots[first][1 + offset :], *(slot[1:] for slot in slots[first + 1 :])]
                some = when_ready(lambda rest=rest: os.readv(STDIN, rest))  # type: ignore[misc]
                length += some
                self._ended = not some
        except OSError as error:
            if error.errno != errno.EIO:  # The terminal has gone.
                raise unreadable(error) from None
            self._ended = True
        full, more = divmod(length, MAX_DATA)
        return slots[:full] + ([slots[full][: 1 + more]] if more else [])


def _slots() -> list[memoryview]:
    """Room for messages, each with its mark."""
    buffer = memoryview(bytearray([MARK, *bytes(MAX_DATA)]) * MESSAGES_AT_ONCE)
    return [buffer[at : at + 1 + MAX_DATA] for at in range(0, len(buffer), 1 + MAX_DATA)]


def widen_pipes() -> None:
    """Where standard input and output are pipes, let more be on its way in them: bytes then move
    with fewer turns between the programs.
    """
    for number in (STDIN, STDOUT):
        with contextlib.suppress(OSError, AttributeError):  # No pipe; not on Linux.
            if fcntl.fcntl(number, fcntl.F_GETPIPE_SZ) < PIPE_SIZE:
                fcntl.fcntl(number, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


def end_stdout() -> None:
    """Let who reads standard output see its end, while the program goes on."""
    if stat.S_ISSOCK(os.fstat(STDOUT).st_mode):
        # Standard input may be the same socket, which closing one of them leaves open.
        with socket.socket(fileno=os.dup(STDOUT)) as connection:
            try:
                connection.shutdown(socket.SHUT_WR)
            except OSError:  # The other end has gone.
                return
        return
    # Not just closed: the next file or socket would take its number.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)
