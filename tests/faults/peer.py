"""A peer that is authenticated, and says whatever a test wants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from e2ee import Identity, Session
from e2ee.messages import (
    ChatMessage,
    Hello,
    Receipt,
    Stream,
    Text,
    WireModel,
    decode_chat,
    encode,
)
from e2ee.opening import KnownDevice
from e2ee.transport import Channel, tcp

M = TypeVar("M", bound=WireModel)

PATIENCE = 30.0
"""Seconds after which something that a test waits for is taken for a hang."""


class Peer:
    """Its messages go out in order, each when the listener takes it."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.heard: list[ChatMessage] = []
        self.over = asyncio.Event()
        """The listener has closed, or dropped the channel."""
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def call(
        cls,
        address: str,
        identity: Identity,
        *,
        hello: bool = True,
        before: Peer | None = None,
    ) -> Peer:
        """``hello`` -- say it, as a chat does. ``before`` -- come back to this listener."""
        host, _, port = address.rpartition(":")
        device = them = None
        if before is not None:
            them = before.channel.peer
            device = KnownDevice(them.static_key, time.time_ns() // 1000)
        session = Session.initiator(
            identity,
            device=device,
            expected_peer=None if them is None else them.id,
            now=time.time(),
        )
        peer = cls(await tcp.connect(host, int(port), session))
        if hello:
            await peer.say(Hello(purposes=("chat",)))
        return peer

    async def say(self, *messages: WireModel) -> None:
        for message in messages:
            await self.channel.send(encode(message))

    async def _read(self) -> None:
        try:
            async for data in self.channel:
                async with self._news:
                    self.heard.append(decode_chat(data))
                    self._news.notify_all()
        finally:
            self.over.set()

    async def hear(self, kind: type[M], condition: Callable[[M], bool] = lambda _: True) -> M:
        """The first message of this kind that fits, which may have come already."""

        def found() -> M | None:
            fitting = (said for said in self.heard if isinstance(said, kind) and condition(said))
            return next(fitting, None)

        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(found)
        message = found()
        assert message is not None
        return message

    async def is_turned_away(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.over.wait()

    async def hang_up(self) -> None:
        await self.channel.abort()
        await asyncio.gather(self._reading, return_exceptions=True)


class Chatting:
    """Somebody honest, whose texts are to go on arriving."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._said = 0

    @classmethod
    async def with_listener(cls, address: str) -> Chatting:
        peer = await Peer.call(address, Identity.generate(now=time.time()))
        await peer.say(Stream(id=b"honestly honest.", first=1))
        return cls(peer)

    async def say(self, body: str) -> None:
        """Returns when it is confirmed."""
        self._said += 1
        await self._peer.say(Text(id=self._said, body=body))
        await self._peer.hear(Receipt, lambda receipt: receipt.id >= self._said)

    async def hang_up(self) -> None:
        await self._peer.hang_up()
