"""The real program, as processes; each test has homes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pexpect
import pytest
from jsonschema import Draft202012Validator

from e2ee_cli.events import schema
from tests.multicast import alone_on_the_network

PROGRAM = str(Path(sys.executable).with_name("e2ee"))

SCHEMA = schema()
VALIDATORS = {
    event: Draft202012Validator({"$ref": f"#/$defs/{event}", "$defs": SCHEMA["$defs"]})
    for event in SCHEMA["$defs"]
}


def check_json(text: str) -> None:
    """Each line is one object of an event that cli/events.py has, with its fields and no other."""
    for line in text.splitlines():
        event = json.loads(line)["event"]
        assert event in VALIDATORS, f"cli/events.py has no such event: {line}"
        wrong = [error.message for error in VALIDATORS[event].iter_errors(json.loads(line))]
        assert not wrong, f"cli/events.py says otherwise: {line}: {wrong}"


class Program:
    """Starts ``e2ee`` with pipes, in the home of one person, and cleans up after itself."""

    def __init__(self, folder: Path) -> None:
        self.path = PROGRAM
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def environment(self, person: str) -> dict[str, str]:
        return {**os.environ, "E2EE_HOME": str(self.folder / person)}

    def start(
        self, *arguments: str, person: str = "alice", **options: Any
    ) -> subprocess.Popen[bytes]:
        options = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": self.environment(person),
            **options,
        }
        process = subprocess.Popen([self.path, *arguments], **options)
        self.running.append(process)
        return process

    def run(
        self, *arguments: str, person: str = "alice", stdin: bytes = b"", timeout: float = 40
    ) -> tuple[int, str, str]:
        """Exit code, stdout, stderr; no traceback ever."""
        return self.finish(self.start(*arguments, person=person), stdin, timeout)

    def finish(
        self, process: subprocess.Popen[bytes], stdin: bytes | None = None, timeout: float = 40
    ) -> tuple[int, str, str]:
        out, err = process.communicate(stdin, timeout)
        assert b"Traceback" not in err, err.decode()
        assert b"never retrieved" not in err, err.decode()
        texts = (out or b"").decode(), err.decode()
        if "--json" in cast("list[str]", process.args):
            check_json("".join(texts))
        return process.returncode, *texts

    def listen(
        self, *arguments: str, person: str = "bob", **options: Any
    ) -> tuple[subprocess.Popen[bytes], str]:
        """A listener on loopback, and the address to connect to."""
        process = self.start(
            "listen",
            "--once",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            *arguments,
            person=person,
            **options,
        )
        assert process.stderr is not None
        for line in process.stderr:
            if b"listening" in line:
                check_json(line.decode())
                return process, f"127.0.0.1:{json.loads(line)['port']}"
            if b"e2ee connect" in line:
                return process, line.split()[-1].decode()
        raise AssertionError("listen has ended")

    def id_of(self, person: str) -> str:
        return str(json.loads(self.run("id", "--json", person=person)[1])["id"])


@pytest.fixture
def e2ee(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    yield program
    for process in program.running:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@pytest.fixture
def terminal(e2ee: Program) -> Iterator[Callable[..., Any]]:
    """``terminal("connect", "…", person="alice")`` runs it in a pseudo-terminal of its own."""
    opened: list[Any] = []

    def open_terminal(*arguments: str, person: str) -> Any:
        child = pexpect.spawn(
            e2ee.path,
            list(arguments),
            env={**e2ee.environment(person), "NO_COLOR": "1"},
            encoding="utf-8",
            timeout=30,
            dimensions=(60, 120),
        )
        opened.append(child)
        return child

    yield open_terminal
    for child in opened:
        child.close(force=True)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 where nobody listens, and nobody else can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.fixture(scope="session")
def multicast() -> bool:
    """Whether this machine can send to the group of mDNS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.sendto(b"", ("224.0.0.251", 5353))
        except OSError:
            return False
    return True


@pytest.fixture
def can_multicast(multicast: bool) -> Iterator[None]:
    if not multicast:
        pytest.skip("this machine cannot send to 224.0.0.251, the group of mDNS")
    with alone_on_the_network():
        yield


class Overheard:
    """Every mDNS packet on this machine's networks."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind(("", 5353))
        group = struct.pack("4s4s", socket.inet_aton("224.0.0.251"), bytes(4))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        self.socket.setblocking(False)

    def read(self) -> bytes:
        while True:
            try:
                self.packets.append(self.socket.recv(9000))
            except BlockingIOError:
                return b"".join(self.packets)


@pytest.fixture
def overhear() -> Iterator[Callable[[], Overheard]]:
    opened: list[Overheard] = []

    def begin() -> Overheard:
        opened.append(Overheard())
        return opened[-1]

    yield begin
    for overheard in opened:
        overheard.socket.close()


class Attacker:
    """Sends these mDNS packets again and again, while others work."""

    def __init__(self, packets: list[bytes]) -> None:
        self.packets = packets

    async def __aenter__(self) -> None:
        self.task = asyncio.create_task(self._flood())

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _flood(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            while True:
                for packet in self.packets:
                    sender.sendto(packet, ("224.0.0.251", 5353))
                await asyncio.sleep(0.1)


@pytest.fixture
def attacker() -> Callable[[list[bytes]], Attacker]:
    return Attacker


class Recorder:
    """A proxy on loopback that forwards one connection and writes down every byte."""

    def __init__(self, target: str) -> None:
        host, port = target.split(":")
        self.target = (host, int(port))
        self.recorded = bytearray()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with (
            self._server,
            self._server.accept()[0] as caller,
            socket.create_connection(self.target) as callee,
        ):
            back = threading.Thread(target=self._copy, args=(callee, caller), daemon=True)
            back.start()
            self._copy(caller, callee)
            back.join()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                self.recorded += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def recorder() -> Callable[[str], Recorder]:
    return Recorder


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    return wait
