"""Attacks on the openings of known contacts, links and codes, each a test named after it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import settings

from e2ee import Event, Identity, Peer, Session, State, pake
from e2ee.certificate import pad_payload, sign_certificate
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
    WrongCode,
)
from e2ee.handshake import Handshake
from e2ee.handshake.patterns import Token
from e2ee.invitation import Link, SpokenCode
from e2ee.messages import Certificate, CodePayload, HandshakePayload, KnownPayload
from e2ee.opening import KnownDevice
from e2ee.primitives import Dh, MlKem768
from e2ee.suites import CODE_AESGCM, KNOWN_AESGCM, LINK_AESGCM, SUITES, Approach

from .impostor import Impostor
from .low_order import LOW_ORDER_X25519

ALICE, BOB, MALLORY = (Identity.generate() for _ in range(3))
CODE = SpokenCode(4, ["acrobat", "velcro", "sugar"])
HELLO_KNOWN = b"e2ee\x01\x00\x01\x01"
LINK = Link(BOB.public_key, bytes(range(32)), 2**40, [("localhost", 1)])
OTHERS = (Approach.KNOWN, Approach.LINK, Approach.CODE)
every_other = pytest.mark.parametrize("approach", OTHERS, ids=lambda approach: approach.value)
every_opening = pytest.mark.parametrize("approach", Approach, ids=lambda approach: approach.value)


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
    for number, contact in enumerate(contacts):
        peer = Peer(contact.public_key, static_key(contact), 0, 2**50)
        book.meet(peer, "meeting", 0, name=f"contact-{number}")
    return lambda peer, sequence: book.admit(peer, sequence, 0)


def initiator(approach: Approach, identity: Identity = ALICE, *, sequence: int = 1) -> Session:
    match approach:
        case Approach.MEETING:
            return Session.initiator(identity)
        case Approach.KNOWN:
            device = KnownDevice(static_key(BOB), sequence)
            return Session.initiator(identity, device=device, expected_peer=BOB.id)
        case Approach.LINK:
            return Session.initiator(identity, invitation=LINK)
        case _:
            return Session.initiator(identity, invitation=CODE)


def responder(approach: Approach, identity: Identity = BOB) -> Session:
    match approach:
        case Approach.MEETING:
            return Session.responder(identity)
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


@pytest.mark.attack(15)
@every_opening
def test_identity_hiding(approach: Approach, figure: Callable[[str], None]) -> None:
    seen = b"".join(
        b"".join(transcript(initiator(approach), responder(approach)))
        for _ in range(settings().max_examples // 4)
    )
    hidden = [CODE.password, *[word.encode() for word in CODE.words], LINK.psk]
    for person in (ALICE, BOB):
        hidden += [person.public_key, static_key(person), person.id.encode()]
        hidden.append(person._payload.certificate)
    for secret in hidden:
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
            assert form[:12] not in seen
    figure(f"identity hiding, {approach.value}: nothing of either side in {len(seen):,} bytes")


@pytest.mark.attack(15)
def test_identity_hiding_the_commitments_of_one_identity_are_never_alike(
    figure: Callable[[str], None],
) -> None:
    runs = []
    for _ in range(50):
        hello, answer, *_ = transcript(initiator(Approach.CODE), responder(Approach.CODE))
        sid, shares_and_commitments = hello[8:24], (hello[26:58], hello[58:], answer[8:40])
        runs.append((sid, *shares_and_commitments, answer[40:]))
    for values in zip(*runs, strict=True):
        assert len(set(values)) == 50
    figure("identity hiding: 50 of 50 commitments to one identity differ")


@pytest.mark.attack(15)
@every_other
def test_identity_hiding_from_a_responder_without_the_secret(
    approach: Approach, figure: Callable[[str], None]
) -> None:
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
    figure(f"identity hiding, {approach.value}: nothing told to a responder without the secret")


def thief_of_bobs_device_key(guess: bytes) -> Impostor:
    """Calls Bob as Alice, whose certificate he has read in a call that he recorded."""
    thief = Impostor(
        KNOWN_AESGCM.name,
        initiator=True,
        prologue=HELLO_KNOWN,
        s=X25519PrivateKey.generate(),
        rs=static_key(BOB),
    )
    thief.claimed = static_key(ALICE)
    thief.guesses = {
        Token.SS: BOB.device_key.exchange(ALICE.device_key.public_key()),
        Token.SE: guess,
    }
    return thief


@pytest.mark.attack(5)
def test_key_compromise_impersonation_with_the_responders_device_key(
    figure: Callable[[str], None],
) -> None:
    for guess in (bytes(32), BOB.device_key.exchange(ALICE.device_key.public_key())):
        thief = thief_of_bobs_device_key(guess)
        bob = Session.responder(BOB, suites=(), admit=door(ALICE))
        # Message 1 is believed: this is what IK cannot prevent. Nothing follows from it.
        call = HELLO_KNOWN + thief.write_message(ALICE.handshake_payload(sequence=9))
        assert bob.receive_data(call) == []
        answer = bob.data_to_send()
        assert answer[:8] == HELLO_KNOWN
        with pytest.raises(DecryptionError):
            thief.read_message(answer[8:])
        assert bob.state is State.HANDSHAKE
        with pytest.raises(ProtocolError, match="confirmation is wrong"):
            bob.receive_data(bytes(32))
        assert bob.peer is None
    figure("key compromise, known: 2 guesses with Bob's key refused by Bob")


@pytest.mark.attack(5)
def test_key_compromise_impersonation_locks_a_contact_out_until_the_key_is_replaced(
    figure: Callable[[str], None],
) -> None:
    """The thief's one forged call has the highest number that there is."""
    book = ContactBook()
    book.meet(Peer(ALICE.public_key, static_key(ALICE), 0, 2**50), "meeting", 0)

    def admit(peer: Peer, sequence: int) -> bool:
        return book.admit(peer, sequence, 0)

    forged = thief_of_bobs_device_key(bytes(32)).write_message(
        ALICE.handshake_payload(sequence=2**53 - 1)
    )
    Session.responder(BOB, suites=(), admit=admit).receive_data(HELLO_KNOWN + forged)
    bob = Session.responder(BOB, suites=(), admit=admit)
    with pytest.raises(NotAdmitted):
        bob.receive_data(initiator(Approach.KNOWN).data_to_send())
    # Bob has a new device key, and counts anew; what was sent to the old one is of no use.
    new, number = BOB.rotated(0), 1
    book.forget_calls()
    with pytest.raises(DecryptionError):
        Session.responder(new, suites=(), admit=admit).receive_data(HELLO_KNOWN + forged)
    alice = Session.initiator(
        ALICE, device=KnownDevice(static_key(new), number), expected_peer=new.id
    )
    transcript(alice, bob := Session.responder(new, suites=(), admit=admit))
    assert bob.peer is not None
    figure("key compromise, known: a forged number locks out until the device key is replaced")


