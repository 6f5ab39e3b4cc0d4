"""What happens on a channel in a case, and what must come of it: all of it written by hand."""

from __future__ import annotations

from dataclasses import dataclass

from .case import Case

Line = tuple[str, str]


def words(*parts: str | bytes | int) -> str:
    return " ".join(part.hex() if isinstance(part, bytes) else str(part) for part in parts)


def event(*parts: str | bytes | int) -> Line:
    """What the program is told. Texts and names are given as bytes."""
    return "event", words(*parts)


def send(message: bytes) -> Line:
    return "send", message.hex()


UNEXPECTED, MALFORMED = ("fail", "unexpected"), ("fail", "malformed")


@dataclass(frozen=True)
class Script:
    """``folder`` -- of the cases in which something is refused; their kind is the same word."""

    folder: str
    lines: tuple[Line, ...] = ()

    def given(self, key: str, *parts: str | bytes | int) -> Script:
        """A setting: what is known before anything happens."""
        return self._and((key, words(*parts)))

    def at_first(self, *outcome: Line) -> Script:
        """What is sent before anything has come."""
        return self._and(*outcome)

    def receive(self, message: bytes, *outcome: Line) -> Script:
        return self._and(("receive", message.hex()), *outcome)

    def call(self, *parts: str | bytes | int, then: tuple[Line, ...] = ()) -> Script:
        """What the program wants, or what it has done; ``then`` -- what comes of it."""
        return self._and(("call", words(*parts)), *then)

    def act(self, action: str, *parts: str | bytes | int, then: tuple[Line, ...] = ()) -> Script:
        return self._and((action, words(*parts)), *then)

    def _and(self, *lines: Line) -> Script:
        assert "fail" not in dict(self.lines), "nothing happens after a failure"
        return Script(self.folder, (*self.lines, *lines))

    def case(self, name: str, section: str, about: str) -> Case:
        refused = "fail" in dict(self.lines)
        path = f"{self.folder}/{name}" if refused else f"valid/{self.folder}_{name}"
        head = [("section", section), ("about", about), ("kind", self.folder)]
        return Case(path, [*head, *self.lines])
