"""Targets: what a peer may say in a chat and about files, in any order, among what we do.

The bytes are a list of steps. A broken rule is an UnexpectedMessage or a MalformedMessage and ends
the run; until then the promises of SPEC.md sections 11.3 and 19 are checked after each step.
"""

from __future__ import annotations

import hashlib
import random
import re
import secrets
from collections.abc import Callable

import pytest

from e2ee.conversation import Conversation, StreamOpened, TextReceived, TextsDelivered
from e2ee.errors import MalformedMessage, ProtocolError, UnexpectedMessage, UsageError
from e2ee.file_events import Data, FileEvent, MemberOffered, Offered, Received, Started
from e2ee.file_messages import (
    FileAbort,
    FileEnd,
    FileOffer,
    FileStart,
    FolderFile,
    FolderOffer,
    Listed,
    encode_chunk,
)
from e2ee.file_receiver import ReceivedFile
from e2ee.file_states import MAX_RUNNING, WINDOW
from e2ee.file_states import State as FileState
from e2ee.file_transfer import FileTransfers
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.messages import (
    Hello,
    Leave,
    Name,
    Receipt,
    Resume,
    Stream,
    Text,
    WireModel,
    decode_chat,
    encode,
)
from e2ee.primitives import RunningHash

from .script import Script

MAX_STEPS = 100


class Chat:
    """Our side of a channel, whose peer the fuzzer is, and what must be true of it."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.shown: dict[bytes, int] = {}
        """By stream of the peer's: the last text that was shown."""
        self.conversation = Conversation(self.journal)
        self.open()

    def open(self) -> None:
        """A new channel on the same journal."""
        self.conversation.keep()
        self.conversation = Conversation(self.journal)
        self.stream = self.journal.stream
        self.received: TextReceived | None = None
        self.sent: set[int] = set()
        self.delivered = 0

    def step(self, script: Script) -> None:
        steps = (
            lambda: self.hear(self.text(script.number(), b"text")),
            lambda: self.hear(Receipt(id=1 + script.number())),
            lambda: self.hear(
                Stream(id=bytes([script.number() % 8]) * 16, first=1 + script.number())
            ),
            lambda: self.hear(Resume(received=script.number())),
            lambda: self.hear(Leave(reason="left" if script.number() & 1 else "replaced")),
            lambda: self.hear(Name(name="Zoë")),
            lambda: self.hear(Hello(purposes=("chat",))),
            lambda: self.receive(script.text(1)),
            self.say,
            self.conversation.begin,
            self.show,
            self.send,
            self.conversation.keep,
            lambda: self.conversation.leave("left"),
            lambda: self.hear(self.text(script.number(), script.text(1))),
            self.open,
        )
        steps[script.number() % len(steps)]()

    def text(self, ahead: int, body: bytes) -> Text:
        """The next one where ``ahead`` is 0."""
        last = 0 if self.received is None else self.received.id
        return Text(id=1 + last + ahead, body=body.decode("utf-8", "replace"))

    def hear(self, message: WireModel) -> None:
        self.receive(encode(message))

    def receive(self, message: bytes) -> None:
        event = self.conversation.receive(message)
        if self.journal.stream != self.stream:
            self.stream = self.journal.stream
            self.sent.clear()
            self.delivered = 0
        match event:
            case TextReceived() as text:
                assert text.id > self.shown.get(text.stream, 0), "a text is shown once"
                before = self.received
                if before is not None and before.stream == text.stream:
                    assert text.id == before.id + 1
                self.received = text
            case StreamOpened():
                self.received = None
            case TextsDelivered(ids):
                assert len(ids) > 0
                assert ids[0] > self.delivered, "a text is confirmed once"
                assert ids[-1] < self.journal.next_id()
                self.delivered = ids[-1]

    def say(self) -> None:
        number = self.journal.next_id()
        self.journal.add(Outgoing(number, f"text {number}", 0))

    def show(self) -> None:
        if self.received is not None:
            self.conversation.shown(self.received)
            self.shown[self.received.stream] = self.received.id

    def send(self) -> None:
        message = self.conversation.next_message()
        if message is None:
            return
        match decode_chat(message):
            case Text(id=number):
                assert number not in self.sent, "a text goes out once on a channel"
                assert number >= self.journal.first_kept()
                self.sent.add(number)
            case Receipt(id=number):
                assert number in self.shown.values()  # Of the peer's present stream.


