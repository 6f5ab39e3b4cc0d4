"""Runs, for each mutant, the tests that execute what it changes, until one fails.

A pytest plugin: the tests are collected and run once as they are, to see which lines each runs and
how long it takes. Then, for each mutant, the process is forked, and in the child the code of that
one function is replaced. No file is changed, nothing is imported anew, and decorated functions and
generators are mutated like all others: mutmut leaves these out, and calls the others through a
wrapper that tests of wrong arguments notice.
"""

from __future__ import annotations

import functools
import gc
import mmap
import os
import resource
import signal
import struct
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from types import CodeType, FunctionType

import coverage
import pytest
from _pytest.runner import runtestprotocol

import e2ee._uncopyable

from .mutants import Mutant

LONGEST_TEST = 6.0
"""Seconds of processor time; a test that takes longer is not run for mutants."""
LONGEST_RUN = 30.0
"""Seconds of tests for one mutant; the quickest are run first."""
MOST_MEMORY = 8 * 2**30
"""Bytes of addresses of one child; a mutant may be one that never stops to collect."""


class Outcome(StrEnum):
    KILLED = "killed"
    TIMEOUT = "timeout"
    """A test with this mutant takes several times as long: as good as killed."""
    SURVIVED = "survived"
    NOT_RUN = "not run"
    """No test executes what is changed."""


SURVIVED, KILLED = 0, 1
"""The exit codes of a child; every other means that the runner is broken."""


@dataclass(frozen=True)
class Result:
    mutant: Mutant
    outcome: Outcome

    @property
    def is_dead(self) -> bool:
        return self.outcome in {Outcome.KILLED, Outcome.TIMEOUT}


