"""Conversation: chat with one peer on one channel, so that each text arrives once, in order.

No I/O: application messages of a session in, events and messages to send out. What must outlast
the channel is in a Journal. SPEC.md section 11.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from pydantic import ValidationError

from e2ee.errors import UnexpectedMessage, UsageError
from e2ee.journal import Journal, Outgoing
from e2ee.limits import MAX_KNOWN_TIME
from e2ee.messages import (
    MAX_CLAIMED_NAME,
    End,
    Hello,
    Leave,
    Name,
    Receipt,
    Resume,
    Stream,
    Text,
    Unsupported,
    Written,
    decode_chat,
    encode,
)

PAGE = 100
"""Texts that are read from the journal at a time."""

MAX_STREAMS_OF_A_CHANNEL = 2
"""Streams that a peer may begin on a channel: the second is for one whose memory is an old copy."""

CHAT, FILES, PIPE = "chat", "files", "pipe"
"""Purposes of a channel, SPEC.md section 11.2."""


def agreed_purpose(initiators: Sequence[str], responders: Sequence[str]) -> str | None:
    """What a channel is for: the first of the initiator's purposes that the responder has."""
    return next((purpose for purpose in initiators if purpose in responders), None)


@dataclass(frozen=True, slots=True)
class TextReceived:
    """A text, which has to be shown, and ``Conversation.shown`` called then."""

    stream: bytes
    """16 bytes. With ``id`` it names this text for ever."""
    id: int
    body: str


@dataclass(frozen=True, slots=True)
class TextsDelivered:
    """The peer has shown these texts of ours, which the journal has forgotten."""

    ids: range


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer's texts may come, from this stream."""

    stream: bytes


@dataclass(frozen=True, slots=True)
class Introduced:
    """What the peer calls itself."""

    name: str


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """The peer has nothing more to say on this channel."""

    reason: str


ChatEvent: TypeAlias = (
    TextReceived | TextsDelivered | StreamOpened | Introduced | PeerLeft | Unsupported
)


class _Out(Enum):
    """Our texts: none on this channel, asked where to go on, or going out."""

    IDLE = auto()
    ASKED = auto()
    READY = auto()


