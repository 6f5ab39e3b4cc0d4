"""A chat at the terminal, or in a pipe, over one authenticated channel."""

from __future__ import annotations

import asyncio
import contextlib
import os

from e2ee import Peer
from e2ee.errors import E2EEError, SessionClosed
from e2ee.messages import Leave, Text, Unsupported
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


def announce(output: Output, peer: Peer, *, expected: bool) -> None:
    """Say whom the channel is authenticated to, before a line is sent or shown."""
    words = " ".join(peer.words)
    trust = (
        "This is the identity that you asked for."
        if expected
        else "NOT VERIFIED: this may be anybody who can reach this connection. To be sure,\n"
        "compare the words with those that `e2ee id` shows to the other person, by voice."
    )
    output.status(
        "connected",
        f"The channel is end-to-end encrypted, and authenticated to\n"
        f"  {peer.id}\n"
        f"  their safety words: {words}\n"
        f"{trust}",
        peer=peer.id,
        words=list(peer.words),
        verified=expected,
    )
    if os.isatty(STDIN):
        output.status("ready", "Write a line and press Enter. Ctrl-D leaves.")


async def chat(channel: Channel, output: Output, *, leave_at_end_of_input: bool) -> None:
    """Carry lines both ways until one side leaves.

    Without ``leave_at_end_of_input`` only a person's Ctrl-D leaves; an input that has ended
    otherwise means that there is nothing more to say. Raises E2EEError; CliError where lines may
    not have reached the peer, or cannot be shown.
    """
    conversation = Conversation(channel)
    hearing = asyncio.create_task(_hear(conversation, output))
    speaking = asyncio.create_task(_speak(conversation))
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


async def _speak(conversation: Conversation) -> None:
    person = os.isatty(STDIN)
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


async def _hear(conversation: Conversation, output: Output) -> None:
    async with contextlib.aclosing(conversation.incoming()) as messages:
        async for message in messages:
            match message:
                case Text():
                    await output.line("peer", message.body)
                case Unsupported():
                    output.status(
                        "unsupported",
                        f"(The peer sent a {message.kind!r}, which this version cannot show.)",
                        kind=message.kind,
                    )
                case Leave():
                    pass  # It is answered, and the peer's close comes next.
