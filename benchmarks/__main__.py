"""The command line: ``python -m benchmarks [--quick] [--json FILE] [--update]``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

from benchmarks.effort import EFFORTS
from benchmarks.environment import environment
from benchmarks.figures import Figures, merged
from benchmarks.loopback import storms
from benchmarks.memory import idle
from benchmarks.report import long, replace_in, short

ROOT = Path(__file__).parents[1]
FIGURES, CHART = ROOT / "docs/speed.json", ROOT / "docs/speed.svg"

COMPARED = ("warm", "cold", "tcp", "masked", "start")
"""Groups that several processes measure: where memory lies makes a difference, too."""

ENVIRONMENTS = {
    # glibc's values at the start of a process, which stay so when they are named.
    "cold": {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"},
    # OpenSSL then takes the processor to have neither VAES nor VPCLMULQDQ. The one that Python's
    # ssl has may be too old to use them; what is left is what the two protocols cost.
    "masked": {"OPENSSL_ia32cap": ":~0x60000000000"},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures sessions beside their primitives, TLS and other Noise libraries.",
    )
    parser.add_argument("--quick", action="store_true", help="one round of little: a test of it")
    parser.add_argument("--json", metavar="FILE", help="write every round's numbers to this file")
    parser.add_argument(
        "--update", action="store_true", help="write docs/speed.json, the chart and all tables"
    )
    options = parser.parse_args()
    try:
        at = environment()  # Before the measurement, so that nobody waits for this.
    except PackageNotFoundError as error:
        parser.error(f"{error.name} is missing: install requirements-benchmarks.txt")
    figures = measure(at, "quick" if options.quick else "full")
    if options.json:
        Path(options.json).write_text(figures.to_json(), encoding="utf-8")
    print(long(figures))
    if options.update:
        update(figures)


def measure(at: Mapping[str, str | int], effort: str) -> Figures:
    """Everything, one process after the other."""
    how = EFFORTS[effort]
    compared: dict[str, list[Any]] = {group: [] for group in COMPARED}
    for _ in range(how.processes):
        for group in COMPARED:
            compared[group].append(_run(group, effort))
    return Figures(
        {
            "environment": {**at, "processes": how.processes, "rounds": how.rounds},
            **{group: merged(found) for group, found in compared.items()},
            "growth": merged([_run("growth", effort)]),
            "memory": {
                "sessions": idle("sessions", *how.sessions),
                "connections": idle("connections", how.connections),
            },
            "storm": storms(how.storms, how.pings),
        }
    )


def _run(group: str, effort: str) -> Any:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker", group, effort],
        env={**os.environ, **ENVIRONMENTS.get(group, {})},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(run.stdout)


def update(figures: Figures) -> None:
    """Write all that is made of figures."""
    from benchmarks.chart import chart  # noqa: PLC0415 -- its library takes a second to import

    FIGURES.write_text(figures.to_json(), encoding="utf-8")
    CHART.write_text(chart(figures), encoding="utf-8")
    for name, report in (("README.md", short), ("docs/speed.md", long)):
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        path.write_text(replace_in(text, report(figures)), encoding="utf-8")


if __name__ == "__main__":
    main()
