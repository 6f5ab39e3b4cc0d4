"""The program's hello as the side under test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from e2ee import ProtocolError
from e2ee_cli.purpose import OtherPurpose, agree

from .case import Case, Step
from .memory_channel import MemoryChannel, settle
from .real_core import NAMES


class RealHello:
    """What the program says and hears first, over a channel in memory."""

    def __init__(self, case: Case) -> None:
        self.case, self.channel = case, MemoryChannel()
        self.loop = asyncio.new_event_loop()
        self.task: asyncio.Future[str] = self.loop.create_future()

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.task.cancel()
            self.loop.run_until_complete(asyncio.wait({self.task}))
            self.loop.close()

    def do(self, action: str, value: str) -> Step:
        """What came of one action."""
        self.channel.sent = []
        if action == "start":
            purposes, first = self.case["purposes"].split(), self.case["role"] == "initiator"
            self.task = self.loop.create_task(agree(self.channel, purposes, initiator=first))
        else:
            received = bytes.fromhex(value) if action == "receive" else None
            self.channel.arriving.put_nowait(received)
        settle(self.loop)
        events, failure = self._result() if self.task.done() else ([], None)
        if self.channel.closed:
            events.append("closed")
        return Step(action, value, tuple(events), tuple(self.channel.sent), failure)

    def _result(self) -> tuple[list[str], str | None]:
        try:
            return [f"purpose {self.task.result()}"], None
        except OtherPurpose:
            return [], None
        except ProtocolError as error:
            return [], NAMES[type(error)]
