"""``python -m tests.fuzz``: coverage-guided fuzzing of every target, with atheris.

Needs the dependency group ``fuzz``. Exits with 1 where an input broke a promise, and prints it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import sys

from . import evidence
from .run import Result, run
from .targets import TARGETS


def show(result: Result) -> None:
    print(
        f"{result.target:<24}{result.executions:>12,} executions {result.per_second:>7,}/s   "
        f"coverage {result.coverage_before:>5} -> {result.coverage:>5}   "
        f"{result.new_inputs:>4} new inputs",
        flush=True,
    )
    if result.crash is not None:
        data, said = result.crash
        print(f"{said}\n{result.target} broke a promise on this input:\n{data.hex()}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--runs", type=int, default=-1, help="for each target, if time is left")
    parser.add_argument("--seed", type=int, default=0, help="of chance; 0 is another every time")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--minimise", action="store_true", help="put what was found into corpus/")
    parser.add_argument("--record", action="store_true", help=f"add it to {evidence.FILE.name}")
    options = parser.parse_args()
    if unknown := set(options.targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [
            pool.submit(
                run,
                target,
                options.seconds,
                runs=options.runs,
                seed=options.seed,
                minimise=options.minimise,
            )
            for target in options.targets or TARGETS
        ]
        for future in concurrent.futures.as_completed(futures):
            show(future.result())
    results = [future.result() for future in futures]
    if options.record:
        evidence.add(results, options.seconds)
    executions = sum(result.executions for result in results)
    broken = [result.target for result in results if result.crash is not None]
    print(f"{executions:,} executions; broken: {', '.join(broken) or 'none'}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
