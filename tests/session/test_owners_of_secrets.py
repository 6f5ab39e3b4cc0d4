"""Who holds a key holds it alone: it cannot be copied, shows nothing, and lets go when told to."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import enum
import gc
import importlib
import inspect
import os
import pickle
import pkgutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType

import pydantic
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hmac import HMAC

import e2ee
from e2ee import Identity, Session, State
from e2ee.code_offer import CodeOffer, OfferState
from e2ee.contact_file import ContactFile
from e2ee.conversation_file import ConversationFile
from e2ee.errors import ProtocolError, SessionClosed
from e2ee.invitation import Link, SpokenCode
from e2ee.transport import Channel
from e2ee.transport.blocking import BlockingChannel
from e2ee.transport.memory import pair
from tests.canaries import WATCH

ME, PEER = Identity.generate(), Identity.generate()
CODE = SpokenCode(4, ["acrobat", "velcro", "sugar"])

KEYS = (
    X25519PrivateKey,
    Ed25519PrivateKey,
    MLKEM768PrivateKey,
    AESGCM,
    ChaCha20Poly1305,
    HMAC,
    SpokenCode,
)


def classes() -> Iterator[type]:
    """Those of the package that may hold a secret: no tables, errors, messages or protocols."""
    for module in pkgutil.walk_packages(e2ee.__path__, "e2ee."):
        if module.name.startswith("e2ee.testing"):
            continue  # Its keys are everybody's, or of sessions that no program is in.
        for kind in vars(importlib.import_module(module.name)).values():
            if (
                inspect.isclass(kind)
                and kind.__module__ == module.name
                and not issubclass(kind, enum.Enum | BaseException | pydantic.BaseModel)
                and not getattr(kind, "_is_protocol", False)
            ):
                yield kind


@contextlib.contextmanager
def everything_alive(folder: Path) -> Iterator[set[bytes]]:
    """Each class that holds a secret has an object that does; the secrets that are bytes."""
    link = Link(PEER.public_key, os.urandom(32), 2**40, [("localhost", 1)])
    opening, by_link, by_code = (
        Session.initiator(ME, **how) for how in ({}, {"invitation": link}, {"invitation": CODE})
    )
    session, peer = opened()
    session.refresh()
    by_code_too = Session.responder(PEER, suites=(), code=CodeOffer(CODE))
    contacts = ContactFile(folder / "contacts", ME)
    texts = ConversationFile(folder / "texts", ME)

    async def channel() -> None:
        here, there = pair()
        both = await asyncio.gather(
            Channel.open(here, Session.initiator(ME)), Channel.open(there, Session.responder(PEER))
        )
        alive.extend(both)
        await asyncio.gather(*(one.close() for one in both))

    here, there = socket.socketpair()
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(BlockingChannel.open, there, Session.responder(PEER))
        blocking = [BlockingChannel.open(here, Session.initiator(ME)), answering.result()]

    alive: list[object] = [opening, by_link, by_code, session, peer, by_code_too, contacts, texts]
    asyncio.run(channel())
    with texts.journal(PEER.public_key) as journal:
        journal.next_id()
        alive += [journal, *blocking]
        yield {*WATCH.secrets, CODE.password}
    texts.close()
    for each in blocking:
        each.abort()


def opened() -> tuple[Session, Session]:
    alice, bob = Session.initiator(ME), Session.responder(PEER)
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    bob.receive_data(alice.data_to_send())
    return alice, bob


def holds(root: object, secrets: set[bytes]) -> bool:
    """Whether a key, or bytes that are secret, can be reached from this object."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        found = waiting.pop()
        if isinstance(found, KEYS) or (isinstance(found, bytes) and found in secrets):
            return True
        skipped = isinstance(found, ModuleType | type | FunctionType | BuiltinFunctionType)
        if id(found) not in seen and not skipped:
            seen.add(id(found))
            waiting += gc.get_referents(found)
    return False


PLAIN = (
    "certificate", "contact_state", "contacts", "conversation.", "conversation_file.Entry",
    "events", "file_events", "file_messages", "file_receiver", "file_sender", "file_transfer",
    "journal", "messages", "nearby_tag", "opening.KnownDevice", "primitives.RunningHash",
    "safety_number", "transport.half_open", "transport.socket_stream",
    "transport.stream_transport.StreamProtocol", "transport.tcp", "transport.unix",
    "transport.websocket",
)  # fmt: skip
"""Of what is said, of what everybody may know, and of a stream's bytes: no key enters these."""


