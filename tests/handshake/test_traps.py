"""What an implementation of Noise can get wrong without any test vector noticing."""

from __future__ import annotations

import copy
import gc
import gzip
import json
import os
import pickle
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from e2ee.errors import (
    DecryptionError,
    InvalidLength,
    InvalidProtocolName,
    InvalidPublicKey,
    NonceExhausted,
    ProtocolError,
    UnexpectedPeer,
    UsageError,
)
from e2ee.handshake import CipherState, Handshake, KnownAnswerWarning
from e2ee.primitives import CIPHERS, TAG_LENGTH, MlKem768

KEY = bytes(range(32))
LARGEST_NONCE = 2**64 - 1
SUITE = "25519_AESGCM_SHA256"
HYBRID_SUITE = "25519+MLKEM768_AESGCM_SHA256"


@pytest.fixture(params=CIPHERS)
def ciphers(request: pytest.FixtureRequest) -> tuple[CipherState, CipherState]:
    """Sender and receiver of one direction."""
    cipher = CIPHERS[request.param]
    return CipherState(cipher, KEY), CipherState(cipher, KEY)


def handshakes(
    name: str, *, rs: bool = False, rs_of_initiator: bool = False
) -> tuple[Handshake, Handshake]:
    """Initiator and responder with fresh keys, each knowing the other's if told so."""
    ours, theirs = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    known_rs = theirs.public_key() if rs else None
    known_rs_of_initiator = ours.public_key() if rs_of_initiator else None
    return (
        Handshake(name, initiator=True, s=ours, rs=known_rs),
        Handshake(name, initiator=False, s=theirs, rs=known_rs_of_initiator),
    )


def run(writer: Handshake, reader: Handshake, change: tuple[int, int] | None = None) -> list[bytes]:
    """Exchange all the messages; ``change`` is a message's number and a byte to change in it."""
    messages: list[bytes] = []
    while not writer.finished:
        message = writer.write_message()
        messages.append(message)
        if change is not None and change[0] == len(messages) - 1:
            message = changed(message, change[1])
        reader.read_message(message)
        writer, reader = reader, writer
    return messages


def flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data) ^ 1 << bit).to_bytes(len(data))


def changed(data: bytes, at: int = -1) -> bytes:
    forged = bytearray(data)
    forged[at] ^= 1
    return bytes(forged)


# Nonces.


def test_a_nonce_is_spent_by_success_only(ciphers: tuple[CipherState, CipherState]) -> None:
    sender, receiver = ciphers
    with pytest.raises(UsageError):
        sender.encrypt_with_ad(b"", bytes(65_520))
    assert sender._nonce == 0
    assert receiver.decrypt_with_ad(b"", sender.encrypt_with_ad(b"", b"zeroth")) == b"zeroth"
    assert (sender._nonce, receiver._nonce) == (1, 1)
    with pytest.raises(DecryptionError):
        receiver.decrypt_with_ad(b"", changed(sender.encrypt_with_ad(b"", b"first")))
    assert (sender._nonce, receiver._nonce) == (2, 1)


def test_what_is_sealed_in_place_is_what_is_sealed_otherwise(
    ciphers: tuple[CipherState, CipherState],
) -> None:
    sender, receiver = ciphers
    for number, length in enumerate((0, 1, 65_519)):
        message = bytearray(b"x" * length + bytes(TAG_LENGTH))
        sender.encrypt_in_place(memoryview(message))
        assert sender._nonce == number + 1
        assert receiver.decrypt_with_ad(b"", bytes(message)) == b"x" * length


