"""Running asyncio work so that Ctrl-C, SIGTERM and a closed terminal end it in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import socket
from collections.abc import Coroutine
from typing import Any

from . import terminal_modes
from .exits import STOPPED, CliError


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end. The first signal cancels the work, which may take a moment to say goodbye;
    a second one ends the program at once. Raises what the work raises; CliError after a signal;
    OSError where the system has no file descriptors for it.
    """
    try:
        _check_descriptors()
    except OSError:
        work.close()
        raise
    asyncio.run(_with_signals(work))


def _check_descriptors() -> None:
    """Raises OSError."""
    # A loop that gets only some of those that it needs leaves a traceback behind.
    with selectors.DefaultSelector():
        for end in socket.socketpair():
            end.close()


async def _with_signals(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    stopped_by: list[CliError] = []
    put_terminal_back = terminal_modes.found()

    def stop(error: CliError) -> None:
        if stopped_by:
            put_terminal_back()
            os._exit(error.code)
        stopped_by.append(error)
        task.cancel()

    for number, error in STOPPED.items():
        # nohup, and a shell that starts us in the background, want some ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop, error)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    except Exception:
        if not stopped_by:
            raise
    finally:
        # Before the loop closes: a signal that came in between would complain of it, and the loop
        # leaves Python's own handler of Ctrl-C behind, which gives a traceback.
        for number in STOPPED:
            if loop.remove_signal_handler(number):
                signal.signal(number, signal.SIG_DFL)
    if stopped_by:
        raise stopped_by[0]
