"""``e2ee demo``: a real chat over loopback TCP with a second process that answers.

Both identities are made for the occasion and never reach a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable

from e2ee import Identity, Padding, Session
from e2ee.conversation import CHAT, TextReceived
from e2ee.journal import MemoryJournal
from e2ee.transport import Channel, Stream, tcp

from .chat import TIMEOUTS
from .commands import Command
from .correspondent import Correspondent
from .exits import CliError, Exit
from .lines import STDIN
from .output import Output
from .purpose import agree
from .view import View
from .wire import WatchedStream

SCRIPT = (
    "Hello! Is anybody there?",
    "Who else can read this line?",
    "Good. Then goodbye.",
)
"""What is said where there is no person to say anything."""

PEER_TIMEOUT = 15.0
"""Seconds for the other process to start, and to end."""


async def demo(*, wire: bool, output: Output) -> None:
    """Raises E2EEError, CliError."""
    output.status("starting", "Starting a second process, which listens on 127.0.0.1 …")
    if wire:
        output.status(
            "legend",
            'Behind "wire" stands what an eavesdropper sees: the handshake, then 274 bytes\n'
            "for each line, and for each confirmation that one was shown.",
        )
    now = time.time()
    session = Session.initiator(Identity.generate(now=now), now=now, padding=Padding.CHAT)
    async with _peer_process() as port:
        stream: Stream = await tcp.connect_stream("127.0.0.1", port)
        if wire:
            stream = WatchedStream(stream, lambda line: output.status("wire", line))
        channel = await Channel.open(stream, session, timeouts=TIMEOUTS)
        output.status(
            "connected",
            "End-to-end encrypted. Nobody has verified the other end, which is\n"
            f"  {channel.peer.id}\n"
            f"  their safety words: {' '.join(channel.peer.words)}",
        )
        await agree(channel, [CHAT], initiator=True)
        if os.isatty(STDIN):
            await _converse(channel, output)
        else:
            await _recite(channel, output)
    output.status("over", "That was a real session. Next: e2ee listen, and e2ee connect.")


async def _converse(channel: Channel, output: Output) -> None:
    """Say what a person types, until they leave."""

    async def show(text: TextReceived, written: Callable[[], None]) -> None:
        await view.text("peer", text, written, peer=channel.peer.id)

    async def speak() -> None:
        async for item in view.typed():
            if not isinstance(item, Command):
                peer.say(item)
                for body in item:
                    view.delivered(body, time.time())
        await peer.leave()

    peer = Correspondent(MemoryJournal(), show=show, tell=lambda _: None)
    async with View(output) as view:
        view.footer("a second process on this machine", alarm=False)
        view.ready()
        speaking = asyncio.create_task(speak())
        try:
            await peer.converse(channel)
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)


async def _recite(channel: Channel, output: Output) -> None:
    """Say the script, line by line, each after the answer to the one before."""
    script = iter(SCRIPT)
    leaving: list[asyncio.Task[None]] = []

    async def show(text: TextReceived, written: Callable[[], None]) -> None:
        await output.line("peer", text.body)
        written()
        if (line := next(script, None)) is None:
            leaving.append(asyncio.create_task(peer.leave()))
        else:
            await output.line("you", line)
            peer.say([line])

    peer = Correspondent(MemoryJournal(), show=show, tell=lambda _: None)
    await peer.converse(channel)
    await asyncio.gather(*leaving)


@contextlib.asynccontextmanager
async def _peer_process() -> AsyncIterator[int]:
    """Start the other process; gives the port on which it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        f"{__package__}.demo_peer",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # A Ctrl-C at the terminal is for us, who then say goodbye to it.
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PEER_TIMEOUT):
                line = await process.stdout.readline()
        if not line.strip().isdigit():
            raise CliError("the second process did not start", Exit.INTERNAL)
        yield int(line)
    finally:
        process.stdin.close()  # It ends by itself when its standard input does.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PEER_TIMEOUT):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
