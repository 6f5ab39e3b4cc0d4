"""Attacks on the openings of known contacts, links and codes, each a test named after it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import Event, Identity, Peer, Session, State
from e2ee.certificate import pad_payload
from e2ee.code_offer import CodeOffer, OfferState
from e2ee.contacts import ContactBook
from e2ee.errors import (
    CertificateError,
    DecryptionError,
    InvalidPublicKey,
    InvitationRefused,
    NotAdmitted,
    OwnIdentity,
    ProtocolError,
    UnexpectedPeer,
    WrongCode,
)
from e2ee.handshake import Handshake
from e2ee.handshake.patterns import Token
from e2ee.invitation import Link, SpokenCode
from e2ee.messages import HandshakePayload, KnownPayload
from e2ee.opening import KnownDevice
from e2ee.suites import CODE_AESGCM, KNOWN_AESGCM, LINK_AESGCM, Approach

ALICE, BOB, MALLORY = (Identity.generate() for _ in range(3))
CODE = SpokenCode(4, ["acrobat", "velcro", "sugar"])
LINK = Link(BOB.public_key, bytes(range(32)), 2**40, [("localhost", 1)])
OTHERS = (Approach.KNOWN, Approach.LINK, Approach.CODE)
every_other = pytest.mark.parametrize("approach", OTHERS, ids=lambda approach: approach.value)


def static_key(identity: Identity) -> bytes:
    return identity.device_key.public_key().public_bytes_raw()


class Links:
    """Bob's one link, good once."""

    def __init__(self) -> None:
        self.pending = True

    def psk(self, lookup_id: bytes) -> bytes | None:
        return LINK.psk if self.pending and lookup_id == LINK.lookup_id else None

    def take(self, _lookup_id: bytes) -> bool:
        taken, self.pending = self.pending, False
        return taken


def door(*contacts: Identity) -> Callable[[Peer, int], bool]:
    book = ContactBook()
    for contact in contacts:
        book.meet(Peer(contact.public_key, static_key(contact), 0, 2**50), "meeting", 0)
    return lambda peer, sequence: book.admit(peer, sequence, 0)


def initiator(approach: Approach, identity: Identity = ALICE, *, sequence: int = 1) -> Session:
    match approach:
        case Approach.KNOWN:
            device = KnownDevice(static_key(BOB), sequence)
            return Session.initiator(identity, device=device, expected_peer=BOB.id)
        case Approach.LINK:
            return Session.initiator(identity, invitation=LINK)
        case _:
            return Session.initiator(identity, invitation=CODE)


def responder(approach: Approach, identity: Identity = BOB) -> Session:
    match approach:
        case Approach.KNOWN:
            return Session.responder(identity, suites=(), admit=door(ALICE))
        case Approach.LINK:
            return Session.responder(identity, suites=(), links=Links())
        case _:
            return Session.responder(identity, suites=(), code=CodeOffer(CODE))


def transcript(alice: Session, bob: Session) -> list[bytes]:
    """Every flight, Alice's first."""
    flights = []
    sessions = (alice, bob)
    turn = 0
    while data := sessions[turn].data_to_send():
        flights.append(data)
        turn = 1 - turn
        sessions[turn].receive_data(data)
    return flights


@every_other
def test_identity_hiding(approach: Approach, figure: Callable[[str], None]) -> None:
    seen = b"".join(
        b"".join(transcript(initiator(approach), responder(approach))) for _ in range(20)
    )
    secrets = [CODE.password, *[word.encode() for word in CODE.words], LINK.psk]
    for person in (ALICE, BOB):
        secrets += [person.public_key, static_key(person), person.id.encode()]
        secrets.append(person._payload.certificate)
    for secret in secrets:
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
            assert form[:12] not in seen
    figure(f"identity hiding, {approach.value}: nothing of either side in {len(seen):,} bytes")


def test_identity_hiding_the_commitments_of_one_identity_are_never_alike() -> None:
    hellos = [initiator(Approach.CODE).data_to_send() for _ in range(50)]
    assert len({hello[-32:] for hello in hellos}) == 50
    assert len({hello[26:58] for hello in hellos}) == 50


