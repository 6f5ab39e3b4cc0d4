"""A Journal in the conversation file. SPEC.md section 18.3."""

from __future__ import annotations

import secrets
import struct
from contextlib import AbstractContextManager
from dataclasses import replace

from e2ee._uncopyable import Uncopyable
from e2ee.contact_state import ContactState, find_or_make, store
from e2ee.conversation_database import ConversationDatabase
from e2ee.errors import UsageError
from e2ee.journal import (
    MAX_STREAMS,
    STREAM_LENGTH,
    Outgoing,
    check_given,
    check_heard,
    check_next,
    encoded,
)
from e2ee.random_numbers import drawn

_TIME = struct.Struct(">d")


class FileJournal(Uncopyable):
    """A Journal, as long as its owner holds the lock of this contact's conversation.

    Each method raises ConversationFileError, and UsageError once ``closed`` is true.
    """

    def __init__(self, database: ConversationDatabase, contact_identity: bytes) -> None:
        self.closed = False
        self._database = database
        self._identity = contact_identity
        self._name = database.name(contact_identity)

    @property
    def stream(self) -> bytes:
        return self._read()[1].stream

    def next_id(self) -> int:
        return self._read()[1].next

    def add(self, text: Outgoing) -> None:
        with self.together():
            contact, state = self._read()
            check_next(text, state.next)
            self._database.rows(
                "INSERT INTO outgoing VALUES (?, ?, ?)", contact, text.id, self._seal(state, text)
            )
            store(self._database, replace(state, next=text.id + 1))

    def unconfirmed(self, after: int = 0, limit: int = 100) -> list[Outgoing]:
        contact, state = self._read()
        first = max(state.first, after + 1)
        rows = self._database.rows(
            "SELECT id, value FROM outgoing WHERE contact = ? AND id >= ? ORDER BY id LIMIT ?",
            contact,
            first,
            limit,
        )
        expected = range(first, min(first + limit, state.next))
        if [id_ for id_, _ in rows] != list(expected):
            raise self._database.damaged()
        return [self._open(state, id_, sealed) for id_, sealed in rows]

    def count_unconfirmed(self) -> int:
        _, state = self._read()
        return state.next - state.first

    def confirm(self, up_to: int) -> None:
        with self.together():
            contact, state = self._read()
            check_given(up_to, state.next)
            if up_to < state.first:
                return
            self._database.rows(
                "DELETE FROM outgoing WHERE contact = ? AND id <= ?", contact, up_to
            )
            store(self._database, replace(state, first=up_to + 1))

    def first_kept(self) -> int:
        return self._read()[1].first

    def heard(self, stream: bytes) -> int:
        return dict(self._read()[1].heard).get(stream, 0)

    def hear(self, stream: bytes, up_to: int) -> None:
        check_heard(stream, up_to)
        with self.together():
            _, state = self._read()
            before = dict(state.heard).get(stream, 0)
            others = tuple(one for one in state.heard if one[0] != stream)
            heard = ((stream, max(up_to, before)), *others)[:MAX_STREAMS]
            store(self._database, replace(state, heard=heard))

    def restart(self) -> None:
        with self.together():
            contact, old = self._read()
            count = old.next - old.first
            new = replace(
                old, stream=drawn(secrets.token_bytes, STREAM_LENGTH), first=1, next=count + 1
            )
            for id_ in range(1, count + 1):
                # One by one: there may be more than memory holds. No id is taken by a later text.
                (text,) = self.unconfirmed(after=old.first + id_ - 2, limit=1)
                self._database.rows(
                    "UPDATE outgoing SET id = ?, value = ? WHERE contact = ? AND id = ?",
                    id_,
                    self._seal(new, replace(text, id=id_)),
                    contact,
                    text.id,
                )
            store(self._database, new)

    def together(self) -> AbstractContextManager[None]:
        return self._database.together()

    def _read(self) -> tuple[int, ContactState]:
        if self.closed:
            raise UsageError("this conversation is closed")
        return find_or_make(self._database, self._identity)

    def _place(self, state: ContactState, id_: int) -> bytes:
        return b"outgoing" + self._name + state.stream + id_.to_bytes(8)

    def _seal(self, state: ContactState, text: Outgoing) -> bytes:
        value = _TIME.pack(text.at) + encoded(text.body)
        return self._database.seal(value, self._place(state, text.id))

    def _open(self, state: ContactState, id_: int, sealed: object) -> Outgoing:
        value = self._database.open(sealed, self._place(state, id_))
        return Outgoing(id_, value[_TIME.size :].decode(), *_TIME.unpack_from(value))
