"""Whatever is changed on the way, the receiver notices, and delivers nothing that is wrong.

One session is recorded for each direction: handshake, messages, key update, refresh, close. The
sender does all of that by itself; the receiver only reacts, so what it does depends on nothing
but the bytes it gets and its own random numbers. With the same random numbers again, a fresh
receiver reads the recorded bytes as the first one did, and any change to them can be tried.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import pytest

from e2ee import (
    HYBRID_AESGCM,
    HYBRID_CHACHAPOLY,
    Closed,
    Event,
    Identity,
    ProtocolError,
    Session,
    State,
    Suite,
)
from e2ee.primitives import Dh, DhPrivateKey, MlKem768

ALICE, BOB = Identity.generate(), Identity.generate()

Figure = Callable[[str], None]
T = TypeVar("T")


class SameRandomNumbers:
    """Lets a receiver draw its keys once, and gives the same keys to every later one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._drawn: dict[tuple[object, ...], Any] = {}
        self._count = 0
        self._on = False
        generate_dh, generate_kem = Dh.generate, MlKem768.generate
        encapsulate = MlKem768.encapsulate

        def same_dh(dh: Dh) -> DhPrivateKey:
            return self._once(lambda: generate_dh(dh))

        def same_kem(kem: MlKem768) -> tuple[object, bytes]:
            return self._once(lambda: generate_kem(kem))

        def same_encapsulation(kem: MlKem768, public_key: bytes) -> tuple[bytes, bytes]:
            return self._once(lambda: encapsulate(kem, public_key), public_key)

        monkeypatch.setattr(Dh, "generate", same_dh)
        monkeypatch.setattr(MlKem768, "generate", same_kem)
        monkeypatch.setattr(MlKem768, "encapsulate", same_encapsulation)

    def _once(self, draw: Callable[[], T], *inputs: object) -> T:
        if not self._on:
            return draw()
        self._count += 1
        key = (self._count, *inputs)
        if key not in self._drawn:
            self._drawn[key] = draw()
        drawn: T = self._drawn[key]
        return drawn

    def on(self) -> None:
        """The receiver's turn."""
        self._on = True

    def off(self) -> None:
        """The sender's turn."""
        self._on = False

    def start_again(self) -> None:
        self._count = 0


class Recording:
    """What one side sent in a whole session, and what the other made of it."""

    def __init__(self, randomness: SameRandomNumbers, suite: Suite, sender: str) -> None:
        self.randomness = randomness
        self.suite = suite
        self.sender = sender
        randomness.off()
        speaker = (
            Session.initiator(ALICE, suite=suite)
            if sender == "initiator"
            else Session.responder(BOB, suites=[suite])
        )
        listener = self.fresh_receiver()
        self.pieces: list[bytes] = []
        """The hello or answer with the first message, the last one, then each record."""
        self.events: list[Event] = []

        def speak() -> None:
            data = speaker.data_to_send()
            if data:
                self.pieces.append(data)
                randomness.on()
                self.events.extend(listener.receive_data(data))
                randomness.off()
            speaker.receive_data(listener.data_to_send())

        while speaker.state is State.HANDSHAKE or listener.state is State.HANDSHAKE:
            speak()
        self.opening_pieces = len(self.pieces)
        self.opening_length = len(b"".join(self.pieces))
        speaker.send(b"first")
        speak()
        speaker.send(b"second")
        speak()
        speaker.update_key()
        speak()
        speaker.send(b"third, under a new key")
        speak()
        speaker.refresh()
        speak()  # the offer; in comes the answer
        speak()  # the switch
        speaker.send(b"fourth, in a new epoch")
        speak()
        speaker.send(b"")
        speak()
        speaker.close()
        speak()
        assert self.events[-1] == Closed()
        assert listener.state is State.CLOSED
        self.stream = b"".join(self.pieces)

    def fresh_receiver(self) -> Session:
        self.randomness.start_again()
        self.randomness.on()
        receiver = (
            Session.responder(BOB, suites=[self.suite])
            if self.sender == "initiator"
            else Session.initiator(ALICE, suite=self.suite)
        )
        self.randomness.off()
        return receiver

    def receive(self, stream: bytes) -> tuple[list[Event], ProtocolError | None]:
        """What a fresh receiver makes of a stream that then ends."""
        receiver = self.fresh_receiver()
        self.randomness.on()
        events: list[Event] = []
        try:
            events += receiver.receive_data(stream)
            receiver.receive_eof()
        except ProtocolError as error:
            assert receiver.state is State.FAILED
            return events + list(error.events), error
        assert receiver.state is State.CLOSED
        return events, None

    def assert_detected(self, streams: Iterable[bytes]) -> int:
        """Each stream ends in an error, after a beginning of what was sent; returns how many."""
        count = 0
        for stream in streams:
            if stream == self.stream:
                continue
            events, error = self.receive(stream)
            assert error is not None
            assert events == self.events[: len(events)]
            count += 1
        return count

    def opening(self) -> range:
        return range(self.opening_length)

    def records(self) -> range:
        return range(self.opening_length, len(self.stream))

    def sensitive(self) -> Iterator[int]:
        """Where the lengths and the tags of the records are."""
        at = self.opening_length
        for record in self.pieces[self.opening_pieces :]:
            yield from (at, at + 1)
            at += len(record)
            yield from range(at - 16, at)

    def flipped(self, places: Iterable[int]) -> Iterator[bytes]:
        """Every single bit of these bytes changed."""
        for place in places:
            for bit in range(8):
                yield self.changed(place, 1 << bit)

    def changed(self, place: int, difference: int) -> bytes:
        stream = bytearray(self.stream)
        stream[place] ^= difference
        return bytes(stream)


