"""One object from two sides at once: threads, callbacks, loops, tasks, processes."""

from __future__ import annotations

import asyncio
import copy
import inspect
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2ee import Identity, Peer, Session, State, UsageError
from e2ee.opening import KnownDevice
from e2ee.testing.pair import Pair
from e2ee.testing.streams import open_channels

Call = Callable[[Session], object]

CALLS: dict[str, Call] = {
    "receive_data": lambda session: session.receive_data(b"x"),
    "send": lambda session: session.send(b"x"),
    "data_to_send": Session.data_to_send,
    "close": Session.close,
    "export": lambda session: session.export("x", 1),
    "discard": Session.discard,
}


class Busy:
    """A responder that is in the middle of ``receive_data``, in a thread, until it is let go."""

    def __init__(self) -> None:
        alice, bob = Identity.generate(), Identity.generate()
        self.inside, self.go_on = threading.Event(), threading.Event()
        self.session = Session.responder(bob, suites=(), admit=self._admit)
        device = KnownDevice(bob.device_key.public_key().public_bytes_raw(), 1)
        self.caller = Session.initiator(alice, device=device, expected_peer=bob.id)

    def _admit(self, _peer: Peer, _number: int) -> bool:
        self.inside.set()
        assert self.go_on.wait(30)
        return True


@pytest.mark.parametrize("call", CALLS)
def test_a_call_from_a_second_thread_is_refused_and_harms_nothing(call: str) -> None:
    busy = Busy()
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(busy.session.receive_data, busy.caller.data_to_send())
        assert busy.inside.wait(30)
        try:
            with pytest.raises(UsageError, match="another thread"):
                CALLS[call](busy.session)
        finally:
            busy.go_on.set()
        first.result()
    pair = Pair((busy.caller, busy.session))
    pair.deliver()
    assert all(end.session.state is State.OPEN for end in pair.ends)


def test_calls_in_turn_may_come_from_any_thread() -> None:
    pair = Pair()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(pair.deliver).result()
    pair.initiator.session.send(b"from the first one")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(pair.deliver).result()
    assert pair.responder.received == [b"from the first one"]


def test_tasks_of_one_loop_never_interrupt_a_session() -> None:
    """No method of it is a coroutine, so none of its calls can be under way when another begins."""
    methods = [getattr(Session, name) for name in dir(Session) if not name.startswith("_")]
    assert not any(map(inspect.iscoroutinefunction, methods))


async def test_many_tasks_may_send_on_a_channel_and_each_message_is_whole() -> None:
    async with open_channels(seed=1) as (alice, bob):
        messages = [b"%d" % number * 1000 for number in range(50)]
        sending = [asyncio.create_task(alice.send(message)) for message in messages]
        received = [await bob.receive() for _ in messages]
        await asyncio.gather(*sending)
        assert received == messages


async def test_of_two_tasks_that_receive_none_takes_the_others_turn_for_the_end() -> None:
    async with open_channels() as (alice, bob):
        waiting = {asyncio.create_task(bob.receive()) for _ in range(3)}
        received: set[bytes | None] = set()
        for message in (b"one", b"two"):
            await alice.send(message)
        while len(received) < 2:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            received |= {task.result() for task in done}
        assert received == {b"one", b"two"}
        await alice.close()
        assert [await task for task in waiting] == [None]


async def test_a_channel_is_refused_to_another_thread_and_another_loop() -> None:
    async with open_channels() as (alice, bob):

        async def send_elsewhere() -> None:
            await alice.send(b"from another loop")

        def in_a_thread() -> None:
            with pytest.raises(UsageError, match="in the event loop that opened it"):
                asyncio.run(send_elsewhere())

        await asyncio.to_thread(in_a_thread)
        await alice.send(b"from its own")
        assert await bob.receive() == b"from its own"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_neither_a_session_nor_an_identity_is_copied(copied: Callable[[object], object]) -> None:
    for original in (Session.initiator(Identity.generate()), Identity.generate()):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            copied(original)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_no_session() -> None:
    pair = Pair()
    pair.deliver()
    child = os.fork()
    if child == 0:
        try:
            pair.initiator.session.send(b"x")
        except UsageError:
            os._exit(7)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    pair.initiator.session.send(b"the parent goes on")
    pair.deliver()
    assert pair.responder.received == [b"the parent goes on"]
