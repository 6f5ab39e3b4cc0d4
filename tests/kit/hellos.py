"""Cases of the first message of each side: SPEC.md section 11.2."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .pipes import END, WRITTEN, leave
from .script import MALFORMED, UNEXPECTED, Script, event, send
from .second_client import second
from .stage import secret

OTHERS = [f"x-{number}" for number in range(8)]


def hello(*purposes: str) -> bytes:
    message: bytes = second.encode(kind="hello", purposes=list(purposes))
    return message


def _side(role: str, *purposes: str) -> Script:
    script = Script("hello").given("role", role).given("purposes", *purposes)
    return script.at_first(send(hello(*purposes)))


def cases() -> Iterator[Case]:
    agreed: dict[str, tuple[str, list[str], list[str], str]] = {
        "same": ("initiator", ["pipe"], ["pipe"], "pipe"),
        "own_dearest": ("initiator", ["files", "chat"], ["chat", "files"], "files"),
        "own_second": ("initiator", ["files", "chat"], ["pipe", "chat"], "chat"),
        "peers_dearest": ("responder", ["files", "chat"], ["chat", "files"], "chat"),
        "peers_second": ("responder", ["files", "chat"], ["pipe", "files"], "files"),
        "names_not_known": ("responder", ["chat"], ["x-1._", "chat"], "chat"),
        "seven_names_not_known": ("responder", ["chat"], [*OTHERS[:7], "chat"], "chat"),
        "seven_names_not_known_there": ("initiator", ["chat"], [*OTHERS[:7], "chat"], "chat"),
        "name_twice": ("responder", ["chat"], ["pipe", "pipe", "chat", "chat"], "chat"),
    }
    for name, (role, own, peers, purpose) in agreed.items():
        about = "The first of the initiator's that the responder has, too."
        made = _side(role, *own).receive(hello(*peers), event("purpose", purpose))
        yield made.case(name, "11.2", about)
    other = (send(leave("purpose")), event("closed"))
    for role in ("initiator", "responder"):
        yield (
            _side(role, "chat", "files")
            .receive(hello("pipe"), *other)
            .case(f"other_purpose_{role}", "11.2", "The two have none in common.")
        )
        yield (
            _side(role, "chat")
            .receive(hello(*OTHERS), *other)
            .case(f"no_purpose_known_{role}", "11.2", "No name of the peer's is known.")
        )
        for what, message in _UNEXPECTED.items():
            made = _side(role, "chat", "files", "pipe").receive(message, UNEXPECTED)
            yield made.case(f"{what}_{role}", "11.2", "The first message is no hello.")
        for what, message in _MALFORMED.items():
            made = _side(role, "chat", "files", "pipe").receive(message, MALFORMED)
            yield made.case(f"{what}_{role}", "11.2", "The first message is no hello.")
        yield (
            _side(role, "chat")
            .act("end", then=(("fail", "truncated"),))
            .case(f"end_{role}", "11.2", "The peer closes without a word.")
        )


_UNEXPECTED = {
    "stream": second.encode(kind="stream", id=secret("their stream")[:16], first=1),
    "text": second.chat_text(1, "a"),
    "name": second.encode(kind="name", name="Zoë"),
    "leave": leave("left"),
    "pipe_end": END,
    "pipe_written": WRITTEN,
    "kind_not_known": b'{"kind":"wave"}',
}
_MALFORMED = {
    "data_of_a_pipe": b"\2a",
    "data_of_a_file": b"\1" + bytes(24) + b"a",
    "empty": b"",
}
