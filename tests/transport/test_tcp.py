"""TCP on the loopback: names and addresses, foreign programs, cuts, floods, back-pressure."""

import asyncio
import contextlib
import itertools
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from e2ee import Identity, MessageReceived, Session, State
from e2ee.errors import (
    AddressInUse,
    ConnectFailed,
    E2EEError,
    NameUnknown,
    NotE2EE,
    SessionClosed,
    TimedOut,
    TransportError,
    Truncated,
    UsageError,
)
from e2ee.transport import Channel, Timeouts
from e2ee.transport.half_open import MAX_HANDSHAKES, MAX_HANDSHAKES_OF_HOST
from e2ee.transport.socket_stream import SocketStream
from e2ee.transport.tcp import Listener, connect, connect_stream, listen

CLIENT, SERVER = Identity.generate(), Identity.generate()
USUAL = Timeouts()
KIB, MIB = 2**10, 2**20
HERE = "127.0.0.1"

HTTP_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HTTP_ANSWER = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(194)
TLS_ALERT = bytes.fromhex("15030100020228")
SSH_BANNER = b"SSH-2.0-OpenSSH_9.6\r\n"


def can_listen_on(host: str) -> bool:
    try:
        socket.create_server((host, 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


NEEDS_IPV6 = pytest.mark.skipif(not can_listen_on("::1"), reason="this machine has no IPv6")


class Echo:
    """A listener that sends every message back, and keeps what went wrong."""

    def __init__(self) -> None:
        self.listener: Listener
        self.failures: list[tuple[str, E2EEError]] = []
        self.ended: list[E2EEError | None] = []

    async def serve(self, channel: Channel) -> None:
        try:
            async for message in channel:
                await channel.send(message)
        except E2EEError as error:
            self.ended.append(error)
        else:
            self.ended.append(None)


@asynccontextmanager
async def echo(
    host: str | None = HERE, port: int = 0, timeouts: Timeouts = USUAL
) -> AsyncIterator[Echo]:
    server = Echo()
    server.listener = await listen(
        lambda: Session.responder(SERVER),
        server.serve,
        host=host,
        port=port,
        on_failure=lambda address, error: server.failures.append((address, error)),
        timeouts=timeouts,
    )
    try:
        yield server
    finally:
        await server.listener.close()


async def check_echo(host: str, port: int) -> None:
    async with await connect(host, port, Session.initiator(CLIENT)) as channel:
        assert channel.peer.id == SERVER.id
        await channel.send(b"hello")
        assert await channel.receive() == b"hello"


@asynccontextmanager
async def raw_server(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object],
) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            result = handle(reader, writer)
            if asyncio.iscoroutine(result):
                await result
        writer.close()

    server = await asyncio.start_server(serve, HERE)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def raw_client(port: int, source: str = HERE) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    client.bind((source, 0))
    await asyncio.get_running_loop().sock_connect(client, (HERE, port))
    return client


def reset(endpoint: socket.socket) -> None:
    """Close with a reset in place of an orderly end."""
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def socket_of(channel: Channel) -> socket.socket:
    inner = channel._driver._transport.get_extra_info("socket")._sock
    assert isinstance(inner, socket.socket)
    return inner


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("did not come to pass in 5 seconds")


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# Addresses.


@pytest.mark.parametrize("host", [HERE, pytest.param("::1", marks=NEEDS_IPV6), "localhost"])
async def test_a_channel_over_each_kind_of_address(host: str) -> None:
    async with echo(host) as server:
        await check_echo(host, server.listener.port)
        assert server.ended == [None]
    assert server.failures == []


@pytest.mark.parametrize("host", [HERE, pytest.param("::1", marks=NEEDS_IPV6), "localhost"])
async def test_a_listener_without_a_host_takes_every_address(host: str) -> None:
    async with echo(None) as server:
        await check_echo(host, server.listener.port)


async def test_every_address_of_a_name_gets_the_same_port() -> None:
    async with echo("localhost") as server:
        for host in {str(found[4][0]) for found in socket.getaddrinfo("localhost", None)}:
            await check_echo(host, server.listener.port)


@pytest.mark.parametrize("host", [HERE, None])
async def test_a_port_that_another_program_has_is_told(host: str | None) -> None:
    async with echo(host) as server:
        port = server.listener.port
        with pytest.raises(AddressInUse, match=f"{port} is in use by another program"):
            async with echo(host, port):
                pass
        await check_echo(HERE, port)


@NEEDS_IPV6
async def test_a_port_that_another_program_has_on_ipv6_only_is_told() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressInUse):
            async with echo(None, port):
                pass


