"""The second client's chat as the side under test, where it can do what a case says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .case import Case, Step
from .second_client import ANY, bowl, second

UNKNOWN = ("room", "delivered-elsewhere", "renewed-elsewhere")
"""It has one channel at a time, and sends all that it has."""


def can_run(case: Case) -> bool:
    return not any(call.split()[0] in UNKNOWN for call in case.all("call"))


class _Chat(second.Chat):  # type: ignore[misc]
    """It says what it heard, and shows a text when it is told to."""

    def __init__(self, memory: Any) -> None:
        super().__init__(memory)
        self.greeted = True
        self.received = 0
        self.events: list[str] = []

    def _on_text(self, id: int, body: str) -> None:  # noqa: A002 -- the member's name
        second.need(self.hearing != b"" and id == self.received + 1, "texts come one by one")
        self.received = id
        self.events.append(f"text {self.hearing.hex()} {id} {body.encode().hex()}".rstrip())

    def shown(self, stream: bytes, number: int) -> None:
        self.memory.hear(stream, number)
        if stream == self.hearing:
            self.confirm(number)

    def _on_stream(self, id: bytes, first: int) -> None:  # noqa: A002
        super()._on_stream(id, first)
        self.events.append(f"stream {id.hex()}")

    def _on_name(self, name: str) -> None:
        self.events.append(f"name {name.encode().hex()}")

    def _on_leave(self, reason: str) -> None:
        super()._on_leave(reason)
        self.events.append(f"left {reason}")

    def _confirm(self, number: int) -> None:
        confirmed = [kept for kept in self.memory.texts if kept <= number]
        super()._confirm(number)
        if confirmed:
            self.events.append(f"delivered {confirmed[0]} {confirmed[-1]}")


class SecondChat:
    """The second client's chat under a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.chat: _Chat

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        with bowl.of([bytes.fromhex(name) for name in self.case.all("own-stream")]):
            yield

    def do(self, action: str, value: str) -> Step:
        """What came of one action."""
        try:
            if action == "receive":
                data = bytes.fromhex(value)
                self.chat.receive(data)
                if second.read_chat(data) is None:
                    self.chat.events.append(f"unsupported {second.kind_of(data)}")
            elif action == "call":
                self._call(*value.split())
            else:
                self._start()
        except (second.Failure, ValueError, KeyError):
            return Step(action, value, (), (), ANY)
        events, sent = tuple(self.chat.events), tuple(self.chat.out)
        self.chat.events, self.chat.out = [], []
        return Step(action, value, events, sent, None)

    def _start(self) -> None:
        memory = second.Memory()
        memory.next += int(self.case["confirmed"])
        for line in self.case.all("heard"):
            stream, number = line.split()
            memory.hear(bytes.fromhex(stream), int(number))
        self.chat = _Chat(memory)
        for body in self.case.all("own-text"):
            self.chat.say(bytes.fromhex(body).decode())

    def _call(self, what: str, *rest: str) -> None:
        match what, *rest:
            case ["begin"]:
                self.chat.begin_stream()
            case ["say", body]:
                self.chat.say(bytes.fromhex(body).decode())
            case ["shown", stream, number]:
                self.chat.shown(bytes.fromhex(stream), int(number))
            case ["introduce", name]:
                self.chat.introduce(bytes.fromhex(name).decode())
            case ["leave", _]:
                self.chat.leave()
            case _:
                raise AssertionError(what)
