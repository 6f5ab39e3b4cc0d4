"""What two ends of a pipe say: the messages of SPEC.md section 11.5, and their bytes."""

from __future__ import annotations

from typing import TypeAlias

from e2ee.errors import MalformedMessage, UnexpectedMessage
from e2ee.limits import MAX_CONTENT_LENGTH
from e2ee.messages import End, Leave, Written, decode_chat

MARK = 2
"""The first byte of a message that carries bytes of the pipe; they follow it."""

MAX_DATA = MAX_CONTENT_LENGTH - 4 - 1
"""65,511 bytes of the pipe in one message, which then fills one record."""

PipeMessage: TypeAlias = memoryview | End | Written | Leave


def decode_pipe(message: bytes) -> PipeMessage:
    """A message of a pipe, after the hellos; a memoryview for bytes of it.

    Raises MalformedMessage, UnexpectedMessage.
    """
    if message[:1] == bytes([MARK]):
        if not 1 < len(message) <= 1 + MAX_DATA:
            raise MalformedMessage(f"a message of a pipe has 1 to {MAX_DATA} bytes of it")
        return memoryview(message)[1:]
    decoded = decode_chat(message)
    if not isinstance(decoded, End | Written | Leave):
        raise UnexpectedMessage(f"the peer sent a {decoded.kind!r} in a pipe")
    return decoded
