"""The package's chat on one channel as the side under test, and the memory behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from unittest import mock

from e2ee import ProtocolError
from e2ee.conversation import (
    ChatEvent,
    Conversation,
    Introduced,
    PeerLeft,
    StreamOpened,
    TextReceived,
    TextsDelivered,
)
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.messages import Unsupported

from .case import Case, Step
from .real_readers import NAMES


def _told(event: ChatEvent) -> str:
    match event:
        case TextReceived(stream, number, body):
            return f"text {stream.hex()} {number} {body.encode().hex()}".rstrip()
        case TextsDelivered(ids):
            return f"delivered {ids[0]} {ids[-1]}"
        case StreamOpened(stream):
            return f"stream {stream.hex()}"
        case Introduced(name):
            return f"name {name.encode().hex()}"
        case PeerLeft(reason):
            return f"left {reason}"
        case Unsupported(kind, _):
            return f"unsupported {kind}"


class RealChat:
    """A conversation, whose journal is as the case says and draws what it says."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.journal: MemoryJournal
        self.chat: Conversation
        self.room: int | None = None

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        names = [bytes.fromhex(name) for name in self.case.all("own-stream")]
        drawn = mock.Mock()
        drawn.token_bytes = lambda _: names.pop(0)
        with mock.patch("e2ee.journal.secrets", drawn):
            yield

    def do(self, action: str, value: str) -> Step:
        """What came of one action."""
        events: tuple[str, ...] = ()
        try:
            if action == "receive":
                event = self.chat.receive(bytes.fromhex(value))
                events = () if event is None else (_told(event),)
            elif action == "call":
                self._call(*value.split())
            else:
                self._start()
        except ProtocolError as error:
            return Step(action, value, (), (), NAMES[type(error)])
        return Step(action, value, events, self._sent(), None)

    def _sent(self) -> tuple[bytes, ...]:
        sent = tuple(islice(iter(self.chat.next_message, None), self.room))
        if self.room is not None:
            self.room -= len(sent)
        return sent

    def _start(self) -> None:
        self.journal = MemoryJournal()
        for _ in range(int(self.case["confirmed"])):
            self._say("")
        self.journal.confirm(self.journal.next_id() - 1)
        for body in self.case.all("own-text"):
            self._say(bytes.fromhex(body).decode())
        for line in self.case.all("heard"):
            stream, number = line.split()
            self.journal.hear(bytes.fromhex(stream), int(number))
        self.chat = Conversation(self.journal)

    def _say(self, body: str) -> None:
        self.journal.add(Outgoing(self.journal.next_id(), body, 0))

    def _call(self, what: str, *rest: str) -> None:
        match what, *rest:
            case ["begin"]:
                self.chat.begin()
            case ["say", body]:
                self._say(bytes.fromhex(body).decode())
            case ["shown", stream, number]:
                self.chat.shown(TextReceived(bytes.fromhex(stream), int(number), ""))
            case ["introduce", name]:
                self.chat.introduce(bytes.fromhex(name).decode())
            case ["leave", reason]:
                self.chat.leave(reason)
            case ["room", count]:
                self.room = int(count)
            case ["delivered-elsewhere", body]:
                self._say(bytes.fromhex(body).decode())
                self.journal.confirm(self.journal.next_id() - 1)
            case ["renewed-elsewhere"]:
                self.journal.restart()
            case _:
                raise AssertionError(what)
