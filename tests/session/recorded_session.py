"""One session, recorded: what one side sent, in pieces, and the receiver before each of them.

The sender does everything by itself and the receiver only reacts, so what it does depends on
nothing but the bytes it gets and its own keys. With the same keys again it reads the recorded bytes
as it did, and any change to them can be tried, from the piece on that is changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import Closed, Event, Identity, ProtocolError, Session, State, Suite
from e2ee.primitives import Dh, MlKem768
from tests.session.twin import twin

ENCAPSULATIONS = Path(__file__).parent / "golden" / "encapsulations.json"
"""What `cryptography` cannot make from a seed: ciphertext and secret for each recorded key."""

SIDES = ("initiator", "responder")
THE_END = "the end"
"""Where a stream is refused whose receiver waits for more until it ends."""


def _bytes_for(purpose: str, length: int) -> bytes:
    """The same in every run, and others for every purpose."""
    return hashlib.shake_256(purpose.encode()).digest(length)


def _identity(name: str) -> Identity:
    return Identity._certified(
        Ed25519PrivateKey.from_private_bytes(_bytes_for(f"identity of {name}", 32)),
        X25519PrivateKey.from_private_bytes(_bytes_for(f"device of {name}", 32)),
        None,
    )


ALICE, BOB = _identity("Alice"), _identity("Bob")


class FixedKeys:
    """Gives each side keys from a list of its own, in place of random ones."""

    def __init__(self) -> None:
        self.side = ""
        """Whose turn it is."""
        self.drawn = dict.fromkeys(SIDES, 0)
        """How many keys each side has drawn."""
        self.recording = False
        self.encapsulations: dict[str, list[str]] = json.loads(ENCAPSULATIONS.read_text())

    def put_in_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        encapsulate = MlKem768.encapsulate

        def generate_dh(dh: Dh) -> X25519PrivateKey:
            return X25519PrivateKey.from_private_bytes(self._seed(32))

        def generate_kem(kem: MlKem768) -> tuple[MLKEM768PrivateKey, bytes]:
            private_key = MLKEM768PrivateKey.from_seed_bytes(self._seed(64))
            return private_key, private_key.public_key().public_bytes_raw()

        def encapsulate_again(kem: MlKem768, public_key: bytes) -> tuple[bytes, bytes]:
            name = hashlib.sha256(public_key).hexdigest()
            if name not in self.encapsulations:
                drawn = encapsulate(kem, public_key)
                if not self.recording:
                    return drawn  # To a key that was changed on the way.
                self.encapsulations[name] = [part.hex() for part in drawn]
            ciphertext, secret = map(bytes.fromhex, self.encapsulations[name])
            return ciphertext, secret

        monkeypatch.setattr(Dh, "generate", generate_dh)
        monkeypatch.setattr(MlKem768, "generate", generate_kem)
        monkeypatch.setattr(MlKem768, "encapsulate", encapsulate_again)

    def _seed(self, length: int) -> bytes:
        self.drawn[self.side] += 1
        return _bytes_for(f"key {self.drawn[self.side]} of the {self.side}", length)


KEYS = FixedKeys()


class Field(NamedTuple):
    """A part of a piece, and where in it that is."""

    name: str
    places: range


class Piece(NamedTuple):
    """What is refused or read as one: a preamble, a message of the handshake, a record."""

    name: str
    data: bytes
    fields: tuple[Field, ...]


class Outcome(NamedTuple):
    """What became of a changed stream: where it was refused ("" for nowhere), with which error,
    and how many events, from the first changed piece on, came before that."""

    refused_in: str
    error: str
    events: int


@dataclass(frozen=True)
class Place:
    """The receiver before a piece, and how many keys and events it had had by then."""

    receiver: Session
    drawn: int
    events: int


HELLO = {"magic": 4, "version": 1, "code": 1, "suite": 2}
MESSAGE_1 = {"e": 32, "e1": 1184}
MESSAGE_2 = {"e": 32, "ekem1": 1104, "s": 48, "payload": 528}
MESSAGE_3 = {"s": 48, "payload": 528}
"""Bytes of the fields, in the suites with a KEM: SPEC.md sections 3.4 and 4.1."""


def _piece(name: str, data: bytes, lengths: dict[str, int]) -> Piece:
    fields, start = [], 0
    for field, length in lengths.items():
        fields.append(Field(field, range(start, start + length)))
        start += length
    assert start == len(data)
    return Piece(name, data, tuple(fields))


def _record(name: str, data: bytes) -> Piece:
    length = int.from_bytes(data[:2])
    return _piece(name, data, {"length": 2, "sealed": length})


class Recording:
    """What ``sender`` sent in a whole session in this suite, and what the other made of it."""

    def __init__(self, suite: Suite, sender: str) -> None:
        self.sender = sender
        self.receiving = SIDES[1 - SIDES.index(sender)]
        self.pieces = self._record(suite)
        self.stream = b"".join(piece.data for piece in self.pieces)
        self.events: list[Event] = []
        self.places: list[Place] = []
        receiver = self._side(self.receiving, suite)
        """Before each piece, and after the last."""
        for data in [b"", *(piece.data for piece in self.pieces)]:
            self.events += receiver.receive_data(data)
            self.places.append(Place(twin(receiver), KEYS.drawn[self.receiving], len(self.events)))
        assert receiver.state is State.CLOSED
        assert self.events[-1] == Closed()

    def _side(self, side: str, suite: Suite) -> Session:
        KEYS.side = side
        KEYS.drawn[side] = 0
        if side == "initiator":
            return Session.initiator(ALICE, suite=suite)
        return Session.responder(BOB, suites=[suite])

    def _record(self, suite: Suite) -> list[Piece]:
        KEYS.recording = True
        listener = self._side(self.receiving, suite)
        speaker = self._side(self.sender, suite)

        def spoken() -> bytes:
            """What the speaker sends, after the listener has got it and answered."""
            KEYS.side = self.sender
            data = speaker.data_to_send()
            KEYS.side = self.receiving
            listener.receive_data(data)
            answer = listener.data_to_send()
            KEYS.side = self.sender
            speaker.receive_data(answer)
            return data

        if self.sender == "initiator":
            first = spoken()
            pieces = [
                _piece("hello", first[:8], HELLO),
                _piece("message 1", first[8:], MESSAGE_1),
                _piece("message 3", spoken(), MESSAGE_3),
            ]
        else:
            KEYS.side = self.sender
            speaker.receive_data(listener.data_to_send())
            first = spoken()
            pieces = [
                _piece("answer", first[:8], HELLO),
                _piece("message 2", first[8:], MESSAGE_2),
            ]

        def say(name: str) -> None:
            pieces.append(_record(name, spoken()))

        speaker.send(b"first")
        say("data 1")
        speaker.send(b"second")
        say("data 2")
        speaker.update_key()
        say("key update")
        speaker.send(b"third, under a new key")
        say("data 3")
        speaker.refresh()
        say("refresh offer")
        say("refresh switch")
        speaker.send(b"fourth, in a new epoch")
        say("data 4")
        speaker.send(b"")
        say("empty data")
        speaker.close()
        say("close")
        KEYS.recording = False
        return pieces

    def receiver_before(self, number: int) -> Session:
        """A receiver to which this piece is the next; until another is asked for."""
        place = self.places[number]
        KEYS.side = self.receiving
        KEYS.drawn[self.receiving] = place.drawn
        return twin(place.receiver)

    def receive(self, first: int, chunks: Iterable[tuple[str, bytes]]) -> Outcome:
        """What the receiver, before piece number ``first``, makes of other chunks and an end.

        Each chunk has the name that an Outcome gives it.
        """
        receiver = self.receiver_before(first)
        start = count = self.places[first].events
        where = THE_END
        error: ProtocolError | None = None
        try:
            for name, data in chunks:
                where = name
                count = self._check(receiver.receive_data(data), count)
            where = THE_END
            receiver.receive_eof()
        except ProtocolError as caught:
            assert receiver.state is State.FAILED
            error = caught
            count = self._check(error.events, count)
        if error is None:
            return Outcome("", "", count - start)
        return Outcome(where, type(error).__name__, count - start)

    def _check(self, events: Sequence[Event], count: int) -> int:
        """Whatever is changed: what is delivered is the beginning of what was sent."""
        together = count + len(events)
        assert list(events) == self.events[count:together]
        return together

    def rest(self, first: int) -> Iterator[tuple[str, bytes]]:
        """The pieces from this number on, as they were sent."""
        for piece in self.pieces[first:]:
            yield piece.name, piece.data


@cache
def recorded(suite: Suite, sender: str) -> Recording:
    """Only while KEYS is in place."""
    return Recording(suite, sender)
