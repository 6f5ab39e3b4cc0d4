"""The suites that a session can run: a number on the wire, and the Noise protocols it means.

SPEC.md section 4.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suite:
    """``number`` stands in the preamble; ``name`` is the Noise protocol of the handshake and
    ``refresh_name`` the one of a fresh key agreement inside the session."""

    number: int
    name: str
    refresh_name: str


HYBRID_AESGCM = Suite(
    0x0001,
    "Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256",
    "Noise_NNhfs+psk0_25519+MLKEM768_AESGCM_SHA256",
)
HYBRID_CHACHAPOLY = Suite(
    0x0002,
    "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256",
    "Noise_NNhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256",
)
CLASSICAL_AESGCM = Suite(
    0x0003,
    "Noise_XX_25519_AESGCM_SHA256",
    "Noise_NNpsk0_25519_AESGCM_SHA256",
)

SUITES = {suite.number: suite for suite in (HYBRID_AESGCM, HYBRID_CHACHAPOLY, CLASSICAL_AESGCM)}

DEFAULT_SUITE = HYBRID_AESGCM
DEFAULT_ACCEPTED_SUITES = (HYBRID_AESGCM, HYBRID_CHACHAPOLY)
"""A responder accepts the classical suite only where its owner asks for it."""
