"""Files beside a chat on one channel: who waits for whom, and what is left when it is cut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from e2ee import Identity, Session
from e2ee.errors import TransportError
from e2ee.file_messages import is_file_message
from e2ee.file_states import WINDOW
from e2ee.transport import Channel, memory
from e2ee_cli.file_trouble import FileTrouble
from e2ee_cli.incoming_files import Inbox, IncomingFile
from e2ee_cli.outgoing_files import outgoing
from e2ee_cli.transfer import Row, Transfer

ALICE, BOB = Identity.generate(), Identity.generate()


class Side:
    """One end: its files, and the texts that came between."""

    def __init__(self, channel: Channel, folder: Path, decide: Any = None) -> None:
        self.channel = channel
        self.texts: list[bytes] = []
        self.on_text: Callable[[bytes], None] = self.texts.append
        self.ended: list[Row] = []
        inbox = Inbox(str(folder), ALICE, b"p" * 32)
        self.transfer = Transfer(inbox, decide or self._yes, self.ended.append, peer="peer")
        self._tasks = [
            asyncio.create_task(self._hear()),
            asyncio.create_task(self.transfer.send_queue(channel)),
        ]

    async def _yes(self, *_: object) -> bool:
        return True

    async def _hear(self) -> None:
        async for message in self.channel:
            if is_file_message(message):
                self.transfer.hear(message)
            else:
                self.on_text(message)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.channel.abort()
        await self.transfer.end()


@contextlib.asynccontextmanager
async def connected(
    folder: Path, *, decide: Any = None, capacity: int = 65_536
) -> AsyncIterator[tuple[Side, Side, memory.MemoryStream]]:
    (folder / "in").mkdir(exist_ok=True)
    here, there = memory.pair(capacity=capacity)
    channels = await asyncio.gather(
        Channel.open(here, Session.initiator(ALICE)), Channel.open(there, Session.responder(BOB))
    )
    alice, bob = Side(channels[0], folder / "in"), Side(channels[1], folder / "in", decide)
    try:
        yield alice, bob, here
    finally:
        await alice.end()
        await bob.end()


def offer(side: Side, path: Path) -> Row:
    return side.transfer.offer(str(path), outgoing(str(path)))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 -- no event tells of it
            await asyncio.sleep(0.002)


def test_files_both_ways_at_once_with_texts_between(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}" for number in range(6)]
    for file in files:
        file.write_bytes(os.urandom(700_000))

    async def work() -> None:
        async with connected(tmp_path) as (alice, bob, _):
            rows = [offer((alice, bob)[n % 2], file) for n, file in enumerate(files)]
            for number in range(20):
                await alice.channel.send(b'{"text":%d}' % number)
                await asyncio.sleep(0)
            await asyncio.gather(*(row.ended.wait() for row in rows))
            await until(lambda: len(bob.texts) == 20)
            assert all(row.error is None for row in rows)

    asyncio.run(work())
    for file in files:
        assert (tmp_path / "in" / file.name).read_bytes() == file.read_bytes()


def test_a_disk_that_stalls_stops_the_sender_and_not_the_chat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(8 * WINDOW))
    free = threading.Event()
    really = IncomingFile.write

    def write(self: Any, offset: int, pieces: Any) -> None:
        free.wait(30)
        really(self, offset, pieces)

    monkeypatch.setattr(IncomingFile, "write", write)
    came = 0

    async def work() -> None:
        nonlocal came
        async with connected(tmp_path) as (alice, bob, _):
            row = offer(alice, big)
            receiving = bob.transfer._transfers.receiving
            await until(lambda: receiving._unacknowledged > WINDOW - 65_000)
            await alice.channel.send(b"a line")
            await until(lambda: bob.texts)
            came = receiving._unacknowledged
            free.set()
            await row.ended.wait()
            assert row.error is None

    asyncio.run(work())
    assert came <= WINDOW
    figure(f"a disk that stalls: {came:,} bytes came, and a line of the chat after them")


def test_a_line_of_the_chat_waits_behind_no_more_than_the_window(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(30 * WINDOW))
    behind: list[int] = []

    async def work() -> None:
        async with connected(tmp_path) as (alice, bob, _):
            row = offer(alice, big)
            receiving = bob.transfer._transfers.receiving
            await until(lambda: row.done > 5 * WINDOW)

            def come() -> int:
                (file,) = receiving._transfers.values()
                return int(file.hash.length)

            (sent,) = alice.transfer._transfers.sending._transfers.values()
            before = come()
            assert sent.sent < 30 * WINDOW
            bob.on_text = lambda _: behind.append(sent.sent - before)
            await alice.channel.send(b"a line")
            await until(lambda: behind)

    asyncio.run(work())
    # What went out before the line, and what went out after it until it was seen.
    figure(f"a line of the chat among {30 * WINDOW:,} bytes: seen {behind[0]:,} bytes later")
    assert behind[0] <= 2 * WINDOW


def test_a_cut_while_a_person_is_asked(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    asked = asyncio.Event()

    async def decide(*_: object) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    async def work() -> None:
        async with connected(tmp_path, decide=decide) as (alice, bob, stream):
            row = offer(alice, tmp_path / "a")
            await asked.wait()
            await stream.break_off()
            with pytest.raises(TransportError):
                await alice.channel.close()
            await bob.end()
            await alice.end()
            assert [row.name for row in bob.ended] == ["a"]
            assert "run the same command again" in str(row.error)

    asyncio.run(work())
    assert list((tmp_path / "in").iterdir()) == []


def test_a_peer_that_takes_its_offer_back_while_a_person_is_asked(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def decide(*_: object) -> bool:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return True

    async def work() -> None:
        async with connected(tmp_path, decide=decide) as (alice, bob, _):
            offer(alice, tmp_path / "a")
            await asked.wait()
            alice.transfer.cancel()
            await cancelled.wait()
            await until(lambda: bob.ended)
            assert "stopped it" in str(bob.ended[0].error)

    asyncio.run(work())
    assert list((tmp_path / "in").iterdir()) == []


def test_one_file_of_a_folder_that_fails_ends_the_folder_and_nothing_else(
    tmp_path: Path,
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(30):
        (tree / f"{number:02}").write_bytes(bytes(1000 + number))
    (tmp_path / "other").write_bytes(bytes(100_000))

    async def work() -> None:
        async with connected(tmp_path) as (alice, bob, _):
            disk = outgoing(str(tree))
            (tree / "20").write_text("changed")
            rows = [
                alice.transfer.offer(str(tree), disk),
                offer(alice, tmp_path / "other"),
            ]
            await asyncio.gather(*(row.ended.wait() for row in rows))
            assert isinstance(rows[0].error, FileTrouble)
            assert rows[0].error.reason == "changed"
            assert rows[1].error is None
            await until(lambda: len(bob.ended) == 2)
            await until(lambda: not alice.transfer._transfers.sending._transfers)
            assert not bob.transfer._transfers.receiving._transfers

    asyncio.run(work())
    assert (tmp_path / "in/other").exists()
    assert not (tmp_path / "in/tree").exists()


def test_a_folder_goes_on_after_a_cut_and_sends_no_file_twice(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(40):
        (tree / f"{number:02}").write_bytes(os.urandom(50_000))
    kept = 0

    async def cut() -> None:
        async with connected(tmp_path) as (alice, _, stream):
            row = offer(alice, tree)
            await until(lambda: row.done > 500_000)
            await stream.break_off()

    async def go_on() -> None:
        nonlocal kept
        async with connected(tmp_path) as (alice, bob, _):
            row = offer(alice, tree)
            await row.ended.wait()
            assert row.error is None
            assert row.done == row.size
            kept = row.kept
            assert bob.ended[0].kept == kept

    asyncio.run(cut())
    asyncio.run(go_on())
    assert kept >= 500_000
    assert {path.name: path.read_bytes() for path in (tmp_path / "in/tree").iterdir()} == {
        path.name: path.read_bytes() for path in tree.iterdir()
    }
    figure(f"a folder after a cut: {kept:,} of {40 * 50_000:,} bytes were not sent again")


def test_another_file_of_the_same_name_and_size_begins_anew(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"a" * 5_000_000)

    async def cut() -> None:
        async with connected(tmp_path) as (alice, _, stream):
            row = offer(alice, big)
            await until(lambda: row.done > 1_000_000)
            await stream.break_off()

    async def go_on() -> None:
        async with connected(tmp_path) as (alice, bob, _):
            row = offer(alice, big)
            await row.ended.wait()
            assert row.error is None
            assert (row.kept, bob.ended[0].kept) == (0, 0)

    asyncio.run(cut())
    big.write_bytes(b"b" * 5_000_000)
    asyncio.run(go_on())
    assert (tmp_path / "in/big").read_bytes() == b"b" * 5_000_000
