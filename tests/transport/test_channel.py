"""Channel over streams in memory: what a program that uses one can rely on."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from e2ee import (
    CLASSICAL_AESGCM,
    Event,
    HandshakeCompleted,
    Identity,
    KeysRefreshed,
    Session,
    State,
)
from e2ee.errors import (
    DecryptionError,
    E2EEError,
    NotE2EE,
    ProtocolError,
    SessionClosed,
    TimedOut,
    TransportError,
    Truncated,
    UnsupportedSuite,
    UsageError,
)
from e2ee.limits import MAX_RECORD_LENGTH
from e2ee.transport import Channel, Stream, Timeouts
from e2ee.transport.channel import RECEIVE_HIGH_WATER, SEND_HIGH_WATER
from e2ee.transport.memory import MemoryStream, pair
from e2ee.transport.serving import serve_stream
from e2ee.transport.stream_transport import CLOSE_TIMEOUT
from tests.virtual_time import NEVER, now

pytestmark = pytest.mark.virtual_time

ALICE, BOB = Identity.generate(), Identity.generate()
USUAL = Timeouts()
KIB, MIB = 2**10, 2**20


class Conversation(NamedTuple):
    alice: Channel
    bob: Channel
    alice_stream: MemoryStream
    bob_stream: MemoryStream


async def connected(
    *,
    capacity: int = 64 * KIB,
    chunk_size: Callable[[], int] = lambda: 64 * KIB,
    timeouts: Timeouts = USUAL,
    wrap: Callable[[MemoryStream], Stream] = lambda stream: stream,
) -> Conversation:
    there, back = pair(capacity=capacity, chunk_size=chunk_size)
    alice, bob = await asyncio.gather(
        Channel.open(wrap(there), Session.initiator(ALICE), timeouts=timeouts),
        Channel.open(wrap(back), Session.responder(BOB), timeouts=timeouts),
    )
    return Conversation(alice, bob, there, back)


@asynccontextmanager
async def conversation(**options: Any) -> AsyncIterator[Conversation]:
    """Two connected channels, dropped at the end whatever became of them."""
    opened = await connected(**options)
    try:
        yield opened
    finally:
        await opened.alice.abort()
        await opened.bob.abort()


async def shake_hands_by_hand(stream: Stream, session: Session) -> list[Event]:
    """A peer without a channel, which can then be silent, or send whatever it likes."""
    events: list[Event] = []
    while not events:
        if data := session.data_to_send():
            await stream.send(data)
        if session.state is State.HANDSHAKE:
            events = session.receive_data(await stream.receive())
    if data := session.data_to_send():
        await stream.send(data)
    return events


async def with_raw_peer(
    stream: Stream, peer_stream: Stream, timeouts: Timeouts = USUAL
) -> tuple[Channel, Session]:
    session = Session.responder(BOB)
    channel, _ = await asyncio.gather(
        Channel.open(stream, Session.initiator(ALICE), timeouts=timeouts),
        shake_hands_by_hand(peer_stream, session),
    )
    return channel, session


async def receive_all(channel: Channel, into: list[bytes]) -> None:
    """What was received before an error or a cancellation stays in ``into``."""
    async for message in channel:
        into.append(message)  # noqa: PERF401 -- one by one


async def all_of(channel: Channel) -> list[bytes]:
    return [message async for message in channel]


async def all_until_error(channel: Channel) -> tuple[list[bytes], E2EEError | None]:
    received: list[bytes] = []
    try:
        await receive_all(channel, received)
    except E2EEError as error:
        return received, error
    return received, None


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("did not come to pass in 5 seconds")


async def settled(value: Callable[[], int]) -> int:
    """The value once it has stopped growing."""
    before = -1
    for _ in range(100):
        if value() == before:
            return before
        before = value()
        await asyncio.sleep(0.05)
    pytest.fail("it never stopped growing")


async def after_steps(count: int, operation: Coroutine[Any, Any, Any]) -> bool:
    """Run an operation for this many turns of the loop, then cancel it; whether it was."""
    task = asyncio.create_task(operation)
    for _ in range(count):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    return task.cancelled()


# Messages.


@pytest.mark.parametrize(
    ("chunk", "sizes"),
    [
        (1, (0, 1, 300, 2_000)),
        (7, (0, 1, 2, 65_516)),
        (1_000, (0, 65_511, 65_512, 65_513, 100_000)),
        (64 * KIB, (0, 1, 3 * MIB, 0, 16 * MIB)),
        (None, (0, 1, 50_000, 65_536, 200_000)),
    ],
)
async def test_messages_travel_both_ways_in_any_chunking(
    chunk: int | None, sizes: tuple[int, ...]
) -> None:
    chance = random.Random(2)
    messages = [chance.randbytes(size) for size in sizes]

    async def say_everything(channel: Channel) -> None:
        for message in messages:
            await channel.send(message)

    chunk_size = (lambda: chance.randrange(1, 5_000)) if chunk is None else (lambda: chunk)
    async with conversation(chunk_size=chunk_size) as (alice, bob, *_):
        alices, bobs = asyncio.create_task(all_of(alice)), asyncio.create_task(all_of(bob))
        await asyncio.gather(say_everything(alice), say_everything(bob))
        await asyncio.gather(alice.close(), bob.close())
        assert await alices == await bobs == messages


async def test_both_ends_know_each_other_and_share_exports() -> None:
    async with conversation() as (alice, bob, *_):
        assert alice.peer.id == BOB.id
        assert bob.peer.id == ALICE.id
        assert alice.handshake_hash == bob.handshake_hash
        assert alice.export("a use", 32) == bob.export(b"a use", 32)


async def test_any_buffer_can_be_sent_and_changed_right_after() -> None:
    async with conversation() as (alice, bob, *_):
        for buffer in (bytearray(b"abc"), memoryview(bytearray(b"abc"))):
            await alice.send(buffer)
            buffer[0] = 0
            assert await bob.receive() == b"abc"


async def test_a_message_above_the_limit_is_refused_and_changes_nothing() -> None:
    async with conversation() as (alice, bob, *_):
        with pytest.raises(UsageError, match="above the limit"):
            await alice.send(bytes(16 * MIB + 1))
        await alice.send(b"small")
        assert await bob.receive() == b"small"


async def test_what_came_with_the_end_of_the_handshake_is_received() -> None:
    there, back = pair()
    session = Session.initiator(ALICE)

    async def whole_conversation_at_once() -> None:
        await back.send(session.data_to_send())
        while session.state is State.HANDSHAKE:
            session.receive_data(await back.receive())
        session.send(b"all in")
        session.send(b"one piece")
        session.close()
        await back.send(session.data_to_send())

    channel, _ = await asyncio.gather(
        Channel.open(there, Session.responder(BOB)), whole_conversation_at_once()
    )
    assert await all_of(channel) == [b"all in", b"one piece"]
    await channel.close()


@pytest.mark.attack(52)
@pytest.mark.parametrize(
    "runs", [1, pytest.param(100, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])]
)
async def test_messages_of_a_hundred_tasks_arrive_intact_and_in_the_order_of_each(
    runs: int, figure: Callable[[str], None]
) -> None:
    for run in range(runs):
        await messages_of_a_hundred_tasks(run)
    figure(
        "10,000 messages of 100 tasks arrive whole, and in the order of each task, "
        f"{runs} of {runs} times"
    )


async def messages_of_a_hundred_tasks(run: int) -> None:
    async def say_a_hundred(channel: Channel, name: int) -> None:
        chance = random.Random(100 * run + name)
        for number in range(100):
            await channel.send(b"%d %d " % (name, number) + bytes(chance.randrange(500)))
            if chance.random() < 0.1:
                await asyncio.sleep(0)

    async with conversation(capacity=4 * KIB) as (alice, bob, *_):
        receiving = asyncio.create_task(all_of(bob))
        await asyncio.gather(*(say_a_hundred(alice, name) for name in range(100)))
        await alice.close()
        received = await receiving

    by_task: dict[int, list[int]] = {}
    for message in received:
        name, number, zeros = message.split(b" ", 2)
        assert not zeros.strip(b"\0")
        by_task.setdefault(int(name), []).append(int(number))
    assert by_task == {name: list(range(100)) for name in range(100)}


@pytest.mark.attack(52)
async def test_another_loop_or_thread_gets_an_error_and_changes_nothing(
    figure: Callable[[str], None],
) -> None:
    async with conversation() as (alice, bob, *_):
        awaited: list[Callable[[], Coroutine[Any, Any, object]]] = [
            lambda: alice.send(b"stray"),
            alice.receive,
            alice.close,
            alice.abort,
        ]

        def call_from_a_thread() -> int:
            refused = 0
            for call in awaited:
                with pytest.raises(UsageError, match="event loop"):
                    asyncio.run(call())
                refused += 1
            with pytest.raises(UsageError, match="event loop"):
                alice.refresh()
            return refused + 1

        with ThreadPoolExecutor(1) as thread:
            refused = thread.submit(call_from_a_thread).result()
        await alice.send(b"still good")
        assert await bob.receive() == b"still good"
    figure(f"{refused} of {refused} calls from another loop or thread are refused")


# The end: an orderly one and a cut.


async def test_iteration_ends_at_an_orderly_close_after_every_message() -> None:
    async with conversation() as (alice, bob, *_):
        for number in range(50):
            await alice.send(b"%d" % number)
        await alice.close()
        assert await all_of(bob) == [b"%d" % number for number in range(50)]
        assert await bob.receive() is None
        assert await bob.receive() is None
        assert await alice.receive() is None


async def test_an_end_without_a_close_raises_truncated_after_every_message() -> None:
    async with conversation() as (alice, bob, alice_stream, _):
        for number in range(50):
            await alice.send(b"%d" % number)
        await eventually(lambda: alice._driver.sending_size == 0)
        await alice_stream.close()
        received, error = await all_until_error(bob)
        assert received == [b"%d" % number for number in range(50)]
        assert isinstance(error, Truncated)


async def test_a_cut_wire_raises_transport_error_after_what_had_come() -> None:
    async with conversation() as (alice, bob, alice_stream, _):
        for number in range(50):
            await alice.send(b"%d" % number)
        await eventually(lambda: len(bob._driver.received) == 50)
        await alice_stream.break_off()
        for channel, expected in ((bob, 50), (alice, 0)):
            received, error = await all_until_error(channel)
            assert len(received) == expected
            assert isinstance(error, TransportError)


async def test_a_cut_in_the_middle_of_a_message_gives_only_whole_ones() -> None:
    for kept in (1, 1_000, 60_000, 130_000):
        there, back = pair(capacity=MIB)
        channel, peer = await with_raw_peer(there, back)
        peer.send(b"whole")
        peer.send(bytes(200_000))
        await back.send(peer.data_to_send()[: 65_537 + kept])
        await back.close()
        received, error = await all_until_error(channel)
        assert received == [b"whole"]
        assert isinstance(error, Truncated)


async def test_a_changed_byte_ends_the_channel_after_what_came_before() -> None:
    there, back = pair()
    channel, peer = await with_raw_peer(there, back)
    peer.send(b"before")
    before = peer.data_to_send()
    peer.send(b"changed")
    changed = bytearray(peer.data_to_send())
    changed[-1] ^= 1
    await back.send(before + changed)
    received, error = await all_until_error(channel)
    assert received == [b"before"]
    assert isinstance(error, DecryptionError)


async def test_the_same_error_comes_again_at_each_later_call() -> None:
    for cut in (MemoryStream.break_off, MemoryStream.close):
        async with conversation() as (alice, bob, alice_stream, _):
            await cut(alice_stream)
            with pytest.raises(E2EEError) as first:
                await bob.receive()
            for call in (bob.receive, bob.close, lambda channel=bob: channel.send(b"x")):
                for _ in range(2):
                    with pytest.raises(E2EEError) as again:
                        await call()
                    assert again.value is first.value
            with pytest.raises(E2EEError) as again:
                bob.refresh()
            assert again.value is first.value
            await alice.abort()


async def test_keys_are_dropped_after_an_error_of_the_stream() -> None:
    async with conversation() as (alice, _, alice_stream, _):
        await alice_stream.break_off()
        with pytest.raises(TransportError):
            await alice.receive()
        with pytest.raises(E2EEError):
            alice.export("a use", 32)


# Closing.


async def test_nothing_can_be_sent_after_the_own_close_or_the_peers() -> None:
    async with conversation() as (alice, bob, *_):
        await alice.close()
        for channel in (alice, bob):
            with pytest.raises(SessionClosed):
                await channel.send(b"late")
            with pytest.raises(SessionClosed):
                channel.refresh()
            await channel.close()


async def test_both_sides_may_close_at_once() -> None:
    async with conversation(capacity=1) as (alice, bob, *_):
        await alice.send(b"last of alice")
        await bob.send(b"last of bob")
        await asyncio.gather(alice.close(), bob.close(), alice.close(), bob.close())
        assert await all_of(alice) == [b"last of bob"]
        assert await all_of(bob) == [b"last of alice"]


async def test_what_the_peer_sent_until_it_learnt_of_the_close_is_received() -> None:
    accepted: list[bytes] = []
    some = asyncio.Event()

    async def send_until_refused(channel: Channel) -> None:
        with contextlib.suppress(SessionClosed):
            for number in itertools.count():
                message = b"%d" % number + bytes(20_000)
                await channel.send(message)
                accepted.append(message)
                if number == 20:
                    some.set()

    async with conversation() as (alice, bob, *_):
        sending = asyncio.create_task(send_until_refused(bob))
        receiving = asyncio.create_task(all_of(alice))
        await some.wait()
        await alice.close()
        await sending
        assert await receiving == accepted
        await bob.close()


async def test_closing_need_not_wait_for_what_is_not_received() -> None:
    async with conversation(timeouts=Timeouts(close=0.5)) as (alice, bob, *_):

        async def send_without_end() -> None:
            while True:
                await bob.send(bytes(64 * KIB))

        sending = asyncio.create_task(send_without_end())
        await eventually(lambda: not alice._driver.room_to_receive)
        await asyncio.sleep(0.05)
        try:
            await alice.close()
        finally:
            sending.cancel()
            await asyncio.wait({sending})


async def test_a_peer_that_never_answers_the_close_is_given_up_in_time() -> None:
    there, back = pair()
    channel, _ = await with_raw_peer(there, back, Timeouts(close=0.1))
    began = now()
    with pytest.raises(TimedOut, match="close"):
        await channel.close()
    assert now() - began == 0.1
    with pytest.raises(TimedOut):
        await channel.receive()
    assert there.outgoing.ended


async def test_abort_drops_the_connection_with_no_word_to_the_peer() -> None:
    async with conversation() as (alice, bob, *_):
        await bob.send(b"before")
        await eventually(lambda: len(alice._driver.received) == 1)
        await alice.abort()
        await alice.abort()
        assert await alice.receive() == b"before"
        for call in (alice.receive, alice.close):
            with pytest.raises(SessionClosed, match="dropped"):
                await call()
        with pytest.raises(SessionClosed):
            await alice.send(b"x")
        with pytest.raises(Truncated):
            await bob.receive()


async def test_those_who_wait_are_woken_by_abort() -> None:
    async with conversation() as (alice, *_):
        receiving = asyncio.create_task(alice.receive())

        async def send_without_end() -> None:
            while True:
                await alice.send(bytes(64 * KIB))

        sending = asyncio.create_task(send_without_end())
        await eventually(lambda: alice._driver.sending_size >= SEND_HIGH_WATER)
        await asyncio.sleep(0.05)
        await alice.abort()
        async with asyncio.timeout(1):
            for task in (receiving, sending):
                with pytest.raises(SessionClosed):
                    await task


async def test_abort_after_an_orderly_close_changes_nothing() -> None:
    async with conversation() as (alice, bob, *_):
        await alice.send(b"x")
        await alice.close()
        await alice.abort()
        await alice.close()
        assert await all_of(bob) == [b"x"]


async def test_async_with_closes_in_order() -> None:
    async with conversation() as (alice, bob, *_):
        async with alice:
            await alice.send(b"inside")
        assert await all_of(bob) == [b"inside"]


async def test_async_with_drops_the_connection_when_its_body_fails() -> None:
    async with conversation() as (alice, bob, *_):
        with pytest.raises(ZeroDivisionError):
            async with alice:
                raise ZeroDivisionError
        with pytest.raises(Truncated):
            await bob.receive()


# The handshake.


@pytest.mark.parametrize("we_open", [True, False])
async def test_the_deadline_of_the_handshake_is_absolute(we_open: bool) -> None:
    there, back = pair()
    if we_open:
        ours, theirs = Session.initiator(ALICE), Session.responder(BOB)
        theirs.receive_data(ours.data_to_send())
        ours = Session.initiator(ALICE)
    else:
        ours, theirs = Session.responder(BOB), Session.initiator(ALICE)

    async def one_byte_at_a_time() -> None:
        for byte in theirs.data_to_send():
            await back.send(bytes([byte]))
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(one_byte_at_a_time())
    began = now()
    with pytest.raises(TimedOut, match=r"handshake in 0\.2 seconds"):
        await Channel.open(there, ours, timeouts=Timeouts(handshake=0.2))
    assert now() - began == 0.2
    assert there.outgoing.ended
    dripping.cancel()
    await asyncio.wait({dripping})


@pytest.mark.parametrize("session", [Session.initiator, Session.responder])
async def test_a_peer_that_says_nothing_is_given_up_at_the_deadline(
    session: Callable[[Identity], Session],
) -> None:
    there, _ = pair()
    began = now()
    with pytest.raises(TimedOut):
        await Channel.open(there, session(ALICE), timeouts=Timeouts(handshake=0.1))
    assert now() - began == 0.1
    assert there.outgoing.ended


async def test_a_peer_that_reads_nothing_is_given_up_at_the_deadline() -> None:
    there, _ = pair(capacity=10)
    with pytest.raises(TimedOut):
        await Channel.open(there, Session.initiator(ALICE), timeouts=Timeouts(handshake=0.1))
    assert there.outgoing.ended


async def test_a_failed_handshake_closes_the_stream_at_both_ends() -> None:
    there, back = pair()
    outcomes = await asyncio.gather(
        Channel.open(there, Session.initiator(ALICE, expected_peer=ALICE.id)),
        Channel.open(back, Session.responder(BOB)),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, ProtocolError) for outcome in outcomes)
    assert there.outgoing.ended
    assert back.outgoing.ended


async def test_a_refusal_reaches_the_one_that_is_refused() -> None:
    there, back = pair()
    outcomes = await asyncio.gather(
        Channel.open(there, Session.initiator(ALICE, suite=CLASSICAL_AESGCM)),
        Channel.open(back, Session.responder(BOB)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [UnsupportedSuite, UnsupportedSuite]


async def test_a_peer_that_speaks_something_else_is_named() -> None:
    there, back = pair()
    await back.send(b"HTTP/1.1 400 Bad Request\r\n")
    with pytest.raises(NotE2EE, match="HTTP"):
        await Channel.open(there, Session.initiator(ALICE))
    assert there.outgoing.ended


async def test_a_session_that_was_used_already_is_refused() -> None:
    there, back = pair()
    session = Session.initiator(ALICE)
    await asyncio.gather(
        shake_hands_by_hand(there, session), shake_hands_by_hand(back, Session.responder(BOB))
    )
    fresh, _ = pair()
    with pytest.raises(UsageError, match="not begun"):
        await Channel.open(fresh, session)
    assert fresh.outgoing.ended


# Signs of life, and keys by the clock.


async def test_a_quiet_peer_is_asked_and_answers() -> None:
    timeouts = Timeouts(quiet=0.1, dead=0.4)
    async with conversation(timeouts=timeouts) as (alice, bob, *_):
        await asyncio.sleep(1.2)
        await alice.send(b"still here")
        assert await bob.receive() == b"still here"


async def test_a_dead_peer_is_given_up_in_time() -> None:
    there, back = pair()
    channel, peer = await with_raw_peer(there, back, Timeouts(quiet=0.1, dead=0.3))
    peer.send(b"before")
    await back.send(peer.data_to_send())
    began = now()
    assert await channel.receive() == b"before"
    with pytest.raises(TimedOut, match="no sign of life"):
        await channel.receive()
    assert 0.3 <= now() - began < 0.5
    await channel.abort()
    assert there.outgoing.ended


async def test_a_dead_peer_is_asked_once_and_not_flooded() -> None:
    there, back = pair()
    channel, _ = await with_raw_peer(there, back, Timeouts(quiet=0.05, dead=0.5))
    with pytest.raises(TimedOut):
        await channel.receive()
    assert len(back.incoming.pending) < 100


async def test_a_peer_that_waits_for_us_to_read_is_not_taken_for_dead() -> None:
    timeouts = Timeouts(quiet=0.05, dead=0.2)
    async with conversation() as (alice, bob, *_):
        alice._driver.timeouts = timeouts
        sent = 0

        async def send_much() -> None:
            nonlocal sent
            for _ in range(60):
                await bob.send(bytes(64 * KIB))
                sent += 1

        sending = asyncio.create_task(send_much())
        await asyncio.sleep(0.6)
        assert sent < 60
        for _ in range(60):
            assert await alice.receive() == bytes(64 * KIB)
        await sending


class Watched(Session):
    """A session that keeps count of its refreshes."""

    refreshes = 0

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        events = super().receive_data(data)
        self.refreshes += sum(isinstance(event, KeysRefreshed) for event in events)
        return events


@pytest.mark.attack(29)
async def test_keys_are_refreshed_by_the_clock_and_nothing_is_lost(
    figure: Callable[[str], None],
) -> None:
    there, back = pair()
    sessions = Watched.initiator(ALICE), Watched.responder(BOB)
    timeouts = Timeouts(quiet=0.05, dead=5, refresh=0.05)
    alice, bob = await asyncio.gather(
        *(
            Channel.open(stream, session, timeouts=timeouts)
            for stream, session in zip((there, back), sessions, strict=True)
        )
    )
    messages = [b"%d" % number for number in range(300)]

    async def talk(channel: Channel) -> None:
        for message in messages:
            await channel.send(message)
            await asyncio.sleep(0.002)

    alices, bobs = asyncio.create_task(all_of(alice)), asyncio.create_task(all_of(bob))
    await asyncio.gather(talk(alice), talk(bob))
    # Whoever closes first may still have a refresh under way.
    await alice.close()
    assert await alices == await bobs == messages
    for session in sessions:
        assert isinstance(session, Watched)
        assert session.refreshes >= 5
    await bob.close()
    figure("limits: keys refreshed by the clock, at least 5 times, and 600 messages arrive")


async def test_a_channel_that_is_not_used_is_not_refreshed() -> None:
    there, back = pair()
    session = Watched.initiator(ALICE)
    timeouts = Timeouts(quiet=0.05, refresh=0.05)
    alice, bob = await asyncio.gather(
        Channel.open(there, session, timeouts=timeouts),
        Channel.open(back, Session.responder(BOB), timeouts=timeouts),
    )
    await asyncio.sleep(0.3)
    assert isinstance(session, Watched)
    assert session.refreshes == 0
    await alice.close()
    await bob.close()


# Back-pressure.


def under_way(sender: Channel, receiver: Channel, wire: MemoryStream) -> int:
    return sender._driver.sending_size + receiver._driver.received_size + len(wire.outgoing.pending)


@pytest.mark.parametrize("size", [1_000, 64 * KIB, 300_000])
async def test_a_sender_waits_for_a_receiver_that_does_not_read(size: int) -> None:
    async with conversation() as (alice, bob, alice_stream, _):
        sent = 0

        async def send_without_end() -> None:
            nonlocal sent
            while True:
                await alice.send(bytes(size))
                sent += 1

        sending = asyncio.create_task(send_without_end())
        stopped_at = await settled(lambda: sent)
        bound = SEND_HIGH_WATER + RECEIVE_HIGH_WATER + 2 * 64 * KIB + 2 * size
        # One more queue may be in the hands of the stream while the next one fills.
        bound += SEND_HIGH_WATER + size + MAX_RECORD_LENGTH
        assert stopped_at * size <= bound
        assert under_way(alice, bob, alice_stream) <= bound

        for _ in range(stopped_at):
            assert await bob.receive() == bytes(size)
        await eventually(lambda: sent > stopped_at)
        sending.cancel()
        await asyncio.wait({sending})


async def test_both_sides_may_wait_for_each_other_and_go_on() -> None:
    async with conversation() as (alice, bob, *_):
        sent = {alice: 0, bob: 0}

        async def send_much(channel: Channel) -> None:
            for _ in range(100):
                await channel.send(bytes(64 * KIB))
                sent[channel] += 1

        sending = asyncio.gather(send_much(alice), send_much(bob))
        await settled(lambda: sum(sent.values()))
        assert 0 < sent[alice] < 100
        assert 0 < sent[bob] < 100
        for _ in range(100):
            assert await alice.receive() == await bob.receive() == bytes(64 * KIB)
        await sending


async def test_a_large_message_is_not_held_up_by_the_limits() -> None:
    async with conversation() as (alice, bob, *_):
        sending = asyncio.create_task(alice.send(bytes(16 * MIB)))
        message = await bob.receive()
        assert message == bytes(16 * MIB)
        await sending


async def test_who_sends_without_end_lets_everybody_else_have_their_turn() -> None:
    async with conversation() as (alice, bob, *_):
        flood, told = b"x" * 10_000, [b"%d" % number for number in range(20)]

        async def send_without_end() -> None:
            while True:
                await alice.send(flood)

        sending = asyncio.create_task(send_without_end())
        await settled(lambda: alice._driver.sending_size)
        others = [asyncio.create_task(alice.send(each)) for each in told]
        leaving = others.pop(7)
        del told[7]
        await asyncio.sleep(0)
        leaving.cancel()
        before, received = 0, list[bytes]()
        while len(received) < len(told):
            message = await bob.receive()
            if message == flood:
                before += 1
                # What had been queued, here and there, and one message of the flood for each turn.
                assert before * len(flood) < RECEIVE_HIGH_WATER + 3 * SEND_HIGH_WATER
            elif message is not None:
                received.append(message)
        assert received == told
        sending.cancel()
        await asyncio.wait({sending, leaving, *others})


async def test_who_waits_to_send_learns_of_the_end() -> None:
    async with conversation() as (alice, *_):

        async def send_without_end() -> None:
            while True:
                await alice.send(bytes(10_000))

        waiting = [asyncio.create_task(send_without_end()) for _ in range(3)]
        await settled(lambda: alice._driver.sending_size)
        await alice.abort()
        for each in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(each, SessionClosed)
        with pytest.raises(SessionClosed):
            await alice.send(b"x")


async def test_a_sender_of_empty_messages_waits_too() -> None:
    async with conversation() as (alice, *_):
        sent = 0

        async def send_many() -> None:
            nonlocal sent
            while sent < 300_000:
                await alice.send(b"")
                sent += 1

        sending = asyncio.create_task(send_many())
        await asyncio.sleep(0.5)
        stopped = sent < 300_000
        sending.cancel()
        await asyncio.wait({sending})
        assert stopped


async def test_a_peer_cannot_fill_our_memory_with_empty_messages() -> None:
    there, back = pair()
    channel, peer = await with_raw_peer(there, back)
    for _ in range(20):
        for _ in range(16_000):
            peer.send(b"")
        sending = asyncio.create_task(back.send(peer.data_to_send()))
        await asyncio.wait({sending}, timeout=0.1)
        if not sending.done():
            sending.cancel()
            break
    held = len(channel._driver.received)
    await channel.abort()
    assert held < 200_000


# Cancellation: the peer gets whole messages only, and the channel goes on.


class Winding:
    """A stream that takes many turns of the loop: more places to be cancelled at."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        return await self.stream.receive()

    async def send(self, data: bytes) -> None:
        for start in range(0, len(data), 10_000):
            await self.stream.send(data[start : start + 10_000])
            await asyncio.sleep(0)

    async def close(self) -> None:
        await asyncio.sleep(0)
        await self.stream.close()


