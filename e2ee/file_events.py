"""What a message about files has told; see FileTransfers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from e2ee.file_messages import Reason

# To the receiver.


@dataclass(frozen=True, slots=True)
class Offered:
    """The peer offers a file, or a folder of ``count`` files. Answer with accept or decline.

    ``size`` -- bytes, all files together. The name is the peer's suggestion: data, not a path.
    ``again`` -- the same bytes when the same is offered again; SPEC.md section 19.4.
    """

    transfer: bytes
    name: str
    size: int
    count: int | None
    again: bytes


@dataclass(frozen=True, slots=True)
class MemberOffered:
    """The next file of an accepted folder. Answer with accept, or cancel the folder."""

    transfer: bytes
    folder: bytes
    path: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Started:
    """What comes begins at this byte: where the prefix ended, or at 0."""

    transfer: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Data:
    """Write this, and say so with written."""

    transfer: bytes
    offset: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class Received:
    """All has come and is what was sent. Give it its name, and say so with finished."""

    transfer: bytes


# To the sender.


@dataclass(frozen=True, slots=True)
class Accepted:
    """The peer takes it, and has ``offset`` bytes already: where that is not 0, give_prefix.

    Of a file in a folder ``folder`` and ``path`` say which it is.
    """

    transfer: bytes
    offset: int
    folder: bytes | None = None
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declined:
    transfer: bytes
    reason: Reason


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The peer has written everything before this byte."""

    transfer: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The peer has it, whole, under its name."""

    transfer: bytes


# To either.


@dataclass(frozen=True, slots=True)
class Aborted:
    """It ended early; of a folder all that belongs to it."""

    transfer: bytes
    reason: Reason


FileEvent: TypeAlias = (
    Offered
    | MemberOffered
    | Started
    | Data
    | Received
    | Accepted
    | Declined
    | Acknowledged
    | Finished
    | Aborted
)
