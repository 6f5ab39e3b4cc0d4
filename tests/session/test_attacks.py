"""Attacks with a name, each tried on real sessions. Where one is from stands beside it."""

from __future__ import annotations

import base64
import gc
import os
import random
from collections.abc import Callable
from itertools import product
from types import FunctionType, ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import (
    CLASSICAL_AESGCM,
    HYBRID_AESGCM,
    HYBRID_CHACHAPOLY,
    Identity,
    Limits,
    MessageReceived,
    ProtocolError,
    Session,
    State,
    Suite,
    UsageError,
)
from e2ee._uncopyable import _be_another_process, this_process
from e2ee.certificate import SIGNATURE_LABEL, pad_payload, sign_certificate
from e2ee.errors import (
    CertificateError,
    DecryptionError,
    InvalidLength,
    InvalidPublicKey,
    MalformedMessage,
    NotE2EE,
    Truncated,
    UnexpectedMessage,
    UnexpectedPeer,
    UnsupportedSuite,
    UnsupportedVersion,
)
from e2ee.handshake import CipherState, Handshake, Token
from e2ee.messages import Certificate, HandshakePayload, encode
from e2ee.pake import CPace
from e2ee.suites import MEETING_SUITES, SUITES
from tests.session.twin import twin

from .impostor import Impostor
from .low_order import LOW_ORDER_ED25519
from .poisoned import EVERY_CALL, assert_dead
from .watched_aead import watched_ciphers

ALICE, BOB, MALLORY = Identity.generate(), Identity.generate(), Identity.generate()
NOW = 1_800_000_000


def opened(suite: Suite = HYBRID_AESGCM) -> tuple[Session, Session]:
    alice = Session.initiator(ALICE, suite=suite)
    bob = Session.responder(BOB, suites=[suite])
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    bob.receive_data(alice.data_to_send())
    return alice, bob


# Reflection: each message comes back to its own sender.


@pytest.mark.attack(6)
@pytest.mark.parametrize("suite", MEETING_SUITES, ids=lambda suite: suite.name)
def test_a_message_of_the_handshake_reflected_to_its_sender_is_refused(
    suite: Suite, figure: Callable[[str], None]
) -> None:
    alice = Session.initiator(ALICE, suite=suite)
    message_1 = alice.data_to_send()
    echo = message_1 + bytes(2000)
    with pytest.raises(ProtocolError):
        alice.receive_data(echo)

    bob = Session.responder(BOB, suites=[suite])
    bob.receive_data(message_1)
    message_2 = bob.data_to_send()
    with pytest.raises(DecryptionError):
        bob.receive_data(message_2)
    figure(f"reflection, {suite.name}: messages 1 and 2 refused by their senders")


@pytest.mark.attack(6)
def test_records_reflected_to_their_sender_are_refused(figure: Callable[[str], None]) -> None:
    calls: list[Callable[[Session], None]] = [
        lambda session: session.send(b"hello"),
        Session.ping,
        Session.update_key,
        Session.refresh,
        Session.close,
    ]
    for call in calls:
        for session in opened():
            call(session)
            with pytest.raises(DecryptionError):
                session.receive_data(session.data_to_send())
    figure(f"reflection: {2 * len(calls)} of {2 * len(calls)} records refused by their senders")


@pytest.mark.attack(6)
def test_an_identity_is_never_authenticated_to_itself(figure: Callable[[str], None]) -> None:
    alice, mirror = Session.initiator(ALICE), Session.responder(ALICE)
    mirror.receive_data(alice.data_to_send())
    with pytest.raises(UnexpectedPeer, match="yourself"):
        alice.receive_data(mirror.data_to_send())
    figure("reflection: a session with oneself refused")


# Replay into a fresh session (WireGuard answers it with a timestamp; here fresh keys do).


@pytest.mark.attack(7)
def test_message_1_replayed_gets_an_answer_that_only_its_author_can_read(
    figure: Callable[[str], None],
) -> None:
    alice, bob = Session.initiator(ALICE), Session.responder(BOB)
    message_1 = alice.data_to_send()
    bob.receive_data(message_1)
    alice.receive_data(bob.data_to_send())
    message_3 = alice.data_to_send()
    assert bob.receive_data(message_3) != []

    again = Session.responder(BOB)
    assert again.receive_data(message_1) == []
    assert again.peer is None
    again.data_to_send()
    with pytest.raises(DecryptionError) as caught:
        again.receive_data(message_3)
    assert again.peer is None
    assert_dead(again, caught.value)
    figure("replay: message 1 answered, and message 3 refused, by a fresh responder")


@pytest.mark.attack(7)
def test_message_2_replayed_is_refused_by_a_fresh_initiator(figure: Callable[[str], None]) -> None:
    alice, bob = Session.initiator(ALICE), Session.responder(BOB)
    bob.receive_data(alice.data_to_send())
    with pytest.raises(DecryptionError):
        Session.initiator(ALICE).receive_data(bob.data_to_send())
    figure("replay: message 2 refused by a fresh initiator")


# Splice: genuine records in the wrong place.


@pytest.mark.attack(24)
def test_refresh_messages_of_another_session_do_not_fit(figure: Callable[[str], None]) -> None:
    (alice, bob), (other_alice, other_bob) = opened(), opened()
    other_alice.refresh()
    other_bob.receive_data(other_alice.data_to_send())
    alice.refresh()
    alice.data_to_send()
    with pytest.raises(DecryptionError):
        alice.receive_data(other_bob.data_to_send())
    del bob
    figure("splicing: the answer to another session's refresh refused")


# Somebody in the middle, unknown key share (Diffie, van Oorschot and Wiener, 1992).


