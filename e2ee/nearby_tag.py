"""A sign of who is here that only those recognise who know the id. SPEC.md section 7.8.

It is no proof: whoever knows the id can make one, and whoever sees one can repeat it for a while.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from e2ee.errors import UsageError
from e2ee.limits import MAX_KNOWN_TIME
from e2ee.primitives import HASHES
from e2ee.random_numbers import drawn

PERIOD = 900
"""Seconds for which one sign is good; then another is made, with a nonce of its own."""

TOLERANCE = 1
"""Periods, before and after the present one, whose signs are taken: two clocks may differ."""

NONCE_LENGTH = 16
TAG_LENGTH = 16
"""Bytes of each."""

_KEY_LABEL = b"e2ee nearby key v1"
_TAG_LABEL = b"e2ee nearby tag v1\0"


@dataclass(frozen=True, slots=True)
class Sign:
    """``nonce`` [16] and ``tag`` [16], as they are shown to everybody on the network."""

    nonce: bytes
    tag: bytes


def period_of(now: float) -> int:
    """The number of the period that ``now`` (seconds since 1970) is in. Raises UsageError."""
    if not 0 <= now <= MAX_KNOWN_TIME:
        raise UsageError("a time is in seconds since 1970, and not before")
    return int(now) // PERIOD


def new_sign(identity_key: bytes, now: float) -> Sign:
    """The sign of this Ed25519 public key [32] for the present period, with a fresh nonce.

    Raises UsageError for a time that is none.
    """
    nonce = drawn(secrets.token_bytes, NONCE_LENGTH)
    return Sign(nonce, _tag(_key(identity_key), nonce, period_of(now)))


class Acquaintances:
    """People whose signs can be recognised."""

    def __init__(self, identity_keys: Iterable[bytes]) -> None:
        """``identity_keys`` -- their Ed25519 public keys [32]."""
        self._keys = [(_key(identity_key), identity_key) for identity_key in identity_keys]

    def who(self, sign: Sign, now: float) -> bytes | None:
        """The identity key of whose sign this is, made in this period, the last or the next.

        None where nobody is recognised. Raises UsageError for a time that is none.
        """
        present = period_of(now)
        periods = range(max(0, present - TOLERANCE), present + TOLERANCE + 1)
        for key, identity_key in self._keys:
            for period in periods:
                if hmac.compare_digest(_tag(key, sign.nonce, period), sign.tag):
                    return identity_key
        return None


def _key(identity_key: bytes) -> bytes:
    return HASHES["SHA256"].hkdf(b"", identity_key, 32, _KEY_LABEL)


def _tag(key: bytes, nonce: bytes, period: int) -> bytes:
    return HASHES["SHA256"].hmac(key, _TAG_LABEL + nonce + period.to_bytes(8))[:TAG_LENGTH]
