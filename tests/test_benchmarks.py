"""The benchmark runs, and the tables in the documents are those of the figures beside them.

No figure is asserted: they are for people. What must not get worse is in ``tests/speed``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from benchmarks.figures import Figures, merged
from benchmarks.report import BEGIN, END, long, replace_in, short, time
from benchmarks.rounds import in_batches
from benchmarks.rows import ROWS, Better, Row

ROOT = Path(__file__).parent.parent


def figures() -> Figures:
    return Figures.from_json((ROOT / "docs/speed.json").read_text())


def test_the_tables_in_the_documents_are_those_of_the_figures() -> None:
    for name, report in (("README.md", short), ("docs/speed.md", long)):
        text = (ROOT / name).read_text()
        assert replace_in(text, report(figures())) == text, "python -m benchmarks --update"


def test_the_chart_has_every_row_of_speeds() -> None:
    drawn = unescape((ROOT / "docs/speed.svg").read_text())
    for row in ROWS:
        assert (f">{row.text} / {row.other}<" in drawn) == (row.better is Better.FASTER)


def test_the_same_figures_give_the_same_chart() -> None:
    pytest.importorskip("matplotlib", reason="requirements-benchmarks.txt is not installed")
    from benchmarks.chart import chart  # noqa: PLC0415

    assert chart(figures()) == chart(figures())


def test_figures_are_read_as_they_were_written() -> None:
    assert Figures.from_json(figures().to_json()).found == figures().found


@pytest.mark.parametrize(("better", "median"), [(Better.FASTER, 0.5), (Better.SHORTER, 2)])
def test_a_ratio_is_taken_within_a_round(better: Better, median: float) -> None:
    one = {"e2ee": [2.0, 20.0], "ssl": [1.0, 10.0]}
    other = {"e2ee": [8.0], "ssl": [1.0]}
    found = Figures({"warm": merged([{"bulk": one}, {"bulk": other}])})
    spread = found.ratio(Row("", "warm", "bulk", "ssl", better=better))
    assert spread.median == median
    assert spread.processes == (median, {0.5: 1 / 8, 2: 8}[median])
    assert found.seconds("warm", "bulk", "e2ee") == 8


def test_batches_are_never_larger_and_make_up_the_number() -> None:
    batches: list[int] = []

    def note(number: int) -> float:
        batches.append(number)
        return number

    assert in_batches(note, 4)(10) == 10
    assert batches == [4, 4, 2]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.34, "12.3 s"), (0.001234, "1.23 ms"), (0.0001234, "123 µs"), (1.5e-9, "1.50 ns")],
)
def test_times_have_the_unit_that_fits(seconds: float, text: str) -> None:
    assert time(seconds) == text


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_document_without_a_place_for_the_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not found"):
        replace_in(text, "report")


@pytest.mark.slow
def test_a_quick_run_of_the_benchmark(tmp_path: Path, figure: Callable[[str], None]) -> None:
    for library in ("OpenSSL", "matplotlib"):
        pytest.importorskip(library, reason="requirements-benchmarks.txt is not installed")
    written = tmp_path / "figures.json"
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--json", str(written)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    found = Figures.from_json(written.read_text())
    for row in ROWS:
        figure(f"benchmark: {row.text} / {row.other}: {found.ratio(row).median:.2f}")
        assert f"| {row.text} |" in run.stdout


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
