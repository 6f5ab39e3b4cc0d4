"""What is measured: the operations, side by side with those that they compare to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from noise.connection import Keypair, NoiseConnection

from benchmarks.tls import Tls, check
from e2ee import (
    CLASSICAL_AESGCM,
    HYBRID_AESGCM,
    Identity,
    MessageReceived,
    Session,
    State,
    Suite,
)
from e2ee.handshake import Handshake
from e2ee.limits import KIB, MAX_CONTENT_LENGTH, MIB

ONE_FULL_RECORD = MAX_CONTENT_LENGTH - 4
"""Bytes of the message that fills one record: its length prefix has the other four."""

MESSAGE_SIZES = {
    "64 B": 64,
    "1 KiB": KIB,
    "16 KiB": 16 * KIB,
    f"{ONE_FULL_RECORD:,} B": ONE_FULL_RECORD,
    "1 MiB": MIB,
}
"""Bytes of each message, by the name in the report."""

E2EE, AEAD, TLS = "e2ee", "AESGCM", "ssl"
HYBRID, CLASSICAL = "e2ee, hybrid suite", "e2ee, classical suite"
BARE_NOISE, TLS_HANDSHAKE = "e2ee.handshake alone", "ssl, TLS 1.3"
NOISEPROTOCOL = "noiseprotocol"


@dataclass(frozen=True, slots=True)
class Contender:
    """One operation. What ``run`` returns is for checks, and costs nothing to make."""

    name: str
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Contenders that do the same. ``message_size`` is in bytes, None for handshakes."""

    name: str
    message_size: int | None
    contenders: tuple[Contender, ...]


def comparisons() -> list[Comparison]:
    """All of them, made ready and checked. Raises RuntimeError when one does not do its work."""
    tls = Tls()
    check(*tls.connect())
    return [_messages(name, size, tls) for name, size in MESSAGE_SIZES.items()] + [_handshakes(tls)]


# Messages: one operation seals one message and opens it at the other side.


def _messages(name: str, size: int, tls: Tls) -> Comparison:
    message = os.urandom(size)
    operations: dict[str, Callable[[], bytes]] = {
        E2EE: _through_session(message),
        AEAD: _through_aead(message),
        TLS: _through_tls(message, tls),
    }
    for contender, run in operations.items():
        if run() != message:
            raise RuntimeError(f"{contender} did not deliver {name}")
    return Comparison(name, size, tuple(Contender(*item) for item in operations.items()))


def _through_session(message: bytes) -> Callable[[], bytes]:
    sender, receiver = _session_handshake(HYBRID_AESGCM)()

    def run() -> bytes:
        sender.send(message)
        events = receiver.receive_data(sender.data_to_send())
        # A program asks after every call; this is how refreshes of the keys are answered.
        if answer := receiver.data_to_send():
            sender.receive_data(answer)
        return next(event.data for event in events if isinstance(event, MessageReceived))

    return run


def _through_aead(message: bytes) -> Callable[[], bytes]:
    """The floor: one call of the cipher for every record that a session would make."""
    aead = AESGCM(AESGCM.generate_key(256))
    nonces = (number.to_bytes(12) for number in count())
    view = memoryview(message)
    pieces = [
        view[start : start + MAX_CONTENT_LENGTH]
        for start in range(0, len(message), MAX_CONTENT_LENGTH)
    ]

    def run() -> bytes:
        opened = []
        for piece in pieces:
            nonce = next(nonces)
            opened.append(aead.decrypt(nonce, aead.encrypt(nonce, piece, None), None))
        return b"".join(opened) if len(opened) > 1 else opened[0]

    return run


def _through_tls(message: bytes, tls: Tls) -> Callable[[], bytes]:
    client, server = tls.connect()
    size = len(message)

    def run() -> bytes:
        client.tls.write(message)
        client.pass_to(server)
        received = server.tls.read(size)
        if len(received) == size:
            return received
        # One read gives at most one record of 16 KiB.
        parts = [received]
        missing = size - len(received)
        while missing:
            parts.append(server.tls.read(missing))
            missing -= len(parts[-1])
        return b"".join(parts)

    return run


# Handshakes: one operation is both sides of one, from the first object to open channels.


def _handshakes(tls: Tls) -> Comparison:
    return Comparison(
        "handshake",
        None,
        (
            Contender(HYBRID, _session_handshake(HYBRID_AESGCM)),
            Contender(CLASSICAL, _session_handshake(CLASSICAL_AESGCM)),
            Contender(TLS_HANDSHAKE, tls.connect),
            Contender(BARE_NOISE, _bare_handshake()),
            Contender(NOISEPROTOCOL, _noiseprotocol_handshake()),
        ),
    )


def _session_handshake(suite: Suite) -> Callable[[], tuple[Session, Session]]:
    """Each side knows whom it expects, and checks when the other's certificate is valid."""
    now = time.time()
    alice, bob = Identity.generate(now=now), Identity.generate(now=now)
    alice_id, bob_id = alice.id, bob.id

    def run() -> tuple[Session, Session]:
        initiator = Session.initiator(alice, suite=suite, expected_peer=bob_id, now=now)
        responder = Session.responder(bob, suites=(suite,), expected_peer=alice_id, now=now)
        responder.receive_data(initiator.data_to_send())
        initiator.receive_data(responder.data_to_send())
        responder.receive_data(initiator.data_to_send())
        return initiator, responder

    if any(session.state is not State.OPEN for session in run()):
        raise RuntimeError(f"the handshake of {suite.name} did not finish")
    return run


def _bare_handshake() -> Callable[[], object]:
    """What noiseprotocol does too: no certificates, empty payloads."""
    initiator_key, responder_key = _static_key(), _static_key()

    def run() -> object:
        initiator = Handshake(CLASSICAL_AESGCM.name, initiator=True, s=initiator_key)
        responder = Handshake(CLASSICAL_AESGCM.name, initiator=False, s=responder_key)
        responder.read_message(initiator.write_message())
        initiator.read_message(responder.write_message())
        responder.read_message(initiator.write_message())
        return initiator.split(), responder.split()

    run()
    return run


def _noiseprotocol_handshake() -> Callable[[], object]:
    name = CLASSICAL_AESGCM.name.encode()
    initiator_key, responder_key = _static_key(), _static_key()

    def run() -> tuple[NoiseConnection, NoiseConnection]:
        initiator = NoiseConnection.from_name(name)
        responder = NoiseConnection.from_name(name)
        initiator.set_as_initiator()
        responder.set_as_responder()
        initiator.set_keypair_from_private_bytes(Keypair.STATIC, initiator_key)
        responder.set_keypair_from_private_bytes(Keypair.STATIC, responder_key)
        initiator.start_handshake()
        responder.start_handshake()
        responder.read_message(initiator.write_message())
        initiator.read_message(responder.write_message())
        responder.read_message(initiator.write_message())
        return initiator, responder

    if not all(connection.handshake_finished for connection in run()):
        raise RuntimeError("the handshake of noiseprotocol did not finish")
    return run


def _static_key() -> bytes:
    return X25519PrivateKey.generate().private_bytes_raw()