@pytest.mark.attack(28)
def test_what_may_not_be_sealed_is_not_sealed_in_place_either(
    ciphers: tuple[CipherState, CipherState], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, receiver = ciphers
    longest = bytearray(b"x" * 65_536)
    with pytest.raises(UsageError, match="at most"):
        sender.encrypt_in_place(memoryview(longest))
    message = longest[:100]
    sender._nonce = LARGEST_NONCE
    with pytest.raises(NonceExhausted):
        sender.encrypt_in_place(memoryview(message))
    sender._nonce = 7
    with monkeypatch.context() as forked:
        forked.setattr("e2ee._uncopyable._process", object())
        with pytest.raises(UsageError, match="after a fork"):
            sender.encrypt_in_place(memoryview(message))
    receiver.forbid("for a reason")
    with pytest.raises(UsageError, match="for a reason"):
        receiver.encrypt_in_place(memoryview(message))
    assert sender._nonce == 7
    assert message == b"x" * 100
    assert longest == b"x" * 65_536


def test_the_nonce_is_laid_out_as_each_cipher_wants_it() -> None:
    for name, aead, nonce in (
        ("AESGCM", AESGCM(KEY), "000000000102030405060708"),
        ("ChaChaPoly", ChaCha20Poly1305(KEY), "000000000807060504030201"),
    ):
        state = CipherState(CIPHERS[name], KEY)
        state._nonce = 0x0102030405060708
        sealed = aead.encrypt(bytes.fromhex(nonce), b"text", b"ad")
        assert state.encrypt_with_ad(b"ad", b"text") == sealed


@pytest.mark.attack(28)
def test_the_largest_nonce_is_reserved_in_both_directions(
    ciphers: tuple[CipherState, CipherState], figure: Callable[[str], None]
) -> None:
    sender, receiver = ciphers
    sender._nonce = receiver._nonce = LARGEST_NONCE - 1
    last = sender.encrypt_with_ad(b"", b"the last one")
    assert receiver.decrypt_with_ad(b"", last) == b"the last one"
    for _ in range(2):
        with pytest.raises(NonceExhausted):
            sender.encrypt_with_ad(b"", b"one too many")
        with pytest.raises(NonceExhausted):
            receiver.decrypt_with_ad(b"", last)
    assert (sender._nonce, receiver._nonce) == (LARGEST_NONCE, LARGEST_NONCE)
    figure(f"counter: nothing sealed or opened at 2^64 - 1 under {sender._cipher.aead.__name__}")


def test_rekey_is_noises_definition_and_keeps_the_nonce() -> None:
    for name, aead, nonce in (
        ("AESGCM", AESGCM, "000000000000000000000001"),
        ("ChaChaPoly", ChaCha20Poly1305, "000000000100000000000000"),
    ):
        state = CipherState(CIPHERS[name], KEY)
        state.encrypt_with_ad(b"", b"under nonce 0")
        state.rekey()
        assert state._nonce == 1
        new_key = aead(KEY).encrypt(bytes(4) + b"\xff" * 8, bytes(32), b"")[:32]
        sealed = aead(new_key).encrypt(bytes.fromhex(nonce), b"text", b"")
        assert state.encrypt_with_ad(b"", b"text") == sealed


@pytest.mark.attack(28)
def test_rekey_works_at_the_reserved_nonce_and_does_not_bring_nonces_back(
    ciphers: tuple[CipherState, CipherState], figure: Callable[[str], None]
) -> None:
    sender, _ = ciphers
    sender._nonce = LARGEST_NONCE
    sender.rekey()
    assert sender._nonce == LARGEST_NONCE
    with pytest.raises(NonceExhausted):
        sender.encrypt_with_ad(b"", b"")
    figure(f"counter: stays at 2^64 - 1 over a rekey of {sender._cipher.aead.__name__}")


# Failure is final.


def test_a_failed_tag_is_final_for_a_cipher_state(
    ciphers: tuple[CipherState, CipherState],
) -> None:
    sender, receiver = ciphers
    sealed = sender.encrypt_with_ad(b"ad", b"text")
    with pytest.raises(DecryptionError) as first:
        receiver.decrypt_with_ad(b"other ad", sealed)
    calls: list[Callable[[], Any]] = [
        lambda: receiver.decrypt_with_ad(b"ad", sealed),
        lambda: receiver.encrypt_with_ad(b"ad", b"text"),
        receiver.rekey,
    ]
    for call in calls:
        with pytest.raises(DecryptionError) as later:
            call()
        assert later.value is first.value


@pytest.mark.parametrize("length", [0, 15, 65_536])
def test_a_ciphertext_of_impossible_length_is_final_too(
    length: int, ciphers: tuple[CipherState, CipherState]
) -> None:
    sender, receiver = ciphers
    with pytest.raises(InvalidLength):
        receiver.decrypt_with_ad(b"", bytes(length))
    with pytest.raises(InvalidLength):
        receiver.decrypt_with_ad(b"", sender.encrypt_with_ad(b"", b"good"))


def test_a_failed_tag_is_final_for_a_handshake() -> None:
    initiator, responder = handshakes(f"Noise_XX_{SUITE}")
    responder.read_message(initiator.write_message())
    message = responder.write_message()
    with pytest.raises(DecryptionError) as first:
        initiator.read_message(changed(message))
    calls: list[Callable[[], Any]] = [
        lambda: initiator.read_message(message),
        initiator.write_message,
        initiator.split,
        lambda: initiator.handshake_hash,
        lambda: initiator.exporter_secret,
        lambda: initiator.next_message_length(0),
    ]
    for call in calls:
        with pytest.raises(DecryptionError) as later:
            call()
        assert later.value is first.value


@pytest.mark.parametrize("name", ["Noise_XX_" + SUITE, "Noise_XXhfs_" + HYBRID_SUITE])
def test_a_change_of_any_message_is_noticed_before_the_handshake_ends(name: str) -> None:
    for number in range(3):
        initiator, responder = handshakes(name)
        length = len(run(initiator, responder)[number])
        for at in {0, 31, 32, 33, 80, length // 2, length - 17, length - 1}:
            if at < length:
                initiator, responder = handshakes(name)
                with pytest.raises(ProtocolError):
                    run(initiator, responder, change=(number, at))


# Lengths.


@pytest.mark.attack(26)
def test_65519_bytes_are_the_most_that_a_cipher_state_seals_or_opens(
    ciphers: tuple[CipherState, CipherState], figure: Callable[[str], None]
) -> None:
    sender, receiver = ciphers
    largest = os.urandom(65_519)
    sealed = sender.encrypt_with_ad(b"", largest)
    assert len(sealed) == 65_535
    assert receiver.decrypt_with_ad(b"", sealed) == largest
    with pytest.raises(UsageError):
        sender.encrypt_with_ad(b"", bytes(65_520))
    sealed = sender.encrypt_with_ad(b"", b"not harmed by the refusal")
    assert receiver.decrypt_with_ad(b"", sealed) == b"not harmed by the refusal"

    aead = sender._aead
    too_long = aead.encrypt(sender._cipher.pack_nonce(0, receiver._nonce), bytes(65_520), None)
    assert len(too_long) == 65_536
    with pytest.raises(InvalidLength):
        receiver.decrypt_with_ad(b"", too_long)
    figure("limits: 65,519 bytes sealed and opened, 65,520 refused on both sides")


@pytest.mark.attack(26)
@pytest.mark.parametrize("name", ["Noise_XX_" + SUITE, "Noise_XXhfs_" + HYBRID_SUITE])
def test_a_handshake_message_has_at_most_65535_bytes(
    name: str, figure: Callable[[str], None]
) -> None:
    initiator, responder = handshakes(name)
    writer, reader = initiator, responder
    while not initiator.finished:
        room = 65_535 - writer.next_message_length(0)
        with pytest.raises(UsageError):
            writer.write_message(bytes(room + 1))
        payload = os.urandom(room)
        message = writer.write_message(payload)
        assert len(message) == 65_535
        assert reader.read_message(message) == payload
        writer, reader = reader, writer
    figure(f"limits: handshake messages of 65,535 bytes taken and none longer, in {name}")


def test_a_longer_handshake_message_is_refused_at_once() -> None:
    initiator, responder = handshakes(f"Noise_XX_{SUITE}")
    message = initiator.write_message()
    with pytest.raises(InvalidLength):
        responder.read_message(message + bytes(65_536 - len(message)))


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("name", ["Noise_XX_" + SUITE, "Noise_XXhfs_" + HYBRID_SUITE])
def test_a_short_handshake_message_is_refused_at_once_and_for_good(name: str, number: int) -> None:
    for kept in (0, 17, -17, -16, -1):
        writer, reader = handshakes(name)
        for _ in range(number):
            reader.read_message(writer.write_message())
            writer, reader = reader, writer
        message = writer.write_message()
        with pytest.raises(InvalidLength) as first:
            reader.read_message(message[:kept])
        with pytest.raises(InvalidLength) as later:
            reader.read_message(message)
        assert later.value is first.value


def test_a_byte_too_many_is_payload_in_the_clear_and_a_failed_tag_under_a_key() -> None:
    initiator, responder = handshakes(f"Noise_XX_{SUITE}")
    assert responder.read_message(initiator.write_message() + b"x") == b"x"
    initiator, responder = handshakes(f"Noise_XX_{SUITE}")
    responder.read_message(initiator.write_message())
    with pytest.raises(DecryptionError):
        initiator.read_message(responder.write_message() + b"x")


# Public keys.


def low_order_keys() -> list[bytes]:
    file = Path(__file__).parents[1] / "vectors" / "wycheproof" / "x25519_test.json.gz"
    with gzip.open(file) as compressed:
        groups = json.load(compressed)["testGroups"]
    tests = [test for group in groups for test in group["tests"]]
    flagged = {"LowOrderPublic", "ZeroSharedSecret"}
    return sorted({bytes.fromhex(t["public"]) for t in tests if flagged & set(t["flags"])})


@pytest.mark.attack(8)
def test_an_ephemeral_key_of_low_order_is_refused_wherever_a_dh_uses_it(
    figure: Callable[[str], None],
) -> None:
    keys = low_order_keys()
    refusals = 0
    for pattern in ("NN", "XX", "IK", "KK", "NK", "X", "N", "KX", "XX1"):
        for key in keys:
            refusals += low_order_initiator(pattern, key)
            if pattern not in ("X", "N"):
                refusals += low_order_responder(pattern, key)
    figure(f"low-order X25519 keys: {len(keys)} keys, {refusals} refusals as ephemeral keys")
    assert len(keys) == 14
    assert refusals == len(keys) * 16


def known(pattern: str) -> dict[str, bool]:
    """Whose static key each side knows beforehand."""
    return {"rs": pattern in ("IK", "KK", "NK", "X", "N"), "rs_of_initiator": pattern[0] == "K"}


def low_order_initiator(pattern: str, key: bytes) -> int:
    """The initiator's e is replaced: the responder refuses it, reading or in its next message."""
    initiator, responder = handshakes(f"Noise_{pattern}_{SUITE}", **known(pattern))
    message = initiator.write_message()
    with pytest.raises(InvalidPublicKey) as first:
        read_and_answer(responder, key + message[32:])
    with pytest.raises(InvalidPublicKey) as later:
        responder.write_message()
    assert later.value is first.value
    return 1


def read_and_answer(responder: Handshake, message: bytes) -> None:
    responder.read_message(message)
    responder.write_message()


def low_order_responder(pattern: str, key: bytes) -> int:
    initiator, responder = handshakes(f"Noise_{pattern}_{SUITE}", **known(pattern))
    responder.read_message(initiator.write_message())
    message = responder.write_message()
    with pytest.raises(InvalidPublicKey):
        initiator.read_message(key + message[32:])
    return 1


class AnnouncesAnyStatic(Handshake):
    """Sends ``announced`` in place of its own static key, properly encrypted."""

    announced: bytes

    def _static_public(self, own: bool) -> bytes:
        return self.announced if own else super()._static_public(own)


@pytest.mark.attack(8)
@pytest.mark.parametrize(
    ("pattern", "cheat_begins"),
    [
        *[(pattern, True) for pattern in ("XX", "IX", "IN", "XN", "X1X1", "I1X1")],
        *[(pattern, False) for pattern in ("XX", "IX", "NX", "NX1", "X1X1", "I1X1")],
    ],
)
def test_a_static_key_of_low_order_is_refused_when_the_peer_sends_it(
    pattern: str, cheat_begins: bool, figure: Callable[[str], None]
) -> None:
    name = f"Noise_{pattern}_{SUITE}"
    for key in low_order_keys():
        cheat = AnnouncesAnyStatic(name, initiator=cheat_begins, s=X25519PrivateKey.generate())
        cheat.announced = key
        honest = handshakes(name)[1 if cheat_begins else 0]
        writer, reader = (cheat, honest) if cheat_begins else (honest, cheat)
        with pytest.raises(InvalidPublicKey):
            run(writer, reader)
        with pytest.raises(InvalidPublicKey):
            honest.split()
    figure(f"low-order X25519 keys: 14 of 14 refused as static key of {pattern}")


@pytest.mark.attack(8)
@pytest.mark.parametrize("pattern", ["N", "X", "K", "NK", "IK", "KK", "XK"])
def test_a_static_key_of_low_order_known_beforehand_is_refused_by_its_first_dh(
    pattern: str, figure: Callable[[str], None]
) -> None:
    for key in low_order_keys():
        initiator = Handshake(
            f"Noise_{pattern}_{SUITE}", initiator=True, s=X25519PrivateKey.generate(), rs=key
        )
        with pytest.raises(InvalidPublicKey):
            initiator.write_message()
    for key in low_order_keys() if pattern in ("K", "KK") else ():
        ours = X25519PrivateKey.generate()
        initiator = Handshake(
            f"Noise_{pattern}_{SUITE}",
            initiator=True,
            s=X25519PrivateKey.generate(),
            rs=ours.public_key(),
        )
        responder = Handshake(f"Noise_{pattern}_{SUITE}", initiator=False, s=ours, rs=key)
        with pytest.raises(InvalidPublicKey):
            responder.read_message(initiator.write_message())
    figure(f"low-order X25519 keys: 14 of 14 refused as known key in {pattern}")


# u = 0, u = 1, u = p - 1 and the two that are not reduced: all the points of low order on
# curve448 and its twist.
LOW_ORDER_448 = [
    u.to_bytes(56, "little") for p in [2**448 - 2**224 - 1] for u in (0, 1, p - 1, p, p + 1)
]


@pytest.mark.attack(8)
def test_an_x448_key_of_low_order_is_refused(figure: Callable[[str], None]) -> None:
    suite = "448_ChaChaPoly_BLAKE2b"
    for key in LOW_ORDER_448:
        responder = Handshake(f"Noise_NN_{suite}", initiator=False)
        responder.read_message(key)
        with pytest.raises(InvalidPublicKey):
            responder.write_message()
        initiator = Handshake(f"Noise_NK_{suite}", initiator=True, rs=key)
        with pytest.raises(InvalidPublicKey):
            initiator.write_message()
    figure(f"low-order X448 keys: {len(LOW_ORDER_448)} of {len(LOW_ORDER_448)} refused")


def test_the_static_key_sent_must_be_the_expected_one() -> None:
    stranger = X25519PrivateKey.generate().public_key()
    initiator = Handshake(
        f"Noise_XX_{SUITE}", initiator=True, s=X25519PrivateKey.generate(), rs=stranger
    )
    responder = handshakes(f"Noise_XX_{SUITE}")[1]
    responder.read_message(initiator.write_message())
    with pytest.raises(UnexpectedPeer) as first:
        initiator.read_message(responder.write_message())
    assert initiator.remote_static is None
    with pytest.raises(UnexpectedPeer) as later:
        initiator.write_message()
    assert later.value is first.value


def test_the_remote_static_key_can_be_read_before_the_handshake_ends() -> None:
    ours, theirs = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    initiator = Handshake(f"Noise_XX_{SUITE}", initiator=True, s=ours)
    responder = Handshake(f"Noise_XX_{SUITE}", initiator=False, s=theirs)
    seen = [(initiator.remote_static, responder.remote_static)]
    for writer, reader in ((initiator, responder), (responder, initiator), (initiator, responder)):
        reader.read_message(writer.write_message())
        seen.append((initiator.remote_static, responder.remote_static))
    initiators, responders = (key.public_key().public_bytes_raw() for key in (ours, theirs))
    assert seen == [(None, None), (None, None), (responders, None), (responders, initiators)]


# The KEM.


class Junk(MlKem768):
    """An encapsulation whose ciphertext was changed before the AEAD sealed it."""

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        ciphertext, secret = super().encapsulate(public_key)
        return changed(ciphertext), secret


class Malformed(MlKem768):
    """A public key with a coefficient that is not reduced."""

    def generate(self) -> tuple[Any, bytes]:
        private_key, public_key = super().generate()
        return private_key, b"\xff\xff" + public_key[2:]


@pytest.mark.attack(10)
def test_decapsulating_a_changed_ciphertext_raises_nothing_and_gives_another_secret(
    figure: Callable[[str], None],
) -> None:
    kem = MlKem768()
    private_key, public_key = kem.generate()
    ciphertext, secret = kem.encapsulate(public_key)
    assert kem.decapsulate(private_key, ciphertext) == secret
    secrets = {secret}
    for bit in range(8 * len(ciphertext)):
        secrets.add(kem.decapsulate(private_key, flipped(ciphertext, bit)))
    secrets.add(kem.decapsulate(private_key, os.urandom(1088)))
    assert len(secrets) == 8_704 + 2
    assert {len(forged) for forged in secrets} == {32}
    figure("KEM ciphertext: 8,704 of 8,704 flipped bits give another secret, and no error")


class Flipped(MlKem768):
    """Encapsulates, and flips a bit of what it sends."""

    def __init__(self, bit: int) -> None:
        self._bit = bit

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        ciphertext, secret = super().encapsulate(public_key)
        return flipped(ciphertext, self._bit), secret


@pytest.mark.attack(10)
@pytest.mark.filterwarnings("ignore::e2ee.handshake.KnownAnswerWarning")
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(9, id="every ninth bit"),
        pytest.param(1, id="every bit", marks=pytest.mark.nightly),
    ],
)
def test_each_flipped_bit_of_a_kem_ciphertext_is_caught_by_the_next_tag(
    step: int, figure: Callable[[str], None]
) -> None:
    name = f"Noise_XXhfs_{HYBRID_SUITE}"
    texts = set()
    bits = range(0, 8_704, step)
    for bit in bits:
        initiator, _ = handshakes(name)
        responder = Handshake(
            name, initiator=False, s=X25519PrivateKey.generate(), kem=Flipped(bit)
        )
        responder.read_message(initiator.write_message())
        with pytest.raises(DecryptionError) as caught:
            initiator.read_message(responder.write_message())
        assert initiator.remote_static is None
        texts.add(str(caught.value))
    assert len(texts) == 1
    figure(f"KEM ciphertext: {len(bits):,} flipped bits in handshakes, 0 finish, 1 text of error")


