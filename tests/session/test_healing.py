"""A thief copies all that one side knows, and then only listens: until when can it read?

It reads on across key updates, which are one-way functions of keys that it has. A refresh shuts
it out. And what it has stolen opens nothing from before.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from e2ee import Identity, KeysRefreshed, MessageReceived, Session, Suite
from e2ee.errors import DecryptionError
from e2ee.handshake import CipherState, Handshake, KnownAnswerWarning
from e2ee.messages import KeyUpdate, RefreshAnswer, RefreshOffer, decode_control
from e2ee.primitives import CIPHERS, KEY_LENGTH, Cipher, MlKem768
from e2ee.suites import CLASSICAL_AESGCM, MEETING_SUITES

ALICE, BOB = Identity.generate(), Identity.generate()


class CipherStateWithItsKey(CipherState):
    """Keeps the key where a thief finds it; the AEAD objects hide theirs in native memory."""

    __slots__ = ("key",)

    def __init__(self, cipher: Cipher, key: bytes) -> None:
        super().__init__(cipher, key)
        self.key = key

    def rekey(self) -> None:
        super().rekey()
        self.key = rekeyed(self._cipher, self.key)


def rekeyed(cipher: Cipher, key: bytes) -> bytes:
    sealed = cipher.aead(key).encrypt(cipher.pack_nonce(0, 2**64 - 1), bytes(KEY_LENGTH), None)
    return sealed[:KEY_LENGTH]


@pytest.fixture(autouse=True)
def _keys_lie_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2ee.handshake.symmetric_state.CipherState", CipherStateWithItsKey)


@pytest.fixture(params=MEETING_SUITES, ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest) -> Suite:
    chosen: Suite = request.param
    return chosen


class Thief:
    """All that one side's session held at one moment, and a tap on the wire from then on."""

    def __init__(self, victim: Session, suite: Suite) -> None:
        layer = victim._layer
        assert layer is not None
        assert isinstance(layer._send, CipherStateWithItsKey)
        assert isinstance(layer._receive, CipherStateWithItsKey)
        self.suite = suite
        self.cipher = CIPHERS[suite.name.split("_")[3]]
        self.sent = self.copy(layer._send)
        self.received = self.copy(layer._receive)
        self.prologue = layer._refresh._prologue
        self.psk = layer._refresh._psk
        self.ephemeral_keys = layer._refresh._handshake

    def copy(self, state: CipherStateWithItsKey) -> CipherStateWithItsKey:
        copied = CipherStateWithItsKey(self.cipher, state.key)
        copied._nonce = state._nonce
        return copied

    def read(self, state: CipherState, wire: bytes) -> list[bytes]:
        """The plaintexts of these records, without their padding. Follows key updates."""
        contents = []
        for record in records(wire):
            plaintext = state.decrypt_with_ad(b"", record)
            content = plaintext[3 : 3 + int.from_bytes(plaintext[1:3])]
            contents.append(content)
            if plaintext[0] == 1 and isinstance(decode_control(content), KeyUpdate):
                state.rekey()
        return contents

    def refresh_handshake(self, *, initiator: bool) -> Handshake:
        return Handshake(
            self.suite.refresh_name,
            initiator=initiator,
            prologue=self.prologue,
            psks=[self.psk],
        )


def records(wire: bytes) -> Iterator[bytes]:
    while wire:
        end = 2 + int.from_bytes(wire[:2])
        yield wire[2:end]
        wire = wire[end:]


def opens(cipher: Cipher, key: bytes, wire: bytes) -> bool:
    """Whether this key opens a record of these, under any of the first counters."""
    for record in records(wire):
        for counter in range(16):
            try:
                cipher.aead(key).decrypt(cipher.pack_nonce(0, counter), record, None)
            except InvalidTag:
                continue
            return True
    return False


def opened(suite: Suite) -> tuple[Session, Session]:
    alice = Session.initiator(ALICE, suite=suite)
    bob = Session.responder(BOB, suites=[suite])
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    bob.receive_data(alice.data_to_send())
    return alice, bob


def say(speaker: Session, listener: Session, message: bytes) -> bytes:
    """Send a message and have it received; returns what went over the wire."""
    speaker.send(message)
    wire = speaker.data_to_send()
    assert listener.receive_data(wire)[-1] == MessageReceived(message)
    return wire


def refresh(offerer: Session, answerer: Session) -> tuple[bytes, bytes, bytes]:
    """A whole refresh: offer, answer and switch as they went over the wire."""
    offerer.refresh()
    offer = offerer.data_to_send()
    assert answerer.receive_data(offer) == []
    answer = answerer.data_to_send()
    assert offerer.receive_data(answer) == [KeysRefreshed()]
    switch = offerer.data_to_send()
    assert answerer.receive_data(switch) == [KeysRefreshed()]
    return offer, answer, switch


def as_sent(message: bytes) -> bytes:
    return len(message).to_bytes(4) + message


def test_after_the_theft_and_across_key_updates_the_thief_reads_everything(suite: Suite) -> None:
    alice, bob = opened(suite)
    say(alice, bob, b"before the theft")
    thief = Thief(alice, suite)
    for number in range(3):
        secret = b"secret %d" % number
        assert thief.read(thief.sent, say(alice, bob, secret))[-1] == as_sent(secret)
        assert thief.read(thief.received, say(bob, alice, secret))[-1] == as_sent(secret)
        alice.update_key()
        bob.update_key()


