"""The contact book on disk, encrypted for its owner. SPEC.md section 17.

Who knows whom is private, so the key comes from the identity. Several programs may write at once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from e2ee._bare_errors import bare_errors
from e2ee._uncopyable import Uncopyable
from e2ee.contacts import ContactBook
from e2ee.errors import ContactFileBusy, ContactFileError
from e2ee.identity import Identity, check_identity
from e2ee.private_file import alone, as_path, read_private, write_private
from e2ee.random_numbers import drawn

__all__ = ["ContactFile"]

HEADER = b"e2ee contacts, version 1\n"
SALT_LENGTH = 32
PADDED_TO = 4096
"""Bytes; the plaintext is a multiple of it, so that the size tells little."""

MAX_SIZE = 32 * 1024 * 1024
"""Bytes of the contact file: 10,000 contacts of 3 KiB each fit."""

_KEY_LABEL = b"e2ee contact file v1"
_NONCE = bytes(12)
"""Each key is used once: every writing has a salt of its own."""

_LENGTH_PREFIX = 4


class ContactFile(Uncopyable):
    """A ContactStore in a file that only this identity can read."""

    def __init__(self, path: str | os.PathLike[str], identity: Identity) -> None:
        """A file that does not exist is an empty book.

        Raises ContactFileError for no path, UsageError for nobody's identity.
        """
        check_identity(identity)
        self._path = as_path(path, ContactFileError)
        self._identity = identity

    @bare_errors
    def read(self) -> ContactBook:
        """Raises ContactFileError, and leaves the file as it is."""
        if self._is_missing():
            return ContactBook()
        data = read_private(self._path, MAX_SIZE, ContactFileError)
        if not data.startswith(HEADER):
            raise ContactFileError(
                f"{self._path} is no contact file of a version that this program knows; restore a "
                "backup of it, or move it away to begin with no contacts"
            )
        salt, sealed = data[len(HEADER) :][:SALT_LENGTH], data[len(HEADER) + SALT_LENGTH :]
        try:
            plaintext = self._cipher(salt).decrypt(_NONCE, sealed, HEADER)
            length = int.from_bytes(plaintext[:_LENGTH_PREFIX])
            return ContactBook.from_bytes(plaintext[_LENGTH_PREFIX : _LENGTH_PREFIX + length])
        except (InvalidTag, ContactFileError):
            raise ContactFileError(
                f"{self._path} is damaged or another identity's; restore a backup of it, or move "
                "it away to begin with no contacts"
            ) from None

    @contextlib.contextmanager
    def update(self) -> Iterator[ContactBook]:
        """Read, change, write, with no other update in between.

        Raises ContactFileBusy where another holds the lock in this moment: it takes some
        milliseconds, so try again. Raises ContactFileError; the old file is left then.
        """
        with alone(self._path, error=ContactFileError, busy=ContactFileBusy):
            book = self.read()
            yield book
            data = book.to_bytes()
            plaintext = len(data).to_bytes(_LENGTH_PREFIX) + data
            plaintext += bytes(-len(plaintext) % PADDED_TO)
            salt = drawn(secrets.token_bytes, SALT_LENGTH)
            sealed = self._cipher(salt).encrypt(_NONCE, plaintext, HEADER)
            if len(HEADER) + SALT_LENGTH + len(sealed) > MAX_SIZE:
                raise ContactFileError(f"the contacts are too large for {self._path}; remove some")
            write_private(self._path, HEADER + salt + sealed, replace=True, error=ContactFileError)

    def _is_missing(self) -> bool:
        """Not so where the system does not say: nobody's contacts are taken for none."""
        try:
            os.lstat(self._path)
        except FileNotFoundError:
            return True
        except OSError:
            pass
        return False

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(self._identity.derive(_KEY_LABEL, salt))