@pytest.mark.attack(4)
def test_a_relay_that_changes_nothing_is_nobodys_peer(figure: Callable[[str], None]) -> None:
    alice, bob = opened()
    assert alice.peer is not None
    assert bob.peer is not None
    assert alice.peer.identity_key == BOB.public_key
    assert bob.peer.identity_key == ALICE.public_key
    assert alice.export("views", 32) == bob.export("views", 32)
    figure("a relay that changes nothing: both sides name each other")


@pytest.mark.attack(1)
def test_somebody_in_the_middle_with_sessions_to_both_is_seen(
    figure: Callable[[str], None],
) -> None:
    alice = Session.initiator(ALICE)
    to_alice = Session.responder(MALLORY)
    to_alice.receive_data(alice.data_to_send())
    alice.receive_data(to_alice.data_to_send())
    assert alice.peer is not None
    assert alice.peer.id == MALLORY.id

    careful = Session.initiator(ALICE, expected_peer=BOB.id)
    to_careful = Session.responder(MALLORY)
    to_careful.receive_data(careful.data_to_send())
    with pytest.raises(UnexpectedPeer) as caught:
        careful.receive_data(to_careful.data_to_send())
    assert_dead(careful, caught.value)
    figure("man in the middle: shown under his own id; refused where another was asked for")


@pytest.mark.attack(1)
def test_a_responder_that_expects_somebody_refuses_everybody_else(
    figure: Callable[[str], None],
) -> None:
    mallory, bob = Session.initiator(MALLORY), Session.responder(BOB, expected_peer=ALICE.id)
    bob.receive_data(mallory.data_to_send())
    mallory.receive_data(bob.data_to_send())
    with pytest.raises(UnexpectedPeer):
        bob.receive_data(mallory.data_to_send())
    assert bob.peer is None
    figure("a responder that expects somebody: everybody else refused")


@pytest.mark.attack(4)
def test_nobody_can_present_somebody_elses_device_key_as_theirs(
    figure: Callable[[str], None],
) -> None:
    # Mallory's identity signs Alice's device key, but the handshake proves Mallory's own.
    stolen = payload(Ed25519PrivateKey.generate(), static_key=public(ALICE.device_key))
    with pytest.raises(CertificateError, match="another device key"):
        answer_to_initiator(MALLORY.device_key, stolen)
    with pytest.raises(CertificateError, match="another device key"):
        open_to_responder(MALLORY.device_key, stolen)
    figure("another's device key under one's own certificate: refused in both roles")


@pytest.mark.attack(4)
def test_nobody_can_present_somebody_elses_certificate(figure: Callable[[str], None]) -> None:
    with pytest.raises(CertificateError, match="another device key"):
        answer_to_initiator(MALLORY.device_key, BOB.handshake_payload())
    with pytest.raises(CertificateError, match="another device key"):
        open_to_responder(MALLORY.device_key, ALICE.handshake_payload())
    figure("another's certificate: refused in both roles")


# Downgrade (FREAK, Logjam, Terrapin): every bit of both preambles.


@pytest.mark.attack(2)
def test_no_changed_bit_of_the_hello_leads_to_a_session(figure: Callable[[str], None]) -> None:
    for bit in range(64):
        alice = Session.initiator(ALICE, suite=HYBRID_AESGCM)
        bob = Session.responder(BOB, suites=MEETING_SUITES)
        sent = bytearray(alice.data_to_send())
        sent[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):  # noqa: PT012 -- at Bob, or else at Alice
            bob.receive_data(bytes(sent))
            alice.receive_data(bob.data_to_send())
        assert alice.peer is None
        assert bob.peer is None
    figure("downgrade: 64 of 64 changed bits of the hello refused")