async def test_an_address_that_is_not_ours_cannot_be_listened_on() -> None:
    with pytest.raises(TransportError, match="cannot listen on 192"):
        async with echo("192.0.2.1"):
            pass


async def test_a_port_number_that_is_none_cannot_be_listened_on() -> None:
    with pytest.raises(UsageError, match="from 0 to 65535"):
        async with echo(HERE, 70_000):
            pass


@pytest.mark.parametrize("host", [HERE, "localhost"])
async def test_connecting_where_nobody_listens_says_so(host: str) -> None:
    with socket.create_server((HERE, 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectFailed, match=f"{host}:{port}: nobody listens there"):
        await connect(host, port, Session.initiator(CLIENT))


@pytest.mark.parametrize("port", [0, -1, 65_536])
async def test_a_port_number_that_is_none_cannot_be_connected_to(port: int) -> None:
    with pytest.raises(ConnectFailed, match="a port is from 1 to 65535"):
        await connect(HERE, port, Session.initiator(CLIENT))


@pytest.mark.parametrize(
    ("host", "port"), [(None, 9), (5, 9), (b"127.0.0.1", 9), (HERE, "9"), (HERE, 9.5), (HERE, None)]
)
async def test_what_is_no_name_or_no_number_is_refused(host: Any, port: Any) -> None:
    with pytest.raises(UsageError):
        await connect_stream(host, port)
    if host is not None:
        with pytest.raises(UsageError):
            await listen(lambda: Session.responder(SERVER), Channel.close, host=host, port=port)


async def test_a_name_is_not_cut_at_a_nul() -> None:
    async with echo(HERE) as server:
        with pytest.raises(NameUnknown):
            await connect_stream(f"{HERE}\0.example", server.listener.port)
    with pytest.raises(TransportError, match="cannot be resolved"):
        await listen(lambda: Session.responder(SERVER), Channel.close, host=f"{HERE}\0.example")


async def test_a_socket_that_is_closed_under_a_channel_ends_it() -> None:
    async with echo(HERE) as server:
        connection = socket.create_connection((HERE, server.listener.port))
        connection.setblocking(False)
        _, stream = await asyncio.get_running_loop().create_connection(
            SocketStream, sock=connection
        )
        channel = await Channel.open(stream, Session.initiator(CLIENT))
        connection.close()
        await channel.send(b"x")
        for call in (channel.receive, channel.close):
            with pytest.raises(TransportError, match="the connection broke"):
                await call()
        await channel.abort()


@pytest.mark.parametrize("name", ["nonexistent.invalid", "a" * 300, "..", "\udcff", "a b"])
async def test_a_name_that_does_not_resolve_fails_in_bounded_time(name: str) -> None:
    began = time.monotonic()
    with pytest.raises(NameUnknown, match="cannot be resolved"):
        await connect(name, 9, Session.initiator(CLIENT))
    assert time.monotonic() - began < 12


# Programs that speak something else.


@pytest.mark.parametrize(
    ("first_bytes", "name"),
    [(HTTP_ANSWER, "HTTP"), (TLS_ALERT, "TLS"), (SSH_BANNER, "SSH"), (b"\0" * 9, "something")],
)
async def test_a_server_that_speaks_something_else_is_named(first_bytes: bytes, name: str) -> None:
    async with raw_server(lambda _, writer: writer.write(first_bytes)) as port:
        with pytest.raises(NotE2EE, match=name):
            await connect(HERE, port, Session.initiator(CLIENT))


@pytest.mark.parametrize(
    ("first_bytes", "name"),
    [(HTTP_REQUEST, "HTTP"), (TLS_HELLO, "TLS"), (SSH_BANNER, "SSH"), (b"\xff" * 99, "something")],
)
async def test_a_client_that_speaks_something_else_is_named_and_others_are_served(
    first_bytes: bytes, name: str
) -> None:
    async with echo() as server:
        client = await raw_client(server.listener.port)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, first_bytes)
        async with asyncio.timeout(3):
            assert await loop.sock_recv(client, 100) == b""
        [(address, error)] = server.failures
        assert address == "{}:{}".format(*client.getsockname())
        assert isinstance(error, NotE2EE)
        assert name in str(error)
        client.close()
        await check_echo(HERE, server.listener.port)


