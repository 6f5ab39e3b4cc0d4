"""One label for one purpose, and no protocol takes another's messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import permutations
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import e2ee
from e2ee import ProtocolError, Session, State
from e2ee.handshake import Handshake, Token, parse_protocol_name
from e2ee.suites import CODE_AESGCM, HYBRID_AESGCM, KNOWN_AESGCM, LINK_AESGCM, SUITES, Suite

from .people import Acquaintance

Figure = Callable[[str], None]

HEADER = re.compile(r"e2ee [a-z ]+, version \d+")


def labels() -> Iterator[bytes]:
    """Each constant in the code that begins like our labels and the headers of our files."""
    for file in Path(e2ee.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Constant(value=bytes(label)) if label.startswith(b"e2ee "):
                    yield label
                case ast.Constant(value=str(text)) if HEADER.fullmatch(text):
                    yield text.encode()


@pytest.mark.attack(12)
def test_every_label_stands_once_and_none_is_the_beginning_of_another(figure: Figure) -> None:
    found = list(labels())
    assert len(found) > 15
    assert len(set(found)) == len(found)
    for one, other in permutations(found, 2):
        assert not one.startswith(other)
    figure(f"labels: {len(found)} in the code, each once, none the beginning of another")


def side(name: str, *, initiator: bool, keys: list[X25519PrivateKey]) -> Handshake:
    """All that two protocols can have in common is the same: keys, prologue and psk."""
    pattern = parse_protocol_name(name).pattern
    known = pattern.responder_pre_message if initiator else pattern.initiator_pre_message
    return Handshake(
        name,
        initiator=initiator,
        prologue=b"the same",
        s=keys[0 if initiator else 1],
        rs=keys[1 if initiator else 0].public_key() if Token.S in known else None,
        psks=[bytes(32)] if pattern.contains(Token.PSK) else [],
    )


def finish(initiator: Handshake, responder: Handshake) -> None:
    sides = (initiator, responder)
    turn = 0
    while not sides[turn].finished:
        # Read up to what the other expects: sizes alone do not tell protocols apart.
        message = sides[turn].write_message()
        expected = sides[1 - turn].next_message_length(0)
        sides[1 - turn].read_message(message.ljust(expected, b"\0"))
        turn = 1 - turn


@pytest.mark.attack(12)
def test_no_noise_protocol_of_ours_understands_another(figure: Figure) -> None:
    names = sorted({name for suite in SUITES.values() for name in (suite.name, suite.refresh_name)})
    keys = [X25519PrivateKey.generate() for _ in range(2)]
    for name in names:
        finish(side(name, initiator=True, keys=keys), side(name, initiator=False, keys=keys))
    pairs = list(permutations(names, 2))
    for one, other in pairs:
        initiator = side(one, initiator=True, keys=keys)
        responder = side(other, initiator=False, keys=keys)
        with pytest.raises(ProtocolError):
            finish(initiator, responder)
        assert not (initiator.finished and responder.finished)
    figure(f"Noise protocols: 0 of {len(pairs)} ordered pairs finish, all keys being the same")


OPENINGS = (HYBRID_AESGCM, KNOWN_AESGCM, LINK_AESGCM, CODE_AESGCM)


def flights_of(suite: Suite, most: int) -> tuple[tuple[Session, Session], list[bytes]]:
    """Two sessions after so many flights."""
    sessions = Acquaintance(suite).new_sessions()
    flights: list[bytes] = []
    while len(flights) < most and (data := sessions[len(flights) % 2].data_to_send()):
        flights.append(data)
        sessions[len(flights) % 2].receive_data(data)
    return sessions, flights


@pytest.mark.attack(12)
@pytest.mark.parametrize("suite", OPENINGS, ids=lambda suite: suite.approach.value)
def test_no_opening_takes_a_flight_of_another(suite: Suite, figure: Figure) -> None:
    """Each flight of the other three, at each moment of this one, to each side that waits."""
    tried = 0
    for other in OPENINGS:
        if other is suite:
            continue
        for flight in flights_of(other, 10)[1]:
            for passed in range(len(flights_of(suite, 10)[1])):
                sessions, _ = flights_of(suite, passed)
                receiver = sessions[1 - passed % 2]
                receiver.data_to_send()
                with suppress(ProtocolError):
                    assert receiver.receive_data(flight) == []
                with suppress(ProtocolError):
                    receiver.receive_eof()
                assert receiver.state is State.FAILED
                assert receiver.peer is None
                tried += 1
    figure(f"{suite.approach.value}: {tried} flights of other openings, 0 sessions")
