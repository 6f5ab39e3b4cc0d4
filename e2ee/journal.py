"""What the conversation with one contact must not forget: texts of ours that the peer has not
confirmed, and what of the peer's was shown. SPEC.md section 18.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from e2ee.errors import UsageError
from e2ee.limits import MAX_KNOWN_TIME
from e2ee.messages import MAX_TEXT_LENGTH
from e2ee.random_numbers import drawn

STREAM_LENGTH = 16

MAX_STREAMS = 16
"""Streams of a contact that are remembered; the one that was heard longest ago is forgotten."""

MAX_TEXT_ID = MAX_KNOWN_TIME
"""The highest number of a text: JSON's largest exact integer."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text of ours that the peer has not confirmed.

    ``id`` -- from 1 to 2^53 - 1, counted within the stream. ``at`` -- seconds since 1970. Raises
    UsageError for values that cannot be kept.
    """

    id: int
    body: str
    at: float

    def __post_init__(self) -> None:
        check_id(self.id)
        check_time(self.at)
        # One that no message can carry would stop all that come after it.
        if len(encoded(self.body)) > MAX_TEXT_LENGTH:
            raise UsageError(f"a text has at most {MAX_TEXT_LENGTH:,} bytes of UTF-8")


class Journal(Protocol):
    """What the conversation with one contact must not forget, however the program ends.

    A call that changes something has it on disk when it returns, where there is a disk. One that
    raises has changed nothing.
    """

    @property
    def stream(self) -> bytes:
        """16 random bytes that name our numbering of texts, until ``restart``."""

    def next_id(self) -> int:
        """The id that the next text gets."""

    def add(self, text: Outgoing) -> None:
        """Keep a text, whose id is ``next_id()``. Raises UsageError for another id."""

    def unconfirmed(self, after: int = 0, limit: int = 100) -> list[Outgoing]:
        """At most ``limit`` texts with an id above ``after``, in order."""

    def count_unconfirmed(self) -> int: ...

    def confirm(self, up_to: int) -> None:
        """Forget the texts with an id up to this one. Raises UsageError for one that was not given
        yet."""

    def first_kept(self) -> int:
        """The lowest id that is not confirmed, or ``next_id()``."""

    def heard(self, stream: bytes) -> int:
        """The last id of this stream of the peer's that was shown; 0 where none was."""

    def hear(self, stream: bytes, up_to: int) -> None:
        """The texts of a stream of the peer's were shown up to this id; a lower one than before
        takes nothing back. The 16 streams that were heard last are kept. Raises UsageError for a
        stream that has not 16 bytes, or for no id of a text."""

    def restart(self) -> None:
        """Take a new random stream, in which the unconfirmed texts are numbered anew from 1, in
        order: for when the peer knows more of our stream than we do, because this is an old copy.
        """

    def together(self) -> AbstractContextManager[None]:
        """What is done within is on disk at its end, all at once, and costs as much as one call.
        Where it raises, nothing of it was done. May be nested."""


class MemoryJournal:
    """A Journal that ends with the program."""

    def __init__(self) -> None:
        self.stream = drawn(secrets.token_bytes, STREAM_LENGTH)
        self._texts: list[Outgoing] = []
        self._next = 1
        self._heard: dict[bytes, int] = {}

    def next_id(self) -> int:
        return self._next

    def add(self, text: Outgoing) -> None:
        check_next(text, self._next)
        self._texts.append(text)
        self._next += 1

    def unconfirmed(self, after: int = 0, limit: int = 100) -> list[Outgoing]:
        start = max(0, after + 1 - self.first_kept())
        return self._texts[start : start + limit]

    def count_unconfirmed(self) -> int:
        return len(self._texts)

    def confirm(self, up_to: int) -> None:
        check_given(up_to, self._next)
        del self._texts[: max(0, up_to + 1 - self.first_kept())]

    def first_kept(self) -> int:
        return self._next - len(self._texts)

    def heard(self, stream: bytes) -> int:
        return self._heard.get(stream, 0)

    def hear(self, stream: bytes, up_to: int) -> None:
        check_heard(stream, up_to)
        self._heard[stream] = max(up_to, self._heard.pop(stream, 0))
        if len(self._heard) > MAX_STREAMS:
            del self._heard[next(iter(self._heard))]

    def restart(self) -> None:
        self.stream = drawn(secrets.token_bytes, STREAM_LENGTH)
        self._texts = [Outgoing(n, text.body, text.at) for n, text in enumerate(self._texts, 1)]
        self._next = len(self._texts) + 1

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        before = self.stream, self._texts.copy(), self._next, self._heard.copy()
        try:
            yield
        except BaseException:
            self.stream, self._texts, self._next, self._heard = before
            raise


def check_next(text: Outgoing, next_id: int) -> None:
    """Raises UsageError."""
    if text.id != next_id:
        raise UsageError(f"the next text has the id {next_id}, not {text.id}")


def check_given(up_to: int, next_id: int) -> None:
    """Raises UsageError."""
    if type(up_to) is not int or up_to >= next_id:
        raise UsageError(f"no text had the id {up_to} yet")


def check_heard(stream: bytes, up_to: int) -> None:
    """Raises UsageError."""
    if not isinstance(stream, bytes) or len(stream) != STREAM_LENGTH:
        raise UsageError(f"a stream is named by {STREAM_LENGTH} bytes")
    check_id(up_to)


def check_id(id_: int) -> None:
    """Raises UsageError."""
    if type(id_) is not int or not 1 <= id_ <= MAX_TEXT_ID:
        raise UsageError("the id of a text is a whole number from 1 to 2^53 - 1")


def check_time(at: float) -> None:
    """Raises UsageError."""
    if not isinstance(at, int | float) or not 0 <= at <= MAX_KNOWN_TIME:
        raise UsageError("a time is in seconds since 1970, and not before")


def encoded(text: str) -> bytes:
    """The text in UTF-8. Raises UsageError for half a surrogate pair."""
    if not isinstance(text, str):
        raise UsageError("a text is a string")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError("a text has characters that UTF-8 cannot hold") from None