@every_other
def test_identity_hiding_from_a_responder_without_the_secret(approach: Approach) -> None:
    """Whoever is not the one that was called, or has not the secret, learns no identity."""
    alice = initiator(approach)
    match approach:
        case Approach.KNOWN:
            mallory = Session.responder(MALLORY, suites=(), admit=lambda _peer, _number: True)
            with pytest.raises(DecryptionError):
                mallory.receive_data(alice.data_to_send())
        case Approach.LINK:
            other = Link(MALLORY.public_key, bytes(32), 2**40, [("localhost", 1)])
            wrong = type("Wrong", (), {"psk": lambda *_: other.psk, "take": lambda *_: True})()
            mallory = Session.responder(MALLORY, suites=(), links=wrong)
            with pytest.raises(DecryptionError):
                mallory.receive_data(alice.data_to_send())
        case _:
            guess = CodeOffer(SpokenCode(4, ["acrobat", "velcro", "tiger"]))
            mallory = Session.responder(MALLORY, suites=(), code=guess)
            with pytest.raises(WrongCode):
                transcript(alice, mallory)
    assert mallory.peer is None
    assert alice.peer is None


class Impostor(Handshake):
    """A handshake that claims another's static key, and puts guesses where it has no secret."""

    claimed = b""
    guesses: dict[Token, bytes]

    def _static_public(self, own: bool) -> bytes:
        return self.claimed if own and self.claimed else super()._static_public(own)

    def _mix_secret(self, token: Token) -> None:
        if token in self.guesses:
            self._symmetric.mix_key(self.guesses[token])
        else:
            super()._mix_secret(token)


def test_key_compromise_impersonation_with_the_responders_device_key() -> None:
    """A thief of Bob's device key, who also has Alice's certificate, calls Bob as Alice."""
    hello = b"e2ee\x01\x00\x01\x01"
    alices_payload = KnownPayload(
        certificate=ALICE._payload.certificate, signature=ALICE._payload.signature, sequence=9
    )
    for guess in (bytes(32), BOB.device_key.exchange(ALICE.device_key.public_key())):
        thief = Impostor(
            KNOWN_AESGCM.name,
            initiator=True,
            prologue=hello,
            s=X25519PrivateKey.generate(),
            rs=static_key(BOB),
        )
        thief.claimed = static_key(ALICE)
        thief.guesses = {
            Token.SS: BOB.device_key.exchange(ALICE.device_key.public_key()),
            Token.SE: guess,
        }
        bob = Session.responder(BOB, suites=(), admit=door(ALICE))
        # Message 1 is believed: this is what IK cannot prevent. Nothing follows from it.
        assert bob.receive_data(hello + thief.write_message(pad_payload(alices_payload))) == []
        answer = bob.data_to_send()
        assert answer[:8] == hello
        with pytest.raises(DecryptionError):
            thief.read_message(answer[8:])
        assert bob.state is State.HANDSHAKE
        with pytest.raises(ProtocolError, match="confirmation is wrong"):
            bob.receive_data(bytes(32))
        assert bob.peer is None


def test_key_compromise_impersonation_with_the_initiators_device_key() -> None:
    """A thief of Alice's device key answers her as Bob."""
    alice = initiator(Approach.KNOWN)
    sent = alice.data_to_send()
    for guess in (bytes(32), ALICE.device_key.exchange(BOB.device_key.public_key())):
        thief = Impostor(
            KNOWN_AESGCM.name,
            initiator=False,
            prologue=sent[:8],
            s=X25519PrivateKey.generate(),
        )
        thief.guesses = {Token.ES: guess}
        with pytest.raises(DecryptionError):
            thief.read_message(sent[8:])


@every_other
def test_reflection_of_everything_to_its_sender(approach: Approach) -> None:
    alice = initiator(approach)
    sent = alice.data_to_send()
    with pytest.raises(ProtocolError) as caught:
        alice.receive_data(sent + bytes(4000))
    assert isinstance(
        caught.value, DecryptionError | InvalidPublicKey | WrongCode | UnexpectedPeer
    ), caught.value
    bob = responder(approach)
    bob.receive_data(initiator(approach).data_to_send())
    answer = bob.data_to_send()
    with pytest.raises(ProtocolError):
        bob.receive_data(answer + bytes(4000))
    assert alice.peer is None
    assert bob.peer is None


def test_reflection_of_a_call_to_oneself() -> None:
    book = ContactBook()
    alice = Session.initiator(
        ALICE, device=KnownDevice(static_key(ALICE), 1), expected_peer=ALICE.id
    )
    itself = Session.responder(
        ALICE, suites=(), admit=lambda peer, number: book.admit(peer, number, 0)
    )
    with pytest.raises(OwnIdentity):
        itself.receive_data(alice.data_to_send())