@pytest.mark.attack(2)
def test_no_changed_bit_of_the_answer_leads_to_a_session(figure: Callable[[str], None]) -> None:
    for bit in range(64):
        alice, bob = Session.initiator(ALICE), Session.responder(BOB)
        bob.receive_data(alice.data_to_send())
        answer = bytearray(bob.data_to_send())
        answer[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            alice.receive_data(bytes(answer))
    figure("downgrade: 64 of 64 changed bits of the answer refused")


@pytest.mark.attack(2)
def test_a_rewritten_suite_fails_at_the_first_tag_even_where_both_ends_accept_it(
    figure: Callable[[str], None],
) -> None:
    alice = Session.initiator(ALICE, suite=HYBRID_AESGCM)
    bob = Session.responder(BOB)
    sent = bytearray(alice.data_to_send())
    sent[6:8] = HYBRID_CHACHAPOLY.number.to_bytes(2)
    bob.receive_data(bytes(sent))
    answer = bytearray(bob.data_to_send())
    answer[6:8] = HYBRID_AESGCM.number.to_bytes(2)
    with pytest.raises(DecryptionError):
        alice.receive_data(bytes(answer))
    figure("downgrade: a suite rewritten both ways fails at the first tag")


@pytest.mark.attack(2)
def test_a_responder_refuses_another_version_with_its_own_and_a_wrong_suite_with_one_it_takes(
    figure: Callable[[str], None],
) -> None:
    for hello, refusal, error_type in (
        (b"e2ee\x02\x00\x00\x01", b"e2ee\x01\x01\x00\x00", UnsupportedVersion),
        (b"e2ee\x01\x00\x00\x03", b"e2ee\x01\x02\x00\x01", UnsupportedSuite),
        (b"e2ee\x01\x00\xff\xff", b"e2ee\x01\x02\x00\x01", UnsupportedSuite),
    ):
        bob = Session.responder(BOB)
        with pytest.raises(error_type) as caught:
            bob.receive_data(hello)
        assert bob.data_to_send() == refusal
        assert_dead(bob, caught.value)
        alice = Session.initiator(ALICE)
        with pytest.raises(error_type) as caught:
            alice.receive_data(refusal)
        assert_dead(alice, caught.value)
    figure("downgrade: another version, and another suite, refused in one round trip")


@pytest.mark.attack(2)
def test_an_initiator_offers_nothing_else_after_a_refusal(figure: Callable[[str], None]) -> None:
    alice = Session.initiator(ALICE)
    alice.data_to_send()
    with pytest.raises(UnsupportedSuite, match=CLASSICAL_AESGCM.name):
        alice.receive_data(b"e2ee\x01\x02\x00\x03")
    with pytest.raises(UnsupportedSuite):
        alice.data_to_send()
    figure("downgrade: 0 bytes offered after a refusal")


# Stripping the post-quantum half (age's hybrid recipients, hybrids in general).

E1 = slice(8 + 32, 8 + 32 + 1184)
EKEM1 = slice(8 + 32, 8 + 32 + 1088 + 16)


@pytest.mark.attack(3)
@pytest.mark.parametrize("suite", [HYBRID_AESGCM, HYBRID_CHACHAPOLY], ids=lambda suite: suite.name)
def test_a_kem_key_zeroed_or_swapped_is_never_ignored(
    suite: Suite, figure: Callable[[str], None]
) -> None:
    other = Session.initiator(ALICE, suite=suite).data_to_send()[E1]
    for replacement in (bytes(1184), other):
        alice, bob = Session.initiator(ALICE, suite=suite), Session.responder(BOB, suites=[suite])
        sent = bytearray(alice.data_to_send())
        sent[E1] = replacement
        bob.receive_data(bytes(sent))
        with pytest.raises(DecryptionError):
            alice.receive_data(bob.data_to_send())
    figure(f"KEM stripped, {suite.name}: a key of zeros and another's key refused")


@pytest.mark.attack(3, 10)
def test_an_unreduced_kem_key_is_refused(figure: Callable[[str], None]) -> None:
    alice, bob = Session.initiator(ALICE), Session.responder(BOB)
    sent = bytearray(alice.data_to_send())
    sent[E1] = b"\xff" * 1184
    with pytest.raises(InvalidPublicKey, match="ML-KEM"):
        bob.receive_data(bytes(sent))
    figure("KEM stripped: a key that is not reduced refused")


@pytest.mark.attack(3)
def test_a_kem_ciphertext_zeroed_swapped_or_cut_out_is_never_ignored(
    figure: Callable[[str], None],
) -> None:
    first, second = Session.initiator(ALICE), Session.responder(BOB)
    second.receive_data(first.data_to_send())
    other = second.data_to_send()[EKEM1]
    for replacement in (bytes(1104), other, b""):
        alice, bob = Session.initiator(ALICE), Session.responder(BOB)
        bob.receive_data(alice.data_to_send())
        answer = bytearray(bob.data_to_send())
        answer[EKEM1] = replacement
        with pytest.raises(ProtocolError):  # noqa: PT012 -- at once, or when no more comes
            alice.receive_data(bytes(answer))
            alice.receive_eof()
    figure("KEM stripped: a ciphertext of zeros, another's and none refused")


@pytest.mark.attack(3)
def test_a_classical_opening_does_not_pass_for_a_hybrid_one(figure: Callable[[str], None]) -> None:
    alice = Session.initiator(ALICE, suite=CLASSICAL_AESGCM)
    sent = bytearray(alice.data_to_send())
    sent[6:8] = HYBRID_AESGCM.number.to_bytes(2)
    bob = Session.responder(BOB)
    assert bob.receive_data(bytes(sent)) == []
    assert bob.data_to_send() == b""
    with pytest.raises(Truncated):
        bob.receive_eof()
    figure("KEM stripped: a classical opening under a hybrid number never answered")


# Keys of low order (the contributory behaviour of RFC 7748, section 6.1; vodozemac, 2026).


def impostor(
    *, initiator: bool, hello: bytes, s: X25519PrivateKey, guesses: dict[Token, bytes]
) -> Impostor:
    handshake = Impostor(
        SUITES[int.from_bytes(hello[6:8])].name, initiator=initiator, prologue=hello, s=s
    )
    handshake.guesses = guesses
    return handshake


def answer_to_initiator(
    static: X25519PrivateKey,
    padded: bytes,
    *,
    claimed: bytes = b"",
    guesses: dict[Token, bytes] | None = None,
    now: float | None = None,
) -> Session:
    """A responder made by hand answers Alice with this payload."""
    alice = Session.initiator(ALICE, now=now)
    sent = alice.data_to_send()
    attacker = impostor(initiator=False, hello=sent[:8], s=static, guesses=guesses or {})
    attacker.claimed = claimed
    attacker.read_message(sent[8:])
    answer = sent[:8] + attacker.write_message(padded)
    alice.receive_data(answer)
    return alice


def open_to_responder(
    static: X25519PrivateKey,
    padded: bytes,
    *,
    claimed: bytes = b"",
    guesses: dict[Token, bytes] | None = None,
    now: float | None = None,
) -> Session:
    """An initiator made by hand opens to Bob with this payload."""
    bob = Session.responder(BOB, now=now)
    hello = b"e2ee\x01\x00\x00\x01"
    attacker = impostor(initiator=True, hello=hello, s=static, guesses=guesses or {})
    attacker.claimed = claimed
    bob.receive_data(hello + attacker.write_message())
    attacker.read_message(bob.data_to_send()[8:])
    bob.receive_data(attacker.write_message(padded))
    return bob


def public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def payload(
    signer: Ed25519PrivateKey,
    *,
    static_key: bytes,
    identity: bytes | None = None,
    not_before: int = 0,
    not_after: int = 2**53 - 1,
) -> bytes:
    certificate = Certificate(
        identity=signer.public_key().public_bytes_raw() if identity is None else identity,
        static_key=static_key,
        not_before=not_before,
        not_after=not_after,
    )
    return pad_payload(sign_certificate(signer, certificate))


def refuses(error_type: type[ProtocolError], match: str, **made: Any) -> None:
    """Both roles refuse what was made by hand."""
    for attack in (answer_to_initiator, open_to_responder):
        with pytest.raises(error_type, match=match):
            attack(**made)


def test_the_hand_made_peers_are_accepted_when_they_are_honest() -> None:
    for attack in (answer_to_initiator, open_to_responder):
        session = attack(MALLORY.device_key, MALLORY.handshake_payload())
        assert session.peer is not None
        assert session.peer.id == MALLORY.id


# Certificates.


@pytest.mark.attack(4)
def test_a_certificate_for_another_device_key_is_refused(figure: Callable[[str], None]) -> None:
    device = X25519PrivateKey.generate()
    other = public(X25519PrivateKey.generate())
    refuses(
        CertificateError,
        "another device key",
        static=device,
        padded=payload(Ed25519PrivateKey.generate(), static_key=other),
    )
    figure("a certificate of another device key: refused in both roles")


@pytest.mark.parametrize(
    ("not_before", "not_after", "accepted"),
    [
        (NOW, NOW, True),
        (NOW - 1, NOW + 1, True),
        (NOW + 1, NOW + 10, False),
        (NOW - 10, NOW - 1, False),
        (NOW + 1, NOW - 1, False),
        (0, 2**53 - 1, True),
    ],
)
def test_a_certificate_holds_from_its_first_second_to_its_last(
    not_before: int, not_after: int, accepted: bool
) -> None:
    device = X25519PrivateKey.generate()
    padded = payload(
        Ed25519PrivateKey.generate(),
        static_key=public(device),
        not_before=not_before,
        not_after=not_after,
    )
    for attack in (answer_to_initiator, open_to_responder):
        for now in (NOW, NOW + 0.9):
            if accepted:
                attack(device, padded, now=now)
            else:
                with pytest.raises(CertificateError, match="expired or not yet valid"):
                    attack(device, padded, now=now)
        attack(device, padded, now=None)


def test_a_forged_signature_is_refused() -> None:
    device = X25519PrivateKey.generate()
    # Signed by somebody else than it names; and with no domain label; and over other bytes.
    certificate = Certificate(
        identity=BOB.public_key, static_key=public(device), not_before=0, not_after=NOW
    )
    signer = Ed25519PrivateKey.generate()
    own = Certificate(
        identity=signer.public_key().public_bytes_raw(),
        static_key=public(device),
        not_before=0,
        not_after=NOW,
    )
    for signed, signature in (
        (certificate, signer.sign(SIGNATURE_LABEL + encode(certificate))),
        (own, signer.sign(encode(own))),
        (own, signer.sign(SIGNATURE_LABEL + encode(certificate))),
        (own, bytes(64)),
    ):
        forged = HandshakePayload(certificate=encode(signed), signature=signature)
        refuses(CertificateError, "forged", static=device, padded=pad_payload(forged))


def test_every_changed_bit_of_a_signature_makes_it_forged() -> None:
    device = X25519PrivateKey.generate()
    signer = Ed25519PrivateKey.generate()
    certificate = Certificate(
        identity=signer.public_key().public_bytes_raw(),
        static_key=public(device),
        not_before=0,
        not_after=NOW,
    )
    good = sign_certificate(signer, certificate)
    for bit in range(512):
        signature = bytearray(good.signature)
        signature[bit // 8] ^= 1 << bit % 8
        forged = HandshakePayload(certificate=good.certificate, signature=bytes(signature))
        with pytest.raises(CertificateError, match="forged"):
            open_to_responder(device, pad_payload(forged))


def test_under_a_low_order_identity_one_signature_would_fit_everything() -> None:
    # cryptography accepts it: with the neutral point as key, R = the neutral point and S = 0.
    neutral = (1).to_bytes(32, "little")
    for message in (b"anything", b"anything else"):
        Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), message)


