"""What the system keeps of the program's memory: nothing."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.attack(82),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

WAITING = "import sys, time; print('here', file=sys.stderr, flush=True); time.sleep(60)"


def leaves_a_core(program: list[str], **options: Any) -> bool:
    """Whether the kernel dumps this program, which may, when SIGABRT ends it."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        process = subprocess.Popen(program, stderr=subprocess.PIPE, **options)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.readline()
        process.send_signal(signal.SIGABRT)
        status = os.waitpid(process.pid, 0)[1]
    process.returncode = -signal.SIGABRT  # So that nobody waits for it again.
    assert os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


def test_a_program_that_is_aborted_leaves_no_core(
    e2ee: Any, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    folder = tmp_path / "cores"
    folder.mkdir()
    if not leaves_a_core([sys.executable, "-c", WAITING], cwd=folder):
        pytest.skip("this system keeps no cores of any program")
    for core in folder.iterdir():
        core.unlink()
    listen = [e2ee.path, "listen", "--host", "127.0.0.1", "--port", "0"]
    assert not leaves_a_core(listen, cwd=folder, env=e2ee.environment("alice"))
    assert os.listdir(folder) == []
    figure("core dumps: after SIGABRT Python leaves one, e2ee none")


def test_a_running_program_cannot_raise_its_limit_of_no_core(
    e2ee: Any, figure: Callable[[str], None]
) -> None:
    process, _ = e2ee.listen()
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    line = re.search(r"^Max core file size +(\S+) +(\S+)", limits, re.MULTILINE)
    assert line is not None
    assert line.groups() == ("0", "0")
    figure("core dumps: the soft and the hard limit of a running program are 0")


def test_the_kernel_is_told_to_let_nobody_look_into_it(figure: Callable[[str], None]) -> None:
    """A program that the kernel pipes dumps to would get one in spite of the limit."""
    flag = "ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)"  # PR_GET_DUMPABLE
    told = f"import ctypes; from e2ee_cli import core_dumps as c; print({flag}, c.forbid(), {flag})"
    output = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True).stdout
    assert output == b"1 None 0\n"
    figure("core dumps: dumpable before, not dumpable after the program has begun")
