"""How the second client is made to misbehave, and what the other side must say to it.

The idea is that of BoringSSL's BoGo: a whole second implementation that has, one at a time, every
bug that an implementation could have. The bugs are in ``handshake_bugs``, ``opening_bugs``,
``record_bugs`` and ``chat_bugs``, which like the client import nothing of the package. A bug takes
the place of one function of the client, for some of its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tests.second_client import client

PLACES = {
    sign + role: (suite, role == ">")
    for sign, suite in (
        ("M", 0x0001),  # meeting
        ("H", 0x0002),  # the same with ChaCha20-Poly1305
        ("X", 0x0003),  # the same without ML-KEM
        ("K", 0x0101),  # known
        ("L", 0x0201),  # link
        ("C", 0x0301),  # code
    )
    for role in "><"
}
"""A suite, and whether the client is the initiator: ``M>`` where it is, ``M<`` where it answers."""

TOLD = (
    *("opened", "first", "second", "refreshed 1", "third", "refreshed 2", "fourth"),
    *("refreshed 3", "fifth", "long", "closed"),
)
"""What the session tells of the script in ``play``, when there is no bug."""


@dataclass(frozen=True)
class Answer:
    """What the session must say.

    ``error`` -- the class and the whole text, as in the last line of a traceback; "" where the
    specification allows what the client does. ``told`` -- every event before it. ``call`` -- what
    raises it. ``sends`` -- the refusal that may still go out, in hexadecimal.
    """

    error: str
    told: tuple[str, ...] = ()
    call: str = "receive_data"
    sends: str = ""


def said(error: str, last: str = "", *, sends: str = "") -> Answer:
    """It says this to bytes, when ``last`` is the last thing that it has told."""
    return Answer(error, TOLD[: TOLD.index(last) + 1] if last else (), sends=sends)


def cut(error: str, last: str = "") -> Answer:
    """It says this when the stream ends: the client has given up, or waits for ever."""
    return Answer(error, TOLD[: TOLD.index(last) + 1] if last else (), "receive_eof")


@dataclass(frozen=True)
class Bug:
    """One way to misbehave.

    ``at`` -- the function that does: ``instead`` is called in its place, with the right one and
    the arguments. ``answers`` -- what must be said, for each of the places where it can be seen;
    a key names several of PLACES. ``when`` -- for which arguments it misbehaves; ``turn`` -- and
    for which one of these calls, counted from 1, or 0 for all.
    """

    at: str
    instead: Callable[..., Any]
    answers: dict[str, Answer]
    when: Callable[..., bool] = lambda *_, **__: True
    turn: int = 0


@contextmanager
def planted(bug: Bug) -> Iterator[list[str]]:
    """All clients have this bug; the list grows each time that they misbehave."""
    ran: list[str] = []
    turns = 0
    path, _, name = bug.at.rpartition(".")
    owner = getattr(client, path) if path else client
    right = getattr(owner, name)

    def function(*args: Any, **kwargs: Any) -> Any:
        nonlocal turns
        if bug.when(*args, **kwargs):
            turns += 1
            if bug.turn in (0, turns):
                ran.append(bug.at)
                return bug.instead(right, *args, **kwargs)
        return right(*args, **kwargs)

    with patch.object(owner, name, function):
        yield ran


# Ways to take a function's place.

Instead = Callable[..., Any]


def nothing(right: Instead, *args: Any, **kwargs: Any) -> None:
    """It is left out."""


def twice(right: Instead, *args: Any, **kwargs: Any) -> Any:
    right(*args, **kwargs)
    return right(*args, **kwargs)


def before(act: Instead) -> Instead:
    """Something is done first, with the same arguments."""

    def instead(right: Instead, *args: Any, **kwargs: Any) -> Any:
        act(*args, **kwargs)
        return right(*args, **kwargs)

    return instead


def after(act: Instead) -> Instead:
    """Something is done behind it, with the same arguments."""

    def instead(right: Instead, *args: Any, **kwargs: Any) -> Any:
        result = right(*args, **kwargs)
        act(*args, **kwargs)
        return result

    return instead


def given(change: Instead) -> Instead:
    """It gets other arguments."""
    return lambda right, *args, **kwargs: right(*change(*args, **kwargs))


def result(change: Callable[[Any], Any]) -> Instead:
    """It returns something else."""
    return lambda right, *args, **kwargs: change(right(*args, **kwargs))


# What is said.

TAG = "DecryptionError: decryption failed: the data was changed, or the keys differ"
TRUNCATED = "Truncated: the connection ended in the middle: it was cut, not closed by the peer"
NOT_TAKEN = (
    "InvitationRefused: the invitation was not taken: somebody else was quicker, or the connection "
    "was cut"
)
BURNED = "WrongCode: somebody tried a wrong code, which is burned now"
WRONG_CODE = "WrongCode: the code is wrong, or somebody is in between"
ONE_TRY = "WrongCode: the code was wrong, or the connection was cut: a code is good for one try"

KEYS_DIFFER = {
    "M> K< L<": cut(TRUNCATED),
    "K> L> M<": said(TAG),
    "C>": said(BURNED),
    "C<": cut(ONE_TRY),
}
"""From the first message on that is encrypted: who reads it notices, and that is the client where
the session has to encrypt first."""
SEALED_WRONG = {"M> K> L> M< K< L<": said(TAG), "C>": said(BURNED), "C<": said(WRONG_CODE)}
"""What the client seals first, in the handshake, does not open."""

LOW_ORDER = "InvalidPublicKey: the peer sent a public key of low order"
BAD_KEM_KEY = "InvalidPublicKey: the peer sent a malformed ML-KEM-768 public key"
CONFIRMATION = "ProtocolError: the peer's confirmation is wrong"

BAD_LENGTH = "InvalidLength: a record has at least 19 bytes"
BAD_PADDING = "MalformedMessage: a record's padding is not zero"
TOO_LARGE = "MessageTooLarge: the peer sent a message above the limit of 16777216 bytes"
NOT_A_CONTROL = "MalformedMessage: not a control message"
NOT_CANONICAL = "MalformedMessage: a message is not in its canonical form"
TOO_SHORT = "InvalidLength: this handshake message has 1248 bytes or more"
NO_ANSWER_HERE = "UnexpectedMessage: the peer sent a refresh answer that has no place here"
NO_SWITCH_HERE = "UnexpectedMessage: the peer sent a refresh switch that has no place here"
IN_A_MESSAGE = "UnexpectedMessage: the peer closed in the middle of a message"
AFTER_CLOSE = "UnexpectedMessage: bytes came after the peer's close"

NOT_E2EE = "NotE2EE: the other end does not speak e2ee, but something else"
ANSWERED = "ProtocolError: the peer opened with an answer; do both sides listen or connect?"
ECHO = "ProtocolError: the peer's answer is not the echo of our opening"
OUR_OWN = (
    "ProtocolError: these are the bytes that this side has sent; it needs those of the other side"
)
UNKNOWN_SUITE = "UnsupportedSuite: the peer wants the suite number 0x0009, not accepted here"
CLASSICAL_SUITE = (
    "UnsupportedSuite: the peer wants the suite Noise_XX_25519_AESGCM_SHA256, not accepted here"
)
UNKNOWN_HERE = "InvitationRefused: the link is unknown here, used, revoked or expired"
UNKNOWN_THERE = "InvitationRefused: the invitation is unknown there, used, revoked or expired"
NOT_ADMITTED = "NotAdmitted: the caller is no contact, is blocked, or the call was recorded"
FORGED = "CertificateError: the peer's certificate is forged: its signature is wrong"
OTHER_DEVICE = "CertificateError: the peer's certificate is for another device key"
NOT_VALID_NOW = (
    "CertificateError: the peer's certificate is expired or not yet valid; are both clocks right?"
)
NOT_COMMITTED = "CertificateError: the peer's identity is not the one that it had committed to"


def suite_refused(suite: str) -> Answer:
    """To who refuses the very suite that it asks for."""
    return said(f"UnsupportedSuite: the peer does not accept {suite}; it asks for {suite}")


def no_offer_here(role: str) -> str:
    return (
        f"UnexpectedMessage: the peer sent a refresh offer, from the session's {role} that has "
        "no place here"
    )


def spent(error: str) -> str:
    """The same, to who has called with a code: the one try is over."""
    return f"WrongCode: the one try of this code has failed: {error.partition(': ')[2]}"


def unexpected(identity: str) -> str:
    return f"UnexpectedPeer: the peer is {identity}, not the one asked for"


_MALFORMED = "CertificateError: the peer's certificate is malformed: "
PAYLOAD_PADDING = _MALFORMED + "the handshake payload's padding is not zero"
PAYLOAD_NOT_CANONICAL = _MALFORMED + "a message is not in its canonical form"
NOT_A_PAYLOAD = _MALFORMED + "not a HandshakePayload"
NOT_A_KNOWN_PAYLOAD = _MALFORMED + "not a KnownPayload"
NOT_A_CODE_PAYLOAD = _MALFORMED + "not a CodePayload"
NOT_A_CERTIFICATE = _MALFORMED + "not a Certificate"
BAD_IDENTITY = _MALFORMED + "an identity key of low order, or not in canonical form"