@pytest.mark.attack(5)
def test_key_compromise_impersonation_with_the_initiators_device_key(
    figure: Callable[[str], None],
) -> None:
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
    # Without what message 1 held he has no KEM key to answer to; of an older call he has one.
    with pytest.raises(DecryptionError):
        alice.receive_data(sent[:8] + recorded_answer())
    assert alice.peer is None
    figure("key compromise, known: 3 answers with Alice's key refused by Alice")


def recorded_answer() -> bytes:
    """Message 2 of a call before."""
    bob = responder(Approach.KNOWN)
    bob.receive_data(initiator(Approach.KNOWN).data_to_send())
    return bob.data_to_send()[8:]


@pytest.mark.attack(6)
@every_opening
def test_reflection_of_every_message_to_its_sender(
    approach: Approach, figure: Callable[[str], None]
) -> None:
    """With enough bytes after it that the sender waits for nothing more."""
    flights = len(transcript(initiator(approach), responder(approach)))
    for number in range(flights):
        sessions = (initiator(approach), responder(approach))
        for turn in range(number):
            sessions[1 - turn % 2].receive_data(sessions[turn % 2].data_to_send())
        sender = sessions[number % 2]
        peer_before = sender.peer
        with pytest.raises(ProtocolError) as caught:
            sender.receive_data(sender.data_to_send() + bytes(70_000))
        assert caught.value.events == ()
        assert sender.peer is peer_before
    assert flights == {"meeting": 3, "known": 3, "link": 4, "code": 6}[approach.value]
    figure(f"reflection, {approach.value}: {flights} of {flights} flights refused by their senders")