@pytest.mark.attack(10)
@pytest.mark.filterwarnings("ignore::e2ee.handshake.KnownAnswerWarning")
@pytest.mark.parametrize("pattern", ["NNhfs", "XXhfs"])
def test_a_changed_kem_ciphertext_is_caught_by_the_next_tag(
    pattern: str, figure: Callable[[str], None]
) -> None:
    name = f"Noise_{pattern}_{HYBRID_SUITE}"
    initiator, _ = handshakes(name)
    responder = Handshake(name, initiator=False, s=X25519PrivateKey.generate(), kem=Junk())
    responder.read_message(initiator.write_message())
    with pytest.raises(DecryptionError):
        initiator.read_message(responder.write_message())
    figure(f"changed KEM ciphertext in {pattern}: refused at the next tag")


@pytest.mark.attack(10)
@pytest.mark.filterwarnings("ignore::e2ee.handshake.KnownAnswerWarning")
def test_a_malformed_kem_public_key_is_refused(figure: Callable[[str], None]) -> None:
    name = f"Noise_NNhfs_{HYBRID_SUITE}"
    initiator = Handshake(name, initiator=True, kem=Malformed())
    _, responder = handshakes(name)
    responder.read_message(initiator.write_message())
    with pytest.raises(InvalidPublicKey) as first:
        responder.write_message()
    with pytest.raises(InvalidPublicKey) as later:
        responder.write_message()
    assert later.value is first.value
    figure("malformed KEM public key in a handshake: refused")


