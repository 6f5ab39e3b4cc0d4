"""BlockingChannel, between threads: the same promises as Channel's, and none of its loop."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import pytest

from e2ee import Identity, Session
from e2ee.errors import (
    E2EEError,
    SessionClosed,
    TimedOut,
    TransportError,
    Truncated,
    UnexpectedPeer,
    UsageError,
)
from e2ee.transport import Timeouts
from e2ee.transport.blocking import BlockingChannel
from e2ee.transport.channel import RECEIVE_HIGH_WATER, SEND_HIGH_WATER

ALICE, BOB = Identity.generate(), Identity.generate()


def in_thread(call: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 -- whoever waits gets it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def connected(
    sockets: Callable[[], tuple[socket.socket, socket.socket]] = socket.socketpair, **options: Any
) -> tuple[BlockingChannel, BlockingChannel]:
    here, there = sockets()
    answering = in_thread(lambda: BlockingChannel.open(there, Session.responder(BOB), **options))
    session = Session.initiator(ALICE, expected_peer=BOB.id)
    return BlockingChannel.open(here, session, **options), answering.result(20)


def over_tcp() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.create_connection(server.getsockname()), server.accept()[0]


def its_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "e2ee channel"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    gc.collect()
    for thread in its_threads():
        thread.join(10)
    assert its_threads() == []


@pytest.mark.parametrize("sockets", [socket.socketpair, over_tcp])
def test_messages_both_ways_and_an_orderly_end(
    sockets: Callable[[], tuple[socket.socket, socket.socket]],
) -> None:
    alice, bob = connected(sockets)
    assert (alice.peer.id, bob.peer.id) == (BOB.id, ALICE.id)
    assert alice.suite == bob.suite
    assert alice.handshake_hash == bob.handshake_hash
    assert alice.export("a label", 32) == bob.export("a label", 32)
    messages = [b"", b"x", bytes(300_000)]

    def answer() -> None:
        with bob:
            for message in bob:
                bob.send(message[::-1])

    answering = in_thread(answer)
    with alice:
        for message in messages:
            alice.send(message)
            assert alice.receive() == message[::-1]
    answering.result(20)
    assert alice.receive() is None
    for channel in (alice, bob):
        with pytest.raises(SessionClosed):
            channel.send(b"more")


@pytest.mark.attack(52)
def test_messages_of_many_threads_arrive_whole_and_in_the_order_of_each(
    figure: Callable[[str], None],
) -> None:
    alice, bob = connected()
    count, threads = 50, 20

    def say(name: int) -> None:
        for number in range(count):
            alice.send(b"%d %d " % (name, number) + bytes(name * 100))

    with ThreadPoolExecutor(threads + 1) as pool:
        receiving = pool.submit(lambda: list(bob))
        for saying in [pool.submit(say, name) for name in range(threads)]:
            saying.result(20)
        alice.close()
        received = receiving.result(20)
    by_thread: dict[int, list[int]] = {}
    for message in received:
        name, number, zeros = message.split(b" ", 2)
        assert zeros == bytes(int(name) * 100)
        by_thread.setdefault(int(name), []).append(int(number))
    assert by_thread == {name: list(range(count)) for name in range(threads)}
    figure(f"{len(received):,} messages of {threads} threads, whole and in the order of each")


def test_a_sender_waits_for_a_receiver_that_does_not_read() -> None:
    alice, bob = connected()
    sent = 0

    def send_without_end() -> None:
        nonlocal sent
        while True:
            alice.send(bytes(50_000))
            sent += 1

    sending = in_thread(send_without_end)
    before = -1
    while sent != before:
        before = sent
        time.sleep(0.3)
    assert 0 < sent * 50_000 < SEND_HIGH_WATER + RECEIVE_HIGH_WATER + 2 * 10**6
    assert not sending.done()
    for _ in range(sent):
        assert bob.receive() == bytes(50_000)
    alice.abort()
    with pytest.raises(SessionClosed):
        sending.result(20)


@pytest.mark.parametrize("how", ["close", "abort"])
def test_what_one_thread_ends_another_learns(how: str) -> None:
    alice, bob = connected()
    waiting = in_thread(alice.receive)
    with contextlib.suppress(FutureTimeout):
        waiting.result(0.1)
    answering = in_thread(lambda: list(bob))
    getattr(alice, how)()
    if how == "close":
        assert answering.result(20) == []
        bob.close()
        assert waiting.result(20) is None
    else:
        with pytest.raises(SessionClosed):
            waiting.result(20)
        with pytest.raises(Truncated):
            answering.result(20)


def test_one_that_is_dropped_is_cut_for_the_peer_and_leaves_no_thread() -> None:
    alice, bob = connected()
    assert len(its_threads()) == 2
    del alice
    gc.collect()
    with pytest.raises((Truncated, TransportError)):
        bob.receive()


def test_the_peer_learns_that_we_are_well_while_we_do_nothing() -> None:
    alice, bob = connected(timeouts=Timeouts(quiet=0.2, dead=1))
    time.sleep(3)
    alice.send(b"still there")
    assert bob.receive() == b"still there"


@pytest.mark.attack(60)
def test_a_peer_that_says_nothing_is_given_up_at_the_deadline() -> None:
    here, there = socket.socketpair()
    with there, pytest.raises(TimedOut):
        BlockingChannel.open(here, Session.initiator(ALICE), timeouts=Timeouts(handshake=0.2))
    assert here.fileno() == -1


def test_somebody_else_is_refused_and_the_socket_closed() -> None:
    here, there = socket.socketpair()
    answering = in_thread(lambda: BlockingChannel.open(there, Session.responder(BOB)))
    with pytest.raises(UnexpectedPeer):
        BlockingChannel.open(here, Session.initiator(ALICE, expected_peer=ALICE.id))
    with pytest.raises(E2EEError):
        answering.result(20)
    assert (here.fileno(), there.fileno()) == (-1, -1)


def test_a_socket_that_is_left_behind_stays_the_channels() -> None:
    """As it is where a ``with`` of the socket ends before the channel."""
    here, there = socket.socketpair()
    answering = in_thread(lambda: BlockingChannel.open(there, Session.responder(BOB)))
    with here:
        one = BlockingChannel.open(here, Session.initiator(ALICE))
    with there:
        other = answering.result(20)
    one.send(b"still here")
    assert other.receive() == b"still here"
    closing = in_thread(one.close)
    assert other.receive() is None
    other.close()
    closing.result(20)


def test_what_is_no_connected_stream_socket() -> None:
    session = Session.initiator(ALICE)
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(UsageError):
        BlockingChannel.open(datagrams, session)
    with pytest.raises(UsageError):
        BlockingChannel.open("127.0.0.1", session)  # type: ignore[arg-type]
    here, there = socket.socketpair()
    wrapped = ssl.create_default_context().wrap_socket(
        here, server_hostname="a", do_handshake_on_connect=False
    )
    with there, wrapped, pytest.raises(UsageError, match="TLS"):
        BlockingChannel.open(wrapped, session)
    with pytest.raises(TransportError):
        BlockingChannel.open(socket.socket(), session)
    closed = socket.socket()
    closed.close()
    with pytest.raises(TransportError):
        BlockingChannel.open(closed, Session.initiator(ALICE))


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Raises KeyboardInterrupt, whoever has started the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_wait_and_not_the_channel() -> None:
    alice, bob = connected()
    main = threading.get_ident()
    threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        alice.receive()
    bob.send(b"and on")
    assert alice.receive() == b"and on"


@pytest.mark.attack(50)
def test_a_forked_child_gets_an_error_and_the_parent_goes_on() -> None:
    alice, bob = connected()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            alice.send(b"from a child")
        except UsageError:
            code = 42
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
    alice.send(b"from the parent")
    assert bob.receive() == b"from the parent"
