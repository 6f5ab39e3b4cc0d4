"""Who is let in by a listener that answers contacts and strangers: its sessions."""

from __future__ import annotations

import time
from collections.abc import Callable

from e2ee import Padding, Peer, Session
from e2ee.suites import DEFAULT_ACCEPTED_SUITES

from .book import Book
from .links import PendingLinks


def sessions(
    book: Book, links: PendingLinks, *, expected: str | None, known: bool, padding: Padding
) -> Callable[[], Session]:
    """Makes the session for each caller. ``expected`` -- the id of the only one to let in.
    ``known`` -- let in contacts only.
    """

    def new_session() -> Session:
        return Session.responder(
            book.identity,
            suites=() if known else DEFAULT_ACCEPTED_SUITES,
            admit=admission(book),
            links=None if known else links,
            expected_peer=expected,
            now=time.time(),
            padding=padding,
        )

    return new_session


def admission(book: Book) -> Callable[[Peer, int], bool]:
    """What a responder session asks about a caller who says to be a contact."""

    def admit(caller: Peer, sequence: int) -> bool:
        # Nothing is written for who is not admitted, however often they come.
        return book.read().admit(caller, sequence, time.time()) and book.change(
            lambda contacts: contacts.admit(caller, sequence, time.time())
        )

    return admit
