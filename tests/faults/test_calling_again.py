"""Where a link breaks between the handshake and the chat: when is that the end, and when not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from e2ee import Identity
from e2ee.contacts import Contact
from e2ee.errors import Truncated
from e2ee_cli import calling
from e2ee_cli.encounter import Lost

BOB = Contact(
    identity=Identity.generate().public_key,
    name="bob",
    how="meeting",
    graded_at=0,
    first_seen=0,
    last_seen=0,
)


class Quiet:
    def note(self, event: str, human: str, **fields: Any) -> None: ...


class Ends:
    """A chat, each of whose channels ends as it is told: with an error, or a reason."""

    def __init__(self, *ends: Exception | str) -> None:
        self._ends: Iterator[Exception | str] = iter(ends)
        self.hosted = 0
        self.view = Quiet()
        self.profile = None

    async def host(self, encounter: Any, *, initiator: bool) -> str:
        self.hosted += 1
        end = next(self._ends)
        if isinstance(end, Exception):
            raise end
        return end


class Answering:
    """Stands for an Encounter."""

    contact = BOB


@pytest.fixture
def they_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(*_: Any, **__: Any) -> Answering:
        return Answering()

    monkeypatch.setattr(calling, "call", call)
    monkeypatch.setattr(calling, "FIRST_PAUSE", 0)


def stay_connected(chat: Ends) -> None:
    asyncio.run(calling.stay_connected(chat, Answering()))


def test_a_call_that_breaks_before_the_chat_goes_on_is_made_again(they_answer: None) -> None:
    chat = Ends(Lost(BOB, Truncated("cut")), Truncated("cut"), Truncated("cut"), "left")
    stay_connected(chat)
    assert chat.hosted == 4


def test_the_first_call_is_not(they_answer: None) -> None:
    with pytest.raises(Truncated):
        stay_connected(Ends(Truncated("cut")))
