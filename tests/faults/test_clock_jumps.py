"""The time of day jumps by a day, forward or back, in the middle of things."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from e2ee import Identity, Session
from e2ee.errors import CertificateError, E2EEError, TimedOut
from e2ee.transport import Channel, Timeouts
from e2ee.transport.memory import pair
from e2ee.transport.tcp import listen
from e2ee_cli import calling

DAY = 86_400.0
CERTIFIED = 90 * DAY
"""Seconds from its making for which a certificate holds."""

JUMPS = pytest.mark.parametrize("jump", [DAY, -DAY, 100 * DAY, -100 * DAY])
PATIENCE = 30.0


class Clock:
    """Tells the time of day, which somebody may set; nobody sets the computer's own."""

    jumped = 0.0

    def time(self) -> float:
        return 1_800_000_000 + time.monotonic() + self.jumped


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What everything in this process goes by."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    return clock


async def connected(identity: Identity, peer: Identity) -> tuple[Channel, Channel]:
    there, back = pair()
    return tuple(  # type: ignore[return-value]
        await asyncio.gather(
            Channel.open(there, Session.initiator(identity, now=time.time())),
            Channel.open(back, Session.responder(peer, now=time.time())),
        )
    )


@JUMPS
def test_a_running_channel_goes_on_and_a_new_one_is_judged_by_the_new_time(
    clock: Clock, jump: float, figure: Callable[[str], None]
) -> None:
    async def talk() -> None:
        alice, bob = (Identity.generate(now=time.time()) for _ in range(2))
        ours, theirs = await connected(alice, bob)
        clock.jumped = jump
        for channel, other in ((ours, theirs), (theirs, ours)):
            await channel.send(b"is it tomorrow?")
            channel.refresh()
            assert await other.receive() == b"is it tomorrow?"
        await asyncio.gather(ours.close(), theirs.close())
        # A certificate begins a day before it is made, and ends after 90.
        if -DAY <= jump <= CERTIFIED:
            for channel in await connected(alice, bob):
                await channel.abort()
            return
        there, back = pair()
        opened = await asyncio.gather(
            Channel.open(there, Session.initiator(alice, now=time.time())),
            Channel.open(back, Session.responder(bob, now=time.time())),
            return_exceptions=True,
        )
        assert isinstance(opened[0], CertificateError)
        assert isinstance(opened[1], E2EEError)

    asyncio.run(talk())
    figure(f"a running channel goes on when the time of day jumps by {jump / DAY:+.0f} days")


@JUMPS
def test_the_deadline_of_a_listener_is_not_moved(clock: Clock, jump: float) -> None:
    async def be_silent() -> None:
        failures: asyncio.Queue[E2EEError] = asyncio.Queue()
        listener = await listen(
            lambda: Session.responder(Identity.generate(), now=time.time()),
            lambda channel: channel.abort(),
            host="127.0.0.1",
            on_failure=lambda _, error: failures.put_nowait(error),
            timeouts=Timeouts(handshake=0.5),
        )
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        began = time.monotonic()
        await asyncio.sleep(0.1)
        clock.jumped = jump
        async with asyncio.timeout(PATIENCE):
            assert isinstance(await failures.get(), TimedOut)
        assert time.monotonic() - began >= 0.4
        writer.close()
        await listener.close()

    asyncio.run(be_silent())


class Hosting:
    """Stands for a chat that goes on until its channel is dropped."""

    def __init__(self) -> None:
        self.dropped = asyncio.Event()
        self.channel = self

    async def host(self, _: object, *, initiator: bool) -> str:
        await self.dropped.wait()
        return "dropped"

    async def abort(self) -> None:
        self.dropped.set()


@pytest.mark.parametrize(
    ("jump", "is_sleep"),
    [(DAY, True), (-DAY, False), (calling.ASLEEP - 5, False), (calling.ASLEEP + 5, True)],
)
def test_a_computer_that_has_slept_drops_its_channel_and_one_whose_clock_was_set_back_does_not(
    clock: Clock, jump: float, is_sleep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "WATCH", 0.01)

    async def look() -> None:
        hosting = Hosting()
        until = asyncio.create_task(calling._until_asleep(hosting, hosting))
        await asyncio.sleep(0.05)
        clock.jumped = jump
        if is_sleep:
            async with asyncio.timeout(PATIENCE):
                assert await until == "dropped"
        else:
            await asyncio.sleep(0.2)
            assert not until.done()
            until.cancel()
            await asyncio.wait({until})

    asyncio.run(look())
