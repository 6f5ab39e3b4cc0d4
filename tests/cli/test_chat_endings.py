"""How a chat ends where two things end it at once; with an output in memory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from e2ee.journal import Journal, MemoryJournal
from e2ee_cli import chat
from e2ee_cli.exits import CliError, Exit
from e2ee_cli.view import View


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of a script."""
    monkeypatch.setattr(os, "isatty", lambda _: False)
    return SimpleNamespace(
        config=SimpleNamespace(plain=True, bell=False, notify=False),
        output=SimpleNamespace(elsewhere=None),
        book=SimpleNamespace(identity=None),
    )


class BrokenView(View):  # type: ignore[misc]
    """The last that is written to it fails."""

    async def __aexit__(self, *error: Any) -> None:
        self._on_failure(CliError("cannot write to standard output", Exit.FILES))
        await super().__aexit__(*error)


async def nobody_calls() -> None:
    await asyncio.get_running_loop().create_future()


def complaints_of_a_stopped(room: Callable[[], chat.Chat], *, at_end_of_input: bool) -> list[str]:
    """What the loop has to say of a chat that a signal has ended."""
    complaints: list[str] = []

    async def be_stopped() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: complaints.append(context["message"])
        )
        running = asyncio.create_task(
            room().run(nobody_calls(), leave_at_end_of_input=at_end_of_input)
        )
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(be_stopped())
    gc.collect()
    return complaints


def test_an_output_that_fails_after_a_signal_leaves_no_traceback(
    profile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "View", BrokenView)
    assert complaints_of_a_stopped(lambda: chat.Chat(profile), at_end_of_input=False) == []


def test_a_patience_that_ends_during_the_goodbye_leaves_no_traceback(
    profile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = 0.05

    async def nothing_to_say(_: chat.Chat) -> None: ...

    async def leave() -> None:
        await asyncio.sleep(4 * patience)

    def room_with_somebody_who_confirms_nothing() -> chat.Chat:
        room = chat.Chat(profile, patience=patience)
        unheard = SimpleNamespace(
            connected=True,
            met=True,
            unconfirmed=1,
            confirmed=0,
            until=lambda _: nobody_calls(),
            leave=leave,
        )
        room._people = {b"": SimpleNamespace(correspondent=unheard)}
        return room

    monkeypatch.setattr(chat.Chat, "_speak", nothing_to_say)
    room = room_with_somebody_who_confirms_nothing
    assert complaints_of_a_stopped(room, at_end_of_input=True) == []


def test_what_is_shown_at_the_end_can_still_be_remembered(
    profile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    class LastView(View):  # type: ignore[misc]
        async def __aexit__(self, *error: Any) -> None:
            await super().__aexit__(*error)
            closed.append("view")

    @contextlib.contextmanager
    def journal() -> Iterator[Journal]:
        yield MemoryJournal()
        closed.append("journal")

    rooms: list[chat.Chat] = []

    async def somebody_comes_and_leaves() -> None:
        rooms[0].person(SimpleNamespace(id="", identity=b"", name="somebody"))

    async def talk() -> None:
        rooms.append(chat.Chat(profile))
        await rooms[0].run(somebody_comes_and_leaves(), leave_at_end_of_input=False)

    monkeypatch.setattr(chat, "View", LastView)
    monkeypatch.setattr(
        chat.Chat, "_journal", lambda _, __, belongings: belongings.enter_context(journal())
    )
    asyncio.run(talk())
    assert closed == ["view", "journal"]