@pytest.mark.attack(9)
def test_an_identity_of_low_order_is_refused_in_all_its_encodings(
    figure: Callable[[str], None],
) -> None:
    assert len(set(LOW_ORDER_ED25519)) == 14
    device = X25519PrivateKey.generate()
    neutral = (1).to_bytes(32, "little")
    for identity in LOW_ORDER_ED25519:
        certificate = Certificate(
            identity=identity, static_key=public(device), not_before=0, not_after=NOW
        )
        made = HandshakePayload(certificate=encode(certificate), signature=neutral + bytes(32))
        refuses(CertificateError, "low order", static=device, padded=pad_payload(made))
    figure("low order: 14 of 14 identities refused in certificates, by both roles")


def hand_made_payloads() -> dict[str, bytes]:
    """What a certified, but hostile, peer can put into its payload."""
    good = MALLORY._payload
    text = encode(good)
    own = MALLORY.handshake_payload()

    def padded(json: bytes) -> bytes:
        return (len(json).to_bytes(2) + json).ljust(512, b"\0")

    def signed_anew(json: bytes) -> bytes:
        signature = MALLORY._identity_key.sign(SIGNATURE_LABEL + json)
        return pad_payload(HandshakePayload(certificate=json, signature=signature))

    inner = good.certificate
    return {
        "nothing": bytes(512),
        "length above the payload": b"\xff\xff" + own[2:],
        "length one too long": (len(text) + 1).to_bytes(2) + own[2:],
        "length one too short": (len(text) - 1).to_bytes(2) + own[2:],
        "padding not zero at its end": own[:-1] + b"\x01",
        "padding not zero at its beginning": own[: 2 + len(text)]
        + b"\x01"
        + bytes(509 - len(text)),
        "white space": padded(text.replace(b",", b", ")),
        "another order": padded(
            b'{"signature":"%s","certificate":"%s"}'
            % (base64.urlsafe_b64encode(good.signature), base64.urlsafe_b64encode(inner))
        ),
        "not JSON": padded(b"\xff" * 100),
        "an empty object": padded(b"{}"),
        "certificate with white space": signed_anew(inner.replace(b",", b" ,")),
        "certificate of version 2": signed_anew(inner.replace(b'"version":1', b'"version":2')),
        "certificate with a member more": signed_anew(inner[:-1] + b',"x":1}'),
        "certificate without its end": signed_anew(inner[:-1]),
        "certificate of nothing": signed_anew(b""),
    }


