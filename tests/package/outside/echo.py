"""A program of somebody else's: it knows the public names of an installed e2ee, and nothing more.

It is checked by mypy and by pyright, each at its strictest, and run by every Python that there is.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import e2ee
from e2ee import Identity, Limits, Padding, Session
from e2ee.backup import backup_phrase, restore
from e2ee.code_offer import CodeOffer
from e2ee.contact_file import ContactFile
from e2ee.contacts import ContactStore, Grade, MemoryContactStore, TrustPolicy
from e2ee.errors import ChangedIdentity, E2EEError, InvalidInvitation, NotTrustedEnough
from e2ee.invitation import Link, SpokenCode
from e2ee.opening import KnownDevice
from e2ee.safety_number import SafetyNumber
from e2ee.transport import Channel, Stream, Timeouts, memory, tcp


def told(event: e2ee.Event) -> str:
    match event:
        case e2ee.HandshakeCompleted(peer=peer, suite=suite):
            return f"{peer.id} by {suite.name} ({suite.approach.value})"
        case e2ee.MessageReceived(data=data):
            return data.decode()
        case e2ee.KeysRefreshed():
            return "refreshed"
        case e2ee.Closed():
            return "closed"
        case _:
            assert_never(event)


def carry(caller: Session, answerer: Session) -> list[e2ee.Event]:
    """Between two sessions, without any transport, until neither has more to say."""
    events: list[e2ee.Event] = []
    while sent := caller.data_to_send():
        events += answerer.receive_data(sent)
        events += caller.receive_data(answerer.data_to_send())
    return events


def meet(store: ContactStore, alice: Identity, bob: Identity) -> None:
    """By a spoken code; and what the policy then says of somebody else."""
    offer = CodeOffer(SpokenCode.generate(4))
    joiner = Session.initiator(alice, invitation=SpokenCode.parse(str(offer.code)))
    inviter = Session.responder(bob, suites=(), code=offer)
    carry(joiner, inviter)
    assert joiner.peer is not None
    assert joiner.peer.identity_key == bob.public_key
    with store.update() as book:
        contact = book.meet(
            joiner.peer, "code", time.time(), address=("bob.example", 3233), name="Bob"
        )
        assert contact.grade is Grade.VERIFIED
        sequence = book.next_sequence(time.time())
    assert store.read().get("bob").words == bob.words

    device = KnownDevice(contact.devices[0].static_key, sequence)
    caller = Session.initiator(alice, device=device, expected_peer=contact.id)
    assert carry(caller, Session.responder(bob, suites=(), admit=lambda _peer, _sequence: True))

    stranger = Session.responder(Identity.generate())
    meeting = Session.initiator(alice)
    carry(meeting, stranger)
    assert meeting.peer is not None
    refused: list[str] = []
    try:
        TrustPolicy(require=Grade.VERIFIED).judge(store.read(), meeting.peer)
    except NotTrustedEnough as error:
        refused += [error.grade.name, error.required.name]
    try:
        TrustPolicy().judge(store.read(), meeting.peer, expected=contact)
    except ChangedIdentity as error:
        refused += [error.contact.name, error.peer.id]
    assert refused == ["NEW", "VERIFIED", "Bob", meeting.peer.id]


def invited(alice: Identity) -> Link:
    link = Link(alice.public_key, bytes(32), 2_000_000_000, [("alice.example", 3233)])
    try:
        Link.parse(link.text[:-1])
    except InvalidInvitation:
        return Link.parse(link.text)
    raise AssertionError


async def over(
    open_both: Callable[[], tuple[Stream, Stream]], alice: Identity, bob: Identity
) -> None:
    """On any stream of one's own."""
    here, there = open_both()
    limits = Limits(max_message_size=2**16)
    caller, answerer = await asyncio.gather(
        Channel.open(here, Session.initiator(alice, padding=Padding.CHAT, limits=limits)),
        Channel.open(there, Session.responder(bob), timeouts=Timeouts(handshake=60)),
    )
    assert caller.export("outside", 32) == answerer.export("outside", 32)
    await asyncio.gather(caller.close(), answerer.close())


async def echo(alice: Identity, bob: Identity) -> bytes | None:
    async def answer(channel: Channel) -> None:
        async for message in channel:
            await channel.send(b"echo: " + message)

    failures: list[E2EEError] = []
    listener = await tcp.listen(
        lambda: Session.responder(bob),
        answer,
        host="127.0.0.1",
        on_failure=lambda _address, error: failures.append(error),
    )
    session = Session.initiator(alice, expected_peer=bob.id)
    async with await tcp.connect("127.0.0.1", listener.port, session) as channel:
        await channel.send(b"hello")
        answered = await channel.receive()
    await listener.close()
    assert not failures
    return answered


def main() -> None:
    alice, bob = Identity.generate(), Identity.generate()
    assert restore(backup_phrase(alice)).id == alice.id
    assert SafetyNumber(alice.public_key, bob.public_key).matches(bob.id)
    assert invited(alice).identity_key == alice.public_key

    caller, answerer = Session.initiator(alice), Session.responder(bob)
    events = carry(caller, answerer)
    caller.send(b"bye")
    caller.close()
    events += carry(caller, answerer)
    print([told(event) for event in events])
    assert caller.state is answerer.state is e2ee.State.CLOSED

    with tempfile.TemporaryDirectory() as folder:
        alice.save(Path(folder, "identity"))
        assert Identity.load(Path(folder, "identity")).words == alice.words
        meet(ContactFile(Path(folder, "contacts"), alice), alice, bob)
    meet(MemoryContactStore(), alice, bob)
    asyncio.run(over(memory.pair, alice, bob))
    print(asyncio.run(echo(alice, bob)))


if __name__ == "__main__":
    main()
