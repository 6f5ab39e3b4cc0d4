"""The conversations of an identity on disk: what must not be forgotten, and, for who wants it, what
was said. SPEC.md section 18.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from e2ee._uncopyable import Uncopyable
from e2ee.contact_state import find, find_or_make, open_state
from e2ee.conversation_database import ConversationDatabase
from e2ee.errors import ConversationBusy, ConversationFileError, UsageError
from e2ee.file_journal import FileJournal
from e2ee.identity import Identity
from e2ee.journal import Journal, check_time, encoded
from e2ee.private_file import alone

Direction = Literal["in", "out"]

_DIRECTIONS: tuple[Direction, ...] = ("in", "out")
_HEAD = struct.Struct(">BdH")
MAX_MESSAGE_LENGTH = 2**16 - 1
"""Bytes of UTF-8 in the name of a message in the history: two bytes hold its length."""

_FIRST_ROW = -(2**63)
_BATCH = 100
"""Rows of history that are in memory at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A text that was kept. ``contact`` -- their identity key, 32 bytes. ``direction`` -- "in" for
    theirs, "out" for ours. ``at`` -- seconds since 1970. ``message`` -- what its keeper called it.
    """

    contact: bytes
    direction: Direction
    at: float
    body: str
    message: str = ""


class ConversationFile(Uncopyable):
    """Opened, and made, when it is first used: 0600, and useless without the identity.

    Each method raises ConversationFileError, for a file that is damaged, another identity's, of a
    newer version or not writable; ConversationBusy where another program keeps it locked for 5
    seconds; and UsageError for values that cannot be kept, such as an identity that has not 32
    bytes. Several programs may use the file, one thread at a time in each. A forked child makes an
    object of its own.
    """

    def __init__(self, path: str | os.PathLike[str], identity: Identity) -> None:
        """Raises ConversationFileError for no path, UsageError for nobody's identity."""
        self._database = ConversationDatabase(path, identity)

    def close(self) -> None:
        """Let go of the file; the next call opens it again.

        Raises UsageError within ``Journal.together``.
        """
        self._database.close()

    @contextlib.contextmanager
    def journal(self, contact_identity: bytes) -> Iterator[Journal]:
        """The journal of one contact, for this program alone, however that ends.

        Raises ConversationBusy where another has it.
        """
        with self._alone_with(contact_identity):
            journal = FileJournal(self._database, contact_identity)
            try:
                yield journal
            finally:
                journal.closed = True

    def forget(self, contact_identity: bytes) -> None:
        """Delete everything of this contact. Raises ConversationBusy where its journal is open."""
        if self._database.is_missing():
            return
        with self._alone_with(contact_identity), self._database.together():
            if found := find(self._database, contact_identity):
                self._database.rows("DELETE FROM outgoing WHERE contact = ?", found[0])
                self._database.rows("DELETE FROM history WHERE contact = ?", found[0])
                self._database.rows("DELETE FROM contacts WHERE id = ?", found[0])

    def remember(
        self, contact: bytes, direction: Direction, at: float, body: str, message: str = ""
    ) -> None:
        """Keep a text in the history. On disk when this returns; within ``Journal.together`` of a
        journal of this file, together with what is done there.

        ``message`` -- a name for it, of at most 65,535 bytes of UTF-8.
        """
        if direction not in _DIRECTIONS:
            raise UsageError("a direction is in or out")
        check_time(at)
        called = encoded(message)
        if len(called) > MAX_MESSAGE_LENGTH:
            raise UsageError(f"the name of a message has at most {MAX_MESSAGE_LENGTH:,} bytes")
        head = _HEAD.pack(_DIRECTIONS.index(direction), at, len(called))
        with self._database.together():
            number, _ = find_or_make(self._database, contact)
            ((id_,),) = self._database.rows("SELECT coalesce(max(id), 0) + 1 FROM history")
            place = _place(self._database.name(contact), id_)
            sealed = self._database.seal(head + called + encoded(body), place)
            self._database.rows("INSERT INTO history VALUES (?, ?, ?)", id_, number, sealed)

    def history(
        self,
        contact: bytes | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        containing: str | None = None,
    ) -> Iterator[Entry]:
        """What was kept, of one contact or of all, in the order in which it was kept.

        From ``since`` on, and before ``until``: seconds since 1970. ``containing`` -- a part of the
        text, whatever its case. Nothing in the file helps to search it: every entry is opened.
        """
        if self._database.is_missing():
            return
        wanted = None if containing is None else containing.casefold()
        name = None if contact is None else self._database.name(contact)
        for _, identity, value in self._opened(name):
            entry = _entry(identity, value)
            if (
                (since is None or entry.at >= since)
                and (until is None or entry.at < until)
                and (wanted is None or wanted in entry.body.casefold())
            ):
                yield entry

    def delete_history(self, contact: bytes | None = None, *, before: float | None = None) -> int:
        """Delete what was kept, of one contact or of all, before a time in seconds since 1970 or
        of any time; how many entries it was. Nothing of them is left in the file.
        """
        if self._database.is_missing():
            return 0
        name = None if contact is None else self._database.name(contact)
        with self._database.together():
            if before is None:
                # Without opening them, so that damage is in nobody's way.
                self._database.rows(
                    "DELETE FROM history WHERE ? IS NULL OR contact = "
                    "(SELECT id FROM contacts WHERE name = ?)",
                    name,
                    name,
                )
                ((count,),) = self._database.rows("SELECT changes()")
                return int(count)
            count = 0
            for id_, _, value in self._opened(name):
                if _HEAD.unpack_from(value)[1] < before:
                    self._database.rows("DELETE FROM history WHERE id = ?", id_)
                    count += 1
            return count

    @contextlib.contextmanager
    def _alone_with(self, contact_identity: bytes) -> Iterator[None]:
        path = self._database.path
        # It is left behind: whoever deleted it might take it from under another's lock.
        lock = path.with_name(f"{path.name}.{self._database.name(contact_identity)[:8].hex()}")
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(alone(lock, error=ConversationFileError, busy=ConversationBusy))
            except ConversationBusy:
                raise ConversationBusy(
                    "another program of yours has the conversation with this contact open; go on "
                    "there"
                ) from None
            yield

    def _opened(self, wanted: bytes | None) -> Iterator[tuple[int, bytes, bytes]]:
        """Number, identity of the contact and value of each entry; ``wanted`` -- the name of a
        contact in the file.

        No lock is held while the caller does something with one.
        """
        identities: dict[bytes, bytes] = {}
        last = _FIRST_ROW
        while rows := self._database.rows(
            "SELECT history.id, name, state, value FROM history "
            "LEFT JOIN contacts ON contacts.id = contact "
            "WHERE history.id > ? AND (? IS NULL OR name = ?) ORDER BY history.id LIMIT ?",
            last,
            wanted,
            wanted,
            _BATCH,
        ):
            for last, name, state, sealed in rows:
                if last < 1:
                    raise self._database.damaged()
                if name not in identities:
                    identities[name] = open_state(self._database, name, state).identity
                yield last, identities[name], self._database.open(sealed, _place(name, last))


def _place(name: bytes, id_: int) -> bytes:
    return b"history" + name + id_.to_bytes(8)


def _entry(contact: bytes, value: bytes) -> Entry:
    direction, at, length = _HEAD.unpack_from(value)
    message, body = value[_HEAD.size :][:length], value[_HEAD.size + length :]
    return Entry(contact, _DIRECTIONS[direction], at, body.decode(), message.decode())
