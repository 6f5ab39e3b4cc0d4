"""The chat layer over a channel: texts, receipts, goodbye. SPEC.md section 11."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from e2ee.errors import SessionClosed, UnexpectedMessage
from e2ee.messages import Leave, Name, Receipt, Text, Unsupported, decode_chat, encode
from e2ee.transport import Channel


class Conversation:
    """Texts to and from a peer, with receipts.

    One task iterates over ``incoming()``; it never waits for sending, so that two peers that
    flood each other cannot block each other for good.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._said = 0
        self._confirmed = 0
        self._shown = 0
        self._receipted = 0
        self._peer_leaves = False
        self._news = asyncio.Condition()

    @property
    def confirmed(self) -> int:
        """Texts of ours that the peer has confirmed to have shown."""
        return self._confirmed

    @property
    def unconfirmed(self) -> int:
        """Texts of ours that the peer has not confirmed to have shown."""
        return self._said - self._confirmed

    async def say(self, body: str) -> None:
        """Send a text. Raises what ``Channel.send`` raises; SessionClosed to one that leaves."""
        if self._peer_leaves:
            raise SessionClosed("the peer has left")
        text = Text(id=self._said + 1, body=body)
        await self._channel.send(encode(text))
        self._said += 1

    async def introduce(self, name: str) -> None:
        """Say what we call ourselves. Raises what ``Channel.send`` raises."""
        await self._channel.send(encode(Name(name=name)))

    async def all_confirmed(self) -> None:
        """Wait until the peer has shown everything that was said."""
        async with self._news:
            await self._news.wait_for(lambda: self.unconfirmed <= 0)

    async def incoming(self) -> AsyncGenerator[Text | Leave | Name | Unsupported]:
        """What the peer says, until it closes. A text counts as shown when the next is asked for.

        After the peer's leave it is closed from here, when all that was said is confirmed. Raises
        what ``Channel.receive`` raises, MalformedMessage and UnexpectedMessage.
        """
        answering = [asyncio.create_task(self._send_receipts())]
        try:
            async for data in self._channel:
                message = decode_chat(data)
                if isinstance(message, Receipt):
                    if not self._confirmed < message.id <= self._said:
                        raise UnexpectedMessage("the peer confirmed what was not said, or twice")
                    await self._note(confirmed=message.id)
                    continue
                if isinstance(message, Text) and message.id != self._shown + 1:
                    raise UnexpectedMessage("the peer's texts are not numbered one by one")
                if isinstance(message, Leave) and not self._peer_leaves:
                    self._peer_leaves = True
                    answering.append(asyncio.create_task(self._close_when_confirmed()))
                yield message
                if isinstance(message, Text):
                    await self._note(shown=message.id)
        finally:
            for task in answering:
                task.cancel()
            # Their failures are the channel's, which whoever iterates sees.
            await asyncio.gather(*answering, return_exceptions=True)

    async def leave(self) -> None:
        """Say goodbye. The peer closes when its own texts are confirmed."""
        with contextlib.suppress(SessionClosed):
            await self._send_due_receipt()
            await self._channel.send(encode(Leave()))

    async def close(self) -> None:
        """Close in order, whatever the peer still has to say. Raises as ``Channel.close``."""
        await self._channel.close()

    async def _note(self, *, confirmed: int | None = None, shown: int | None = None) -> None:
        async with self._news:
            self._confirmed = self._confirmed if confirmed is None else confirmed
            self._shown = self._shown if shown is None else shown
            self._news.notify_all()

    async def _close_when_confirmed(self) -> None:
        await self.all_confirmed()
        await self._send_due_receipt()
        await self._channel.close()

    async def _send_receipts(self) -> None:
        with contextlib.suppress(SessionClosed):
            while True:
                async with self._news:
                    await self._news.wait_for(lambda: self._shown > self._receipted)
                await self._send_due_receipt()

    async def _send_due_receipt(self) -> None:
        if self._shown > self._receipted:
            self._receipted = self._shown
            await self._channel.send(encode(Receipt(id=self._receipted)))
