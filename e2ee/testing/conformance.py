"""What every Stream must do, as checks for a transport of your own. SPEC.md section 1.

A subclass says how a connected pair is made and how its connection is cut. pytest finds the checks
by their names if the subclass has a name that it looks for; they need no plugin for asyncio::

    class TestPigeons(StreamConformance):
        @asynccontextmanager
        async def pair(self):
            async with loft() as (one, other):
                yield one, other

        async def cut(self, one, other):
            await one.shoot()

A check fails with AssertionError, or with what the transport raised.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from e2ee.errors import TransportError
from e2ee.identity import Identity
from e2ee.session import Session
from e2ee.transport import Channel, Stream

_KIB, _MIB = 2**10, 2**20
_BLOCK = bytes(range(256)) * 256

_SETTLED = 0.3
"""Seconds, after which what still waits is taken to wait for the other end."""


class StreamConformance:
    """Checks of one transport against ``e2ee.transport.Stream``, each on a pair of its own."""

    patience: float = 20
    """Seconds for each check: one that is not done by then hangs, and has failed."""

    most_on_the_way: int = 32 * 2**20
    """Bytes that a sender may get rid of at most while the other end reads nothing."""

    def pair(self) -> AbstractAsyncContextManager[tuple[Stream, Stream]]:
        """Two new streams, connected; what was needed to connect them is released at the end.

        The checks close both streams.
        """
        raise NotImplementedError

    async def cut(self, one: Stream, other: Stream) -> None:
        """Break the connection of this pair as a network would: by a reset, not by a close."""
        raise NotImplementedError

    # Bytes.

    def test_bytes_arrive_whole_and_in_order(self) -> None:
        """In pieces from one byte to some hundred thousand, and then the end."""
        chance = random.Random(1)
        sizes = (1, 2, 65_536, 300_000, 1, 999, 17)
        self._check(lambda one, other: _carry(one, other, [*map(chance.randbytes, sizes)]))

    def test_one_byte_at_a_time_arrives(self) -> None:
        """Each of the 256 bytes, twice, in a piece of its own."""
        self._check(lambda one, other: _carry(one, other, [bytes([i]) for i in range(256)] * 2))

    def test_a_large_piece_arrives(self) -> None:
        """8 MiB in one call, which is more than a stream may hold."""
        self._check(lambda one, other: _carry(one, other, [_BLOCK * 128]))

    def test_the_other_direction_works_too(self) -> None:
        """The two ends need not be alike."""
        self._check(lambda one, other: _carry(other, one, [b"back", _BLOCK * 8]))

    def test_both_directions_work_at_once(self) -> None:
        """3 MiB each way; one that waits for the other would never end."""

        async def check(one: Stream, other: Stream) -> None:
            size = 3 * _MIB
            here, there, *_ = await asyncio.gather(
                _receive(one, size),
                _receive(other, size),
                one.send(b"1" * size),
                other.send(b"2" * size),
            )
            same = (here, there) == (b"2" * size, b"1" * size)
            assert same, "the directions mix"

        self._check(check)

    def test_what_is_sent_is_not_held_back(self) -> None:
        """A stream that waits for more before it sends would make every conversation stall."""

        async def check(one: Stream, other: Stream) -> None:
            for turn in range(20):
                await one.send(b"%d?" % turn)
                assert await _receive(other, len(b"%d?" % turn)) == b"%d?" % turn
                await other.send(b"%d!" % turn)
                assert await _receive(one, len(b"%d!" % turn)) == b"%d!" % turn

        self._check(check)

    def test_nothing_sent_is_nothing_received(self) -> None:
        """In particular it is no end."""

        async def check(one: Stream, other: Stream) -> None:
            for letter in (b"x", b"y"):
                await one.send(b"")
                await one.send(letter)
                assert await _receive(other, 1) == letter

        self._check(check)

    # Waiting.

    def test_receive_waits_until_there_is_something(self) -> None:
        """It neither gives nothing nor raises while there is nothing."""

        async def check(one: Stream, other: Stream) -> None:
            waiting = asyncio.create_task(other.receive())
            assert await _waits(waiting), f"receive gave {waiting.result()!r}, and nothing was sent"
            await one.send(b"x")
            assert await waiting == b"x"

        self._check(check)

    def test_send_waits_while_nobody_reads(self) -> None:
        """Back-pressure: a peer that does not read must not fill our memory."""

        async def check(one: Stream, other: Stream) -> None:
            sent, sending = await self._fill(one)
            received = 0
            while received < sent:
                received += len(await other.receive())
            await sending

        self._check(check)

    def test_receive_works_while_send_waits(self) -> None:
        """Two ends that both send, and wait for room, must not block each other."""

        async def check(one: Stream, other: Stream) -> None:
            sent, sending = await self._fill(one)
            await other.send(b"still here")
            assert await _receive(one, 10) == b"still here"
            await _receive(other, sent)
            await sending

        self._check(check)

    # Cancellation.

    def test_a_cancelled_receive_loses_nothing(self) -> None:
        """It may be given a time limit, and be called again."""

        async def check(one: Stream, other: Stream) -> None:
            for pause in (0, 0, 0.01, _SETTLED):
                waiting = asyncio.create_task(other.receive())
                await asyncio.sleep(pause)
                await _cancel(waiting)
                await one.send(b"still there")
                assert await _receive(other, 11) == b"still there", "bytes were lost"

        self._check(check)

    def test_a_receive_that_is_cancelled_as_bytes_come_loses_nothing(self) -> None:
        """At whatever moment it is cancelled."""

        async def check(one: Stream, other: Stream) -> None:
            sent, received = bytes(range(50)), b""
            for turn in sent:
                waiting = asyncio.create_task(other.receive())
                await asyncio.sleep(0)
                await one.send(bytes([turn]))
                for _ in range(turn % 5):
                    await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait({waiting})
                received += b"" if waiting.cancelled() else waiting.result()
            received += await _receive(other, len(sent) - len(received))
            same = received == sent
            assert same, "bytes were lost"

        self._check(check)

    def test_what_arrives_of_a_cancelled_send_is_its_beginning(self) -> None:
        """Not its end, and nothing twice."""

        async def check(one: Stream, other: Stream) -> None:
            sending = asyncio.create_task(one.send(_BLOCK * (self.most_on_the_way // len(_BLOCK))))
            assert await _waits(sending), "a send of more than may be on the way did not wait"
            await _cancel(sending)
            await asyncio.gather(one.close(), _receive_beginning(other))

        self._check(check)

    # The end.

    def test_the_end_is_told_again_and_again(self) -> None:
        """After all that came before it."""

        async def check(one: Stream, other: Stream) -> None:
            await one.send(b"last words")
            closing = asyncio.create_task(one.close())
            assert await _receive(other, 10) == b"last words"
            for _ in range(3):
                assert await other.receive() == b"", "bytes after the end"
            await closing

        self._check(check)

    def test_a_receive_that_waits_is_told_the_end(self) -> None:
        """As it comes."""

        async def check(one: Stream, other: Stream) -> None:
            waiting = asyncio.create_task(other.receive())
            assert await _waits(waiting)
            await one.close()
            assert await waiting == b""

        self._check(check)

    def test_closing_loses_nothing_that_send_has_taken(self) -> None:
        """The last words of a session are its close, and must arrive."""

        async def check(one: Stream, other: Stream) -> None:
            async def say_and_leave() -> None:
                await one.send(_BLOCK)
                await one.close()

            leaving = asyncio.create_task(say_and_leave())
            await asyncio.wait({leaving}, timeout=_SETTLED)
            same = await _receive(other, len(_BLOCK)) == _BLOCK
            assert same, "bytes are changed, or not in order"
            assert await other.receive() == b""
            await leaving

        self._check(check)

    def test_closing_is_done_once_however_often_it_is_asked_for(self) -> None:
        """At once or later, before or after the other end."""

        async def check(one: Stream, other: Stream) -> None:
            await asyncio.gather(one.close(), one.close())
            await one.close()
            await other.close()
            await other.close()
            await one.close()

        self._check(check)

    def test_both_may_close_at_once(self) -> None:
        """Neither waits for the other."""

        async def check(one: Stream, other: Stream) -> None:
            await asyncio.gather(one.close(), other.close())

        self._check(check)

    def test_closing_does_not_wait_for_the_other_end(self) -> None:
        """One that reads nothing must not keep us."""

        async def check(one: Stream, other: Stream) -> None:
            _, sending = await self._fill(one)
            await _cancel(sending)
            closing = asyncio.create_task(one.close())
            done, _ = await asyncio.wait({closing}, timeout=self.patience / 4)
            assert done, "close waits for an end that reads nothing"
            await closing
            await other.close()

        self._check(check)

    # Failure.

    def test_a_cut_fails_a_receive_that_waits(self) -> None:
        """With TransportError."""

        async def check(one: Stream, other: Stream) -> None:
            waiting = asyncio.create_task(other.receive())
            assert await _waits(waiting)
            await self.cut(one, other)
            await _fails("receive", lambda: waiting)

        self._check(check)

    def test_a_cut_is_no_end(self) -> None:
        """An end would be taken for the other's own doing."""

        async def check(one: Stream, other: Stream) -> None:
            await self.cut(one, other)
            await _fails("receive", other.receive)

        self._check(check)

    def test_a_cut_fails_a_send(self) -> None:
        """With TransportError, if not the first, then one soon after."""

        async def check(one: Stream, other: Stream) -> None:
            await self.cut(one, other)
            await _fails("send", lambda: self._send_on(other))

        self._check(check)

    def test_a_cut_fails_a_send_that_waits(self) -> None:
        """With TransportError."""

        async def check(one: Stream, other: Stream) -> None:
            _, sending = await self._fill(other)
            await self.cut(one, other)
            await _fails("send", lambda: sending)

        self._check(check)

    def test_sending_to_one_that_has_closed_fails_in_the_end(self) -> None:
        """With TransportError, before more is sent than may be on the way."""

        async def check(one: Stream, other: Stream) -> None:
            await other.close()
            await _fails("send", lambda: self._send_on(one))

        self._check(check)

    # All of it.

    def test_a_channel_lives_on_it(self) -> None:
        """A handshake, messages from nothing to 2 MiB there and back, and the close."""

        async def check(one: Stream, other: Stream) -> None:
            caller, answerer = Identity.generate(), Identity.generate()
            session = Session.initiator(caller, expected_peer=answerer.id)
            messages = [b"", b"x", _BLOCK * 32, b"bye"]

            async def call() -> list[bytes]:
                async with await Channel.open(one, session) as channel:
                    for message in messages:
                        await channel.send(message)
                    return [await anext(channel) for _ in messages]

            async def answer() -> None:
                async with await Channel.open(other, Session.responder(answerer)) as channel:
                    async for message in channel:
                        await channel.send(message)

            echoed, _ = await asyncio.gather(call(), answer())
            same = echoed == messages
            assert same, "messages are changed, or not in order"

        self._check(check)

    # How they are run.

    def _check(self, check: Callable[[Stream, Stream], Awaitable[None]]) -> None:
        async def run() -> None:
            complaints: list[dict[str, object]] = []
            asyncio.get_running_loop().set_exception_handler(
                lambda _, told: complaints.append(told)
            )
            try:
                async with asyncio.timeout(self.patience) as deadline, self._pair() as streams:
                    await check(*streams)
            except TimeoutError:
                if not deadline.expired():
                    raise
                raise AssertionError(f"not done in {self.patience:g} seconds: it hangs") from None
            if left := asyncio.all_tasks() - {asyncio.current_task()}:
                _, left = await asyncio.wait(left, timeout=self.patience / 10)
            assert not left, f"closed streams leave tasks: {left}"
            assert not complaints, f"closed streams leave errors that nobody sees: {complaints}"

        asyncio.run(run())

    @asynccontextmanager
    async def _pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
        async with self.pair() as (one, other):
            try:
                yield one, other
            finally:
                async with asyncio.timeout(self.patience):
                    await one.close()
                    await other.close()

    async def _fill(self, stream: Stream) -> tuple[int, asyncio.Task[None]]:
        """Send until that waits. How many bytes were sent, and the send that waits."""
        sent = 0
        while sent <= self.most_on_the_way:
            sending = asyncio.create_task(stream.send(_BLOCK))
            sent += len(_BLOCK)
            if await _waits(sending):
                return sent, sending
            await sending
        raise AssertionError(f"send took {sent} bytes, and nobody reads")

    async def _send_on(self, stream: Stream) -> None:
        for _ in range(0, self.most_on_the_way, len(_BLOCK)):
            await stream.send(_BLOCK)


