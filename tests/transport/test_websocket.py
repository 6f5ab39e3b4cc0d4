"""WebSockets beyond what every stream does: foreign ends, addresses, limits."""

import asyncio
import contextlib
import re
import resource
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from e2ee import Identity, Session
from e2ee.errors import (
    AddressInUse,
    ConnectFailed,
    E2EEError,
    NotE2EE,
    ProtocolError,
    TimedOut,
    TransportError,
    UsageError,
)
from e2ee.transport import Channel, Timeouts, websocket
from e2ee.transport.half_open import MAX_HANDSHAKES_OF_HOST
from e2ee.transport.tcp import SPARED_DESCRIPTORS
from e2ee.transport.websocket import (
    MAX_RECEIVED_SIZE,
    OPTIONS,
    SENT_SIZE,
    connect_stream,
)
from tests.virtual_time import NEVER

HERE = "127.0.0.1"
USUAL = Timeouts()


@asynccontextmanager
async def served_by(handle: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """The address of a server that has none of our options."""
    async with serve(handle, HERE, 0) as server:
        yield "ws://{}:{}".format(*server.sockets[0].getsockname())


async def test_text_is_refused() -> None:
    async with served_by(lambda connection: connection.send("hello")) as address:
        stream = await connect_stream(address)
        with pytest.raises(TransportError, match="sent text"):
            await stream.receive()
        await stream.close()


async def test_pieces_of_any_size_arrive_as_bytes_of_the_stream() -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.send(b"")
        await connection.send([b"in ", b"", b"parts"])
        await connection.close()

    async with served_by(handle) as address:
        stream = await connect_stream(address)
        assert await stream.receive() == b"in parts"
        assert await stream.receive() == b""
        await stream.close()


async def test_a_message_up_to_the_limit_is_received_and_a_larger_one_breaks_it() -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.send(bytes(MAX_RECEIVED_SIZE))
        await connection.send(bytes(MAX_RECEIVED_SIZE + 1))
        await connection.wait_closed()

    async with served_by(handle) as address:
        stream = await connect_stream(address)
        assert len(await stream.receive()) == MAX_RECEIVED_SIZE
        with pytest.raises(TransportError, match="1009"):
            await stream.receive()
        await stream.close()


async def test_a_large_piece_is_sent_in_messages_that_every_server_takes() -> None:
    sizes: list[int] = []

    async def handle(connection: ServerConnection) -> None:
        sizes.extend([len(message) async for message in connection])

    async with served_by(handle) as address:
        stream = await connect_stream(address)
        await stream.send(bytes(2 * SENT_SIZE + 1))
        await stream.close()
    assert sizes == [SENT_SIZE, SENT_SIZE, 1]


async def test_a_close_with_a_fault_is_no_end() -> None:
    async with served_by(lambda connection: connection.close(1011, "out of order")) as address:
        stream = await connect_stream(address)
        with pytest.raises(TransportError, match="out of order"):
            await stream.receive()
        await stream.close()


async def test_the_other_end_learns_that_the_close_was_in_order() -> None:
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    async def handle(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.put_nowait(connection.close_code)

    async with served_by(handle) as address:
        await (await connect_stream(address)).close()
        assert await codes.get() == 1000


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1",
        "http://127.0.0.1/",
        "ws://",
        "ws://127.0.0.1:99999/",
        "ws://127.0.0.1:0/",
        "ws://127.0.0.1:x/",
        "ws://[::1/",
        "ws://no-such-host.invalid/",
        "ws://" + "a" * 70 + ".invalid/",
        "ws://a\0b/",
        "ws://\udcff/",
        "ws://127.0.0.1:1/#part",
        "ws://é\n/",
    ],
)
async def test_an_address_that_leads_nowhere_is_an_error_of_ours(address: str) -> None:
    with pytest.raises(ConnectFailed):
        await connect_stream(address)


@pytest.mark.parametrize("rest", ["", ":99999", "/#part", ":x"])
async def test_a_password_in_an_address_is_not_repeated(rest: str) -> None:
    with pytest.raises(ConnectFailed) as caught:
        await connect_stream(f"ws://me:swordfish@{HERE}:1{rest}")
    assert HERE in str(caught.value)
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize("address", [None, 5, b"ws://127.0.0.1", object()])
async def test_an_address_is_text(address: Any) -> None:
    with pytest.raises(UsageError):
        await connect_stream(address)


async def test_a_server_that_speaks_something_else_is_an_error_of_ours() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, HERE, 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectFailed, match="404"):
            await connect_stream(f"ws://{HERE}:{port}")


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CONNECT_TIMEOUT", 0.1)
    ended = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        ended.set()

    async with await asyncio.start_server(say_nothing, HERE, 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectFailed, match="in time"):
            await connect_stream(f"ws://{HERE}:{port}")
        await ended.wait()


async def test_a_close_that_cannot_leave_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "GOODBYE_TIMEOUT", 0.1)
    connected: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def handle(connection: ServerConnection) -> None:
        connected.put_nowait(connection)
        await connection.wait_closed()

    async with serve(handle, HERE, 0, **OPTIONS) as server:
        stream = await connect_stream("ws://{}:{}".format(*server.sockets[0].getsockname()))
        connection = await connected.get()
        connection.transport.pause_reading()
        # The system takes no more, and asyncio holds nothing: only the goodbye is held up.
        with stream._connection.transport.get_extra_info("socket").dup() as raw:
            raw.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    raw.send(bytes(64 * 1024))
        await stream.close()
        assert stream._connection.transport.is_closing()
        connection.transport.abort()


# The listener.


CLIENT, SERVER = Identity.generate(), Identity.generate()


