"""Target: everything that reads a message. It gives a message that encodes to the same bytes, or
raises MalformedMessage; and the second client's decoder is of the same opinion.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

from e2ee.errors import MalformedMessage, UnexpectedMessage
from e2ee.file_messages import Chunk, decode_file_message, encode_chunk
from e2ee.messages import (
    Certificate,
    CodePayload,
    HandshakePayload,
    KnownPayload,
    Unsupported,
    WireModel,
    decode,
    decode_chat,
    decode_control,
    encode,
)
from e2ee.pipe_messages import decode_pipe

from . import second


def read(decoder: Callable[[bytes], Any], data: bytes) -> WireModel | None:
    """The model that this gives, which encodes to the same bytes; None where it is refused."""
    try:
        message: WireModel = decoder(data)
    except MalformedMessage:
        return None
    assert encode(message) == data
    for form in other_forms(data):
        with contextlib.suppress(MalformedMessage):
            decoder(form)
            raise AssertionError(f"another form of a message is read: {form!r}")
    return message


def other_forms(data: bytes) -> list[bytes]:
    """The same JSON written otherwise."""
    value = json.loads(data)
    forms = (
        json.dumps(value).encode(),
        json.dumps(value, ensure_ascii=False, indent=0).encode(),
        data + b" ",
        data.replace(b"a", b"\\u0061", 1),
    )
    return [form for form in forms if form != data]


def agree(message: WireModel | None, other: dict[str, Any] | None) -> None:
    """Both have refused it, or read the same."""
    values = None
    if message is not None:
        values = {
            name: list(value) if isinstance(value, tuple) else value for name, value in message
        }
    assert values == other, f"two decoders disagree: {message!r}, {other!r}"


def messages(data: bytes) -> None:
    agree(read(decode_control, data), second.of_kind(data, second.CONTROL))
    _files(data)
    _chat(data)
    _pipe(data)
    if data.startswith(b'{"c'):
        payloads: tuple[tuple[type[WireModel], second.Members], ...] = (
            (HandshakePayload, second.PAYLOAD),
            (KnownPayload, {**second.PAYLOAD, "sequence": second.CHAT["resume"]["received"]}),
            (CodePayload, {**second.PAYLOAD, "nonce": second.CERTIFICATE["identity"]}),
        )
        for model, described in payloads:
            _agree_on(model, described, data)
    elif data.startswith(b'{"v'):
        _agree_on(Certificate, second.CERTIFICATE, data)


def _agree_on(model: type[WireModel], described: second.Members, data: bytes) -> None:
    agree(read(lambda text: decode(model, text), data), second.members(data, described))


def _chat(data: bytes) -> None:
    try:
        message = decode_chat(data)
    except MalformedMessage:
        assert not second.is_unsupported_chat(data)
        agree(None, second.of_kind(data, second.CHAT))
        return
    if isinstance(message, Unsupported):
        assert second.is_unsupported_chat(data)
        assert message.data == data
        return
    assert encode(message) == data
    agree(message, second.of_kind(data, second.CHAT))


def _files(data: bytes) -> None:
    if data[:1] == b"{":
        agree(read(decode_file_message, data), second.of_kind(data, second.FILES))
        return
    try:
        chunk = decode_file_message(data)
    except MalformedMessage:
        return
    assert isinstance(chunk, Chunk)
    assert encode_chunk(chunk.transfer, chunk.offset, chunk.data) == data


def _pipe(data: bytes) -> None:
    try:
        message = decode_pipe(data)
    except (MalformedMessage, UnexpectedMessage):
        return
    if isinstance(message, memoryview):
        assert b"\2" + message == data
    else:
        assert encode(message) == data
