"""Locking a secret with a passphrase: Argon2id, then AES-256-GCM. SPEC.md section 8.2."""

from __future__ import annotations

import base64
import re
import secrets
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from e2ee.errors import InvalidPassphrase
from e2ee.random_numbers import drawn

MEMORY, PASSES, LANES = 65_536, 3, 4
"""KiB, passes and lanes: the second recommendation of RFC 9106, section 4."""

MAX_MEMORY = 262_144
"""KiB that a file may make its reader take: no file takes all memory."""

MAX_PASSES = 16
"""Passes over that memory that a file may ask for: no file takes more than seconds."""

MAX_LANES = 16
"""Lanes that a file may ask for: each is a thread."""

MAX_PASSPHRASE_LENGTH = 1024
"""Bytes of UTF-8 in a passphrase: any sentence fits."""

SALT_LENGTH = 16
_NONCE = bytes(12)
"""Each key is used once: every locking has a salt of its own."""

_FORM = re.compile(
    r"argon2id ([1-9][0-9]{0,6}) ([1-9][0-9]?) ([1-9][0-9]?)\nsalt (.{24})\nsealed (.+)\n"
)


class NotLocked(Exception):
    """A text is not in the form that ``lock`` gives."""


class WrongKey(Exception):
    """The passphrase is another, or the text was changed."""


def lock(secret: bytes, passphrase: str, header: str) -> str:
    """Three lines that only this passphrase opens, behind this header.

    Raises InvalidPassphrase, and MemoryError where the system has not ``MEMORY`` to give.
    """
    salt = drawn(secrets.token_bytes, SALT_LENGTH)
    begin = f"argon2id {MEMORY} {PASSES} {LANES}\nsalt {base64.urlsafe_b64encode(salt).decode()}\n"
    key = _key(passphrase, salt, MEMORY, PASSES, LANES)
    sealed = AESGCM(key).encrypt(_NONCE, secret, (header + begin).encode())
    return f"{begin}sealed {base64.urlsafe_b64encode(sealed).decode()}\n"


def unlock(text: str, passphrase: str, header: str) -> bytes:
    """The secret. Raises NotLocked, WrongKey, InvalidPassphrase, MemoryError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise NotLocked
    memory, passes, lanes = map(int, match.group(1, 2, 3))
    if not (8 * lanes <= memory <= MAX_MEMORY and passes <= MAX_PASSES and lanes <= MAX_LANES):
        raise NotLocked
    try:
        salt, sealed = map(base64.urlsafe_b64decode, match.group(4, 5))
    except ValueError:
        raise NotLocked from None
    if base64.urlsafe_b64encode(salt).decode() != match[4] or (
        base64.urlsafe_b64encode(sealed).decode() != match[5]
    ):
        raise NotLocked
    begin = text[: match.start(5) - len("sealed ")]
    key = _key(passphrase, salt, memory, passes, lanes)
    try:
        return AESGCM(key).decrypt(_NONCE, sealed, (header + begin).encode())
    except InvalidTag:
        raise WrongKey from None


def _key(passphrase: str, salt: bytes, memory: int, passes: int, lanes: int) -> bytes:
    """The same for every way in which a keyboard composes its characters."""
    if not isinstance(passphrase, str):
        raise InvalidPassphrase("a passphrase is text")
    try:
        data = unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise InvalidPassphrase("a passphrase is text that has an encoding") from None
    if not 1 <= len(data) <= MAX_PASSPHRASE_LENGTH:
        raise InvalidPassphrase(f"a passphrase has 1 to {MAX_PASSPHRASE_LENGTH} bytes")
    kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory)
    return kdf.derive(data)
