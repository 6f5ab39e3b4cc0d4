"""A fresh key agreement inside a running session: three control messages, one table.

SPEC.md section 9.7. The Noise handshake NN with psk0 (and hfs, in a hybrid suite) is run again;
its psk comes from the epoch before, and its prologue is that epoch's handshake hash.
"""

from __future__ import annotations

from enum import Enum

from e2ee._uncopyable import Uncopyable
from e2ee.errors import UnexpectedMessage
from e2ee.handshake import CipherState, Handshake
from e2ee.primitives import HASHES
from e2ee.suites import Suite

PROLOGUE_LABEL = b"e2ee refresh v1\0"
PSK_LABEL = b"e2ee refresh psk v1"


class RefreshState(Enum):
    IDLE = "idle"
    OFFERED = "offered"
    CROSSED = "crossed"
    """Our offer stands, and we have ignored one from the other side."""
    ANSWERED = "answered"


class RefreshInput(Enum):
    OFFER_FROM_INITIATOR = "offer, from the session's initiator"
    OFFER_FROM_RESPONDER = "offer, from the session's responder"
    ANSWER = "answer"
    SWITCH = "switch"


class RefreshAction(Enum):
    ANSWER = "answer it, drop an offer of our own"
    IGNORE = "ignore it, ours stands"
    SWITCH = "send switch, take both new keys"
    FINISH = "take the new receiving key"


TABLE: dict[tuple[RefreshState, RefreshInput], tuple[RefreshAction, RefreshState]] = {
    (RefreshState.IDLE, RefreshInput.OFFER_FROM_INITIATOR): (
        RefreshAction.ANSWER,
        RefreshState.ANSWERED,
    ),
    (RefreshState.IDLE, RefreshInput.OFFER_FROM_RESPONDER): (
        RefreshAction.ANSWER,
        RefreshState.ANSWERED,
    ),
    (RefreshState.OFFERED, RefreshInput.OFFER_FROM_INITIATOR): (
        RefreshAction.ANSWER,
        RefreshState.ANSWERED,
    ),
    (RefreshState.OFFERED, RefreshInput.OFFER_FROM_RESPONDER): (
        RefreshAction.IGNORE,
        RefreshState.CROSSED,
    ),
    (RefreshState.OFFERED, RefreshInput.ANSWER): (RefreshAction.SWITCH, RefreshState.IDLE),
    (RefreshState.CROSSED, RefreshInput.ANSWER): (RefreshAction.SWITCH, RefreshState.IDLE),
    (RefreshState.ANSWERED, RefreshInput.SWITCH): (RefreshAction.FINISH, RefreshState.IDLE),
}
"""A pair that is not here is a breach of protocol."""


class Refresh(Uncopyable):
    """Where this side stands in a refresh, and the secret that the next one starts from."""

    __slots__ = ("_handshake", "_prologue", "_psk", "_receive", "_suite", "state")

    def __init__(self, suite: Suite, handshake: Handshake) -> None:
        self._suite = suite
        self.state = RefreshState.IDLE
        self._handshake: Handshake | None = None
        self._receive: CipherState | None = None
        self._begin_epoch(handshake)

    def _begin_epoch(self, handshake: Handshake) -> None:
        epoch_hash = handshake.handshake_hash
        self._prologue = PROLOGUE_LABEL + epoch_hash
        self._psk = HASHES["SHA256"].hkdf(epoch_hash, handshake.exporter_secret, 32, PSK_LABEL)

    def on(self, event: RefreshInput) -> RefreshAction:
        """Make the table's transition. Raises UnexpectedMessage where it has none."""
        try:
            action, self.state = TABLE[self.state, event]
        except KeyError:
            raise UnexpectedMessage(
                f"the peer sent a refresh {event.value} that has no place here"
            ) from None
        return action

    def _new_handshake(self, *, initiator: bool) -> Handshake:
        return Handshake(
            self._suite.refresh_name,
            initiator=initiator,
            prologue=self._prologue,
            psks=[self._psk],
        )

    def offer(self) -> bytes:
        """Begin: the Noise message of a refresh_offer. Only while IDLE."""
        self._handshake = self._new_handshake(initiator=True)
        self.state = RefreshState.OFFERED
        return self._handshake.write_message()

    def answer(self, offered: bytes) -> tuple[bytes, CipherState]:
        """The Noise message of our refresh_answer, and the key to send with right after it.

        Raises the handshake's ProtocolErrors.
        """
        handshake = self._new_handshake(initiator=False)
        _read_empty(handshake, offered)
        message = handshake.write_message()
        send, self._receive = handshake.split()
        self._handshake = None
        self._begin_epoch(handshake)
        return message, send

    def take_answer(self, answered: bytes) -> tuple[CipherState, CipherState]:
        """Read the peer's answer to our offer; both new keys, (send, receive)."""
        assert self._handshake is not None
        _read_empty(self._handshake, answered)
        self._begin_epoch(self._handshake)
        keys = self._handshake.split()
        self._handshake = None
        return keys

    def take_switch(self) -> CipherState:
        """The key to receive with after the peer's refresh_switch."""
        assert self._receive is not None
        receive, self._receive = self._receive, None
        return receive


def _read_empty(handshake: Handshake, message: bytes) -> None:
    if handshake.read_message(message):
        raise UnexpectedMessage("a refresh message carries no payload")