@pytest.mark.parametrize("name", hand_made_payloads())
def test_a_payload_not_in_its_one_form_is_refused(name: str) -> None:
    padded = hand_made_payloads()[name]
    assert len(padded) == 512
    refuses(CertificateError, "malformed", static=MALLORY.device_key, padded=padded)


@pytest.mark.attack(11)
def test_keys_of_one_type_do_not_pass_for_the_other(figure: Callable[[str], None]) -> None:
    # Both are 32 bytes; the certificate tells them apart by their places and by the handshake.
    device = X25519PrivateKey.generate()
    signer = Ed25519PrivateKey.generate()
    identity = signer.public_key().public_bytes_raw()
    for named, static_key in (
        (public(device), identity),
        (public(device), public(device)),
        (identity, identity),
    ):
        made = payload(signer, identity=named, static_key=static_key)
        refuses(CertificateError, "certificate", static=device, padded=made)
    figure("an Ed25519 key as X25519 key in a certificate, and the reverse: refused in both roles")


# Identity hiding (an aim of WireGuard's and Noise's, section 7.8).


@pytest.mark.attack(15)
@pytest.mark.parametrize("suite", MEETING_SUITES, ids=lambda suite: suite.name)
def test_no_key_and_no_certificate_is_in_the_clear_in_the_transcript(
    suite: Suite, figure: Callable[[str], None]
) -> None:
    alice, bob = Session.initiator(ALICE, suite=suite), Session.responder(BOB, suites=[suite])
    transcript = [alice.data_to_send()]
    bob.receive_data(transcript[0])
    transcript.append(bob.data_to_send())
    alice.receive_data(transcript[1])
    transcript.append(alice.data_to_send())
    bob.receive_data(transcript[2])
    for speaker, listener in ((alice, bob), (bob, alice)):
        speaker.refresh()
        transcript.append(speaker.data_to_send())
        listener.receive_data(transcript[-1])
    seen = b"".join(transcript)
    for person in (ALICE, BOB):
        for secret in (person.public_key, public(person.device_key), person._payload.certificate):
            for form in (
                secret,
                secret.hex().encode(),
                base64.b64encode(secret),
                base64.urlsafe_b64encode(secret),
            ):
                assert form[:12] not in seen
        assert person.id.encode() not in seen
    figure(f"identity hiding, {suite.name}: nothing of either side in {len(seen):,} bytes")


@pytest.mark.attack(15)
def test_a_refused_responder_never_learns_whom_it_spoke_to(figure: Callable[[str], None]) -> None:
    alice = Session.initiator(ALICE, expected_peer=BOB.id)
    mallory = Session.responder(MALLORY)
    mallory.receive_data(alice.data_to_send())
    with pytest.raises(UnexpectedPeer) as caught:
        alice.receive_data(mallory.data_to_send())
    assert_dead(alice, caught.value)
    assert mallory.peer is None
    figure("identity hiding: nothing told to a responder that was not asked for")


# Key-compromise impersonation (KCI): with Bob's own key, pose as Alice to Bob.


@pytest.mark.attack(5)
def test_bobs_stolen_device_key_does_not_let_anybody_pose_as_alice_to_bob(
    figure: Callable[[str], None],
) -> None:
    bobs = BOB.device_key
    alices = public(ALICE.device_key)
    alices_key = ALICE.device_key.public_key()
    ephemeral = X25519PrivateKey.generate()
    known_to_the_thief = {
        "zero": bytes(32),
        "ss": bobs.exchange(alices_key),
        "own ephemeral with Alice": ephemeral.exchange(alices_key),
        "own ephemeral with Bob": ephemeral.exchange(bobs.public_key()),
    }
    for guess in known_to_the_thief.values():
        with pytest.raises(DecryptionError):
            open_to_responder(
                bobs,
                ALICE.handshake_payload(),
                claimed=alices,
                guesses={Token.SE: guess},
            )
    figure(f"key compromise: {len(known_to_the_thief)} guesses with Bob's key refused by Bob")


@pytest.mark.attack(5)
def test_alices_stolen_device_key_does_not_let_anybody_pose_as_bob_to_alice(
    figure: Callable[[str], None],
) -> None:
    alices = ALICE.device_key
    bobs_key = BOB.device_key.public_key()
    for guess in (bytes(32), alices.exchange(bobs_key)):
        with pytest.raises(DecryptionError):
            answer_to_initiator(
                alices,
                BOB.handshake_payload(),
                claimed=public(BOB.device_key),
                guesses={Token.ES: guess},
            )
    figure("key compromise: 2 guesses with Alice's key refused by Alice")


def test_whoever_has_alices_device_key_can_pose_as_her_which_is_what_it_is_for() -> None:
    session = open_to_responder(ALICE.device_key, ALICE.handshake_payload())
    assert session.peer is not None
    assert session.peer.id == ALICE.id


# Injection before keys (Terrapin, CVE-2023-48795): extra bytes in each gap, records cut off after.


A_RECORD = b"\x00\x13" + bytes(19)
GAPS = ("before 1", "after hello", "before 2", "after answer", "before 3", "after 3")


