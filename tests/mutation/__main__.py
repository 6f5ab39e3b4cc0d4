"""How many small mistakes in the core the tests notice.

``python -m tests.mutation`` mutates all of MODULES, which takes ten minutes on two cores;
``--changed BASE`` mutates only lines that differ from that commit, ``--module PATH`` one file.
Fails when a mutant survives that is not in exceptions.toml, with a reason.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import subprocess
import sys
import time
import tomllib
from collections import Counter
from itertools import chain
from pathlib import Path

import hypothesis
import pytest

from .mutants import Mutant, mutants
from .runner import Result, Runner

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
EVIDENCE = ROOT / "tests/evidence/mutation.json"
MODULES = [
    *sorted(path.relative_to(ROOT) for path in (ROOT / "e2ee/handshake").glob("*.py")),
    *sorted(path.relative_to(ROOT) for path in (ROOT / "e2ee/record").glob("*.py")),
    *map(
        Path,
        (
            "e2ee/primitives.py",
            "e2ee/session.py",
            "e2ee/opening.py",
            "e2ee/certificate.py",
            "e2ee/identity.py",
            "e2ee/ids.py",
            "e2ee/messages.py",
            "e2ee/pake.py",
        ),
    ),
]
TESTS = [
    "tests/handshake",
    "tests/session",
    "tests/identity",
    "tests/invitation",
    "tests/second_client/test_bugs.py",
    "tests/kit/test_kit.py",
    "tests/embedding/test_wrong_types.py",
]
PYTEST = [
    f"--rootdir={ROOT}",
    *("-m", "not slow"),
    # Without what would cost each of the forked processes time, or share files between them.
    *("-o", "addopts=--import-mode=importlib", "-o", "tmp_path_retention_policy=none"),
    *("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:tests.canaries"),
    *("--assert=plain", "--capture=sys"),
]


def changed_lines(base: str) -> dict[Path, set[int]]:
    """For each file, the lines that are not as they were in the commit ``base``."""
    command = ["git", "diff", "--unified=0", "--no-color", base, "--", "e2ee"]
    diff = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found: dict[Path, set[int]] = {}
    lines: set[int] = set()
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            lines = found.setdefault(Path(line[6:]), set())
        elif hunk := re.match(r"@@ \S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            lines.update(range(first, first + count))
    return found


def is_commit(name: str) -> bool:
    command = ["git", "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}"]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0


def chosen(modules: list[Path], base: str | None) -> list[Mutant]:
    changed = None if base is None else changed_lines(base)
    return [
        mutant
        for path in modules
        for mutant in mutants(path, (ROOT / path).read_text())
        if changed is None or not changed.get(path, set()).isdisjoint(mutant.lines)
    ]


def exceptions() -> set[str]:
    """Mutants that may survive; the file has the reasons."""
    by_reason: dict[str, list[str]] = tomllib.loads((HERE / "exceptions.toml").read_text())
    return set(chain.from_iterable(by_reason.values()))


def record(results: list[Result], excused: int, seconds: float) -> None:
    killed = sum(result.is_dead for result in results)
    figures = [f"{killed} of {len(results)} mutants killed, {excused} listed with a reason"]
    by_module: dict[Path, Counter[bool]] = {}
    for result in results:
        by_module.setdefault(result.mutant.path, Counter())[result.is_dead] += 1
    figures += [f"{path}: {n[True]} of {n.total()}" for path, n in by_module.items()]
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    content = {
        "name": "mutation",
        "command": "python -m tests.mutation",
        "commit": head,
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "seconds": round(seconds),
        "figures": figures,
    }
    EVIDENCE.write_text(json.dumps(content, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changed", metavar="BASE", help="only lines changed since this commit")
    parser.add_argument("--module", action="append", type=Path, metavar="PATH")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if options.changed and not is_commit(options.changed):
        print(f"there is no commit {options.changed} to compare with")
        return 0
    wanted = chosen(options.module or MODULES, options.changed)
    if not wanted:
        print("no mutants: nothing in these modules has changed")
        return 0
    # A failing example is not to be made small, and every mutant is to meet the same ones.
    hypothesis.settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    hypothesis.settings.load_profile("mutation")
    begin = time.monotonic()
    runner = Runner(ROOT, wanted, options.jobs)
    tests = [str(ROOT / tests) for tests in TESTS]
    if status := pytest.main([*PYTEST, *tests], plugins=[runner]):
        return int(status)
    seconds = time.monotonic() - begin
    alive = [result.mutant for result in runner.results if not result.is_dead]
    excused = exceptions()
    unexcused = [mutant for mutant in alive if mutant.name not in excused]
    for outcome, count in Counter(result.outcome for result in runner.results).items():
        print(f"{count} {outcome}")
    print(f"{len(alive) - len(unexcused)} listed with a reason, in {seconds:.0f} s")
    if not (options.changed or options.module):
        record(runner.results, len(alive) - len(unexcused), seconds)
    for mutant in unexcused:
        print("alive:", mutant)
    return int(bool(unexcused))


if __name__ == "__main__":
    sys.exit(main())
