"""The package's session as the side under test, with everything fixed that it draws at random."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import (
    Closed,
    Event,
    HandshakeCompleted,
    Identity,
    KeysRefreshed,
    MessageReceived,
    Peer,
    ProtocolError,
    Session,
    errors,
)
from e2ee.code_offer import CodeOffer
from e2ee.contacts import ContactBook
from e2ee.handshake import Handshake, KnownAnswerWarning
from e2ee.ids import encode_id
from e2ee.invitation import Link, SpokenCode, lookup_id_of, psk_of
from e2ee.messages import HandshakePayload
from e2ee.opening import KnownDevice
from e2ee.pake import CPace
from e2ee.primitives import MlKem768
from e2ee.suites import SUITES, Approach

from .case import Case, Step

NAMES = {
    errors.NotE2EE: "not-e2ee",
    errors.UnsupportedVersion: "version-refused",
    errors.UnsupportedSuite: "suite-refused",
    errors.InvitationRefused: "invitation-refused",
    errors.WrongCode: "new-code-needed",
    errors.NotAdmitted: "not-admitted",
    errors.InvalidPublicKey: "bad-key",
    errors.DecryptionError: "decryption-failed",
    errors.CertificateError: "bad-certificate",
    errors.UnexpectedPeer: "wrong-peer",
    errors.OwnIdentity: "own-key",
    errors.InvalidLength: "bad-length",
    errors.MalformedMessage: "malformed",
    errors.UnexpectedMessage: "unexpected",
    errors.MessageTooLarge: "too-large",
    errors.Truncated: "truncated",
    errors.ProtocolError: "breach",
}
"""The vocabulary of README.md."""


class _GivenKem(MlKem768):
    """ML-KEM-768 with the key pairs and the answers of a case, in the order of use."""

    def __init__(self, case: Case) -> None:
        self.seeds = [bytes.fromhex(seed) for seed in case.all("kem-seed")]
        self.answers = [line.split() for line in case.all("kem-answer")]

    def generate(self) -> tuple[MLKEM768PrivateKey, bytes]:
        key = MLKEM768PrivateKey.from_seed_bytes(self.seeds.pop(0))
        return key, key.public_key().public_bytes_raw()

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        super().encapsulate(public_key)  # So that a key is refused as ever.
        ciphertext, secret = self.answers.pop(0)
        return bytes.fromhex(ciphertext), bytes.fromhex(secret)


class _Links:
    """Pending links, none of which has expired."""

    def __init__(self, case: Case) -> None:
        secrets = [bytes.fromhex(line.split()[0]) for line in case.all("pending-link")]
        self.pending = {lookup_id_of(secret): psk_of(secret) for secret in secrets}

    def psk(self, lookup_id: bytes) -> bytes | None:
        return self.pending.get(lookup_id)

    def take(self, lookup_id: bytes) -> bool:
        return self.pending.pop(lookup_id, None) is not None


@contextlib.contextmanager
def _drawing(case: Case) -> Iterator[None]:
    """The package draws what the case says, for as long as this lasts."""
    kem, ephemerals = _GivenKem(case), case.all("ephemeral")

    def handshake(name: str, **rest: Any) -> Handshake:
        given = kem if "hfs" in name else None
        return Handshake(name, e=bytes.fromhex(ephemerals.pop(0)), kem=given, **rest)

    def cpace(*args: Any, **rest: Any) -> CPace:
        return CPace(*args, scalar=case.octets("cpace-scalar"), **rest)

    drawn = mock.Mock()
    drawn.token_bytes = lambda size: bytes.fromhex(
        case["sid"] if size == 16 else case.get("commitment-nonce") or "00" * size
    )
    with (
        mock.patch("e2ee.opening.Handshake", handshake),
        mock.patch("e2ee.record.refresh.Handshake", handshake),
        mock.patch("e2ee.opening.CPace", cpace),
        mock.patch("e2ee.opening.secrets", drawn),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", KnownAnswerWarning)
        yield


def identity(case: Case) -> Identity:
    """The owner that a case describes."""
    payload = HandshakePayload(
        certificate=case.octets("certificate"), signature=case.octets("signature")
    )
    return Identity(
        Ed25519PrivateKey.from_private_bytes(case.octets("identity-seed")),
        X25519PrivateKey.from_private_bytes(case.octets("device-private")),
        payload,
    )


def _book(case: Case) -> ContactBook:
    book = ContactBook()
    for line in case.all("contact"):
        identity, *device = line.split()
        static_key = bytes.fromhex(device[0]) if device else bytes([9]) + bytes(31)
        peer = Peer(bytes.fromhex(identity), static_key, 0, 2**50)
        book.meet(peer, "meeting", 0)
        if device and device[1] != "0":
            assert book.admit(peer, int(device[1]), 0)
    for line in case.all("blocked"):
        book.block(encode_id(bytes.fromhex(line)))
    return book


def _session(case: Case) -> Session:
    owner, now = identity(case), int(case["now"])
    expected = case.get("expected-peer")
    peer = None if expected is None else encode_id(bytes.fromhex(expected))
    code, link = case.get("code"), case.get("link")
    if case["role"] == "responder":
        suites = [SUITES[int(suite, 16)] for suite in case["accepts"].split()]
        approaches = {suite.approach for suite in suites}
        book = _book(case)
        return Session.responder(
            owner,
            suites=[suite for suite in suites if suite.approach is Approach.MEETING],
            admit=(lambda p, n: book.admit(p, n, 0)) if Approach.KNOWN in approaches else None,
            links=_Links(case) if Approach.LINK in approaches else None,
            code=None if code is None else CodeOffer(SpokenCode.parse(code)),
            expected_peer=peer,
            now=now,
        )
    suite = SUITES[int(case["suite"], 16)]
    if suite.approach is Approach.KNOWN:
        device = KnownDevice(case.octets("peer-device"), int(case["sequence"]))
        return Session.initiator(owner, device=device, expected_peer=peer, now=now)
    if suite.approach is Approach.MEETING:
        return Session.initiator(owner, suite=suite, expected_peer=peer, now=now)
    invitation = SpokenCode.parse(code) if code is not None else Link.parse(link or "")
    return Session.initiator(owner, invitation=invitation, expected_peer=peer, now=now)


def _told(event: Event) -> str:
    match event:
        case HandshakeCompleted():
            parts = event.peer.identity_key, event.peer.static_key, event.handshake_hash
            return " ".join(["opened", *(part.hex() for part in parts)])
        case MessageReceived():
            return f"message {event.data.hex()}".rstrip()
        case KeysRefreshed():
            return "refreshed"
        case Closed():
            return "closed"


class RealCore:
    """The package's session under a case, which gets its bytes in chunks of so many."""

    def __init__(self, case: Case, chunk: int) -> None:
        self.case, self.chunk = case, chunk
        self.session: Session

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        with _drawing(self.case):
            yield

    def do(self, action: str, value: str) -> Step:
        """What came of one action."""
        events: list[Event] = []
        failure = None
        try:
            for event in self._act(action, value.split()):
                events.append(event)  # noqa: PERF402 -- one by one: a fault must not lose them
        except ProtocolError as error:
            events += error.events
            failure = NAMES[type(error)]
            self._check_dead(error)
        sent = b""
        with contextlib.suppress(ProtocolError):
            sent = self.session.data_to_send()
        return Step(action, value, tuple(map(_told, events)), (sent,) if sent else (), failure)

    def _act(self, action: str, words: list[str]) -> Iterator[Event]:
        if action == "start":
            self.session = _session(self.case)
        elif action == "receive":
            data = bytes.fromhex(words[0])
            for at in range(0, len(data), self.chunk):
                yield from self.session.receive_data(data[at : at + self.chunk])
        elif action == "end":
            self.session.receive_eof()
        elif words[0] == "send":
            self.session.send(bytes.fromhex("".join(words[1:])))
        else:
            calls = {"update-key": "update_key", "refresh": "refresh", "ping": "ping"}
            getattr(self.session, calls.get(words[0], "close"))()

    def _check_dead(self, error: ProtocolError) -> None:
        """Section 12: every further call gives the same error."""
        calls = (
            lambda: self.session.receive_data(b"\0"),
            self.session.receive_eof,
            lambda: self.session.send(b""),
            self.session.close,
            self.session.refresh,
        )
        check_each_raises(error, calls)


def check_each_raises(error: ProtocolError, calls: Iterable[Callable[[], object]]) -> None:
    """The very same error, not just one like it."""
    for call in calls:
        try:
            call()
        except ProtocolError as again:
            assert again is error  # noqa: PT017 -- of two errors
        else:
            raise AssertionError("alive after an error")