async def _carry(one: Stream, other: Stream, pieces: list[bytes]) -> None:
    """Pieces and then the end, from one to the other."""

    async def send() -> None:
        for piece in pieces:
            await one.send(piece)
        await one.close()

    sending = asyncio.create_task(send())
    received = bytearray()
    while data := await other.receive():
        assert type(data) is bytes, "receive gives bytes"
        received += data
    await sending
    expected = b"".join(pieces)
    assert len(received) == len(expected), "bytes are missing, or more than there were"
    same = received == expected  # No assertion of these themselves: pytest would show them.
    assert same, "bytes are changed, or not in order"


async def _receive(stream: Stream, size: int) -> bytes:
    """So many bytes; no more may come with them."""
    received = bytearray()
    while len(received) < size:
        data = await stream.receive()
        assert data, f"the end after {len(received)} of {size} bytes"
        received += data
    assert len(received) == size, "more bytes than were sent"
    return bytes(received)


async def _receive_beginning(stream: Stream) -> None:
    """What repeats the block, until the end or a failure."""
    received = bytearray()
    try:
        while data := await stream.receive():
            received += data
    except TransportError:
        pass
    whole, rest = divmod(len(received), len(_BLOCK))
    same = received == _BLOCK * whole + _BLOCK[:rest]
    assert same, "what arrived is not what was sent first"


async def _waits(task: asyncio.Task[bytes] | asyncio.Task[None]) -> bool:
    done, _ = await asyncio.wait({task}, timeout=_SETTLED)
    return not done


async def _cancel(task: asyncio.Task[bytes] | asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled(), "a call that waits can be cancelled"


async def _fails(what: str, call: Callable[[], Awaitable[object]]) -> None:
    try:
        result = await call()
    except TransportError:
        return
    except Exception as error:
        raise AssertionError(f"{what} raised {error!r}, not TransportError") from error
    raise AssertionError(f"{what} on a broken stream gave {result!r}")