async def test_two_that_both_open_are_given_up_at_the_deadline() -> None:
    async def open_too(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(Session.initiator(SERVER).data_to_send())
        await reader.read()

    async with raw_server(open_too) as port:
        with pytest.raises(TimedOut):
            await connect(HERE, port, Session.initiator(CLIENT), timeouts=Timeouts(handshake=0.2))


# Cuts.


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("after", [0, 1, 700, 1224])
async def test_a_server_that_goes_in_the_middle_of_the_handshake(how: str, after: int) -> None:
    async def go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(after)
        if how == "reset":
            reset(writer.get_extra_info("socket"))

    async with raw_server(go) as port:
        async with asyncio.timeout(3):
            with pytest.raises((Truncated, TransportError)):
                await connect(HERE, port, Session.initiator(CLIENT))


@pytest.mark.parametrize("how", ["end", "half-close", "reset"])
@pytest.mark.parametrize("after", [0, 1, 700, 1224])
async def test_a_client_that_goes_in_the_middle_of_the_handshake(how: str, after: int) -> None:
    async with echo() as server:
        client = await raw_client(server.listener.port)
        hello = Session.initiator(CLIENT).data_to_send()
        await asyncio.get_running_loop().sock_sendall(client, hello[:after])
        await asyncio.sleep(0.02)
        if how == "reset":
            reset(client)
        if how == "half-close":
            client.shutdown(socket.SHUT_WR)
        else:
            client.close()
        await eventually(lambda: bool(server.failures))
        client.close()
        assert isinstance(server.failures[0][1], Truncated | TransportError)
        await check_echo(HERE, server.listener.port)


async def test_a_client_that_resets_before_it_was_accepted_harms_nobody() -> None:
    async with echo() as server:
        for _ in range(5):
            with socket.create_connection((HERE, server.listener.port)) as client:
                # The loop does not run in between: it accepts what is gone already.
                reset(client)
        await check_echo(HERE, server.listener.port)
        assert not server.listener._handshakes


@pytest.mark.parametrize("how", ["end", "half-close", "reset"])
async def test_a_session_that_is_cut_ends_with_an_error_at_both_ends(how: str) -> None:
    async with echo() as server:
        channel = await connect(HERE, server.listener.port, Session.initiator(CLIENT))
        await channel.send(b"hello")
        assert await channel.receive() == b"hello"
        endpoint = socket_of(channel)
        if how == "reset":
            reset(endpoint)
        if how == "half-close":
            endpoint.shutdown(socket.SHUT_WR)
        else:
            await channel.abort()
        await eventually(lambda: bool(server.ended))
        assert isinstance(server.ended[0], Truncated | TransportError)
        async with asyncio.timeout(3):
            with pytest.raises(E2EEError):
                await channel.receive()
        await channel.abort()
        await check_echo(HERE, server.listener.port)


async def test_a_peer_that_breaks_off_is_told_to_the_listener_where_its_server_does_not_care() -> (
    None
):
    failed: asyncio.Future[tuple[str, E2EEError]] = asyncio.get_running_loop().create_future()

    async def serve(channel: Channel) -> None:
        async for message in channel:
            await channel.send(message)

    async with await listen(
        lambda: Session.responder(SERVER),
        serve,
        host=HERE,
        on_failure=lambda *failure: failed.set_result(failure),
    ) as listener:
        channel = await connect(HERE, listener.port, Session.initiator(CLIENT))
        await channel.send(b"the last that comes")
        assert await channel.receive() == b"the last that comes"
        await channel.abort()
        address, error = await asyncio.wait_for(failed, 5)
    assert address.startswith("127.0.0.1:")
    assert isinstance(error, Truncated | TransportError)


async def test_a_peer_that_closes_before_it_is_answered_is_told_to_the_listener() -> None:
    failed: asyncio.Future[tuple[str, E2EEError]] = asyncio.get_running_loop().create_future()
    closed = asyncio.Event()

    async def answer_late(channel: Channel) -> None:
        async for message in channel:
            await closed.wait()
            await channel.send(message)

    async with await listen(
        lambda: Session.responder(SERVER),
        answer_late,
        host=HERE,
        on_failure=lambda *failure: failed.set_result(failure),
    ) as listener:
        channel = await connect(HERE, listener.port, Session.initiator(CLIENT))
        await channel.send(b"who wants no answer")
        await channel.close()
        closed.set()
        _, error = await asyncio.wait_for(failed, 5)
    assert isinstance(error, SessionClosed)


@asynccontextmanager
async def bare_peer() -> AsyncIterator[tuple[SocketStream, socket.socket]]:
    """A stream, and the socket at the other end of it."""
    loop = asyncio.get_running_loop()
    with socket.create_server((HERE, 0)) as server:
        server.setblocking(False)
        stream, (peer, _) = await asyncio.gather(
            connect_stream(HERE, server.getsockname()[1]), loop.sock_accept(server)
        )
    assert isinstance(stream, SocketStream)
    with peer:
        yield stream, peer


async def test_what_had_come_before_a_reset_is_received_though_nothing_can_be_sent() -> None:
    loop, session = asyncio.get_running_loop(), Session.responder(SERVER)

    async def shake_hands(peer: socket.socket) -> None:
        while session.state is State.HANDSHAKE:
            await loop.sock_sendall(peer, session.data_to_send())
            session.receive_data(await loop.sock_recv(peer, 64 * KIB))

    async with bare_peer() as (stream, peer):
        opening = asyncio.create_task(Channel.open(stream, Session.initiator(CLIENT)))
        await shake_hands(peer)
        channel = await opening
        try:
            for _ in range(3):
                session.send(bytes(10 * KIB))
            session.ping()
            peer.send(session.data_to_send())
            reset(peer)
            peer.close()
            await channel.send(b"which fails, before the channel reads")
            for _ in range(3):
                assert await channel.receive() == bytes(10 * KIB)
            with pytest.raises(TransportError, match="broke"):
                await channel.receive()
        finally:
            await channel.abort()


async def test_a_stream_that_a_channel_has_is_of_no_other_use() -> None:
    async with echo(HERE) as server:
        stream = await connect_stream(HERE, server.listener.port)
        channel = await Channel.open(stream, Session.initiator(CLIENT))
        for call in (
            stream.receive(),
            stream.send(b"between two records"),
            Channel.open(stream, Session.initiator(CLIENT)),
        ):
            with pytest.raises(UsageError, match="has taken this stream over"):
                await call
        await channel.send(b"hello")
        assert await channel.receive() == b"hello"
        await stream.close()
        with pytest.raises(TransportError):
            await channel.receive()
        await channel.abort()


async def test_two_do_not_wait_for_one_stream() -> None:
    async with bare_peer() as (stream, _):
        first = asyncio.create_task(stream.receive())
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="already"):
            await stream.receive()
        await stream.close()
        assert await first == b""


