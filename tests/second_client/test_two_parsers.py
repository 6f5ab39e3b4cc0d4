"""The parsers of the package and of the second client take, and refuse, the very same bytes.

SPEC.md sections 5, 6, 9.5 and 11.1. The second ones were written from the document alone; two that
differ are what smuggling lives on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2ee.errors import MalformedMessage
from e2ee.messages import (
    Certificate,
    HandshakePayload,
    Unsupported,
    WireModel,
    decode,
    decode_chat,
    decode_control,
)
from tests.second_client import client

MEMBERS: dict[str, dict[str, type]] = {
    "certificate": client.CERTIFICATE,
    "payload": {"certificate": bytes, "signature": bytes},
    **{kind: {"kind": str, **members} for kind, members in client.CONTROLS.items()},
    **{kind: {"kind": str, **members} for kind, members in client.CHAT.items()},
}
"""Every message that there is: its members, in order."""

TEXTS = [
    "",
    "left",
    "chat",
    "Left",
    "a" * 32,
    "a" * 33,
    "Zoë",
    'a"b\\',
    "\n\x00\x1f\x7f",
    "🎈" * 64,
]
NUMBERS = [0, 1, 2, 2**31, 2**53 - 1, 2**53, -1, 2**64]
BYTES = [bytes(16), bytes(32), b"\xff" * 64, b"", b"a", bytes(15), bytes(33), bytes(4096)]
BYTES += [bytes(4097), bytes(300), bytes(301)]
OTHERS: list[Any] = [None, True, 1.0, 1.5, [], {}, ["chat"], ["Chat"], ["chat"] * 9, [1]]

values = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.sampled_from(BYTES).map(client.b64),
    st.sampled_from(OTHERS),
    st.text(max_size=70),
    st.integers(),
)
RIGHT: dict[type, st.SearchStrategy[Any]] = {
    str: st.sampled_from(TEXTS) | st.text(max_size=70),
    int: st.sampled_from(NUMBERS) | st.integers(0, 2**53),
    bytes: st.sampled_from(BYTES).map(client.b64),
    list: st.lists(st.sampled_from(["chat", "pipe", "files", "a.b-c_1", "A", ""]), max_size=9),
}


SIZES = {"id": 16, "identity": 32, "static_key": 32, "signature": 64, "message": 9}


def right(name: str, type_: type) -> st.SearchStrategy[Any]:
    """A value that is taken, most often."""
    if name in SIZES and type_ is bytes:
        return st.just(client.b64(bytes(SIZES[name]))) | RIGHT[bytes]
    return {"version": st.just(1), "reason": st.just("left") | RIGHT[str]}.get(name, RIGHT[type_])


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """A message, most often with something wrong: in a value, a member, the order, the text."""
    kind = draw(st.sampled_from(sorted(MEMBERS)))
    message: dict[str, Any] = {
        name: kind if name == "kind" else draw(right(name, type_))
        for name, type_ in MEMBERS[kind].items()
    }
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        name = draw(st.sampled_from([*message, "id", "kind", "more"]))
        if draw(st.booleans()):
            message[name] = draw(values)
        else:
            message.pop(name, None)
    members = list(message.items())
    if draw(st.sampled_from([True, False, False, False])):
        members = draw(st.permutations(members))
    separators = draw(st.sampled_from([(",", ":")] * 6 + [(", ", ":"), (",", ": ")]))
    text = json.dumps(
        dict(members),
        ensure_ascii=draw(st.sampled_from([False] * 6 + [True])),
        separators=separators,
    )
    data = text.encode()
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(data)))
        inserted = draw(st.sampled_from([b"", b" ", b"\n", b"\0", b"\xff", b"\\u0061", b"0", b'"']))
        data = data[:at] + inserted + data[at + draw(st.integers(0, 1)) :]
    return data


def package(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parse(data: bytes) -> Any:
        try:
            message = read(data)
        except MalformedMessage:
            return "refused"
        if isinstance(message, Unsupported):
            return "unsupported"
        assert isinstance(message, WireModel)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in message}

    return parse


def second(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parse(data: bytes) -> Any:
        try:
            return read(data) or "unsupported"
        except (ValueError, RecursionError):
            return "refused"

    return parse


def read_certificate(data: bytes) -> dict[str, Any]:
    members = client.decode(data, client.CERTIFICATE)
    client.need(members["version"] == 1, "version")
    client.need(len(members["identity"]) == len(members["static_key"]) == 32, "sizes")
    return members


def read_payload(data: bytes) -> dict[str, Any]:
    members = client.decode(data, MEMBERS["payload"])
    client.need(len(members["certificate"]) <= 300 and len(members["signature"]) == 64, "sizes")
    return members


def read_control(data: bytes) -> dict[str, Any]:
    kind = client.kind_of(data)
    client.need(kind in client.CONTROLS, "unknown control message")
    members = client.decode(data, MEMBERS[kind])
    client.need(1 <= len(members.get("message", b"?")) <= 4096, "size of a refresh message")
    return members


PARSERS = {
    "certificate": (package(lambda d: decode(Certificate, d)), second(read_certificate)),
    "payload": (package(lambda d: decode(HandshakePayload, d)), second(read_payload)),
    "control": (package(decode_control), second(read_control)),
    "chat": (package(decode_chat), second(client.read_chat)),
}


GOOD: dict[type, Any] = {str: "left", int: 1, list: ["chat"], bytes: ""}


def one_wrong() -> Iterator[bytes]:
    """Each message that there is, with each value in the place of each member."""
    for kind, members in MEMBERS.items():
        good = {
            name: kind if name == "kind" else GOOD[type_] for name, type_ in members.items()
        } | {name: client.b64(bytes(size)) for name, size in SIZES.items() if name in members}
        if kind in ("text", "receipt"):
            good["id"] = 1
        if kind == "payload":
            good["certificate"] = client.b64(bytes(300))
        for name in members:
            for value in (good[name], *TEXTS, *NUMBERS, *map(client.b64, BYTES), *OTHERS):
                yield json.dumps(
                    good | {name: value}, ensure_ascii=False, separators=(",", ":")
                ).encode()


def agreed(data: bytes) -> Iterator[str]:
    for name, (one, other) in PARSERS.items():
        result = one(data)
        assert other(data) == result, (name, data)
        yield result if isinstance(result, str) else "taken"


@pytest.mark.attack(48)
def test_two_parsers_agree_on_each_value_of_each_member(figure: Callable[[str], None]) -> None:
    seen = Counter(result for data in one_wrong() for result in agreed(data))
    assert seen["taken"] > 100
    figure(
        f"two parsers: {seen.total():,} readings of messages with one value changed, "
        f"{seen['taken']:,} taken by both with the same values, none by only one"
    )


@pytest.mark.attack(48)
@pytest.mark.hypothesis
def test_two_parsers_never_differ(figure: Callable[[str], None]) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=settings().max_examples * 5,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
    )
    @given(texts())
    def agree(data: bytes) -> None:
        seen.update(agreed(data))

    agree()
    assert seen["taken"] > 10
    figure(
        f"two parsers: {seen.total():,} readings of generated messages, {seen['taken']:,} taken "
        "by both with the same values, none by only one"
    )
