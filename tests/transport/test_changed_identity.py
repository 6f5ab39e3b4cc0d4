"""Channels to somebody else than is expected: their application has nothing to send on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import settings

from e2ee import Identity, Session
from e2ee.errors import E2EEError, UnexpectedPeer
from e2ee.transport import Channel
from e2ee.transport.memory import MemoryStream, pair

pytestmark = pytest.mark.virtual_time

ALICE, BOB, OTHER = (Identity.generate() for _ in range(3))


async def application(
    stream: MemoryStream, session: Session, texts: list[bytes], received: list[bytes]
) -> E2EEError | None:
    """Its texts wait for the channel; what comes is taken. Returns what ended it."""
    try:
        channel = await Channel.open(stream, session)
    except E2EEError as error:
        return error
    try:
        for text in texts:
            await channel.send(text)
        await channel.close()
        received += [message async for message in channel]
    except E2EEError as error:
        return error
    finally:
        await channel.abort()
    return None


@pytest.mark.attack(16)
async def test_not_a_message_goes_to_or_comes_from_another_identity(
    figure: Callable[[str], None],
) -> None:
    runs = settings().max_examples
    for number in range(runs):
        chance = random.Random(number)
        streams = pair(chunk_size=lambda chance=chance: chance.randrange(1, 3_000))  # type: ignore[misc]
        victim = chance.randrange(2)
        people = [ALICE, BOB]
        people[1 - victim] = OTHER
        expected = [BOB.id if victim == 0 else None, ALICE.id if victim == 1 else None]
        sessions = (
            Session.initiator(people[0], expected_peer=expected[0]),
            Session.responder(people[1], expected_peer=expected[1]),
        )
        received: tuple[list[bytes], list[bytes]] = ([], [])
        texts = [chance.randbytes(chance.choice([0, 20, 5_000])) for _ in range(5)]
        errors = await asyncio.gather(
            *(application(streams[i], sessions[i], texts, received[i]) for i in range(2))
        )
        assert type(errors[victim]) is UnexpectedPeer, number
        assert errors[1 - victim] is not None
        assert received == ([], []), number
    figure(f"another identity: {runs} channels that were not opened, 0 messages either way")