class Conversation:
    """One channel's chat with a peer, both sides of which have said what the channel is for.

    Call ``receive`` with each message, and ``next_message`` whenever there is room to send,
    until it gives None; after every other call it may have something again. An error is final
    for the channel, and not for the journal. One program uses a journal in one thread.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._control: deque[bytes] = deque()
        self._out = _Out.IDLE
        self._left = False
        self._page: deque[Outgoing] = deque()
        self._sent = 0
        """The last text of ours that the peer has or that went out on this channel."""
        self._confirmed = 0
        self._restarted = False
        self._out_stream = b""
        """The stream of ours that was sent on this channel."""
        self._crossing = range(0)
        """Texts of the one before that, for which receipts may be on their way."""
        self._stream: bytes | None = None
        self._received = self._shown = self._kept = 0
        """Texts of the peer's stream, by their numbers: come in, shown, and durably so."""
        self._streams = 0
        self._peer_left = False
        self._last = MAX_KNOWN_TIME
        """The last text that may go out: what is said after the peer's goodbye waits."""

    def begin(self) -> None:
        """Send the journal's texts on this channel, from now on."""
        if self._out is _Out.IDLE and not self._left:
            self._out = _Out.ASKED
            self._send_stream()

    def _send_stream(self) -> None:
        first = self._journal.first_kept()
        self._out_stream = self._journal.stream
        self._control.append(encode(Stream(id=self._out_stream, first=first)))
        self._confirmed = self._sent = first - 1
        self._page.clear()

    def _send_stream_again(self) -> None:
        """It is a new one, begun here or on another channel, or has a gap, confirmed on another."""
        self._restarted = True
        self._out = _Out.ASKED
        self._crossing = range(self._confirmed + 1, self._sent + 1)
        self._send_stream()

    @property
    def sending(self) -> bool:
        """Whether texts go out here, or will once the peer has said where to go on."""
        return self._out is not _Out.IDLE and not self._left

    @property
    def sent(self) -> int:
        """The last text of ours that the peer has, or that went out on this channel."""
        return self._sent

    # Receiving.

    def receive(self, data: bytes) -> ChatEvent | None:
        """Process one message from the peer.

        Raises MalformedMessage and UnexpectedMessage: give up the channel then.
        """
        message = decode_chat(data)
        if self._peer_left and not isinstance(message, Receipt | Resume):
            raise UnexpectedMessage("the peer went on after it had left")
        match message:
            case Text():
                return self._receive_text(message)
            case Stream():
                return self._receive_stream(message)
            case Resume():
                return self._receive_resume(message.received)
            case Receipt():
                return self._receive_receipt(message.id)
            case _:
                return self._receive_other(message)

    def _receive_text(self, message: Text) -> TextReceived:
        if self._stream is None or message.id != self._received + 1:
            raise UnexpectedMessage("the peer's texts are not numbered one by one")
        self._received = message.id
        return TextReceived(self._stream, message.id, message.body)

    def _receive_other(
        self, message: Hello | Name | Leave | End | Written | Unsupported
    ) -> ChatEvent:
        match message:
            case Name():
                return Introduced(message.name)
            case Leave():
                self._peer_left = True
                self._last = self._journal.next_id() - 1
                return PeerLeft(message.reason)
            case Unsupported():
                return message
            case Hello() | End() | Written():
                raise UnexpectedMessage(f"the peer sent a {message.kind!r} in a chat")

    def _receive_stream(self, message: Stream) -> StreamOpened:
        self._streams += 1
        if self._streams > MAX_STREAMS_OF_A_CHANNEL:
            raise UnexpectedMessage("the peer begins stream after stream")
        self.keep()
        received = self._journal.heard(message.id)
        self._stream = message.id
        self._received = self._shown = self._kept = max(received, message.first - 1)
        self._control.append(encode(Resume(received=received)))
        return StreamOpened(message.id)

    def _receive_resume(self, received: int) -> TextsDelivered | None:
        if self._out is not _Out.ASKED:
            raise UnexpectedMessage("the peer resumes what was not begun")
        if self._journal.stream != self._out_stream:
            self._send_stream_again()
            return None
        if received >= self._journal.next_id():
            if self._restarted:
                raise UnexpectedMessage("the peer claims to have texts of a stream that is new")
            self._journal.restart()
            self._send_stream_again()
            return None
        self._out = _Out.READY
        self._sent = max(self._sent, received)
        return self._confirm(received)

    def _receive_receipt(self, up_to: int) -> TextsDelivered | None:
        if self._out is _Out.ASKED and up_to in self._crossing:
            self._crossing = range(up_to + 1, self._crossing.stop)
            return None
        if not self._confirmed < up_to <= self._sent:
            raise UnexpectedMessage("the peer confirmed what was not said, or twice")
        return self._confirm(up_to)

    def _confirm(self, up_to: int) -> TextsDelivered | None:
        if up_to <= self._confirmed:
            return None
        # On another channel a new stream may have begun, whose numbers stand for other texts, or
        # some have been confirmed.
        ids = range(0)
        if self._journal.stream == self._out_stream:
            ids = range(self._journal.first_kept(), up_to + 1)
        if ids:
            self._journal.confirm(up_to)
        self._confirmed = up_to
        return TextsDelivered(ids) if ids else None

    def shown(self, text: TextReceived) -> None:
        """This text has been shown, and all before it: it will be confirmed."""
        if text.stream == self._stream:
            self._shown = text.id
        else:
            self._journal.hear(text.stream, text.id)

    def keep(self) -> None:
        """Remember what was shown, durably: also to be called when the channel has ended."""
        if self._stream is not None and self._shown > self._kept:
            self._journal.hear(self._stream, self._shown)
            self._kept = self._shown

    # Sending.

    def introduce(self, name: str) -> None:
        """Say what we call ourselves: 1 to 64 characters. Raises UsageError for another name."""
        try:
            message = Name(name=name)
        except ValidationError:
            raise UsageError(f"a name has 1 to {MAX_CLAIMED_NAME} characters") from None
        self._control.append(encode(message))

    def leave(self, reason: str = "left") -> None:
        """Say that nothing more will be said on this channel, whatever the journal still has."""
        if not self._left:
            self._left = True
            self._control.append(encode(Leave(reason=reason)))

    def next_message(self) -> bytes | None:
        """The next message to send, if there is any now."""
        if self._control:
            return self._control.popleft()
        if self._shown > self._kept:
            self.keep()
            return encode(Receipt(id=self._shown))
        if self._out is not _Out.READY or self._left:
            return None
        return self._next_text()

    def _next_text(self) -> bytes | None:
        if self._journal.stream != self._out_stream:
            if self._peer_left:
                return None
            # In the new one these texts have other numbers, those of the page, too.
            self._send_stream_again()
            return self._control.popleft()
        if not self._page:
            self._page.extend(self._journal.unconfirmed(self._sent, PAGE))
        if not self._page or self._page[0].id > self._last:
            return None
        if self._page[0].id > self._sent + 1:
            # Those between were confirmed on another channel, and here the peer waits for them.
            self._send_stream_again()
            return self._control.popleft()
        text = self._page.popleft()
        self._sent = text.id
        return encode(Text(id=text.id, body=text.body))
