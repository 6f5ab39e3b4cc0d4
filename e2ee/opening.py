"""The opening of a session: preamble, then the Noise handshake. SPEC.md section 4.

    initiator                                   responder
    hello (8), message 1                 ->
                                         <-     answer (8), message 2
    message 3                            ->

A preamble is magic "e2ee" (4), version (1), code (1), suite (2), all big-endian. Each message
has one length in each suite, so none carries a length prefix.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable, Sequence
from enum import IntEnum

from e2ee._uncopyable import Uncopyable
from e2ee.certificate import Peer, unpad_payload, verify_payload
from e2ee.errors import (
    CertificateError,
    MalformedMessage,
    NotE2EE,
    OwnIdentity,
    ProtocolError,
    UnexpectedPeer,
    UnsupportedSuite,
    UnsupportedVersion,
)
from e2ee.handshake import Handshake
from e2ee.identity import Identity
from e2ee.limits import HANDSHAKE_PAYLOAD_LENGTH
from e2ee.suites import SUITES, Suite

MAGIC = b"e2ee"
VERSION = 1
_PREAMBLE = struct.Struct(">4sBBH")
PREAMBLE_LENGTH = _PREAMBLE.size


class Code(IntEnum):
    """What a preamble says. Hello and the answer that accepts it are the same eight bytes."""

    HELLO = 0
    VERSION_REFUSED = 1
    SUITE_REFUSED = 2


class Opening(Uncopyable):
    """One side of an opening: bytes in, bytes out, and at its end ``peer`` is set.

    The steps of each role stand in a tuple; a step is the number of bytes that it takes and
    what is done with them.
    """

    __slots__ = (
        "_accepted",
        "_buffer",
        "_expected_peer",
        "_hello",
        "_identity",
        "_now",
        "_out",
        "_steps",
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
        suites: Sequence[Suite],
        expected_peer: bytes | None,
        now: float | None,
    ) -> None:
        """``suites`` -- an initiator offers the first, a responder accepts any of them."""
        self._identity = identity
        self._accepted = suites
        self._expected_peer = expected_peer
        self._now = now
        self._buffer = bytearray()
        self.initiator = initiator
        self.peer: Peer | None = None
        self._out = b""
        self.refusal = b""
        """What may be sent to the peer after this side has given up."""
        self._steps: list[tuple[Callable[[], int], Callable[[bytes], None]]] = []
        if initiator:
            self._hello = _PREAMBLE.pack(MAGIC, VERSION, Code.HELLO, suites[0].number)
            self._begin_handshake(suites[0])
            self._out = self._hello + self.handshake.write_message()
            self._steps = [
                (self._preamble_length, self._on_answer),
                (self._message_with_payload_length, self._on_message_2),
            ]
        else:
            self._steps = [
                (self._preamble_length, self._on_hello),
                (self._message_length, self._on_message_1),
                (self._message_with_payload_length, self._on_message_3),
            ]

    def _begin_handshake(self, suite: Suite) -> None:
        self.suite = suite
        self.handshake = Handshake(
            suite.name,
            initiator=self.initiator,
            prologue=self._hello,
            s=self._identity.device_key,
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
            length_of, act = self._steps[0]
            missing = length_of() - len(self._buffer)
            self._buffer += data[:missing]
            data = data[missing:]
            if length_of == self._preamble_length:
                _check_magic(bytes(self._buffer[: len(MAGIC)]))
            if len(self._buffer) < length_of():
                return data
            step_bytes = bytes(self._buffer)
            self._buffer.clear()
            del self._steps[0]
            act(step_bytes)
        return data

    def _preamble_length(self) -> int:
        return PREAMBLE_LENGTH

    def _message_length(self) -> int:
        return self.handshake.next_message_length(0)

    def _message_with_payload_length(self) -> int:
        return self.handshake.next_message_length(HANDSHAKE_PAYLOAD_LENGTH)

    # The responder's steps.

    def _on_hello(self, hello: bytes) -> None:
        _, version, code, number = _PREAMBLE.unpack(hello)
        if version != VERSION:
            self.refusal = _PREAMBLE.pack(MAGIC, VERSION, Code.VERSION_REFUSED, 0)
            raise UnsupportedVersion(f"the peer speaks version {version}, this side {VERSION}")
        if code != Code.HELLO:
            raise ProtocolError("the peer opened with an answer; do both sides listen or connect?")
        suite = SUITES.get(number)
        if suite is None or suite not in self._accepted:
            self.refusal = _PREAMBLE.pack(
                MAGIC, VERSION, Code.SUITE_REFUSED, self._accepted[0].number
            )
            wanted = suite.name if suite else f"number {number:#06x}"
            raise UnsupportedSuite(f"the peer wants the suite {wanted}, not accepted here")
        self._hello = hello
        self._begin_handshake(suite)

    def _on_message_1(self, message: bytes) -> None:
        self.handshake.read_message(message)
        self._out = self._hello + self.handshake.write_message(self._identity.handshake_payload())

    def _on_message_3(self, message: bytes) -> None:
        self._authenticate(self.handshake.read_message(message))

    # The initiator's steps.

    def _on_answer(self, answer: bytes) -> None:
        if answer == self._hello:
            return
        _, version, code, number = _PREAMBLE.unpack(answer)
        if code == Code.VERSION_REFUSED:
            raise UnsupportedVersion(f"the peer speaks version {version}, this side {VERSION}")
        if code == Code.SUITE_REFUSED:
            suite = SUITES.get(number)
            wanted = suite.name if suite else f"number {number:#06x}"
            raise UnsupportedSuite(
                f"the peer does not accept {self.suite.name}; it asks for {wanted}"
            )
        raise ProtocolError("the peer's answer is not the echo of our opening")

    def _on_message_2(self, message: bytes) -> None:
        self._authenticate(self.handshake.read_message(message))
        self._out = self.handshake.write_message(self._identity.handshake_payload())

    def _authenticate(self, padded_payload: bytes) -> None:
        static_key = self.handshake.remote_static
        assert static_key is not None
        own_key = self._identity.device_key.public_key().public_bytes_raw()
        if hmac.compare_digest(static_key, own_key):
            raise OwnIdentity("the other end has this very identity: it is yourself")
        try:
            payload = unpad_payload(padded_payload)
        except MalformedMessage as error:
            raise CertificateError(f"the peer's certificate is malformed: {error}") from None
        peer = verify_payload(payload, static_key=static_key, now=self._now)
        if self._expected_peer not in (None, peer.identity_key):
            raise UnexpectedPeer(f"the peer is {peer.id}, not the one asked for")
        self.peer = peer


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
