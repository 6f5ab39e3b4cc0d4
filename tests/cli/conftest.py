"""The real program, as processes; each test has homes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

PROGRAM = str(Path(sys.executable).with_name("e2ee"))


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
        return process.returncode, (out or b"").decode(), err.decode()

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
            env=e2ee.environment(person),
            encoding="utf-8",
            timeout=30,
            dimensions=(60, 120),
        )
        opened.append(child)
        return child

    yield open_terminal
    for child in opened:
        child.close(force=True)


@pytest.fixture(scope="session")
def multicast() -> bool:
    """Whether this machine can send to the group of mDNS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.sendto(b"", ("224.0.0.251", 5353))
        except OSError:
            return False
    return True


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
