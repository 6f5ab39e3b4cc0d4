"""Calling somebody: who is to answer, where, and by which opening."""

from __future__ import annotations

import time

from e2ee import Identity, Padding, Session
from e2ee.contacts import Contact, ContactBook
from e2ee.errors import (
    BlockedPeer,
    ConnectFailed,
    NoSuchContact,
    TransportError,
    Truncated,
    UnexpectedPeer,
    UnsupportedSuite,
)
from e2ee.ids import decode_id
from e2ee.opening import KnownDevice
from e2ee.transport import Channel, tcp

from .addresses import parse_address
from .book import Book
from .chat import TIMEOUTS
from .encounter import Encounter, meet
from .exits import CliError, Exit
from .profile import Profile
from .refusals import changed_identity
from .ways import way


async def call(
    profile: Profile, target: str, *, peer: str | None, quietly: bool = False
) -> Encounter:
    """Find out who is to answer and where, and call them; ``target`` and ``peer`` as for connect.

    ``quietly`` -- without telling the user. Raises CliError, NoSuchContact, ConnectFailed,
    TrustRefused, and what opening a channel raises.
    """
    book, output = profile.book, profile.output
    contacts = book.read()
    contact, host, port = _find(contacts, target)
    expected_id = None if contact is None else contact.id
    if peer is not None:
        expected_id = id_of(contacts, peer)
        contact = contacts.of(decode_id(expected_id))
    if contact is not None and contact.blocked:
        raise BlockedPeer(contact)
    where = tcp.display_address((host, port))
    if not quietly:
        output.status("connecting", f"Connecting to {where} …", address=where)
    try:
        channel = await _open(book, host, port, contact, expected_id)
    except UnexpectedPeer as error:
        if contact is None or error.peer is None:
            raise
        raise changed_identity(contact, error.peer, (host, port)) from None
    return meet(
        profile,
        channel,
        expected=contact,
        dialled=(host, port),
        asked_for=peer is not None,
    )


def id_of(contacts: ContactBook, who: str) -> str:
    """The id of a contact, or an id as it stands. Raises NoSuchContact, InvalidId."""
    if who.strip().lower().startswith("e2ee1"):
        decode_id(who)
        return who.strip().lower()
    return contacts.get(who).id


def _find(contacts: ContactBook, target: str) -> tuple[Contact | None, str, int]:
    """Who is to answer, where that is known, and where."""
    try:
        contact = contacts.get(target)
    except NoSuchContact:
        if target.lower().startswith("e2ee1"):
            raise
        host, port = parse_address(target)
        return contacts.at(host, port), host, port
    if not contact.addresses:
        raise CliError(
            f"no address of {contact.name} is known; give it: "
            f"{way('connect', 'HOST:PORT', '--peer', contact.name)}",
            Exit.USAGE,
        )
    return contact, contact.addresses[0].host, contact.addresses[0].port


async def _open(
    book: Book, host: str, port: int, contact: Contact | None, expected_id: str | None
) -> Channel:
    device_key = None if contact is None else _device_at(contact, host, port)
    if device_key is not None:
        sequence = book.change(lambda contacts: contacts.next_sequence(time.time()))
        device = KnownDevice(device_key, sequence)
        try:
            return await _call(book.identity, host, port, expected_id, device)
        except UnsupportedSuite:
            pass  # They do not know this device, or have another one: SPEC.md section 4.3.
    return await _call(book.identity, host, port, expected_id, None)


async def _call(
    identity: Identity, host: str, port: int, expected_id: str | None, device: KnownDevice | None
) -> Channel:
    session = Session.initiator(
        identity, device=device, expected_peer=expected_id, now=time.time(), padding=Padding.CHAT
    )
    try:
        return await tcp.connect(host, port, session, timeouts=TIMEOUTS)
    except ConnectFailed:
        raise
    except (TransportError, Truncated) as error:
        raise CliError(
            f"no answer from {tcp.display_address((host, port))}: {error}.\n"
            "If they listen to contacts only, they do not know this device: meet once while they\n"
            "run `e2ee listen`.",
            Exit.NETWORK,
        ) from None


def _device_at(contact: Contact, host: str, port: int) -> bytes | None:
    """The device that answered there, or else the one that was met last."""
    for address in contact.addresses:
        if (address.host, address.port) == (host, port):
            return address.static_key
    return contact.devices[0].static_key if contact.devices else None
