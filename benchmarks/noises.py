"""Other Noise libraries: noiseprotocol and dissononce, both sides in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from dissononce.dh.private import PrivateKey
from dissononce.extras.meta.protocol.factory import NoiseProtocolFactory
from noise.connection import Keypair, NoiseConnection

from e2ee import CLASSICAL_AESGCM
from e2ee.handshake.cipher_state import MAX_PLAINTEXT_LENGTH

NAME = CLASSICAL_AESGCM.name

Ends = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
"""What seals at one side, and what opens at the other."""

# It logs each step, which would be most of its time.
logging.getLogger("dissononce").setLevel(logging.WARNING)


def static_key() -> bytes:
    return X25519PrivateKey.generate().private_bytes_raw()


def noiseprotocol() -> Callable[[], Ends]:
    """An operation that shakes hands. Raises RuntimeError when that does not finish."""
    keys = static_key(), static_key()

    def side(key: bytes, *, initiator: bool) -> Any:
        connection = NoiseConnection.from_name(NAME.encode())
        if initiator:
            connection.set_as_initiator()
        else:
            connection.set_as_responder()
        connection.set_keypair_from_private_bytes(Keypair.STATIC, key)
        connection.start_handshake()
        return connection

    def run() -> Ends:
        initiator, responder = side(keys[0], initiator=True), side(keys[1], initiator=False)
        responder.read_message(initiator.write_message())
        initiator.read_message(responder.write_message())
        responder.read_message(initiator.write_message())
        return initiator.encrypt, responder.decrypt

    return _checked(run)


def dissononce() -> Callable[[], Ends]:
    """As ``noiseprotocol``."""
    protocol = NoiseProtocolFactory().get_noise_protocol(NAME)
    keys = [protocol.dh.generate_keypair(PrivateKey(static_key())) for _ in range(2)]

    def run() -> Ends:
        initiator, responder = protocol.create_handshakestate(), protocol.create_handshakestate()
        initiator.initialize(protocol.pattern, True, b"", s=keys[0])
        responder.initialize(protocol.pattern, False, b"", s=keys[1])
        ciphers: list[Any] = []
        for writer, reader in (
            (initiator, responder),
            (responder, initiator),
            (initiator, responder),
        ):
            message = bytearray()
            ciphers = [writer.write_message(b"", message)]
            ciphers.append(reader.read_message(bytes(message), bytearray()))
        (send, _), (receive, _) = ciphers
        return (
            lambda plaintext: bytes(send.encrypt_with_ad(b"", plaintext)),
            lambda sealed: bytes(receive.decrypt_with_ad(b"", sealed)),
        )

    return _checked(run)


def _checked(run: Callable[[], Ends]) -> Callable[[], Ends]:
    seal, unseal = run()
    if unseal(seal(b"hello")) != b"hello":
        raise RuntimeError("a handshake of another Noise did not finish")
    return run


def passing(ends: Ends, message: bytes) -> Callable[[], bytes]:
    """An operation that takes a message from one side to the other, in pieces if need be."""
    seal, unseal = ends
    pieces = list(_pieces(message))
    if len(pieces) == 1:
        return lambda: unseal(seal(message))
    return lambda: b"".join([unseal(seal(piece)) for piece in pieces])


def _pieces(message: bytes) -> Iterator[bytes]:
    for start in range(0, len(message), MAX_PLAINTEXT_LENGTH):
        yield message[start : start + MAX_PLAINTEXT_LENGTH]
