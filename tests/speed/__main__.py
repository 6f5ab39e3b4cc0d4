"""``python -m tests.speed`` compares counts with ``figures.json``; ``--write`` renews them.

``--where "seal 64 B"`` prints in which functions the instructions of one operation are. The figures
to one minor version of Python: write them with each.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.speed.counting import Counts, count, instructions_by_function
from tests.speed.gate import excess
from tests.speed.operations import operations

FIGURES = Path(__file__).with_name("figures.json")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def main() -> None:
    with operations() as all_of_them:
        if sys.argv[1:2] == ["--where"]:
            for function, instructions in instructions_by_function(
                all_of_them[sys.argv[2]]
            ).most_common():
                print(f"{instructions:5} {function}")
            return
        found = {name: count(operation) for name, operation in all_of_them.items()}
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if "--write" in sys.argv:
        figures[PYTHON] = {name: asdict(counts) for name, counts in found.items()}
        FIGURES.write_text(_one_line_each(figures))
        return
    allowed = {name: Counts(**counts) for name, counts in figures[PYTHON].items()}
    for name, counts in found.items():
        print(f"{name}: {counts.instructions} instructions, {counts.allocated:,} bytes allocated")
    if too_much := [line for name in found for line in excess(name, found[name], allowed[name])]:
        raise SystemExit("\n".join(too_much))


def _one_line_each(figures: dict[str, dict[str, object]]) -> str:
    versions = [
        f" {json.dumps(version)}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(counts)}" for name, counts in of.items())
        + "\n }"
        for version, of in sorted(figures.items())
    ]
    return "{\n" + ",\n".join(versions) + "\n}\n"


if __name__ == "__main__":
    main()