@pytest.mark.attack(53)
@pytest.mark.parametrize("capacity", [1, 64 * KIB])
async def test_cancelling_send_anywhere_loses_no_other_message_and_breaks_none(
    capacity: int, figure: Callable[[str], None]
) -> None:
    messages = [bytes([number]) * 100_000 for number in range(6)]
    completed = 0

    async def send_all(channel: Channel) -> None:
        nonlocal completed
        for message in messages:
            await channel.send(message)
            completed += 1

    points = 0
    for steps in itertools.count():
        completed = 0
        async with conversation(capacity=capacity, wrap=Winding) as (alice, bob, *_):
            receiving = asyncio.create_task(all_of(bob))
            cancelled = await after_steps(steps, send_all(alice))
            await alice.send(b"after")
            await alice.close()
            assert await receiving == [*messages[:completed], b"after"]
        points += cancelled
        if not cancelled:
            break
    assert points > 10
    figure(f"sending, cancelled at each of {points} turns of the loop: whole messages only")


@pytest.mark.attack(53)
async def test_cancelling_receive_anywhere_loses_no_message(figure: Callable[[str], None]) -> None:
    messages = [bytes([number]) * 50_000 for number in range(5)]

    points = 0
    for steps in itertools.count():
        received: list[bytes] = []
        async with conversation(chunk_size=lambda: 9_000, wrap=Winding) as (alice, bob, *_):
            for message in messages:
                await alice.send(message)
            closing = asyncio.create_task(alice.close())
            cancelled = await after_steps(steps, receive_all(bob, received))
            await receive_all(bob, received)
            assert received == messages
            await closing
        points += cancelled
        if not cancelled:
            break
    assert points > 10
    figure(f"receiving, cancelled at each of {points} turns of the loop: whole messages only")


