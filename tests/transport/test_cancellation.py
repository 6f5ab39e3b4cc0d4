"""A conversation that is cancelled at each place where it waits, one after another: the peer gets
whole messages and then an error or a clean end, and nothing is left open."""

from __future__ import annotations

import asyncio
import itertools
import os
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest

from e2ee import Identity, Session
from e2ee.errors import E2EEError
from e2ee.transport import Channel
from e2ee.transport.tcp import Listener, connect, listen

CLIENT, SERVER = Identity.generate(), Identity.generate()
HERE = "127.0.0.1"
MESSAGES = [bytes([number]) * 300_000 for number in range(20)]
PATIENCE = 20.0
"""Seconds after which an end is taken for a hang."""


@types.coroutine
def cancelled_at(work: Coroutine[Any, Any, None], n: int) -> Generator[Any, Any, None]:
    """Do this work, and cancel it where it waits for the n-th time, from 0."""
    task = asyncio.current_task()
    assert task is not None
    failure: BaseException | None = None
    for waits in itertools.count():
        try:
            waited_for = work.send(None) if failure is None else work.throw(failure)
        except StopIteration:
            return
        failure = None
        if waits == n:
            task.cancel()
        try:
            yield waited_for
        except BaseException as error:  # noqa: BLE001 -- it is the work's
            failure = error


async def converse(port: int) -> None:
    """Everything that a caller does: connect, send, refresh, receive, close."""
    channel = await connect(HERE, port, Session.initiator(CLIENT))
    async with channel:
        for one, other in zip(MESSAGES[::2], MESSAGES[1::2], strict=True):
            await channel.send(one)
            channel.refresh()
            await channel.send(other)  # It waits for room.
            assert [await channel.receive(), await channel.receive()] == [one, other]


class Echo:
    """A listener that sends everything back, and what became of each call."""

    def __init__(self) -> None:
        self.listener: Listener
        self.ends: asyncio.Queue[tuple[list[bytes], E2EEError | None]] = asyncio.Queue()

    async def serve(self, channel: Channel) -> None:
        received: list[bytes] = []
        try:
            async for message in channel:
                received.append(message)
                await channel.send(message)
        except E2EEError as error:
            self.ends.put_nowait((received, error))
        else:
            self.ends.put_nowait((received, None))

    def fail(self, _: str, error: E2EEError) -> None:
        self.ends.put_nowait(([], error))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.attack(53)
async def test_a_conversation_cancelled_at_each_await_ends_in_order_at_both_sides(
    figure: Callable[[str], None],
) -> None:
    echo = Echo()
    echo.listener = await listen(
        lambda: Session.responder(SERVER), echo.serve, host=HERE, on_failure=echo.fail
    )
    before, cut = descriptors(), 0
    for n in itertools.count():
        task = asyncio.create_task(cancelled_at(converse(echo.listener.port), n))
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({task})
            while descriptors() != before or echo.listener._tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        while not echo.ends.empty():
            received, error = echo.ends.get_nowait()
            assert received == MESSAGES[: len(received)]
            assert error is not None or received == MESSAGES
            cut += error is not None
        if not task.cancelled():
            task.result()
            break
    await echo.listener.close()
    assert cut > n / 2
    figure(
        f"a conversation cancelled at each of its {n} awaits: {n} times the peer has whole "
        f"messages and an end ({cut} errors), and no task or descriptor is left"
    )
