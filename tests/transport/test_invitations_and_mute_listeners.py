"""However a stream ends, an invitation that it has spent is said to be spent; mute listeners."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest

from e2ee import Identity, Session
from e2ee.code_offer import CodeOffer
from e2ee.errors import WrongCode
from e2ee.invitation import SpokenCode
from e2ee.transport import Channel, Timeouts, tcp
from e2ee.transport.half_open import MAX_HANDSHAKES_OF_HOST

ALICE, BOB = Identity.generate(), Identity.generate()
CODE = SpokenCode(4, ["acrobat", "velcro", "sugar"])
GUESS = SpokenCode(4, ["acrobat", "velcro", "tiger"])


@pytest.mark.parametrize("end", ["FIN", "RST", "silence"])
async def test_a_guesser_who_ends_the_stream_in_any_way_has_cost_the_code(end: str) -> None:
    async def guess(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session.responder(BOB, suites=(), code=CodeOffer(GUESS))
        session.receive_data(await reader.readexactly(8 + 16 + 2 + 64))
        writer.write(session.data_to_send())
        await reader.readexactly(1248)  # Message 1, against which he tests his guess.
        if end == "silence":
            await reader.read()  # Until the joiner has given up.
        if end == "RST":
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(guess, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session = Session.initiator(ALICE, invitation=CODE)
    try:
        with pytest.raises(WrongCode, match="good for one try"):
            await tcp.connect("127.0.0.1", port, session, timeouts=Timeouts(handshake=1))
    finally:
        server.close()
        await server.wait_closed()


async def mute_listener(*, handshake: float) -> tcp.Listener:
    async def on_channel(channel: Channel) -> None:
        raise AssertionError("nobody is admitted")

    return await tcp.listen(
        lambda: Session.responder(BOB, suites=(), admit=lambda _peer, _number: False),
        on_channel,
        host="127.0.0.1",
        timeouts=Timeouts(handshake=handshake),
        mute=True,
    )


Stranger = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def strangers_at(listener: tcp.Listener, count: int) -> list[Stranger]:
    return [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(count)]


async def end_of(stranger: Stranger) -> bytes:
    """All that a stranger gets, until he is reset."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        received = await stranger[0].read()
    stranger[1].transport.abort()
    return received


async def test_strangers_do_not_hold_up_the_end_of_a_mute_listener() -> None:
    # Their deadline is an hour away: only an end that does not wait for it ends in time.
    listener = await mute_listener(handshake=3600)
    strangers = await strangers_at(listener, 20)
    for number, (_, writer) in enumerate(strangers):
        writer.write(b"x" * number)
    await asyncio.sleep(0.3)
    await listener.close()
    for stranger in strangers:
        assert await end_of(stranger) == b""


async def test_a_mute_listener_drops_the_oldest_stranger_at_its_cap() -> None:
    listener = await mute_listener(handshake=3600)
    strangers = await strangers_at(listener, MAX_HANDSHAKES_OF_HOST + 1)
    assert await end_of(strangers[0]) == b""
    await listener.close()
    for stranger in strangers[1:]:
        await end_of(stranger)


@pytest.mark.parametrize("beginning", [b"x", b"e2ee\x01\x00\x01\x01", b""])
async def test_a_mute_listener_takes_all_that_comes_whatever_it_begins_with(
    beginning: bytes,
) -> None:
    listener = await mute_listener(handshake=3600)
    stranger = (await strangers_at(listener, 1))[0]
    stranger[1].write(beginning)
    for _ in range(256):  # More than the system's buffers hold.
        stranger[1].write(b"\0" * 65_536)
        await stranger[1].drain()
    await listener.close()
    assert await end_of(stranger) == b""
