"""The system's random numbers fail under a channel: who waits is told so, at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from e2ee import E2EEError, Identity, Limits, Session
from e2ee.errors import NoRandomNumbers
from e2ee.transport import Channel, Timeouts, tcp, websocket
from e2ee.transport.memory import pair
from tests.draws import failing_from

ALICE, BOB = Identity.generate(), Identity.generate()
HERE = "127.0.0.1"


LIMITS = Limits(refresh_bytes=1)
SOON = Timeouts(quiet=0.05, refresh=0.05)


async def connected(first: Session, timeouts: Timeouts) -> tuple[Channel, Channel]:
    there, back = pair()
    return await asyncio.gather(
        Channel.open(there, first, timeouts=timeouts), Channel.open(back, Session.responder(BOB))
    )


async def refresh(channel: Channel) -> None:
    channel.refresh()


@pytest.mark.attack(18)
@pytest.mark.parametrize("use", [refresh, lambda channel: channel.send(bytes(200_000))])
async def test_a_call_that_needs_new_keys_ends_the_channel_for_everybody(
    use: Callable[[Channel], Awaitable[None]],
) -> None:
    alice, bob = await connected(Session.initiator(ALICE, limits=LIMITS), Timeouts())
    receiving = asyncio.create_task(alice.receive())
    await asyncio.sleep(0)
    with failing_from(1), pytest.raises(NoRandomNumbers):
        await use(alice)
    with pytest.raises(NoRandomNumbers):
        await receiving
    with pytest.raises(NoRandomNumbers):
        await alice.send(b"")
    await alice.abort()
    with pytest.raises(E2EEError):
        await bob.receive()
    await bob.abort()


@pytest.mark.attack(18)
async def test_so_does_the_clock() -> None:
    alice, bob = await connected(Session.initiator(ALICE), SOON)
    await alice.send(b"a message")
    with failing_from(1), pytest.raises(NoRandomNumbers):
        await alice.receive()
    await alice.abort()
    await bob.abort()


async def echo(channel: Channel) -> None:
    async for message in channel:
        await channel.send(message)


async def is_well(connecting: Awaitable[Channel]) -> None:
    async with await connecting as channel:
        await channel.send(b"a message")
        assert await channel.receive() == b"a message"


@pytest.mark.attack(18)
async def test_a_listener_is_told_and_goes_on() -> None:
    """In each place where it draws: for the session, and for its message."""
    told: list[E2EEError] = []
    async with await tcp.listen(
        lambda: Session.responder(BOB),
        echo,
        host=HERE,
        on_failure=lambda _address, error: told.append(error),
    ) as listener:
        for number in range(1, 4):
            session = Session.initiator(ALICE)
            with failing_from(number), pytest.raises(E2EEError):
                await tcp.connect(HERE, listener.port, session)
            assert [type(error) for error in told] == [NoRandomNumbers] * number
        await is_well(tcp.connect(HERE, listener.port, Session.initiator(ALICE)))
    assert len(told) == 3


@pytest.mark.attack(18)
async def test_a_listener_is_told_of_a_channel_that_has_no_new_keys() -> None:
    told: list[E2EEError] = []
    async with await tcp.listen(
        lambda: Session.responder(BOB, limits=LIMITS),
        echo,
        host=HERE,
        on_failure=lambda _address, error: told.append(error),
    ) as listener:
        channel = await tcp.connect(HERE, listener.port, Session.initiator(ALICE))
        await channel.send(bytes(200_000))  # It comes, and comes back, in the loop's next turns.
        with failing_from(1), pytest.raises(E2EEError):
            await channel.receive()
        await channel.abort()
        assert [type(error) for error in told] == [NoRandomNumbers]
        await is_well(tcp.connect(HERE, listener.port, Session.initiator(ALICE)))


@pytest.mark.attack(18)
async def test_so_is_one_of_websockets() -> None:
    told: list[E2EEError] = []
    sessions = iter([NoRandomNumbers(), None])

    def new_session() -> Session:
        if failure := next(sessions):
            raise failure
        return Session.responder(BOB)

    async with await websocket.listen(
        new_session, echo, host=HERE, on_failure=lambda _address, error: told.append(error)
    ) as listener:
        address = f"ws://{HERE}:{listener.port}"
        with pytest.raises(E2EEError):
            await websocket.connect(address, Session.initiator(ALICE))
        await is_well(websocket.connect(address, Session.initiator(ALICE)))
    assert [type(error) for error in told] == [NoRandomNumbers]
