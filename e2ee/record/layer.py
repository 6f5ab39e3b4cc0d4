"""The record layer: what a session is once its handshake has ended. SPEC.md section 9.

A record on the wire, and its plaintext once opened:

    offset  bytes                    offset  bytes
    0       2    length L            0       1    content type
    2       L    sealed plaintext    1       2    content length C
                                     3       C    content
                                     3+C     ...  padding, all zero
"""

from __future__ import annotations

import struct
from enum import IntEnum

from e2ee._uncopyable import Uncopyable
from e2ee.errors import (
    KeyLimitExceeded,
    MalformedMessage,
    SessionClosed,
    UnexpectedMessage,
    UsageError,
)
from e2ee.events import Closed, Event, KeysRefreshed
from e2ee.handshake import CipherState, Handshake
from e2ee.limits import (
    INNER_HEADER_LENGTH,
    MAX_CONTENT_LENGTH,
    MAX_RECORD_LENGTH,
    MAX_RECORDS_PER_KEY,
    Limits,
)
from e2ee.messages import (
    Close,
    Control,
    KeyUpdate,
    Ping,
    Pong,
    RefreshAnswer,
    RefreshOffer,
    RefreshSwitch,
    decode_control,
    encode,
)
from e2ee.primitives import TAG_LENGTH
from e2ee.record.framing import (
    MESSAGE_PREFIX_LENGTH,
    RECORD_PREFIX_LENGTH,
    MessageReader,
    RecordReader,
)
from e2ee.record.outbox import Outbox
from e2ee.record.padding import Padding, padded_length
from e2ee.record.refresh import Refresh, RefreshAction, RefreshInput, RefreshState
from e2ee.states import State
from e2ee.suites import Suite

IN_PLACE_LENGTH = 32 * 1024
"""Bytes of content from which a record is sealed where it lies; below, a copy costs less."""

_pack_record_prefix = struct.Struct(">H").pack
_pack_inner_header = struct.Struct(">BH").pack
_pack_prefix_and_header_into = struct.Struct(">HBH").pack_into
_pack_message_prefix = struct.Struct(">L").pack
_unpack_inner_header_from = struct.Struct(">BH").unpack_from


class ContentType(IntEnum):
    DATA = 0
    CONTROL = 1


# Members of an enumeration take ten times as long to look up.
_DATA, _CONTROL = map(int, ContentType)
_OPEN, _NO_PADDING = State.OPEN, Padding.NONE


