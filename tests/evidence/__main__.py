"""Makes docs/evidence.md: what was attacked, how often, and what came of it.

``python -m tests.evidence`` runs all tests first, for a quarter of an hour; ``--recorded FILE``
takes what ``pytest --record FILE`` wrote instead. What takes hours is in tests/evidence/*.json,
each written by its own command, which the document names. ``--night FILE`` and ``--examples FILE``
keep there what the two commands of ``KEPT`` wrote.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import cryptography

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
DOCUMENT = ROOT / "docs/evidence.md"

KEPT = {
    "--night": (
        "nightly.json",
        "what only nights run",
        "pytest -q -n 2 --nightly -m nightly -o timeout=7200 --record FILE",
    ),
    "--examples": (
        "hypothesis.json",
        "hypothesis, a hundred times as many examples",
        "pytest -q -n 2 -m hypothesis --hypothesis-profile=nightly -o timeout=7200 --record FILE",
    ),
}
"""Longer runs of pytest: where their figures are kept, what they are and how they are made."""

SECTIONS = {
    "Kit": ("tests/kit",),
    "Tampered transcripts": ("tests/session/test_tampering", "tests/session/test_opening"),
    "Planted bugs": ("tests/second_client/test_bugs",),
    "Two endpoints and an attacker": ("tests/session/test_two_endpoints",),
    "Fuzzing": ("tests/fuzz",),
    "Published vectors": ("tests/handshake/test_published", "tests/handshake/test_primitives"),
    "Differential": ("tests/handshake/test_other", "tests/handshake/test_differential"),
    "Faults and floods": ("tests/faults", "tests/transport"),
    "Secrets": ("tests/test_canaries", "tests/identity", "tests/cli/test_secrets"),
    "Terminal and files": ("tests/files", "tests/cli"),
    "Model": ("tests/model",),
    "Claims": ("tests/docs/test_security",),
}
"""Each with the beginnings of the tests whose figures it shows."""


def run_tests() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        command = [sys.executable, "-m", "pytest", "-q", "--record", str(record)]
        subprocess.run(command, cwd=ROOT, check=False, stdout=sys.stderr)
        recorded: list[dict[str, Any]] = json.loads(record.read_text())
        return recorded


def commit() -> str:
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def keep(run: str, tests: list[dict[str, Any]]) -> None:
    """What it counted, for the table of what takes longer."""
    file, title, command = KEPT[run]
    counted = {
        "name": title,
        "command": command,
        "commit": commit(),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "seconds": sum(test["seconds"] for test in tests),
        "figures": [summary(tests), *(line for test in tests for line in test["figures"])],
    }
    (HERE / file).write_text(json.dumps(counted, indent=1) + "\n")


def summary(tests: list[dict[str, Any]]) -> str:
    outcomes = Counter(test["outcome"] for test in tests)
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def name(test: str) -> str:
    return test.split("[", maxsplit=1)[0]


def catalogue(tests: list[dict[str, Any]]) -> tuple[list[str], int, int]:
    """The table of the attacks, how many rows passed, and how many there are to pass."""
    rows = tomllib.loads((HERE.parent / "attacks.toml").read_text())
    lines, passed, wanted, group = [], 0, 0, ""
    for number, row in rows.items():
        if row["group"] != group:
            group = row["group"]
            lines += [
                "",
                f"### {group}",
                "",
                "| | attack, and where it comes from | tests | result |",
            ]
            lines.append("|---|---|---|---|")
        what = f"**{cell(row['name'])}** ({cell(row['origin'])}). Must: {cell(row['must'])}."
        if "instead" in row:
            lines.append(f"| {number} | {what} | none | {cell(row['instead'])} |")
            continue
        wanted += 1
        mine = [test for test in tests if int(number) in test["rows"]]
        outcomes = Counter(test["outcome"] for test in mine)
        ran = dict.fromkeys(name(test["test"]) for test in mine)
        shown = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in ran)
        figures = [line for test in mine for line in test["figures"]]
        verdict = (
            ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "no test"
        )
        passed += set(outcomes) == {"passed"}
        result = "<br>".join([verdict, *(cell(line) for line in dict.fromkeys(figures))])
        lines.append(f"| {number} | {what} | {shown} | {result} |")
    return lines, passed, wanted


def long_runs() -> list[str]:
    lines = ["| | command | commit | took | figures |", "|---|---|---|---|---|"]
    for path in sorted(HERE.glob("*.json")):
        run = json.loads(path.read_text())
        figures = "<br>".join(cell(line) for line in run["figures"])
        lines.append(
            f"| {cell(run['name'])} | `{cell(run['command'])}` | {run['commit'][:12]} "
            f"| {run['seconds']:,.0f} s on {run['date']} | {figures} |"
        )
    return lines


def document(tests: list[dict[str, Any]]) -> str:
    table, passed, wanted = catalogue(tests)
    kit = len(list((HERE.parent / "kit/cases").rglob("*.txt")))
    lines = [
        "# Evidence",
        "",
        "What this project does to itself, and what came of it. Made by `python -m tests.evidence`",
        f"on {dt.datetime.now(dt.UTC):%Y-%m-%d}, at commit {commit()}, with CPython",
        f"{platform.python_version()} and cryptography {cryptography.__version__} on",
        f"{platform.system()} {platform.machine()}.",
        "",
        f"- Tests: {summary(tests)}.",
        f"- Catalogue of attacks: {passed} of {wanted} rows passed.",
        f"- Files in `tests/kit/cases/`: {kit:,}.",
        "",
        "What it means, and what it does not, is in [SECURITY.md](../SECURITY.md).",
        "",
        "## What was counted",
    ]
    for title, beginnings in SECTIONS.items():
        figures = [
            line
            for test in tests
            if test["test"].startswith(beginnings) and test["outcome"] == "passed"
            for line in test["figures"]
        ]
        lines += ["", f"### {title}", "", *(f"- {line}" for line in dict.fromkeys(figures))]
    lines += [
        "",
        "## What takes longer",
        "",
        *long_runs(),
        "",
        "## The catalogue of attacks",
        *table,
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recorded", type=Path, metavar="FILE")
    for run in KEPT:
        parser.add_argument(run, type=Path, metavar="FILE")
    options = parser.parse_args()
    for run in KEPT:
        if file := getattr(options, run.removeprefix("--")):
            keep(run, json.loads(file.read_text()))
            return 0
    tests = json.loads(options.recorded.read_text()) if options.recorded else run_tests()
    DOCUMENT.write_text(document(tests))
    return int(any(test["outcome"] in {"failed", "error"} for test in tests))


if __name__ == "__main__":
    sys.exit(main())
