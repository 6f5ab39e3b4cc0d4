"""A loop's own time, which passes at once: hours of waiting take no time, and end to the second."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine
from typing import Any

NEVER = 1e6
"""Seconds that are longer than any patience."""


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop whose clock stands while there is something to do, and jumps to what comes next."""

    _now = 0.0
    _ready: Any
    _scheduled: list[Any]
    _timer_cancelled_count: int

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._ready:
            assert self._scheduled, "everybody waits, for ever"
            self._now = max(self._now, self._scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


def in_virtual_time(test: Coroutine[Any, Any, None]) -> None:
    """Nothing in it may wait for a thread, a process or a network: time would not."""

    async def leaving_nothing_behind() -> None:
        await test
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        runner.run(leaving_nothing_behind())


def now() -> float:
    return asyncio.get_running_loop().time()