class RecordLayer(Uncopyable):
    """Seals and opens records, cuts messages into them, keeps the keys fresh, and closes.

    ``state`` is OPEN, CLOSING (our close is sent) or CLOSED (the peer's has come too).
    """

    __slots__ = (
        "_due_at_byte",
        "_due_at_record",
        "_initiator",
        "_limits",
        "_max_message_size",
        "_messages",
        "_outbox",
        "_padding",
        "_pending",
        "_pending_length",
        "_pong_due",
        "_receive",
        "_received_on_key",
        "_records",
        "_refresh",
        "_refresh_at",
        "_send",
        "_sent_bytes",
        "_sent_records",
        "_update_at",
        "state",
    )

    def __init__(
        self,
        handshake: Handshake,
        *,
        initiator: bool,
        suite: Suite,
        limits: Limits,
        padding: Padding,
    ) -> None:
        self.state = State.OPEN
        self._initiator = initiator
        self._limits = limits
        self._max_message_size = limits.max_message_size
        self._padding = padding
        self._refresh = Refresh(suite, handshake)
        self._records = RecordReader()
        self._messages = MessageReader(limits.max_message_size)
        self._pending: list[bytes | memoryview] = []
        """Application stream not yet sealed, in parts; less than a record's content."""
        self._pending_length = 0
        self._outbox = Outbox()
        self._pong_due = False
        self._sent_records = self._sent_bytes = 0
        send, receive = handshake.split()
        self._use_refreshed_sending_key(send)
        self._use_receiving_key(receive)

    def _use_refreshed_sending_key(self, key: CipherState) -> None:
        self._send = key
        self._refresh_at = (
            self._sent_records + self._limits.refresh_records,
            self._sent_bytes + self._limits.refresh_bytes,
        )
        self._begin_sending_key()

    def _begin_sending_key(self) -> None:
        # The last record under a key is the one that announces the next: there must be room for
        # two, the one to be sealed now and that one.
        self._update_at = (
            self._sent_records + self._limits.key_update_records - 1,
            self._sent_bytes + self._limits.key_update_bytes - 2 * MAX_RECORD_LENGTH + 1,
        )
        self._due_at_record, self._due_at_byte = map(min, self._refresh_at, self._update_at)

    def _use_receiving_key(self, key: CipherState) -> None:
        self._receive = key
        self._received_on_key = 0

    # Sending.

    def send(self, message: bytes | bytearray | memoryview) -> None:
        """Queue a message; full records are sealed at once, the rest when they are taken.

        Raises UsageError, SessionClosed.
        """
        if type(message) is not bytes:
            message = as_view(message)
        length = len(message)
        if length > self._max_message_size:
            raise UsageError(
                f"a message of {length} bytes is above the limit of {self._max_message_size}"
            )
        if self.state is not _OPEN:
            self._check_open()
        pending = self._pending_length + MESSAGE_PREFIX_LENGTH + length
        if pending < MAX_CONTENT_LENGTH:
            if type(message) is not bytes:
                message = bytes(message)  # Its owner may change it from now on.
            self._pending += (_pack_message_prefix(length), message)
            self._pending_length = pending
        else:
            self._queue(memoryview(_pack_message_prefix(length)))
            self._queue(memoryview(message))

    def _queue(self, stream: memoryview) -> None:
        while self._pending_length + len(stream) >= MAX_CONTENT_LENGTH:
            room = MAX_CONTENT_LENGTH - self._pending_length
            self._pending.append(stream[:room])
            self._pending_length = MAX_CONTENT_LENGTH
            stream = stream[room:]
            self._seal_pending()
        if stream:
            self._pending.append(bytes(stream))
            self._pending_length += len(stream)

    def take(self) -> bytes:
        """Everything to be sent now."""
        if self._pending:
            self._seal_pending()
        if self._pong_due:
            self._seal_pong()
        return self._outbox.take()

    def take_piece(self) -> bytes | memoryview:
        """The first of it that is in one piece; b"" where nothing is left."""
        if self._pending:
            self._seal_pending()
        if self._pong_due:
            self._seal_pong()
        return self._outbox.take_piece()

    def _seal_pong(self) -> None:
        self._pong_due = False
        if self.state is State.OPEN:
            self._seal_control(Pong())

    def close(self) -> None:
        """Send our close; nothing is sent after it. Does nothing the second time."""
        if self.state is State.OPEN:
            self._seal_control(Close())
            self.state = State.CLOSING

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        self._check_open()
        self._seal_control(Ping())

    def update_key(self) -> None:
        """Replace our sending key by a one-way function of itself."""
        self._check_open()
        self._seal_pending()
        self._seal_key_update()

    def refresh(self) -> None:
        """Offer a fresh key agreement; does nothing while one is under way."""
        self._check_open()
        self._seal_pending()
        # Only now: sealing may have set off an offer by itself.
        if self._refresh.state is RefreshState.IDLE:
            self._offer_refresh()

    def _check_open(self) -> None:
        if self.state is not State.OPEN:
            raise SessionClosed("the session is closed; nothing more can be sent")

    def _seal_pending(self) -> None:
        content = self._pending
        if content:
            length = self._pending_length
            self._pending, self._pending_length = [], 0
            if self._sent_records >= self._due_at_record or self._sent_bytes >= self._due_at_byte:
                self._do_what_is_due()
            self._seal(_DATA, length, content)

    def _seal_control(self, message: Control) -> None:
        self._seal_pending()
        self._do_what_is_due()
        self._seal_control_at_once(message)

    def _seal_control_at_once(self, message: Control) -> None:
        content = encode(message)
        self._seal(_CONTROL, len(content), [content])

    def _seal(self, content_type: int, length: int, content: list[bytes | memoryview]) -> None:
        """Seal one record under the present key; ``content`` is not used after it."""
        plaintext_length = INNER_HEADER_LENGTH + length
        if self._padding is not _NO_PADDING:
            unpadded_length = plaintext_length
            plaintext_length = padded_length(unpadded_length)
            content.append(bytes(plaintext_length - unpadded_length))
        sealed_length = plaintext_length + TAG_LENGTH
        if length < IN_PLACE_LENGTH:
            content.insert(0, _pack_inner_header(content_type, length))
            sealed = self._send.encrypt_with_ad(b"", b"".join(content))
            self._outbox.add(_pack_record_prefix(sealed_length) + sealed)
        else:
            room = self._outbox.room(RECORD_PREFIX_LENGTH + sealed_length)
            _pack_prefix_and_header_into(room, 0, sealed_length, content_type, length)
            at = RECORD_PREFIX_LENGTH + INNER_HEADER_LENGTH
            for part in content:
                end = at + len(part)
                room[at:end] = part
                at = end
            self._send.encrypt_in_place(room[RECORD_PREFIX_LENGTH:])
            self._outbox.fill(len(room))
        self._sent_records += 1
        self._sent_bytes += sealed_length

    def _do_what_is_due(self) -> None:
        if self._refresh.state is RefreshState.IDLE and self._is_reached(self._refresh_at):
            self._offer_refresh()
        if self._is_reached(self._update_at):
            self._seal_key_update()

    def _is_reached(self, mark: tuple[int, int]) -> bool:
        records, sealed_bytes = mark
        return self._sent_records >= records or self._sent_bytes >= sealed_bytes

    def _seal_key_update(self) -> None:
        self._seal_control_at_once(KeyUpdate())
        self._send.rekey()
        self._begin_sending_key()

    def _offer_refresh(self) -> None:
        message = self._refresh.offer()
        self._do_what_is_due()
        self._seal_control_at_once(RefreshOffer(message=message))

    # Receiving.

    def receive(self, data: bytes | memoryview, events: list[Event]) -> None:
        """Append the events that these bytes complete. Raises ProtocolError."""
        self._records.read(data, self._open, events)

    def _open(self, record: bytes | memoryview, events: list[Event]) -> None:
        if self._received_on_key >= MAX_RECORDS_PER_KEY:
            raise KeyLimitExceeded("the peer used one key for too many records")
        plaintext = self._receive.decrypt_with_ad(b"", record)
        self._received_on_key += 1
        content_type, length = _unpack_inner_header_from(plaintext)
        end = INNER_HEADER_LENGTH + length
        padding_length = len(plaintext) - end
        if padding_length and (padding_length < 0 or plaintext.count(0, end) != padding_length):
            raise MalformedMessage("a record's padding is not zero")
        if content_type == _DATA:
            self._messages.read(plaintext, INNER_HEADER_LENGTH, end, events)
        elif content_type == _CONTROL:
            self._on_control(decode_control(plaintext[INNER_HEADER_LENGTH:end]), events)
        else:
            raise MalformedMessage("a record of unknown content type")

    def _on_control(self, message: Control, events: list[Event]) -> None:
        match message:
            case Close():
                if not self._messages.is_between_messages:
                    raise UnexpectedMessage("the peer closed in the middle of a message")
                self.close()
                self.state = State.CLOSED
                self._records.expect_no_more()
                # Nothing is sealed or opened any more.
                del self._send, self._receive, self._refresh
                events.append(Closed())
            case KeyUpdate():
                self._receive.rekey()
                self._use_receiving_key(self._receive)
            case Ping():
                self._pong_due = True
            case Pong():
                pass
            case RefreshOffer() if self.state is not State.OPEN:
                pass  # Our close is sent: nothing may follow it, and the peer is about to close.
            case RefreshOffer():
                self._on_refresh(
                    RefreshInput.OFFER_FROM_RESPONDER
                    if self._initiator
                    else RefreshInput.OFFER_FROM_INITIATOR,
                    message.message,
                    events,
                )
            case RefreshAnswer():
                self._on_refresh(RefreshInput.ANSWER, message.message, events)
            case RefreshSwitch():
                self._on_refresh(RefreshInput.SWITCH, b"", events)

    def _on_refresh(self, event: RefreshInput, noise_message: bytes, events: list[Event]) -> None:
        action = self._refresh.on(event)
        match action:
            case RefreshAction.ANSWER:
                self._answer_refresh(noise_message)
            case RefreshAction.IGNORE:
                pass
            case RefreshAction.SWITCH:
                self._switch(noise_message)
                events.append(KeysRefreshed())
            case RefreshAction.FINISH:
                self._use_receiving_key(self._refresh.take_switch())
                events.append(KeysRefreshed())

    def _answer_refresh(self, offered: bytes) -> None:
        message, send = self._refresh.answer(offered)
        self._seal_control(RefreshAnswer(message=message))
        self._use_refreshed_sending_key(send)

    def _switch(self, answered: bytes) -> None:
        send, receive = self._refresh.take_answer(answered)
        self._use_receiving_key(receive)
        if self.state is State.OPEN:
            # Nothing before it, or what waits to be sealed could set off the next offer.
            self._seal_control_at_once(RefreshSwitch())
            self._use_refreshed_sending_key(send)


def as_view(data: bytes | bytearray | memoryview) -> memoryview:
    """Its bytes. Raises UsageError for what is not bytes."""
    try:
        view = memoryview(data)
    except TypeError:
        raise UsageError(f"bytes are needed here, not {type(data).__name__}") from None
    return view.cast("B") if view.c_contiguous else memoryview(bytes(view))
