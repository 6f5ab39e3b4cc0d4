"""Blocking calls for asyncio in daemon threads, which never hold up the end of the program.

The loop's own executor would: its threads are joined at exit, and a read of a terminal or a write
to a stuck pipe may never return.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """What ``call()`` gives or raises. Cancelling this leaves the call behind to end by itself."""
    result, work = _prepared(call)
    threading.Thread(target=work, daemon=True).start()
    return await result


class Worker:
    """One such thread for many calls, one after another: a thread for each takes longer."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def begin(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """What ``call()`` gives or raises, when the calls before it have ended."""
        result, work = _prepared(call)
        self._calls.put(work)
        return result

    def end(self) -> None:
        """Let the thread end when its calls have."""
        self._calls.put(None)

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            work()


def _prepared(call: Callable[[], T]) -> tuple[asyncio.Future[T], Callable[[], None]]:
    """The result that is awaited here, and what a thread has to do for it."""
    import asyncio  # noqa: PLC0415 -- it runs here already, and programs without it start quicker

    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def work() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = call(), None
        except BaseException as error:  # noqa: BLE001 -- raised again where the result is awaited
            outcome = None, error
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:
            return  # The loop is closed: the program is ending.

    return result, work
