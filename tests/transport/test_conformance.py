"""What every Stream must do, whatever carries its bytes; and that the checks of it find faults."""

import asyncio
import inspect
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from tempfile import NamedTemporaryFile, TemporaryDirectory

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from e2ee.errors import ProtocolError, TransportError
from e2ee.testing.conformance import StreamConformance
from e2ee.transport import Stream, memory, unix, websocket
from e2ee.transport.socket_stream import SocketStream
from e2ee.transport.tcp import RESET_AT_CLOSE, TcpStream, connect_stream
from e2ee.transport.websocket import OPTIONS, WebSocketStream


class TestMemory(StreamConformance):
    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
        yield memory.pair()

    async def cut(self, one: Stream, other: Stream) -> None:
        assert isinstance(one, memory.MemoryStream)
        await one.break_off()


class TestMemoryByteByByte(TestMemory):
    """What it says about the streams of all other tests: any chunking is the same to it."""

    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
        sizes = iter([1, 2, 3, 5000, 65_536] * 10**5)
        yield memory.pair(chunk_size=lambda: next(sizes))


async def accepted(server: socket.socket) -> SocketStream:
    connection, _ = server.accept()
    connection.setblocking(False)
    _, stream = await asyncio.get_running_loop().connect_accepted_socket(SocketStream, connection)
    return stream


class TestTcp(StreamConformance):
    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = await connect_stream(*server.getsockname())
            yield client, await accepted(server)

    async def cut(self, one: Stream, other: Stream) -> None:
        assert isinstance(one, SocketStream)
        connection = one._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        one._transport.abort()


class TestUnix(StreamConformance):
    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
        with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
            server.bind(f"{folder}/socket")
            server.listen()
            client = await unix.connect_stream(f"{folder}/socket")
            yield client, await accepted(server)

    async def cut(self, one: Stream, other: Stream) -> None:
        """Nothing resets a Unix socket but an end that goes with bytes it has not read."""
        assert isinstance(one, SocketStream)
        assert isinstance(other, SocketStream)
        if not other._held_up:
            await other.send(b"x")
        one._transport.abort()


class TestReaderAndWriter(TestTcp):
    """A connection that was opened for asyncio's own streams."""

    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
        accepted: asyncio.Queue[TcpStream] = asyncio.Queue()
        server = await asyncio.start_server(
            lambda reader, writer: accepted.put_nowait(TcpStream(reader, writer)), "127.0.0.1"
        )
        opened = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield TcpStream(*opened), await accepted.get()
        finally:
            server.close()

    async def cut(self, one: Stream, other: Stream) -> None:
        assert isinstance(one, TcpStream)
        connection = one._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        one._writer.transport.abort()


class TestWebSocket(StreamConformance):
    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
        accepted: asyncio.Queue[WebSocketStream] = asyncio.Queue()

        async def handle(connection: ServerConnection) -> None:
            accepted.put_nowait(WebSocketStream(connection))
            await connection.wait_closed()

        async with serve(handle, "127.0.0.1", 0, **OPTIONS) as server:
            _, port = server.sockets[0].getsockname()
            yield await websocket.connect_stream(f"ws://127.0.0.1:{port}"), await accepted.get()

    async def cut(self, one: Stream, other: Stream) -> None:
        assert isinstance(one, WebSocketStream)
        one._connection.transport.abort()


class TestWebSocketFromTheServer(TestWebSocket):
    """The two ends are not alike: one masks what it sends, and the other closes first."""

    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
        async with super().pair() as (client, server):
            yield server, client


class TestWebSocketUnderTls(TestWebSocket):
    """As ``wss://`` has it: asyncio's transport is another, and so is its back-pressure."""

    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
        accepted: asyncio.Queue[WebSocketStream] = asyncio.Queue()

        async def handle(connection: ServerConnection) -> None:
            accepted.put_nowait(WebSocketStream(connection))
            await connection.wait_closed()

        here, there = contexts()
        async with serve(handle, "127.0.0.1", 0, ssl=here, **OPTIONS) as server:
            _, port = server.sockets[0].getsockname()
            client = await connect(f"wss://127.0.0.1:{port}", ssl=there, **OPTIONS)
            yield WebSocketStream(client), await accepted.get()


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server and its client, with a certificate that is good for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.write(certificate)
        file.flush()
        server.load_cert_chain(file.name)
    return server, ssl.create_default_context(cadata=certificate.decode())


# Transports with one fault each. All but the one check that is meant for it must not see it.


