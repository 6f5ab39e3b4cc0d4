"""What a file costs a chat on the same channel: over TCP, with and without, by its size."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from e2ee import Identity, Padding, Session
from e2ee.contacts import ContactBook
from e2ee.conversation import TextReceived
from e2ee.file_events import Offered
from e2ee.journal import MemoryJournal
from e2ee.transport import Channel, tcp
from e2ee_cli.correspondent import Correspondent
from e2ee_cli.file_desk import FileDesk
from e2ee_cli.outgoing_files import outgoing
from e2ee_cli.transfer import Row

TEXTS = 100
MIB = 2**20


class End:
    """One program: a chat and files with the other on one channel."""

    def __init__(self, identity: Identity, channel: Channel, folder: Path) -> None:
        self.arrived: asyncio.Queue[float] = asyncio.Queue()
        self.rows: list[Row] = []
        contact = ContactBook().meet(channel.peer, "meeting", time.time())
        self.correspondent = Correspondent(MemoryJournal(), show=self._show, tell=lambda _: None)
        self.desk = FileDesk(
            identity, contact, folder=str(folder), ask=self._yes, on_end=self.rows.append
        )
        self.task = asyncio.create_task(
            self.correspondent.converse(channel, files=self.desk.open())
        )

    async def _show(self, text: TextReceived, written: Callable[[], None]) -> None:
        self.arrived.put_nowait(time.perf_counter() - float(text.body))
        written()

    async def _yes(self, _row: Row, _offer: Offered) -> bool:
        return True


async def pair(folder: Path) -> tuple[End, End, tcp.Listener]:
    alice, bob = Identity.generate(), Identity.generate()
    ends: list[End] = []
    come = asyncio.Event()

    async def on_channel(channel: Channel) -> None:
        ends.append(End(bob, channel, folder))
        come.set()
        await asyncio.wait({ends[0].task})

    listener = await tcp.listen(
        lambda: Session.responder(bob, padding=Padding.CHAT), on_channel, host="127.0.0.1"
    )
    session = Session.initiator(alice, padding=Padding.CHAT)
    channel = await tcp.connect("127.0.0.1", listener.port, session)
    here = End(alice, channel, folder)
    await come.wait()
    return here, ends[0], listener


def rows_of(end: End) -> list[Row]:
    return end.desk.transfer.rows if end.desk.transfer else []


async def delays(folder: Path, size: int) -> tuple[list[float], float]:
    """Milliseconds that each text took to the other program, and the share of the file that was
    there when the last had come.
    """
    target = folder / "in"
    target.mkdir(exist_ok=True)
    here, there, listener = await pair(target)
    if size:
        file = folder / f"{size}.bin"
        file.write_bytes(os.urandom(MIB) * (size // MIB))
        here.desk.wish(str(file), outgoing(str(file)))
        async with asyncio.timeout(30):
            while not any(row.done for row in rows_of(here)):  # noqa: ASYNC110 -- no event tells
                await asyncio.sleep(0.001)
    taken = []
    for _ in range(TEXTS):
        here.correspondent.say([str(time.perf_counter())])
        async with asyncio.timeout(30):
            taken.append(1000 * await there.arrived.get())
        await asyncio.sleep(0.005)
    rows = rows_of(here)
    share = rows[0].done / rows[0].size if rows else 1.0
    if size:
        async with asyncio.timeout(100):
            await here.desk.all_sent()
        assert [row.error for row in there.rows] == [None]
    await here.correspondent.leave()
    await asyncio.wait({here.task, there.task})
    await listener.close()
    return taken, share


def test_a_line_of_the_chat_waits_for_no_file(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    for size in (0, 96 * MIB, 288 * MIB):
        taken, share = asyncio.run(delays(tmp_path, size))
        taken.sort()
        what = f"beside a file of {size // MIB} MiB" if size else "alone"
        figure(
            f"chat line {what}: median {statistics.median(taken):.1f} ms, 99th percentile "
            f"{taken[int(len(taken) * 0.99)]:.1f} ms"
            + (f" ({share:.0%} of the file had gone when the last line came)" if size else "")
        )
        assert len(taken) == TEXTS
