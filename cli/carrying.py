"""A channel that carries files and nothing else: what ``send`` and ``receive`` have in common."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from e2ee.errors import E2EEError, UnexpectedMessage
from e2ee.file_messages import is_file_message
from e2ee.transport import Channel

from .exits import CliError
from .progress_line import ProgressLine
from .transfer import Row, Transfer

GOODBYE_TIMEOUT = 2.0
"""Seconds for an orderly close after a signal."""


async def carry(
    channel: Channel,
    transfer: Transfer,
    line: ProgressLine,
    until: Coroutine[Any, Any, None] | None,
) -> None:
    """Let files pass until the peer closes, or until ``until`` has come to its end.

    Raises what breaks the channel, and what ``until`` raises.
    """
    hearing = asyncio.create_task(_hear(channel, transfer))
    sending = asyncio.create_task(transfer.send_queue(channel))
    showing = asyncio.create_task(line.run(transfer))
    leaving = None if until is None else asyncio.create_task(until)
    tasks = [hearing, sending, showing, *([leaving] if leaving else [])]
    try:
        await asyncio.wait({hearing, leaving or hearing}, return_when=asyncio.FIRST_COMPLETED)
        if leaving is not None and leaving.done() and not hearing.done():
            leaving.result()
            await _say_goodbye(channel, transfer, sending)
        else:
            hearing.result()
    except asyncio.CancelledError:
        transfer.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await _say_goodbye(channel, transfer, sending)
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        line.clear()
        await channel.abort()
        await transfer.end()


async def carry_files(channel: Channel, transfer: Transfer) -> str:
    """Take files until the peer closes; the reason, as ``Correspondent.converse`` gives it.

    Raises what breaks the channel.
    """
    sending = asyncio.create_task(transfer.send_queue(channel))
    try:
        await _hear(channel, transfer)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await channel.abort()
        await transfer.end()
    return "left"


async def _say_goodbye(channel: Channel, transfer: Transfer, sending: asyncio.Task[None]) -> None:
    """Let the last words out, and close. What was to be confirmed has been."""
    draining = asyncio.create_task(transfer.drained())
    try:
        await asyncio.wait({draining, sending}, return_when=asyncio.FIRST_COMPLETED)
        with contextlib.suppress(E2EEError):
            await channel.close()
    finally:
        draining.cancel()


async def _hear(channel: Channel, transfer: Transfer) -> None:
    async for message in channel:
        if not is_file_message(message):
            raise UnexpectedMessage("the peer wants something else than files")
        transfer.hear(message)


def raise_worst(rows: list[Row], what: str) -> None:
    """Of files that have ended, say so where not all are whole. Raises CliError."""
    failed = [row for row in rows if row.error is not None and row.error.code]
    if failed:
        error = failed[0].error
        assert error is not None
        raise CliError(f"{len(failed)} of {len(rows)} {what}", error.code)