@pytest.fixture
def randomness(monkeypatch: pytest.MonkeyPatch) -> SameRandomNumbers:
    return SameRandomNumbers(monkeypatch)


@pytest.fixture(params=["initiator", "responder"])
def recording(request: pytest.FixtureRequest, randomness: SameRandomNumbers) -> Recording:
    return Recording(randomness, HYBRID_AESGCM, request.param)


def test_the_recorded_bytes_unchanged_are_read_as_they_were(recording: Recording) -> None:
    assert recording.receive(recording.stream) == (recording.events, None)


def test_every_bit_of_the_handshake_is_protected(recording: Recording, figure: Figure) -> None:
    count = recording.assert_detected(recording.flipped(recording.opening()))
    assert count == 8 * recording.opening_length
    figure(f"tampering: {count} of {count} bits of the {recording.sender}'s handshake detected")


def test_every_bit_of_the_records_lengths_and_tags_is_protected(
    recording: Recording, figure: Figure
) -> None:
    count = recording.assert_detected(recording.flipped(recording.sensitive()))
    figure(f"tampering: {count} of {count} bits of lengths and tags of records detected")


def test_every_byte_of_the_records_is_protected(recording: Recording, figure: Figure) -> None:
    source = random.Random(1)
    count = recording.assert_detected(
        recording.changed(place, source.randrange(1, 256)) for place in recording.records()
    )
    figure(f"tampering: {count} of {count} changed bytes of records detected")


@pytest.mark.parametrize("sender", ["initiator", "responder"])
def test_bytes_of_the_other_cipher_are_protected_too(
    randomness: SameRandomNumbers, sender: str, figure: Figure
) -> None:
    recording = Recording(randomness, HYBRID_CHACHAPOLY, sender)
    source = random.Random(2)
    count = recording.assert_detected(
        recording.changed(place, source.randrange(1, 256))
        for place in range(0, len(recording.stream), 3)
    )
    figure(f"tampering: {count} of {count} changed bytes under ChaCha20-Poly1305 detected")


def test_a_byte_dropped_inserted_or_doubled_anywhere_is_detected(
    recording: Recording, figure: Figure
) -> None:
    source = random.Random(3)
    stream = recording.stream

    def streams() -> Iterator[bytes]:
        for place in range(len(stream)):
            match place % 3:
                case 0:
                    yield stream[:place] + stream[place + 1 :]
                case 1:
                    yield stream[:place] + source.randbytes(1) + stream[place:]
                case _:
                    yield stream[:place] + stream[place : place + 1] + stream[place:]
        yield stream + source.randbytes(1)

    count = recording.assert_detected(streams())
    figure(f"tampering: {count} of {count} dropped, inserted or doubled bytes detected")


def test_every_truncation_is_told_from_an_end(recording: Recording, figure: Figure) -> None:
    count = recording.assert_detected(
        recording.stream[:length] for length in range(len(recording.stream))
    )
    assert count == len(recording.stream)
    figure(f"tampering: {count} of {count} truncations detected")


def test_records_dropped_repeated_or_swapped_are_detected(
    recording: Recording, figure: Figure
) -> None:
    pieces = recording.pieces

    def streams() -> Iterator[bytes]:
        for i, piece in enumerate(pieces):
            yield b"".join(pieces[:i] + pieces[i + 1 :])
            for j in range(len(pieces) + 1):
                yield b"".join([*pieces[:j], piece, *pieces[j:]])
            for j in range(i):
                swapped = pieces.copy()
                swapped[i], swapped[j] = swapped[j], swapped[i]
                yield b"".join(swapped)

    count = recording.assert_detected(streams())
    figure(f"tampering: {count} of {count} dropped, repeated or swapped records detected")


def test_whole_stretches_lost_from_the_middle_are_detected(recording: Recording) -> None:
    pieces = recording.pieces
    recording.assert_detected(
        b"".join(pieces[:i] + pieces[j:])
        for i in range(len(pieces))
        for j in range(i + 1, len(pieces))
    )
