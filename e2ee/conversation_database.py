"""The SQLite file of the conversations: opened, its values sealed, its errors told.

Whoever has the file without the identity reads nothing in it, and exchanges nothing unnoticed.
SPEC.md section 18.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from e2ee._uncopyable import Uncopyable, this_process
from e2ee.errors import ConversationBusy, ConversationFileError, UsageError
from e2ee.identity import Identity, check_identity
from e2ee.private_file import as_path
from e2ee.random_numbers import drawn

APPLICATION_ID = int.from_bytes(b"e2ee")
VERSION = 1
SCHEMA = (
    "CREATE TABLE header (salt BLOB NOT NULL, proof BLOB NOT NULL)",
    "CREATE TABLE contacts (id INTEGER PRIMARY KEY, name BLOB UNIQUE, state BLOB NOT NULL)",
    """CREATE TABLE outgoing (contact INTEGER NOT NULL, id INTEGER NOT NULL, value BLOB NOT NULL,
PRIMARY KEY (contact, id)) WITHOUT ROWID""",
    "CREATE TABLE history (id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, value BLOB NOT NULL)",
)
SALT_LENGTH = 32
NONCE_LENGTH = 12
"""Random nonces repeat with a chance of 2^-33 after 2^32 values under one key: SP 800-38D."""

PATIENCE = 5.0
"""Seconds that SQLite waits for another program that writes."""

_VALUE_LABEL = b"e2ee conversation value v1"
_NAME_LABEL = b"e2ee conversation name v1"
_PROOF = b"header"

_SETTINGS = (
    ("trusted_schema=OFF", None),
    ("cell_size_check=ON", None),
    ("temp_store=MEMORY", None),
    ("secure_delete=ON", 1),
    # Not WAL, which is faster but keeps what was deleted until some later checkpoint.
    ("journal_mode=TRUNCATE", "truncate"),
    ("synchronous=FULL", None),
)
"""And what SQLite has to answer, where a refusal would be silent."""

_BEGIN = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_BEGIN_INNER = ("SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part"))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class _Opened(Uncopyable):
    connection: sqlite3.Connection
    cipher: AESGCM
    names: HMAC


class ConversationDatabase(Uncopyable):
    """Opened when it is first used. One thread at a time may use it."""

    def __init__(self, path: str | os.PathLike[str], identity: Identity) -> None:
        """Raises ConversationFileError for no path, UsageError for nobody's identity."""
        check_identity(identity)
        self.path: Path = as_path(path, ConversationFileError)
        self._identity = identity
        self._opened: _Opened | None = None
        self._process = this_process()

    def is_missing(self) -> bool:
        """Not so where the system does not say: nobody's texts are taken for none."""
        try:
            os.lstat(self.path)
        except FileNotFoundError:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """It may be used again, and is opened again then.

        Raises UsageError within ``together``.
        """
        # What is open belongs to the parent of a forked child, and SQLite would end its work.
        if self._opened is not None and self._process is this_process():
            if self._opened.connection.in_transaction:
                raise UsageError("what is done together is not done yet: close the file after it")
            self._opened.connection.close()
            self._opened = None

    def rows(self, sql: str, *values: object) -> list[Any]:
        """All rows of one statement. Raises ConversationFileError."""
        return self._run(self._use().connection, sql, values)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """All or nothing; on disk at the end. No other program writes in between. May be nested.

        Raises ConversationFileError.
        """
        connection = self._use().connection
        begin, keep, undo = _BEGIN_INNER if connection.in_transaction else _BEGIN
        self.rows(begin)
        try:
            yield
            self.rows(keep)
        except BaseException:
            # After some errors SQLite has done it already.
            with contextlib.suppress(ConversationFileError, UsageError):
                for step in undo:
                    self.rows(step)
            raise

    def name(self, contact_identity: bytes) -> bytes:
        """How a contact is called in the file: 32 bytes. Raises UsageError."""
        if not isinstance(contact_identity, bytes) or len(contact_identity) != 32:
            raise UsageError("the identity of a contact has 32 bytes")
        name = self._use().names.copy()
        name.update(contact_identity)
        return name.finalize()

    def seal(self, value: bytes, place: bytes) -> bytes:
        """The value such as only ``open`` with the same place opens it."""
        nonce = drawn(secrets.token_bytes, NONCE_LENGTH)
        return nonce + self._use().cipher.encrypt(nonce, value, place)

    def open(self, sealed: object, place: bytes) -> bytes:
        """Raises ConversationFileError for anything that was not sealed for this place."""
        return self._unsealed(self._use().cipher, sealed, place)

    def damaged(self) -> ConversationFileError:
        """The error for what cannot be in a whole file."""
        return ConversationFileError(
            f"{self.path} is damaged or another identity's; restore a backup of it, or move it "
            "away to begin with no texts"
        )

    def _use(self) -> _Opened:
        if self._process is not this_process():
            raise UsageError("a conversation file is of one process: a forked child makes its own")
        if self._opened is None:
            self._check_private()
            try:
                connection = sqlite3.connect(
                    # Never made here: it would be readable by others.
                    f"{self.path.absolute().as_uri()}?mode=rw",
                    uri=True,
                    timeout=PATIENCE,
                    isolation_level=None,
                    check_same_thread=False,
                )
            except sqlite3.Error as error:
                raise self._told(error) from None
            try:
                self._opened = self._checked(connection)
            except BaseException:
                connection.close()
                raise
        return self._opened

    def _check_private(self) -> None:
        """Make the file, where there is none; an empty one is a database without tables.

        Raises ConversationFileError.
        """
        try:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
                return
            # Not opened: closing it would take SQLite's locks from this whole process.
            status = os.stat(self.path)
        except OSError as error:
            raise ConversationFileError(f"{self.path} cannot be opened: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):
            raise ConversationFileError(f"{self.path} is not a regular file")
        if os.name == "posix" and status.st_mode & 0o077:
            raise ConversationFileError(
                f"{self.path} can be read or changed by others; run: chmod 600 {self.path}"
            )

    def _checked(self, connection: sqlite3.Connection) -> _Opened:
        for setting, wanted in _SETTINGS:
            answer = self._run(connection, f"PRAGMA {setting}")
            if wanted is not None and answer != [(wanted,)]:
                raise ConversationFileError(
                    f"this SQLite ({sqlite3.sqlite_version}) refuses {setting} for {self.path}; "
                    "install a newer one"
                )
        if self._is_empty(connection):
            self._make(connection)
        if self._run(connection, "PRAGMA application_id") != [(APPLICATION_ID,)]:
            raise ConversationFileError(
                f"{self.path} is no conversation file; restore a backup of it, or move it away to "
                "begin with no texts"
            )
        if self._run(connection, "PRAGMA user_version") != [(VERSION,)]:
            raise ConversationFileError(
                f"{self.path} is of a version that this program does not know; use the program "
                "that wrote it, or move it away to begin with no texts"
            )
        schema = self._run(connection, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        if schema != [(sql,) for sql in SCHEMA]:
            raise self.damaged()
        # A row that has got lost leaves no tag that fails; this finds what loses one.
        if self._run(connection, "PRAGMA integrity_check(1)") != [("ok",)]:
            raise self.damaged()
        header = self._run(connection, "SELECT salt, proof FROM header LIMIT 2")
        if len(header) != 1:
            raise self.damaged()
        salt, proof = header[0]
        if not isinstance(salt, bytes) or len(salt) != SALT_LENGTH:
            raise self.damaged()
        cipher = AESGCM(self._identity.derive(_VALUE_LABEL, salt))
        self._unsealed(cipher, proof, _PROOF)
        names = HMAC(self._identity.derive(_NAME_LABEL, salt), SHA256())
        return _Opened(connection, cipher, names)

    def _make(self, connection: sqlite3.Connection) -> None:
        salt, nonce = (
            drawn(secrets.token_bytes, SALT_LENGTH),
            drawn(secrets.token_bytes, NONCE_LENGTH),
        )
        cipher = AESGCM(self._identity.derive(_VALUE_LABEL, salt))
        proof = nonce + cipher.encrypt(nonce, b"", _PROOF)
        self._run(connection, "BEGIN IMMEDIATE")
        if self._is_empty(connection):
            for statement in SCHEMA:
                self._run(connection, statement)
            self._run(connection, "INSERT INTO header VALUES (?, ?)", (salt, proof))
            self._run(connection, f"PRAGMA application_id={APPLICATION_ID}")
            self._run(connection, f"PRAGMA user_version={VERSION}")
        self._run(connection, "COMMIT")

    def _is_empty(self, connection: sqlite3.Connection) -> bool:
        # Asked first: it rolls back what another program was killed in. SQLite itself takes one
        # that is cut short for empty.
        no_tables = self._run(connection, "PRAGMA schema_version") == [(0,)]
        return no_tables and os.path.getsize(self.path) == 0

    def _unsealed(self, cipher: AESGCM, sealed: object, place: bytes) -> bytes:
        if not isinstance(sealed, bytes):
            raise self.damaged()
        try:
            return cipher.decrypt(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:], place)
        except (InvalidTag, ValueError):
            raise self.damaged() from None

    def _run(
        self, connection: sqlite3.Connection, sql: str, values: Iterable[object] = ()
    ) -> list[Any]:
        try:
            return connection.execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise self._told(error) from None
        except UnicodeDecodeError:  # Of an error's own text, which has a name out of the file.
            raise self.damaged() from None

    def _told(self, error: sqlite3.Error) -> ConversationFileError:
        path = self.path
        # The low byte; what stands above it tells more than a person needs.
        match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return ConversationBusy(
                    f"another program has kept {path} locked for {PATIENCE:g} seconds; is an e2ee "
                    "stopped in some terminal?"
                )
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
                return ConversationFileError(
                    f"{path} cannot be written; make it and its folder writable"
                )
            case sqlite3.SQLITE_CANTOPEN:
                return ConversationFileError(
                    f"{path} or a file beside it cannot be opened; look at its folder"
                )
            case sqlite3.SQLITE_FULL:
                return ConversationFileError(
                    f"{path} cannot be written: the disk is full; make room on it"
                )
            case sqlite3.SQLITE_IOERR:
                return ConversationFileError(
                    f"{path} cannot be read or written: the disk fails, or its limits are reached"
                )
            case _:
                return self.damaged()