@pytest.mark.attack(6)
@every_opening
def test_reflection_of_32_bytes_is_noticed_at_the_last_of_them(approach: Approach) -> None:
    alice = initiator(approach)
    sent = alice.data_to_send()
    assert alice.receive_data(sent[: 8 + 31]) == []
    with pytest.raises(ProtocolError, match="the bytes that this side has sent"):
        alice.receive_data(sent[8 + 31 : 8 + 32])

    alice = initiator(approach)
    sent = alice.data_to_send()
    another = bytes([sent[8 + 32] ^ 1])
    with pytest.raises(ProtocolError, match="the bytes that this side has sent"):
        alice.receive_data(sent[: 8 + 32] + another)

    alice = initiator(approach)
    sent = alice.data_to_send()
    assert alice.receive_data(sent[:8] + bytes([sent[8] ^ 1]) + sent[9 : 8 + 32]) == []


@pytest.mark.attack(6)
def test_reflection_of_a_call_to_oneself(figure: Callable[[str], None]) -> None:
    book = ContactBook()
    alice = Session.initiator(
        ALICE, device=KnownDevice(static_key(ALICE), 1), expected_peer=ALICE.id
    )
    itself = Session.responder(
        ALICE, suites=(), admit=lambda peer, number: book.admit(peer, number, 0)
    )
    with pytest.raises(OwnIdentity):
        itself.receive_data(alice.data_to_send())
    figure("reflection: a call to oneself refused")


@pytest.mark.attack(4)
@every_other
def test_unknown_key_share(approach: Approach, figure: Callable[[str], None]) -> None:
    """Alice believes that she talks to Bob, while Bob believes that he talks to Mallory.

    Mallory's certificate stands beside Alice's device key, or Alice's beside Mallory's.
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
    figure(f"unknown key share, {approach.value}: 2 of 2 mixed identities refused")


def certified_by_mallory(static: bytes) -> HandshakePayload:
    """Mallory may vouch for any device key; she need not have it."""
    certificate = Certificate(
        identity=MALLORY.public_key, static_key=static, not_before=0, not_after=2**50
    )
    return sign_certificate(MALLORY._identity_key, certificate)


@pytest.mark.attack(4)
def test_unknown_key_share_by_calling_with_anothers_device_key(
    figure: Callable[[str], None],
) -> None:
    """Mallory, a contact, calls Bob with Alice's device key under her own certificate."""
    payload = certified_by_mallory(static_key(ALICE))
    book = door(ALICE, MALLORY)
    for guess in (bytes(32), MALLORY.device_key.exchange(BOB.device_key.public_key())):
        mallory = Impostor(
            KNOWN_AESGCM.name,
            initiator=True,
            prologue=HELLO_KNOWN,
            s=MALLORY.device_key,
            rs=static_key(BOB),
        )
        mallory.claimed = static_key(ALICE)
        mallory.guesses = {Token.SS: guess}
        message = mallory.write_message(
            pad_payload(
                KnownPayload(
                    certificate=payload.certificate, signature=payload.signature, sequence=9
                )
            )
        )
        bob = Session.responder(BOB, suites=(), admit=book)
        with pytest.raises(DecryptionError):
            bob.receive_data(HELLO_KNOWN + message)
        assert bob.peer is None
    figure("unknown key share: a call with another's device key refused, 2 guesses")


