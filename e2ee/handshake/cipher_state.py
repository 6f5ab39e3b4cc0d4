"""CipherState: one key, one direction, a counter. Noise revision 34, section 5.1; SPEC.md 3.1."""

from __future__ import annotations

from typing import NoReturn

from cryptography.exceptions import InvalidTag

from e2ee import _uncopyable
from e2ee._uncopyable import Uncopyable, check_process, this_process
from e2ee.errors import DecryptionError, E2EEError, InvalidLength, NonceExhausted, UsageError
from e2ee.primitives import KEY_LENGTH, TAG_LENGTH, Cipher

MAX_NONCE = 2**64 - 1
"""The highest nonce, reserved for rekey; no message is ever sent or accepted under it."""

MAX_MESSAGE_LENGTH = 65_535
"""Bytes of a Noise message; revision 34, section 3."""

MAX_PLAINTEXT_LENGTH = MAX_MESSAGE_LENGTH - TAG_LENGTH
"""65,519 bytes of plaintext in one Noise message."""


class CipherState(Uncopyable):
    """Encrypts, or decrypts, the messages of one direction in order.

    The counter moves only when a message has been dealt with, and a tag that fails is final:
    every later call raises the same DecryptionError.
    """

    __slots__ = ("_aead", "_cipher", "_error", "_nonce", "_pack_nonce", "_process")

    def __init__(self, cipher: Cipher, key: bytes) -> None:
        self._cipher = cipher
        self._aead = cipher.aead(key)
        self._pack_nonce = cipher.pack_nonce
        self._nonce = 0
        self._process = this_process()
        self._error: E2EEError | None = None

    def encrypt_with_ad(self, ad: bytes, plaintext: bytes | memoryview) -> bytes:
        """Seal at most 65,519 bytes; the result is 16 longer.

        Raises UsageError (too long, or in a forked process) or NonceExhausted, and changes
        nothing then.
        """
        nonce = self._nonce
        if (
            len(plaintext) > MAX_PLAINTEXT_LENGTH
            or nonce >= MAX_NONCE
            or self._error is not None
            or self._process is not _uncopyable._process  # noqa: SLF001 -- quicker than a call
        ):
            self._refuse_to_seal()
        ciphertext = self._aead.encrypt(self._pack_nonce(0, nonce), plaintext, ad or None)
        self._nonce = nonce + 1
        return ciphertext

    def encrypt_in_place(self, message: memoryview) -> None:
        """Seal all but the last 16 bytes of ``message``, at most 65,535, where they are.

        The last 16 become the tag. Raises UsageError or NonceExhausted, as ``encrypt_with_ad``.
        """
        nonce = self._nonce
        if (
            len(message) > MAX_MESSAGE_LENGTH
            or nonce >= MAX_NONCE
            or self._error is not None
            or self._process is not _uncopyable._process  # noqa: SLF001 -- quicker than a call
        ):
            self._refuse_to_seal()
        self._aead.encrypt_into(self._pack_nonce(0, nonce), message[:-TAG_LENGTH], None, message)
        self._nonce = nonce + 1

    def decrypt_with_ad(self, ad: bytes, ciphertext: bytes | memoryview) -> bytes:
        """Open what the other side's ``encrypt_with_ad`` sealed: 16 to 65,535 bytes.

        Raises InvalidLength or DecryptionError, both final, or NonceExhausted.
        """
        nonce = self._nonce
        if self._error is not None or nonce >= MAX_NONCE:
            self._check_usable()
        if not TAG_LENGTH <= len(ciphertext) <= MAX_MESSAGE_LENGTH:
            raise self._die(InvalidLength("a sealed message has 16 to 65,535 bytes"))
        try:
            plaintext = self._aead.decrypt(self._pack_nonce(0, nonce), ciphertext, ad or None)
        except InvalidTag:
            raise self._die(DecryptionError()) from None
        self._nonce = nonce + 1
        return plaintext

    def rekey(self) -> None:
        """Replace the key by a one-way function of itself; the counter stays where it is.

        Noise revision 34, sections 4.2 and 11.3: the first 32 bytes of 32 zeros sealed under
        the reserved nonce.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)
        sealed = self._aead.encrypt(self._pack_nonce(0, MAX_NONCE), bytes(KEY_LENGTH), None)
        self._aead = self._cipher.aead(sealed[:KEY_LENGTH])

    def forbid(self, reason: str) -> None:
        """Drop the key, and make every further use raise UsageError with this reason."""
        if self._error is None:
            self._die(UsageError(reason))

    def _refuse_to_seal(self) -> NoReturn:
        self._check_usable()
        check_process(self._process)
        raise UsageError(f"a Noise message holds at most {MAX_PLAINTEXT_LENGTH} bytes")

    def _check_usable(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._nonce >= MAX_NONCE:
            raise NonceExhausted("this key has used all its nonces")

    def _die(self, error: E2EEError) -> E2EEError:
        self._error = error
        del self._aead
        return error