@pytest.mark.attack(53)
async def test_cancelling_close_anywhere_still_closes_in_order(
    figure: Callable[[str], None],
) -> None:
    messages = [bytes([number]) * 50_000 for number in range(5)]
    points = 0
    for steps in itertools.count():
        async with conversation(chunk_size=lambda: 9_000, wrap=Winding) as (alice, bob, *_):
            for message in messages:
                await alice.send(message)
            receiving = asyncio.create_task(all_of(bob))
            cancelled = await after_steps(steps, alice.close())
            if steps == 0:
                await alice.send(b"not closed yet")
            await alice.close()
            assert await receiving == [*messages, *([b"not closed yet"] if steps == 0 else [])]
            assert await alice.receive() is None
        points += cancelled
        if not cancelled:
            break
    assert points > 10
    figure(f"closing, cancelled at each of {points} turns of the loop: whole messages only")


@pytest.mark.attack(53)
async def test_cancelling_open_anywhere_closes_the_stream(figure: Callable[[str], None]) -> None:
    points = 0
    for steps in range(1, 1000):
        there, back = pair(chunk_size=lambda: 100)
        other = asyncio.create_task(Channel.open(Winding(back), Session.responder(BOB)))
        opening = asyncio.create_task(Channel.open(Winding(there), Session.initiator(ALICE)))
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait({opening})
        if not opening.cancelled():
            await (await opening).abort()
            await (await other).abort()
            break
        points += 1
        assert there.outgoing.ended
        async with asyncio.timeout(1):
            # The responder may have the whole handshake already.
            try:
                channel = await other
            except E2EEError:
                continue
            with pytest.raises(E2EEError):
                await channel.receive()
    assert points > 10
    figure(f"opening, cancelled at each of {points} turns of the loop: whole messages only")


