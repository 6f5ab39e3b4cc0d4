"""Rounds in which contenders take turns, and statistics over them.

A machine's speed changes while it works. So every round measures all contenders of a comparison
right after one another, in a new order, and ratios are taken within a round.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from timeit import timeit

from benchmarks.contenders import Comparison

SLICE = 0.03
"""Seconds that one contender runs for in one round, or one operation where that takes longer."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over all rounds, and the quartiles around it."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Result:
    """``rates`` -- operations per second of each contender by name, one number a round."""

    comparison: Comparison
    rates: dict[str, list[float]]

    def rate(self, contender: str) -> float:
        """Operations per second, the median."""
        return median(self.rates[contender])

    def ratio(self, ours: str, peer: str) -> Spread:
        """Our speed divided by the peer's: 0.5 is half as fast, 2 is twice as fast."""
        ratios = [a / b for a, b in zip(self.rates[ours], self.rates[peer], strict=True)]
        if len(ratios) == 1:
            return Spread(ratios[0], ratios[0], ratios[0])
        low, middle, high = quantiles(ratios, n=4, method="inclusive")
        return Spread(middle, low, high)


def measure(comparisons: Sequence[Comparison], rounds: int) -> list[Result]:
    """Run them all; about SLICE seconds for every contender in every round."""
    results = [
        Result(comparison, {contender.name: [] for contender in comparison.contenders})
        for comparison in comparisons
    ]
    numbers = [
        {contender.name: _fitting_number(contender.run) for contender in comparison.contenders}
        for comparison in comparisons
    ]
    for _ in range(rounds):
        for result, number in zip(results, numbers, strict=True):
            contenders = result.comparison.contenders
            for contender in random.sample(contenders, len(contenders)):
                repeats = number[contender.name]
                seconds = timeit(contender.run, number=repeats)
                result.rates[contender.name].append(repeats / seconds)
    return results


def _fitting_number(run: Callable[[], object]) -> int:
    """How many runs fill a slice; finding out warms up as well."""
    number = 1
    while (seconds := timeit(run, number=number)) < SLICE / 4:
        number *= 2
    return max(1, round(number * SLICE / seconds))
