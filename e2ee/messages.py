"""Every message that is not raw data, as a pydantic model, in one canonical form.

The form: compact JSON, members in the order of the fields below, bytes as base64url with
padding; whatever does not re-encode to the same bytes is refused. SPEC.md section 6.
No secret ever enters a model: validation errors print what they saw.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from e2ee._bare_errors import bare_errors
from e2ee.errors import MalformedMessage
from e2ee.limits import MAX_KNOWN_TIME

MAX_TEXT_LENGTH = 2**20
"""Bytes of UTF-8 in one chat text. Escaped at worst (six bytes for one), it still fits the
default message limit of a session, 16 MiB."""

MAX_CLAIMED_NAME = 64
"""Characters of a name that somebody gives themselves."""

MAX_CERTIFICATE_LENGTH = 300
"""Bytes of a certificate; one of version 1 has at most 190."""

MAX_REFRESH_MESSAGE = 4096
"""Bytes of the Noise message in a refresh; the longest has 1,232."""

MAX_PURPOSES = 8
"""Purposes that a hello names."""

MAX_WORD_LENGTH = 32
"""Characters of the name of a purpose, a reason or a kind."""

_WORD = f"[a-z][a-z0-9_.-]{{0,{MAX_WORD_LENGTH - 1}}}"


class WireModel(BaseModel):
    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        ser_json_bytes="base64",
        val_json_bytes="base64",
        hide_input_in_errors=True,
    )


Key = Annotated[bytes, Field(min_length=32, max_length=32)]
Signature = Annotated[bytes, Field(min_length=64, max_length=64)]
Seconds = Annotated[int, Field(ge=0, le=MAX_KNOWN_TIME)]
MessageNumber = Annotated[int, Field(ge=1, le=MAX_KNOWN_TIME)]
NoiseMessage = Annotated[bytes, Field(min_length=1, max_length=MAX_REFRESH_MESSAGE)]


# The handshake payload.


class Certificate(WireModel):
    """What an identity signs about one device: this Noise static key, from then to then."""

    version: Literal[1] = 1
    identity: Key
    static_key: Key
    not_before: Seconds
    not_after: Seconds


class HandshakePayload(WireModel):
    """``certificate`` holds a Certificate's bytes as signed; ``signature`` is Ed25519 over them."""

    certificate: Annotated[bytes, Field(max_length=MAX_CERTIFICATE_LENGTH)]
    signature: Signature


class KnownPayload(HandshakePayload):
    """With the number that tells a first message from its replay; SPEC.md section 4.3."""

    sequence: Annotated[int, Field(ge=0, le=MAX_KNOWN_TIME)]


class CodePayload(HandshakePayload):
    """With what opens the commitment to the identity; SPEC.md section 4.5."""

    nonce: Key


# Control messages, one in a record of type control.


class Close(WireModel):
    kind: Literal["close"] = "close"


class KeyUpdate(WireModel):
    kind: Literal["key_update"] = "key_update"


class RefreshOffer(WireModel):
    kind: Literal["refresh_offer"] = "refresh_offer"
    message: NoiseMessage


class RefreshAnswer(WireModel):
    kind: Literal["refresh_answer"] = "refresh_answer"
    message: NoiseMessage


class RefreshSwitch(WireModel):
    kind: Literal["refresh_switch"] = "refresh_switch"


class Ping(WireModel):
    kind: Literal["ping"] = "ping"


class Pong(WireModel):
    kind: Literal["pong"] = "pong"


Control: TypeAlias = Close | KeyUpdate | RefreshOffer | RefreshAnswer | RefreshSwitch | Ping | Pong
_CONTROL: TypeAdapter[Control] = TypeAdapter(Annotated[Control, Field(discriminator="kind")])


# Chat messages, each an application message of its own. SPEC.md section 11.


def _check_text(body: str) -> str:
    if len(body.encode()) > MAX_TEXT_LENGTH:
        raise ValueError(f"a text has at most {MAX_TEXT_LENGTH} bytes of UTF-8")
    return body


