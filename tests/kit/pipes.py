"""Cases of a channel for a pipe, after the hellos: SPEC.md section 11.5."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .script import MALFORMED, UNEXPECTED, Line, Script, event, send
from .second_client import second

END, WRITTEN = second.encode(kind="end"), second.encode(kind="written")
BROKEN = ("fail", "broken")


def leave(reason: str) -> bytes:
    message: bytes = second.encode(kind="leave", reason=reason)
    return message


def _data(content: bytes) -> bytes:
    return b"\2" + content


def cases() -> Iterator[Case]:
    yield from _states()
    yield from _whole_pipes()
    yield from _own_failures()


def _own_end(script: Script) -> Script:
    return script.call("end", then=(send(END),))


def _peers_end(script: Script) -> Script:
    return script.receive(END, event("end"), send(WRITTEN))


_NEW = Script("pipe")
_BOTH = _peers_end(_own_end(_NEW))
STATES = {
    "new": (_NEW, "Neither direction is at its end"),
    "own_end": (_own_end(_NEW), "The own direction is at its end"),
    "peers_end": (_peers_end(_NEW), "The peer's direction is at its end"),
    "both_ends": (_BOTH, "Both directions are at their end, the own one is not confirmed"),
    "confirmed": (_own_end(_NEW).receive(WRITTEN), "The own direction is at its end, confirmed"),
}


def _states() -> Iterator[Case]:
    """Each message between the beginning and the close."""
    open_states, ended = ("new", "own_end", "confirmed"), (event("end"), send(WRITTEN))
    messages: dict[str, tuple[bytes, dict[str, tuple[Line, ...]], Line]] = {
        "data": (
            _data(b"a"),
            dict.fromkeys(open_states, (event("data", b"a"),)),
            UNEXPECTED,
        ),
        "end": (
            END,
            {"new": ended, "own_end": ended, "confirmed": (*ended, event("closed"))},
            UNEXPECTED,
        ),
        "written": (WRITTEN, {"own_end": (), "both_ends": (event("closed"),)}, UNEXPECTED),
        "leave": (leave("output"), {}, BROKEN),
        "leave_for_a_reason_that_is_not_known": (leave("tired"), {}, BROKEN),
        "text": (second.chat_text(1, "a"), {}, UNEXPECTED),
        "kind_not_known": (b'{"kind":"wave"}', {}, UNEXPECTED),
        "hello": (second.encode(kind="hello", purposes=["pipe"]), {}, UNEXPECTED),
        "data_without_bytes": (_data(b""), {}, MALFORMED),
        "data_of_a_file": (b"\1" + bytes(24) + b"a", {}, MALFORMED),
    }
    for what, (message, taken, refusal) in messages.items():
        for state, (script, about) in STATES.items():
            outcome = taken.get(state, (refusal,))
            yield script.receive(message, *outcome).case(
                f"{what}_{state}", "11.5", f"{about}: {_WHAT[what]} comes."
            )
    for state, (script, about) in STATES.items():
        yield script.act("end", then=(BROKEN,)).case(
            f"session_ends_{state}", "11.5", f"{about}: the session ends."
        )


_WHAT = {
    "data": "a byte",
    "end": "an end",
    "written": "a confirmation",
    "leave": "a goodbye",
    "leave_for_a_reason_that_is_not_known": "a goodbye",
    "text": "a text of a chat",
    "kind_not_known": "a message of a kind that is not known",
    "hello": "another hello",
    "data_without_bytes": "data without a byte",
    "data_of_a_file": "data of a file",
}


def _whole_pipes() -> Iterator[Case]:
    yield (
        _NEW.call("send", b"in", then=(send(_data(b"in")),))
        .receive(_data(b"out"), event("data", b"out"))
        .receive(_data(b"\2\0"), event("data", b"\2\0"))
        .call("end", then=(send(END),))
        .receive(WRITTEN)
        .receive(_data(b"more"), event("data", b"more"))
        .receive(END, event("end"), send(WRITTEN), event("closed"))
        .case("both_ways", "11.5", "One direction goes on when the other is at its end.")
    )
    yield (
        _peers_end(_NEW)
        .call("send", b"in", then=(send(_data(b"in")),))
        .call("end", then=(send(END),))
        .receive(WRITTEN, event("closed"))
        .case("sent_behind_the_peers_end", "11.5", "The own direction goes on.")
    )


def _own_failures() -> Iterator[Case]:
    for reason in ("input", "stopped"):
        for state in ("new", "peers_end"):
            script, about = STATES[state]
            yield script.call("fail", reason, then=(send(leave(reason)), event("closed"))).case(
                f"own_leave_{reason}_{state}", "11.5", f"{about}: this side cannot go on."
            )
    yield (
        _NEW.call("fail", "output")
        .receive(_data(b"a"), send(leave("output")), event("closed"))
        .case("own_leave_output", "11.5", "Nobody takes what comes.")
    )
