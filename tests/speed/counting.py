"""What one operation costs, in counts that are the same on every machine.

The interpreter tells of each instruction before it executes it, and ``tracemalloc`` how much was
allocated since the one before, even if it is free again: so no copy of a message is too short-lived
to be seen. A copy into memory that is there already shows in the instructions.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

PRIMITIVES = "cryptography."

WARM = 3
"""Operations before the one that is counted: caches are filled, and lists have grown."""


See = Callable[[int, int], None]

COUNTED = 5
"""Times that bytes are counted, of which the least counts: chance only adds to them, as when a set
grows that has its entries by their addresses."""

RUNS = WARM + 1 + 1 + COUNTED
"""Of an operation, until it is counted: after those that warm it, one for the primitives, and one
for which the interpreter prepares."""


@dataclass(frozen=True, slots=True)
class Counts:
    """``primitives`` -- calls of functions of ``cryptography`` in its own binary, by name.

    ``instructions`` -- of bytecode, of which each Python has its own. ``allocated`` -- bytes; those
    of ``cryptography`` itself only where they are an object of Python.
    """

    primitives: dict[str, int]
    instructions: int
    allocated: int


def count(operation: Callable[[], object]) -> Counts:
    """Of one run of an operation that can be run again and again."""
    for _ in range(WARM):
        operation()
    gc.collect()
    gc.disable()
    try:
        return Counts(_primitives(operation), *_instructions_and_bytes(operation))
    finally:
        gc.enable()


def instructions_by_function(operation: Callable[[], object]) -> Counter[str]:
    """In which functions the instructions of one run are."""
    found: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            found[frame.f_code.co_qualname] += 1
        return trace

    for _ in range(WARM):
        operation()
    sys.settrace(trace)
    try:
        operation()
    finally:
        sys.settrace(None)
    return found


def _primitives(operation: Callable[[], object]) -> dict[str, int]:
    calls: Counter[str] = Counter()

    def note(_frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and _home(function).startswith(PRIMITIVES):
            calls[function.__qualname__] += 1

    sys.setprofile(note)
    try:
        operation()
    finally:
        sys.setprofile(None)
    return dict(sorted(calls.items()))


def _home(function: Any) -> str:
    """The name of the module that it, or what it is a method of, comes from."""
    owner = function.__self__
    if isinstance(owner, ModuleType):
        return owner.__name__
    return str((owner if isinstance(owner, type) else type(owner)).__module__)


def _instructions_and_bytes(operation: Callable[[], object]) -> tuple[int, int]:
    # Arrays: their numbers are no objects, which would be allocated in between.
    found, base = array("q", [0, 0]), array("q", [0])

    def see(instructions: int, share: int) -> None:
        """After one instruction; ``share`` is 0 where what was allocated is not the operation's."""
        peak = tracemalloc.get_traced_memory()[1]
        found[0] += instructions
        found[1] += (peak - base[0]) * share
        peak = 0  # That number was allocated here, too.
        base[0] = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()

    tracemalloc.start()
    try:
        _run_seen(operation, see)  # The first time the interpreter prepares for it.
        runs = []
        for _ in range(COUNTED):
            found[:] = array("q", [0, 0])
            _run_seen(operation, see)
            runs.append(tuple(found))
    finally:
        tracemalloc.stop()
    return min(instructions for instructions, _ in runs), min(allocated for _, allocated in runs)


if sys.version_info >= (3, 12):

    def _run_seen(operation: Callable[[], object], see: See) -> None:
        monitoring = sys.monitoring
        tool, event = monitoring.PROFILER_ID, monitoring.events.INSTRUCTION
        monitoring.use_tool_id(tool, "tests.speed")
        monitoring.register_callback(tool, event, lambda _code, _offset: see(1, 1))
        monitoring.set_events(tool, event)
        see(0, 0)
        try:
            operation()
        finally:
            monitoring.set_events(tool, monitoring.events.NO_EVENTS)
            monitoring.free_tool_id(tool)

else:

    def _run_seen(operation: Callable[[], object], see: See) -> None:
        def trace(frame: FrameType, event: str, _: object) -> Any:
            if event == "call":
                frame.f_trace_opcodes, frame.f_trace_lines = True, False
                see(0, 0)  # A frame's object is made for this function only.
            else:
                see(event == "opcode", 1)
            return trace

        sys.settrace(trace)
        try:
            operation()
        finally:
            sys.settrace(None)
