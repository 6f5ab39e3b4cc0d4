"""The suites that a session can run: a number on the wire, and the Noise protocols it means.

SPEC.md section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Approach(Enum):
    """What the two have in common when they open a session. SPEC.md section 4."""

    MEETING = "meeting"
    """Nothing."""
    KNOWN = "known"
    """The initiator knows the responder's device key, the responder knows the initiator."""
    LINK = "link"
    """The secret of an invitation link."""
    CODE = "code"
    """A spoken code."""


@dataclass(frozen=True, slots=True)
class Suite:
    """``number`` stands in the preamble; ``name`` is the Noise protocol of the handshake and
    ``refresh_name`` the one of a fresh key agreement inside the session. ``approach`` is what the
    two have in common before it."""

    number: int
    name: str
    refresh_name: str
    approach: Approach = Approach.MEETING


_HYBRID_REFRESH = "Noise_NNhfs+psk0_25519+MLKEM768_AESGCM_SHA256"

HYBRID_AESGCM = Suite(0x0001, "Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256", _HYBRID_REFRESH)
"""The default of first meetings."""
HYBRID_CHACHAPOLY = Suite(
    0x0002,
    "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256",
    "Noise_NNhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256",
)
"""For machines whose processor has no AES."""
CLASSICAL_AESGCM = Suite(
    0x0003,
    "Noise_XX_25519_AESGCM_SHA256",
    "Noise_NNpsk0_25519_AESGCM_SHA256",
)
"""Without ML-KEM: who records it can read it with a quantum computer."""
KNOWN_AESGCM = Suite(
    0x0101,
    "Noise_IKhfs_25519+MLKEM768_AESGCM_SHA256",
    _HYBRID_REFRESH,
    Approach.KNOWN,
)
"""Of calls to a contact's device."""
LINK_AESGCM = Suite(
    0x0201,
    "Noise_XXhfs+psk0_25519+MLKEM768_AESGCM_SHA256",
    _HYBRID_REFRESH,
    Approach.LINK,
)
"""Of who joins by a link."""
CODE_AESGCM = Suite(
    0x0301,
    "Noise_XXhfs+psk0_25519+MLKEM768_AESGCM_SHA256",
    _HYBRID_REFRESH,
    Approach.CODE,
)
"""Of who joins by a spoken code."""

MEETING_SUITES = (HYBRID_AESGCM, HYBRID_CHACHAPOLY, CLASSICAL_AESGCM)
"""Those of first meetings."""

SUITES = {
    suite.number: suite for suite in (*MEETING_SUITES, KNOWN_AESGCM, LINK_AESGCM, CODE_AESGCM)
}

DEFAULT_SUITE = HYBRID_AESGCM
"""With which a first meeting is opened."""
DEFAULT_ACCEPTED_SUITES = (HYBRID_AESGCM, HYBRID_CHACHAPOLY)
"""A responder accepts the classical suite only where its owner asks for it."""
