"""What a conversation file keeps of a contact, beside texts. SPEC.md section 18.2."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass

from e2ee.conversation_database import ConversationDatabase
from e2ee.journal import MAX_STREAMS, STREAM_LENGTH
from e2ee.random_numbers import drawn

_HEAD = struct.Struct(f">32s{STREAM_LENGTH}sQQ")
_HEARD = struct.Struct(f">{STREAM_LENGTH}sQ")
_NONE_HEARD = (bytes(STREAM_LENGTH), 0)


@dataclass(frozen=True, slots=True)
class ContactState:
    """``first`` to ``next - 1`` are the ids of the unconfirmed texts in our ``stream``.

    ``heard`` -- streams of the peer, and the last id of each that was shown; the latest first.
    """

    identity: bytes
    stream: bytes
    first: int = 1
    next: int = 1
    heard: tuple[tuple[bytes, int], ...] = ()

    def to_bytes(self) -> bytes:
        """Of one length, whatever was heard."""
        heard = (*self.heard, *[_NONE_HEARD] * (MAX_STREAMS - len(self.heard)))
        head = _HEAD.pack(self.identity, self.stream, self.first, self.next)
        return head + b"".join(_HEARD.pack(*one) for one in heard)

    @classmethod
    def from_bytes(cls, data: bytes) -> ContactState:
        """What ``to_bytes`` gave; nothing else was ever sealed."""
        identity, stream, first, next_ = _HEAD.unpack_from(data)
        heard = ((of, up_to) for of, up_to in _HEARD.iter_unpack(data[_HEAD.size :]) if up_to)
        return cls(identity, stream, first, next_, tuple(heard))


def find(database: ConversationDatabase, identity: bytes) -> tuple[int, ContactState] | None:
    """The number of a contact in the file, and its state. Raises ConversationFileError."""
    name = database.name(identity)
    for number, sealed in database.rows("SELECT id, state FROM contacts WHERE name = ?", name):
        return number, open_state(database, name, sealed)
    return None


def open_state(database: ConversationDatabase, name: object, sealed: object) -> ContactState:
    """The state that stands beside this name in the file. Raises ConversationFileError."""
    if not isinstance(name, bytes):
        raise database.damaged()
    return ContactState.from_bytes(database.open(sealed, b"contact" + name))


def find_or_make(database: ConversationDatabase, identity: bytes) -> tuple[int, ContactState]:
    """As ``find``, with a new stream for a contact that is not there yet."""
    with database.together():
        found = find(database, identity)
        if found is None:
            state = ContactState(identity, drawn(secrets.token_bytes, STREAM_LENGTH))
            name = database.name(identity)
            sealed = database.seal(state.to_bytes(), b"contact" + name)
            database.rows("INSERT INTO contacts (name, state) VALUES (?, ?)", name, sealed)
            ((number,),) = database.rows("SELECT last_insert_rowid()")
            found = number, state
        return found


def store(database: ConversationDatabase, state: ContactState) -> None:
    """Replace the state of a contact that is there. Raises ConversationFileError."""
    name = database.name(state.identity)
    sealed = database.seal(state.to_bytes(), b"contact" + name)
    database.rows("UPDATE contacts SET state = ? WHERE name = ?", sealed, name)
