"""The opening of a session: preambles, what the approach needs, then the Noise handshake.

SPEC.md section 4. A preamble is magic "e2ee" (4), version (1), code (1), suite (2), all
big-endian. Each message has one length in each suite, so none carries a length prefix.
"""

from __future__ import annotations

import hmac
import math
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeVar, runtime_checkable

from e2ee._uncopyable import Uncopyable
from e2ee.certificate import Peer, unpad_payload, verify_payload
from e2ee.code_offer import CodeOffer, OfferState
from e2ee.errors import (
    CertificateError,
    InvitationRefused,
    MalformedMessage,
    NotAdmitted,
    NotE2EE,
    OwnIdentity,
    ProtocolError,
    UnexpectedPeer,
    UnsupportedSuite,
    UnsupportedVersion,
    UsageError,
    WrongCode,
)
from e2ee.handshake import Handshake
from e2ee.identity import Identity
from e2ee.invitation import LOOKUP_ID_LENGTH, Link, SpokenCode
from e2ee.limits import HANDSHAKE_PAYLOAD_LENGTH, MAX_KNOWN_TIME
from e2ee.messages import CodePayload, HandshakePayload, KnownPayload
from e2ee.pake import SHARE_LENGTH, CPace
from e2ee.primitives import HASHES
from e2ee.random_numbers import drawn
from e2ee.suites import SUITES, Approach, Suite

__all__ = ["Admit", "KnownDevice", "Links"]

MAGIC = b"e2ee"
VERSION = 1
_PREAMBLE = struct.Struct(">4sBBH")
PREAMBLE_LENGTH = _PREAMBLE.size
CONFIRMATION_LENGTH = 32

_COMMITMENT_LENGTH = 32
_CODE_HELLO = struct.Struct(f">16sH{SHARE_LENGTH}s{_COMMITMENT_LENGTH}s")
"""What follows the hello of a code: sid, number, share and commitment."""

P = TypeVar("P", bound=HandshakePayload)


class Code(IntEnum):
    """What a preamble says. Hello and the answer that accepts it are the same eight bytes."""

    HELLO = 0
    VERSION_REFUSED = 1
    SUITE_REFUSED = 2
    INVITATION_REFUSED = 3


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A contact's device, as the initiator of a *known* opening knows it.

    ``static_key`` -- X25519 public key, 32 bytes. ``sequence`` -- above that of every first
    message before it from this device of ours, in any session; store it before you send.
    Raises UsageError for a number below 0, or above 2^53 - 1.
    """

    static_key: bytes
    sequence: int

    def __post_init__(self) -> None:
        if type(self.sequence) is not int or not 0 <= self.sequence <= MAX_KNOWN_TIME:
            raise UsageError("the number of a call is an integer from 0 to 2^53 - 1")


@runtime_checkable
class Links(Protocol):
    """The inviter's pending invitation links, as a responder asks for them."""

    def psk(self, lookup_id: bytes) -> bytes | None:
        """The psk (32 bytes) of a link that is pending, by its lookup id (16 bytes)."""

    def take(self, lookup_id: bytes) -> bool:
        """Mark the link with this lookup id (16 bytes) as used; whether it was still pending."""


Admit = Callable[[Peer, int], bool]
"""Whether a caller is a contact, and its sequence number above all before; stores that number."""


@dataclass(frozen=True, slots=True, repr=False)
class Accepted(Uncopyable):
    """What a responder accepts: suites of first meetings, and what it needs for the others."""

    suites: tuple[Suite, ...] = ()
    admit: Admit | None = None
    links: Links | None = None
    code: CodeOffer | None = None

    def __post_init__(self) -> None:
        if self.admit is not None and not callable(self.admit):
            raise UsageError(f"admit is a function of a peer and a number, not {_kind(self.admit)}")
        if self.links is not None and not isinstance(self.links, Links):
            raise UsageError(f"links has the methods psk and take, not as {_kind(self.links)}")

    def accepts(self, suite: Suite) -> bool:
        match suite.approach:
            case Approach.MEETING:
                return suite in self.suites
            case Approach.KNOWN:
                return self.admit is not None
            case Approach.LINK:
                return self.links is not None
            case Approach.CODE:
                return self.code is not None

    @property
    def mute(self) -> bool:
        """Whether nobody but contacts may get a single byte."""
        return not self.suites and self.links is None and self.code is None

    @property
    def first(self) -> Suite:
        """The suite that a refusal names."""
        return (self.suites or tuple(filter(self.accepts, SUITES.values())))[0]


