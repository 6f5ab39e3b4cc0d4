"""A second call while one is under way: from a callback, from what it is given, from a thread."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from e2ee import (
    CLASSICAL_AESGCM,
    MessageReceived,
    Peer,
    ProtocolError,
    Session,
    State,
    Suite,
    UsageError,
)
from e2ee.suites import KNOWN_AESGCM, LINK_AESGCM

from .people import ALICE, BOB, Acquaintance, PendingLink, new_link
from .poisoned import EVERY_CALL
from .watched_aead import watched_ciphers

Figure = Callable[[str], None]


def opened() -> tuple[Session, Session]:
    sides = Acquaintance(CLASSICAL_AESGCM).new_sessions()
    shake_hands(*sides)
    return sides


def shake_hands(alice: Session, bob: Session) -> None:
    for _ in range(3):
        bob.receive_data(alice.data_to_send())
        alice.receive_data(bob.data_to_send())
    assert alice.state is bob.state is State.OPEN


class Meddler:
    """Whatever it is called as, it makes every call on the session that it is called by."""

    def __init__(self) -> None:
        self.session: Session
        self.refused = 0

    def meddle(self) -> None:
        for call in EVERY_CALL.values():
            with pytest.raises(UsageError, match="in the middle of another call"):
                call(self.session)
            self.refused += 1

    def admit(self, _peer: Peer, _number: int) -> bool:
        self.meddle()
        return True


class MeddlingLink(PendingLink):
    def __init__(self, meddler: Meddler) -> None:
        super().__init__(new_link())
        self.meddler = meddler

    def psk(self, lookup_id: bytes) -> bytes | None:
        self.meddler.meddle()
        return super().psk(lookup_id)

    def take(self, lookup_id: bytes) -> bool:
        self.meddler.meddle()
        return super().take(lookup_id)


@pytest.mark.attack(51)
@pytest.mark.parametrize("suite", [KNOWN_AESGCM, LINK_AESGCM], ids=lambda suite: suite.name)
def test_a_callback_cannot_call_the_session_that_called_it(suite: Suite, figure: Figure) -> None:
    meddler = Meddler()
    if suite is KNOWN_AESGCM:
        alice, _ = Acquaintance(KNOWN_AESGCM).new_sessions()
        bob = Session.responder(BOB, suites=(), admit=meddler.admit)
    else:
        link = MeddlingLink(meddler)
        alice = Session.initiator(ALICE, invitation=link.link)
        bob = Session.responder(BOB, suites=(), links=link)
    meddler.session = bob
    shake_hands(alice, bob)
    bob.send(b"unharmed")
    assert alice.receive_data(bob.data_to_send()) == [MessageReceived(b"unharmed")]
    assert meddler.refused == len(EVERY_CALL) * (1 if suite is KNOWN_AESGCM else 2)
    figure(
        f"calls from a callback of the {suite.approach.value} opening: {meddler.refused} of "
        f"{meddler.refused} refused"
    )


class MeddlingBuffer(Meddler):
    """Python 3.12 calls ``__buffer__``; nothing calls the others, or it would be seen."""

    data = b"of the meddler"

    def __buffer__(self, _flags: int) -> memoryview:
        self.meddle()
        return memoryview(self.data)

    def __iter__(self) -> Iterator[int]:
        self.meddle()
        return iter(self.data)

    def __bytes__(self) -> bytes:
        self.meddle()
        return self.data

    __len__ = __index__ = __bytes__


@pytest.mark.attack(51)
@pytest.mark.parametrize("call", ["send", "receive_data"])
def test_what_a_session_is_given_cannot_call_it(call: str, figure: Figure) -> None:
    alice, bob = opened()
    meddler: Any = MeddlingBuffer()
    meddler.session = alice
    if call == "receive_data":
        bob.send(meddler.data)
        meddler.data = bob.data_to_send()
    calls_buffer = sys.version_info >= (3, 12)
    if not calls_buffer:
        with pytest.raises(UsageError, match="bytes are needed"):
            getattr(alice, call)(meddler)
    elif call == "send":
        alice.send(meddler)
        assert bob.receive_data(alice.data_to_send()) == [MessageReceived(meddler.data)]
    else:
        assert alice.receive_data(meddler) == [MessageReceived(b"of the meddler")]
    assert meddler.refused == (len(EVERY_CALL) if calls_buffer else 0)
    figure(f"calls from the buffer that {call} was given: {meddler.refused} made, all refused")


@pytest.mark.attack(51)
def test_a_logging_handler_is_never_called_by_a_session(figure: Figure) -> None:
    seen: list[logging.LogRecord] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    handler, root = Handler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(0)
    try:
        alice, bob = opened()
        alice.refresh()
        bob.receive_data(alice.data_to_send())
        with pytest.raises(ProtocolError):
            bob.receive_data(bytes(100))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert seen == []
    figure("calls from a logging handler: a session logs nothing, at any level")


@contextmanager
def at_every_line(do: Callable[[], None]) -> Iterator[None]:
    """Where another thread may get its turn: before each line of the package that is run."""

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_globals.get("__name__", "").startswith("e2ee"):
            return None
        if event == "line":
            do()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


FIRST_CALLS: dict[str, Callable[[Session, bytes], object]] = {
    "send": lambda session, _: session.send(bytes(70_000)),
    "receive_data": lambda session, arrived: session.receive_data(arrived),
    "data_to_send": lambda session, _: session.data_to_send(),
    "update_key": lambda session, _: session.update_key(),
    "refresh": lambda session, _: session.refresh(),
    "ping": lambda session, _: session.ping(),
    "export": lambda session, _: session.export("label", 32),
}


@pytest.mark.attack(51, 52)
@pytest.mark.parametrize("first", FIRST_CALLS)
def test_a_call_between_any_two_lines_of_another_is_refused_or_whole(
    first: str, figure: Figure
) -> None:
    """The second caller sends. What it was not refused, the peer gets, once and in order."""
    with watched_ciphers():
        alice, bob = opened()
        bob.send(bytes(70_000))
        bob.refresh()
        arrived = bob.data_to_send()
        sent: list[bytes] = []
        refused = 0

        def second_caller() -> None:
            nonlocal refused
            message = b"%d" % (len(sent) + refused)
            try:
                alice.send(message)
            except UsageError:
                refused += 1
            else:
                sent.append(message)

        alice.send(b"waits")
        wire: list[bytes] = []
        with at_every_line(second_caller):
            result = FIRST_CALLS[first](alice, arrived)
        if first == "data_to_send":
            assert isinstance(result, bytes)
            wire.append(result)
        wire.append(alice.data_to_send())
        events = bob.receive_data(b"".join(wire))
        received = [e.data for e in events if isinstance(e, MessageReceived) and len(e.data) < 9]
        assert received == [b"waits", *sent]
    assert refused > 5
    figure(
        f"a second caller between the lines of {first}: {refused} calls refused, {len(sent)} whole"
    )


@pytest.mark.attack(51, 52)
def test_two_threads_that_use_one_session_never_use_a_nonce_twice(figure: Figure) -> None:
    calls = 2_000
    with watched_ciphers():
        alice, bob = opened()
        done: list[list[bytes]] = [[], []]
        refused = [0, 0]
        wire: list[bytes] = []
        begin = threading.Barrier(2)

        def use(thread: int) -> None:
            begin.wait()
            for number in range(calls):
                time.sleep(0)  # Let the other in.
                message = b"%d of thread %d" % (number, thread)
                try:
                    alice.send(message)
                    done[thread].append(message)
                except UsageError:
                    refused[thread] += 1
                try:
                    alice.update_key()
                except UsageError:
                    refused[thread] += 1

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=use, args=(thread,)) for thread in (0, 1)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
        finally:
            sys.setswitchinterval(interval)
        wire.append(alice.data_to_send())
        received = [
            event.data
            for event in bob.receive_data(b"".join(wire))
            if isinstance(event, MessageReceived)
        ]
    for thread in (0, 1):
        suffix = b"of thread %d" % thread
        assert [message for message in received if message.endswith(suffix)] == done[thread]
    assert len(received) == len(done[0]) + len(done[1])
    figure(
        f"two threads: of {4 * calls:,} calls {sum(refused):,} refused, "
        f"{len(received):,} messages whole and in the order of their thread"
    )
