"""Finding records in a stream of bytes, and messages in a stream of contents.

SPEC.md sections 9.1 (records) and 9.4 (messages).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from e2ee.errors import InvalidLength, MessageTooLarge, UnexpectedMessage
from e2ee.events import Event, MessageReceived
from e2ee.limits import MIN_RECORD_LENGTH

RECORD_PREFIX_LENGTH = 2
MESSAGE_PREFIX_LENGTH = 4

SMALL_CHUNK_LENGTH = 4096
"""Bytes up to which a copy of a part costs less than a view of it."""

LARGE_PART_LENGTH = 32 * 1024
"""Bytes from which a part of a message is kept with the record that it came in, at most twice as
long, until the message is whole; smaller ones are copied."""

_unpack_record_prefix_from = struct.Struct(">H").unpack_from
_unpack_message_prefix_from = struct.Struct(">L").unpack_from


class RecordReader:
    """Cuts a stream of bytes into sealed records, whatever chunks it comes in.

    Each byte is copied at most once: only what a chunk's border cuts is kept.
    """

    __slots__ = ("_ended", "_partial")

    def __init__(self) -> None:
        self._partial = bytearray()
        self._ended = False

    def read(
        self,
        data: bytes | memoryview,
        take: Callable[[bytes | memoryview, list[Event]], None],
        events: list[Event],
    ) -> None:
        """Have each record taken that this chunk completes.

        Raises InvalidLength, UnexpectedMessage, and what ``take`` raises.
        """
        at, end = 0, len(data)
        data = memoryview(data) if end > SMALL_CHUNK_LENGTH else bytes(data)
        while self._partial and at < end:
            missing = self._missing()
            self._partial += data[at : at + missing]
            at += missing
            if not self._missing():
                record, self._partial = self._partial, bytearray()
                take(memoryview(record)[RECORD_PREFIX_LENGTH:], events)
        while end - at >= RECORD_PREFIX_LENGTH and not self._ended:
            (length,) = _unpack_record_prefix_from(data, at)
            if length < MIN_RECORD_LENGTH:
                raise _too_short()
            record_end = at + RECORD_PREFIX_LENGTH + length
            if record_end > end:
                break
            take(data[at + RECORD_PREFIX_LENGTH : record_end], events)
            at = record_end
        if at < end:
            if self._ended:
                raise UnexpectedMessage("bytes came after the peer's close")
            self._partial += data[at:]

    def expect_no_more(self) -> None:
        """Refuse every byte from here on, those of the present chunk too."""
        self._ended = True

    def _missing(self) -> int:
        """Bytes still missing to the partial record's prefix, or to its end."""
        have = len(self._partial)
        if have < RECORD_PREFIX_LENGTH:
            return RECORD_PREFIX_LENGTH - have
        (length,) = _unpack_record_prefix_from(self._partial)
        if length < MIN_RECORD_LENGTH:
            raise _too_short()
        return RECORD_PREFIX_LENGTH + int(length) - have


def _too_short() -> InvalidLength:
    return InvalidLength(f"a record has at least {MIN_RECORD_LENGTH} bytes")


class MessageReader:
    """Puts application messages together from the contents of data records."""

    __slots__ = ("_max_size", "_missing", "_partial", "_prefix")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._prefix = b""
        self._missing: int | None = None
        """Bytes to the end of the present message; None while its prefix is incomplete."""
        self._partial: list[bytearray | memoryview] = []
        """Its parts, small ones put together: a peer may send a message in records of one byte."""

    @property
    def is_between_messages(self) -> bool:
        return self._missing is None and not self._prefix

    def read(self, data: bytes, at: int, end: int, events: list[Event]) -> None:
        """Append the messages that the content from ``at`` to ``end`` completes.

        Raises MessageTooLarge before it buffers.
        """
        while at < end:
            missing = self._missing
            if missing is None:
                if self._prefix or end - at < MESSAGE_PREFIX_LENGTH:
                    wanted = MESSAGE_PREFIX_LENGTH - len(self._prefix)
                    self._prefix += data[at : min(at + wanted, end)]
                    at += wanted
                    if len(self._prefix) < MESSAGE_PREFIX_LENGTH:
                        return
                    (missing,) = _unpack_message_prefix_from(self._prefix)
                    self._prefix = b""
                else:
                    (missing,) = _unpack_message_prefix_from(data, at)
                    at += MESSAGE_PREFIX_LENGTH
                if missing > self._max_size:
                    raise MessageTooLarge(
                        f"the peer sent a message above the limit of {self._max_size} bytes"
                    )
            message_end = at + missing
            if message_end > end:
                self._keep(memoryview(data)[at:end])
                self._missing = message_end - end
                return
            message = data[at:message_end]
            if self._partial:
                message = b"".join((*self._partial, message))
                self._partial = []
            self._missing = None
            at = message_end
            events.append(MessageReceived(message))

    def _keep(self, part: memoryview) -> None:
        if len(part) >= LARGE_PART_LENGTH:
            self._partial.append(part)
        elif part:
            if not self._partial or type(self._partial[-1]) is memoryview:
                self._partial.append(bytearray())
            self._partial[-1] += part  # type: ignore[operator]