class Opening(Uncopyable):
    """One side of an opening: bytes in, bytes out, and at its end ``peer`` is set.

    What each role does in each approach stands in INITIATOR and RESPONDER, below.
    """

    __slots__ = (
        "_accepted",
        "_buffer",
        "_commitment",
        "_expected_peer",
        "_hello",
        "_identity",
        "_lookup_id",
        "_nonce",
        "_now",
        "_out",
        "_own_words",
        "_pake",
        "_prologue",
        "_sequence",
        "_steps",
        "_took_code",
        "handshake",
        "initiator",
        "peer",
        "refusal",
        "suite",
    )

    def __init__(
        self,
        identity: Identity,
        *,
        initiator: bool,
        expected_peer: bytes | None,
        now: float | None,
    ) -> None:
        """Use ``initiate`` or ``respond``."""
        if now is not None and not isinstance(now, int | float):
            raise UsageError(f"now is in seconds since 1970, as a number, not {_kind(now)}")
        if now is not None and not abs(now) < math.inf:
            raise UsageError("now is in seconds since 1970, and finite")
        self._identity = identity
        self._expected_peer = expected_peer
        self._now = now
        self._buffer = bytearray()
        self._accepted = Accepted()
        self._prologue = b""
        self._nonce = drawn(secrets.token_bytes, 32)
        self._took_code = False
        self._commitment = b""
        """The peer's, in a code."""
        self._sequence: int | None = None
        """Ours, of an initiator that calls a contact."""
        self.initiator = initiator
        self.peer: Peer | None = None
        self._out = b""
        self._own_words = b""
        """What follows an initiator's hello, as much of it as is nobody else's."""
        self.refusal = b""
        """What may be sent to the peer after this side has given up."""
        self._steps: list[Step] = []

    @classmethod
    def initiate(
        cls,
        identity: Identity,
        suite: Suite,
        *,
        expected_peer: bytes | None,
        now: float | None,
        device: KnownDevice | None = None,
        invitation: Link | SpokenCode | None = None,
    ) -> Opening:
        """The side that begins; what its ``suite`` needs is given."""
        self = cls(identity, initiator=True, expected_peer=expected_peer, now=now)
        self.suite = suite
        self._steps = list(INITIATOR[suite.approach])
        self._hello = self._prologue = _PREAMBLE.pack(MAGIC, VERSION, Code.HELLO, suite.number)
        if isinstance(invitation, SpokenCode):
            sid, number = drawn(secrets.token_bytes, 16), invitation.number
            self._begin_pake(invitation, sid)
            own = (self._pake.share, self._own_commitment)
            self._prologue += _CODE_HELLO.pack(sid, number, *own)
            self._say_first(self._prologue)
            return self
        psk = None
        if isinstance(invitation, Link):
            self._prologue += invitation.lookup_id
            psk = invitation.psk
        if device is not None:
            self._sequence = device.sequence
        self._begin_handshake(psk, None if device is None else device.static_key)
        self._say_first(self._prologue + self._message_1())
        return self

    def _say_first(self, words: bytes) -> None:
        self._out = words
        begin = len(self._hello)
        self._own_words = words[begin : begin + 32]

    @classmethod
    def respond(
        cls,
        identity: Identity,
        accepted: Accepted,
        *,
        expected_peer: bytes | None,
        now: float | None,
    ) -> Opening:
        """The side that waits."""
        self = cls(identity, initiator=False, expected_peer=expected_peer, now=now)
        self._accepted = accepted
        self._steps = [HELLO]
        return self

    def _begin_handshake(self, psk: bytes | None, remote_static: bytes | None = None) -> None:
        self.handshake = Handshake(
            self.suite.name,
            initiator=self.initiator,
            prologue=self._prologue,
            s=self._identity.device_key,
            rs=remote_static,
            psks=() if psk is None else (psk,),
        )

    # Bytes out, bytes in.

    def take(self) -> bytes:
        """What is now to be sent to the peer, once."""
        out, self._out = self._out, b""
        return out

    @property
    def done(self) -> bool:
        return not self._steps

    def receive(self, data: memoryview) -> memoryview:
        """Process these bytes; returns those that come after the opening. Raises ProtocolError."""
        while self._steps:
            step = self._steps[0]
            missing = step.length(self) - len(self._buffer)
            self._buffer += data[:missing]
            data = data[missing:]
            if step in (HELLO, ANSWER):
                _check_magic(bytes(self._buffer[: len(MAGIC)]))
            self._check_not_our_own()
            if len(self._buffer) < step.length(self):
                return data
            step_bytes = bytes(self._buffer)
            self._buffer.clear()
            del self._steps[0]
            if step is not ANSWER:
                self._own_words = b""  # It was no reflection, and what fails later may cost a code.
            try:
                step.act(self, step_bytes)
            except ProtocolError as error:
                if step not in self._one_try or isinstance(error, WrongCode):
                    raise
                raise WrongCode(f"the one try of this code has failed: {error}") from None
        return data

    def _check_not_our_own(self) -> None:
        """An initiator that hears itself would wait for the rest: ours is shorter than theirs."""
        if self._own_words and self._buffer.startswith(self._own_words):
            raise ProtocolError(
                "these are the bytes that this side has sent; it needs those of the other side"
            )

    @property
    def _one_try(self) -> tuple[Step, ...]:
        """The steps in which whatever fails has used up the initiator's code."""
        code = self.initiator and self.suite.approach is Approach.CODE
        return (MESSAGE_2, CONFIRMATION) if code else ()

    def abandon(self) -> None:
        """This opening has failed: a code that it had taken is of no use any more."""
        if self._took_code:
            self._offer.state = OfferState.BURNED

    def cut(self) -> ProtocolError | None:
        """What it means that the stream has ended here, where it means more than that."""
        if self._steps[0] in self._one_try:
            return WrongCode(
                "the code was wrong, or the connection was cut: a code is good for one try"
            )
        waits_for_invitation = self.initiator and self._steps[0] in (MESSAGE_2, CONFIRMATION)
        if waits_for_invitation and self.suite.approach is Approach.LINK:
            return InvitationRefused(
                "the invitation was not taken: somebody else was quicker, or the connection was cut"
            )
        return None

    # The responder's steps.

    def on_hello(self, hello: bytes) -> None:
        _, version, code, number = _PREAMBLE.unpack(hello)
        if version != VERSION:
            self._refuse(Code.VERSION_REFUSED, 0)
            raise UnsupportedVersion(f"the peer speaks version {version}, this side {VERSION}")
        if code != Code.HELLO:
            raise ProtocolError("the peer opened with an answer; do both sides listen or connect?")
        suite = SUITES.get(number)
        if suite is None or not self._accepted.accepts(suite):
            self._refuse(Code.SUITE_REFUSED, self._accepted.first.number)
            raise UnsupportedSuite(
                f"the peer wants the suite {_describe(number)}, not accepted here"
            )
        self.suite = suite
        self._hello = self._prologue = hello
        self._steps = list(RESPONDER[suite.approach])
        if suite.approach in (Approach.MEETING, Approach.KNOWN):
            self._begin_handshake(None)

    def _refuse(self, code: Code, number: int) -> None:
        if not self._accepted.mute:
            self.refusal = _PREAMBLE.pack(MAGIC, VERSION, code, number)

    def on_lookup_id(self, lookup_id: bytes) -> None:
        assert self._accepted.links is not None
        psk = self._accepted.links.psk(lookup_id)
        if psk is None:
            self._refuse(Code.INVITATION_REFUSED, self.suite.number)
            raise InvitationRefused("the link is unknown here, used, revoked or expired")
        self._prologue += lookup_id
        self._lookup_id = lookup_id
        self._begin_handshake(psk)

    def on_code_hello(self, message: bytes) -> None:
        sid, number, share, self._commitment = _CODE_HELLO.unpack(message)
        offer = self._offer
        if number != offer.code.number:
            self._refuse(Code.INVITATION_REFUSED, self.suite.number)
            raise InvitationRefused(f"the peer has a code with the number {number}")
        try:
            self._check_offer_open()
        except InvitationRefused:
            self._refuse(Code.INVITATION_REFUSED, self.suite.number)
            raise
        self._prologue += message
        self._begin_pake(offer.code, sid)
        answer = self._hello + self._pake.share + self._own_commitment
        self._prologue += answer
        self._begin_handshake(self._finish_pake(share))
        self._out += answer

    def _check_offer_open(self) -> None:
        if self._offer.state is not OfferState.OPEN:
            raise InvitationRefused(f"the code is {self._offer.state.value}")

    @property
    def _offer(self) -> CodeOffer:
        assert self._accepted.code is not None
        return self._accepted.code

    def on_message_1(self, message: bytes) -> None:
        self.handshake.read_message(message)
        self._out += self._hello + self._message_with_certificate()

    def on_known_message_1(self, message: bytes) -> None:
        assert self._accepted.admit is not None
        if self._accepted.suites:
            self._refuse(Code.SUITE_REFUSED, self._accepted.first.number)
        payload = self._authenticate(KnownPayload, self.handshake.read_message(message))
        assert self.peer is not None
        if not self._accepted.admit(self.peer, payload.sequence):
            raise NotAdmitted("the caller is no contact, is blocked, or the call was recorded")
        self.refusal = b""
        self._out += self._hello + self._message_with_certificate()

    def on_code_message_1(self, message: bytes) -> None:
        self._check_offer_open()
        try:
            self.handshake.read_message(message)
        except ProtocolError:
            self._offer.state = OfferState.BURNED
            raise WrongCode("somebody tried a wrong code, which is burned now") from None
        self._offer.state, self._took_code = OfferState.TAKEN, True
        self._out += self._message_with_certificate()

    def on_message_3(self, message: bytes) -> None:
        self._authenticate(self._payload_model, self.handshake.read_message(message))

    def on_link_message_3(self, message: bytes) -> None:
        assert self._accepted.links is not None
        self.on_message_3(message)
        if not self._accepted.links.take(self._lookup_id):
            raise InvitationRefused("somebody else has used the link in this moment")
        self._out += self._confirmation()

    def on_code_message_3(self, message: bytes) -> None:
        self.on_message_3(message)
        self._out += self._confirmation()

    # The initiator's steps.

    def on_answer(self, answer: bytes) -> None:
        if answer == self._hello:
            return
        _, version, code, number = _PREAMBLE.unpack(answer)
        if code == Code.VERSION_REFUSED:
            raise UnsupportedVersion(f"the peer speaks version {version}, this side {VERSION}")
        if code == Code.SUITE_REFUSED:
            raise UnsupportedSuite(
                f"the peer does not accept {_describe(self.suite.number)}; "
                f"it asks for {_describe(number)}"
            )
        if code == Code.INVITATION_REFUSED:
            raise InvitationRefused("the invitation is unknown there, used, revoked or expired")
        raise ProtocolError("the peer's answer is not the echo of our opening")

    def on_share(self, message: bytes) -> None:
        share, self._commitment = message[:SHARE_LENGTH], message[SHARE_LENGTH:]
        self._prologue += self._hello + message
        self._begin_handshake(self._finish_pake(share))
        self._out += self._message_1()

    def on_message_2(self, message: bytes) -> None:
        try:
            payload = self.handshake.read_message(message)
        except ProtocolError:
            if self.suite.approach is not Approach.CODE:
                raise
            raise WrongCode("the code is wrong, or somebody is in between") from None
        self._authenticate(self._payload_model, payload)
        if self.suite.approach is Approach.KNOWN:
            self._out += self._confirmation()
        else:
            self._out += self._message_with_certificate()

    # Either side's.

    def on_confirmation(self, confirmation: bytes) -> None:
        if not hmac.compare_digest(confirmation, self._confirmation()):
            raise ProtocolError("the peer's confirmation is wrong")

    def _confirmation(self) -> bytes:
        return HASHES["SHA256"].hkdf(
            self.handshake.handshake_hash,
            self.handshake.exporter_secret,
            CONFIRMATION_LENGTH,
            b"e2ee confirmation v1",
        )

    def _message_1(self) -> bytes:
        if self.suite.approach is Approach.KNOWN:
            return self._message_with_certificate()
        return self.handshake.write_message()

    def _message_with_certificate(self) -> bytes:
        nonce = self._nonce if self.suite.approach is Approach.CODE else None
        return self.handshake.write_message(
            self._identity.handshake_payload(sequence=self._sequence, nonce=nonce)
        )

    @property
    def _payload_model(self) -> type[HandshakePayload]:
        return CodePayload if self.suite.approach is Approach.CODE else HandshakePayload

    def _authenticate(self, model: type[P], padded_payload: bytes) -> P:
        static_key = self.handshake.remote_static
        assert static_key is not None
        own_key = self._identity.device_key.public_key().public_bytes_raw()
        if hmac.compare_digest(static_key, own_key):
            raise OwnIdentity("the other end has this very identity: it is yourself")
        try:
            payload = unpad_payload(model, padded_payload)
        except MalformedMessage as error:
            raise CertificateError(f"the peer's certificate is malformed: {error}") from None
        peer = verify_payload(payload, static_key=static_key, now=self._now)
        if self._expected_peer not in (None, peer.identity_key):
            raise UnexpectedPeer(f"the peer is {peer.id}, not the one asked for", peer)
        if isinstance(payload, CodePayload) and not hmac.compare_digest(
            self._commitment, _commitment(peer.identity_key, payload.nonce)
        ):
            raise CertificateError("the peer's identity is not the one that it had committed to")
        self.peer = peer
        return payload

    # CPace, SPEC.md section 4.5.

    def _begin_pake(self, code: SpokenCode, sid: bytes) -> None:
        self._pake = CPace(
            code.password,
            initiator=self.initiator,
            ci=b"e2ee code v1\0" + self._hello + code.number.to_bytes(2),
            sid=sid,
            ad=self._own_commitment,
        )

    def _finish_pake(self, share: bytes) -> bytes:
        key = self._pake.finish(share, self._commitment)
        return HASHES["SHA256"].hkdf(b"", key, 32, b"e2ee code psk v1")

    @property
    def _own_commitment(self) -> bytes:
        return _commitment(self._identity.public_key, self._nonce)

    # Lengths of what comes next.

    def message_length(self) -> int:
        return self.handshake.next_message_length(0)

    def message_with_payload_length(self) -> int:
        return self.handshake.next_message_length(HANDSHAKE_PAYLOAD_LENGTH)


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next: how many bytes, and what is done with them."""

    length: Callable[[Opening], int]
    act: Callable[[Opening, bytes], None]


def _fixed(length: int) -> Callable[[Opening], int]:
    return lambda _: length


_MESSAGE = Opening.message_length
_MESSAGE_WITH_PAYLOAD = Opening.message_with_payload_length

HELLO = Step(_fixed(PREAMBLE_LENGTH), Opening.on_hello)
ANSWER = Step(_fixed(PREAMBLE_LENGTH), Opening.on_answer)
MESSAGE_1 = Step(_MESSAGE, Opening.on_message_1)
MESSAGE_2 = Step(_MESSAGE_WITH_PAYLOAD, Opening.on_message_2)
MESSAGE_3 = Step(_MESSAGE_WITH_PAYLOAD, Opening.on_message_3)
CONFIRMATION = Step(_fixed(CONFIRMATION_LENGTH), Opening.on_confirmation)
KNOWN_MESSAGE_1 = Step(_MESSAGE_WITH_PAYLOAD, Opening.on_known_message_1)
LOOKUP_ID = Step(_fixed(LOOKUP_ID_LENGTH), Opening.on_lookup_id)
LINK_MESSAGE_3 = Step(_MESSAGE_WITH_PAYLOAD, Opening.on_link_message_3)
CODE_HELLO = Step(_fixed(_CODE_HELLO.size), Opening.on_code_hello)
SHARE = Step(_fixed(SHARE_LENGTH + _COMMITMENT_LENGTH), Opening.on_share)
CODE_MESSAGE_1 = Step(_MESSAGE, Opening.on_code_message_1)
CODE_MESSAGE_3 = Step(_MESSAGE_WITH_PAYLOAD, Opening.on_code_message_3)

INITIATOR = {
    Approach.MEETING: (ANSWER, MESSAGE_2),
    Approach.KNOWN: (ANSWER, MESSAGE_2),
    Approach.LINK: (ANSWER, MESSAGE_2, CONFIRMATION),
    Approach.CODE: (ANSWER, SHARE, MESSAGE_2, CONFIRMATION),
}
"""What an initiator waits for."""

RESPONDER = {
    Approach.MEETING: (MESSAGE_1, MESSAGE_3),
    Approach.KNOWN: (KNOWN_MESSAGE_1, CONFIRMATION),
    Approach.LINK: (LOOKUP_ID, MESSAGE_1, LINK_MESSAGE_3),
    Approach.CODE: (CODE_HELLO, CODE_MESSAGE_1, CODE_MESSAGE_3),
}
"""What a responder waits for, after HELLO."""


def _commitment(identity_key: bytes, nonce: bytes) -> bytes:
    return HASHES["SHA256"].hash(b"e2ee code commitment v1\0" + identity_key + nonce)


def _kind(value: object) -> str:
    """Not the value: what was given in the place of something else may be a secret."""
    return type(value).__name__


def _describe(number: int) -> str:
    suite = SUITES.get(number)
    return suite.name if suite else f"number {number:#06x}"


def _check_magic(beginning: bytes) -> None:
    if MAGIC.startswith(beginning):
        return
    if beginning.startswith((b"HTTP", b"GET ", b"POST", b"HEAD")):
        what = "HTTP"
    elif beginning.startswith(b"SSH-"):
        what = "SSH"
    elif beginning[:1] in (b"\x15", b"\x16"):
        what = "TLS"
    else:
        what = "something else"
    raise NotE2EE(f"the other end does not speak e2ee, but {what}")