# Split.


def test_split_gives_each_role_its_own_direction() -> None:
    initiator, responder = handshakes(f"Noise_NN_{SUITE}")
    run(initiator, responder)
    assert_directions(initiator, responder)


def assert_directions(initiator: Handshake, responder: Handshake) -> None:
    """The first output of Split() is the initiator's for sending, the second the responder's."""
    first, second, _ = initiator._symmetric.split()
    from_initiator = initiator.split()[0].encrypt_with_ad(b"", b"text")
    from_responder = responder.split()[0].encrypt_with_ad(b"", b"text")
    assert from_initiator != from_responder
    assert first.encrypt_with_ad(b"", b"text") == from_initiator
    assert second.encrypt_with_ad(b"", b"text") == from_responder
    assert responder.split()[1].decrypt_with_ad(b"", from_initiator) == b"text"
    assert initiator.split()[1].decrypt_with_ad(b"", from_responder) == b"text"


def test_split_gives_the_same_two_objects_each_time() -> None:
    initiator, responder = handshakes(f"Noise_NN_{SUITE}")
    run(initiator, responder)
    send, receive = initiator.split()
    assert initiator.split()[0] is send
    assert initiator.split()[1] is receive
    assert send is not receive


def test_nothing_is_split_or_exported_before_the_end() -> None:
    initiator, responder = handshakes(f"Noise_NN_{SUITE}")
    responder.read_message(initiator.write_message())
    for early in (initiator, responder):
        with pytest.raises(UsageError):
            early.split()
        with pytest.raises(UsageError):
            _ = early.handshake_hash
        with pytest.raises(UsageError):
            _ = early.exporter_secret
    initiator.read_message(responder.write_message())
    assert initiator.exporter_secret == responder.exporter_secret


