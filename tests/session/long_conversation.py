"""A session in which both sides have said a lot, with the receiver before each record of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from e2ee import HYBRID_AESGCM, Event, Identity, ProtocolError, Session, Suite
from tests.session.twin import twin

ALICE, BOB = Identity.generate(), Identity.generate()


def opened(suite: Suite = HYBRID_AESGCM) -> tuple[Session, Session]:
    alice, bob = Session.initiator(ALICE, suite=suite), Session.responder(BOB, suites=[suite])
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    bob.receive_data(alice.data_to_send())
    return alice, bob


def refusal(session: Session, data: bytes) -> ProtocolError:
    """With which error these bytes end the session; quicker than `pytest.raises`."""
    try:
        events = session.receive_data(data)
    except ProtocolError as error:
        return error
    raise AssertionError(f"accepted, and told {events}")


def records_of(data: bytes) -> Iterator[bytes]:
    """What was sent after the opening, record by record."""
    while data:
        end = 2 + int.from_bytes(data[:2])
        yield data[:end]
        data = data[end:]


class LongConversation:
    """Side 0 has opened; every list has one entry for each record that this side has sent."""

    def __init__(self, rounds: int) -> None:
        self.sides = opened()
        self.records: tuple[list[bytes], list[bytes]] = ([], [])
        self.receivers: tuple[list[Session], list[Session]] = ([], [])
        """The other side, before it got the record; and, one more, after the last."""
        self.events: tuple[list[list[Event]], list[list[Event]]] = ([], [])
        """What the record told the other side."""
        for number in range(1, rounds + 1):
            for side, session in enumerate(self.sides):
                if number % 50 == 0:
                    session.update_key()
                if number % 250 == 125 * side:
                    session.refresh()
                session.send(b"%d of side %d" % (number, side))
            while self._move(0) or self._move(1):
                pass
        for side in (0, 1):
            self.receivers[side].append(twin(self.sides[1 - side]))

    def _move(self, side: int) -> bool:
        data = self.sides[side].data_to_send()
        for record in records_of(data):
            self.receivers[side].append(twin(self.sides[1 - side]))
            self.records[side].append(record)
            self.events[side].append(self.sides[1 - side].receive_data(record))
        return bool(data)

    def key(self, side: int, number: int) -> tuple[object, int]:
        """Under which key, and with which counter, this record was sealed."""
        layer = self.receivers[side][number]._layer
        assert layer is not None
        return layer._receive._aead, layer._receive._nonce


@cache
def long_conversation(name: str) -> LongConversation:
    """Over 1,000 records from each side; another session for every name."""
    return LongConversation(1000)
