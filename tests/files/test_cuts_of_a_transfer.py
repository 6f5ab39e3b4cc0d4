"""A file whose transfer is cut anywhere never gets its name; whole, it has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import Identity, Session
from e2ee.errors import TransportError, Truncated
from e2ee.transport import Channel, memory
from e2ee_cli.incoming_files import Inbox
from e2ee_cli.outgoing_files import outgoing
from e2ee_cli.transfer import Transfer

ALICE, BOB = Identity.generate(), Identity.generate()
CONTENT = bytes(range(256)) * 3


class CutStream:
    """Passes on so many bytes that are sent, and then ends, as a cut that looks like an end."""

    def __init__(self, stream: memory.MemoryStream, length: int | None) -> None:
        self._stream = stream
        self._left = length
        self.sizes: list[int] = []
        """Bytes of each call of ``send``."""

    async def receive(self) -> bytes:
        return await self._stream.receive()

    async def send(self, data: bytes) -> None:
        self.sizes.append(len(data))
        if self._left is None:
            await self._stream.send(data)
            return
        passed, self._left = data[: self._left], max(0, self._left - len(data))
        if passed:
            await self._stream.send(passed)
        if len(passed) < len(data) or not self._left:
            await self._stream.close()
            raise TransportError("cut")

    async def close(self) -> None:
        await self._stream.close()


async def hear(channel: Channel, transfer: Transfer, heard: list[bytes]) -> None:
    async for message in channel:
        heard.append(message)
        transfer.hear(message)


async def take(*_: object) -> bool:
    return True


async def send(stream: CutStream, path: str) -> None:
    channel = await Channel.open(stream, Session.initiator(ALICE))
    transfer = Transfer(None, take, lambda _: None, peer="bob")
    row = transfer.offer(path, outgoing(path))
    tasks = [
        asyncio.create_task(transfer.send_queue(channel)),
        asyncio.create_task(hear(channel, transfer, [])),
        asyncio.create_task(row.ended.wait()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await channel.close()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await channel.abort()
        await transfer.end()


async def receive(stream: memory.MemoryStream, folder: str, heard: list[bytes]) -> None:
    channel = await Channel.open(stream, Session.responder(BOB))
    inbox = Inbox(folder, BOB, ALICE.public_key)
    transfer = Transfer(inbox, take, lambda _: None, peer="alice")
    answering = asyncio.create_task(transfer.send_queue(channel))
    try:
        await hear(channel, transfer, heard)
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        await channel.abort()
        await transfer.end()
        inbox.close()


def transferred(folder: Path, length: int | None) -> tuple[list[int], bool]:
    """Send one file, of whose stream so many bytes arrive; without a length, all.

    Returns the sizes of what was sent, and whether the word came that the file is whole.
    """
    (folder / "in").mkdir(parents=True)
    (folder / "file").write_bytes(CONTENT)
    heard: list[bytes] = []

    async def run() -> list[int]:
        here, there = memory.pair()
        stream = CutStream(here, length)
        ends = send(stream, str(folder / "file")), receive(there, str(folder / "in"), heard)
        async with asyncio.timeout(60):
            results = await asyncio.gather(*ends, return_exceptions=True)
        errors = [result for result in results if result is not None]
        assert all(isinstance(error, TransportError | Truncated) for error in errors)
        assert bool(errors) == (length is not None)
        return stream.sizes

    sizes = asyncio.run(run())
    return sizes, any(message.startswith(b'{"kind":"file_end"') for message in heard)


def cut_at(tmp_path: Path, lengths: list[int]) -> str:
    """Cut the transfer after each of so many bytes; a file has its name only if it is whole."""
    named = 0
    for length in lengths:
        folder = tmp_path / str(length)
        _, whole = transferred(folder, length)
        there = folder / "in" / "file"
        assert there.exists() == whole
        assert not whole or there.read_bytes() == CONTENT
        named += whole
    return (
        f"cuts of a file's transfer: {len(lengths):,} places, {len(lengths) - named:,} before its "
        f"end, 0 of these with a file under its name; whole in the {named} after it"
    )


@pytest.fixture
def sizes(tmp_path: Path) -> list[int]:
    """Of all that a sender sends whose file arrives."""
    found, whole = transferred(tmp_path / "whole", None)
    assert whole
    assert (tmp_path / "whole" / "in" / "file").read_bytes() == CONTENT
    return found


@pytest.mark.attack(23)
def test_a_file_cut_around_each_record_never_gets_its_name(
    tmp_path: Path, sizes: list[int], figure: Callable[[str], None]
) -> None:
    ends = [sum(sizes[:count]) for count in range(1, len(sizes) + 1)]
    around = {end + more for end in ends for more in (-1, 0, 1, 20)}
    figure(cut_at(tmp_path, sorted(length for length in around if length < ends[-1])))


@pytest.mark.attack(23)
@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_file_cut_after_any_byte_never_gets_its_name(
    tmp_path: Path, sizes: list[int], figure: Callable[[str], None]
) -> None:
    figure(cut_at(tmp_path, [*range(sum(sizes))]))
