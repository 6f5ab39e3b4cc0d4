"""The program where the system's random numbers fail: one line, and nothing is half made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("no_random_numbers.py")
LINE = "e2ee: the system gives no random numbers\n"
DRAWS = 4
"""For an identity: its two keys, and the name of a temporary file, which is drawn in two steps."""


@pytest.fixture
def failing(e2ee: Any) -> Callable[..., subprocess.Popen[bytes]]:
    """``failing(1, "id")`` starts it with random numbers that fail from the first draw on."""

    def start(number: int, *arguments: str, person: str = "alice") -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(number), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**e2ee.environment(person), "PYTHONPATH": str(PROGRAM.parents[2])},
        )
        e2ee.running.append(process)
        return process

    return start


@pytest.mark.attack(18)
def test_no_identity_is_made(e2ee: Any, failing: Any, figure: Callable[[str], None]) -> None:
    home = e2ee.folder / "alice"
    for number in (1, DRAWS):
        assert e2ee.finish(failing(number, "id"), b"") == (1, "", LINE)
        assert not any("identity" in name for name in os.listdir(home))
    assert e2ee.finish(failing(DRAWS + 1, "id"), b"")[0] == 0
    assert "identity" in os.listdir(home)
    figure(f"no random numbers: one line, and no identity, at the first and last of {DRAWS} draws")


@pytest.mark.attack(18)
def test_a_call_fails_and_a_listener_waits_on(e2ee: Any, failing: Any) -> None:
    for person in ("alice", "bob"):
        e2ee.id_of(person)
    bob = failing(1, "listen", "--host", "127.0.0.1", "--port", "0", "--json", person="bob")
    port = next(line.split(b'"port":')[1] for line in bob.stderr if b'"port":' in line)
    address = f"127.0.0.1:{int(port.split(b',')[0])}"
    code, out, err = e2ee.run("connect", address, stdin=b"hello\n")
    assert (code, out) == (4, ""), err
    code, out, err = e2ee.finish(failing(1, "connect", address), b"hello\n")
    assert (code, out) == (1, ""), err
    assert LINE in err
    assert bob.poll() is None
    bob.send_signal(signal.SIGTERM)
    assert e2ee.finish(bob)[0] == 143
