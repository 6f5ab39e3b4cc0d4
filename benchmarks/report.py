"""The figures as Markdown: the short table of README, and those of docs/speed.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.figures import Figures, Spread
from benchmarks.rows import (
    HANDSHAKES,
    MEMORY_TARGETS,
    PASSERS,
    PASSING,
    ROWS,
    Better,
    Row,
)

BEGIN, END = "<!-- benchmark -->", "<!-- end -->"

ENGINES = ("e2ee, hybrid", "e2ee, classical", "e2ee, engine")


def short(figures: Figures) -> str:
    """For README: messages and handshakes beside everybody else's."""
    return f"""\
{_where(figures)}

Messages a second, sealed and opened, in memory:

{_passing(figures)}

Handshakes a second, both sides together:

{_handshakes(figures)}"""


def long(figures: Figures) -> str:
    """For docs/speed.md: all that was measured."""
    return f"""\
{_where(figures)}

## Against what

{_rows(figures)}

{_memory(figures)}

## Messages a second, sealed and opened

{_passing(figures)}

## Handshakes a second

{_handshakes(figures)}

## As work grows

{_growing(figures)}

{_queues(figures)}

{_sessions(figures)}

{_storms(figures)}"""


def _where(figures: Figures) -> str:
    at = figures.environment
    return (
        f"Measured with `python -m benchmarks` on {at['cpu']}, {at['cores']} cores, "
        f"{at['system']}: {at['python']}, e2ee {at['e2ee']}, cryptography {at['cryptography']} "
        f"({at['openssl of cryptography']}), ssl with {at['openssl of ssl']}, pyOpenSSL "
        f"{at['pyopenssl']}, noiseprotocol {at['noiseprotocol']}, dissononce {at['dissononce']}. "
        f"Medians of {at['processes']} processes with {at['rounds']} rounds each, "
        "on a warm heap unless a row says cold."
    )


def _rows(figures: Figures) -> str:
    return table(
        ("what", "time", "beside", "time", "ratio", "processes", "aim"),
        (_row(figures, row) for row in ROWS),
        texts=1,
    )


def _row(figures: Figures, row: Row) -> tuple[str, ...]:
    spread = figures.ratio(row)
    ours, other = (
        figures.seconds(row.group, row.comparison, name) for name in (row.ours, row.other)
    )
    processes = spread.processes
    aim = "" if row.target is None else f"{row.better.value} {row.target:g}"
    return (
        row.text,
        time(ours),
        f"`{row.other}`" if row.other.startswith("python") else row.other,
        time(other),
        f"{'speed' if row.better is Better.FASTER else 'time'} {_spread(spread)}",
        f"{min(processes):.2f} to {max(processes):.2f}",
        aim,
    )


def _memory(figures: Figures) -> str:
    memory = figures.found["memory"]
    lines = []
    for kind, target in MEMORY_TARGETS.items():
        count, found = list(memory[kind].items())[-1]
        traced = [each["tracemalloc"] for each in memory[kind].values() if "tracemalloc" in each]
        lines.append(
            (
                {"sessions": "session", "connections": "session with its TCP connection"}[kind],
                count,
                number(found["resident"]),
                number(traced[-1]),
                f"at most {target:,}",
            )
        )
    return table(
        ("idle", "of so many", "bytes resident", "bytes by tracemalloc", "aim"), lines, texts=1
    )


def _passing(figures: Figures) -> str:
    return table(
        ("message", *PASSERS),
        (
            (
                size,
                *(number(1 / figures.seconds("warm", f"pass {size}", name)) for name in PASSERS),
            )
            for size in PASSING
        ),
        texts=1,
    )


def _handshakes(figures: Figures) -> str:
    return table(
        ("handshake", "made of", "handshakes/s"),
        (
            (name, made_of, number(1 / figures.seconds("warm", "handshake", name)))
            for name, made_of in HANDSHAKES.items()
        ),
        texts=2,
    )


def _growing(figures: Figures) -> str:
    def row(size: str) -> tuple[str, ...]:
        ours, raw = (figures.seconds("growth", f"grow {size}", name) for name in ("e2ee", "AESGCM"))
        amount, unit = size.split()
        size_in_bytes = int(amount) * {"B": 1, "KiB": 2**10, "MiB": 2**20}[unit]
        return size, time(ours), time(raw), number(size_in_bytes / ours / 1e6)

    return table(
        ("message, sealed and opened", "e2ee", "AESGCM", "e2ee, MB/s"),
        map(row, _names(figures, "grow ")),
        texts=1,
    )


def _names(figures: Figures, kind: str) -> list[str]:
    """Of the comparisons of growth, without the kind that each name begins with."""
    names = figures.found["growth"]
    return [name.removeprefix(kind) for name in names if name.startswith(kind)]


def _queues(figures: Figures) -> str:
    def row(queue: str) -> tuple[str, ...]:
        count = int(queue.replace(",", ""))
        return (
            queue,
            *(
                time(figures.seconds("growth", f"{way} {queue} queued", name) / count)
                for way in ("seal", "open")
                for name in ("e2ee", "AESGCM")
            ),
        )

    header = ("messages of 64 B before a flush", "seal each", "AESGCM", "open each", "AESGCM")
    counts = (name.split()[0] for name in _names(figures, "seal "))
    return table(header, map(row, counts), texts=1)


def _sessions(figures: Figures) -> str:
    return table(
        ("sessions in one process, idle", "bytes resident, each", "bytes by tracemalloc, each"),
        (
            (
                f"{int(count):,}",
                number(found["resident"]),
                number(found["tracemalloc"]) if "tracemalloc" in found else "",
            )
            for count, found in figures.found["memory"]["sessions"].items()
        ),
        texts=1,
    )


def _storms(figures: Figures) -> str:
    return table(
        (
            "handshakes at once on a listener",
            "handshakes/s",
            "64 B to and fro in a running session, median",
            "95 of 100 within",
        ),
        (
            (
                count,
                number(found["handshakes"]) if int(count) else "",
                time(found["median"]),
                time(found["p95"]),
            )
            for count, found in figures.found["storm"].items()
        ),
        texts=1,
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int) -> str:
    """``texts`` -- columns of text, which come first; the others hold numbers."""
    lines = [header, ["---"] * texts + ["---:"] * (len(header) - texts), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Three digits that count: 12,300 or 1.23."""
    return f"{float(f'{value:.3g}'):,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def time(seconds: float) -> str:
    """With the unit that fits."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{number(seconds * factor)} {unit}"
    return f"{number(seconds * 1e9)} ns"


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"


def replace_in(text: str, report: str) -> str:
    """The document with the report between its markers, in place of what was there.

    Raises ValueError where it has none.
    """
    begin = text.index(BEGIN)
    end = text.index(END, begin)
    return f"{text[:begin]}{BEGIN}\n{report}\n{text[end:]}"