@pytest.mark.attack(14)
@pytest.mark.parametrize("extra", [b"\0", b"e2ee\x01\x00\x00\x01", bytes(50), A_RECORD])
def test_extra_bytes_in_any_gap_of_the_opening_are_refused(
    extra: bytes, figure: Callable[[str], None]
) -> None:
    counts = range(1, 51) if extra == A_RECORD else [1]
    for gap, count in product(GAPS, counts):
        inserted = extra * count
        alice, bob = Session.initiator(ALICE), Session.responder(BOB)
        with pytest.raises(ProtocolError):  # noqa: PT012 -- where it fails depends on the gap
            first = alice.data_to_send()
            if gap == "before 1":
                first = inserted + first
            if gap == "after hello":
                first = first[:8] + inserted + first[8:]
            bob.receive_data(first)
            second = bob.data_to_send()
            if gap == "before 2":
                second = inserted + second
            if gap == "after answer":
                second = second[:8] + inserted + second[8:]
            alice.receive_data(second)
            third = alice.data_to_send()
            alice.send(b"first record")
            record = alice.data_to_send()
            if gap == "before 3":
                third = inserted + third
            if gap == "after 3":
                third += inserted
            bob.receive_data(third + record)
            bob.receive_eof()
        assert State.FAILED in (alice.state, bob.state)
    figure(
        f"injection: {len(extra)} extra bytes, up to {counts[-1]} times, refused in {len(GAPS)} of "
        f"{len(GAPS)} gaps of an opening"
    )


@pytest.mark.attack(14)
def test_the_first_records_after_the_keys_cannot_be_cut_off_unseen(
    figure: Callable[[str], None],
) -> None:
    alice, bob = opened()
    records = []
    for number in range(51):
        alice.send(b"%d" % number)
        records.append(alice.data_to_send())
    for lost in range(1, 51):
        with pytest.raises(DecryptionError):
            twin(bob).receive_data(b"".join(records[lost:]))
    assert len(bob.receive_data(records[0])) == 1
    figure("injection: the loss of the first 1 to 50 of 51 records noticed at the next one")


def test_nothing_can_be_sent_or_delivered_before_the_peer_is_authenticated() -> None:
    alice, bob = Session.initiator(ALICE), Session.responder(BOB)
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    third = alice.data_to_send()
    alice.send(b"early")
    assert bob.receive_data(third[:-1]) == []
    events = bob.receive_data(third[-1:] + alice.data_to_send())
    assert events[1:] == [MessageReceived(b"early")]


# After an error (h11, BoringSSL's fuzzers): dead for good.


def failures() -> dict[str, Callable[[], tuple[Session, ProtocolError]]]:
    def failed(session: Session, data: bytes | None) -> tuple[Session, ProtocolError]:
        with pytest.raises(ProtocolError) as caught:
            session.receive_eof() if data is None else session.receive_data(data)
        return session, caught.value

    return {
        "not e2ee": lambda: failed(Session.responder(BOB), b"HTTP"),
        "an answer to a responder": lambda: failed(Session.responder(BOB), b"e2ee\x01\x01\x00\x01"),
        "end before the beginning": lambda: failed(Session.responder(BOB), None),
        "end in the handshake": lambda: failed(Session.initiator(ALICE), None),
        "answer of another suite": lambda: failed(
            Session.initiator(ALICE), b"e2ee\x01\x00\x00\x02"
        ),
        "a wrong tag": lambda: failed(opened()[0], b"\x00\x13" + bytes(19)),
        "a record too short": lambda: failed(opened()[1], b"\x00\x12"),
        "end of a stream that was cut": lambda: failed(opened()[1], None),
    }


@pytest.mark.attack(49)
@pytest.mark.parametrize("name", failures())
def test_after_an_error_every_call_raises_the_same_error(
    name: str, figure: Callable[[str], None]
) -> None:
    session, error = failures()[name]()
    # An initiator that has not sent its opening yet does not send it after the failure.
    assert_dead(session, error)
    assert repr(session) == "<Session failed>"
    figure(f"dead for good: after {name} {len(EVERY_CALL)} of {len(EVERY_CALL)} calls refused")


def test_every_call_is_every_public_method_of_a_session_but_discard() -> None:
    methods = {name for name, kind in vars(Session).items() if isinstance(kind, FunctionType)}
    assert {name for name in methods if name[0] != "_"} == {*EVERY_CALL, "discard"}


def reachable(root: object, wanted: type[object]) -> bool:
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        found = waiting.pop()
        if isinstance(found, wanted):
            return True
        if id(found) not in seen and not isinstance(found, ModuleType | type | FunctionType):
            seen.add(id(found))
            waiting += gc.get_referents(found)
    return False


@pytest.mark.parametrize("fault", ["tag", "json", "end"])
def test_after_an_error_the_keys_are_gone(fault: str) -> None:
    session, peer = opened()
    assert reachable(session, CipherState)
    json = sealed_by(peer, b"\x01\x00\x02{}")
    faults: dict[str, Callable[[], object]] = {
        "tag": lambda: session.receive_data(json[:-1] + bytes([json[-1] ^ 1])),
        "json": lambda: session.receive_data(json),
        "end": session.receive_eof,
    }
    with pytest.raises(ProtocolError):
        faults[fault]()
    # Not even through the tracebacks of what led to the error.
    assert not reachable(session, CipherState)


def test_what_was_queued_before_an_error_is_never_sent() -> None:
    alice, bob = opened()
    del alice
    bob.send(b"queued")
    with pytest.raises(DecryptionError) as caught:
        bob.receive_data(b"\x00\x13" + bytes(19))
    assert_dead(bob, caught.value)