@every_other
def test_unknown_key_share(approach: Approach) -> None:
    """Alice believes that she talks to Bob, while Bob believes that he talks to Mallory.

    Mallory puts her own certificate over Alice's device key, or Alice's over her own.
    """
    forged = HandshakePayload(
        certificate=MALLORY._payload.certificate, signature=MALLORY._payload.signature
    )
    alice_as_mallory = Identity.generate()
    object.__setattr__(alice_as_mallory, "device_key", ALICE.device_key)
    object.__setattr__(alice_as_mallory, "_payload", forged)
    mallory_as_alice = Identity.generate()
    object.__setattr__(mallory_as_alice, "device_key", MALLORY.device_key)
    object.__setattr__(mallory_as_alice, "_payload", ALICE._payload)
    for attacker in (alice_as_mallory, mallory_as_alice):
        bob = responder(approach)
        with pytest.raises(CertificateError, match="another device key"):
            transcript(initiator(approach, attacker), bob)
        assert bob.peer is None


@every_other
def test_unknown_key_share_by_relaying(approach: Approach) -> None:
    """Who only passes messages on changes nobody's belief; who replaces one breaks it."""
    alice, bob = initiator(approach), responder(approach)
    transcript(alice, bob)
    assert alice.peer is not None
    assert bob.peer is not None
    assert (alice.peer.id, bob.peer.id) == (BOB.id, ALICE.id)
    assert alice.export("who", 32) == bob.export("who", 32)


def test_a_replayed_first_message_of_a_call(figure: Callable[[str], None]) -> None:
    admit = door(ALICE)
    recorded = [initiator(Approach.KNOWN, sequence=number).data_to_send() for number in (1, 2, 3)]
    bob = Session.responder(BOB, suites=(), admit=admit)
    bob.receive_data(recorded[2])
    assert len(bob.data_to_send()) == 8 + 1664
    replays = 0
    for _ in range(100):
        for message in recorded:
            bob = Session.responder(BOB, suites=(), admit=admit)
            with pytest.raises(NotAdmitted):
                bob.receive_data(message)
            with pytest.raises(NotAdmitted):
                bob.data_to_send()
            replays += 1
    bob = Session.responder(BOB, suites=(), admit=admit)
    bob.receive_data(initiator(Approach.KNOWN, sequence=4).data_to_send())
    assert bob.data_to_send()
    figure(f"replay: 0 bytes answered to {replays} replayed calls")


@pytest.mark.parametrize("approach", [Approach.LINK, Approach.CODE])
def test_a_replayed_first_message_of_a_joiner(approach: Approach) -> None:
    alice = initiator(approach)
    sent = alice.data_to_send()
    bob = responder(approach)
    bob.receive_data(sent)
    alice.receive_data(bob.data_to_send())
    then = alice.data_to_send()
    again = responder(approach)
    again.receive_data(sent)
    again.data_to_send()
    with pytest.raises(ProtocolError):
        again.receive_data(then)
    assert again.peer is None


def test_a_guessed_code_in_many_connections_at_once(figure: Callable[[str], None]) -> None:
    """A thousand runs begin before any has tried; the first wrong try burns them all."""
    offer = CodeOffer(CODE)
    runs = []
    for number in range(200):
        guess = SpokenCode(
            4, ["acrobat", "velcro", "tiger"] if number else ["acrobat", "tiger", "sugar"]
        )
        attacker = Session.initiator(MALLORY, invitation=guess)
        bob = Session.responder(BOB, suites=(), code=offer)
        bob.receive_data(attacker.data_to_send())
        attacker.receive_data(bob.data_to_send())
        runs.append((attacker, bob))
    tried = 0
    for attacker, bob in runs:
        with pytest.raises(InvitationRefused) as caught:
            bob.receive_data(attacker.data_to_send())
        tried += isinstance(caught.value, WrongCode)
    assert tried == 1
    assert offer.state is OfferState.BURNED
    figure(f"guessed code: 1 try in {len(runs)} connections at once")


@pytest.mark.parametrize("approach", [Approach.LINK, Approach.CODE])
def test_two_joiners_at_once(approach: Approach) -> None:
    links, offer = Links(), CodeOffer(CODE)
    carol = Identity.generate()
    joiners = [initiator(approach, ALICE), initiator(approach, carol)]
    bobs = [
        Session.responder(BOB, suites=(), links=links)
        if approach is Approach.LINK
        else Session.responder(BOB, suites=(), code=offer)
        for _ in joiners
    ]
    events: list[Event] = []
    refused = 0
    alive = [True, True]
    for _ in range(6):
        for side in (0, 1):
            if not alive[side]:
                continue
            try:
                bobs[side].receive_data(joiners[side].data_to_send())
                events += joiners[side].receive_data(bobs[side].data_to_send())
            except InvitationRefused:
                refused += 1
                alive[side] = False
    assert refused == 1
    assert len(events) == 1
    assert [session.state for session in joiners].count(State.OPEN) == 1
    assert [session.state for session in bobs].count(State.OPEN) == 1


