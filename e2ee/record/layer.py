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
from collections.abc import Iterator
from enum import IntEnum

from e2ee._uncopyable import Uncopyable
from e2ee.errors import KeyLimitExceeded, MalformedMessage, SessionClosed, UnexpectedMessage
from e2ee.events import Closed, Event, KeysRefreshed, MessageReceived
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
from e2ee.record.framing import MessageReader, RecordReader
from e2ee.record.padding import Padding, padded_length
from e2ee.record.refresh import Refresh, RefreshAction, RefreshInput, RefreshState
from e2ee.states import State
from e2ee.suites import Suite

_pack_inner_header = struct.Struct(">BH").pack
_pack_record_prefix = struct.Struct(">H").pack
_pack_message_prefix = struct.Struct(">L").pack


class ContentType(IntEnum):
    DATA = 0
    CONTROL = 1


class RecordLayer(Uncopyable):
    """Seals and opens records, cuts messages into them, keeps the keys fresh, and closes.

    ``state`` is OPEN, CLOSING (our close is sent) or CLOSED (the peer's has come too).
    """

    __slots__ = (
        "_initiator",
        "_limits",
        "_messages",
        "_out",
        "_padding",
        "_pending",
        "_pending_length",
        "_pong_due",
        "_receive",
        "_received_on_key",
        "_records",
        "_refresh",
        "_send",
        "_sent_bytes_on_key",
        "_sent_bytes_since_refresh",
        "_sent_on_key",
        "_sent_since_refresh",
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
        self._padding = padding
        self._refresh = Refresh(suite, handshake)
        self._records = RecordReader()
        self._messages = MessageReader(limits.max_message_size)
        self._pending: list[bytes | memoryview] = []
        """Application stream not yet sealed, in parts; less than a record's content."""
        self._pending_length = 0
        self._out: list[bytes] = []
        self._pong_due = False
        self._sent_since_refresh = self._sent_bytes_since_refresh = 0
        send, receive = handshake.split()
        self._use_sending_key(send)
        self._use_receiving_key(receive)

    def _use_sending_key(self, key: CipherState) -> None:
        self._send = key
        self._sent_on_key = self._sent_bytes_on_key = 0

    def _use_receiving_key(self, key: CipherState) -> None:
        self._receive = key
        self._received_on_key = 0

    # Sending.

    def send(self, message: bytes | bytearray | memoryview) -> None:
        """Queue a message; full records are sealed at once, the rest at ``take``."""
        self._check_open()
        view = memoryview(message).cast("B")
        self._queue(memoryview(_pack_message_prefix(len(view))))
        self._queue(view)

    def _queue(self, stream: memoryview) -> None:
        while self._pending_length + len(stream) >= MAX_CONTENT_LENGTH:
            room = MAX_CONTENT_LENGTH - self._pending_length
            self._pending.append(stream[:room])
            stream = stream[room:]
            self._seal_pending()
        if stream:
            self._pending.append(bytes(stream))  # Its owner may change it from now on.
            self._pending_length += len(stream)

    def take(self) -> bytes:
        """Everything to be sent now."""
        self._seal_pending()
        if self._pong_due:
            self._pong_due = False
            if self.state is State.OPEN:
                self._seal_control(Pong())
        data = b"".join(self._out)
        self._out.clear()
        return data

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
        if self._pending:
            content = self._pending
            self._pending, self._pending_length = [], 0
            self._seal(ContentType.DATA, *content)

    def _seal_control(self, message: Control) -> None:
        self._seal_pending()
        self._seal(ContentType.CONTROL, encode(message))

    def _seal(self, content_type: ContentType, *content: bytes | memoryview) -> None:
        if self._refresh_is_due():
            self._offer_refresh()
        if self._key_update_is_due():
            self._seal_key_update()
        self._seal_under_present_key(content_type, *content)

    def _seal_under_present_key(
        self, content_type: ContentType, *content: bytes | memoryview
    ) -> None:
        length = sum(map(len, content))
        whole = INNER_HEADER_LENGTH + length
        padding = bytes(padded_length(whole, self._padding) - whole)
        header = _pack_inner_header(content_type, length)
        sealed = self._send.encrypt_with_ad(b"", b"".join((header, *content, padding)))
        self._out += (_pack_record_prefix(len(sealed)), sealed)
        self._sent_on_key += 1
        self._sent_bytes_on_key += len(sealed)
        self._sent_since_refresh += 1
        self._sent_bytes_since_refresh += len(sealed)

    def _key_update_is_due(self) -> bool:
        # The last record under a key is the one that announces the next: there must be room for
        # two, the one to be sealed now and that one.
        return (
            self._sent_on_key >= self._limits.key_update_records - 1
            or self._sent_bytes_on_key + 2 * MAX_RECORD_LENGTH > self._limits.key_update_bytes
        )

    def _seal_key_update(self) -> None:
        self._seal_under_present_key(ContentType.CONTROL, encode(KeyUpdate()))
        self._send.rekey()
        self._use_sending_key(self._send)

    def _refresh_is_due(self) -> bool:
        return self._refresh.state is RefreshState.IDLE and (
            self._sent_since_refresh >= self._limits.refresh_records
            or self._sent_bytes_since_refresh >= self._limits.refresh_bytes
        )

    def _offer_refresh(self) -> None:
        message = self._refresh.offer()
        self._seal(ContentType.CONTROL, encode(RefreshOffer(message=message)))

    # Receiving.

    def receive(self, data: memoryview) -> Iterator[Event]:
        """The events that these bytes complete. Raises ProtocolError."""
        for record in self._records.read(data):
            yield from self._open(record)
            if self.state is State.CLOSED:
                self._records.expect_no_more()

    def _open(self, record: memoryview) -> Iterator[Event]:
        if self._received_on_key >= MAX_RECORDS_PER_KEY:
            raise KeyLimitExceeded("the peer used one key for too many records")
        plaintext = memoryview(self._receive.decrypt_with_ad(b"", record))
        self._received_on_key += 1
        end = INNER_HEADER_LENGTH + int.from_bytes(plaintext[1:INNER_HEADER_LENGTH])
        padding = plaintext[end:].tobytes()
        if end > len(plaintext) or padding.count(0) != len(padding):
            raise MalformedMessage("a record's padding is not zero")
        content = plaintext[INNER_HEADER_LENGTH:end]
        match plaintext[0]:
            case ContentType.DATA:
                for message in self._messages.read(content):
                    yield MessageReceived(message)
            case ContentType.CONTROL:
                yield from self._on_control(decode_control(content.tobytes()))
            case _:
                raise MalformedMessage("a record of unknown content type")

    def _on_control(self, message: Control) -> Iterator[Event]:
        match message:
            case Close():
                if not self._messages.is_between_messages:
                    raise UnexpectedMessage("the peer closed in the middle of a message")
                self.close()
                self.state = State.CLOSED
                # Nothing is sealed or opened any more.
                del self._send, self._receive, self._refresh
                yield Closed()
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
                yield from self._on_refresh(
                    RefreshInput.OFFER_FROM_RESPONDER
                    if self._initiator
                    else RefreshInput.OFFER_FROM_INITIATOR,
                    message.message,
                )
            case RefreshAnswer():
                yield from self._on_refresh(RefreshInput.ANSWER, message.message)
            case RefreshSwitch():
                yield from self._on_refresh(RefreshInput.SWITCH)

    def _on_refresh(self, event: RefreshInput, noise_message: bytes = b"") -> Iterator[Event]:
        action = self._refresh.on(event)
        match action:
            case RefreshAction.ANSWER:
                self._answer_refresh(noise_message)
            case RefreshAction.IGNORE:
                pass
            case RefreshAction.SWITCH:
                self._switch(noise_message)
                yield KeysRefreshed()
            case RefreshAction.FINISH:
                self._use_receiving_key(self._refresh.take_switch())
                yield KeysRefreshed()

    def _answer_refresh(self, offered: bytes) -> None:
        message, send = self._refresh.answer(offered)
        self._seal_control(RefreshAnswer(message=message))
        self._use_sending_key(send)
        self._sent_since_refresh = self._sent_bytes_since_refresh = 0

    def _switch(self, answered: bytes) -> None:
        send, receive = self._refresh.take_answer(answered)
        self._use_receiving_key(receive)
        if self.state is State.OPEN:
            # Nothing before it, or what waits to be sealed could set off the next offer.
            self._seal_under_present_key(ContentType.CONTROL, encode(RefreshSwitch()))
            self._sent_since_refresh = self._sent_bytes_since_refresh = 0
            self._use_sending_key(send)
