"""The first words of a channel, where the peer is quick."""

from __future__ import annotations

import asyncio

import pytest

from e2ee import Identity, Session
from e2ee.conversation import CHAT
from e2ee.errors import Truncated
from e2ee.messages import Hello, WireModel, encode
from e2ee.transport import Channel
from e2ee.transport.memory import pair
from e2ee_cli.purpose import OtherPurpose, agree


async def agree_with_one_who_has_closed(*words: WireModel) -> None:
    there, back = pair()
    ours, theirs = await asyncio.gather(
        Channel.open(there, Session.responder(Identity.generate())),
        Channel.open(back, Session.initiator(Identity.generate())),
    )
    try:
        for word in words:
            await theirs.send(encode(word))
        await theirs.close()
        await agree(ours, [CHAT], initiator=False)
    finally:
        await asyncio.gather(ours.abort(), theirs.abort())


def test_what_a_peer_said_before_it_closed_tells_why_it_did() -> None:
    with pytest.raises(OtherPurpose, match="ready for a pipe"):
        asyncio.run(agree_with_one_who_has_closed(Hello(purposes=("pipe",))))
    with pytest.raises(Truncated, match="closed without a word"):
        asyncio.run(agree_with_one_who_has_closed())
