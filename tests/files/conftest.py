"""The real program, sending to itself."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from e2ee import Identity, Session
from e2ee.contact_file import ContactFile

PROGRAM = str(Path(sys.executable).with_name("e2ee"))


class Pair:
    """Alice, who sends, and Bob, who receives into ``in``. They know each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inbox = folder / "in"
        self.inbox.mkdir()
        self._running: list[subprocess.Popen[str]] = []

    def start(
        self, person: str, *arguments: str, under: Sequence[str] = (), **options: Any
    ) -> subprocess.Popen[str]:
        """``under`` -- another program, with its arguments, that runs this one."""
        options = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen(
            [*under, PROGRAM, *arguments],
            env={**os.environ, "E2EE_HOME": str(self.folder / person)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        self._running.append(process)
        return process

    def listener(self, *arguments: str, **options: Any) -> tuple[subprocess.Popen[str], str]:
        """Bob, and where he is."""
        command = (arguments[0], "--host", "127.0.0.1", "--port", "0", "--json", *arguments[1:])
        bob = self.start("bob", *command, **options)
        assert bob.stderr is not None
        for line in bob.stderr:
            event = json.loads(line)
            if event["event"] == "listening":
                return bob, f"127.0.0.1:{event['port']}"
        raise AssertionError("bob has ended")

    def meet(self) -> None:
        """So that Bob takes what Alice sends without a question: they have met an hour ago."""
        now = time.time()
        people = [Identity.generate(now=now) for _ in range(2)]
        sessions = [Session.initiator(people[0]), Session.responder(people[1])]
        while any(sent := [session.data_to_send() for session in sessions]):
            for session, data in zip(sessions, reversed(sent), strict=True):
                session.receive_data(data)
        for name, identity, session in zip(("alice", "bob"), people, sessions, strict=True):
            home = self.folder / name
            home.mkdir(mode=0o700)
            identity.save(home / "identity")
            assert session.peer is not None
            with ContactFile(home / "contacts", identity).update() as book:
                book.meet(session.peer, "meeting", now - 3600)

    def receive(self, *arguments: str, **options: Any) -> tuple[subprocess.Popen[str], str]:
        return self.listener("receive", "in", *arguments, **options)

    def send(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return self.start("alice", "send", "--json", *arguments, **options)

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
        """The exit code, and the events of both streams."""
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        assert "never retrieved" not in err, err
        lines = (out + err).splitlines()
        return process.returncode, [json.loads(line) for line in lines if line.startswith("{")]

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.end()
