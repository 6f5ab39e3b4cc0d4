"""The tables of SPEC.md section 11.6: each state of a chat with each message of a peer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from e2ee.conversation import Conversation
from e2ee.errors import MalformedMessage, UnexpectedMessage
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.messages import (
    End,
    Hello,
    Leave,
    Name,
    Receipt,
    Resume,
    Stream,
    Text,
    Written,
    decode_chat,
    encode,
)
from tests.specification import table

OWN, PEERS = table("own texts"), table("peer's texts")
OWN_STATES = ("IDLE", "ASKED", "AGAIN", "READY")
PEERS_STATES = ("NONE", "FIRST", "SECOND", "LEFT")

TEXTS = 3
"""Of ours, of which the first was confirmed on a channel before."""


def in_state(own: str, peers: str) -> Conversation:
    journal = MemoryJournal()
    for number in range(1, TEXTS + 1):
        journal.add(Outgoing(number, "ours", 0))
    journal.confirm(1)
    conversation = Conversation(journal)
    if own != "IDLE":
        conversation.begin()
    if own in {"AGAIN", "READY"}:
        conversation.receive(encode(Resume(received=1)))
    for number in range({"NONE": 0, "FIRST": 1, "SECOND": 2, "LEFT": 1}[peers]):
        conversation.receive(encode(Stream(id=bytes([number]) * 16, first=5)))
    sent(conversation)
    if own == "AGAIN":
        journal.restart()
        sent(conversation)
    if peers == "LEFT":
        conversation.receive(encode(Leave()))
    assert states(conversation) == (own, peers)
    return conversation


def states(conversation: Conversation) -> tuple[str, str]:
    own = conversation._out.name
    if own == "ASKED" and conversation._restarted:
        own = "AGAIN"
    peers = "LEFT" if conversation._peer_left else PEERS_STATES[conversation._streams]
    return own, peers


def sent(conversation: Conversation) -> list[str]:
    kinds = []
    while message := conversation.next_message():
        kinds.append(decode_chat(message).kind)
    return kinds


MESSAGES: dict[str, tuple[bytes, ...]] = {
    "resume": (encode(Resume(received=2)),),
    "resume, too high": (encode(Resume(received=TEXTS + 1)), encode(Resume(received=2**53 - 1))),
    "receipt, new": (encode(Receipt(id=2)), encode(Receipt(id=TEXTS))),
    "receipt, any other": (encode(Receipt(id=1)), encode(Receipt(id=TEXTS + 1))),
    "stream": (encode(Stream(id=b"s" * 16, first=1)),),
    "text, the next": (encode(Text(id=5, body="theirs")),),
    "text, any other": tuple(encode(Text(id=n, body="theirs")) for n in (1, 4, 6, 2**53 - 1)),
    "name": (encode(Name(name="Zoë")),),
    "kind that is not known": (b'{"kind":"wave"}', b'{"kind":"typing","since":5}'),
    "leave": (encode(Leave()), encode(Leave(reason="replaced"))),
    "hello": (encode(Hello(purposes=("chat",))),),
    "end": (encode(End()),),
    "written": (encode(Written()),),
    "no message of section 11.1": (b"", b"{}", b"\x01", b'{"kind":"text"}'),
}


def test_the_tables_have_every_state_and_message() -> None:
    assert {row for row, _ in OWN} | {row for row, _ in PEERS} == set(MESSAGES)
    assert {column for _, column in OWN} == set(OWN_STATES)
    assert {column for _, column in PEERS} == set(PEERS_STATES)


@pytest.mark.attack(13)
@pytest.mark.parametrize(("own", "peers"), [*product(OWN_STATES, PEERS_STATES)])
def test_each_message_is_taken_or_refused_as_the_table_says(
    own: str, peers: str, figure: Callable[[str], None]
) -> None:
    refused = 0
    for message, examples in MESSAGES.items():
        cell = OWN.get((message, own)) or PEERS[message, peers]
        for data in examples:
            conversation = in_state(own, peers)
            if cell.is_empty:
                with pytest.raises((UnexpectedMessage, MalformedMessage)):
                    conversation.receive(data)
                continue
            event = conversation.receive(data)
            assert [type(event).__name__ for event in [event] if event] == cell.events
            following = (own, cell.following or peers)
            if (message, own) in OWN:
                following = (cell.following or own, peers)
            assert states(conversation) == following
            assert [kind for kind in sent(conversation) if kind != "text"] == cell.sent
        refused += cell.is_empty
    figure(
        f"states of a chat: {own} and {peers}: of {len(MESSAGES)} kinds of messages {refused} "
        "refused, the others as SPEC.md has them"
    )
