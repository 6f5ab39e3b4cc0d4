"""The command line: ``python -m benchmarks [--rounds N] [--json FILE] [--update FILE]``."""

from __future__ import annotations

import argparse
import json

from benchmarks.contenders import comparisons
from benchmarks.measure import measure
from benchmarks.report import BEGIN, END, as_json, as_markdown, has_markers, replace_in

DEFAULT_ROUNDS = 40


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures sessions beside the bare cipher, TLS and another Noise.",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=DEFAULT_ROUNDS,
        metavar="N",
        help="rounds in which everything is measured once (default %(default)s)",
    )
    parser.add_argument("--json", metavar="FILE", help="write every round's numbers to this file")
    parser.add_argument(
        "--update", metavar="FILE", help=f"put the tables between {BEGIN} and {END} in this file"
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    # Before the measurement, so that nobody waits a minute for this.
    if options.update and not has_markers(_read(options.update)):
        parser.error(f"{options.update} has no {BEGIN} and {END}")

    results = measure(comparisons(), options.rounds)
    report = as_markdown(results, options.rounds)
    print(report)
    if options.json:
        _write(options.json, json.dumps(as_json(results, options.rounds), indent=2) + "\n")
    if options.update:
        _write(options.update, replace_in(_read(options.update), report))


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


main()
