"""One case of the kit as text: lines ``key: value``. The format is described in README.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "cases"
FIRST_LINE = "e2ee test case, version 1"
ACTIONS = ("receive", "zeros", "call", "end")
"""What is done to the side under test; ``event``, ``send`` and ``fail`` say what follows."""


def data_of_zeros(line: str) -> bytes:
    """A message with data of a file: transfer, offset and number of its bytes, which are zeros."""
    transfer, offset, count = line.split()
    return b"\1" + bytes.fromhex(transfer) + int(offset).to_bytes(8, "big") + bytes(int(count))


@dataclass(frozen=True)
class Step:
    """An action and what must follow from it. The first action of a session is ``start``."""

    action: str
    value: str
    events: tuple[str, ...]
    sent: tuple[bytes, ...]
    """Messages of an application one by one; what a session sends is one piece."""
    failure: str | None


@dataclass
class Case:
    """``lines`` in their order: settings first, then what happens."""

    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Case:
        first, *rest = path.read_text("ascii").splitlines()
        assert first == FIRST_LINE
        name = path.relative_to(FOLDER).with_suffix("").as_posix()
        return cls(
            name, [(key, value.strip()) for key, _, value in (x.partition(":") for x in rest)]
        )

    def text(self) -> str:
        return "\n".join([FIRST_LINE, *(f"{k}: {v}".rstrip() for k, v in self.lines), ""])

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.lines if name == key]

    def get(self, key: str) -> str | None:
        """The value of a key that stands once, or not at all."""
        values = self.all(key)
        assert len(values) <= 1
        return values[0] if values else None

    def __getitem__(self, key: str) -> str:
        value = self.get(key)
        assert value is not None, key
        return value

    def octets(self, key: str) -> bytes:
        return bytes.fromhex(self[key])

    def steps(self) -> list[Step]:
        """What happens in a session, or on a channel."""
        steps: list[tuple[str, str, list[tuple[str, str]]]] = [("start", "", [])]
        for key, value in self.lines:
            if key in ACTIONS:
                steps.append((key, value, []))
            elif key == "send-zeros":
                steps[-1][2].append(("send", data_of_zeros(value).hex()))
            elif key in ("event", "send", "fail"):
                steps[-1][2].append((key, value))
        return [
            Step(
                action,
                value,
                tuple(text for key, text in after if key == "event"),
                tuple(bytes.fromhex(text) for key, text in after if key == "send"),
                next((text for key, text in after if key == "fail"), None),
            )
            for action, value, after in steps
        ]


def cases(folder: str = "") -> list[Case]:
    """All of the kit, or of one of its folders, by name."""
    return [Case.read(path) for path in sorted((FOLDER / folder).rglob("*.txt"))]
