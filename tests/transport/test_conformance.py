"""What every Stream must do, whatever carries its bytes."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from e2ee.errors import TransportError
from e2ee.transport import Stream, memory
from e2ee.transport.tcp import TcpStream, connect_stream

MIB = 2**20

OpenStreams = Callable[[], Awaitable[tuple[Stream, Stream]]]


async def open_memory() -> tuple[Stream, Stream]:
    return memory.pair()


async def open_tcp() -> tuple[Stream, Stream]:
    accepted: asyncio.Queue[TcpStream] = asyncio.Queue()
    server = await asyncio.start_server(
        lambda reader, writer: accepted.put_nowait(TcpStream(reader, writer)), "127.0.0.1"
    )
    client = await connect_stream(*server.sockets[0].getsockname())
    other = await accepted.get()
    server.close()
    return client, other


async def open_tcp_from_the_other_end() -> tuple[Stream, Stream]:
    one, other = await open_tcp()
    return other, one


EVERY_STREAM = pytest.mark.parametrize(
    "open_streams", [open_memory, open_tcp, open_tcp_from_the_other_end]
)


@EVERY_STREAM
async def test_bytes_arrive_in_order_whatever_the_sizes(open_streams: OpenStreams) -> None:
    one, other = await open_streams()
    chance = random.Random(1)
    pieces = [chance.randbytes(size) for size in (1, 2, 65_536, 300_000, 1, 999, 4 * MIB, 17)]

    async def send() -> None:
        for piece in pieces:
            await one.send(piece)
        await one.close()

    sending = asyncio.create_task(send())
    received = bytearray()
    while data := await other.receive():
        received += data
    await sending
    assert received == b"".join(pieces)
    await other.close()


@EVERY_STREAM
async def test_both_directions_work_at_once(open_streams: OpenStreams) -> None:
    one, other = await open_streams()
    block = bytes(3 * MIB)

    async def receive(stream: Stream) -> int:
        count = 0
        while count < len(block):
            count += len(await stream.receive())
        return count

    here, there, *_ = await asyncio.gather(
        receive(one), receive(other), one.send(block), other.send(block)
    )
    assert here == there == len(block)
    await one.close()
    await other.close()


@EVERY_STREAM
async def test_the_end_is_told_again_and_again(open_streams: OpenStreams) -> None:
    one, other = await open_streams()
    await one.send(b"last words")
    await one.close()
    assert await other.receive() == b"last words"
    for _ in range(3):
        assert await other.receive() == b""
    await other.close()


@EVERY_STREAM
async def test_receive_waits_until_there_is_something(open_streams: OpenStreams) -> None:
    one, other = await open_streams()
    waiting = asyncio.create_task(other.receive())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await one.send(b"x")
    assert await waiting == b"x"
    await one.close()
    await other.close()


@EVERY_STREAM
async def test_a_cancelled_receive_loses_nothing(open_streams: OpenStreams) -> None:
    one, other = await open_streams()
    waiting = asyncio.create_task(other.receive())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait({waiting})
    await one.send(b"still there")
    assert await other.receive() == b"still there"
    await one.close()
    await other.close()


@EVERY_STREAM
async def test_send_waits_for_room(open_streams: OpenStreams) -> None:
    one, other = await open_streams()
    taken = 0

    async def send_without_end() -> None:
        nonlocal taken
        while True:
            await one.send(bytes(64 * 1024))
            taken += 64 * 1024

    sending = asyncio.create_task(send_without_end())
    await asyncio.sleep(0.3)
    stopped_at = taken
    await asyncio.sleep(0.1)
    assert taken == stopped_at < 32 * MIB

    received = 0
    while received <= stopped_at:
        received += len(await other.receive())
    await asyncio.sleep(0.05)
    assert taken > stopped_at
    sending.cancel()
    await asyncio.wait({sending})
    await one.close()
    await other.close()


@EVERY_STREAM
async def test_closing_twice_is_fine(open_streams: OpenStreams) -> None:
    one, other = await open_streams()
    for stream in (one, one, other, other):
        await stream.close()


@EVERY_STREAM
async def test_closing_does_not_wait_for_a_peer_that_never_reads(
    open_streams: OpenStreams,
) -> None:
    one, other = await open_streams()
    sending = asyncio.create_task(one.send(bytes(32 * MIB)))
    await asyncio.sleep(0.05)
    sending.cancel()
    await asyncio.wait({sending})
    async with asyncio.timeout(3):
        await one.close()
    await other.close()


@EVERY_STREAM
async def test_sending_to_one_that_is_gone_fails_in_the_end(open_streams: OpenStreams) -> None:
    one, other = await open_streams()
    await other.close()

    async def send_on() -> None:
        for _ in range(100):
            await one.send(bytes(64 * 1024))

    with pytest.raises(TransportError):
        async with asyncio.timeout(3):
            await send_on()
    await one.close()
