"""Calling somebody: who is to answer, where, and by which opening."""

from __future__ import annotations

import time
from dataclasses import replace

from e2ee import Identity, Padding, Session
from e2ee.contacts import Contact, ContactBook
from e2ee.errors import (
    BlockedPeer,
    NameUnknown,
    NoSuchContact,
    TransportError,
    Truncated,
    UnexpectedPeer,
    UnsupportedSuite,
)
from e2ee.ids import decode_id
from e2ee.opening import KnownDevice
from e2ee.transport import Channel, Stream, tcp

from .addresses import parse_address
from .chat import TIMEOUTS
from .clean import quoted
from .encounter import Encounter, meet
from .exits import CliError, Exit
from .finding import CONNECT, Caller, first_to_answer, stream_to
from .output import Silent
from .profile import Profile
from .refusals import changed_identity


async def call(
    profile: Profile,
    target: str,
    *,
    peer: str | None,
    quietly: bool = False,
    padding: Padding = Padding.CHAT,
    search: bool = True,
    caller: Caller = CONNECT,
) -> Encounter:
    """Find out who is to answer and where, and call them; ``target`` and ``peer`` as for connect.

    ``quietly`` -- without telling the user. ``search`` -- look for a contact on this network too,
    where they answer at no known address. ``caller`` -- on behalf of which command. Raises
    CliError, NoSuchContact, ConnectFailed, TrustRefused, and what opening a channel raises.
    """
    if quietly:
        profile = replace(profile, output=Silent())
    book, output = profile.book, profile.output
    contacts = book.read()
    contact, address = _find(contacts, target)
    sought = contact if address is None else None
    expected_id = None if contact is None else contact.id
    if peer is not None:
        expected_id = id_of(contacts, peer)
        contact = contacts.of(decode_id(expected_id))
    if contact is not None and contact.blocked:
        raise BlockedPeer(contact)

    async def dial(host: str, port: int) -> Channel:
        try:
            return await _open(profile, (host, port), contact, expected_id, padding)
        except UnexpectedPeer as error:
            if contact is None or error.peer is None:
                raise
            raise changed_identity(contact, error.peer, (host, port)) from None

    if address is not None:
        try:
            channel = await dial(*address)
        except NameUnknown as error:
            # It may have been meant as the name of a contact.
            raise NameUnknown(f"no contact is called {quoted(target)}, and {error}") from None
    else:
        assert sought is not None
        channel, address = await first_to_answer(sought, dial, output, search=search, caller=caller)
    return meet(
        profile,
        channel,
        expected=contact,
        dialled=address,
        asked_for=peer is not None,
    )


def id_of(contacts: ContactBook, who: str) -> str:
    """The id of a contact, or an id as it stands. Raises NoSuchContact, InvalidId."""
    if who.strip().lower().startswith("e2ee1"):
        decode_id(who)
        return who.strip().lower()
    return contacts.get(who).id


def _find(contacts: ContactBook, target: str) -> tuple[Contact | None, tuple[str, int] | None]:
    """Who is to answer, where that is known, and where; None for wherever the contact is."""
    try:
        contact = contacts.get(target)
    except NoSuchContact:
        if target.lower().startswith("e2ee1"):
            raise
        host, port = parse_address(target)
        return contacts.at(host, port), (host, port)
    return contact, None


async def _open(
    profile: Profile,
    address: tuple[str, int],
    contact: Contact | None,
    expected_id: str | None,
    padding: Padding,
) -> Channel:
    book = profile.book
    device_key = None if contact is None else _device_at(contact, *address)
    device = None
    if device_key is not None:
        sequence = book.change(lambda contacts: contacts.next_sequence(time.time()))
        device = KnownDevice(device_key, sequence)
    session = _session(book.identity, expected_id, device, padding)
    stream = await stream_to(*address, profile.output)
    try:
        return await _shake_hands(stream, session, address)
    except UnsupportedSuite:
        if device is None:
            raise
    # They do not know this device, or have another one: SPEC.md section 4.3.
    session = _session(book.identity, expected_id, None, padding)
    return await _shake_hands(await tcp.connect_stream(*address), session, address)


def _session(
    identity: Identity, expected_id: str | None, device: KnownDevice | None, padding: Padding
) -> Session:
    return Session.initiator(
        identity, device=device, expected_peer=expected_id, now=time.time(), padding=padding
    )


async def _shake_hands(stream: Stream, session: Session, address: tuple[str, int]) -> Channel:
    try:
        return await Channel.open(stream, session, timeouts=TIMEOUTS)
    except (TransportError, Truncated) as error:
        raise CliError(
            f"no answer from {tcp.display_address(address)}: {error}.\n"
            "If they listen to contacts only, they do not know this device: meet once while\n"
            "they run `e2ee listen`.",
            Exit.NETWORK,
        ) from None


def _device_at(contact: Contact, host: str, port: int) -> bytes | None:
    """The device that answered there, or else the one that was met last."""
    for address in contact.addresses:
        if (address.host, address.port) == (host, port):
            return address.static_key
    return contact.devices[0].static_key if contact.devices else None