@pytest.mark.attack(79)
def test_every_object_that_holds_a_secret_refuses_to_be_copied_or_pickled(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    ways: list[Callable[[object], object]] = [copy.copy, copy.deepcopy]
    ways += [partial(pickle.dumps, protocol=n) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    kinds = set(classes())
    holders: set[type] = set()
    with everything_alive(tmp_path) as secrets:
        alive = [found for found in gc.get_objects() if type(found) in kinds]
        for owner in alive:
            if type(owner) not in holders and holds(owner, secrets):
                holders.add(type(owner))
                for way in ways:
                    with pytest.raises(TypeError, match="cannot be copied or pickled"):
                        way(owner)
    # A class that this test has not met holds nothing, as far as anybody knows: look before it is
    # added to PLAIN.
    unmet = {f"{kind.__module__}.{kind.__name__}" for kind in kinds - set(map(type, alive))}
    plain = tuple(f"e2ee.{name}" for name in PLAIN)
    assert {name for name in unmet if not name.startswith(plain)} == {"e2ee._uncopyable.Uncopyable"}
    assert {Session, Identity, Link, SpokenCode, BlockingChannel, Channel, ContactFile} < holders
    figure(
        f"copies: {len(holders)} of {len(kinds)} classes hold secrets; each refuses copy, deepcopy "
        f"and pickle in {pickle.HIGHEST_PROTOCOL + 1} protocols"
    )


def test_a_copy_of_a_class_with_a_key_would_be_noticed() -> None:
    class Careless:
        def __init__(self) -> None:
            self.inner = {"key": [AESGCM(bytes(32))]}

    assert holds(Careless(), set())
    assert not holds(Session, set())


# Letting go.


def in_state(state: State) -> Session:
    session, peer = opened()
    if state is State.HANDSHAKE:
        return Session.initiator(ME, invitation=CODE)
    if state in (State.CLOSING, State.CLOSED):
        session.close()
    if state is State.CLOSED:
        peer.receive_data(session.data_to_send())
        session.receive_data(peer.data_to_send())
    if state is State.FAILED:
        del peer  # Or it could be reached by the error, whose traceback has this frame.
        with pytest.raises(ProtocolError):
            session.receive_data(b"\x00\x13" + bytes(19))
    assert session.state is state
    return session


CALLS: dict[str, Callable[[Session], object]] = {
    "receive_data": lambda session: session.receive_data(b""),
    "get_buffer": Session.get_buffer,
    "buffer_updated": lambda session: session.buffer_updated(0),
    "receive_eof": Session.receive_eof,
    "send": lambda session: session.send(b""),
    "data_to_send": Session.data_to_send,
    "buffer_to_send": Session.buffer_to_send,
    "close": Session.close,
    "update_key": Session.update_key,
    "refresh": Session.refresh,
    "ping": Session.ping,
    "export": lambda session: session.export("label", 32),
}


@pytest.mark.attack(82)
@pytest.mark.parametrize("state", State)
def test_a_discarded_session_has_no_key_and_does_nothing(
    state: State, figure: Callable[[str], None]
) -> None:
    session = in_state(state)
    secrets = {*WATCH.secrets, CODE.password}
    assert holds(session, secrets) is (state is not State.FAILED)
    for _ in range(2):
        session.discard()
        assert session.state is State.FAILED
        assert not holds(session, secrets)
        for call in CALLS.values():
            with pytest.raises(ProtocolError if state is State.FAILED else SessionClosed):
                call(session)
    figure(f"discard: no key left of a session that was {state.value}, {len(CALLS)} calls refused")


def test_when_both_have_closed_only_the_exporter_has_a_secret() -> None:
    session = in_state(State.CLOSED)
    exported = session.export("label", 32)
    assert not holds(session._layer, {*WATCH.secrets})
    assert session.export("label", 32) == exported


def test_to_discard_a_session_that_had_taken_a_code_burns_it() -> None:
    offer = CodeOffer(CODE)
    inviter = Session.responder(PEER, suites=(), code=offer)
    joiner = Session.initiator(ME, invitation=CODE)
    for _ in range(2):
        inviter.receive_data(joiner.data_to_send())
        joiner.receive_data(inviter.data_to_send())
    states = [offer.state]
    inviter.discard()
    assert [*states, offer.state] == [OfferState.TAKEN, OfferState.BURNED]
