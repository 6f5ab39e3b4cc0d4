"""This profile's invitation links: made, found by those who join, and used once."""

from __future__ import annotations

import secrets
import time

from e2ee import Identity
from e2ee.contacts import NONCE_LENGTH, PendingInvitation
from e2ee.invitation import Link, lookup_id_of, psk_of
from e2ee.suites import Approach
from e2ee.transport import Channel

from .book import Book


def new_link(
    book: Book, addresses: list[tuple[str, int]], *, lifetime: float, name: str
) -> tuple[Link, PendingInvitation]:
    """Make a link and remember it. Raises what a book raises, InvalidInvitation."""
    now = time.time()
    pending = PendingInvitation(
        nonce=secrets.token_bytes(NONCE_LENGTH),
        created=int(now),
        expires=int(now + lifetime),
        name=name,
    )
    link = Link(
        book.identity.public_key,
        _secret(book.identity, pending.nonce),
        pending.expires,
        addresses,
    )
    _ = link.text  # Not remembered where it cannot be written.
    book.change(lambda contacts: contacts.invite(pending, now))
    return link, pending


def has_expired(link: Link | PendingInvitation) -> bool:
    """By now: it is good to the end of its last second."""
    return int(time.time()) > link.expires


def _secret(identity: Identity, nonce: bytes) -> bytes:
    """Not stored: whoever reads the contacts cannot pose as who was invited."""
    return identity.derive(b"e2ee invitation link v1", nonce)


class PendingLinks:
    """What a responder session asks for those who join by link."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._name_of_last = ""
        """The alias that the link which was used last has for who joined."""

    def psk(self, lookup_id: bytes) -> bytes | None:
        pending = self._find(lookup_id)
        if pending is None or has_expired(pending):
            return None
        return psk_of(_secret(self._book.identity, pending.nonce))

    def take(self, lookup_id: bytes) -> bool:
        pending = self._find(lookup_id)
        if pending is None:
            return False
        taken = self._book.change(
            lambda contacts: contacts.take_invitation(pending.nonce, time.time())
        )
        self._name_of_last = "" if taken is None else taken.name
        return taken is not None

    def name_for(self, channel: Channel) -> str:
        """The alias for who has come in: the link's, if it was by one."""
        return self._name_of_last if channel.suite.approach is Approach.LINK else ""

    def _find(self, lookup_id: bytes) -> PendingInvitation | None:
        for pending in self._book.read().invitations:
            if lookup_id_of(_secret(self._book.identity, pending.nonce)) == lookup_id:
                return pending
        return None
