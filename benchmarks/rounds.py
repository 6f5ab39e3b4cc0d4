"""Rounds in which contenders take turns.

A machine's speed changes while it works. So every round measures all contenders of a comparison
right after one another, in a new order, and ratios are taken within a round. What happens in memory
is measured in seconds of the processor: what else the machine does then makes less of a difference.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import process_time
from timeit import timeit

Run = Callable[[int], float]
"""Does so many operations, and gives the seconds that they took; preparing is not among them."""

Seconds = dict[str, dict[str, list[float]]]
"""Of each comparison, for each contender, seconds for one operation: one number a round."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Contenders by name; one operation of each does the same."""

    name: str
    contenders: dict[str, Run]


def plain(operation: Callable[[], object]) -> Run:
    """An operation that needs no preparation."""
    return lambda number: timeit(operation, timer=process_time, number=number)


def in_batches(run: Run, batch: int) -> Run:
    """As ``run``, but with no more than so many operations between two preparations."""

    def batches(number: int) -> float:
        whole, rest = divmod(number, batch)
        return sum(run(batch) for _ in range(whole)) + (run(rest) if rest else 0)

    return batches


def measure(comparisons: Sequence[Comparison], rounds: int, slice_seconds: float) -> Seconds:
    """Run them all: about ``slice_seconds`` for every contender in every round."""
    gc.freeze()  # What is here now is not looked through again each time.
    numbers = [
        {name: _fitting_number(run, slice_seconds) for name, run in comparison.contenders.items()}
        for comparison in comparisons
    ]
    taken: Seconds = {
        comparison.name: {name: [] for name in comparison.contenders} for comparison in comparisons
    }
    for _ in range(rounds):
        for comparison, number in zip(comparisons, numbers, strict=True):
            for name in random.sample(list(comparison.contenders), len(comparison.contenders)):
                taken[comparison.name][name].append(
                    _seconds(comparison.contenders[name], number[name]) / number[name]
                )
    return taken


def _fitting_number(run: Run, slice_seconds: float) -> int:
    """How many operations fill a slice; finding out warms up as well."""
    number = 1
    while (seconds := _seconds(run, number)) < slice_seconds / 4:
        number *= 2
    return max(1, round(number * slice_seconds / seconds))


def _seconds(run: Run, number: int) -> float:
    """As ``timeit`` does it: garbage is collected between, and not within."""
    gc.collect()
    gc.disable()
    try:
        return run(number)
    finally:
        gc.enable()
