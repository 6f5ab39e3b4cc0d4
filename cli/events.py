"""What each JSON object of ``--json`` has: one table, from which the schema and the docs are made.

An object has ``"v"``, the version of this table, and ``"event"``, which names a row; new rows and
fields may come without a new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2ee.limits import MAX_PORT

from .output import VERSION

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
PORT: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_PORT}
TIME: Schema = {"type": "integer", "minimum": 0, "description": "seconds since 1970"}
TEXTS: Schema = {"type": "array", "items": TEXT}
ID: Schema = {"type": "string", "pattern": "^e2ee1[02-9ac-hj-np-z]{58}$"}
GRADE: Schema = {"enum": ["seen", "invited", "verified"]}
HOW: Schema = {"enum": ["meeting", "link", "code", "comparison"]}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class Field:
    """``optional`` -- there in some objects only. ``logged`` -- it may stand in a log: it tells
    nothing that anybody said, and lets nobody in.
    """

    schema: Schema
    meaning: str
    optional: bool = False
    logged: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """``result`` -- on standard output, and not on standard error."""

    meaning: str
    fields: Mapping[str, Field]
    result: bool = False


_NAME = Field(TEXT, "what I call them")
_ID = Field(ID, "their id", logged=True)
_WORDS = Field(TEXTS, "safety words of the id")
_CLAIM = Field(TEXT, "what they call themselves: a claim; may be empty")
_PATH = Field(TEXT, "the file", logged=True)
_PORT = Field(PORT, "where I listen", logged=True)
_ADDRESS = Field(TEXT, "HOST:PORT", logged=True)
_FILE = Field(TEXT, "of the file or folder")
_SIZE = Field(COUNT, "bytes", logged=True)
_REASON = Field(TEXT, "why", logged=True)
_EXPIRES = Field(TIME, "when the link ceases to be good")

EVENTS: Mapping[str, Event] = {
    "message": Event(
        "a text of a peer",
        {
            "from": _NAME,
            "peer": _ID,
            "id": Field(TEXT, "its name, of no other text: stream.number", logged=True),
            "text": Field(TEXT, "what it says"),
        },
        result=True,
    ),
    "kept": Event(
        "a text of the history",
        {
            "name": Field(nullable(TEXT), "what I call them; null for who is no contact now"),
            "id": _ID,
            "direction": Field({"enum": ["in", "out"]}, "from them, or to them", logged=True),
            "at": Field({"type": "number"}, "seconds since 1970"),
            "text": Field(TEXT, "what it says"),
        },
        result=True,
    ),
    "nearby": Event(
        "a contact who shows on this network",
        {
            "name": _NAME,
            "claimed_name": _CLAIM,
            "id": _ID,
            "grade": Field(GRADE, "how well they are known", logged=True),
            "addresses": Field(TEXTS, "where"),
        },
        result=True,
    ),
    "check": Event(
        "what doctor has looked at",
        {
            "check": Field(TEXT, "what", logged=True),
            "state": Field({"enum": ["ok", "warning", "problem"]}, "how it is", logged=True),
            "text": Field(TEXT, "more of it"),
            "way": Field(nullable(TEXT), "a way forward"),
            "code": Field(
                nullable({"type": "integer"}), "the exit code that a problem has", logged=True
            ),
        },
        result=True,
    ),
    "received": Event(
        "a file or folder has come, whole",
        {"name": _FILE, "path": Field(TEXT, "where it is"), "size": _SIZE},
    ),
    "identity": Event(
        "who I am", {"id": Field(ID, "my id", logged=True), "words": _WORDS}, result=True
    ),
    "backup": Event(
        "a backup of my identity: whoever has it can be me",
        {
            "id": Field(ID, "my id", logged=True),
            "phrase": Field(TEXTS, "the words that `e2ee id import` takes"),
        },
        result=True,
    ),
    "contact": Event(
        "somebody I know",
        {
            "name": _NAME,
            "claimed_name": _CLAIM,
            "id": _ID,
            "words": _WORDS,
            "grade": Field(GRADE, "how well they are known", logged=True),
            "how": Field(HOW, "by what", logged=True),
            "known_since": Field(TIME, "the first meeting"),
            "graded_at": Field(TIME, "when the grade was reached"),
            "last_seen": Field(TIME, "the last meeting"),
            "blocked": Field(FLAG, "whether calls from and to them are refused", logged=True),
            "addresses": Field(TEXTS, "where they have answered, the last one first"),
        },
        result=True,
    ),
    "safety_number": Event(
        "what both sides of a verification compare",
        {
            "name": _NAME,
            "words": Field(TEXTS, "as sixteen words"),
            "digits": Field(TEXT, "as fifty digits"),
            "qr": Field(TEXT, "what the QR code holds"),
        },
        result=True,
    ),
    "code": Event(
        "the spoken code of a new invitation",
        {
            "code": Field(TEXT, "what to tell the other person"),
            "number": Field(COUNT, "its first part, by which I am found on the network"),
            "at": Field(TEXTS, "where else I am found"),
            "port": _PORT,
        },
        result=True,
    ),
    "link": Event(
        "the link of a new invitation",
        {"link": Field(TEXT, "what to give to the other person"), "expires": _EXPIRES},
        result=True,
    ),
    "pending_link": Event(
        "an invitation by link that nobody has used",
        {
            "link": Field(TEXT, "its eight digits, for `e2ee invite revoke`", logged=True),
            "state": Field({"enum": ["pending", "expired"]}, "whether it is good", logged=True),
            "created": Field(TIME, "when it was made"),
            "expires": _EXPIRES,
            "name": Field(TEXT, "what who comes by it is to be called; may be empty"),
        },
        result=True,
    ),
    "listening": Event(
        "I wait for a call",
        {
            "port": _PORT,
            "addresses": Field(TEXTS, "this machine's"),
            "connect": Field(TEXTS, "for a chat: what the other side may run", optional=True),
            "send": Field(TEXTS, "for files: what the other side may run", optional=True),
            "known": Field(
                FLAG, "for a chat: whether only contacts get an answer", optional=True, logged=True
            ),
            "id": Field(ID, "my id", logged=True),
            "words": _WORDS,
        },
    ),
    "inviting": Event(
        "I wait for who comes by the invitation",
        {
            "port": _PORT,
            "number": Field(COUNT, "of the code, if it is one", optional=True),
            "join": Field(TEXTS, "for a code: what the other side may run", optional=True),
            "discoverable": Field(
                FLAG, "for a code: whether the network finds it", optional=True, logged=True
            ),
            "expires": Field(TIME, "for a link: when it ceases to be good", optional=True),
        },
    ),
    "searching": Event(
        "I look on the network",
        {
            "number": Field(COUNT, "for an invitation: of the code", optional=True),
            "name": Field(TEXT, "for a contact: what I call them", optional=True),
        },
    ),
    "visible": Event("contacts on this network can see that I am here", {}),
    "not_visible": Event("contacts cannot see me on this network", {"reason": _REASON}),
    "resolving": Event("I look up a name", {"host": Field(TEXT, "it", logged=True)}),
    "connecting": Event("I call", {"address": _ADDRESS}),
    "handshake": Event("somebody answers", {"address": _ADDRESS}),
    "connected": Event(
        "the channel is encrypted, and this is who is at the other end",
        {
            "peer": _ID,
            "name": _NAME,
            "claimed_name": _CLAIM,
            "words": _WORDS,
            "grade": Field(GRADE, "how well they are known", logged=True),
            "how": Field(HOW, "by what", logged=True),
            "known_since": Field(nullable(TIME), "the first meeting; null if this is it"),
            "verified": Field(FLAG, "whether they are verified", logged=True),
        },
    ),
    "expected": Event("somebody new answers: is it who you expect?", {"name": _NAME}),
    "ready": Event("I read lines from this terminal", {}),
    "name": Event("the peer says what to call it", {"name": _NAME, "claimed_name": _CLAIM}),
    "unsupported": Event(
        "the peer sent what this version cannot show", {"kind": Field(TEXT, "of what kind")}
    ),
    "turned_away": Event(
        "a caller was not let in",
        {
            "address": Field(nullable(TEXT), "where the call came from", logged=True),
            "reason": Field(TEXT, "why, for a person"),
            "unreported": Field(COUNT, "so many more were not told of", logged=True),
        },
    ),
    "left": Event("a peer has left", {"name": _NAME}),
    "lost": Event("a connection broke", {"name": _NAME, "reason": _REASON}),
    "replaced": Event("the same program of mine is connected from elsewhere", {"name": _NAME}),
    "busy": Event("another e2ee of mine talks to them; nothing is kept here", {"name": _NAME}),
    "waiting": Event(
        "texts of mine are not delivered", {"state": Field(TEXT, "what they wait for")}
    ),
    "delivered": Event(
        "the peer's program has shown texts of mine",
        {
            "name": Field(TEXT, "what I call them", optional=True),
            "count": Field(COUNT, "so many", optional=True, logged=True),
            "left": Field(COUNT, "and so many are not delivered", optional=True, logged=True),
        },
    ),
    "trust": Event(
        "whom what is typed goes to",
        {"text": Field(TEXT, "who, and how well known"), "alarm": Field(FLAG, "not verified")},
    ),
    "note": Event("something to say", {"text": Field(TEXT, "it")}),
    "usage": Event("what was typed is no command", {"message": Field(TEXT, "why")}),
    "answer": Event("what a command of the chat has to say", {"text": Field(TEXT, "it")}),
    "offer": Event(
        "the peer offers a file or folder",
        {
            "name": _FILE,
            "size": _SIZE,
            "type": Field({"enum": ["file", "folder"]}, "which", logged=True),
            "count": Field(nullable(COUNT), "of a folder: its files", logged=True),
        },
    ),
    "links": Event("symbolic links are not sent", {"path": Field(TEXT, "of the folder")}),
    "progress": Event(
        "how far a file or folder is",
        {
            "name": _FILE,
            "incoming": Field(FLAG, "whether it comes or goes", logged=True),
            "done": Field(COUNT, "bytes", logged=True),
            "size": _SIZE,
            "rate": Field(COUNT, "bytes a second", logged=True),
        },
    ),
    "under_way": Event("files that are under way", {"rows": Field(TEXTS, "one each")}),
    "sent": Event("a file or folder is there, whole", {"name": _FILE, "size": _SIZE}),
    "failed": Event(
        "a file or folder is not whole",
        {
            "name": _FILE,
            "message": Field(TEXT, "why"),
            "code": Field(COUNT, "its exit code", logged=True),
        },
    ),
    "identity_created": Event("I had no identity, and made one", {"path": _PATH}),
    "wrong_passphrase": Event("that is not the passphrase of the identity", {}),
    "exported": Event("the backup is written", {"path": _PATH}),
    "restored": Event("the identity is back", {"path": _PATH}),
    "not_in_list": Event("a word of a backup is none", {}),
    "passphrase": Event(
        "the passphrase was changed", {"locked": Field(FLAG, "whether there is one", logged=True)}
    ),
    "rotated": Event("this machine has a new device key", {}),
    "none": Event("there is nothing to show", {}),
    "deleted": Event("of the history", {"count": Field(COUNT, "so many texts", logged=True)}),
    "renamed": Event("a contact is called something else", {"name": _NAME, "id": _ID}),
    "verified": Event("the safety numbers are equal", {"name": _NAME, "id": _ID}),
    "trusted": Event("a contact has a new identity", {"name": _NAME, "id": _ID}),
    "blocked": Event(
        "a contact is blocked, or allowed again",
        {"name": _NAME, "id": _ID, "blocked": Field(FLAG, "which of the two", logged=True)},
    ),
    "removed": Event("a contact is forgotten", {"name": _NAME, "id": _ID}),
    "revoked": Event(
        "a link is of no use any more",
        {"link": Field(TEXT, "its eight digits", logged=True)},
    ),
    "warning": Event(
        "something that you may want to do otherwise", {"text": Field(TEXT, "what, for a person")}
    ),
    "hint": Event(
        "I wait for what somebody types at this terminal", {"text": Field(TEXT, "for a person")}
    ),
    "log": Event(
        "with -v: a line of the log",
        {"level": Field(TEXT, "how grave"), "text": Field(TEXT, "what, for a person")},
    ),
    "error": Event(
        "why the command ends",
        {
            "message": Field(TEXT, "for a person; may have several lines"),
            "code": Field({"type": "integer", "minimum": 1}, "the exit code", logged=True),
            "kind": Field(TEXT, "what of error, as the program calls it", logged=True),
            "name": Field(
                TEXT, "for another identity than that of a contact: the contact", optional=True
            ),
            "known": Field(ID, "the contact's id", optional=True, logged=True),
            "peer": Field(ID, "the id that answers", optional=True, logged=True),
            "words": Field(TEXTS, "its safety words", optional=True),
            "tried": Field(
                {"type": "array", "items": {"type": "object"}},
                "for a contact who was not reached: address, stage and message of each try",
                optional=True,
            ),
        },
    ),
}


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of one line."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of what e2ee says with --json",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in EVENTS],
        "$defs": {name: _object(name, event) for name, event in EVENTS.items()},
    }


def _object(name: str, event: Event) -> dict[str, Any]:
    properties = {
        field: {**about.schema, "description": _described(about)}
        for field, about in event.fields.items()
    }
    needed = [field for field, about in event.fields.items() if not about.optional]
    return {
        "description": event.meaning,
        "type": "object",
        "properties": {"v": {"const": VERSION}, "event": {"const": name}, **properties},
        "required": ["v", "event", *needed],
        "additionalProperties": False,
    }


def _described(field: Field) -> str:
    unit = field.schema.get("description")
    return f"{field.meaning}, {unit}" if unit else field.meaning
