"""What the strategies draw is what the protocol allows, and all kinds of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from e2ee import Event, Identity, MessageReceived, Peer, Session
from e2ee.messages import WireModel, decode, decode_chat, decode_control, encode
from e2ee.testing import message_strategies, strategies
from e2ee.testing.attacker import Action, Piece, Side
from e2ee.testing.pair import Pair

WIRE: dict[str, st.SearchStrategy[Any]] = {
    "certificates": message_strategies.certificates(),
    "payloads": message_strategies.handshake_payloads(),
    "control": message_strategies.control_messages(),
    "chat": message_strategies.chat_messages(),
}
ALL = st.one_of(*WIRE.values())


ANY = settings(max_examples=3000, deadline=None, database=None, phases=[Phase.generate])
"""To find an example, and not the smallest."""


def models(model: type[WireModel] = WireModel) -> list[type[WireModel]]:
    found = [each for kind in model.__subclasses__() for each in [kind, *models(kind)]]
    return [kind for kind in found if kind.__module__ == "e2ee.messages"]


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_there_is_a_strategy_for_every_message(model: type[WireModel]) -> None:
    assert find(ALL, lambda message: type(message) is model, settings=ANY)


@given(ALL)
def test_each_message_is_one_that_the_protocol_reads(message: WireModel) -> None:
    assert decode(type(message), encode(message)) == message


@given(message_strategies.control_messages())
def test_each_control_message_is_read_as_one(message: WireModel) -> None:
    assert decode_control(encode(message)) == message


@given(message_strategies.chat_messages())
def test_each_chat_message_is_read_as_one(message: WireModel) -> None:
    assert decode_chat(encode(message)) == message


@given(strategies.application_messages())
@settings(max_examples=20, deadline=None)
def test_each_application_message_can_be_sent(message: bytes) -> None:
    pair = opened()
    pair.initiator.session.send(message)
    pair.deliver()
    assert pair.responder.received == [message]


def opened() -> Pair:
    pair = Pair()
    pair.deliver()
    return pair


@given(strategies.events())
@settings(max_examples=20, deadline=None)
def test_each_event_is_one_that_a_program_may_get(event: Event) -> None:
    assert isinstance(event, Event)


@pytest.mark.parametrize("kind", Event.__args__)
def test_there_are_events_of_every_kind(kind: type) -> None:
    assert find(strategies.events(), lambda event: isinstance(event, kind), settings=ANY)


@given(strategies.peers())
@settings(max_examples=20, deadline=None)
def test_each_peer_has_an_id_and_words_and_a_time(peer: Peer) -> None:
    assert peer.id.startswith("e2ee1")
    assert len(peer.words) == 8
    assert peer.not_before <= peer.not_after


@given(strategies.identities())
@settings(max_examples=10, deadline=None)
def test_each_identity_can_open_a_session(identity: Identity) -> None:
    pair = Pair((Session.initiator(identity), Session.responder(Identity.generate())))
    pair.deliver()
    assert pair.responder.session.peer is not None
    assert pair.responder.session.peer.id == identity.id


@given(st.data(), st.binary(max_size=300))
def test_chunks_are_the_data_and_none_is_empty(data: st.DataObject, stream: bytes) -> None:
    chunks = data.draw(strategies.chunkings(stream))
    assert b"".join(chunks) == stream
    assert all(chunks)


def test_data_is_also_drawn_whole_and_byte_by_byte() -> None:
    assert find(strategies.chunkings(b"abc"), lambda chunks: len(chunks) == 1)
    assert find(strategies.chunkings(b"abc"), lambda chunks: len(chunks) == 3)


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_chunks_of_a_conversation_tell_the_same_in_any_chunking(data: st.DataObject) -> None:
    pair = opened()
    pair.initiator.session.send(b"one")
    pair.initiator.session.send(b"two")
    events: list[Event] = []
    for chunk in data.draw(strategies.chunkings(pair.initiator.session.data_to_send())):
        events += pair.responder.session.receive_data(chunk)
    assert events == [MessageReceived(b"one"), MessageReceived(b"two")]


@given(strategies.actions(), st.binary(min_size=101), strategies.sides())
def test_each_action_changes_what_arrives(action: Action, data: bytes, side: Side) -> None:
    piece = Piece(side, 0, data)
    assert list(action(piece, [piece])) != [data]
