"""What is counted: each way a message goes, and each handshake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from e2ee import HYBRID_AESGCM, Identity, Session, State, Suite
from e2ee.suites import CLASSICAL_AESGCM, CODE_AESGCM, KNOWN_AESGCM, LINK_AESGCM
from e2ee.transport import Channel, Timeouts
from e2ee.transport.memory import pair
from tests.session import people
from tests.session.people import Acquaintance
from tests.speed.counting import RUNS

SIZES = {"64 B": 64, "1 KiB": 1024, "64 KiB": 64 * 1024}

HANDSHAKES = {
    "hybrid": HYBRID_AESGCM,
    "classical": CLASSICAL_AESGCM,
    "known": KNOWN_AESGCM,
    "link": LINK_AESGCM,
    "code": CODE_AESGCM,
}

QUIET = Timeouts(handshake=3600, quiet=3600, dead=3600, refresh=3600)
"""No clock asks for anything in between."""

Operation = Callable[[], object]


@contextmanager
def operations() -> Iterator[dict[str, Operation]]:
    """Each can be run again and again in this context."""
    # The sum in an id takes more instructions for some keys than for others.
    alice, bob = (Identity.from_seed(bytes([number] * 32)) for number in (1, 2))
    known = mock.patch.multiple(people, ALICE=alice, BOB=bob, ALICE_ID=alice.id, BOB_ID=bob.id)
    with known, asyncio.Runner() as runner:
        found: dict[str, Operation] = {}
        for name, size in SIZES.items():
            message = bytes(size)
            found[f"seal {name}"] = _sealing(message)
            found[f"seal {name} in place"] = _sealing_in_place(message)
            found[f"open {name}"] = _opening(message)
            found[f"open {name} in place"] = _opening_in_place(message)
            found[f"channel {name}"] = _through_channels(runner, message)
        for name, suite in HANDSHAKES.items():
            found[f"handshake {name}"] = _shaking_hands(suite)
        yield found


def _shaking_hands(suite: Suite) -> Operation:
    return lambda: _shaken(Acquaintance(suite))


def _shaken(acquaintance: Acquaintance) -> tuple[Session, Session]:
    one, other = acquaintance.new_sessions()
    while State.HANDSHAKE in {one.state, other.state}:
        other.receive_data(one.data_to_send())
        one.receive_data(other.data_to_send())
    return one, other


def _sealing(message: bytes) -> Operation:
    sender, _ = _shaken(Acquaintance(HYBRID_AESGCM))

    def run() -> None:
        sender.send(message)
        sender.data_to_send()

    return run


def _sealing_in_place(message: bytes) -> Operation:
    sender, _ = _shaken(Acquaintance(HYBRID_AESGCM))

    def run() -> None:
        sender.send(message)
        while sender.buffer_to_send():
            pass

    return run


def _opening(message: bytes) -> Operation:
    sender, receiver = _shaken(Acquaintance(HYBRID_AESGCM))
    came = _some_sealed(sender, message)
    return lambda: receiver.receive_data(came.pop())


def _opening_in_place(message: bytes) -> Operation:
    sender, receiver = _shaken(Acquaintance(HYBRID_AESGCM))
    came = _some_sealed(sender, message)

    def run() -> None:
        data = came.pop()
        while data:
            room = receiver.get_buffer(len(data))
            length = min(len(room), len(data))
            room[:length] = data[:length]
            receiver.buffer_updated(length)
            data = data[length:]

    return run


def _some_sealed(sender: Session, message: bytes) -> list[bytes]:
    """Messages made before, the first one last: sealing them is not counted."""
    sealed = []
    for _ in range(RUNS):
        sender.send(message)
        sealed.append(sender.data_to_send())
    return sealed[::-1]


def _through_channels(runner: asyncio.Runner, message: bytes) -> Operation:
    async def connect() -> tuple[Channel, Channel]:
        there, back = pair()
        one, other = Acquaintance(HYBRID_AESGCM).new_sessions()
        return await asyncio.gather(
            Channel.open(there, one, timeouts=QUIET), Channel.open(back, other, timeouts=QUIET)
        )

    sender, receiver = runner.run(connect())

    async def move() -> None:
        await sender.send(message)
        await receiver.receive()
        await asyncio.sleep(0)  # What the tasks of both do after it is counted with it.

    # Not by the runner, which for each coroutine puts a handler in the place of Ctrl-C's.
    loop = runner.get_loop()
    return lambda: loop.run_until_complete(move())