@pytest.mark.parametrize("pattern", ["N", "K", "X"])
def test_after_a_one_way_pattern_only_the_initiator_sends(pattern: str) -> None:
    initiator, responder = handshakes(
        f"Noise_{pattern}_{SUITE}", rs=True, rs_of_initiator=pattern == "K"
    )
    responder.read_message(initiator.write_message())
    sealed = initiator.split()[0].encrypt_with_ad(b"", b"text")
    assert responder.split()[1].decrypt_with_ad(b"", sealed) == b"text"
    forbidden: list[Callable[[], Any]] = [
        lambda: responder.split()[0].encrypt_with_ad(b"", b"text"),
        responder.split()[0].rekey,
        lambda: initiator.split()[1].decrypt_with_ad(b"", sealed),
    ]
    for call in forbidden:
        with pytest.raises(UsageError):
            call()


def test_what_is_forbidden_after_a_failure_still_tells_of_the_failure(
    ciphers: tuple[CipherState, CipherState],
) -> None:
    _, receiver = ciphers
    with pytest.raises(DecryptionError):
        receiver.decrypt_with_ad(b"", bytes(16))
    receiver.forbid("for another reason")
    with pytest.raises(DecryptionError):
        receiver.rekey()


# Noise Pipes: an IK that fails falls back to XX.