async def test_a_stream_gives_what_had_come_before_a_reset() -> None:
    async with bare_peer() as (stream, peer):
        peer.send(b"the last words")
        reset(peer)
        peer.close()
        with pytest.raises(TransportError, match="broke"):
            await stream.send(b"which fails")
        assert await stream.receive() == b"the last words"
        with pytest.raises(TransportError, match="broke"):
            await stream.receive()
        await stream.close()


async def test_a_peer_that_was_reset_while_we_send_is_told_in_bounded_time() -> None:
    async with echo() as server:
        channel = await connect(HERE, server.listener.port, Session.initiator(CLIENT))

        async def send_without_end() -> None:
            while True:
                await channel.send(bytes(64 * KIB))

        sending = asyncio.create_task(send_without_end())
        await asyncio.sleep(0.1)
        await server.listener.close()
        async with asyncio.timeout(3):
            with pytest.raises((TransportError, Truncated)):
                await sending
        await channel.abort()


async def test_a_server_that_says_nothing_is_given_up_at_the_deadline() -> None:
    async with raw_server(lambda reader, _: reader.read()) as port:
        began = time.monotonic()
        with pytest.raises(TimedOut):
            await connect(HERE, port, Session.initiator(CLIENT), timeouts=Timeouts(handshake=0.2))
        assert time.monotonic() - began < 5


