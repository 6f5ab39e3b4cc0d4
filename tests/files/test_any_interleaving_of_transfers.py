"""Whatever two sides do with their files, in any order and with cuts, each file arrives."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from e2ee.errors import OverLimit
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
from e2ee.file_messages import MAX_CHUNK, Chunk, decode_file_message
from e2ee.file_states import WINDOW
from e2ee.file_transfer import FileTransfers
from e2ee.primitives import RunningHash

SIDES = st.sampled_from([0, 1])
SIZES = st.sampled_from([0, 1, 1000, MAX_CHUNK, MAX_CHUNK + 1, 9 * MAX_CHUNK - 1, WINDOW + 70_000])
FOLDERS = st.lists(st.sampled_from([0, 1, 70_000, 600_000]), min_size=1, max_size=12)

counted: Counter[str] = Counter()

Path = tuple[str, ...]


def content(seed: int, size: int) -> bytes:
    return (seed.to_bytes(4) * (size // 4 + 1))[:size]


class Program:
    """What a program does on one side. Its disks outlive connections; the rest does not."""

    def __init__(self) -> None:
        self.own: dict[str, bytes | dict[Path, bytes]] = {}
        """What it sends, by name."""
        self.partial: dict[tuple[str, Path], bytearray] = {}
        self.whole: dict[tuple[str, Path], bytes] = {}
        self.arrived: set[str] = set()
        self.known_to_have_arrived: set[str] = set()
        self.acknowledged: dict[tuple[str, Path], int] = {}
        self.connect()

    def connect(self) -> None:
        self.transfers = FileTransfers()
        self.sent: dict[bytes, tuple[str, Path]] = {}
        self.names: dict[bytes, tuple[str, Path]] = {}
        self.asked: deque[Offered | MemberOffered] = deque()
        self.disk: deque[Callable[[], object]] = deque()
        """What is yet to be written, in order, and what comes after."""

    def offer(self, name: str) -> None:
        own = self.own[name]
        if isinstance(own, bytes):
            transfer = self.transfers.sending.offer_file(name, len(own))
        else:
            files = [(path, len(data)) for path, data in sorted(own.items())]
            transfer = self.transfers.sending.offer_folder(name, files)
        self.sent[transfer] = (name, ())

    def on(self, event: FileEvent) -> None:
        match event:
            case Offered() | MemberOffered():
                self.asked.append(event)
            case Declined() | Aborted():
                assert event.reason in {"declined", "cancelled"}
            case Started() | Data() | Received():
                self.on_receiving(event)
            case _:
                self.on_sending(event)

    def on_receiving(self, event: Started | Data | Received) -> None:
        match event:
            case Started(transfer, offset):
                key = self.names[transfer]
                self.disk.append(lambda: self.truncate(key, offset))
            case Data(transfer, offset, data):
                key = self.names[transfer]
                self.disk.append(lambda: self.write(transfer, key, offset, bytes(data)))
            case Received(transfer):
                self.disk.append(lambda: self.finish(transfer))

    def on_sending(self, event: Accepted | Acknowledged | Finished) -> None:
        match event:
            case Accepted(transfer, offset, folder, path):
                if folder is not None:
                    self.sent[transfer] = (self.sent[folder][0], path)
                if offset:
                    prefix = RunningHash()
                    prefix.update(self.read(transfer)[:offset])
                    self.transfers.sending.give_prefix(transfer, prefix)
            case Acknowledged(transfer, offset):
                self.acknowledged[self.sent[transfer]] = offset
            case Finished(transfer):
                name, path = self.sent[transfer]
                if not path:
                    self.known_to_have_arrived.add(name)

    def read(self, transfer: bytes) -> bytes:
        name, path = self.sent[transfer]
        own = self.own[name]
        return own if isinstance(own, bytes) else own[path]

    def answer(self) -> None:
        event = self.asked.popleft()
        name = event.name if isinstance(event, Offered) else self.names[event.folder][0]
        key = (name, () if isinstance(event, Offered) else event.path)
        self.names[event.transfer] = key
        if isinstance(event, Offered) and event.count is not None:
            self.transfers.receiving.accept(event.transfer)
            return
        prefix = RunningHash()
        prefix.update(bytes(self.partial.setdefault(key, bytearray())))
        counted["bytes kept from before a cut"] += prefix.length
        self.transfers.receiving.accept(event.transfer, prefix)

    def truncate(self, key: tuple[str, Path], offset: int) -> None:
        assert offset == len(self.partial[key]), "the sender has it, so it goes on from there"
        del self.partial[key][offset:]

    def write(self, transfer: bytes, key: tuple[str, Path], offset: int, data: bytes) -> None:
        assert offset == len(self.partial[key])
        self.partial[key] += data
        self.transfers.receiving.written(transfer, offset + len(data))

    def finish(self, transfer: bytes) -> None:
        key = self.names[transfer]
        name, path = key
        if key in self.partial:
            self.whole[key] = bytes(self.partial[key])
        else:
            self.arrived.add(name)
        if key in self.partial and not path:
            self.arrived.add(name)
        for event in self.transfers.receiving.finished(transfer):
            self.on(event)

    def read_disk(self) -> None:
        for wanted in self.transfers.sending.what_to_read():
            end = wanted.offset + wanted.length
            data = self.read(wanted.transfer)[wanted.offset : end]
            self.transfers.sending.give_data(wanted.transfer, data)


class Transfers(RuleBasedStateMachine):
    """``wires[n]`` carries what side n has sent, whole and in order, until it is cut."""

    @initialize()
    def begin(self) -> None:
        self.programs = [Program(), Program()]
        self.connect()
        self.number = 0
        self.given_up: set[str] = set()

    def connect(self) -> None:
        self.wires: list[deque[bytes]] = [deque(), deque()]
        for program in self.programs:
            program.connect()

    def offer(self, side: int, own: bytes | dict[Path, bytes]) -> None:
        name = f"{self.number}"
        self.programs[side].own[name] = own
        try:
            self.programs[side].offer(name)
        except OverLimit:
            self.given_up.add(name)

    @rule(side=SIDES, size=SIZES)
    def offer_a_file(self, side: int, size: int) -> None:
        self.number += 1
        self.offer(side, content(self.number, size))

    @rule(side=SIDES, sizes=FOLDERS)
    def offer_a_folder(self, side: int, sizes: list[int]) -> None:
        self.number += 1
        files: dict[Path, bytes] = {}
        for at, size in enumerate(sizes):
            files["of", f"{at}"] = content(self.number + at, size)
        self.offer(side, files)

    @rule(side=SIDES)
    def answer_an_offer(self, side: int) -> None:
        if self.programs[side].asked:
            self.programs[side].answer()

    @rule(side=SIDES, chance=st.integers(0, 9))
    def decline_or_cancel(self, side: int, chance: int) -> None:
        program = self.programs[side]
        if chance == 0 and program.asked and isinstance(program.asked[0], Offered):
            event = program.asked.popleft()
            assert isinstance(event, Offered)
            program.transfers.receiving.decline(event.transfer, "declined")
            self.given_up.add(event.name)
        ours = {**program.sent, **program.names}
        if chance == 1 and ours:
            transfer = list(ours)[-1]
            program.transfers.cancel(transfer, "cancelled")
            self.given_up.add(ours[transfer][0])

    @rule(side=SIDES)
    def read_the_disk(self, side: int) -> None:
        self.programs[side].read_disk()

    @rule(side=SIDES, steps=st.integers(1, 20))
    def write_to_the_disk(self, side: int, steps: int) -> None:
        disk = self.programs[side].disk
        for _ in range(min(steps, len(disk))):
            disk.popleft()()

    @rule(side=SIDES, messages=st.integers(1, 30))
    def put_on_the_wire(self, side: int, messages: int) -> None:
        program = self.programs[side]
        for _ in range(messages):
            message = program.transfers.next_message()
            if message is None:
                return
            decoded = decode_file_message(message)
            if isinstance(decoded, Chunk):
                counted["bytes sent"] += len(decoded.data)
                kept = program.acknowledged.get(program.sent[decoded.transfer], 0)
                assert decoded.offset >= kept, "what was acknowledged is never sent again"
            self.wires[side].append(message)

    @rule(side=SIDES, messages=st.integers(1, 30))
    def deliver(self, side: int, messages: int) -> None:
        wire, program = self.wires[side], self.programs[1 - side]
        for _ in range(min(messages, len(wire))):
            for event in program.transfers.receive(wire.popleft()):
                program.on(event)
                counted[type(event).__name__] += 1

    @rule(chance=st.integers(0, 3))
    def cut_and_begin_again(self, chance: int) -> None:
        if chance:
            return
        counted["cuts"] += 1
        self.connect()
        self.offer_the_rest()

    @rule(messages=st.integers(1, 12), rounds=st.integers(1, 6))
    def go_on(self, messages: int, rounds: int) -> None:
        """Some of everything, or too little would have come before a cut."""
        for _ in range(rounds):
            for side in (0, 1):
                self.answer_an_offer(side)
                self.read_the_disk(side)
                self.put_on_the_wire(side, messages)
                self.deliver(side, messages)
                self.write_to_the_disk(1 - side, messages)

    def offer_the_rest(self) -> None:
        for program in self.programs:
            for name in program.own.keys() - program.known_to_have_arrived - self.given_up:
                program.offer(name)

    def settle(self) -> None:
        for _ in range(1000):
            busy = False
            for side in (0, 1):
                program = self.programs[side]
                while program.asked:
                    program.answer()
                self.write_to_the_disk(side, 1000)
                self.read_the_disk(side)
                self.put_on_the_wire(side, 1000)
                busy |= bool(self.wires[side])
                self.deliver(side, 1000)
            if not busy and not any(program.asked or program.disk for program in self.programs):
                return
        raise AssertionError("two honest sides never come to rest")

    def teardown(self) -> None:
        if not hasattr(self, "programs"):
            return
        self.settle()
        for side in (0, 1):
            sender, receiver = self.programs[side], self.programs[1 - side]
            for name in sender.own.keys() - self.given_up:
                own = sender.own[name]
                assert name in sender.known_to_have_arrived
                assert name in receiver.arrived
                files = {(): own} if isinstance(own, bytes) else own
                assert {
                    path: data for (of, path), data in receiver.whole.items() if of == name
                } == files
                counted["files"] += len(files)
            assert sender.known_to_have_arrived <= receiver.arrived
            assert not sender.transfers.sending._transfers
            assert not receiver.transfers.receiving._transfers
            assert sender.transfers.sending._on_their_way == 0
            assert receiver.transfers.receiving._unacknowledged == 0
            assert sender.transfers.sending._running == receiver.transfers.receiving._running == 0


def test_every_file_arrives_and_nothing_acknowledged_is_sent_twice(
    figure: Callable[[str], None],
) -> None:
    run_state_machine_as_test(
        Transfers,
        settings=settings(
            max_examples=60,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert counted["cuts"]
    assert counted["bytes kept from before a cut"]
    figure(
        f"files in any interleaving: {counted['files']} files, {counted['cuts']} cuts, "
        f"{counted['bytes sent']:,} bytes sent, {counted['bytes kept from before a cut']:,} kept "
        f"from before a cut, {counted['Aborted'] + counted['Declined']} given up"
    )
