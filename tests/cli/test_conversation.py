"""The chat layer's rules for a peer that does not follow them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from e2ee import Identity, Session
from e2ee.errors import MalformedMessage, ProtocolError, UnexpectedMessage
from e2ee.messages import Leave, Receipt, Text, encode
from e2ee.transport import Channel, memory
from e2ee_cli.conversation import Conversation

ALICE, BOB = Identity.generate(), Identity.generate()


async def hear(said: int, messages: Sequence[bytes]) -> list[str]:
    """What a conversation that has said so many texts makes of these messages."""
    here, there = memory.pair()
    channel, peer = await asyncio.gather(
        Channel.open(here, Session.initiator(ALICE)), Channel.open(there, Session.responder(BOB))
    )
    conversation = Conversation(channel)
    for number in range(said):
        await conversation.say(str(number))
    for message in messages:
        await peer.send(message)
    heard: list[str] = []
    try:
        async for message in conversation.incoming():
            heard.append(type(message).__name__)
            if isinstance(message, Leave):
                break
    finally:
        await channel.abort()
        await peer.abort()
    return heard


def text(number: int) -> bytes:
    return encode(Text(id=number, body="x"))


def receipt(number: int) -> bytes:
    return encode(Receipt(id=number))


def test_texts_receipts_and_what_is_unknown() -> None:
    messages = [text(1), receipt(1), text(2), b'{"kind":"new.kind","x":[]}', receipt(3)]
    heard = asyncio.run(hear(3, [*messages, encode(Leave())]))
    assert heard == ["Text", "Text", "Unsupported", "Leave"]


@pytest.mark.parametrize("numbers", [(0x7,), (2,), (1, 1), (1, 3), (1, 2, 1)])
def test_texts_are_numbered_one_by_one(numbers: tuple[int, ...]) -> None:
    with pytest.raises(UnexpectedMessage):
        asyncio.run(hear(0, [text(number) for number in numbers]))


@pytest.mark.parametrize("numbers", [(1, 1), (2, 1), (4,)])
def test_receipts_confirm_what_was_said_and_once(numbers: tuple[int, ...]) -> None:
    with pytest.raises(UnexpectedMessage):
        asyncio.run(hear(3, [receipt(number) for number in numbers]))


@pytest.mark.parametrize("message", [b"", b"hello", b'{"kind":"text"}', b'{"kind":"leave","x":1}'])
def test_what_is_not_a_chat_message_ends_the_chat(message: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        asyncio.run(hear(0, [message]))
    assert isinstance(caught.value, ProtocolError)