def test_events_from_before_the_fault_stay_valid_and_come_with_the_error() -> None:
    alice, bob = opened()
    alice.send(b"good")
    good = alice.data_to_send()
    with pytest.raises(DecryptionError) as caught:
        bob.receive_data(good + good)
    assert caught.value.events == (MessageReceived(b"good"),)


# An oracle (Vaudenay, 2002): one text for all causes, and nothing on the wire.


@pytest.mark.attack(32, 49)
def test_every_corruption_of_a_record_has_the_same_text_and_no_reply(
    figure: Callable[[str], None],
) -> None:
    source = random.Random(4)
    told = set()
    alice, bob = opened()
    alice.send(b"some message")
    record = alice.data_to_send()
    alice.send(b"the next message")
    following = alice.data_to_send()
    length = len(record) - 2
    corruptions = 10_000
    for number in range(corruptions):
        match number % 5:
            case 0:
                at = source.randrange(2, len(record))
                changed = source.randrange(1, 256) ^ record[at]
                corrupt = record[:at] + bytes([changed]) + record[at + 1 :]
            case 1:
                corrupt = record[:2] + source.randbytes(length)
            case 2:
                # A shorter record, cut anywhere.
                shorter = source.randrange(19, length)
                corrupt = shorter.to_bytes(2) + record[2 : 2 + shorter]
            case 3:
                longer = source.randrange(length + 1, 500)
                corrupt = longer.to_bytes(2) + record[2:] + source.randbytes(longer - length)
            case _:
                corrupt = following
        receiver = twin(bob)
        with pytest.raises(DecryptionError) as caught:
            receiver.receive_data(corrupt)
        with pytest.raises(DecryptionError) as then:
            receiver.data_to_send()
        assert then.value is caught.value
        told.add((type(caught.value), str(caught.value), caught.value.events))
    assert len(told) == 1
    figure(f"oracle: {corruptions:,} corruptions of a record: {len(told)} text, 0 replies")


# A peer that holds the keys and breaks the rules.


def sealed_by(session: Session, plaintext: bytes) -> bytes:
    """A record with any plaintext, under the session's own sending key."""
    assert session._layer is not None
    sealed = session._layer._send.encrypt_with_ad(b"", plaintext)
    return len(sealed).to_bytes(2) + sealed


@pytest.mark.parametrize(
    ("plaintext", "error_type"),
    [
        (b"\x00\x00\x01", MalformedMessage),
        (b"\x00\xff\xff" + bytes(5), MalformedMessage),
        (b"\x00\x00\x00\x01", MalformedMessage),
        (b"\x00\x00\x00" + bytes(60_000) + b"\x01", MalformedMessage),
        (b"\x02\x00\x00", MalformedMessage),
        (b"\xff\x00\x00", MalformedMessage),
        (b"\x01\x00\x00", MalformedMessage),
        (b'\x01\x00\x10{"kind":"hello"}', MalformedMessage),
        (b'\x01\x00\x1e{"kind":"ping"}{"kind":"ping"}', MalformedMessage),
        (b'\x01\x00\x10{"kind": "ping"}', MalformedMessage),
        (b'\x01\x00\x19{"kind":"refresh_switch"}', UnexpectedMessage),
        (b'\x01\x00\x29{"kind":"refresh_answer","message":"AAAA"}'[:44], MalformedMessage),
        (b'\x01\x00\x2a{"kind":"refresh_answer","message":"AAAA"}', UnexpectedMessage),
        (b'\x01\x00\x29{"kind":"refresh_offer","message":"AAAA"}', InvalidLength),
    ],
)
def test_an_authenticated_peer_that_breaks_the_rules_ends_the_session(
    plaintext: bytes, error_type: type[ProtocolError]
) -> None:
    for first, second in (opened(), reversed(opened())):
        with pytest.raises(error_type) as caught:
            second.receive_data(sealed_by(first, plaintext))
        assert_dead(second, caught.value)


def test_a_close_in_the_middle_of_a_message_is_not_a_clean_end() -> None:
    alice, bob = opened()
    half = sealed_by(alice, b"\x00\x00\x06\x00\x00\x00\x09ab")
    close = sealed_by(alice, b'\x01\x00\x10{"kind":"close"}')
    assert bob.receive_data(half) == []
    with pytest.raises(UnexpectedMessage, match="middle of a message"):
        bob.receive_data(close)


def test_a_refresh_message_with_a_payload_is_refused() -> None:
    alice, bob = opened()
    assert alice._layer is not None
    handshake = alice._layer._refresh._new_handshake(initiator=True)
    message = base64.urlsafe_b64encode(handshake.write_message(b"payload"))
    offer = b'{"kind":"refresh_offer","message":"%s"}' % message
    with pytest.raises(ProtocolError):
        bob.receive_data(sealed_by(alice, b"\x01" + len(offer).to_bytes(2) + offer))


def test_what_was_to_be_sent_goes_with_the_session_that_dies() -> None:
    alice, bob = Session.initiator(ALICE), Session.responder(BOB)
    bob.receive_data(alice.data_to_send())
    with pytest.raises(ProtocolError) as died:
        alice.receive_data(bob.data_to_send() + bytes(18))
    with pytest.raises(type(died.value)):
        alice.data_to_send()
    assert alice._exporter_secret == b""


def test_who_discards_a_session_that_would_refuse_sends_nothing() -> None:
    session = Session.responder(BOB)
    with pytest.raises(UnsupportedVersion):
        session.receive_data(b"e2ee\x7f" + bytes(3))
    session.discard()
    with pytest.raises(UnsupportedVersion):
        session.data_to_send()