@pytest.mark.attack(4)
def test_unknown_key_share_by_joining_with_anothers_device_key(
    figure: Callable[[str], None],
) -> None:
    """Mallory holds a link of Bob, and shows Alice's device key under her own certificate."""
    prologue = b"e2ee\x01\x00\x02\x01" + LINK.lookup_id
    mallory = Impostor(
        LINK_AESGCM.name,
        initiator=True,
        prologue=prologue,
        s=MALLORY.device_key,
        psks=(LINK.psk,),
    )
    mallory.claimed = static_key(ALICE)
    mallory.guesses = {}
    bob = responder(Approach.LINK)
    bob.receive_data(prologue + mallory.write_message())
    mallory.read_message(bob.data_to_send()[8:])
    with pytest.raises(DecryptionError):
        bob.receive_data(
            mallory.write_message(pad_payload(certified_by_mallory(static_key(ALICE))))
        )
    assert bob.peer is None
    figure("unknown key share: a joiner with another's device key refused")


@pytest.mark.attack(4)
def test_unknown_key_share_by_inviting_with_anothers_device_key(
    figure: Callable[[str], None],
) -> None:
    """Mallory says a code to Alice, and shows Bob's device key under her own certificate."""
    alice = initiator(Approach.CODE)
    inviter = Session.responder(MALLORY, suites=(), code=CodeOffer(CODE))
    inviter.receive_data(alice.data_to_send())
    alice.receive_data(inviter.data_to_send())
    opening: Any = inviter._opening
    mallory = Impostor(
        CODE_AESGCM.name,
        initiator=False,
        prologue=opening._prologue,
        s=MALLORY.device_key,
        psks=tuple(opening.handshake._psks),
    )
    mallory.claimed = static_key(BOB)
    mallory.guesses = {}
    mallory.read_message(alice.data_to_send())
    payload = certified_by_mallory(static_key(BOB))
    with pytest.raises(WrongCode, match="somebody is in between"):
        alice.receive_data(
            mallory.write_message(
                pad_payload(
                    CodePayload(
                        certificate=payload.certificate,
                        signature=payload.signature,
                        nonce=opening._nonce,
                    )
                )
            )
        )
    assert alice.peer is None
    figure("unknown key share: an inviter with another's device key refused")


@pytest.mark.attack(4)
@every_other
def test_unknown_key_share_by_relaying(approach: Approach, figure: Callable[[str], None]) -> None:
    """Who only passes messages on changes nobody's belief; who replaces one breaks it."""
    alice, bob = initiator(approach), responder(approach)
    transcript(alice, bob)
    assert alice.peer is not None
    assert bob.peer is not None
    assert (alice.peer.id, bob.peer.id) == (BOB.id, ALICE.id)
    assert alice.export("who", 32) == bob.export("who", 32)
    figure(f"unknown key share, {approach.value}: relayed, both sides name each other")


@pytest.mark.attack(7)
def test_a_replayed_first_message_of_a_call(figure: Callable[[str], None]) -> None:
    admit = door(ALICE)
    recorded = [initiator(Approach.KNOWN, sequence=number).data_to_send() for number in (1, 2, 3)]
    bob = Session.responder(BOB, suites=(), admit=admit)
    bob.receive_data(recorded[2])
    assert len(bob.data_to_send()) == 8 + 1664
    for replay in range(1000):
        bob = Session.responder(BOB, suites=(), admit=admit)
        with pytest.raises(NotAdmitted):
            bob.receive_data(recorded[replay % 3])
        with pytest.raises(NotAdmitted):
            bob.data_to_send()
    bob = Session.responder(BOB, suites=(), admit=admit)
    bob.receive_data(initiator(Approach.KNOWN, sequence=4).data_to_send())
    assert bob.data_to_send()
    figure("replay: 0 bytes answered to 1,000 replayed calls")


@pytest.mark.attack(7)
@pytest.mark.parametrize("approach", [Approach.LINK, Approach.CODE])
def test_a_replayed_first_message_of_a_joiner(
    approach: Approach, figure: Callable[[str], None]
) -> None:
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
    figure(f"replay, {approach.value}: a joiner's messages refused by a fresh inviter")