class Runner:
    """The plugin. ``results`` has one for each mutant, when pytest has ended."""

    def __init__(self, root: Path, mutants: Sequence[Mutant], jobs: int) -> None:
        self._root, self._mutants, self._jobs = root, mutants, jobs
        self._items: dict[str, pytest.Item] = {}
        self._seconds: dict[str, float] = {}
        self._present = ""
        self._forking: set[str] = set()
        self._tests_of_line: dict[Path, dict[int, list[str]]] = {}
        self._kills: dict[str, int] = defaultdict(int)
        self.results: list[Result] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._caches = [o for o in gc.get_objects() if isinstance(o, functools._lru_cache_wrapper)]
        self._run_as_they_are(session.items)
        self._functions = _live_functions(self._root / "e2ee")
        gc.freeze()  # What the children share is then not copied when they collect garbage.
        self._run_mutants()
        return True

    def _run_as_they_are(self, items: Sequence[pytest.Item]) -> None:
        lines = coverage.Coverage(
            data_file=None, include=[f"{self._root}/e2ee/*"], config_file=False, messages=False
        )
        # What runs in a child of the test itself is not seen.
        os.register_at_fork(before=lambda: self._forking.add(self._present))
        lines.start()
        for number, item in enumerate(items):
            self._present = item.nodeid
            lines.switch_context(item.nodeid)
            self._forget("e2ee")
            begin = time.process_time()
            passed = _passes(item)
            self._seconds[item.nodeid] = time.process_time() - begin
            if not passed:
                print(f"left out, as it fails without any mutant: {item.nodeid}", flush=True)
            elif self._seconds[item.nodeid] <= LONGEST_TEST:
                self._items[item.nodeid] = item
            _say(f"{number + 1} of {len(items)} tests as they are")
        lines.stop()
        self._present = ""
        data = lines.get_data()
        for path in {mutant.path for mutant in self._mutants}:
            self._tests_of_line[path] = data.contexts_by_lineno(str(self._root / path))

    def _run_mutants(self) -> None:
        waiting: Iterator[Mutant] = iter(self._mutants)
        running: dict[int, tuple[Mutant, list[str], mmap.mmap]] = {}
        while True:
            while len(running) < self._jobs and (mutant := next(waiting, None)) is not None:
                if tests := self._tests(mutant):
                    # The number of the test that the child is at.
                    shared = mmap.mmap(-1, 4)
                    running[self._start(mutant, tests, shared)] = mutant, tests, shared
                else:
                    self._done(Result(mutant, Outcome.NOT_RUN))
            if not running:
                return
            child, status = os.wait()
            mutant, tests, shared = running.pop(child)
            outcome = _outcome(status)
            killer = tests[struct.unpack("=L", shared)[0]]
            shared.close()
            if outcome is not Outcome.SURVIVED and not self._is_fair(killer):
                waiting = chain([mutant], waiting)
                continue
            self._done(Result(mutant, outcome))
            if outcome is not Outcome.SURVIVED:
                self._kills[killer] += 1

    def _is_fair(self, test: str) -> bool:
        """Whether it passes in a child without any mutant; if not, it is left out."""
        if self._kills[test]:
            return True
        if test in self._items:
            with mmap.mmap(-1, 4) as shared:
                _, status = os.waitpid(self._start(None, [test], shared), 0)
            if _outcome(status) is Outcome.SURVIVED:
                return True
            print(f"left out, as it fails in a child without any mutant: {test}", flush=True)
            del self._items[test]
        return False

    def _done(self, result: Result) -> None:
        self.results.append(result)
        if not result.is_dead:
            _say("")
            print(f"{result.outcome}: {result.mutant}", flush=True)
        _say(f"{len(self.results)} of {len(self._mutants)} mutants")

    def _tests(self, mutant: Mutant) -> list[str]:
        """Those that have killed most for their time come first."""
        of_line = self._tests_of_line[mutant.path]
        tests = {test for line in mutant.lines for test in of_line.get(line, ())}
        in_order = sorted(
            (tests | self._forking) & self._items.keys(),
            key=lambda test: (self._seconds[test] + 0.01) / (1 + self._kills[test]),
        )
        chosen, seconds = [], 0.0
        for test in in_order:
            seconds += self._seconds[test]
            if seconds <= LONGEST_RUN:
                chosen.append(test)
        return chosen

    def _start(self, mutant: Mutant | None, tests: Sequence[str], shared: mmap.mmap) -> int:
        sys.stdout.flush()
        process = e2ee._uncopyable.this_process()
        child = os.fork()
        if child:
            return child
        code = 2
        try:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            # What was made before the fork goes on here, and in no other child.
            e2ee._uncopyable._process = process
            resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
            self._forget("e2ee", "tests")
            if mutant is not None:
                self._replace(mutant)
            outcome = SURVIVED
            for number, test in enumerate(tests):
                struct.pack_into("=L", shared, 0, number)
                signal.setitimer(signal.ITIMER_PROF, 2 + 5 * self._seconds[test])
                signal.alarm(120)
                if not _passes(self._items[test]):
                    outcome = KILLED
                    break
            code = outcome
        except BaseException:  # noqa: BLE001 -- a child never returns to the parent's code
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)

    def _replace(self, mutant: Mutant) -> None:
        codes = {
            (c.co_qualname, c.co_firstlineno): c
            for c in _codes(mutant.compile(self._root / mutant.path))
        }
        for function in self._functions[self._root / mutant.path]:
            code = function.__code__
            changed = codes.get((code.co_qualname, code.co_firstlineno))
            if changed is not None and changed != code:
                function.__code__ = changed

    def _forget(self, *packages: str) -> None:
        """What was computed by another test, or without the mutant."""
        for cached in self._caches:
            if cached.__module__.startswith(packages):
                cached.cache_clear()


def _passes(item: pytest.Item) -> bool:
    reports = runtestprotocol(item, nextitem=None, log=False)
    return not any(report.failed for report in reports)


def _outcome(status: int) -> Outcome:
    code = os.waitstatus_to_exitcode(status)
    if code in {-signal.SIGPROF, -signal.SIGALRM}:
        return Outcome.TIMEOUT
    if code == SURVIVED:
        return Outcome.SURVIVED
    if code == KILLED or code < 0:
        return Outcome.KILLED
    raise RuntimeError("a mutant could not be run; the error is above")


def _codes(code: CodeType) -> Iterator[CodeType]:
    """All code objects in this one."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _live_functions(folder: Path) -> dict[Path, list[FunctionType]]:
    found: dict[Path, list[FunctionType]] = defaultdict(list)
    for candidate in gc.get_objects():
        if isinstance(candidate, FunctionType):
            path = Path(candidate.__code__.co_filename)
            if path.is_relative_to(folder):
                found[path].append(candidate)
    return found


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
