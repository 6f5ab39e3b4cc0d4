"""Deadlines that no other test shows: what comes just before is had, what comes after given up.

In virtual time, so that each is at its real value and to the millisecond.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from e2ee import Identity, Peer
from e2ee.contacts import Contact, ContactBook
from e2ee.errors import ConnectFailed, TimedOut, Truncated
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.messages import Hello, encode
from e2ee.transport import tcp
from e2ee_cli import (
    carrying,
    chat,
    correspondent,
    demo,
    output,
    purpose,
    receive,
    screen,
    send,
    transfer,
)
from e2ee_cli import view as views
from e2ee_cli.chat import Chat
from e2ee_cli.correspondent import Correspondent
from e2ee_cli.exits import CliError, Exit
from e2ee_cli.output import Output
from e2ee_cli.piping import Pipe
from e2ee_cli.transfer import Transfer
from e2ee_cli.view import View
from e2ee_cli.waiting import Waiting
from tests.virtual_time import NEVER, in_virtual_time, now

Figure = Callable[[str], None]

MOMENT = 0.001

BOB = Identity.generate()


def check_deadline(limit: float, has: Callable[[float], Coroutine[Any, Any, bool]]) -> None:
    """``has`` -- waits for what comes after so many seconds; whether it was had."""

    async def check(seconds: float) -> None:
        began = now()
        assert await has(seconds) == (seconds < limit)
        assert now() - began == pytest.approx(min(seconds, limit))

    for seconds in (0, MOMENT, limit - MOMENT, limit + MOMENT, NEVER):
        in_virtual_time(check(seconds))


async def for_ever(*_: object, **__: object) -> None:
    await asyncio.sleep(NEVER)


async def end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})


class Silent:
    """A channel to somebody who says nothing; their goodbye comes so many seconds after ours."""

    def __init__(self, seconds: float = 0) -> None:
        self._seconds = seconds
        self._over = asyncio.Event()
        self.closed = False
        """Whether their goodbye has come."""

    async def send(self, _: bytes) -> None: ...

    def __aiter__(self) -> Silent:
        return self

    async def __anext__(self) -> bytes:
        await self._over.wait()
        raise StopAsyncIteration

    def leave(self) -> None:
        self.closed = True
        self._over.set()

    async def close(self) -> None:
        await asyncio.sleep(self._seconds)
        self.leave()

    async def abort(self) -> None:
        self._over.set()


def new_correspondent() -> Correspondent:
    return Correspondent(MemoryJournal(), show=for_ever, tell=lambda _: None)


def contact() -> Contact:
    return ContactBook().meet(Peer(BOB.public_key, bytes(32), 0, 1), "meeting", 0, name="bob")


# How a conversation begins.


@pytest.mark.attack(26)
@pytest.mark.parametrize("slow", ["the name", "the address"])
def test_an_address_that_does_not_answer_is_given_up(
    slow: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    async def answers(seconds: float) -> bool:
        async def find(host: str, port: int, **_: object) -> list[Any]:
            await asyncio.sleep(seconds if slow == "the name" else 0)
            return [(0, 0, 0, "", (host, port))]

        async def connect(*_: object, **__: object) -> tuple[None, str]:
            await asyncio.sleep(seconds if slow == "the address" else 0)
            return None, "connected"

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", find)
        monkeypatch.setattr(loop, "create_connection", connect)
        try:
            stream: object = await tcp.connect_stream("127.0.0.1", 9)
        except ConnectFailed as error:
            if not str(error).endswith("did not answer in time"):
                raise
            return False
        return stream == "connected"

    limit = tcp.CONNECT_TIMEOUT if slow == "the name" else tcp.ATTEMPT_TIMEOUT
    check_deadline(limit, answers)
    figure(f"limits: {slow} of a machine that does not answer is given up after {limit:g} s")


@pytest.mark.attack(26)
def test_a_peer_without_a_hello_is_given_up(figure: Figure) -> None:
    async def is_greeted(seconds: float) -> bool:
        async def receive() -> bytes:
            await asyncio.sleep(seconds)
            return encode(Hello(purposes=("chat",)))

        peer: Any = SimpleNamespace(send=lambda _: asyncio.sleep(0), receive=receive)
        try:
            return bool(await purpose.agree(peer, ["chat"], initiator=True) == "chat")
        except TimedOut:
            return False

    check_deadline(purpose.HELLO_TIMEOUT, is_greeted)
    figure(f"limits: a peer without a hello is given up after {purpose.HELLO_TIMEOUT:g} s")


# Goodbyes.


async def stop_carrying(channel: Any) -> None:
    line: Any = SimpleNamespace(run=for_ever, clear=lambda: None)
    files: Any = Transfer(None, for_ever, lambda _: None, peer="bob")
    carrying_on = asyncio.create_task(carrying.carry(channel, files, line, None))
    await asyncio.sleep(0)
    await end(carrying_on)
    assert carrying_on.cancelled()


async def stop_piping(channel: Any) -> None:
    sending = asyncio.create_task(for_ever())
    await Pipe(channel)._leave("stopped", sending)
    await end(sending)


async def stop_chatting(channel: Any) -> None:
    room = new_room()
    room._speak = room._watch = for_ever
    room._leave = channel.close
    running = asyncio.create_task(room._run(for_ever(), leave_at_end_of_input=True))
    await asyncio.sleep(0)
    await end(running)
    assert running.cancelled()


@pytest.mark.attack(26)
@pytest.mark.parametrize("stop", [stop_carrying, stop_piping, stop_chatting])
def test_a_goodbye_after_a_signal(
    stop: Callable[[Any], Coroutine[Any, Any, None]], figure: Figure
) -> None:
    async def is_orderly(seconds: float) -> bool:
        channel = Silent(seconds)
        await stop(channel)
        return channel.closed

    check_deadline(carrying.GOODBYE_TIMEOUT, is_orderly)
    what = stop.__name__.replace("_", " ")
    figure(f"limits: {what}: {carrying.GOODBYE_TIMEOUT:g} s for the goodbye and no more")


@pytest.mark.attack(26)
def test_the_answer_to_a_goodbye_in_a_chat(figure: Figure) -> None:
    async def is_answered(seconds: float) -> bool:
        channel: Any = Silent()
        answers: list[bool] = []

        async def close() -> None:
            answers.append(channel.closed)
            channel.leave()

        channel.close = close
        bob = new_correspondent()
        conversing = asyncio.create_task(bob.converse(channel))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(seconds, channel.leave)
        await bob.leave()
        assert await conversing == "left"
        (answered,) = answers
        return answered

    check_deadline(correspondent.GOODBYE_TIMEOUT, is_answered)
    figure(f"limits: the answer to a goodbye has {correspondent.GOODBYE_TIMEOUT:g} s")


# Confirmations.


def new_room(*, patience: float | None = None) -> Any:
    """A chat of a script with bob, to whom two texts are on their way."""
    room: Any = Chat.__new__(Chat)
    room._patience, room._wait = patience, "delivered"
    room._failed = asyncio.get_running_loop().create_future()
    room.view = SimpleNamespace(person=False)
    bob = new_correspondent()
    bob.journal.add(Outgoing(1, "hello", 0))
    bob.journal.add(Outgoing(2, "are you there?", 0))
    bob.met = True
    room._people = {b"": SimpleNamespace(correspondent=bob)}
    return room


async def settles(room: Any, *times: float) -> bool:
    """Whether a chat whose texts are confirmed at these times ends well."""
    (person,) = room.people
    bob = person.correspondent

    async def confirm() -> None:
        began = now()
        for number, seconds in enumerate(times, 1):
            await asyncio.sleep(began + seconds - now())
            bob.journal.confirm(number)
            bob.confirmed += 1
            await bob._note()

    confirming = asyncio.create_task(confirm())
    try:
        await room._settle(away_too=True)
    except CliError as error:
        if error.code is not Exit.NOT_CONFIRMED:
            raise
        return False
    else:
        return True
    finally:
        await end(confirming)


@pytest.mark.attack(26)
def test_texts_are_waited_for_while_some_are_confirmed(figure: Figure) -> None:
    limit = chat.CONFIRMATION_TIMEOUT
    check_deadline(limit, lambda seconds: settles(new_room(), seconds, seconds))
    # Each confirmation is good for as long again.
    check_deadline(limit + 7, lambda seconds: settles(new_room(), min(seconds, 7), seconds))
    figure(f"limits: texts are given up {limit:g} s after the last confirmation")


@pytest.mark.attack(26)
def test_the_patience_that_was_asked_for_is_for_all_texts_together(figure: Figure) -> None:
    check_deadline(7, lambda seconds: settles(new_room(patience=7), min(seconds, 5), seconds))
    figure("limits: with a patience of 7 s texts are given up after 7 s")


@pytest.mark.attack(26)
def test_a_script_waits_for_who_is_away(figure: Figure) -> None:
    limit = chat.CONFIRMATION_TIMEOUT

    async def is_waited_for(seconds: float) -> None:
        room = new_room()
        (person,) = room.people
        came_back = asyncio.get_running_loop().call_later(
            seconds, person.correspondent._links.append, object()
        )
        watching = asyncio.create_task(room._watch(give_up=True))
        await asyncio.wait({room._failed}, timeout=limit + 10 * MOMENT)
        assert room._failed.done() == (seconds > limit)
        if room._failed.done():
            assert now() == pytest.approx(limit)
            assert room._failed.exception().code is Exit.NOT_CONFIRMED
        came_back.cancel()
        await end(watching)

    for seconds in (0, MOMENT, limit - MOMENT, limit + MOMENT, NEVER):
        in_virtual_time(is_waited_for(seconds))
    figure(f"limits: a script gives up its texts to who is away for {limit:g} s")


# Files.


@pytest.mark.attack(26)
def test_who_sends_files_calls_again(monkeypatch: pytest.MonkeyPatch, figure: Figure) -> None:
    async def comes_back(seconds: float) -> bool:
        async def call_again(*_: object) -> str:
            await asyncio.sleep(seconds)
            return "again"

        monkeypatch.setattr(send, "call_again", call_again)
        profile: Any = None
        try:
            return await send._call_again(contact(), profile, Truncated("cut")) == "again"  # type: ignore[no-any-return]
        except CliError as error:
            if error.code is not Exit.NETWORK:
                raise
            return False

    check_deadline(transfer.RETURN_TIMEOUT, comes_back)
    figure(f"limits: who sends files calls again for {transfer.RETURN_TIMEOUT:g} s")


@pytest.mark.attack(26)
def test_who_receives_files_waits_for_the_sender_to_return(
    monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    async def comes_back(seconds: float) -> bool:
        async def lose_the_sender(waiting: Waiting, *_: object) -> int:
            waiting._wait_for_return(Truncated("cut"))

            def finish() -> None:
                waiting._stop_waiting_for_return()
                waiting._end(None)

            asyncio.get_running_loop().call_later(seconds, finish)
            waiting._listener = SimpleNamespace(close=lambda: asyncio.sleep(0))
            return 1

        monkeypatch.setattr(Waiting, "begin", lose_the_sender)
        identity = SimpleNamespace(words=("word",), id="id")
        book = SimpleNamespace(read=ContactBook, identity=identity)
        profile: Any = SimpleNamespace(book=book, output=Output(as_json=True))
        try:
            await receive.receive(profile, ".", "127.0.0.1", 0, peer=None, yes=True, as_json=True)
        except CliError as error:
            if error.code is not Exit.NETWORK:
                raise
            return False
        return True

    async def at_once(call: Callable[[], object]) -> object:
        return call()

    monkeypatch.setattr(receive, "in_thread", at_once)
    check_deadline(transfer.RETURN_TIMEOUT, comes_back)
    figure(f"limits: who receives files waits {transfer.RETURN_TIMEOUT:g} s for the sender")


# What is shown.


class SlowScreen:
    """Takes so many seconds to show a line."""

    redraws = True

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.shown: list[object] = []

    async def __aenter__(self) -> SlowScreen:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def show(self, line: object) -> None:
        await asyncio.sleep(self._seconds)
        self.shown.append(line)


@pytest.mark.attack(26)
def test_the_last_lines_of_a_chat(monkeypatch: pytest.MonkeyPatch, figure: Figure) -> None:
    async def is_shown(seconds: float) -> bool:
        slow = SlowScreen(seconds)
        monkeypatch.setattr(screen, "open_screen", lambda *_, **__: slow)
        view = View(Output(as_json=False))
        view.person = True
        async with view:
            view.delivered("the last line", 0)
        await asyncio.sleep(0)
        return len(slow.shown) == 1

    check_deadline(views.LAST_LINES, is_shown)
    figure(f"limits: the last lines of a chat have {views.LAST_LINES:g} s to be shown")


class Writer:
    """A thread that writes for so many seconds, by a clock of its own."""

    now = 0.0
    takes = 0.0

    def __init__(self, target: Callable[[bytes], None], args: tuple[bytes], **_: Any) -> None:
        self._ends = Writer.now + Writer.takes
        self._target, self._args = target, args

    def start(self) -> None:
        self._target(*self._args)

    def is_alive(self) -> bool:
        return bool(Writer.now < self._ends)

    def join(self, timeout: float) -> None:
        Writer.now = min(self._ends, Writer.now + timeout)


@pytest.mark.attack(26)
def test_what_is_to_be_said_while_stderr_is_stuck(
    monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    def said(takes: float) -> list[str]:
        written: list[bytes] = []
        monkeypatch.setattr(output, "_write_stderr", written.append)
        Writer.now, Writer.takes = 0.0, takes
        out = Output(as_json=True)
        out.status("answer", "", text="first")
        assert Writer.now == min(takes, limit)
        out.status("answer", "", text="meanwhile")
        Writer.now = 2 * takes
        out.status("answer", "", text="last")
        return [json.loads(line)["text"] for line in written]

    limit = output.STDERR_PATIENCE
    monkeypatch.setattr(output, "threading", SimpleNamespace(Thread=Writer))
    for takes in (0, limit - MOMENT, limit):
        assert said(takes) == ["first", "meanwhile", "last"]
    for takes in (limit + MOMENT, NEVER):
        assert said(takes) == ["first", "last"]
    figure(
        f"limits: while something takes more than {limit:g} s to say, what else comes is dropped"
    )


# The demonstration.


class Process:
    """It tells its port after so many seconds, and ends so many after it should."""

    returncode: int | None = None

    def __init__(self, *, starts: float = 0, ends: float = 0) -> None:
        self._starts = starts
        self._ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.stdin = SimpleNamespace(close=lambda: loop.call_later(ends, self._end, 0))
        self.stdout = SimpleNamespace(readline=self._readline)

    async def _readline(self) -> bytes:
        await asyncio.sleep(self._starts)
        return b"4567\n"

    async def wait(self) -> None:
        await self._ended.wait()

    def kill(self) -> None:
        self._end(-9)

    def _end(self, code: int) -> None:
        self.returncode = code if self.returncode is None else self.returncode
        self._ended.set()


@pytest.mark.attack(26)
def test_the_other_process_of_the_demonstration(
    monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    async def run(process: Process) -> Process:
        async def create(*_: object, **__: object) -> Process:
            return process

        monkeypatch.setattr(asyncio, "create_subprocess_exec", create)
        async with demo._peer_process() as port:
            assert port == 4567
        return process

    async def starts(seconds: float) -> bool:
        try:
            await run(Process(starts=seconds))
        except CliError as error:
            if error.code is not Exit.INTERNAL:
                raise
            return False
        return True

    async def ends(seconds: float) -> bool:
        return (await run(Process(ends=seconds))).returncode == 0

    check_deadline(demo.PEER_TIMEOUT, starts)
    check_deadline(demo.PEER_TIMEOUT, ends)
    figure(f"limits: the demo's other process has {demo.PEER_TIMEOUT:g} s to start, and to end")
