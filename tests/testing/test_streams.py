"""Channels in memory, on streams that are late, cut up, attacked or cut."""

from __future__ import annotations

import asyncio

import pytest

from e2ee import Identity, Session
from e2ee.errors import (
    DecryptionError,
    E2EEError,
    SessionClosed,
    TimedOut,
    TransportError,
    Truncated,
    UnexpectedPeer,
)
from e2ee.testing.attacker import Faults, Piece, Script, Side, cut, drop, flip
from e2ee.testing.streams import new_streams, open_channels
from e2ee.transport import Channel, Timeouts

pytestmark = pytest.mark.virtual_time

RECORDS = 2
"""The number of the initiator's first piece with records."""


@pytest.mark.parametrize("seed", [None, *range(4)])
async def test_channels_carry_messages_both_ways(seed: int | None) -> None:
    messages = [b"one", b"", bytes(100_000), b"four"]
    async with open_channels(seed=seed) as channels:
        for sender, receiver in (channels, channels[::-1]):
            for message in messages:
                await sender.send(message)
            assert [await receiver.receive() for _ in messages] == messages
        await asyncio.gather(*(channel.close() for channel in channels))
        assert await channels[0].receive() is None


async def test_the_same_seed_gives_the_same_chunks() -> None:
    async def chunks(seed: int) -> list[int]:
        sender, receiver = new_streams(seed=seed)
        await sender.send(bytes(5000))
        await sender.close()
        sizes = []
        while data := await receiver.receive():
            sizes.append(len(data))
        return sizes

    assert await chunks(1) == await chunks(1)
    assert len({tuple(await chunks(seed)) for seed in range(8)}) > 4


async def test_an_attacker_sees_what_the_streams_are_given_and_changes_it() -> None:
    script = Script().at(Side.INITIATOR, RECORDS, flip(-1))
    async with open_channels(attacker=script) as (alice, bob):
        await alice.send(b"changed on its way")
        with pytest.raises(DecryptionError):
            await bob.receive()
    assert not script.waiting


async def test_a_cut_is_told_from_a_close() -> None:
    script = Script().at(Side.INITIATOR, RECORDS + 1, cut)
    async with open_channels(attacker=script) as (alice, bob):
        await alice.send(b"arrives")
        assert await bob.receive() == b"arrives"
        await alice.send(b"does not")
        for channel in (alice, bob):
            with pytest.raises(Truncated):
                await channel.receive()


async def test_a_reset_is_an_error_of_the_transport() -> None:
    streams = new_streams()
    sessions = Session.initiator(Identity.generate()), Session.responder(Identity.generate())
    alice, bob = await asyncio.gather(*map(Channel.open, streams, sessions))
    await streams[0].break_off()
    for channel in (alice, bob):
        with pytest.raises(TransportError):
            await channel.receive()
        await channel.abort()


@pytest.mark.parametrize("wrong", Side)
async def test_who_fails_the_handshake_is_told_and_nothing_is_left(wrong: Side) -> None:
    alice, bob, mallory = (Identity.generate() for _ in range(3))
    expected = {side: mallory.id if side is wrong else None for side in Side}
    sessions = (
        Session.initiator(alice, expected_peer=expected[Side.INITIATOR]),
        Session.responder(bob, expected_peer=expected[Side.RESPONDER]),
    )
    with pytest.raises(UnexpectedPeer) as caught:
        async with open_channels(sessions):
            pytest.fail("the handshake was not to succeed")
    assert caught.value.peer is not None


async def test_a_handshake_that_is_never_answered_ends_at_its_deadline() -> None:
    script = Script().at(Side.RESPONDER, 0, drop)
    with pytest.raises(TimedOut):
        async with open_channels(attacker=script, timeouts=Timeouts(handshake=0.05)):
            pytest.fail("the handshake was not to succeed")


async def test_a_block_that_is_left_early_leaves_nothing_behind() -> None:
    async with open_channels() as channels:
        await channels[0].send(b"x")
    for channel in channels:
        with pytest.raises((SessionClosed, Truncated)):
            await channel.send(b"x")


async def test_a_handshake_that_is_cancelled_leaves_nothing_behind() -> None:
    def never(piece: Piece) -> list[bytes]:
        return []

    async def wait() -> None:
        async with open_channels(attacker=never):
            pytest.fail("the handshake was not to succeed")

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_whatever_a_bad_wire_does_a_channel_gives_the_beginning_or_an_error() -> None:
    sent = [b"%d" % number for number in range(10)]
    ends: set[str] = set()
    for seed in range(20):
        faults = Faults(seed, duplicate=0.05, corrupt=0.05, cut=0.05)
        received: list[bytes] = []
        end = "none"
        try:
            async with open_channels(attacker=faults, seed=seed) as (alice, bob):
                for message in sent:
                    await alice.send(message)
                    received.append(await bob.receive() or b"")
        except E2EEError as error:
            end = type(error).__name__
        assert received == sent[: len(received)]
        assert faults.done or received == sent
        ends.add(end)
    assert ends >= {"none", "DecryptionError", "Truncated"}