async def test_a_client_that_drips_bytes_is_dropped_at_the_deadline() -> None:
    async with echo(timeouts=Timeouts(handshake=0.3)) as server:
        client = await raw_client(server.listener.port)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in Session.initiator(CLIENT).data_to_send():
                if server.failures:
                    break
                await asyncio.get_running_loop().sock_sendall(client, bytes([byte]))
                await asyncio.sleep(0.01)
        assert 0.3 <= time.monotonic() - began < 5
        assert isinstance(server.failures[0][1], TimedOut)
        client.close()


# Floods.


def was_dropped(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


@pytest.mark.attack(57)
async def test_an_honest_client_connects_while_hundreds_are_half_open(
    figure: Callable[[str], None],
) -> None:
    async with echo() as server:
        early = await connect(HERE, server.listener.port, Session.initiator(CLIENT))
        idle = [
            await raw_client(server.listener.port, f"127.0.1.{1 + number % 20}")
            for number in range(MAX_HANDSHAKES + 150)
        ]
        began = time.monotonic()
        await check_echo(HERE, server.listener.port)
        took = time.monotonic() - began
        assert took < 10
        await early.send(b"undisturbed")
        assert await early.receive() == b"undisturbed"
        await early.close()
        for client in idle:
            client.close()
    figure(f"an honest client connects in {took * 1000:.0f} ms beside {len(idle)} half-open")


@pytest.mark.attack(57)
async def test_no_more_of_one_host_than_its_limit_are_half_open_and_the_oldest_go_first(
    figure: Callable[[str], None],
) -> None:
    async with echo() as server:
        idle: list[socket.socket] = []
        for _ in range(MAX_HANDSHAKES_OF_HOST + 20):
            idle.append(await raw_client(server.listener.port))
            await asyncio.sleep(0.002)
        await eventually(lambda: was_dropped(idle[19]))
        dropped = [was_dropped(client) for client in idle]
        assert dropped == [True] * 20 + [False] * MAX_HANDSHAKES_OF_HOST
        for client in idle:
            client.close()
    figure(f"of {len(idle)} of one host the last {MAX_HANDSHAKES_OF_HOST} stay")


@pytest.mark.attack(57)
async def test_the_limit_of_half_open_connections_holds_when_they_come_all_at_once(
    figure: Callable[[str], None],
) -> None:
    most = 0
    async with echo() as server:
        idle: list[socket.socket] = []
        # The loop does not run in between; the system's queue of new connections holds 100.
        for host in range(1, 13):
            idle += [
                socket.create_connection((HERE, server.listener.port), 5, (f"127.0.1.{host}", 0))
                for _ in range(90)
            ]
            await asyncio.sleep(0.01)
            most = max(most, len(server.listener._handshakes))
        for client in idle:
            client.close()
    assert 200 < most <= MAX_HANDSHAKES
    figure(f"of {len(idle)} from 12 hosts at most {most} are half-open at a time")


@pytest.mark.attack(58)
async def test_a_slow_handshake_is_not_ended_by_a_flood_from_other_hosts(
    figure: Callable[[str], None],
) -> None:
    async with echo() as server:
        honest, session = await raw_client(server.listener.port), Session.initiator(CLIENT)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(honest, session.data_to_send())
        flood = [
            await raw_client(server.listener.port, f"127.0.1.{1 + number % 60}")
            for number in range(3 * MAX_HANDSHAKES)
        ]
        while session.state is State.HANDSHAKE:
            data = await loop.sock_recv(honest, 4_096)
            assert data, "it was dropped"
            session.receive_data(data)
        await loop.sock_sendall(honest, session.data_to_send())
        session.send(b"still here")
        await loop.sock_sendall(honest, session.data_to_send())
        assert session.receive_data(await loop.sock_recv(honest, 4_096))
        for client in (honest, *flood):
            client.close()
    figure(f"a handshake outlasts {len(flood)} connections from 60 other hosts")


# Back-pressure.


async def test_a_sender_waits_for_a_reader_that_sleeps() -> None:
    messages, size = 1_000, 64 * KIB
    received = 0
    wake_up = asyncio.Event()

    async def sleep_then_count(channel: Channel) -> None:
        nonlocal received
        await wake_up.wait()
        async for message in channel:
            assert len(message) == size
            received += 1

    listener = await listen(lambda: Session.responder(SERVER), sleep_then_count, host=HERE)
    channel = await connect(HERE, listener.port, Session.initiator(CLIENT))
    sent = 0

    async def send_all() -> None:
        nonlocal sent
        for _ in range(messages):
            await channel.send(bytes(size))
            sent += 1

    sending = asyncio.create_task(send_all())
    stopped_at = -1
    while sent > stopped_at:
        stopped_at = sent
        await asyncio.sleep(0.5)
    # The system's own buffers hold a few MiB besides ours.
    assert stopped_at < messages / 2
    assert channel._driver.sending_size < MIB
    wake_up.set()
    await sending
    await channel.close()
    assert received == messages
    await listener.close()


async def test_the_last_bytes_reach_a_peer_that_stalls_at_the_close() -> None:
    accepted: asyncio.Queue[Channel] = asyncio.Queue()

    async def keep(channel: Channel) -> None:
        accepted.put_nowait(channel)
        await asyncio.Event().wait()

    listener = await listen(lambda: Session.responder(SERVER), keep, host=HERE)
    stream, session = await connect_stream(HERE, listener.port), Session.initiator(CLIENT)
    await stream.send(session.data_to_send())
    while session.state is State.HANDSHAKE:
        session.receive_data(await stream.receive())
    await stream.send(session.data_to_send())

    channel = await accepted.get()
    sent = 0
    while channel._driver._transport.get_write_buffer_size() == 0:
        await channel.send(bytes(20_000))
        sent += 1
        await asyncio.sleep(0.001)

    session.close()
    await stream.send(session.data_to_send())
    await asyncio.sleep(1.5)
    received = 0
    while data := await stream.receive():
        received += sum(isinstance(event, MessageReceived) for event in session.receive_data(data))
    await stream.close()
    await listener.close()
    assert received == sent
    assert session.state is State.CLOSED


# Cancellation.


async def test_closing_a_listener_at_any_moment_leaves_nothing_behind() -> None:
    before = open_descriptors()
    for steps in range(60):
        async with echo() as server:
            connecting = asyncio.create_task(
                connect(HERE, server.listener.port, Session.initiator(CLIENT))
            )
            for _ in range(steps):
                await asyncio.sleep(0)
        async with asyncio.timeout(2):
            with contextlib.suppress(E2EEError):
                channel = await connecting
                await channel.receive()
        assert not server.listener._tasks
        await eventually(lambda: open_descriptors() == before)


async def test_cancelling_the_close_of_a_listener_anywhere_still_ends_its_channels() -> None:
    for steps in itertools.count():
        async with echo() as server:
            channels = [
                await connect(HERE, server.listener.port, Session.initiator(CLIENT))
                for _ in range(3)
            ]
            closing = asyncio.create_task(server.listener.close())
            for _ in range(steps):
                await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait({closing})
            if steps == 0:
                await server.listener.close()
            for channel in channels:
                async with asyncio.timeout(2):
                    with pytest.raises(E2EEError):
                        await channel.receive()
        if not closing.cancelled():
            break


async def test_a_connection_that_comes_as_the_listener_closes_is_dropped() -> None:
    for steps in range(8):
        with socket.socket() as client:
            async with echo() as server:
                client.connect((HERE, server.listener.port))
                client.setblocking(False)
                for _ in range(steps):
                    await asyncio.sleep(0)
            async with asyncio.timeout(1):
                with contextlib.suppress(ConnectionResetError):
                    assert await asyncio.get_running_loop().sock_recv(client, 1) == b""


@pytest.mark.parametrize("callers", [1, 2, 5])
async def test_a_listener_may_be_closed_by_those_that_it_serves(callers: int) -> None:
    """As where a peer may ask for the end of the program: each call returns, whoever else calls."""
    all_there = asyncio.Barrier(callers)

    async def end(channel: Channel) -> None:
        await channel.receive()
        await all_there.wait()
        await listener.close()

    listener = await listen(lambda: Session.responder(SERVER), end, host=HERE)
    channels = [
        await connect(HERE, listener.port, Session.initiator(CLIENT)) for _ in range(callers)
    ]
    async with asyncio.timeout(5):
        for channel in channels:
            await channel.send(b"stop")
        for channel in channels:
            with contextlib.suppress(E2EEError):  # The one that came first is closed in order.
                assert await channel.receive() is None
            await channel.abort()
        await listener.close()


async def test_stop_accepting_keeps_channels_and_drops_the_half_open() -> None:
    loop = asyncio.get_running_loop()
    async with echo() as server:
        port = server.listener.port
        channel = await connect(HERE, port, Session.initiator(CLIENT))
        half_open = await raw_client(port)
        await eventually(lambda: len(server.listener._handshakes) == 1)
        await asyncio.sleep(0.05)
        server.listener.stop_accepting()
        async with asyncio.timeout(2):
            assert await loop.sock_recv(half_open, 1) == b""
        half_open.close()
        with pytest.raises(ConnectFailed):
            await connect_stream(HERE, port)
        await channel.send(b"still here")
        assert await channel.receive() == b"still here"
        await channel.close()


async def test_a_listener_still_knows_its_port_after_it_was_closed() -> None:
    async with echo() as server:
        port = server.listener.port
    assert server.listener.port == port


async def test_a_listener_may_be_closed_twice() -> None:
    async with echo() as server:
        await server.listener.close()
        await server.listener.close()


async def test_a_listener_is_closed_at_the_end_of_its_context() -> None:
    server = Echo()
    async with await listen(lambda: Session.responder(SERVER), server.serve, host=HERE) as listener:
        channel = await connect(HERE, listener.port, Session.initiator(CLIENT))
        await channel.send(b"hello")
        assert await channel.receive() == b"hello"
    assert not listener._tasks
    with pytest.raises(ConnectFailed):
        await connect_stream(HERE, listener.port)
    await channel.abort()


# Streams that a channel takes over.


async def test_a_channel_gets_what_its_stream_had_received_before() -> None:
    session = Session.initiator(SERVER)

    async def speak_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(session.data_to_send())
        while session.state is State.HANDSHAKE:
            session.receive_data(await reader.read(4_096))
        session.send(b"all there")
        session.close()
        writer.write(session.data_to_send())
        await reader.read()

    async with raw_server(speak_first) as port:
        stream = await connect_stream(HERE, port)
        assert isinstance(stream, SocketStream)
        receiving = asyncio.create_task(stream.receive())
        await asyncio.sleep(0)
        receiving.cancel()
        await eventually(lambda: bool(stream._received))
        async with await Channel.open(stream, Session.responder(CLIENT)) as channel:
            assert [message async for message in channel] == [b"all there"]


async def test_a_stream_that_broke_before_carries_no_channel() -> None:
    async with raw_server(lambda _, writer: reset(writer.get_extra_info("socket"))) as port:
        stream = await connect_stream(HERE, port)
        with pytest.raises(TransportError, match="broke: Connection reset"):
            await stream.receive()
        with pytest.raises(TransportError, match="broke: Connection reset"):
            await Channel.open(stream, Session.initiator(CLIENT))


async def test_a_channel_is_told_that_its_stream_had_ended_before() -> None:
    async with bare_peer() as (stream, peer):
        peer.shutdown(socket.SHUT_WR)
        assert await stream.receive() == b""
        with pytest.raises(Truncated):
            await Channel.open(stream, Session.initiator(CLIENT))
