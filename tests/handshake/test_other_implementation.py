"""Live handshakes with an independent implementation, the package ``noiseprotocol``."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from noise.connection import Keypair, NoiseConnection

from e2ee.handshake import Handshake, Token, parse_protocol_name
from e2ee.primitives import CIPHERS, HASHES

# All the patterns that noiseprotocol knows, and psk in each kind of place.
PATTERNS = [
    *("N", "K", "X"),
    *("NN", "NK", "NX", "XN", "XK", "XX", "KN", "KK", "KX", "IN", "IK", "IX"),
    *("Npsk0", "Kpsk0", "Xpsk1", "NNpsk0", "NNpsk2", "NKpsk0", "NXpsk2", "XNpsk3", "XKpsk3"),
    *("XXpsk0", "XXpsk3", "KNpsk0", "KKpsk2", "KXpsk2", "INpsk1", "IKpsk1", "IKpsk2", "IXpsk2"),
    *("NNpsk0+psk2", "XXpsk0+psk1+psk2+psk3"),
]


def talk(name: str, *, we_begin: bool) -> None:
    protocol = parse_protocol_name(name)
    pattern = protocol.pattern
    ours, theirs = protocol.dh.generate(), protocol.dh.generate()
    psks = [os.urandom(32) for message in pattern.messages for t in message if t is Token.PSK]
    pre_messages = [pattern.initiator_pre_message, pattern.responder_pre_message]
    our_pre_message, their_pre_message = pre_messages if we_begin else reversed(pre_messages)

    we = Handshake(
        name,
        initiator=we_begin,
        prologue=b"the same on both sides",
        s=ours,
        rs=theirs.public_key() if Token.S in their_pre_message else None,
        psks=psks,
    )
    they: Any = NoiseConnection.from_name(name.encode())
    if we_begin:
        they.set_as_responder()
    else:
        they.set_as_initiator()
    they.set_prologue(b"the same on both sides")
    they.set_keypair_from_private_bytes(Keypair.STATIC, theirs.private_bytes_raw())
    if Token.S in our_pre_message:
        they.set_keypair_from_public_bytes(
            Keypair.REMOTE_STATIC, ours.public_key().public_bytes_raw()
        )
    if psks:
        they.set_psks(psks=psks)
    they.start_handshake()

    for number in range(len(pattern.messages)):
        payload = os.urandom(number * 40)
        if we_begin == (number % 2 == 0):
            assert they.read_message(we.write_message(payload)) == payload
        else:
            assert we.read_message(bytes(they.write_message(payload))) == payload
    assert we.finished
    assert they.handshake_finished
    assert we.handshake_hash == they.get_handshake_hash()

    send, receive = we.split()
    for number in range(6):
        text = os.urandom(number * 100)
        if number == 4 and not pattern.one_way:
            send.rekey()
            receive.rekey()
            they.rekey_inbound_cipher()
            they.rekey_outbound_cipher()
        if we_begin or not pattern.one_way:
            assert they.decrypt(send.encrypt_with_ad(b"", text)) == text
        if not we_begin or not pattern.one_way:
            assert receive.decrypt_with_ad(b"", they.encrypt(text)) == text


@pytest.mark.parametrize("we_begin", [True, False], ids=["we begin", "they begin"])
def test_we_understand_each_other_in_every_pattern_that_both_know(
    we_begin: bool, figure: Callable[[str], None]
) -> None:
    suites = list(product(("25519", "448"), CIPHERS, HASHES))
    for number, pattern in enumerate(PATTERNS):
        # Each pattern with one cipher and hash of each curve, in turn.
        for dh, cipher, hash_name in (suites[number % 8], suites[8 + number % 8]):
            talk(f"Noise_{pattern}_{dh}_{cipher}_{hash_name}", we_begin=we_begin)
    who = "we" if we_begin else "they"
    figure(f"noiseprotocol: {2 * len(PATTERNS)} live handshakes where {who} begin")


@pytest.mark.parametrize("we_begin", [True, False], ids=["we begin", "they begin"])
@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("dh", ["25519", "448"])
def test_we_understand_each_other_in_every_suite(
    dh: str, cipher: str, hash_name: str, we_begin: bool
) -> None:
    for pattern in ("XX", "IKpsk2"):
        talk(f"Noise_{pattern}_{dh}_{cipher}_{hash_name}", we_begin=we_begin)
