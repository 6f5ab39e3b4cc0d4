"""Targets: sessions, from the first byte of a handshake to the last of a record.

A ProtocolError is all that they may raise; it is final; and neither what they tell nor what they
answer depends on how the stream was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from e2ee import (
    HYBRID_AESGCM,
    HYBRID_CHACHAPOLY,
    Limits,
    Padding,
    ProtocolError,
    Session,
    State,
)
from e2ee.certificate import Peer
from e2ee.code_offer import CodeOffer
from e2ee.errors import NotE2EE
from e2ee.handshake import CipherState
from e2ee.invitation import Link, SpokenCode
from e2ee.limits import MAX_RECORD_LENGTH
from e2ee.opening import KnownDevice
from e2ee.primitives import CIPHERS
from e2ee.suites import CLASSICAL_AESGCM

from .fixed import NOW, fixed_randomness, person, secret
from .script import Script, cut

MEETINGS = (HYBRID_AESGCM, HYBRID_CHACHAPOLY, CLASSICAL_AESGCM)
CODE = "4-acrobat-velcro-sugar"

Outcome = tuple[list[object], object, bytes]
"""The events, the error, and what is to be sent."""

Make = Callable[[], Session]


@cache
def link() -> Link:
    return Link(person("bob").public_key, secret("link"), NOW, [("192.168.1.20", 3233)])


@cache
def code() -> SpokenCode:
    return SpokenCode.parse(CODE)


class OneLink:
    """A pending link that never expires."""

    def psk(self, lookup_id: bytes) -> bytes | None:
        return link().psk if lookup_id == link().lookup_id else None

    def take(self, lookup_id: bytes) -> bool:
        return lookup_id == link().lookup_id


def admit(peer: Peer, sequence: int) -> bool:
    return peer.identity_key == person("alice").public_key and sequence > 6


def make_responder(option: int) -> Session:
    """Bit 0 -- mute: it answers contacts only. Bit 1 -- it asks for one peer."""
    expected = person("alice").id if option & 2 else None
    if option & 1:
        return Session.responder(
            person("bob"), suites=(), admit=admit, expected_peer=expected, now=NOW
        )
    return Session.responder(
        person("bob"),
        suites=MEETINGS,
        admit=admit,
        links=OneLink(),
        code=CodeOffer(code()),
        expected_peer=expected,
        now=NOW,
    )


def make_initiator(option: int) -> Session:
    """By the remainder of 6: a meeting in one of three suites, a contact, a link or a code."""
    alice, bob = person("alice"), person("bob")
    match option % 6:
        case 3:
            static_key = bob.device_key.public_key().public_bytes_raw()
            device = KnownDevice(static_key, 7)
            return Session.initiator(alice, device=device, expected_peer=bob.id, now=NOW)
        case 4:
            return Session.initiator(alice, invitation=link(), now=NOW)
        case 5:
            return Session.initiator(alice, invitation=code(), now=NOW)
        case number:
            return Session.initiator(alice, suite=MEETINGS[number], now=NOW)


class Finished:
    """An opening that is done, as the session and its record layer see it."""

    done = True
    peer = Peer(bytes(32), bytes(32), 0, NOW)
    suite = HYBRID_AESGCM
    handshake_hash = exporter_secret = bytes(32)
    refusal = b""

    def __init__(self, *, initiator: bool) -> None:
        self.initiator = initiator
        self.handshake = self

    def take(self) -> bytes:
        return b""

    def receive(self, data: memoryview) -> memoryview:
        return data

    def split(self) -> tuple[CipherState, CipherState]:
        """To send with and to receive with."""
        cipher = CIPHERS["AESGCM"]
        return CipherState(cipher, secret("sends")), CipherState(cipher, secret("receives"))


def make_open(option: int) -> Session:
    """A session that is open, in one of many states.

    Bit 0 -- we are the initiator. Bit 1 -- we have offered a refresh. Bit 2 -- we have closed.
    Bit 3 -- a key of ours lasts for 2 records only. Bit 4 -- we refresh after every record.
    Bit 5 -- messages have at most 100 bytes. Bit 6 -- we pad.
    """
    limits = Limits(
        key_update_records=2 if option & 8 else 2**20,
        refresh_records=1 if option & 16 else 2**16,
        max_message_size=100 if option & 32 else 2**20,
    )
    opening: Any = Finished(initiator=bool(option & 1))
    session = Session(opening, limits, Padding.CHAT if option & 64 else Padding.NONE)
    session.receive_data(b"")
    if option & 2:
        session.refresh()
    if option & 4:
        session.close()
    return session


# What must hold.


def outcome(make: Make, chunks: Sequence[bytes]) -> Outcome:
    """What a fresh session makes of a stream that then ends."""
    session = make()
    events: list[object] = []
    sent = b""
    try:
        for chunk in chunks:
            events += session.receive_data(chunk)
        sent = session.data_to_send()
        session.receive_eof()
    except ProtocolError as error:
        assert session.state is State.FAILED
        # The text of this one says what the other side might be, by as much as has come.
        text = "" if isinstance(error, NotE2EE) else str(error)
        return [*events, *error.events], (type(error), text), sent + check_dead(session, error)
    assert session.state is State.CLOSED
    return events, None, sent


def check_dead(session: Session, error: ProtocolError) -> bytes:
    """Every call raises the same error, once the refusal is handed out; returns that."""
    refusal: list[bytes] = []
    raised = _raised(lambda: refusal.append(session.data_to_send()))
    assert raised is (None if refusal else error)
    calls: tuple[Callable[[], object], ...] = (
        session.data_to_send,
        lambda: session.receive_data(b""),
        session.receive_eof,
        lambda: session.send(b""),
        session.close,
        session.update_key,
        session.refresh,
        session.ping,
        lambda: session.export("x", 1),
    )
    for call in calls:
        assert _raised(call) is error
    return b"".join(refusal)


def _raised(call: Callable[[], object]) -> ProtocolError | None:
    try:
        call()
    except ProtocolError as error:
        return error
    return None


def check(make: Make, stream: bytes, seed: int) -> Outcome:
    """What becomes of the stream, whole; and in pieces it must be the same.

    One that ends well ends there: a byte more is refused.
    """
    whole = outcome(make, [stream])
    assert outcome(make, cut(stream, seed)) == whole
    if whole[1] is None:
        assert outcome(make, [stream, b"\0"])[1] is not None
    return whole


# The targets.


def _handshake(role: str, make: Callable[[int], Session], data: bytes, *, null: bool) -> None:
    script = Script(data)
    option, seed = script.number(), script.number()
    with fixed_randomness(role, null_cipher=null):
        check(lambda: make(option), script.rest, seed)


def responder(data: bytes) -> None:
    """The handshake, and what follows, of the side that waits; every cipher is real."""
    _handshake("responder", make_responder, data, null=False)


def initiator(data: bytes) -> None:
    """The same of the side that begins."""
    _handshake("initiator", make_initiator, data, null=False)


def responder_behind_cipher(data: bytes) -> None:
    """With a cipher that hides nothing, so that the certificates in it are the fuzzer's."""
    _handshake("responder", make_responder, data, null=True)


