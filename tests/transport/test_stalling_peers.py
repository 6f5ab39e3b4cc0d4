"""Peers that stop at any byte, drip, or never read: each is given up on time, to the second.

The time is a loop's own and passes at once, so that hours of waiting take seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from e2ee import Identity, Session
from e2ee.errors import TimedOut
from e2ee.transport import Channel, Timeouts
from e2ee.transport.memory import MemoryStream, pair
from tests.virtual_time import NEVER, in_virtual_time, now

ALICE, BOB = Identity.generate(), Identity.generate()
OURS = Timeouts()
LOOK = OURS.quiet / 10
"""Seconds between two looks of a channel at the clock."""

ROLES = pytest.mark.parametrize("role", ["initiator", "responder"])
"""Ours; the peer has the other one."""

LENGTHS = {"initiator": 8 + 1_712, "responder": 8 + 1_216 + 576}
"""Bytes of the opening that the peer has to give, with the usual suite (SPEC.md section 4.1)."""


def sessions(role: str) -> tuple[Session, Session]:
    """Ours and the peer's."""
    if role == "initiator":
        return Session.initiator(ALICE), Session.responder(BOB)
    return Session.responder(BOB), Session.initiator(ALICE)


async def be_miserly(stream: MemoryStream, session: Session, given: int, pause: float) -> None:
    """Read everything, but give only so many bytes of the answers at once, and then one in every
    ``pause`` seconds."""
    received = b""
    while True:
        session.receive_data(received)
        data = session.data_to_send()
        if data[:given]:
            await stream.send(data[:given])
        for byte in data[given:]:
            await asyncio.sleep(pause)
            await stream.send(bytes([byte]))
        given = max(0, given - len(data))
        if not (received := await stream.receive()):
            return


async def end_of_opening(role: str, given: int, pause: float) -> float | None:
    """The seconds after which we gave such a peer up; None if we did not."""
    there, back = pair()
    ours, theirs = sessions(role)
    talking = asyncio.create_task(be_miserly(back, theirs, given, pause))
    began = now()
    try:
        channel = await Channel.open(there, ours)
    except TimedOut:
        assert there.outgoing.ended
        return now() - began
    else:
        await channel.abort()
        return None
    finally:
        talking.cancel()
        await asyncio.wait({talking})


@pytest.mark.attack(56)
@ROLES
def test_a_peer_that_stops_at_any_byte_of_the_opening_is_given_up_at_the_deadline(
    role: str, figure: Callable[[str], None]
) -> None:
    async def stop_at_each_byte() -> None:
        given = 0
        while (seconds := await end_of_opening(role, given, NEVER)) is not None:
            assert seconds == OURS.handshake
            given += 1
        assert given == LENGTHS[role]
        figure(
            f"a peer of the {role} that stops at any of the {given} bytes of its opening is given "
            f"up after {OURS.handshake:g} s, in {given} of {given} cases"
        )

    in_virtual_time(stop_at_each_byte())


@pytest.mark.attack(56)
@ROLES
def test_a_peer_that_gives_a_byte_a_second_is_given_up_at_the_deadline(
    role: str, figure: Callable[[str], None]
) -> None:
    async def drip_from_many_bytes() -> None:
        # The last few of them would come in time.
        begins = range(0, LENGTHS[role] - int(OURS.handshake), 25)
        for given in begins:
            assert await end_of_opening(role, given, 1) == OURS.handshake
        figure(
            f"a peer of the {role} that gives a byte a second, from any of {len(begins)} places of "
            f"its opening on, is given up after {OURS.handshake:g} s"
        )

    in_virtual_time(drip_from_many_bytes())


@pytest.mark.attack(56)
@ROLES
def test_a_peer_that_reads_nothing_of_the_opening_is_given_up_at_the_deadline(
    role: str, figure: Callable[[str], None]
) -> None:
    async def do_not_read() -> None:
        there, back = pair(capacity=1)
        ours, theirs = sessions(role)
        back.outgoing.write(theirs.data_to_send())
        began = now()
        with pytest.raises(TimedOut):
            await Channel.open(there, ours)
        assert now() - began == OURS.handshake
        assert there.outgoing.ended
        figure(f"a peer of the {role} that never reads: given up after {now() - began:g} s")

    in_virtual_time(do_not_read())


