"""One side of a Noise handshake as other projects built it, in one form for the comparison."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dissononce.dh.private import PrivateKey
from dissononce.extras.dh.dangerous.dh_nogen import NoGenDH
from dissononce.extras.meta.protocol.factory import NoiseProtocolFactory
from noise.connection import Keypair, NoiseConnection

from e2ee.handshake import PATTERNS

# It logs each step, which here is most of the time.
logging.getLogger("dissononce").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Given:
    """What one side knows beforehand; keys as raw bytes. ``e`` is drawn where it is None."""

    name: str
    initiator: bool
    prologue: bytes
    s: bytes
    rs: bytes | None
    e: bytes | None
    psks: Sequence[bytes]


class NoiseProtocolSide:
    """The package ``noiseprotocol``."""

    project = "noiseprotocol"
    patterns = tuple(name for name in PATTERNS if "1" not in name)
    """One-way and fundamental."""
    can_rekey = True

    def __init__(self, given: Given) -> None:
        connection = NoiseConnection.from_name(given.name.encode())
        if given.initiator:
            connection.set_as_initiator()
        else:
            connection.set_as_responder()
        connection.set_prologue(given.prologue)
        connection.set_keypair_from_private_bytes(Keypair.STATIC, given.s)
        if given.rs is not None:
            connection.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, given.rs)
        if given.e is not None:
            connection.set_keypair_from_private_bytes(Keypair.EPHEMERAL, given.e)
        if given.psks:
            connection.set_psks(psks=list(given.psks))
        connection.start_handshake()
        self._connection: Any = connection

    def write(self, payload: bytes) -> bytes:
        return bytes(self._connection.write_message(payload))

    def read(self, message: bytes) -> bytes:
        return bytes(self._connection.read_message(message))

    @property
    def handshake_hash(self) -> bytes:
        return bytes(self._connection.get_handshake_hash())

    def encrypt(self, plaintext: bytes) -> bytes:
        return bytes(self._connection.encrypt(plaintext))

    def decrypt(self, sealed: bytes) -> bytes:
        return bytes(self._connection.decrypt(sealed))

    def rekey(self) -> None:
        self._connection.rekey_inbound_cipher()
        self._connection.rekey_outbound_cipher()


class DissononceSide:
    """The package ``dissononce``."""

    project = "dissononce"
    patterns = tuple(PATTERNS)
    """One-way, fundamental and deferred."""
    can_rekey = False
    """Its key then has 48 bytes and its counter is 0, both against section 11.3."""

    def __init__(self, given: Given) -> None:
        protocol = NoiseProtocolFactory().get_noise_protocol(given.name)
        dh = protocol.dh if given.e is None else NoGenDH(protocol.dh, PrivateKey(given.e))
        self._send, self._receive = (0, 1) if given.initiator else (1, 0)
        self._handshake: Any = protocol.create_handshakestate(dh=dh)
        self._handshake.initialize(
            protocol.pattern,
            given.initiator,
            given.prologue,
            s=protocol.dh.generate_keypair(PrivateKey(given.s)),
            rs=None if given.rs is None else protocol.dh.create_public(given.rs),
            psks=given.psks,
        )
        self._ciphers: Any = None

    def write(self, payload: bytes) -> bytes:
        message = bytearray()
        self._ciphers = self._handshake.write_message(payload, message)
        return bytes(message)

    def read(self, message: bytes) -> bytes:
        payload = bytearray()
        self._ciphers = self._handshake.read_message(message, payload)
        return bytes(payload)

    @property
    def handshake_hash(self) -> bytes:
        return bytes(self._handshake.symmetricstate.get_handshake_hash())

    def encrypt(self, plaintext: bytes) -> bytes:
        return bytes(self._ciphers[self._send].encrypt_with_ad(b"", plaintext))

    def decrypt(self, sealed: bytes) -> bytes:
        return bytes(self._ciphers[self._receive].decrypt_with_ad(b"", sealed))

    def rekey(self) -> None:
        raise NotImplementedError("no rekey after Noise's section 11.3")


Other = NoiseProtocolSide | DissononceSide
"""Any exception of theirs means that they refuse."""

OTHERS: tuple[type[Other], ...] = (NoiseProtocolSide, DissononceSide)


def knows(other: type[Other], name: str) -> bool:
    """Whether it has this pattern, with these modifiers."""
    pattern, *modifiers = re.findall(r"[A-Z1]+|psk\d", name)
    # dissononce takes no two psks in one message.
    crowded = {"psk0", "psk1"} <= set(modifiers)
    return pattern in other.patterns and not (
        other is DissononceSide and (crowded or "psk4" in modifiers)
    )