def test_a_failed_ik_falls_back_to_xx_with_the_ephemeral_key_carried_over() -> None:
    alice, bob = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    bobs_old_key = X25519PrivateKey.generate().public_key()
    ephemeral = X25519PrivateKey.generate()
    with pytest.warns(KnownAnswerWarning, match="ephemeral"):
        attempt = Handshake(
            f"Noise_IK_{SUITE}", initiator=True, s=alice, rs=bobs_old_key, e=ephemeral
        )
    refusal = Handshake(f"Noise_IK_{SUITE}", initiator=False, s=bob)
    message = attempt.write_message(b"early data that is lost")
    with pytest.raises(DecryptionError):
        refusal.read_message(message)

    name = f"Noise_XXfallback_{SUITE}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bobs = Handshake(name, initiator=True, s=bob, re=message[:32])
        alices = Handshake(name, initiator=False, s=alice, e=ephemeral)
    assert alices.read_message(bobs.write_message(b"from Bob")) == b"from Bob"
    assert alices.remote_static == bob.public_key().public_bytes_raw()
    assert bobs.read_message(alices.write_message(b"from Alice")) == b"from Alice"
    assert bobs.remote_static == alice.public_key().public_bytes_raw()
    assert bobs.handshake_hash == alices.handshake_hash
    assert_directions(bobs, alices)