@pytest.mark.attack(56)
@ROLES
def test_a_peer_that_stops_at_any_byte_of_the_first_records_is_given_up_for_dead(
    role: str, figure: Callable[[str], None]
) -> None:
    async def stop_at_each_byte() -> None:
        given, length = 0, 1
        while given < length:
            there, back = pair()
            ours, theirs = sessions(role)
            talking = asyncio.create_task(be_miserly(back, theirs, LENGTHS[role], NEVER))
            channel = await Channel.open(there, ours)
            for _ in range(20):  # It still has to read our last message.
                await asyncio.sleep(0)
            talking.cancel()
            await asyncio.wait({talking})
            theirs.send(b"a first record")
            theirs.ping()
            records = theirs.data_to_send()
            length = len(records)
            await back.send(records[:given])
            began = now()
            with pytest.raises(TimedOut):
                _ = [message async for message in channel]
            assert OURS.dead <= now() - began <= OURS.dead + LOOK
            await channel.abort()
            assert there.outgoing.ended
            given += 1
        figure(
            f"a peer of the {role} that stops at any of the {length} bytes of its first records "
            f"is given up after {OURS.dead:g} to {OURS.dead + LOOK:g} s"
        )

    in_virtual_time(stop_at_each_byte())


class Slow:
    """A stream whose other end is far away, and gives 8 KiB a second."""

    def __init__(self, stream: MemoryStream) -> None:
        self.send, self.close = stream.send, stream.close
        self._stream = stream

    async def receive(self) -> bytes:
        await asyncio.sleep(1)
        return await self._stream.receive()


async def over_a_slow_link() -> tuple[Channel, Channel]:
    there, back = pair(capacity=1, chunk_size=lambda: 8 * 2**10)
    return await asyncio.gather(
        Channel.open(there, Session.initiator(ALICE)),
        Channel.open(Slow(back), Session.responder(BOB)),
    )


def test_a_peer_that_is_silent_because_it_still_takes_a_long_message_is_not_taken_for_dead() -> (
    None
):
    async def send_for_minutes() -> None:
        alice, bob = await over_a_slow_link()
        began = now()
        await alice.send(bytes(2 * 2**20))
        assert await bob.receive() == bytes(2 * 2**20)
        assert now() - began > 2 * OURS.dead
        await bob.send(b"it has come")
        assert await alice.receive() == b"it has come"
        await asyncio.gather(alice.close(), bob.close())

    in_virtual_time(send_for_minutes())


def test_a_peer_that_has_closed_is_not_taken_for_dead_while_it_takes_what_was_on_its_way() -> None:
    async def close_meanwhile() -> None:
        alice, bob = await over_a_slow_link()
        began = now()
        await alice.send(bytes(800 * 2**10))
        await bob.close()
        assert now() - began > OURS.dead
        assert await bob.receive() == bytes(800 * 2**10)
        assert await bob.receive() is None
        await alice.close()

    in_virtual_time(close_meanwhile())


def test_a_peer_that_takes_a_part_of_a_long_message_and_stops_is_given_up_for_dead() -> None:
    async def stop_in_the_middle() -> None:
        there, back = pair(capacity=1, chunk_size=lambda: 8 * 2**10)
        talking = asyncio.create_task(be_miserly(back, Session.responder(BOB), 10_000, NEVER))
        channel = await Channel.open(there, Session.initiator(ALICE))
        await channel.send(bytes(2 * 2**20))
        await asyncio.sleep(1)
        talking.cancel()
        await asyncio.wait({talking})
        began = now()
        with pytest.raises(TimedOut):
            await channel.receive()
        assert OURS.dead - LOOK <= now() - began <= OURS.dead + LOOK
        await channel.abort()

    in_virtual_time(stop_in_the_middle())
