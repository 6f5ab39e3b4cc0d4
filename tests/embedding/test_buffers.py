"""A buffer that is changed after it was passed in: what it held at the call is what counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from e2ee import HYBRID_AESGCM, Event, Identity, MessageReceived, Session
from e2ee.testing.pair import Pair
from e2ee.testing.streams import open_channels

WRAPS: dict[str, Callable[[bytearray], bytearray | memoryview]] = {
    "bytearray": lambda buffer: buffer,
    "memoryview": memoryview,
    "half of a memoryview": lambda buffer: memoryview(buffer + buffer)[: len(buffer)],
    "every second byte": lambda buffer: memoryview(
        bytes(byte for pair in zip(buffer, buffer, strict=True) for byte in pair)
    )[::2],
}


def opened() -> Pair:
    pair = Pair()
    pair.deliver()
    return pair


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("size", [5, 70_000])
def test_a_message_is_what_it_was_when_it_was_sent(wrap: str, size: int) -> None:
    pair = opened()
    buffer = bytearray(b"a" * size)
    pair.initiator.session.send(WRAPS[wrap](buffer))
    buffer[:] = bytes(size)
    pair.deliver()
    assert pair.responder.received == [b"a" * size]


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("size", [5, 70_000])
def test_what_was_received_is_what_it_was_when_it_came(wrap: str, size: int) -> None:
    """As when a program reads into one buffer all the time."""
    pair = opened()
    pair.initiator.session.send(b"a" * size)
    data = pair.initiator.session.data_to_send()
    events: list[Event] = []
    for chunk in (data[:3], data[3:-1], data[-1:]):
        buffer = bytearray(chunk)
        events += pair.responder.session.receive_data(WRAPS[wrap](buffer))
        buffer[:] = bytes(len(buffer))
    assert events == [MessageReceived(b"a" * size)]


def test_what_a_session_gives_out_is_not_its_own_any_more() -> None:
    """Whatever is done with it: bytes cannot be changed."""
    pair = opened()
    pair.initiator.session.send(b"x")
    data = pair.initiator.session.data_to_send()
    assert type(data) is bytes
    [message] = pair.responder.session.receive_data(data)
    assert isinstance(message, MessageReceived)
    assert type(message.data) is bytes


def test_the_options_of_a_session_are_read_when_it_is_made() -> None:
    alice, bob = Identity.generate(), Identity.generate()
    suites = [HYBRID_AESGCM]
    session = Session.responder(bob, suites=suites)
    suites.clear()
    pair = Pair((Session.initiator(alice), session))
    pair.deliver()
    assert session.peer is not None


async def test_a_channel_takes_what_the_buffer_holds_at_the_call() -> None:
    async with open_channels() as (alice, bob):
        buffer = bytearray(b"as it was")
        await alice.send(buffer)
        buffer[:] = b"changed!!"
        assert await bob.receive() == b"as it was"
        # While the call waits for room, too: a bound of 256 KiB is on its way, and nobody reads.
        large = [bytearray(b"%d" % number * 200_000) for number in range(9)]
        sending = [asyncio.create_task(alice.send(message)) for message in large]
        for number in range(9):
            assert await bob.receive() == b"%d" % number * 200_000
        await asyncio.gather(*sending)