def test_fallback_needs_the_ephemeral_keys_of_the_message_before() -> None:
    key = X25519PrivateKey.generate()
    for initiator in (True, False):
        with pytest.raises(UsageError, match="ephemeral"):
            Handshake(f"Noise_XXfallback_{SUITE}", initiator=initiator, s=key)


def test_fallback_to_another_ephemeral_key_fails() -> None:
    key, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    name = f"Noise_XXfallback_{SUITE}"
    bobs = Handshake(name, initiator=True, s=key, re=key.public_key())
    alices = Handshake(name, initiator=False, s=key, e=other)
    with pytest.raises(DecryptionError):
        alices.read_message(bobs.write_message())


def test_a_low_order_ephemeral_key_carried_over_is_refused() -> None:
    for key in low_order_keys():
        bobs = Handshake(
            f"Noise_XXfallback_{SUITE}", initiator=True, s=X25519PrivateKey.generate(), re=key
        )
        with pytest.raises(InvalidPublicKey):
            bobs.write_message()


def test_an_ephemeral_key_carried_over_is_in_the_hash() -> None:
    """Section 5.3: Initialize() hashes each pre-message, and section 10.2 makes it one."""
    name, ephemeral = f"Noise_XXfallback_{SUITE}", X25519PrivateKey.generate().public_key()
    bobs = Handshake(name, initiator=True, s=KEY, re=ephemeral, prologue=b"of both")
    expected = sha256(name.encode()).digest()
    for hashed in (b"of both", ephemeral.public_bytes_raw()):
        expected = sha256(expected + hashed).digest()
    assert bobs._symmetric.handshake_hash == expected


@pytest.mark.parametrize("modifiers", ["hfs+fallback", "fallback+hfs"])
def test_hfs_with_fallback_is_refused(modifiers: str) -> None:
    with pytest.raises(InvalidProtocolName, match="hfs with fallback is not defined"):
        Handshake(f"Noise_XX{modifiers}_{HYBRID_SUITE}", initiator=True)


# Objects that hold secrets.


@pytest.mark.attack(30)
@pytest.mark.parametrize(
    "secret",
    [
        CipherState(CIPHERS["AESGCM"], KEY),
        Handshake(f"Noise_NN_{SUITE}", initiator=True),
        Handshake(f"Noise_NN_{SUITE}", initiator=True)._symmetric,
    ],
    ids=lambda secret: type(secret).__name__,
)
def test_what_holds_secrets_cannot_be_copied_and_shows_nothing(
    secret: object, figure: Callable[[str], None]
) -> None:
    for make_copy in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            make_copy(secret)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            pickle.dumps(secret, protocol)
    assert repr(secret) == f"<{type(secret).__name__}>"
    assert str(secret) == repr(secret)
    assert f"{secret}" == repr(secret)
    figure(f"nonces: copy, deepcopy and pickle of {type(secret).__name__} refused")


def test_a_cipher_state_that_has_died_has_no_key(
    ciphers: tuple[CipherState, CipherState],
) -> None:
    _, receiver = ciphers
    with pytest.raises(DecryptionError):
        receiver.decrypt_with_ad(b"", bytes(16))
    alive = gc.get_referents(receiver)
    assert not [found for found in alive if isinstance(found, AESGCM | ChaCha20Poly1305)]


def test_a_handshake_that_has_died_has_no_key_nor_has_its_error() -> None:
    """What led to the error has a traceback, whose frames have keys."""
    name = f"Noise_XXhfs+psk3_{HYBRID_SUITE}"
    initiator = Handshake(name, initiator=True, s=KEY, psks=[KEY])
    responder = Handshake(name, initiator=False, s=KEY, psks=[KEY])
    responder.read_message(initiator.write_message())
    secrets = ("_symmetric", "_s", "_e", "_psks", "_kem_private")
    assert all(getattr(initiator, secret) for secret in secrets)
    with pytest.raises(DecryptionError) as died:
        initiator.read_message(changed(responder.write_message()))
    assert [getattr(initiator, secret) for secret in secrets] == [None] * len(secrets)
    assert died.value.__context__ is None
    assert died.value.__cause__ is None


# Turns, and keys that are missing.


