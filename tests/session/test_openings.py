"""The openings beside first meetings: known contacts, links, codes. SPEC.md section 4."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pytest

from e2ee import (
    CLASSICAL_AESGCM,
    HYBRID_AESGCM,
    HYBRID_CHACHAPOLY,
    Closed,
    Event,
    HandshakeCompleted,
    Identity,
    KeysRefreshed,
    MessageReceived,
    Peer,
    Session,
    State,
    UsageError,
)
from e2ee.code_offer import CodeOffer, OfferState
from e2ee.contacts import ContactBook
from e2ee.errors import (
    CertificateError,
    InvalidPublicKey,
    InvitationRefused,
    NotAdmitted,
    ProtocolError,
    Truncated,
    UnexpectedPeer,
    UnsupportedSuite,
    WrongCode,
)
from e2ee.invitation import Link, SpokenCode
from e2ee.limits import MAX_KNOWN_TIME
from e2ee.opening import KnownDevice
from e2ee.suites import CODE_AESGCM, KNOWN_AESGCM, LINK_AESGCM, Approach

ALICE, BOB, MALLORY = (Identity.generate() for _ in range(3))
CODE = SpokenCode(4, ["acrobat", "velcro", "sugar"])


def static_key(identity: Identity) -> bytes:
    return identity.device_key.public_key().public_bytes_raw()


@dataclass
class Links:
    """One pending link."""

    link: Link
    pending: bool = True

    def psk(self, lookup_id: bytes) -> bytes | None:
        return self.link.psk if self.pending and lookup_id == self.link.lookup_id else None

    def take(self, lookup_id: bytes) -> bool:
        assert lookup_id == self.link.lookup_id
        taken, self.pending = self.pending, False
        return taken


def new_link(identity: Identity = BOB) -> Link:
    return Link(identity.public_key, bytes(range(32)), 2**40, [("localhost", 1)])


def bobs_admission() -> Callable[[Peer, int], bool]:
    """Bob's door: he has met Alice."""
    book = ContactBook()
    book.meet(Peer(ALICE.public_key, static_key(ALICE), 0, 2**50), "meeting", 0)
    return lambda peer, sequence: book.admit(peer, sequence, 0)


def caller(sequence: int = 1, **changes: Any) -> Session:
    """Alice, who knows Bob."""
    device = changes.pop("device", KnownDevice(static_key(BOB), sequence))
    return Session.initiator(
        changes.pop("identity", ALICE),
        device=device,
        expected_peer=changes.pop("expected_peer", BOB.id),
        **changes,
    )


def pair(approach: Approach) -> tuple[Session, Session]:
    """Alice opens to Bob."""
    match approach:
        case Approach.MEETING:
            return Session.initiator(ALICE), Session.responder(BOB)
        case Approach.KNOWN:
            return caller(), Session.responder(BOB, suites=(), admit=bobs_admission())
        case Approach.LINK:
            link = new_link()
            joiner = Session.initiator(ALICE, invitation=link)
            return joiner, Session.responder(BOB, suites=(), links=Links(link))
        case Approach.CODE:
            joiner = Session.initiator(ALICE, invitation=CODE)
            return joiner, Session.responder(BOB, suites=(), code=CodeOffer(CODE))


def deliver(*pair: Session, piece: int = 2**20) -> list[list[Event]]:
    """Let both say what they have to say, in pieces of this size; what each was told."""
    events: list[list[Event]] = [[], []]
    while any(sent := [session.data_to_send() for session in pair]):
        for side in (0, 1):
            data = sent[1 - side]
            for at in range(0, len(data), piece):
                events[side] += pair[side].receive_data(data[at : at + piece])
    return events


every_approach = pytest.mark.parametrize("approach", Approach, ids=lambda a: a.value)


