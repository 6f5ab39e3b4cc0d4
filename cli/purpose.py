"""What a channel is for: the first word that each side says. SPEC.md section 11.2."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from e2ee.conversation import agreed_purpose
from e2ee.errors import E2EEError, SessionClosed, TimedOut, Truncated, UnexpectedMessage
from e2ee.messages import Hello, Leave, decode_chat, encode
from e2ee.transport import Channel

from .exits import CliError, Exit

HELLO_TIMEOUT = 15.0
"""Seconds for the peer's first word."""

WHAT = {"chat": "a chat", "files": "files", "pipe": "a pipe"}


class OtherPurpose(CliError):
    """The peer is there for something else."""


async def agree(channel: Channel, purposes: Sequence[str], *, initiator: bool) -> str:
    """Say hello, and hear what the peer is ready for.

    Raises what ``Channel`` raises, MalformedMessage, UnexpectedMessage, TimedOut; OtherPurpose
    where the two want different things.
    """
    with contextlib.suppress(SessionClosed):  # What they said before they closed tells more.
        await channel.send(encode(Hello(purposes=tuple(purposes))))
    try:
        async with asyncio.timeout(HELLO_TIMEOUT):
            data = await channel.receive()
    except TimeoutError:
        raise TimedOut(f"the peer has not said hello in {HELLO_TIMEOUT:g} seconds") from None
    if data is None:
        raise Truncated("the peer closed without a word")
    hello = decode_chat(data)
    if not isinstance(hello, Hello):
        raise UnexpectedMessage("the peer did not begin with a hello")
    sides = (purposes, hello.purposes) if initiator else (hello.purposes, purposes)
    purpose = agreed_purpose(*sides)
    if purpose is None:
        with contextlib.suppress(E2EEError):  # They may have left already, for the same reason.
            await channel.send(encode(Leave(reason="purpose")))
            await channel.close()
        theirs = " or ".join(WHAT[known] for known in hello.purposes if known in WHAT)
        raise OtherPurpose(
            f"they are ready for {theirs or 'something else'} there, not for {WHAT[purposes[0]]}",
            Exit.NETWORK,
        )
    return purpose
