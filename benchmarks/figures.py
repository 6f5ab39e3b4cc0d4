"""What was measured: the JSON form, and what it says of a contender."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from benchmarks.rows import Better, Row

Json = Mapping[str, Any]

DIGITS = 4
"""That count: the machine does not measure better."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over all rounds, the quartiles around it, and the median of each process."""

    median: float
    low: float
    high: float
    processes: tuple[float, ...]


class Figures:
    """Of one run of the command: ``environment``, and numbers by group."""

    def __init__(self, found: Json) -> None:
        self.found: Json = _rounded(found)

    @classmethod
    def from_json(cls, text: str) -> Figures:
        return cls(json.loads(text))

    def to_json(self) -> str:
        """One line for each comparison."""
        groups = {
            name: "{\n  "
            + ",\n  ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in group.items())
            + "\n }"
            for name, group in self.found.items()
        }
        return "{\n" + ",\n".join(f" {json.dumps(k)}: {v}" for k, v in groups.items()) + "\n}\n"

    @property
    def environment(self) -> Mapping[str, Any]:
        environment: Mapping[str, Any] = self.found["environment"]
        return environment

    def seconds(self, group: str, comparison: str, contender: str) -> float:
        """Of one operation, the median over all rounds."""
        processes: Sequence[Sequence[float]] = self.found[group][comparison][contender]
        return median(second for rounds in processes for second in rounds)

    def ratio(self, row: Row) -> Spread:
        """Of speeds or of times, as the row wants it."""
        comparison = self.found[row.group][row.comparison]
        ours, theirs = comparison[row.ours], comparison[row.other]
        if row.better is Better.FASTER:
            ours, theirs = theirs, ours
        processes = [
            [a / b for a, b in zip(mine, other, strict=True)]
            for mine, other in zip(ours, theirs, strict=True)
        ]
        ratios = [ratio for rounds in processes for ratio in rounds]
        low, _, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        return Spread(median(ratios), low, high, tuple(map(median, processes)))


def merged(processes: Sequence[Json]) -> dict[str, dict[str, list[list[float]]]]:
    """What several processes found in one group: the rounds of each, for each contender."""
    return {
        comparison: {
            name: [process[comparison][name] for process in processes] for name in contenders
        }
        for comparison, contenders in processes[0].items()
    }


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case list():
            return [_rounded(item) for item in value]
        case _:
            return value