@asynccontextmanager
async def echo(
    host: str | None = HERE,
    failures: list[tuple[str, E2EEError]] | None = None,
    timeouts: Timeouts = USUAL,
) -> AsyncIterator[int]:
    def tell(where: str, error: E2EEError) -> None:
        assert failures is not None, error
        failures.append((where, error))

    async def serve_echo(channel: Channel) -> None:
        async for message in channel:
            await channel.send(message)

    async with await websocket.listen(
        lambda: Session.responder(SERVER),
        serve_echo,
        host=host,
        on_failure=tell,
        timeouts=timeouts,
    ) as listener:
        yield listener.port


async def check_echo(address: str) -> None:
    session = Session.initiator(CLIENT, expected_peer=SERVER.id)
    async with await websocket.connect(address, session) as channel:
        await channel.send(b"hello")
        assert await channel.receive() == b"hello"


async def test_two_programs_talk_over_whatever_the_machine_has() -> None:
    async with echo(None) as port:
        await check_echo(f"ws://localhost:{port}/any/path")
        await check_echo(f"ws://{HERE}:{port}")


async def test_a_listener_ends_its_channels_at_once() -> None:
    async with echo() as port:
        channel = await websocket.connect(f"ws://{HERE}:{port}", Session.initiator(CLIENT))
    with pytest.raises((ProtocolError, TransportError)):
        await channel.receive()
    await channel.abort()


async def test_a_listener_may_be_closed_by_one_that_it_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "GOODBYE_TIMEOUT", 0.1)
    listener = await websocket.listen(
        lambda: Session.responder(SERVER), lambda _: listener.close(), host=HERE
    )
    async with asyncio.timeout(5):
        address = f"ws://{HERE}:{listener.port}"
        async with await websocket.connect(address, Session.initiator(CLIENT)) as channel:
            assert await channel.receive() is None
        await listener.close()


async def test_who_has_only_connected_does_not_keep_a_listener(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "GOODBYE_TIMEOUT", NEVER)
    async with asyncio.timeout(5):
        async with echo() as port:
            reader, writer = await asyncio.open_connection(HERE, port)
            await check_echo(f"ws://{HERE}:{port}")
        assert await reader.read() == b""
    writer.close()


async def test_who_has_only_connected_does_not_take_the_descriptors_of_other_things(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with echo() as port:
        with monkeypatch.context() as limited:
            limited.setattr(resource, "getrlimit", lambda _: (SPARED_DESCRIPTORS, 0))
            reader, writer = await asyncio.open_connection(HERE, port)
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            writer.close()
        await check_echo(f"ws://{HERE}:{port}")


async def test_a_port_that_is_taken_is_in_use() -> None:
    async with echo() as port:
        with pytest.raises(AddressInUse):
            await websocket.listen(
                lambda: Session.responder(SERVER), Channel.close, host=HERE, port=port
            )
        await check_echo(f"ws://{HERE}:{port}")


async def test_a_client_that_speaks_something_else_is_told_of() -> None:
    failures: list[tuple[str, E2EEError]] = []
    async with echo(failures=failures) as port:
        stream = await connect_stream(f"ws://{HERE}:{port}")
        await stream.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while await stream.receive():
            pass
        await stream.close()
        await check_echo(f"ws://{HERE}:{port}")
    ((where, error),) = failures
    assert where.startswith(f"{HERE}:")
    assert isinstance(error, NotE2EE)


async def test_no_more_of_one_host_than_its_limit_are_half_open_and_the_oldest_go_first() -> None:
    async with echo() as port:
        address = f"ws://{HERE}:{port}"
        silent = [await connect_stream(address) for _ in range(MAX_HANDSHAKES_OF_HOST)]
        await check_echo(address)
        assert await silent[0].receive() == b""
        for stream in silent:
            await stream.close()


@pytest.mark.attack(57)
async def test_who_has_only_connected_is_half_open_too_and_the_oldest_go_first() -> None:
    async with echo() as port:
        silent = [
            await asyncio.open_connection(HERE, port) for _ in range(MAX_HANDSHAKES_OF_HOST + 10)
        ]
        async with asyncio.timeout(5):
            for reader, _ in silent[:10]:
                assert await reader.read() == b""
            await check_echo(f"ws://{HERE}:{port}")
            assert await silent[10][0].read() == b""
        assert not any(reader.at_eof() for reader, _ in silent[11:])
        for _, writer in silent:
            writer.close()


@pytest.mark.attack(56)
async def test_the_deadline_of_the_handshake_is_absolute_and_begins_with_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "CONNECT_TIMEOUT", NEVER)
    async with echo(timeouts=replace(USUAL, handshake=0.3)) as port:
        reader, writer = await asyncio.open_connection(HERE, port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
    failures = asyncio.Queue[E2EEError]()
    async with await websocket.listen(
        lambda: Session.responder(SERVER),
        Channel.close,
        host=HERE,
        on_failure=lambda _, error: failures.put_nowait(error),
        timeouts=replace(USUAL, handshake=2),
    ) as listener:
        connection = socket.create_connection((HERE, listener.port))
        await asyncio.sleep(1)  # The rest is for the handshake of the session.
        async with connect(f"ws://{HERE}", sock=connection):
            error = await failures.get()
    assert isinstance(error, TimedOut)
    (seconds,) = re.findall(r"in (\S+) seconds", str(error))
    assert float(seconds) < 1.1


async def test_without_the_extra_the_error_says_which_one_is_missing() -> None:
    program = """
import sys
sys.modules["websockets"] = None
sys.modules["websockets.asyncio.client"] = None
try:
    import e2ee.transport.websocket
except ModuleNotFoundError as error:
    print(error)
"""
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await run.communicate()
    assert b"e2ee-session[websocket]" in out
