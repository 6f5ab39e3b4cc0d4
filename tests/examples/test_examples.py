"""Every example does what it says, and talks to nobody but whom it was told of."""

from __future__ import annotations

import ast
import re
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
import uvicorn

from tests.examples.conftest import EXAMPLES, Person, command, run

People = tuple[Person, Person, Person]
Start = Callable[..., str]

SERVICES = [
    *("asyncio_service", "threads_service", "trio_service"),
    *("unix_service", "websocket_service"),
]
TESTED = {
    *SERVICES,
    *("file_drop", "file_take", "new_identity", "subprocess_pipes"),
    *("trio_client", "web_client", "web_relay"),
}
SCREEN = 50
"""Lines."""


def test_every_example_is_tested_here_and_fits_on_a_screen() -> None:
    programs = {path.stem: path.read_text() for path in EXAMPLES.glob("*.py")}
    assert programs.keys() == TESTED
    for name, text in programs.items():
        assert len(text.splitlines()) <= SCREEN, name
        usage = ast.get_docstring(ast.parse(text)) or ""
        assert re.search(rf"(?m)^(python {name}\.py|uvicorn .*{name}:app)", usage), name


@pytest.mark.parametrize("example", sorted(TESTED - {"web_relay"}))
def test_an_example_that_is_called_wrongly_says_how_it_is_called(example: str) -> None:
    ended = run(example)
    assert ended.returncode == 1
    assert f"python {example}.py" in ended.stderr


def test_an_identity_is_not_replaced(people: People) -> None:
    one, _, _ = people
    before = one.file.read_bytes()
    ended = run("new_identity", one.file)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr
    assert one.file.read_bytes() == before


# Services.


@pytest.fixture
def serving(start: Start, people: People, tmp_path: Path) -> Callable[[str], str]:
    def begin(example: str) -> str:
        service, client, _ = people
        known: object = client.id
        if example == "asyncio_service":
            known = tmp_path / "clients"
            known.write_text(client.id + "\n")
        where = [tmp_path / "socket"] if example == "unix_service" else []
        verb = [] if example == "trio_service" else ["serve"]
        return start(example, *verb, service.file, known, *where)

    return begin


def call(example: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    if example == "trio_service":
        return run("trio_client", *arguments)
    return run(example, "call", *arguments)


@pytest.mark.parametrize("example", SERVICES)
def test_a_service_answers_its_client_and_no_stranger(
    example: str, people: People, serving: Callable[[str], str]
) -> None:
    service, client, stranger = people
    where = serving(example)
    refused = call(example, stranger.file, service.id, where, "hello")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr
    answered = call(example, client.file, service.id, where, "hello")
    assert (answered.returncode, answered.stdout, answered.stderr) == (0, "HELLO\n", "")


@pytest.mark.parametrize("example", SERVICES)
def test_a_client_says_nothing_to_another_service(
    example: str, people: People, serving: Callable[[str], str]
) -> None:
    _, client, stranger = people
    refused = call(example, client.file, stranger.id, serving(example), "hello")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "not the one asked for" in refused.stderr


@pytest.mark.parametrize("example", SERVICES)
def test_a_client_of_no_service_is_told_so_in_a_line(example: str, people: People) -> None:
    service, client, _ = people
    where = "/nonexistent" if example == "unix_service" else "1"
    ended = call(example, client.file, service.id, where, "hello")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)


def test_clients_and_services_of_different_kinds_talk(
    people: People, serving: Callable[[str], str]
) -> None:
    service, client, stranger = people
    port = serving("asyncio_service")
    answered = run("trio_client", client.file, service.id, port, "hello")
    assert (answered.returncode, answered.stdout, answered.stderr) == (0, "HELLO\n", "")
    refused = run("trio_client", stranger.file, service.id, port, "hello")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr


# A program and its child.