def chat(data: bytes) -> None:
    script = Script(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_bytes", random.Random(1).randbytes)
        side = Chat()
        for _ in range(MAX_STEPS):
            if not script.rest:
                return
            try:
                side.step(script)
            except (UnexpectedMessage, MalformedMessage):
                # This channel is given up, and the journal is good for the next.
                side.open()
                side.conversation.begin()


class Files:
    """Our side of transfers, whose sender the fuzzer is, and what must be true of it."""

    def __init__(self) -> None:
        self.transfers = FileTransfers()
        self.offered: dict[bytes, int] = {}
        """The sizes of those that were offered and have not ended."""
        self.content: dict[bytes, bytearray] = {}
        """What is on our disk, and has come."""

    def step(self, script: Script) -> None:
        transfer = bytes([script.number() % 8]) * 16
        receiving = self.transfers.receiving
        steps: tuple[Callable[[], object], ...] = (
            lambda: self.hear(FileOffer(transfer=transfer, name="a", size=script.number(2))),
            lambda: self.hear(self.folder(transfer, script.number())),
            lambda: self.hear(self.member(transfer, script.number(), script.number())),
            lambda: self.hear(FileStart(transfer=transfer, offset=script.number())),
            lambda: self.receive(self.next_chunk(transfer, 1 + script.number(2), script.number())),
            lambda: self.hear(self.end(transfer, script.number())),
            lambda: self.hear(FileAbort(transfer=transfer, reason="cancelled")),
            lambda: self.receive(script.text(1)),
            lambda: receiving.accept(transfer),
            lambda: receiving.accept(transfer, self.prefix(script.number())),
            lambda: receiving.decline(transfer, "declined"),
            lambda: self.write(transfer, script.number(2)),
            lambda: self.finish(transfer),
            lambda: receiving.cancel(transfer, "no_space"),
            self.transfers.next_message,
            self.transfers.sending.what_to_read,
        )
        steps[script.number() % len(steps)]()

    def hear(self, message: WireModel) -> None:
        self.receive(encode(message))

    def receive(self, message: bytes) -> None:
        for event in self.transfers.receive(message):
            self.on(event)

    def on(self, event: FileEvent) -> None:
        match event:
            case Offered() | MemberOffered():
                assert event.transfer not in self.offered
                self.offered[event.transfer] = event.size
            case Started(transfer, offset):
                self.content[transfer] = bytearray(offset)
            case Data(transfer, offset, data):
                assert offset == len(self.content[transfer])
                self.content[transfer] += data
                assert len(self.content[transfer]) <= self.offered[transfer]
            case Received(transfer) if transfer in self.content:
                assert len(self.content[transfer]) == self.offered[transfer]

    def finish(self, transfer: bytes) -> None:
        for event in self.transfers.receiving.finished(transfer):
            self.on(event)

    def folder(self, transfer: bytes, count: int) -> FolderOffer:
        """Of ``count`` files of one byte each."""
        listing = b"".join(
            encode(Listed(path=(f"{number:03}",), size=1)) + b"\n" for number in range(1 + count)
        )
        digest = hashlib.sha256(listing).digest()
        return FolderOffer(
            transfer=transfer, name="a", size=1 + count, count=1 + count, listing=digest
        )

    def member(self, transfer: bytes, folder: int, number: int) -> FolderFile:
        return FolderFile(
            transfer=transfer, folder=bytes([folder % 8]) * 16, path=(f"{number:03}",), size=1
        )

    def next_chunk(self, transfer: bytes, size: int, gap: int) -> bytes:
        """The next bytes of a file where ``gap`` is 0."""
        offset = len(self.content.get(transfer, b"")) + gap
        return encode_chunk(transfer, offset, memoryview(bytes(min(size, 65_000))))

    def end(self, transfer: bytes, difference: int) -> FileEnd:
        """With the right hash where ``difference`` is 0."""
        digest = bytearray(hashlib.sha256(self.content.get(transfer, b"")).digest())
        digest[0] ^= difference
        return FileEnd(transfer=transfer, sha256=bytes(digest))

    def prefix(self, size: int) -> RunningHash:
        prefix = RunningHash()
        prefix.update(bytes(size))
        return prefix

    def write(self, transfer: bytes, size: int) -> None:
        file = self.transfers.receiving.find(transfer)
        if isinstance(file, ReceivedFile):
            self.transfers.receiving.written(transfer, file.written + size)

    def check(self) -> None:
        """The counters are those of the transfers that are there."""
        receiving = self.transfers.receiving
        there = receiving._transfers
        for gone in self.offered.keys() - there.keys():
            del self.offered[gone]
            self.content.pop(gone, None)
        active = [
            file
            for file in there.values()
            if isinstance(file, ReceivedFile) and file.state in {FileState.RUNNING, FileState.ENDED}
        ]
        on_their_way = sum(file.hash.length - file.acknowledged for file in active)
        assert receiving._unacknowledged == on_their_way <= WINDOW
        assert receiving._running == len(active) <= MAX_RUNNING


def files(data: bytes) -> None:
    script = Script(data)
    side = Files()
    for _ in range(MAX_STEPS):
        if not script.rest:
            return
        try:
            side.step(script)
        except UsageError:
            continue
        except (UnexpectedMessage, MalformedMessage) as error:
            for call in (lambda: side.receive(b""), side.transfers.next_message):
                with pytest.raises(ProtocolError, match=re.escape(str(error))):
                    call()
            return
        side.check()