def test_memory_that_is_not_in_one_piece_is_sent_and_received() -> None:
    alice, bob = opened(CLASSICAL_AESGCM)
    alice.send(memoryview(b"t.e.x.t.")[::2])
    wire = alice.data_to_send()
    scattered = bytes(byte for pair in zip(wire, bytes(len(wire)), strict=True) for byte in pair)
    assert bob.receive_data(memoryview(scattered)[::2]) == [MessageReceived(b"text")]


# Nonces (184 HTTPS hosts that repeated theirs: Böck and others, 2016).


def in_a_fork(call: Callable[[], object]) -> str:
    """What the call gives, or the text of its error, in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, repr(call()).encode())
        except UsageError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with open(reading) as pipe:
        return pipe.read()


@pytest.mark.attack(30)
@pytest.mark.parametrize("messages", range(4))
def test_a_forked_child_cannot_repeat_nonces(messages: int, figure: Callable[[str], None]) -> None:
    """Nonce reuse after a fork: what the child could send, the parent sends too."""
    initiator, responder = Session.initiator(ALICE), Session.responder(BOB)
    sides = [initiator, responder]
    for number in range(messages):
        sides[1 - number % 2].receive_data(sides[number % 2].data_to_send())
    for side in sides:
        for call in (side.data_to_send, side.discard, lambda side=side: side.receive_data(b"")):
            assert "after a fork only the parent may go on" in in_a_fork(call)
    for _ in range(2):
        responder.receive_data(initiator.data_to_send())
        initiator.receive_data(responder.data_to_send())
    initiator.send(b"of the parent")
    assert responder.receive_data(initiator.data_to_send()) == [MessageReceived(b"of the parent")]
    figure(f"nonces: 6 of 6 calls refused in forks after {messages} messages of the handshake")


def test_a_forked_handshake_cannot_be_finished_twice() -> None:
    initiator = Handshake("Noise_NN_25519_AESGCM_SHA256", initiator=True)
    responder = Handshake("Noise_NN_25519_AESGCM_SHA256", initiator=False)
    responder.read_message(initiator.write_message())
    answer = responder.write_message()
    sending = responder.split()[0]
    run = CPace(b"code", initiator=True, ci=b"", sid=b"", ad=b"")
    calls: list[Callable[[], object]] = [
        lambda: initiator.read_message(answer),
        responder.split,
        lambda: sending.encrypt_with_ad(b"", b"text"),
        lambda: run.finish(bytes(range(32)), b""),
    ]
    for call in calls:
        assert "after a fork" in in_a_fork(call)


def test_what_another_process_has_made_is_refused_without_a_fork_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session.initiator(ALICE)
    open_session, _ = opened()
    open_session.send(b"before")
    open_session.get_buffer()
    monkeypatch.setattr("e2ee._uncopyable._process", this_process())
    _be_another_process()
    with pytest.raises(UsageError, match="after a fork"):
        session.data_to_send()
    for call in EVERY_CALL.values():
        with pytest.raises(UsageError, match="after a fork"):
            call(open_session)
    assert open_session.state is State.OPEN
    assert Session.initiator(ALICE).data_to_send()


@pytest.mark.attack(30)
@pytest.mark.parametrize("suite", MEETING_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize(
    "steps",
    [
        300,
        pytest.param(300_000, marks=[pytest.mark.nightly, pytest.mark.timeout(7200)]),
    ],
)
def test_no_nonce_is_used_twice_under_one_key(
    suite: Suite, steps: int, figure: Callable[[str], None]
) -> None:
    with watched_ciphers() as watch:
        converse_at_random(suite, steps)
    figure(
        f"nonces: {watch.encryptions:,} encryptions under {len(watch.last):,} keys, no nonce twice "
        f"under one, in {suite.name}"
    )


def converse_at_random(suite: Suite, steps: int) -> None:
    """Ten sessions in which everything is done in any order, and some of it delivered."""
    source = random.Random(5)
    for _ in range(10):
        limits = Limits(
            key_update_records=source.randrange(2, 20), refresh_records=source.randrange(5, 50)
        )
        sides = [
            Session.initiator(ALICE, suite=suite, limits=limits),
            Session.responder(BOB, suites=[suite], limits=limits),
        ]
        for _ in range(3):
            for i in (0, 1):
                sides[1 - i].receive_data(sides[i].data_to_send())
        for _ in range(steps):
            side = source.choice(sides)
            match source.randrange(8):
                case 0:
                    side.update_key()
                case 1:
                    side.refresh()
                case 2:
                    side.ping()
                case 3 | 4:
                    i = source.randrange(2)
                    sides[1 - i].receive_data(sides[i].data_to_send())
                case _:
                    side.send(source.randbytes(source.randrange(50)))
                    side._layer._seal_pending()  # type: ignore[union-attr]


# Other protocols on the same port (ALPACA, 2021).


@pytest.mark.parametrize(
    ("beginning", "what"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"POST /", "HTTP"),
        (b"HEAD /", "HTTP"),
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (b"\x16\x03\x01\x02\x00\x01", "TLS"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "TLS"),
        (b"220 mail.example ESMTP", "something else"),
        (b"\x00\x00\x00\x00", "something else"),
        (b"e2eX", "something else"),
    ],
)
def test_the_first_bytes_of_another_protocol_are_named(beginning: bytes, what: str) -> None:
    for session in (Session.initiator(ALICE), Session.responder(BOB)):
        session.data_to_send()
        with pytest.raises(NotE2EE, match=f"but {what}$") as caught:
            session.receive_data(beginning)
        assert_dead(session, caught.value)


@pytest.mark.parametrize("right", range(4))
def test_another_protocol_is_refused_at_its_first_wrong_byte(right: int) -> None:
    for session in (Session.initiator(ALICE), Session.responder(BOB)):
        for byte in b"e2ee"[:right]:
            session.receive_data(bytes([byte]))
        with pytest.raises(NotE2EE):
            session.receive_data(b"#")