def initiator_behind_cipher(data: bytes) -> None:
    """The same of the side that begins."""
    _handshake("initiator", make_initiator, data, null=True)


def records_behind_cipher(data: bytes) -> None:
    """A stream of records whose plaintexts are the fuzzer's."""
    script = Script(data)
    option, seed = script.number(), script.number()
    with fixed_randomness("responder", null_cipher=True):
        check(lambda: make_open(option), script.rest, seed)


def records(data: bytes) -> None:
    """Records that the peer has sealed, contents by the fuzzer; one byte may be changed on the way.

    Up to the change the session tells what it tells of the unchanged stream, and then it fails.
    """
    script = Script(data)
    option, seed, place, difference = (script.number(size) for size in (1, 1, 2, 1))
    key = CipherState(CIPHERS["AESGCM"], secret("receives"))
    stream = b""
    while script.rest and len(stream) < 8192:
        content_type, padding = script.number(), script.number()
        content = script.text(2)
        plaintext = bytes([content_type]) + len(content).to_bytes(2) + content
        sealed = key.encrypt_with_ad(b"", plaintext + bytes(padding))
        assert len(sealed) <= MAX_RECORD_LENGTH
        stream += len(sealed).to_bytes(2) + sealed
        if content == b'{"kind":"key_update"}':
            key.rekey()
    with fixed_randomness("responder", null_cipher=False):
        events, _, _ = check(lambda: make_open(option), stream, seed)
        if difference and place < len(stream):
            changed = bytearray(stream)
            changed[place] ^= difference
            some, failure, _ = check(lambda: make_open(option), bytes(changed), seed)
            assert failure is not None
            assert some == events[: len(some)]
