"""A chat at the terminal, or in a pipe, over one authenticated channel."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from e2ee.errors import E2EEError, SessionClosed
from e2ee.messages import Leave, Name, Text, Unsupported
from e2ee.transport import Channel, Timeouts

from .conversation import Conversation
from .exits import CliError, Exit
from .lines import STDIN, stdin_lines
from .output import Output

CONFIRMATION_TIMEOUT = 30.0
"""Seconds without a confirmation after which no more are waited for."""

TIMEOUTS = Timeouts(close=5)
"""Every line is confirmed before a close, so that it need not wait for long."""

GOODBYE_TIMEOUT = 2.0
"""Seconds for an orderly close after a signal."""


async def chat(
    channel: Channel,
    output: Output,
    *,
    speaker: str,
    leave_at_end_of_input: bool,
    own_name: str = "",
    on_name: Callable[[str], None] = lambda _: None,
) -> None:
    """Carry lines both ways until one side leaves.

    ``speaker`` -- what the peer's lines are marked with. ``own_name`` -- what to call oneself
    towards the peer, if anything; ``on_name`` -- gets what the peer calls itself.

    Without ``leave_at_end_of_input`` only a person's Ctrl-D leaves; an input that has ended
    otherwise means that there is nothing more to say. Raises E2EEError; CliError where lines may
    not have reached the peer, or cannot be shown.
    """
    conversation = Conversation(channel)
    hearing = asyncio.create_task(_hear(conversation, output, speaker, on_name))
    speaking = asyncio.create_task(_speak(conversation, own_name))
    try:
        await asyncio.wait({hearing, speaking}, return_when=asyncio.FIRST_COMPLETED)
        we_leave = not hearing.done() and (
            leave_at_end_of_input or os.isatty(STDIN) or speaking.exception() is not None
        )
        if we_leave:
            await _leave(conversation, hearing)
        await asyncio.wait({hearing})
        hearing.result()
        if not we_leave:
            output.status("left", "The peer has left.")
        _check_nothing_lost(conversation, speaking, all_input_counts=leave_at_end_of_input)
    except (asyncio.CancelledError, CliError, OSError):
        with contextlib.suppress(E2EEError, TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await conversation.leave()
                await conversation.close()
        raise
    finally:
        hearing.cancel()
        speaking.cancel()
        await asyncio.gather(hearing, speaking, return_exceptions=True)
        await channel.abort()


def _check_nothing_lost(
    conversation: Conversation, speaking: asyncio.Task[None], *, all_input_counts: bool
) -> None:
    lost = conversation.unconfirmed > 0
    if not speaking.done():
        # A person who was still at the keyboard has lost nothing.
        lost |= all_input_counts and not os.isatty(STDIN)
    elif isinstance(speaking.exception(), SessionClosed):
        lost = True
    else:
        speaking.result()
    if lost:
        raise CliError(
            "the peer has left without confirming everything that you wrote", Exit.NOT_CONFIRMED
        )


async def _speak(conversation: Conversation, own_name: str) -> None:
    person = os.isatty(STDIN)
    if own_name:
        await conversation.introduce(own_name)
    async for line in stdin_lines():
        if line or not person:
            await conversation.say(line)


async def _leave(conversation: Conversation, hearing: asyncio.Task[None]) -> None:
    """Wait until everything is confirmed, and leave in order."""
    while conversation.unconfirmed and not hearing.done():
        before = conversation.confirmed
        confirming = asyncio.create_task(conversation.all_confirmed())
        await asyncio.wait(
            {confirming, hearing},
            timeout=CONFIRMATION_TIMEOUT,
            return_when=asyncio.FIRST_COMPLETED,
        )
        confirming.cancel()
        if conversation.confirmed == before and not hearing.done():
            raise CliError(
                f"the peer has confirmed nothing more for {CONFIRMATION_TIMEOUT:g} seconds",
                Exit.NOT_CONFIRMED,
            )
    await conversation.leave()
    await asyncio.wait({hearing}, timeout=TIMEOUTS.close)
    if not hearing.done():
        await conversation.close()


async def _hear(
    conversation: Conversation, output: Output, speaker: str, on_name: Callable[[str], None]
) -> None:
    named = False
    async with contextlib.aclosing(conversation.incoming()) as messages:
        async for message in messages:
            match message:
                case Text():
                    await output.line(speaker, message.body)
                case Name() if not named:
                    named = True  # Once: a flood of names would fill the screen and the disk.
                    on_name(message.name)
                case Name():
                    pass
                case Unsupported():
                    output.status(
                        "unsupported",
                        f"(The peer sent a {message.kind!r}, which this version cannot show.)",
                        kind=message.kind,
                    )
                case Leave():
                    pass  # It is answered, and the peer's close comes next.
