"""How long the program takes to start, beside an interpreter that does nothing.

``python -m benchmarks.startup [--rounds N] [--wormhole]``: the last installs magic-wormhole into
an environment of its own in a temporary folder, and measures it too. Like all here, the contenders
take turns in each round, and ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.rounds import Seconds

DEFAULT_ROUNDS = 20

NOTHING = "python -c pass"
LIBRARY = 'python -c "import typer"'

BRACKETED_PASTE = b"\x1b[?2004h"
"""What the chat's screen says to the terminal when it draws its prompt."""

PROGRAM = str(Path(sys.executable).with_name("e2ee"))


def seconds_to_the_end(*command: str) -> float:
    begin = perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return perf_counter() - begin


def seconds_to_the_first_line(*command: str, home: str) -> float:
    """Of what the program says; it is ended then."""
    begin = perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "E2EE_HOME": home},
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        taken = perf_counter() - begin
        process.kill()
    return taken


def seconds_to_the_prompt(*command: str, home: str) -> float:
    """At a terminal, until a line can be typed and pasted; it is ended then."""
    mine, its = os.openpty()
    begin = perf_counter()
    with subprocess.Popen(
        command,
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, "E2EE_HOME": home, "TERM": "xterm-256color"},
    ) as process:
        os.close(its)
        shown = b""
        while BRACKETED_PASTE not in shown:
            shown += os.read(mine, 65_536)
        taken = perf_counter() - begin
        process.kill()
    os.close(mine)
    return taken


def wormhole(folder: str) -> str:
    """Install it there; gives the program."""
    venv.create(folder, with_pip=True)
    install = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "magic-wormhole"]
    subprocess.run(install, check=True)
    return f"{folder}/bin/wormhole"


def measure(
    contenders: dict[str, Callable[[], float]], rounds: int
) -> dict[str, tuple[float, float]]:
    """Of each contender the medians of its seconds, and of its multiple of ``NOTHING``."""
    for contender in contenders.values():
        contender()  # Files are read and compiled once before.
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in random.sample(list(contenders), len(contenders)):
            taken[name].append(contenders[name]())
    return {
        name: (
            median(seconds),
            median(one / nothing for one, nothing in zip(seconds, taken[NOTHING], strict=True)),
        )
        for name, seconds in taken.items()
    }


def measure_starts(rounds: int) -> Seconds:
    """Help and version beside an interpreter that imports the library of command lines."""
    commands = {
        LIBRARY: (sys.executable, "-c", "import typer"),
        "e2ee --help": (PROGRAM, "--help"),
        "e2ee --version": (PROGRAM, "--version"),
    }
    for command in commands.values():
        seconds_to_the_end(*command)  # Files are read and compiled once before.
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name in random.sample(list(commands), len(commands)):
            taken[name].append(seconds_to_the_end(*commands[name]))
    return {"start": taken}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup", description="Measures how long programs take to start."
    )
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, metavar="N")
    parser.add_argument("--wormhole", action="store_true", help="install it, and measure it too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = f"{folder}/home"
        subprocess.run(
            [PROGRAM, "id"],
            env={**os.environ, "E2EE_HOME": home},
            capture_output=True,
            check=True,
        )
        listen = [PROGRAM, "listen", "--host", "127.0.0.1", "--port", "0"]
        contenders = {
            NOTHING: lambda: seconds_to_the_end(sys.executable, "-c", "pass"),
            "e2ee --help": lambda: seconds_to_the_end(PROGRAM, "--help"),
            "e2ee completion bash": lambda: seconds_to_the_end(PROGRAM, "completion", "bash"),
            "e2ee listen, to its first line": lambda: seconds_to_the_first_line(*listen, home=home),
            "e2ee listen, to its prompt": lambda: seconds_to_the_prompt(*listen, home=home),
            "e2ee connect, to its first line": lambda: seconds_to_the_first_line(
                PROGRAM, "connect", "127.0.0.1:1", home=home
            ),
        }
        if options.wormhole:
            other = wormhole(f"{folder}/wormhole")
            contenders["wormhole --help"] = lambda: seconds_to_the_end(other, "--help")
        for name, (seconds, multiple) in measure(contenders, options.rounds).items():
            print(f"{name}: {1000 * seconds:.0f} ms, {multiple:.1f} times {NOTHING}")


if __name__ == "__main__":
    main()
