"""The benchmark runs; its figures are for people, and none is asserted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_one_round_of_the_benchmark(tmp_path: Path) -> None:
    table, figures = tmp_path / "README.md", tmp_path / "figures.json"
    table.write_text("before\n<!-- benchmark -->\n<!-- end -->\nafter\n")
    options = ["--rounds", "1", "--json", str(figures), "--update", str(table)]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    written = table.read_text()
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    for contender in ("AESGCM", "ssl", "noiseprotocol", "hybrid"):
        assert contender in written
    assert json.loads(figures.read_text())


def test_one_round_of_starting(figure: Callable[[str], None]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.startup", "--rounds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 6
    for line in run.stdout.splitlines():
        figure(f"start: {line}")


def test_one_round_of_the_benchmark_of_pipes(figure: Callable[[str], None]) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.pipe", "--rounds", "1", "--size", "64"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "speed / openssl" in run.stdout
    figure(run.stdout.strip())
