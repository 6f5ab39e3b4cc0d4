"""Tests in this folder may be coroutine functions; each gets a loop that it must leave clean.

With the mark ``virtual_time``, which is for those that wait for nothing outside of their loop, it
is one whose time passes at once.
"""

import asyncio
import gc
import inspect
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.virtual_time import VirtualTime


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    kind = VirtualTime if pyfuncitem.get_closest_marker("virtual_time") else None
    try:
        with asyncio.Runner(loop_factory=kind) as runner:
            runner.run(
                _cleanly(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
            )
    except BaseException:
        # What a failure left open is told of now, in this test and not in a later one.
        gc.collect()
        raise
    return True


async def _cleanly(test: Coroutine[Any, Any, None]) -> None:
    """Run a test; then no task may be left, and the loop may have had nothing to complain of."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    await test
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(left, timeout=1.5)
    gc.collect()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert complaints == []