def test_a_commitment_opened_to_another_identity() -> None:
    """Mallory knows the code, but commits to one identity and shows another."""
    mallory = Session.initiator(MALLORY, invitation=CODE)
    bob = Session.responder(BOB, suites=(), code=CodeOffer(CODE))
    bob.receive_data(mallory.data_to_send())
    mallory.receive_data(bob.data_to_send())
    opening: Any = mallory._opening
    bob.receive_data(mallory.data_to_send())
    opening._nonce = bytes(32)
    mallory.receive_data(bob.data_to_send())
    with pytest.raises(CertificateError, match="committed to"):
        bob.receive_data(mallory.data_to_send())
    assert bob.peer is None


@every_other
def test_a_man_in_the_middle_with_keys_of_his_own(approach: Approach) -> None:
    """He terminates both handshakes. For a link he has not its secret; a code he guesses."""
    alice, bob = initiator(approach), responder(approach)
    guess = SpokenCode(4, ["acrobat", "velcro", "tiger"])
    his_link = Link(BOB.public_key, bytes(32), 2**40, [("localhost", 1)])
    wrong = type("Wrong", (), {"psk": lambda *_: his_link.psk, "take": lambda *_: True})()
    match approach:
        case Approach.KNOWN:
            to_alice = Session.responder(MALLORY, suites=(), admit=lambda *_: True)
            device = KnownDevice(static_key(BOB), 5)
            to_bob = Session.initiator(MALLORY, device=device, expected_peer=BOB.id)
        case Approach.LINK:
            to_alice = Session.responder(MALLORY, suites=(), links=wrong)
            to_bob = Session.initiator(MALLORY, invitation=his_link)
        case _:
            to_alice = Session.responder(MALLORY, suites=(), code=CodeOffer(guess))
            to_bob = Session.initiator(MALLORY, invitation=guess)
    for pair in ((alice, to_alice), (to_bob, bob)):
        with pytest.raises(ProtocolError):
            transcript(*pair)
    for session in (alice, bob, to_alice, to_bob):
        assert session.peer is None
        assert session.state is not State.OPEN


@every_other
def test_downgrade_by_another_suite_number(approach: Approach) -> None:
    for number in (0x0001, 0x0002, 0x0003, 0x0101, 0x0201, 0x0301):
        sent = bytearray(initiator(approach).data_to_send())
        if int.from_bytes(sent[6:8]) == number:
            continue
        sent[6:8] = number.to_bytes(2)
        bob = Session.responder(BOB, admit=door(ALICE), links=Links(), code=CodeOffer(CODE))
        try:
            assert bob.receive_data(bytes(sent)) == []
            answer = bob.data_to_send()
        except ProtocolError:
            continue
        alice = initiator(approach)
        alice.data_to_send()
        with pytest.raises(ProtocolError):  # noqa: PT012 -- now, or when he has waited in vain
            alice.receive_data(answer)
            alice.receive_eof()


@every_other
def test_every_flipped_bit_of_an_opening(approach: Approach, figure: Callable[[str], None]) -> None:
    """Of each byte one bit, which one depends on the place; of the first flight every bit."""
    lengths = [len(flight) for flight in transcript(initiator(approach), responder(approach))]
    detected = 0
    for number, length in enumerate(lengths):
        for place in range(length):
            if number > 0 and place % 3:
                continue
            alice, bob = initiator(approach), responder(approach)
            sessions = (alice, bob)
            events: list[Event] = []
            failed = False
            for flight in range(len(lengths) + 1):
                data = bytearray(sessions[flight % 2].data_to_send())
                if flight == number:
                    data[place] ^= 1 << place % 8
                try:
                    events += sessions[1 - flight % 2].receive_data(bytes(data))
                except ProtocolError:
                    failed = True
                    break
            assert failed or alice.state is not State.OPEN or bob.state is not State.OPEN
            assert not (alice.state is State.OPEN and bob.state is State.OPEN)
            detected += 1
    figure(f"tampering: {detected} of {detected} flipped bits in openings of {approach.value}")


def test_suites_of_the_new_openings_are_hybrid() -> None:
    for suite in (KNOWN_AESGCM, LINK_AESGCM, CODE_AESGCM):
        assert "hfs" in suite.name
        assert "MLKEM768" in suite.name