@every_approach
def test_both_are_open_and_know_each_other(approach: Approach) -> None:
    alice, bob = pair(approach)
    events = deliver(alice, bob)
    (at_alice,), (at_bob,) = events
    assert isinstance(at_alice, HandshakeCompleted)
    assert isinstance(at_bob, HandshakeCompleted)
    assert (at_alice.peer.id, at_bob.peer.id) == (BOB.id, ALICE.id)
    assert (at_alice.peer.words, at_bob.peer.words) == (BOB.words, ALICE.words)
    assert at_alice.suite is at_bob.suite
    assert at_alice.suite.approach is approach
    assert at_alice.handshake_hash == at_bob.handshake_hash
    assert alice.export("label", 32) == bob.export("label", 32)
    alice.send(b"from alice")
    bob.send(b"from bob")
    bob.refresh()
    assert deliver(alice, bob) == [
        [MessageReceived(b"from bob"), KeysRefreshed()],
        [MessageReceived(b"from alice"), KeysRefreshed()],
    ]
    alice.close()
    assert deliver(alice, bob) == [[Closed()], [Closed()]]


@every_approach
def test_byte_by_byte_gives_the_same_events(approach: Approach) -> None:
    def told(piece: int) -> list[list[Event]]:
        alice, bob = pair(approach)
        events = deliver(alice, bob, piece=piece)
        alice.send(b"from alice")
        bob.refresh()
        bob.send(b"from bob")
        later = deliver(alice, bob, piece=piece)
        bob.close()
        last = deliver(alice, bob, piece=piece)
        return [
            [
                replace(e, handshake_hash=b"") if isinstance(e, HandshakeCompleted) else e
                for e in chain(*side)
            ]
            for side in zip(events, later, last, strict=True)
        ]

    assert told(1) == told(2**20)
    assert [len(side) for side in told(1)] == [4, 4]


@every_approach
def test_nobody_can_send_before_the_opening_has_ended_for_them(approach: Approach) -> None:
    alice, bob = pair(approach)
    for _ in range(4):
        for session, other in ((alice, bob), (bob, alice)):
            if session.state is State.HANDSHAKE:
                with pytest.raises(UsageError, match="handshake has not completed"):
                    session.send(b"too early")
            other.receive_data(session.data_to_send())
    assert alice.state is bob.state is State.OPEN


def test_a_caller_is_told_of_only_when_its_confirmation_has_come() -> None:
    alice, bob = pair(Approach.KNOWN)
    assert bob.receive_data(alice.data_to_send()) == []
    assert bob.state is State.HANDSHAKE
    assert bob.peer is None
    assert len(alice.receive_data(bob.data_to_send())) == 1
    confirmation = alice.data_to_send()
    assert len(confirmation) == 32
    assert bob.receive_data(confirmation[:-1]) == []
    assert len(bob.receive_data(confirmation[-1:])) == 1


@pytest.mark.parametrize("approach", [Approach.KNOWN, Approach.LINK, Approach.CODE])
def test_every_changed_bit_of_a_confirmation_is_refused(approach: Approach) -> None:
    for bit in range(256):
        alice, bob = pair(approach)
        sender, receiver = (alice, bob) if approach is Approach.KNOWN else (bob, alice)
        while len(sent := sender.data_to_send()) != 32:
            receiver.receive_data(sent)
            sender.receive_data(receiver.data_to_send())
        changed = bytearray(sent)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError, match="confirmation is wrong"):
            receiver.receive_data(bytes(changed))
        assert receiver.peer is None


