"""People whose programs are real processes, which a test may stop, kill and start again."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parent
PROGRAM = str(Path(sys.executable).with_name("e2ee"))
PATIENCE = 60.0
"""Seconds after which something that a test waits for is taken for a hang."""


class Run:
    """A program of somebody's, what it wrote, and how it ended."""

    def __init__(self, home: Path, arguments: tuple[str, ...], **options: Any) -> None:
        self.errors = home.with_name(f"{home.name}.{time.monotonic_ns()}.stderr")
        self.shown: list[dict[str, Any]] = []
        """The texts of its standard output, as --json has them."""
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "E2EE_HOME": str(home)},
                **options,
            )
        self.pause = 0.0
        """Seconds that whoever reads the output needs for each line."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            # The last line of a program that was killed may be a part of one.
            if line.endswith(b"\n"):
                self.shown.append(json.loads(line))
                time.sleep(self.pause)

    def texts(self) -> list[str]:
        return [shown["text"] for shown in self.shown]

    def say(self, *texts: str, end: bool = False) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{text}\n" for text in texts).encode())
        self.process.stdin.flush()
        if end:
            self.process.stdin.close()

    def events(self) -> list[dict[str, Any]]:
        """What it said on standard error so far."""
        lines = self.errors.read_text().splitlines(keepends=True)
        assert not any("Traceback" in line for line in lines), "".join(lines)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def count(self, event: str) -> int:
        return sum(said["event"] == event for said in self.events())

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Until it is true, while the program runs."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, f"it has ended: {self.errors.read_text()}"
            assert time.monotonic() < deadline, f"in vain: {self.errors.read_text()[-2000:]}"
            time.sleep(0.02)

    def end(self, timeout: float = PATIENCE) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        self.events()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def tidy(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class People:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs: list[Run] = []

    def home(self, person: str) -> Path:
        return self.folder / person

    def start(self, person: str, *arguments: str, command: tuple[str, ...] = (PROGRAM,)) -> Run:
        """Run ``e2ee``, with --json, in the home of this person."""
        run = Run(self.home(person), (*command, *arguments, "--json"))
        self._runs.append(run)
        return run

    def listen(
        self, person: str, *arguments: str, port: int = 0, **options: Any
    ) -> tuple[Run, str]:
        """A listener on loopback, and its address."""
        return self.wait(person, "listen", *arguments, port=port, **options)

    def wait(
        self, person: str, what: str, *arguments: str, port: int = 0, **options: Any
    ) -> tuple[Run, str]:
        """A command that listens on loopback, and its address."""
        place = ("--host", "127.0.0.1", "--port", str(port))
        run = self.start(person, what, *arguments, *place, **options)
        run.wait_for(lambda: run.count("listening"))
        [listening] = [said for said in run.events() if said["event"] == "listening"]
        return run, f"127.0.0.1:{listening['port']}"

    def tidy(self) -> None:
        for run in self._runs:
            run.tidy()


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    people = People(tmp_path)
    yield people
    people.tidy()


def load(name: str) -> ModuleType:
    """A module of this folder."""
    spec = importlib.util.spec_from_file_location(f"faults_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def bad_link() -> ModuleType:
    """tests/faults/proxy.py"""
    return load("proxy")


@pytest.fixture(scope="session")
def peers() -> ModuleType:
    """tests/faults/peer.py"""
    return load("peer")