def test_a_payload_that_is_not_bytes_is_refused_and_changes_nothing() -> None:
    initiator, responder = handshakes(f"Noise_NN_{SUITE}")
    for payload in ("text", bytearray(1), None):
        with pytest.raises(UsageError, match="a payload is bytes"):
            initiator.write_message(payload)  # type: ignore[arg-type]
    run(initiator, responder)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_whoever_gave_a_message_may_use_its_memory_again(kind: Callable[[Any], bytes]) -> None:
    initiator, responder = handshakes(f"Noise_XXhfs_{HYBRID_SUITE}")
    for writer, reader in ((initiator, responder), (responder, initiator), (initiator, responder)):
        buffer = bytearray(writer.write_message())
        reader.read_message(kind(buffer))
        buffer[:] = bytes(len(buffer))
    assert initiator.handshake_hash == responder.handshake_hash


def test_a_call_out_of_turn_is_refused_and_changes_nothing() -> None:
    initiator, responder = handshakes(f"Noise_XX_{SUITE}")
    with pytest.raises(UsageError):
        responder.write_message()
    with pytest.raises(UsageError):
        initiator.read_message(bytes(32))
    first = initiator.write_message()
    with pytest.raises(UsageError):
        initiator.write_message()
    responder.read_message(first)
    with pytest.raises(UsageError):
        responder.read_message(first)
    second = responder.write_message()
    initiator.read_message(second)
    responder.read_message(initiator.write_message())
    for done in (initiator, responder):
        with pytest.raises(UsageError, match="finished"):
            done.write_message()
        with pytest.raises(UsageError, match="finished"):
            done.read_message(first)
        with pytest.raises(UsageError, match="finished"):
            done.next_message_length(0)
    assert initiator.handshake_hash == responder.handshake_hash
    assert_directions(initiator, responder)


@pytest.mark.parametrize(
    ("name", "initiator", "keys", "missing"),
    [
        ("XX", True, {}, "needs s"),
        ("XX", False, {}, "needs s"),
        ("IK", True, {"s": KEY}, "needs rs"),
        ("NK", False, {}, "needs s"),
        ("KK", False, {"s": KEY}, "needs rs"),
        ("NN", True, {"rs": KEY}, "no static key"),
        ("NK", False, {"s": KEY, "rs": KEY}, "no static key"),
        ("NNpsk0", True, {}, "needs 1 psks, not 0"),
        ("NN", True, {"psks": [KEY]}, "needs 0 psks, not 1"),
        ("NNpsk0+psk2", True, {"psks": [KEY]}, "needs 2 psks, not 1"),
        ("NNpsk0", True, {"psks": [KEY[1:]]}, "32 bytes"),
        ("NNpsk0", True, {"psks": [KEY + b"\0"]}, "32 bytes"),
        ("NNpsk0", True, {"psks": ["k" * 32]}, "32 bytes"),
        ("XX", True, {"s": KEY[1:]}, "32 bytes"),
        ("XX", True, {"s": bytes(56)}, "32 bytes"),
        ("XX", True, {"s": X448PrivateKey.generate()}, "32 bytes"),
        ("NK", True, {"rs": KEY[1:]}, "32 bytes"),
        ("NK", True, {"rs": X448PrivateKey.generate().public_key()}, "32 bytes"),
    ],
)
def test_keys_that_are_missing_or_of_the_wrong_kind_are_refused_at_the_start(
    name: str, initiator: bool, keys: dict[str, Any], missing: str
) -> None:
    with pytest.raises(UsageError, match=missing):
        Handshake(f"Noise_{name}_{SUITE}", initiator=initiator, **keys)


def test_replaced_randomness_warns() -> None:
    with pytest.warns(KnownAnswerWarning, match="ephemeral"):
        Handshake(f"Noise_NN_{SUITE}", initiator=True, e=KEY)
    with pytest.warns(KnownAnswerWarning, match="KEM"):
        Handshake(f"Noise_NNhfs_{HYBRID_SUITE}", initiator=True, kem=MlKem768())


# What both sides must have in common.


@pytest.mark.parametrize("pattern", ["NN", "NNpsk0", "XX"])
def test_another_prologue_fails(pattern: str) -> None:
    name, psks = f"Noise_{pattern}_{SUITE}", [KEY] if "psk" in pattern else []
    initiator = Handshake(name, initiator=True, s=KEY, prologue=b"one", psks=psks)
    responder = Handshake(name, initiator=False, s=KEY, prologue=b"two", psks=psks)
    with pytest.raises(DecryptionError):
        run(initiator, responder)


@pytest.mark.parametrize("pattern", ["NNpsk0", "NNpsk2", "XXpsk3"])
def test_another_psk_fails(pattern: str) -> None:
    name = f"Noise_{pattern}_{SUITE}"
    initiator = Handshake(name, initiator=True, s=KEY, psks=[KEY])
    responder = Handshake(name, initiator=False, s=KEY, psks=[changed(KEY)])
    with pytest.raises(DecryptionError):
        run(initiator, responder)
