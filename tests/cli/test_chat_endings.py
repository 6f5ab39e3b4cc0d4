"""How a chat ends where two things end it at once; with an output in memory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from types import SimpleNamespace
from typing import Any

import pytest

from e2ee_cli import chat
from e2ee_cli.exits import CliError, Exit
from e2ee_cli.view import View


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of a script."""
    monkeypatch.setattr(os, "isatty", lambda _: False)
    config = SimpleNamespace(plain=True, bell=False, notify=False)
    return SimpleNamespace(config=config, output=SimpleNamespace(elsewhere=None))


class BrokenView(View):  # type: ignore[misc]
    """The last that is written to it fails."""

    async def __aexit__(self, *error: Any) -> None:
        self._on_failure(CliError("cannot write to standard output", Exit.FILES))
        await super().__aexit__(*error)


def test_an_output_that_fails_after_a_signal_leaves_no_traceback(
    profile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[str] = []

    async def nobody_calls() -> None:
        await asyncio.get_running_loop().create_future()

    async def be_stopped() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: complaints.append(context["message"])
        )
        running = asyncio.create_task(
            chat.Chat(profile).run(nobody_calls(), leave_at_end_of_input=False)
        )
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    monkeypatch.setattr(chat, "View", BrokenView)
    asyncio.run(be_stopped())
    gc.collect()
    assert complaints == []
