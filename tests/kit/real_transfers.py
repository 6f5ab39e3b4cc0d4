"""The package's files and folders on one channel as the side under test, without a disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest import mock

from e2ee import ProtocolError
from e2ee.file_events import (
    Aborted,
    Accepted,
    Acknowledged,
    Data,
    Declined,
    FileEvent,
    Finished,
    MemberOffered,
    Offered,
    Received,
    Started,
)
from e2ee.file_sender import Read
from e2ee.file_transfer import FileTransfers
from e2ee.primitives import RunningHash

from .case import Case, Step, data_of_zeros
from .real_core import check_each_raises
from .real_readers import NAMES

Path = tuple[str, ...]


def _told(event: FileEvent) -> str:
    transfer = event.transfer.hex()
    match event:
        case Offered(_, name, size, count, _):
            files = "" if count is None else f" {count}"
            return f"offered {transfer} {name.encode().hex()} {size}{files}"
        case MemberOffered(_, folder, path, size):
            names = "/".join(name.encode().hex() for name in path)
            return f"member {transfer} {folder.hex()} {names} {size}"
        case Data(_, offset, data):
            return f"data {transfer} {offset} {data.hex()}"
        case Started(_, offset) | Accepted(_, offset) | Acknowledged(_, offset):
            return f"{type(event).__name__.lower()} {transfer} {offset}"
        case Received() | Finished():
            return f"{type(event).__name__.lower()} {transfer}"
        case Declined(_, reason) | Aborted(_, reason):
            return f"{type(event).__name__.lower()} {transfer} {reason}"


def _hash(data: bytes) -> RunningHash:
    running = RunningHash()
    running.update(data)
    return running


class RealTransfers:
    """Transfers whose numbers are drawn as the case says."""

    def __init__(self, case: Case) -> None:
        self.case, self.transfers = case, FileTransfers()
        self.files: dict[bytes, bytes] = {}
        """What is sent, by its transfer; ``members`` -- by its place in a folder."""
        self.members: dict[Path, bytes] = {}
        self.offsets: dict[bytes, int] = {}
        self.asked: dict[bytes, Read] = {}

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        numbers = [bytes.fromhex(number) for number in self.case.all("transfer")]
        drawn = mock.Mock()
        drawn.token_bytes = lambda _: numbers.pop(0)
        with mock.patch("e2ee.file_sender.secrets", drawn):
            yield

    def do(self, action: str, value: str) -> Step:
        """What came of one action."""
        events: list[FileEvent] = []
        try:
            if action == "receive":
                events = self.transfers.receive(bytes.fromhex(value))
            elif action == "zeros":
                return self._zeros(value)
            elif action == "call":
                events = self._call(*value.split())
        except ProtocolError as error:
            self._check_dead(error)
            return Step(action, value, (), (), NAMES[type(error)])
        for event in events:
            self._note(event)
        return Step(action, value, tuple(map(_told, events)), self._sent(), None)

    def _sent(self) -> tuple[bytes, ...]:
        return tuple(map(bytes, iter(self.transfers.next_message, None)))

    def _zeros(self, value: str) -> Step:
        done = self.do("receive", data_of_zeros(value).hex())
        transfer, offset, count = value.split()
        told = f"data {transfer} {offset} {bytes(int(count)).hex()}"
        events = tuple(f"zeros {value}" if event == told else event for event in done.events)
        return Step("zeros", value, events, done.sent, done.failure)

    def _note(self, event: FileEvent) -> None:
        if isinstance(event, Accepted):
            self.offsets[event.transfer] = event.offset
            if event.folder is not None:
                self.files[event.transfer] = self.members[event.path]

    def _call(self, what: str, *rest: str) -> list[FileEvent]:
        match what, *rest:
            case ["offer", name, *content]:
                self._offer(name, bytes.fromhex("".join(content)))
            case ["offer-zeros", name, size]:
                self._offer(name, bytes(int(size)))
            case ["offer-folder", name, *files]:
                self.members = dict(map(_member, files))
                sizes = [(path, len(data)) for path, data in self.members.items()]
                self.transfers.sending.offer_folder(bytes.fromhex(name).decode(), sizes)
            case _:
                return self._call_about(what, bytes.fromhex(rest[0]), *rest[1:])
        return []

    def _call_about(self, what: str, transfer: bytes, *rest: str) -> list[FileEvent]:
        """A call about a transfer that is there."""
        sending, receiving = self.transfers.sending, self.transfers.receiving
        match what, *rest:
            case ["check"]:
                has = self.files[transfer][: self.offsets[transfer]]
                sending.give_prefix(transfer, _hash(has))
            case ["read", count]:
                self._read(transfer, int(count))
            case ["accept", *prefix]:
                receiving.accept(transfer, _hash(bytes.fromhex("".join(prefix))))
            case ["decline", reason]:
                receiving.decline(transfer, reason)  # type: ignore[arg-type]
            case ["written", offset]:
                receiving.written(transfer, int(offset))
            case ["finished"]:
                return receiving.finished(transfer)
            case ["cancel", reason]:
                self.transfers.cancel(transfer, reason)  # type: ignore[arg-type]
            case _:
                raise AssertionError(what)
        return []

    def _offer(self, name: str, data: bytes) -> None:
        transfer = self.transfers.sending.offer_file(bytes.fromhex(name).decode(), len(data))
        self.files[transfer] = data

    def _read(self, transfer: bytes, count: int) -> None:
        """So many bytes are asked for, instead of as many as one read gives."""
        sending = self.transfers.sending
        with mock.patch("e2ee.file_sender.READ_SIZE", count):
            self.asked |= {wanted.transfer: wanted for wanted in sending.what_to_read()}
        wanted = self.asked.pop(transfer)
        assert wanted.length == count
        data = self.files[transfer][wanted.offset : wanted.offset + count]
        sending.give_data(transfer, data)

    def _check_dead(self, error: ProtocolError) -> None:
        """Every further call gives the same error."""
        check_each_raises(error, (lambda: self.transfers.receive(b""), self.transfers.next_message))


def _member(text: str) -> tuple[Path, bytes]:
    path, _, data = text.partition(":")
    names = tuple(bytes.fromhex(name).decode() for name in path.split("/"))
    return names, bytes.fromhex(data)