async def test_cancelling_abort_anywhere_still_drops_the_connection() -> None:
    for steps in itertools.count():
        async with conversation(wrap=Winding) as (alice, _, alice_stream, _):
            cancelled = await after_steps(steps, alice.abort())
            async with asyncio.timeout(1):
                if steps > 0:
                    with pytest.raises(SessionClosed):
                        await alice.receive()
                    await alice.abort()
                    assert alice_stream.outgoing.ended
        if not cancelled:
            break


# Streams that somebody else has written.


class Faulty:
    """A stream in memory that raises what it is told to, where it is told to."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self.faults: dict[str, BaseException] = {}

    async def receive(self) -> bytes:
        data = await self.stream.receive()
        if "receive" in self.faults:
            raise self.faults["receive"]
        return data

    async def send(self, data: bytes) -> None:
        if "send" in self.faults:
            raise self.faults["send"]
        await self.stream.send(data)

    async def close(self) -> None:
        await self.stream.close()
        if "close" in self.faults:
            raise self.faults["close"]


class NoExceptionToMost(BaseException):
    """As the cancellations of some other libraries are."""


FOREIGN_ERRORS = pytest.mark.parametrize(
    "error",
    [
        OSError(5, "input/output error"),
        ConnectionResetError(),
        TimeoutError(),
        RuntimeError("foreign"),
        EOFError(),
        StopAsyncIteration(),
        KeyError("foreign"),
        asyncio.CancelledError(),
        NoExceptionToMost(),
    ],
    ids=repr,
)


@FOREIGN_ERRORS
@pytest.mark.parametrize("place", ["receive", "send"])
async def test_whatever_a_foreign_stream_raises_is_a_transport_error_and_no_clean_end(
    place: str, error: BaseException
) -> None:
    there, back = pair()
    faulty = Faulty(there)
    alice, bob = await asyncio.gather(
        Channel.open(faulty, Session.initiator(ALICE)), Channel.open(back, Session.responder(BOB))
    )
    await bob.send(b"before")
    assert await alice.receive() == b"before"
    faulty.faults[place] = error
    await bob.send(b"sets it off")
    if place == "send":
        await alice.send(b"sets it off")
    received, failure = await all_until_error(alice)
    assert received == ([] if place == "receive" else [b"sets it off"])
    assert type(failure) is TransportError
    with pytest.raises(TransportError):
        await alice.close()
    await bob.abort()


@FOREIGN_ERRORS
@pytest.mark.parametrize("place", ["receive", "send"])
async def test_foreign_errors_in_the_handshake_are_transport_errors(
    place: str, error: BaseException
) -> None:
    there, back = pair()
    faulty = Faulty(there)
    faulty.faults[place] = error
    await back.send(b"e2ee")
    with pytest.raises(TransportError):
        await Channel.open(faulty, Session.initiator(ALICE))


async def test_a_timeout_of_the_stream_is_not_taken_for_the_deadline() -> None:
    there, back = pair()
    faulty = Faulty(there)
    faulty.faults["receive"] = TimeoutError("the stream's own")
    await back.send(b"e2ee")
    with pytest.raises(TransportError) as failure:
        await Channel.open(faulty, Session.initiator(ALICE))
    assert not isinstance(failure.value, TimedOut)


@FOREIGN_ERRORS
async def test_those_who_wait_are_woken_when_the_stream_fails_to_close(
    error: BaseException,
) -> None:
    there, back = pair()
    faulty = Faulty(there)
    alice, bob = await asyncio.gather(
        Channel.open(faulty, Session.initiator(ALICE)), Channel.open(back, Session.responder(BOB))
    )
    faulty.faults["close"] = error
    receiving = asyncio.create_task(all_until_error(alice))
    await bob.abort()
    done, _ = await asyncio.wait({receiving}, timeout=0.5)
    receiving.cancel()
    assert done


class SlowToClose(Faulty):
    async def close(self) -> None:
        await self.stream.close()
        await asyncio.sleep(0.3)


async def test_those_who_wait_are_woken_by_abort_while_the_stream_is_closing() -> None:
    there, back = pair()
    alice, bob = await asyncio.gather(
        Channel.open(SlowToClose(there), Session.initiator(ALICE)),
        Channel.open(back, Session.responder(BOB)),
    )
    receiving = asyncio.create_task(all_until_error(alice))
    await bob.abort()
    await asyncio.sleep(0.1)
    with pytest.raises(Truncated):
        await alice.send(b"x")
    await alice.abort()
    done, _ = await asyncio.wait({receiving}, timeout=0.5)
    receiving.cancel()
    assert done


class NeverCloses(Faulty):
    async def close(self) -> None:
        await asyncio.sleep(NEVER)


class NeverStopsReceiving(Faulty):
    async def receive(self) -> bytes:
        try:
            return await self.stream.receive()
        except asyncio.CancelledError:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 3 * CLOSE_TIMEOUT)
            raise


@pytest.mark.parametrize("stream", [NeverCloses, NeverStopsReceiving])
async def test_a_stream_that_does_not_end_is_left(stream: type[Faulty]) -> None:
    alice, bob, *_ = await connected(wrap=stream)
    began = now()
    await alice.abort()
    assert now() - began == CLOSE_TIMEOUT
    with pytest.raises(SessionClosed):
        await alice.receive()
    await bob.abort()
    await asyncio.sleep(3 * CLOSE_TIMEOUT)


async def test_whoever_cancels_every_task_ends_the_channel() -> None:
    before = asyncio.all_tasks()
    alice, bob, *_ = await connected()
    for task in asyncio.all_tasks() - before:
        task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(TransportError):
            await alice.receive()
        with pytest.raises((TransportError, Truncated)):
            await bob.receive()


def test_a_handshake_by_hand_gives_what_a_channel_begins_with() -> None:
    async def run() -> None:
        there, back = pair()
        events, _ = await asyncio.gather(
            shake_hands_by_hand(there, Session.initiator(ALICE)),
            shake_hands_by_hand(back, Session.responder(BOB)),
        )
        assert [type(event) for event in events] == [HandshakeCompleted]

    asyncio.run(run())


async def test_abort_before_the_channel_has_taken_a_step_tidies_up_too() -> None:
    there, back = pair()
    alice, bob = await asyncio.gather(
        Channel.open(there, Session.initiator(ALICE)), Channel.open(back, Session.responder(BOB))
    )
    await alice.abort()
    with pytest.raises(SessionClosed):
        await alice.receive()
    with pytest.raises(SessionClosed):
        await alice.send(b"too late")
    assert there.outgoing.ended
    with pytest.raises(Truncated):
        await bob.receive()


async def test_a_busy_peer_shows_that_it_is_well() -> None:
    quick = Timeouts(quiet=0.05, dead=0.3)
    async with conversation(timeouts=quick) as (alice, bob, *_):
        sending = asyncio.create_task(alice.send(bytes(3 * RECEIVE_HIGH_WATER)))
        sent = [sending, *(asyncio.create_task(alice.send(b"x")) for _ in range(3))]
        await asyncio.sleep(1)  # Far above what a dead peer gets.
        assert await bob.receive() == bytes(3 * RECEIVE_HIGH_WATER)
        await asyncio.gather(*sent)
        assert [await bob.receive() for _ in range(3)] == [b"x"] * 3


async def test_closing_goes_on_while_bytes_move() -> None:
    there, back = pair(capacity=1024)
    slow = Timeouts(close=0.2)
    alice, bob = await asyncio.gather(
        Channel.open(there, Session.initiator(ALICE), timeouts=slow),
        Channel.open(back, Session.responder(BOB), timeouts=slow),
    )
    message = bytes(4 * 1024 * 1024)
    await alice.send(message)
    closing = asyncio.create_task(alice.close())
    assert await bob.receive() == message
    assert await bob.receive() is None
    await closing


async def test_a_stream_for_which_no_session_can_be_made_is_closed() -> None:
    async def nobody(channel: Channel) -> None:
        raise AssertionError(channel)

    there, back = pair()
    with pytest.raises(ZeroDivisionError):
        await serve_stream(
            there,
            lambda: Session.responder(BOB, now=1 // 0),
            on_failure=lambda _: None,
            on_authenticated=lambda: None,
            on_channel=nobody,
            timeouts=USUAL,
        )
    assert await back.receive() == b""