@pytest.mark.attack(7)
@every_opening
def test_no_replayed_conversation_opens_a_session(
    approach: Approach, figure: Callable[[str], None]
) -> None:
    """All that one side said, to a fresh session of the other, which would admit it."""
    replays = settings().max_examples // 4
    for _ in range(replays):
        flights = transcript(initiator(approach), responder(approach))
        for side, fresh in enumerate((responder(approach), initiator(approach))):
            fresh.data_to_send()
            with pytest.raises(ProtocolError) as caught:  # noqa: PT012 -- at any flight
                for flight in flights[side::2]:
                    assert fresh.receive_data(flight) == []
                    fresh.data_to_send()
                fresh.receive_eof()
            assert caught.value.events == ()
            assert fresh.peer is None
    figure(f"replay, {approach.value}: {2 * replays:,} replayed sides, 0 sessions, 0 events")


@pytest.mark.attack(17)
def test_a_guessed_code_in_many_connections_at_once(figure: Callable[[str], None]) -> None:
    """All runs begin before any has tried; the first wrong try burns them all."""
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


@pytest.mark.attack(17)
def test_a_guessed_code_from_the_inviting_side(figure: Callable[[str], None]) -> None:
    """Who poses as the inviter has one try too; then the joiner says that the code is spent."""
    guess = SpokenCode(4, ["acrobat", "velcro", "tiger"])
    for what_he_does_next in ("he is silent", "he makes something up", "he repeats her"):
        alice = initiator(Approach.CODE)
        mallory = Session.responder(MALLORY, suites=(), code=CodeOffer(guess))
        first = alice.data_to_send()
        mallory.receive_data(first)
        alice.receive_data(mallory.data_to_send())
        with pytest.raises(WrongCode):
            mallory.receive_data(alice.data_to_send())
        with pytest.raises(WrongCode):  # noqa: PT012 -- one of the two
            if what_he_does_next == "he is silent":
                alice.receive_eof()
            made_up = bytes(1712)
            repeated = first[8:] if what_he_does_next == "he repeats her" else b""
            alice.receive_data(repeated + made_up[len(repeated) :])
        with pytest.raises(WrongCode):
            alice.data_to_send()
        assert alice.peer is None
    figure("guessed code: 1 try for who poses as the inviter, silent or not")


@pytest.mark.attack(8)
def test_a_share_of_low_order_from_either_side(figure: Callable[[str], None]) -> None:
    """It would make the key a constant, whatever the code. It tells nothing and burns nothing."""
    hello = initiator(Approach.CODE).data_to_send()
    offer = CodeOffer(CODE)
    for share in LOW_ORDER_X25519:
        bob = Session.responder(BOB, suites=(), code=offer)
        with pytest.raises(InvalidPublicKey):
            bob.receive_data(hello[:26] + share + hello[58:])
        assert offer.state is OfferState.OPEN
        alice = initiator(Approach.CODE)
        with pytest.raises(InvalidPublicKey):
            alice.receive_data(alice.data_to_send()[:8] + share + bytes(32))
        with pytest.raises(InvalidPublicKey):
            alice.data_to_send()
    figure(f"low order: {len(LOW_ORDER_X25519)} keys refused as shares of a code, by both roles")


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


@pytest.mark.attack(17)
@pytest.mark.parametrize("side", ["the joiner", "the inviter"])
@pytest.mark.parametrize("changed", ["_identity", "_nonce"])
def test_a_commitment_opened_to_another_identity(
    side: str, changed: str, figure: Callable[[str], None]
) -> None:
    """Mallory knows the code, but commits to one identity and shows another."""
    if side == "the joiner":
        sessions = (Session.initiator(MALLORY, invitation=CODE), responder(Approach.CODE))
    else:
        offer = CodeOffer(CODE)
        sessions = (initiator(Approach.CODE), Session.responder(MALLORY, suites=(), code=offer))
    mallory, honest = sessions if side == "the joiner" else sessions[::-1]
    for sender, receiver in (sessions, sessions[::-1]):
        receiver.receive_data(sender.data_to_send())
    opening: Any = mallory._opening
    if changed == "_nonce":
        opening._nonce = bytes(32)
    else:
        opening._identity = Identity.generate()
        opening.handshake._s = opening._identity.device_key
    # Who has joined is told that their one try is over.
    refused = CertificateError if side == "the joiner" else WrongCode
    with pytest.raises(refused, match="committed to"):
        transcript(*sessions)
    assert honest.state is State.FAILED
    assert honest.peer is None
    figure(f"commitment: another {changed[1:]} of {side} refused")


