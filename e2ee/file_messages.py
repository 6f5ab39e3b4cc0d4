"""What two peers say about files: the messages of SPEC.md section 19.1, and their bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from e2ee._bare_errors import bare_errors
from e2ee.errors import MalformedMessage
from e2ee.messages import Key, WireModel, encode

MAX_CHUNK = 65_000
"""Bytes of a file in one message, which then fits into one record."""

MAX_FILE_SIZE = 2**53 - 1
"""Bytes: JSON's largest exact integer."""

MAX_NAME_BYTES = 255
"""Bytes of UTF-8 in a name: what file systems allow."""

MAX_DEPTH = 32
"""Components of a path inside of a folder."""

MAX_FILES = 100_000
"""Files of a folder."""

_CHUNK_MARK = 1
_CHUNK_HEADER = struct.Struct(">B16sQ")


def _check_name(name: str) -> str:
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise ValueError("not the name of one file")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"a name has at most {MAX_NAME_BYTES} bytes of UTF-8")
    return name


TransferId = Annotated[bytes, Field(min_length=16, max_length=16)]
Size = Annotated[int, Field(ge=0, le=MAX_FILE_SIZE)]
FileName = Annotated[str, AfterValidator(_check_name)]
Path = Annotated[tuple[FileName, ...], Field(min_length=1, max_length=MAX_DEPTH)]

Reason = Literal[
    "declined", "cancelled", "changed", "unreadable", "no_space", "unwritable", "damaged"
]
"""Why a transfer ends early. A list and no free text: nothing to show that a peer has written."""


class FileOffer(WireModel):
    kind: Literal["file_offer"] = "file_offer"
    transfer: TransferId
    name: FileName
    size: Size


class FolderOffer(WireModel):
    """``size`` -- of all files together. ``listing`` -- SHA-256 of them all, see Listed."""

    kind: Literal["folder_offer"] = "folder_offer"
    transfer: TransferId
    name: FileName
    size: Size
    count: Annotated[int, Field(ge=1, le=MAX_FILES)]
    listing: Key


class FolderFile(WireModel):
    """The next file of an accepted folder; ``path`` leads to it from there."""

    kind: Literal["folder_file"] = "folder_file"
    transfer: TransferId
    folder: TransferId
    path: Path
    size: Size


class FileAccept(WireModel):
    """The receiver has ``offset`` bytes of it from before, with this SHA-256."""

    kind: Literal["file_accept"] = "file_accept"
    transfer: TransferId
    offset: Size
    prefix_hash: Key


class FileDecline(WireModel):
    kind: Literal["file_decline"] = "file_decline"
    transfer: TransferId
    reason: Reason


class FileStart(WireModel):
    """The data begins here: at the receiver's offset, or at 0."""

    kind: Literal["file_start"] = "file_start"
    transfer: TransferId
    offset: Size


class FileAck(WireModel):
    """Everything before ``offset`` is written."""

    kind: Literal["file_ack"] = "file_ack"
    transfer: TransferId
    offset: Size


class FileEnd(WireModel):
    """Everything is sent; ``sha256`` is of the whole file."""

    kind: Literal["file_end"] = "file_end"
    transfer: TransferId
    sha256: Key


class FileDone(WireModel):
    """It is checked, on disk, and has its name."""

    kind: Literal["file_done"] = "file_done"
    transfer: TransferId


class FileAbort(WireModel):
    kind: Literal["file_abort"] = "file_abort"
    transfer: TransferId
    reason: Reason


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a file; the only message that is not JSON."""

    transfer: bytes
    offset: int
    data: memoryview
    kind: Literal["data"] = "data"


class Listed(WireModel):
    """A file of a folder in its listing, which is all of them in order, a newline after each."""

    path: Path
    size: Size


Control: TypeAlias = (
    FileOffer
    | FolderOffer
    | FolderFile
    | FileAccept
    | FileDecline
    | FileStart
    | FileAck
    | FileEnd
    | FileDone
    | FileAbort
)
FileMessage: TypeAlias = Control | Chunk
_CONTROL: TypeAdapter[Control] = TypeAdapter(Annotated[Control, Field(discriminator="kind")])

# A kind that is not known is no message about files, whatever it is called: SPEC.md section 11.1.
_BEGINNINGS = (
    bytes([_CHUNK_MARK]),
    *(f'{{"kind":"{m.model_fields["kind"].default}"'.encode() for m in get_args(Control)),
)


def order(path: tuple[str, ...]) -> tuple[bytes, ...]:
    """What the files of a folder are sorted by."""
    return tuple(component.encode() for component in path)


def is_file_message(message: bytes) -> bool:
    """Whether this application message is about files, and not another part's of the program."""
    return message.startswith(_BEGINNINGS)


def encode_chunk(transfer: bytes, offset: int, data: memoryview) -> bytes:
    """``0x01 || transfer [16] || offset [8] || data``."""
    return b"".join((_CHUNK_HEADER.pack(_CHUNK_MARK, transfer, offset), data))


@bare_errors
def decode_file_message(message: bytes) -> FileMessage:
    """Raises MalformedMessage."""
    if message.startswith(b"{"):
        return _decode_control(message)
    size = len(message) - _CHUNK_HEADER.size
    if message[:1] != bytes([_CHUNK_MARK]) or not 1 <= size <= MAX_CHUNK:
        raise MalformedMessage("not a message about files")
    _, transfer, offset = _CHUNK_HEADER.unpack_from(message)
    if offset > MAX_FILE_SIZE:
        raise MalformedMessage("no file has so many bytes")
    return Chunk(transfer, offset, memoryview(message)[_CHUNK_HEADER.size :])


def _decode_control(data: bytes) -> Control:
    try:
        message = _CONTROL.validate_json(data)
    except ValidationError:
        raise MalformedMessage("not a message about files") from None
    if encode(message) != data:
        raise MalformedMessage("a message is not in its canonical form")
    return message
