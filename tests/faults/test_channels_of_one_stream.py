"""Texts that come on two channels at once, of which one is an earlier one of the same program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from e2ee.conversation import TextReceived
from e2ee.errors import ConversationFileError, TransportError
from e2ee.journal import MemoryJournal
from e2ee.messages import Leave, Receipt, Resume, Stream, Text, WireModel, decode_chat, encode
from e2ee.transport import Channel
from e2ee_cli import correspondent
from e2ee_cli.correspondent import Correspondent
from e2ee_cli.exits import CliError, Exit

STREAM = b"s" * 16


class Wire:
    """A channel whose peer is the test. It never tells of its end, like one that broke silently."""

    def __init__(self) -> None:
        self.sent: list[object] = []
        self._news = asyncio.Condition()
        self._coming: asyncio.Queue[bytes | None] = asyncio.Queue()

    def say(self, *messages: WireModel) -> None:
        for message in messages:
            self._coming.put_nowait(encode(message))

    def break_(self) -> None:
        self._coming.put_nowait(None)

    async def send(self, message: bytes) -> None:
        async with self._news:
            self.sent.append(decode_chat(message))
            self._news.notify_all()

    async def hears(self, message: WireModel) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: message in self.sent)

    def __aiter__(self) -> Wire:
        return self

    async def __anext__(self) -> bytes:
        message = await self._coming.get()
        if message is None:
            raise TransportError("the test has cut it")
        return message

    async def close(self) -> None: ...

    async def abort(self) -> None: ...


def texts(first: int, last: int) -> list[WireModel]:
    return [Text(id=number, body=str(number)) for number in range(first, last + 1)]


async def settle() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


class Person:
    """A correspondent whose texts are shown slowly: each when ``room`` has a place for it."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.room = asyncio.Semaphore(0)
        self.correspondent = Correspondent(MemoryJournal(), show=self._show, tell=lambda _: None)
        self._tasks: list[asyncio.Task[str]] = []

    async def _show(self, text: TextReceived, written: Callable[[], None]) -> None:
        await self.room.acquire()
        self.shown.append(text.body)
        written()

    def let_show(self, count: int) -> None:
        for _ in range(count):
            self.room.release()

    def connect(self) -> Wire:
        wire = Wire()
        channel = cast("Channel", wire)
        talk = self.correspondent.converse(channel, own_name="")
        self._tasks.append(asyncio.create_task(talk))
        return wire

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def silent_break() -> tuple[Person, Wire, Wire]:
    """Ten texts have come, three of which are shown, when their sender begins anew with them."""
    person = Person()
    old = person.connect()
    old.say(Stream(id=STREAM, first=1), *texts(1, 10))
    person.let_show(3)
    await settle()
    assert person.shown == ["1", "2", "3"]
    new = person.connect()
    new.say(Stream(id=STREAM, first=1))
    await settle()
    return person, old, new


def test_what_came_on_the_old_channel_is_not_shown_again_when_it_comes_on_the_new_one() -> None:
    async def scenario() -> None:
        person, _, new = await silent_break()
        [resume] = [said for said in new.sent if isinstance(said, Resume)]
        new.say(*texts(resume.received + 1, 12))
        person.let_show(20)
        await settle()
        assert person.shown == [str(number) for number in range(1, 13)]
        await new.hears(Receipt(id=12))
        await person.end()

    asyncio.run(scenario())


def test_texts_that_are_shown_at_a_time_have_one_receipt() -> None:
    async def scenario() -> None:
        person = Person()
        person.let_show(200)
        wire = person.connect()
        wire.say(Stream(id=STREAM, first=1))
        for number in range(1, 201):
            wire.say(*texts(number, number))
            await settle()
        await wire.hears(Receipt(id=200))
        assert sum(isinstance(said, Receipt) for said in wire.sent) < 200
        await person.end()

    asyncio.run(scenario())


def test_an_old_channel_that_breaks_while_one_of_its_texts_is_shown_changes_nothing() -> None:
    async def scenario() -> None:
        person, old, new = await silent_break()
        [resume] = [said for said in new.sent if isinstance(said, Resume)]
        new.say(*texts(resume.received + 1, 12))
        old.break_()
        for _ in range(20):
            person.let_show(1)
            await settle()
        assert person.shown == [str(number) for number in range(1, 13)]
        await person.end()

    asyncio.run(scenario())


def test_the_old_channel_is_told_that_it_is_replaced_and_answers_go_out_on_the_new_one() -> None:
    async def scenario() -> None:
        person, old, new = await silent_break()
        assert Leave(reason="replaced") in old.sent
        person.correspondent.say(["an answer"])
        await settle()
        assert any(isinstance(said, Stream) for said in new.sent)
        new.say(Resume(received=0))
        await settle()
        assert Text(id=1, body="an answer") in new.sent
        assert not any(isinstance(said, Text) for said in old.sent)
        await person.end()

    asyncio.run(scenario())


def test_a_late_receipt_on_the_old_channel_confirms_nothing_of_a_stream_made_anew() -> None:
    async def scenario() -> None:
        person = Person()
        old = person.connect()
        person.correspondent.say(["one", "two"])
        old.say(Stream(id=STREAM, first=1), Resume(received=0))
        await settle()
        new = person.connect()
        new.say(Stream(id=STREAM, first=1))
        await settle()
        new.say(Resume(received=99))
        await settle()
        old.say(Receipt(id=2))
        await settle()
        assert person.correspondent.unconfirmed == 2
        await person.end()

    asyncio.run(scenario())


class DroppedWire(Wire):
    """Its end is told of where it is dropped here."""

    async def abort(self) -> None:
        self.break_()


class FullDisk(MemoryJournal):
    """A journal that cannot remember what was shown."""

    def hear(self, stream: bytes, up_to: int) -> None:
        raise ConversationFileError("no room")


def test_what_cannot_be_remembered_is_not_confirmed_and_ends_the_channel() -> None:
    async def scenario() -> None:
        person = Person()
        person.correspondent.journal = FullDisk()
        person.let_show(1)
        wire = DroppedWire()
        conversing = asyncio.create_task(person.correspondent.converse(cast("Channel", wire)))
        wire.say(Stream(id=STREAM, first=1), *texts(1, 1))
        with pytest.raises(ConversationFileError):
            await asyncio.wait_for(conversing, 10)
        assert not any(isinstance(said, Receipt) for said in wire.sent)

    asyncio.run(scenario())


def test_where_nothing_can_be_shown_the_peer_is_told_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def show(_: TextReceived, __: Callable[[], None]) -> None:
        raise CliError("no room", Exit.FILES)

    async def scenario() -> None:
        wire = Wire()
        person = Correspondent(MemoryJournal(), show=show, tell=lambda _: None)
        wire.say(Stream(id=STREAM, first=1), *texts(1, 1))
        async with asyncio.timeout(10):
            with pytest.raises(CliError, match="no room"):
                await person.converse(cast("Channel", wire))
        assert wire.sent[-1] == Leave(reason="left")

    monkeypatch.setattr(correspondent, "GOODBYE_TIMEOUT", 1_000)
    asyncio.run(scenario())
