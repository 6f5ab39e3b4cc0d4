"""Unix sockets beyond what every stream does: paths, files that are left, who may connect."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from e2ee import Identity, Session
from e2ee.errors import AddressInUse, ConnectFailed, E2EEError, NotE2EE, TransportError, UsageError
from e2ee.transport import Channel, unix
from e2ee.transport.half_open import MAX_HANDSHAKES_OF_HOST
from e2ee.transport.unix import Listener, connect, connect_stream, listen

CLIENT, SERVER = Identity.generate(), Identity.generate()


@asynccontextmanager
async def echo(
    path: Path, failures: list[tuple[str, E2EEError]] | None = None
) -> AsyncIterator[Listener]:
    async def serve(channel: Channel) -> None:
        async for message in channel:
            await channel.send(message)

    async with await listen(
        lambda: Session.responder(SERVER),
        serve,
        path=path,
        on_failure=lambda where, error: (
            None if failures is None else failures.append((where, error))
        ),
    ) as listener:
        yield listener


async def check_echo(path: Path) -> None:
    async with await connect(path, Session.initiator(CLIENT)) as channel:
        assert channel.peer.id == SERVER.id
        await channel.send(b"hello")
        assert await channel.receive() == b"hello"


async def test_two_programs_talk_and_the_file_goes_with_the_listener(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with echo(path) as listener:
        assert listener.path == str(path)
        await check_echo(path)
        await check_echo(path)
    assert not path.exists()
    with pytest.raises(ConnectFailed, match="nobody listens"):
        await connect(path, Session.initiator(CLIENT))


async def test_the_file_goes_wherever_the_program_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with echo(Path("socket")):
        await check_echo(Path("socket"))
        monkeypatch.chdir("/")
    assert os.listdir(tmp_path) == []


async def test_only_the_owner_can_connect_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with echo(tmp_path / "socket"):
            assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o600
    finally:
        os.umask(before)


async def test_a_socket_that_was_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()
    async with echo(path):
        await check_echo(path)


async def test_a_socket_where_somebody_listens_is_in_use_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with echo(path):
        with pytest.raises(AddressInUse):
            await listen(lambda: Session.responder(SERVER), Channel.close, path=path)
        await check_echo(path)


async def test_a_socket_with_too_many_callers_is_waited_for_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as caller:
        busy.bind(path)
        busy.listen(0)
        caller.connect(path)
        with pytest.raises(AddressInUse):
            await listen(lambda: Session.responder(SERVER), Channel.close, path=path)

        waiting = asyncio.create_task(connect_stream(path))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        busy.accept()[0].close()
        stream = await waiting
        monkeypatch.setattr(unix, "CONNECT_TIMEOUT", 0.01)
        with pytest.raises(ConnectFailed, match="too many"):
            await connect_stream(path)
        await stream.close()


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name in ("file", "link"):
        with pytest.raises(AddressInUse, match="no socket"):
            await listen(lambda: Session.responder(SERVER), Channel.close, path=tmp_path / name)
    assert (tmp_path / "file").read_text() == "precious"
    assert (tmp_path / "link").is_symlink()


async def test_the_socket_of_a_program_that_took_the_path_over_is_left_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "socket"
    async with echo(path) as old:
        path.unlink()
        async with echo(path):
            await old.close()
            await check_echo(path)


@pytest.mark.parametrize(
    "path", ["", "x" * 108, "a\0b", "\0a", "\udcff\ud800", "no/such/folder", "."]
)
async def test_a_path_that_no_socket_can_have_is_an_error_of_ours(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConnectFailed):
        await connect(path, Session.initiator(CLIENT))
    with pytest.raises(TransportError):
        await listen(lambda: Session.responder(SERVER), Channel.close, path=path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", [None, 5, b"socket", ["socket"]])
async def test_what_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(UsageError):
        await connect_stream(path)
    with pytest.raises(UsageError):
        await listen(lambda: Session.responder(SERVER), Channel.close, path=path)


async def test_a_program_that_speaks_something_else_is_told_of_by_the_path(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    failures: list[tuple[str, E2EEError]] = []
    async with echo(path, failures):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.read()
        writer.close()
        await check_echo(path)
    ((where, error),) = failures
    assert where == str(path)
    assert isinstance(error, NotE2EE)


async def test_who_only_connects_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with echo(path):
        silent = [await asyncio.open_unix_connection(path) for _ in range(MAX_HANDSHAKES_OF_HOST)]
        await check_echo(path)
        dropped, _ = silent[0]
        assert await dropped.read() == b""
        for _, writer in silent:
            writer.close()