def test_after_the_next_refresh_the_thief_reads_nothing(suite: Suite) -> None:
    alice, bob = opened(suite)
    thief = Thief(alice, suite)
    offer, answer, switch = refresh(alice, bob)
    from_alice = say(alice, bob, b"healed")
    from_bob = say(bob, alice, b"healed too")

    # It reads the refresh itself, to its last message: all of that is under the old keys.
    (offered,) = thief.read(thief.sent, offer)
    (answered,) = thief.read(thief.received, answer)
    assert thief.read(thief.sent, switch) == [b'{"kind":"refresh_switch"}']
    offered_message = decode_control(offered)
    answered_message = decode_control(answered)
    assert isinstance(offered_message, RefreshOffer)
    assert isinstance(answered_message, RefreshAnswer)

    # With the stolen psk it is as good an answerer as Bob was, but gets keys of its own.
    answerer = thief.refresh_handshake(initiator=False)
    assert answerer.read_message(offered_message.message) == b""
    answerer.write_message()
    send, receive = answerer.split()
    for new_key, wire in ((send, from_bob), (receive, from_alice)):
        with pytest.raises(DecryptionError):
            thief.read(new_key, wire)

    # As an offerer it lacks the private keys of Alice's offer.
    offerer = thief.refresh_handshake(initiator=True)
    offerer.write_message()
    with pytest.raises(DecryptionError):
        offerer.read_message(answered_message.message)

    # And the keys that it has, as they are or rekeyed, do not go on.
    for state, wire in ((thief.sent, from_alice), (thief.received, from_bob)):
        for key in (state.key, rekeyed(thief.cipher, state.key)):
            assert not opens(thief.cipher, key, wire)


def test_a_theft_from_either_side_is_healed_by_an_offer_from_either(suite: Suite) -> None:
    for stolen_from in (0, 1):
        for offering in (0, 1):
            sides = opened(suite)
            thief = Thief(sides[stolen_from], suite)
            refresh(sides[offering], sides[1 - offering])
            victim, other = sides[stolen_from], sides[1 - stolen_from]
            sent, received = say(victim, other, b"healed"), say(other, victim, b"healed")
            for state, wire in ((thief.sent, sent), (thief.received, received)):
                assert not opens(thief.cipher, state.key, wire)


def test_a_theft_in_the_middle_of_a_refresh_is_healed_by_the_one_after(suite: Suite) -> None:
    alice, bob = opened(suite)
    alice.refresh()
    thief = Thief(alice, suite)
    stolen = thief.ephemeral_keys
    assert stolen is not None
    assert stolen._e is not None
    offer = alice.data_to_send()
    bob.receive_data(offer)
    answer = bob.data_to_send()
    alice.receive_data(answer)
    bob.receive_data(alice.data_to_send())
    first = say(alice, bob, b"still read")

    kem = StolenKem(stolen._kem_private, stolen._kem_public)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KnownAnswerWarning)
        handshake = Handshake(
            suite.refresh_name,
            initiator=True,
            prologue=thief.prologue,
            psks=[thief.psk],
            e=stolen._e,
            kem=kem if "hfs" in suite.refresh_name else None,
        )
    handshake.write_message()
    answered = decode_control(thief.read(thief.received, answer)[-1])
    assert isinstance(answered, RefreshAnswer)
    handshake.read_message(answered.message)
    send, _ = handshake.split()
    assert thief.read(send, first) == [as_sent(b"still read")]

    refresh(alice, bob)
    with pytest.raises(DecryptionError):
        thief.read(send, say(alice, bob, b"healed"))


class StolenKem(MlKem768):
    """ML-KEM-768 whose key pair is somebody else's."""

    def __init__(self, private_key: object, public_key: bytes) -> None:
        self.pair = (private_key, public_key)

    def generate(self) -> Any:
        return self.pair


@pytest.mark.parametrize("wall", ["key update", "refresh"])
def test_what_is_stolen_opens_nothing_from_before_the_last_new_key(suite: Suite, wall: str) -> None:
    alice, bob = opened(suite)
    before = [say(alice, bob, b"from Alice"), say(bob, alice, b"from Bob")]
    if wall == "refresh":
        refresh(alice, bob)
    else:
        for speaker, listener in ((alice, bob), (bob, alice)):
            speaker.update_key()
            listener.receive_data(speaker.data_to_send())
    thief = Thief(alice, suite)
    for state in (thief.sent, thief.received):
        for wire in before:
            assert not opens(thief.cipher, state.key, wire)


def test_the_same_search_finds_records_under_the_present_key(suite: Suite) -> None:
    alice, bob = opened(suite)
    before = say(alice, bob, b"from Alice")
    thief = Thief(alice, suite)
    assert opens(thief.cipher, thief.sent.key, before)


def test_an_offer_that_is_dropped_for_the_others_leaves_no_key(suite: Suite) -> None:
    alice, bob = opened(suite)
    alice.refresh()
    bob.refresh()
    bob.data_to_send()
    assert bob._layer is not None
    dropped = bob._layer._refresh._handshake
    assert dropped is not None
    bob.receive_data(alice.data_to_send())
    assert bob._layer._refresh._handshake is None


def test_an_offer_that_was_answered_leaves_no_key() -> None:
    alice, bob = opened(CLASSICAL_AESGCM)
    alice.refresh()
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    assert alice._layer is not None
    assert alice._layer._refresh._handshake is None
