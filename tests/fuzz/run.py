"""Running one target under atheris for a while, on what its corpus and its seeds have."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import corpus
from .seeds import seeds
from .targets import MAX_LENGTH

ROOT = Path(__file__).parents[2]

LIMITS = (f"-max_len={MAX_LENGTH}", "-timeout=20", "-rss_limit_mb=1024")
"""Bytes of an input; seconds for one; memory of the process."""


@dataclass(frozen=True, slots=True)
class Result:
    """``coverage`` -- libFuzzer's features: branches, and how often they were taken. ``crash`` --
    the input that broke a promise, and what was said then.
    """

    target: str
    executions: int
    per_second: int
    coverage_before: int
    coverage: int
    new_inputs: int
    crash: tuple[bytes, str] | None


class Failed(Exception):
    """The fuzzer itself did not run."""


def run(target: str, seconds: int, *, runs: int, seed: int, minimise: bool) -> Result:
    """Fuzz, and, with ``minimise``, keep the fewest inputs that have all the coverage.

    Raises Failed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "program"
        program.write_text(
            f"#!/bin/sh\nexport PYTHONHASHSEED=0\ncd {shlex.quote(str(ROOT))}\n"
            f"exec {shlex.quote(sys.executable)} -m tests.fuzz.under_atheris "
            f'{shlex.quote(str(program))} {target} "$@"\n'
        )
        program.chmod(0o700)
        inputs = folder / "inputs"
        inputs.mkdir()
        known = {*corpus.read(target), *seeds(target)}
        corpus.unpack(known, inputs)
        (folder / "words").write_text(dictionary())
        flags = (
            *(f"-max_total_time={seconds}", f"-runs={runs}", f"-seed={seed}"),
            "-print_final_stats=1",
            *(f"-artifact_prefix={name}/", f"-dict={folder}/words"),
        )
        said = _call(program, inputs, *flags)
        crashes = [*folder.glob("crash-*"), *folder.glob("timeout-*"), *folder.glob("oom-*")]
        if not crashes and minimise:
            kept = folder / "kept"
            kept.mkdir()
            _call(program, kept, inputs, "-merge=1")
            corpus.write(target, corpus.pack(kept))
        covered = [int(number) for number in re.findall(r" ft: (\d+)", said)] or [0]
        return Result(
            target,
            _number(r"number_of_executed_units: (\d+)", said),
            _number(r"average_exec_per_sec: +(\d+)", said),
            covered[0],
            covered[-1],
            len(corpus.pack(inputs) - known),
            (crashes[0].read_bytes(), _complaint(said)) if crashes else None,
        )


def dictionary() -> str:
    """Words of messages for libFuzzer to put together: kinds, names of members, numbers."""
    words = {word for data in seeds("messages") for word in re.findall(rb'"[a-z_0-9]+":?', data)}
    words |= {b'{"kind":', b"9007199254740991", b"9007199254740992", b"e2ee", b"\xef\xb8\x8f"}
    return "".join(
        '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in sorted(words)
    )


def _call(program: Path, *arguments: Path | str) -> str:
    done = subprocess.run(
        [program, *arguments, *LIMITS],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode and "artifact_prefix" not in done.stdout:
        raise Failed(done.stdout)
    return done.stdout


def _complaint(said: str) -> str:
    """The traceback, without libFuzzer's progress."""
    return "\n".join(line for line in said.split("\n") if not line.startswith(("#", "INFO", "W")))


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0