Word = Annotated[str, Field(pattern=rf"\A{_WORD}\z")]
"""The name of a purpose or a reason."""

StreamId = Annotated[bytes, Field(min_length=16, max_length=16)]


class Hello(WireModel):
    """What the sender wants to do on this channel, or is ready to do."""

    kind: Literal["hello"] = "hello"
    purposes: Annotated[tuple[Word, ...], Field(min_length=1, max_length=MAX_PURPOSES)]


class Stream(WireModel):
    """Texts of this stream follow; ``first`` is the lowest number that may still be sent."""

    kind: Literal["stream"] = "stream"
    id: StreamId
    first: MessageNumber


class Resume(WireModel):
    """The answer to Stream: every text of it up to ``received`` has been shown."""

    kind: Literal["resume"] = "resume"
    received: Annotated[int, Field(ge=0, le=MAX_KNOWN_TIME)]


class Text(WireModel):
    """One line, or several. ``id`` counts the texts of the sender's stream from 1."""

    kind: Literal["text"] = "text"
    id: MessageNumber
    body: Annotated[str, AfterValidator(_check_text)]


class Receipt(WireModel):
    """The sender of this has shown every text up to this ``id``."""

    kind: Literal["receipt"] = "receipt"
    id: MessageNumber


class Leave(WireModel):
    """The sender has nothing more to say on this channel."""

    kind: Literal["leave"] = "leave"
    reason: Word = "left"


class Name(WireModel):
    """What the sender calls themselves: a claim, and shown as one."""

    kind: Literal["name"] = "name"
    name: Annotated[str, Field(min_length=1, max_length=MAX_CLAIMED_NAME)]


class End(WireModel):
    """The end of one direction of a pipe."""

    kind: Literal["end"] = "end"


class Written(WireModel):
    """Everything that came before the peer's End has been written out."""

    kind: Literal["written"] = "written"


KnownChat: TypeAlias = Hello | Stream | Resume | Text | Receipt | Leave | Name | End | Written
_CHAT: TypeAdapter[KnownChat] = TypeAdapter(Annotated[KnownChat, Field(discriminator="kind")])


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A chat message of a kind that this version does not know, kept as it came."""

    kind: str
    data: bytes


ChatMessage: TypeAlias = KnownChat | Unsupported

_KNOWN_KINDS = frozenset(model.model_fields["kind"].default for model in get_args(KnownChat))
_KIND = re.compile(rf'\{{"kind":"({_WORD})"[,}}]'.encode())

# The canonical form.

M = TypeVar("M", bound=WireModel)


def encode(message: WireModel) -> bytes:
    """The canonical bytes of a message."""
    return message.__pydantic_serializer__.to_json(message)


@bare_errors
def decode(model: type[M], data: bytes) -> M:
    """Read exactly one model. Raises MalformedMessage."""
    try:
        message = model.model_validate_json(data)
    except ValidationError:
        raise MalformedMessage(f"not a {model.__name__}") from None
    return _canonical(message, data)


@bare_errors
def decode_control(data: bytes) -> Control:
    """Read a control message. Raises MalformedMessage; an unknown kind is malformed here."""
    try:
        message = _CONTROL.validate_json(data)
    except ValidationError:
        raise MalformedMessage("not a control message") from None
    return _canonical(message, data)


@bare_errors
def decode_chat(data: bytes) -> ChatMessage:
    """Read a chat message; one of an unknown kind comes back as Unsupported, not looked into.

    Raises MalformedMessage where a known kind is not in its canonical form.
    """
    match = _KIND.match(data)
    if match is None:
        raise MalformedMessage("a chat message begins with its kind")
    kind = match[1].decode()
    if kind not in _KNOWN_KINDS:
        return Unsupported(kind, data)
    try:
        message = _CHAT.validate_json(data)
    except ValidationError:
        raise MalformedMessage(f"not a chat message of kind {kind}") from None
    return _canonical(message, data)


def _canonical(message: M, data: bytes) -> M:
    if encode(message) != data:
        raise MalformedMessage("a message is not in its canonical form")
    return message