def test_a_program_talks_with_the_one_that_it_started(people: People) -> None:
    parent, child, _ = people
    ended = run("subprocess_pipes", "ask", parent.file, child.id, child.file, "hello")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "HELLO\n", "")


def test_another_child_than_it_expects_is_asked_nothing(people: People) -> None:
    parent, child, stranger = people
    ended = run("subprocess_pipes", "ask", parent.file, child.id, stranger.file, "hello")
    assert (ended.returncode, ended.stdout) == (1, "")


# A file.


def test_a_file_is_dropped_whole(people: People, start: Start, tmp_path: Path) -> None:
    taker, sender, _ = people
    (tmp_path / "in").mkdir()
    (tmp_path / "report").write_bytes(bytes(range(256)) * 1000)
    port = start("file_take", taker.file, sender.id, tmp_path / "in")
    ended = run("file_drop", sender.file, taker.id, port, tmp_path / "report")
    assert (ended.stdout, ended.stderr) == ("kept\n", "")
    (kept,) = (tmp_path / "in").iterdir()
    assert kept.suffix == ".file"
    assert kept.read_bytes() == bytes(range(256)) * 1000


def test_a_file_of_a_stranger_or_one_that_is_cut_is_not_kept(
    people: People, start: Start, tmp_path: Path
) -> None:
    taker, sender, stranger = people
    (tmp_path / "in").mkdir()
    port = start("file_take", taker.file, sender.id, tmp_path / "in")
    refused = run("file_drop", stranger.file, taker.id, port, EXAMPLES / "file_drop.py")
    assert refused.returncode == 1
    assert not list((tmp_path / "in").iterdir())

    endless = subprocess.Popen(command("file_drop", sender.file, taker.id, port, "/dev/zero"))
    while not any(path.stat().st_size for path in (tmp_path / "in").glob("*.part")):
        assert endless.poll() is None
        time.sleep(0.05)
    endless.kill()
    endless.wait()
    while list((tmp_path / "in").iterdir()):
        time.sleep(0.05)
    again = run("file_drop", sender.file, taker.id, port, EXAMPLES / "file_drop.py")
    assert again.stdout == "kept\n"
    (kept,) = (tmp_path / "in").iterdir()
    assert kept.read_text() == (EXAMPLES / "file_drop.py").read_text()


# Through a web server.


@contextmanager
def relay() -> Iterator[tuple[str, bytearray]]:
    """The web server in a thread: where it is, and every byte that it gets to see."""
    app = run_path(str(EXAMPLES / "web_relay.py"))["app"]
    seen = bytearray()

    async def watched(
        scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Any
    ) -> None:
        async def watch() -> Any:
            message = await receive()
            seen.extend(message.get("bytes") or b"")
            return message

        await app(scope, watch, send)

    server = uvicorn.Server(uvicorn.Config(watched, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.05)
        yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", seen
    finally:
        server.should_exit = True
        thread.join()


def test_a_web_server_between_two_clients_sees_ciphertext_only(people: People) -> None:
    one, other, _ = people
    with relay() as (address, seen):
        waiting = subprocess.Popen(
            command("web_client", "wait", one.file, other.id, f"{address}/room")
        )
        text = "a secret that is long enough to be found"
        ended = run("web_client", "ask", other.file, one.id, f"{address}/room", text)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, text.upper() + "\n", "")
        assert waiting.wait(timeout=30) == 0
    assert len(seen) > len(text) * 2
    assert text.encode() not in seen
    assert text.upper().encode() not in seen


def test_a_stranger_in_the_room_is_told_nothing(people: People) -> None:
    one, other, stranger = people
    with relay() as (address, seen):
        waiting = subprocess.Popen(
            command("web_client", "wait", one.file, other.id, f"{address}/room"),
            stderr=subprocess.DEVNULL,
        )
        ended = run("web_client", "ask", stranger.file, one.id, f"{address}/room", "hello")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert waiting.wait(timeout=30) == 1
    assert seen
    assert b"hello" not in seen.lower()
