"""What was fuzzed in all, over all runs: tests/evidence/fuzz.json."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from .run import ROOT, Result

FILE = ROOT / "tests" / "evidence" / "fuzz.json"


def add(results: Sequence[Result], seconds: int) -> None:
    """``seconds`` -- for which each target ran."""
    record: dict[str, Any] = {"seconds": 0, "targets": {}}
    if FILE.exists():
        record = json.loads(FILE.read_text())
    totals = record["targets"]
    for result in results:
        total = totals.setdefault(result.target, {"executions": 0})
        total["executions"] += result.executions
        total["per_second"] = result.per_second
        total["coverage"] = max(result.coverage, total.get("coverage", 0))
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    executions = sum(total["executions"] for total in totals.values())
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(
        json.dumps(
            {
                "name": "fuzz",
                "command": f"python -m tests.fuzz --seconds {seconds} --record",
                "commit": commit,
                "date": time.strftime("%Y-%m-%d", time.gmtime()),
                "seconds": record["seconds"] + seconds * len(results),
                "figures": [
                    f"fuzzing: {executions:,} executions of {len(totals)} targets",
                    *(
                        f"fuzzing, {name}: {total['executions']:,} executions, "
                        f"{total['coverage']:,} features covered"
                        for name, total in sorted(totals.items())
                    ),
                ],
                "targets": totals,
            },
            indent=1,
        )
        + "\n"
    )
