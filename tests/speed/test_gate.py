"""No message and no handshake costs more than the figures say, by counts and not by a clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.speed.counting import Counts
from tests.speed.gate import MORE_BYTES, MORE_INSTRUCTIONS, excess

ROOT = Path(__file__).parents[2]
Figure = Callable[[str], None]

COPIES = {
    "a message that is sent": (
        "e2ee.session:Session.send",
        {f"{way} {size}" for way in ("seal", "channel") for size in ("64 B", "1 KiB", "64 KiB")},
    ),
    "bytes that are received": (
        "e2ee.session:Session.receive_data",
        {f"{way} {size}" for way in ("open", "channel") for size in ("64 B", "1 KiB", "64 KiB")},
    ),
}
"""Where a copy is made on purpose, and of what the gate must then tell."""

COPYING = """
import importlib, runpy, sys
module, _, path = sys.argv.pop(1).partition(":")
owner, _, name = path.partition(".")
kind = getattr(importlib.import_module(module), owner)
real = getattr(kind, name)
setattr(kind, name, lambda self, data: real(self, bytes(memoryview(data))))
runpy.run_module("tests.speed", run_name="__main__")
"""


def counted(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: here what watches for secrets would be counted, too."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_nothing_costs_more_than_its_figures(figure: Figure) -> None:
    run = counted("-m", "tests.speed")
    assert run.returncode == 0, run.stderr
    for line in run.stdout.splitlines():
        figure(f"cost: {line}")


@pytest.mark.parametrize("copy", COPIES)
def test_one_more_copy_of_a_message_is_seen(copy: str, figure: Figure) -> None:
    place, operations = COPIES[copy]
    run = counted("-c", COPYING, place)
    told = {line.partition(":")[0] for line in run.stderr.splitlines() if "bytes allocated" in line}
    assert run.returncode == 1
    assert told >= operations
    figure(f"cost: one more copy of {copy} is seen in {len(told)} of the operations")


FIGURES = Counts({"AESGCM.encrypt": 1}, 600, 3_000)


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (FIGURES, 0),
        (Counts({}, 1, 1), 0),
        (Counts({"AESGCM.encrypt": 2}, 600, 3_000), 1),
        (Counts({"AESGCM.encrypt": 1, "HKDF.derive": 1}, 600, 3_000), 1),
        (Counts({"AESGCM.encrypt": 1}, 600 + MORE_INSTRUCTIONS, 3_000 + MORE_BYTES), 0),
        (Counts({"AESGCM.encrypt": 1}, 601 + MORE_INSTRUCTIONS, 3_000), 1),
        (Counts({"AESGCM.encrypt": 1}, 600, 3_001 + MORE_BYTES), 1),
        (Counts({"AESGCM.encrypt": 2}, 613, 4_000), 3),
    ],
)
def test_the_margin(found: Counts, lines: int) -> None:
    assert len(list(excess("seal", found, FIGURES))) == lines