@pytest.mark.parametrize("number", [-1, MAX_KNOWN_TIME + 1, 1.0, "1"])
def test_the_number_of_a_call_is_within_its_range(number: Any) -> None:
    assert caller(0).data_to_send()
    assert caller(MAX_KNOWN_TIME).data_to_send()
    with pytest.raises(UsageError, match="from 0 to 2"):
        KnownDevice(static_key(BOB), number)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: Session.initiator(ALICE, device=KnownDevice(bytes(32), 1)), "expected_peer"),
        (lambda: Session.initiator(ALICE, device=static_key(BOB), expected_peer=BOB.id), "Known"),  # type: ignore[arg-type]
        (lambda: caller(invitation=CODE), "a known device is called"),
        (lambda: Session.initiator(ALICE, invitation="4-acrobat-velcro-sugar"), "SpokenCode"),  # type: ignore[arg-type]
        (
            lambda: Session.initiator(ALICE, invitation=new_link(), expected_peer=MALLORY.id),
            "another identity's",
        ),
        *(
            (lambda suite=suite: Session.initiator(ALICE, suite=suite), "the suite follows")
            for suite in (KNOWN_AESGCM, LINK_AESGCM, CODE_AESGCM)
        ),
        (lambda: Session.responder(BOB, suites=()), "accept"),
        (lambda: Session.responder(BOB, suites=[1]), "^Suite is needed here, not int$"),  # type: ignore[list-item]
        (lambda: Session.responder(BOB, suites=(), code=CODE), "CodeOffer"),  # type: ignore[arg-type]
        (lambda: Session.responder(BOB, suites=[CODE_AESGCM]), "meeting"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(call: Callable[[], Session], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        call()


def openings_of_strangers() -> dict[str, bytes]:
    link = new_link()
    known = caller().data_to_send()
    return {
        "nothing": b"",
        "one byte": b"e",
        "junk": bytes(range(256)) * 40,
        "HTTP": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(506),
        "SSH": b"SSH-2.0-OpenSSH_9.9\r\n",
        "a first meeting": Session.initiator(ALICE).data_to_send(),
        "another cipher": Session.initiator(ALICE, suite=HYBRID_CHACHAPOLY).data_to_send(),
        "classical": Session.initiator(ALICE, suite=CLASSICAL_AESGCM).data_to_send(),
        "a link": Session.initiator(ALICE, invitation=link).data_to_send(),
        "a code": Session.initiator(ALICE, invitation=CODE).data_to_send(),
        "another version": b"e2ee\x02\x00\x01\x01" + known[8:],
        "an unknown suite": b"e2ee\x01\x00\xff\xff" + known[8:],
        "a refusal": b"e2ee\x01\x02\x01\x01",
        "a call to another key": caller(device=KnownDevice(static_key(MALLORY), 1)).data_to_send(),
        "a call by no contact": caller(identity=MALLORY).data_to_send(),
        "half a call": known[:900],
        "a changed call": known[:-1] + bytes([known[-1] ^ 1]),
    }


@pytest.mark.parametrize("what", openings_of_strangers())
def test_a_mute_responder_gives_a_stranger_no_byte(what: str) -> None:
    bob = Session.responder(BOB, suites=(), admit=bobs_admission())
    with pytest.raises(ProtocolError) as died:  # noqa: PT012 -- at once, or at its end
        assert bob.receive_data(openings_of_strangers()[what]) == []
        assert bob.data_to_send() == b""
        bob.receive_eof()
    with pytest.raises(ProtocolError) as caught:
        bob.data_to_send()
    assert caught.value is died.value
    assert bob.peer is None


def test_a_mute_responder_gives_a_replayed_call_no_byte() -> None:
    admit = bobs_admission()
    call = caller().data_to_send()
    answered = Session.responder(BOB, suites=(), admit=admit)
    answered.receive_data(call)
    assert answered.data_to_send()
    bob = Session.responder(BOB, suites=(), admit=admit)
    with pytest.raises(NotAdmitted):
        bob.receive_data(call)
    with pytest.raises(NotAdmitted):
        bob.data_to_send()


def test_who_takes_first_meetings_asks_a_caller_whom_it_cannot_read_for_one() -> None:
    """With the same bytes to whoever is not admitted: the answer does not say which it was."""
    for alice in (
        caller(device=KnownDevice(static_key(MALLORY), 1)),
        caller(device=KnownDevice(static_key(BOB), 0)),
        caller(identity=MALLORY),
    ):
        bob = Session.responder(BOB, admit=bobs_admission())
        with pytest.raises(ProtocolError):
            bob.receive_data(alice.data_to_send())
        answer = bob.data_to_send()
        assert answer == b"e2ee\x01\x02\x00\x01"
        with pytest.raises(UnsupportedSuite, match=re.escape(HYBRID_AESGCM.name)):
            alice.receive_data(answer)


def test_who_is_not_asked_about_is_not_admitted() -> None:
    """The number of a call is stored only for who has a valid certificate and is expected."""
    asked: list[Peer] = []

    def admit(peer: Peer, _sequence: int) -> bool:
        asked.append(peer)
        return True

    expired = Session.responder(BOB, suites=(), admit=admit, now=2**40)
    with pytest.raises(CertificateError, match="expired"):
        expired.receive_data(caller(identity=Identity.generate(now=0)).data_to_send())
    another = Session.responder(BOB, suites=(), admit=admit, expected_peer=MALLORY.id)
    with pytest.raises(UnexpectedPeer):
        another.receive_data(caller().data_to_send())
    assert asked == []
    Session.responder(BOB, suites=(), admit=admit).receive_data(caller().data_to_send())
    assert [peer.id for peer in asked] == [ALICE.id]


def test_a_call_whose_number_could_not_be_stored_is_not_answered() -> None:
    def admit(_peer: Peer, _sequence: int) -> bool:
        raise OSError("the disk is full")

    bob = Session.responder(BOB, suites=(), admit=admit)
    with pytest.raises(OSError, match="disk is full"):
        bob.receive_data(caller().data_to_send())
    assert bob.state is State.FAILED
    with pytest.raises(ProtocolError, match="interrupted"):
        bob.data_to_send()


def test_who_takes_first_meetings_answers_a_contact_too() -> None:
    alice, bob = caller(), Session.responder(BOB, admit=bobs_admission())
    deliver(alice, bob)
    assert alice.state is bob.state is State.OPEN


def test_an_unknown_used_or_withdrawn_link_is_refused_at_both_ends() -> None:
    unknown = Link(BOB.public_key, bytes(32), 2**40, [("localhost", 1)])
    for links in (Links(new_link(), pending=False), Links(unknown)):
        alice = Session.initiator(ALICE, invitation=new_link())
        bob = Session.responder(BOB, links=links)
        with pytest.raises(InvitationRefused, match="unknown here, used, revoked or expired"):
            bob.receive_data(alice.data_to_send())
        with pytest.raises(InvitationRefused, match="unknown there, used, revoked or expired"):
            alice.receive_data(bob.data_to_send())


def test_who_was_admitted_is_not_refused_a_suite_when_the_rest_fails() -> None:
    alice = caller()
    bob = Session.responder(BOB, admit=bobs_admission())
    bob.receive_data(alice.data_to_send())
    assert bob.data_to_send()
    with pytest.raises(ProtocolError, match="confirmation is wrong"):
        bob.receive_data(bytes(32))
    with pytest.raises(ProtocolError, match="confirmation is wrong"):
        bob.data_to_send()


def test_a_link_leads_to_its_own_identity_only() -> None:
    link = new_link()
    alice = Session.initiator(ALICE, invitation=link)
    mallory = Session.responder(MALLORY, links=Links(link))
    mallory.receive_data(alice.data_to_send())
    with pytest.raises(UnexpectedPeer):
        alice.receive_data(mallory.data_to_send())


def test_a_code_with_another_number_is_refused_and_burns_nothing() -> None:
    offer = CodeOffer(CODE)
    alice = Session.initiator(ALICE, invitation=SpokenCode(5, CODE.words))
    bob = Session.responder(BOB, code=offer)
    with pytest.raises(InvitationRefused, match="number 5"):
        bob.receive_data(alice.data_to_send())
    refusal = bob.data_to_send()
    with pytest.raises(InvitationRefused):
        alice.receive_data(refusal)
    assert offer.state is OfferState.OPEN


@pytest.mark.parametrize("word", range(3))
def test_a_wrong_word_burns_the_code_for_everybody(word: int) -> None:
    words = list(CODE.words)
    words[word] = "violin"
    offer = CodeOffer(CODE)
    alice = Session.initiator(ALICE, invitation=SpokenCode(4, words))
    with pytest.raises(WrongCode, match="burned"):
        deliver(alice, Session.responder(BOB, code=offer))
    assert offer.state is OfferState.BURNED
    with pytest.raises(WrongCode, match="good for one try"):
        alice.receive_eof()
    second = Session.initiator(ALICE, invitation=CODE)
    bob = Session.responder(BOB, code=offer)
    with pytest.raises(InvitationRefused, match="the code is burned"):
        bob.receive_data(second.data_to_send())
    refusal = bob.data_to_send()
    with pytest.raises(InvitationRefused):
        second.receive_data(refusal)


def test_a_connection_that_ends_before_it_has_tried_burns_nothing() -> None:
    offer = CodeOffer(CODE)
    alice = Session.initiator(ALICE, invitation=SpokenCode(4, ["acrobat", "velcro", "tiger"]))
    bob = Session.responder(BOB, code=offer)
    bob.receive_data(alice.data_to_send())
    with pytest.raises(Truncated):
        bob.receive_eof()
    deliver(Session.initiator(ALICE, invitation=CODE), Session.responder(BOB, code=offer))
    assert offer.state is OfferState.TAKEN


@pytest.mark.parametrize(
    ("approach", "waiting_for", "error"),
    [
        (Approach.KNOWN, 1, Truncated),
        (Approach.LINK, 1, Truncated),
        (Approach.LINK, 2, InvitationRefused),
        (Approach.CODE, 1, Truncated),
        (Approach.CODE, 2, WrongCode),
        (Approach.CODE, 3, WrongCode),
    ],
)
def test_what_it_means_that_the_stream_ends(
    approach: Approach, waiting_for: int, error: type[ProtocolError]
) -> None:
    alice, bob = pair(approach)
    for _ in range(waiting_for - 1):
        bob.receive_data(alice.data_to_send())
        alice.receive_data(bob.data_to_send())
    alice.data_to_send()
    with pytest.raises(ProtocolError) as caught:
        alice.receive_eof()
    assert type(caught.value) is error


@every_approach
def test_a_responder_whose_stream_ends_says_that_it_was_cut(approach: Approach) -> None:
    """Before the first byte, in the middle of each flight, and after each that it answered."""
    flights = 3 if approach is Approach.CODE else 2
    for cut in range(2 * flights):
        alice, bob = pair(approach)
        for _ in range(cut // 2):
            bob.receive_data(alice.data_to_send())
            alice.receive_data(bob.data_to_send())
        if cut % 2:
            bob.receive_data(alice.data_to_send()[:-1])
        with pytest.raises(Truncated):
            bob.receive_eof()
        with pytest.raises(Truncated):
            bob.data_to_send()
        assert bob.peer is None


@pytest.mark.parametrize("sequence", [-1, 2**53, "1", 1.5])
def test_a_sequence_number_that_cannot_be_one_is_refused(sequence: Any) -> None:
    with pytest.raises(UsageError):
        caller(device=KnownDevice(static_key(BOB), sequence))


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(32), bytes(33), "x" * 32])
def test_a_device_key_that_cannot_be_one_is_refused(key: Any) -> None:
    with pytest.raises((UsageError, InvalidPublicKey)):
        caller(device=KnownDevice(key, 1))


def test_nothing_secret_is_shown_of_an_offer() -> None:
    assert repr(CodeOffer(CODE)) == "<CodeOffer number 4, open>"


def test_a_caller_that_is_not_admitted_is_an_error_of_its_own() -> None:
    bob = Session.responder(BOB, suites=(), admit=lambda _peer, _number: False)
    with pytest.raises(NotAdmitted):
        bob.receive_data(caller().data_to_send())
