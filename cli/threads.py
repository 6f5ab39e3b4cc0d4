"""Blocking calls for asyncio in daemon threads, which never hold up the end of the program.

The loop's own executor would: its threads are joined at exit, and a read of a terminal or a write
to a stuck pipe may never return.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """What ``call()`` gives or raises. Cancelling this leaves the call behind to end by itself."""
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

    threading.Thread(target=work, daemon=True).start()
    return await result