@pytest.mark.attack(12)
@pytest.mark.parametrize(
    ("approach", "sequence", "nonce"),
    [
        (Approach.KNOWN, None, None),
        (Approach.KNOWN, None, bytes(32)),
        (Approach.LINK, 9, None),
        (Approach.LINK, None, bytes(32)),
        (Approach.CODE, None, None),
        (Approach.CODE, 9, None),
    ],
)
def test_a_payload_of_another_opening(
    approach: Approach,
    sequence: int | None,
    nonce: bytes | None,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    """A call without a number, a joiner without a nonce, and either where it does not belong."""
    payload = ALICE.handshake_payload(sequence=sequence, nonce=nonce)
    alice, bob = initiator(approach), responder(approach)
    if approach is Approach.KNOWN:
        handshake = Handshake(
            KNOWN_AESGCM.name,
            initiator=True,
            prologue=HELLO_KNOWN,
            s=ALICE.device_key,
            rs=static_key(BOB),
        )
        with pytest.raises(CertificateError, match="malformed"):
            bob.receive_data(HELLO_KNOWN + handshake.write_message(payload))
    else:
        honest = Identity.handshake_payload
        monkeypatch.setattr(
            Identity,
            "handshake_payload",
            lambda who, **fields: payload if who is ALICE else honest(who, **fields),
        )
        with pytest.raises(CertificateError, match="malformed"):
            transcript(alice, bob)
    assert bob.peer is None
    figure(f"payload of another opening in {approach.value}: refused")


@pytest.mark.attack(1)
@every_other
def test_a_man_in_the_middle_with_keys_of_his_own(
    approach: Approach, figure: Callable[[str], None]
) -> None:
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
    figure(f"man in the middle, {approach.value}: inside on 0 of 2 sides")


@pytest.mark.attack(2, 12)
@every_other
def test_downgrade_by_another_suite_number(
    approach: Approach, figure: Callable[[str], None]
) -> None:
    """At a responder that takes every opening; the answer is set back as well, or is not."""
    for number in SUITES:
        for set_back in (False, True):
            alice = initiator(approach)
            hello = alice.data_to_send()
            if int.from_bytes(hello[6:8]) == number:
                continue
            bob = Session.responder(
                BOB,
                suites=[suite for suite in SUITES.values() if suite.approach is Approach.MEETING],
                admit=door(ALICE),
                links=Links(),
                code=CodeOffer(CODE),
            )
            with suppress(ProtocolError):
                assert bob.receive_data(hello[:6] + number.to_bytes(2) + hello[8:]) == []
                answer = bob.data_to_send()
                assert alice.receive_data(hello[:8] + answer[8:] if set_back else answer) == []
                assert bob.receive_data(alice.data_to_send()) == []
            for session in (alice, bob):
                assert session.peer is None
                assert session.state is not State.OPEN
    figure(f"downgrade, {approach.value}: {len(SUITES) - 1} other suites, set back or not, refused")


class SameRandomNumbers:
    """Lets each side draw its numbers once, and gives it the same ones in every later run.

    So flights that were recorded once can be given to a fresh receiver, and changed ones too.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._drawn: dict[tuple[object, ...], Any] = {}
        self._side = 0
        self._counts = [0, 0]
        monkeypatch.setattr(Dh, "generate", self._same(Dh.generate))
        monkeypatch.setattr(MlKem768, "generate", self._same(MlKem768.generate))
        monkeypatch.setattr(MlKem768, "encapsulate", self._same(MlKem768.encapsulate))
        monkeypatch.setattr(secrets, "token_bytes", self._same(secrets.token_bytes))
        scalars = type("Scalars", (), {"generate": self._same(X25519PrivateKey.generate)})
        monkeypatch.setattr(pake, "X25519PrivateKey", scalars)

    def _same(self, draw: Callable[..., Any]) -> Callable[..., Any]:
        def same(*inputs: Any) -> Any:
            self._counts[self._side] += 1
            known = tuple(value for value in inputs if isinstance(value, bytes | int))
            key = (self._side, self._counts[self._side], *known)
            if key not in self._drawn:
                self._drawn[key] = draw(*inputs)
            return self._drawn[key]

        return same

    def record(self, approach: Approach) -> list[bytes]:
        sessions = (self._begin(0, approach), self._begin(1, approach))
        flights: list[bytes] = []
        while data := sessions[len(flights) % 2].data_to_send():
            flights.append(data)
            self._side = len(flights) % 2
            sessions[self._side].receive_data(data)
        return flights

    def _begin(self, side: int, approach: Approach) -> Session:
        self._side, self._counts[side] = side, 0
        return (initiator, responder)[side](approach)

    def receiver(self, approach: Approach, flights: list[bytes]) -> Session:
        """Who waits for the flight after these."""
        session = self._begin(1 - len(flights) % 2, approach)
        for flight in flights[len(flights) % 2 :: 2]:
            session.data_to_send()
            session.receive_data(flight)
        session.data_to_send()
        return session


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.attack(2, 10, 19)
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.nightly)])
@every_other
def test_every_flipped_bit_of_an_opening(
    approach: Approach, step: int, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """Every bit of every byte: who gets it gives up, or what follows makes the other give up.

    With a step of 7 at least one bit of every byte; the default suite's openings have every bit in
    test_tampering.py.
    """
    found_at_once, told_nothing = 0, []
    with monkeypatch.context() as patch:
        randomness = SameRandomNumbers(patch)
        flights = randomness.record(approach)
        for number, flight in enumerate(flights):
            before = flights[:number]
            # What is not changed is taken by a fresh receiver: the randomness is the same.
            randomness.receiver(approach, before).receive_data(flight)
            for bit in range(0, 8 * len(flight), step):
                receiver = randomness.receiver(approach, before)
                with suppress(ProtocolError):
                    assert receiver.receive_data(flipped(flight, bit)) == []
                # An event would have set the peer, in an error as well.
                assert receiver.peer is None
                assert receiver.state is not State.OPEN
                if receiver.state is State.FAILED:
                    found_at_once += 1
                else:
                    told_nothing.append((number, bit))
    for changed, bit in told_nothing:
        sessions = (initiator(approach), responder(approach))
        with pytest.raises(ProtocolError) as caught:  # noqa: PT012 -- at some later flight
            for number in range(len(flights) + 1):
                data = sessions[number % 2].data_to_send()
                received = flipped(data, bit) if number == changed else data
                assert sessions[1 - number % 2].receive_data(received) == []
        assert caught.value.events == ()
        assert [session.peer for session in sessions] == [None, None]
    figure(
        f"tampering: {found_at_once + len(told_nothing):,} of "
        f"{found_at_once + len(told_nothing):,} flipped bits in openings of {approach.value}, "
        f"{found_at_once:,} of them by who got them"
    )


@pytest.mark.attack(3)
def test_suites_of_the_new_openings_are_hybrid(figure: Callable[[str], None]) -> None:
    for suite in (KNOWN_AESGCM, LINK_AESGCM, CODE_AESGCM):
        assert "hfs" in suite.name
        assert "MLKEM768" in suite.name
    figure("3 of 3 suites of contacts, links and codes are hybrid")


def test_a_code_whose_taker_fails_is_burned() -> None:
    """Who knows the code is cut off before the end: nobody else may come in by it."""
    for end in ("eof", "junk"):
        offer = CodeOffer(CODE)
        alice = initiator(Approach.CODE)
        bob = Session.responder(BOB, suites=(), code=offer)
        for _ in range(2):
            bob.receive_data(alice.data_to_send())
            alice.receive_data(bob.data_to_send())
        assert offer.state.value == "taken"
        with pytest.raises(ProtocolError):
            bob.receive_eof() if end == "eof" else bob.receive_data(bytes(5000))
        assert offer.state is OfferState.BURNED
