"""The chart of docs/speed.md: how near each row is to what it is compared with."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.figures import Figures
from benchmarks.rows import ROWS, Better

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "e2ee",  # The same figures give the same bytes.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
}
OURS, QUARTILES, AIM = "#3465a4", "#202020", "#cc0000"


def chart(figures: Figures) -> str:
    """An SVG: bars of the ratios of speed with their quartiles, and a mark at each aim."""
    rows = [row for row in reversed(ROWS) if row.better is Better.FASTER]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 0.26 * len(rows) + 0.9), layout="constrained")
        axes = figure.subplots()
        for at, row in enumerate(rows):
            spread = figures.ratio(row)
            axes.barh(at, spread.median, height=0.7, color=OURS)
            axes.plot([spread.low, spread.high], [at, at], color=QUARTILES, linewidth=1.5)
            if row.target is not None:
                axes.plot([row.target] * 2, [at - 0.4, at + 0.4], color=AIM, linewidth=1.5)
        axes.set_yticks(range(len(rows)), [f"{row.text} / {row.other}" for row in rows])
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.axvline(1, color=QUARTILES, linewidth=0.8)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel("speed of e2ee by the other's: median, quartiles (dark), aim (red)")
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"