class Faultless:
    """One end of a pair in memory, written to be broken."""

    def __init__(self) -> None:
        self.other: Faultless
        self.incoming: deque[bytes] = deque()
        self.ended = self.broken = False
        self.changed = asyncio.Condition()

    async def receive(self) -> bytes:
        async with self.changed:
            await self.changed.wait_for(lambda: self.incoming or self.ended or self.broken)
            if self.broken:
                raise TransportError("cut")
            data = self.incoming.popleft() if self.incoming else b""
        async with self.other.changed:
            self.other.changed.notify_all()
        return data

    async def send(self, data: bytes) -> None:
        async with self.other.changed:
            if data:
                self.other.incoming.append(data)
            self.other.changed.notify_all()
        async with self.changed:
            await self.changed.wait_for(self.has_room)
            if self.broken or (self.other.ended and self.ended):
                raise TransportError("cut, or the other end has closed")

    def has_room(self) -> bool:
        return sum(map(len, self.other.incoming)) < 200_000 or self.broken or self.ended

    async def close(self) -> None:
        for end in (self, self.other):
            async with end.changed:
                end.ended = True
                end.changed.notify_all()

    async def break_off(self) -> None:
        for end in (self, self.other):
            async with end.changed:
                end.broken = True
                end.changed.notify_all()


class Disordered(Faultless):
    """Datagrams may overtake each other."""

    async def send(self, data: bytes) -> None:
        if data and self.other.incoming:
            self.other.incoming.appendleft(data)
            data = b""
        await super().send(data)


class Unbounded(Faultless):
    """A queue takes it all."""

    def has_room(self) -> bool:
        return True


class Forgetful(Faultless):
    """What was taken off the queue is gone when its reader is cancelled then."""

    async def receive(self) -> bytes:
        data = await super().receive()
        await asyncio.sleep(0)
        return data


class Foreign(Faultless):
    """The errors of whatever is below come through."""

    async def receive(self) -> bytes:
        try:
            return await super().receive()
        except TransportError:
            raise ConnectionResetError from None


class Secretive(Faultless):
    """A cut looks like an end."""

    async def receive(self) -> bytes:
        try:
            return await super().receive()
        except TransportError:
            return b""


class Polite(Faultless):
    """Closing waits until all has been read."""

    async def close(self) -> None:
        async with self.changed:
            await self.changed.wait_for(
                lambda: not self.other.incoming or self.ended or self.broken
            )
        await super().close()


class Literal(Faultless):
    """Nothing is sent as a piece of its own, which then reads as an end."""

    async def send(self, data: bytes) -> None:
        if not data:
            self.other.incoming.append(data)
        await super().send(data)


CHECKS = [name for name, _ in inspect.getmembers(StreamConformance) if name.startswith("test_")]
CUTS = {"test_a_cut_fails_a_receive_that_waits", "test_a_cut_is_no_end"}


def failures(stream: type[Faultless]) -> dict[str, str]:
    """Which checks fail, and what each says."""

    class OfThisStream(StreamConformance):
        patience = 3

        @asynccontextmanager
        async def pair(self) -> AsyncIterator[tuple[Stream, Stream]]:
            one, other = stream(), stream()
            one.other, other.other = other, one
            yield one, other

        async def cut(self, one: Stream, other: Stream) -> None:
            assert isinstance(one, Faultless)
            await one.break_off()

    failed = {}
    for name in CHECKS:
        try:
            getattr(OfThisStream(), name)()
        except (AssertionError, TransportError, ProtocolError) as error:
            failed[name] = str(error)
    return failed


def test_streams_written_to_be_broken_have_no_fault_before() -> None:
    assert failures(Faultless) == {}


@pytest.mark.parametrize(
    ("stream", "meant"),
    [
        (
            Disordered,
            {
                "test_bytes_arrive_whole_and_in_order": "not in order",
                "test_one_byte_at_a_time_arrives": "not in order",
                "test_the_other_direction_works_too": "not in order",
            },
        ),
        (
            Unbounded,
            {
                "test_a_cut_fails_a_send_that_waits": "nobody reads",
                "test_closing_does_not_wait_for_the_other_end": "nobody reads",
                "test_receive_works_while_send_waits": "nobody reads",
                "test_send_waits_while_nobody_reads": "nobody reads",
                "test_what_arrives_of_a_cancelled_send_is_its_beginning": "did not wait",
            },
        ),
        (
            Forgetful,
            {"test_a_receive_that_is_cancelled_as_bytes_come_loses_nothing": "it hangs"},
        ),
        (
            Foreign,
            {
                "test_a_cut_fails_a_receive_that_waits": "ConnectionResetError",
                "test_a_cut_is_no_end": "ConnectionResetError",
            },
        ),
        (
            Secretive,
            {
                "test_a_cut_fails_a_receive_that_waits": "gave b''",
                "test_a_cut_is_no_end": "gave b''",
            },
        ),
        (Polite, {"test_closing_does_not_wait_for_the_other_end": "it hangs"}),
        (Literal, {"test_nothing_sent_is_nothing_received": "the end"}),
    ],
)
def test_a_transport_with_a_fault_fails_by_the_checks_that_are_meant_for_it(
    stream: type[Faultless], meant: dict[str, str]
) -> None:
    failed = failures(stream)
    assert failed.keys() == meant.keys()
    assert all(meant[name] in said for name, said in failed.items())
