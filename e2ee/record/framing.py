"""Finding records in a stream of bytes, and messages in a stream of contents.

SPEC.md sections 9.1 (records) and 9.4 (messages).
"""

from __future__ import annotations

from collections.abc import Iterator

from e2ee.errors import InvalidLength, MessageTooLarge, UnexpectedMessage
from e2ee.limits import MIN_RECORD_LENGTH

RECORD_PREFIX_LENGTH = 2
MESSAGE_PREFIX_LENGTH = 4


class RecordReader:
    """Cuts a stream of bytes into sealed records, whatever chunks it comes in.

    Each byte is copied at most once: only what a chunk's border cuts is kept.
    """

    __slots__ = ("_ended", "_partial")

    def __init__(self) -> None:
        self._partial = bytearray()
        self._ended = False

    def read(self, data: memoryview) -> Iterator[memoryview]:
        """The records that this chunk completes. Raises InvalidLength, UnexpectedMessage."""
        while self._partial and len(data):
            missing = self._missing()
            self._partial += data[:missing]
            data = data[missing:]
            if not self._missing():
                record, self._partial = self._partial, bytearray()
                yield memoryview(record)[RECORD_PREFIX_LENGTH:]
        while len(data) >= RECORD_PREFIX_LENGTH and not self._ended:
            end = RECORD_PREFIX_LENGTH + _record_length(data)
            if len(data) < end:
                break
            yield data[RECORD_PREFIX_LENGTH:end]
            data = data[end:]
        if self._ended and len(data):
            raise UnexpectedMessage("bytes came after the peer's close")
        self._partial += data

    def expect_no_more(self) -> None:
        """Refuse every byte from here on, those of the present chunk too."""
        self._ended = True

    def _missing(self) -> int:
        """Bytes still missing to the partial record's prefix, or to its end."""
        have = len(self._partial)
        if have < RECORD_PREFIX_LENGTH:
            return RECORD_PREFIX_LENGTH - have
        return RECORD_PREFIX_LENGTH + _record_length(self._partial) - have


def _record_length(data: bytearray | memoryview) -> int:
    length = int.from_bytes(data[:RECORD_PREFIX_LENGTH])
    if length < MIN_RECORD_LENGTH:
        raise InvalidLength(f"a record has at least {MIN_RECORD_LENGTH} bytes")
    return length


class MessageReader:
    """Puts application messages together from the contents of data records."""

    __slots__ = ("_max_size", "_missing", "_partial", "_prefix")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._prefix = b""
        self._missing: int | None = None
        """Bytes to the end of the present message; None while its prefix is incomplete."""
        self._partial = bytearray()
        """Not a list of parts: a peer may send a message in records of one byte."""

    @property
    def is_between_messages(self) -> bool:
        return self._missing is None and not self._prefix

    def read(self, content: memoryview) -> Iterator[bytes]:
        """The messages that this content completes. Raises MessageTooLarge before it buffers."""
        while True:
            if self._missing is None:
                wanted = MESSAGE_PREFIX_LENGTH - len(self._prefix)
                self._prefix += content[:wanted]
                content = content[wanted:]
                if len(self._prefix) < MESSAGE_PREFIX_LENGTH:
                    return
                self._missing = int.from_bytes(self._prefix)
                self._prefix = b""
                if self._missing > self._max_size:
                    raise MessageTooLarge(
                        f"the peer sent a message above the limit of {self._max_size} bytes"
                    )
            part = content[: self._missing]
            self._missing -= len(part)
            content = content[len(part) :]
            if self._missing or self._partial:
                self._partial += part
            if self._missing:
                return
            message = bytes(self._partial or part)
            self._partial = bytearray()
            self._missing = None
            yield message
            if not content:
                return
