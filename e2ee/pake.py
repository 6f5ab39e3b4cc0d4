"""CPace: two who share a short code agree on a strong key. SPEC.md section 7.5.

The suite CPACE-X25519-SHA512 of draft-irtf-cfrg-cpace-21, in its initiator-responder mode. Every
scalar multiplication is ``cryptography``'s; only the map to the curve is written here.
"""

from __future__ import annotations

import hmac
import secrets
import warnings

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee._uncopyable import Uncopyable, check_process, this_process
from e2ee.errors import InvalidPublicKey, UsageError
from e2ee.handshake import KnownAnswerWarning
from e2ee.primitives import DHS, HASHES
from e2ee.random_numbers import drawn

SHARE_LENGTH = 32
"""Bytes of a public share."""

_DSI = b"CPace255"
_HASH = HASHES["SHA512"]
_HASH_BLOCK = 128
_P = 2**255 - 19
_A = 486_662


def prepend_len(data: bytes) -> bytes:
    """The data behind its length in LEB128."""
    length, prefix = len(data), bytearray()
    while length > 127:
        prefix.append(length & 127 | 128)
        length >>= 7
    return bytes([*prefix, length]) + data


def lv_cat(*parts: bytes) -> bytes:
    """Each part behind its length, joined."""
    return b"".join(map(prepend_len, parts))


def generator_string(password: bytes, ci: bytes, sid: bytes) -> bytes:
    """What is hashed to the generator: zeros fill the hash's first block after the password."""
    used = len(prepend_len(password)) + len(prepend_len(_DSI))
    padding = bytes(max(0, _HASH_BLOCK - 1 - used))
    return lv_cat(_DSI, password, padding, ci, sid)


def elligator2(field_element: bytes) -> bytes:
    """Map 32 bytes to the u-coordinate, 32 bytes, of a point of Curve25519 (non-square Z = 2)."""
    r = int.from_bytes(field_element, "little") & (2**255 - 1)
    # How long Python's integers take depends on their values, and who chooses the sid may measure
    # as often as he likes. So the long operations get values, and give results, that are random.
    factor, root = 1 + drawn(secrets.randbelow, _P - 1), 1 + drawn(secrets.randbelow, _P - 1)
    flip = drawn(secrets.randbits, 1)
    v = -_A * factor * pow((1 + 2 * r * r) * factor % _P, -1, _P) % _P
    # Times a square the Legendre symbol stays, times two as well it changes. It is 1 or -1, which
    # is odd or even as an integer below p.
    blinded = (v * v * v + _A * v * v + v) * (root * root << flip) % _P
    symbol = pow(blinded, (_P - 1) // 2, _P)
    return ((-v - _A) % _P, v)[symbol & 1 ^ flip].to_bytes(32, "little")


class CPace(Uncopyable):
    """One side of one run. Send ``share`` and the ``ad``; ``finish`` with the peer's.

    ``password`` -- the code. ``ci`` -- the channel identifier, and ``sid`` -- the session id, that
    both sides agree on. ``ad`` -- associated data, sent beside the share. ``scalar`` (32 bytes)
    fixes the private scalar, for known-answer tests only, and warns with KnownAnswerWarning.
    """

    __slots__ = ("_ad", "_initiator", "_process", "_scalar", "_sid", "share")

    def __init__(
        self,
        password: bytes,
        *,
        initiator: bool,
        ci: bytes,
        sid: bytes,
        ad: bytes,
        scalar: bytes | None = None,
    ) -> None:
        if scalar is not None:
            warnings.warn("the scalar is fixed", KnownAnswerWarning, stacklevel=2)
        self._process = this_process()
        self._initiator, self._sid, self._ad = initiator, sid, ad
        self._scalar: X25519PrivateKey | None = (
            drawn(X25519PrivateKey.generate)
            if scalar is None
            else X25519PrivateKey.from_private_bytes(scalar)
        )
        element = _HASH.hash(generator_string(password, ci, sid))[:32]
        self.share = _multiply(self._scalar, elligator2(element))
        """This side's public share, 32 bytes."""

    def finish(self, peer_share: bytes, peer_ad: bytes) -> bytes:
        """The intermediate session key, 64 bytes; once only.

        It is the peer's too only if both had one password, ci and sid, and saw each other's share
        and ad. Raises InvalidPublicKey for a share of low order, of another length, or our own.
        """
        check_process(self._process)
        if self._scalar is None:
            raise UsageError("a run of CPace finishes once")
        scalar, self._scalar = self._scalar, None
        if len(peer_share) != SHARE_LENGTH:
            raise InvalidPublicKey(f"a share has {SHARE_LENGTH} bytes")
        if hmac.compare_digest(peer_share, self.share):
            raise InvalidPublicKey("the peer sent our own share back")
        secret = _multiply(scalar, peer_share)
        sent, received = lv_cat(self.share, self._ad), lv_cat(peer_share, peer_ad)
        transcript = sent + received if self._initiator else received + sent
        return _HASH.hash(lv_cat(_DSI + b"_ISK", self._sid, secret) + transcript)


def _multiply(scalar: X25519PrivateKey, point: bytes) -> bytes:
    x25519 = DHS["25519"]
    return x25519.exchange(scalar, x25519.load_public(point))
