"""Who is let in by a listener that answers contacts and strangers: its sessions."""

from __future__ import annotations

import time
from collections.abc import Callable

from e2ee import Padding, Peer, Session

from .book import Book
from .links import PendingLinks


def sessions(book: Book, links: PendingLinks, *, expected: str | None) -> Callable[[], Session]:
    """Makes the session for each caller. ``expected`` -- the id of the only one to let in."""

    def admit(caller: Peer, sequence: int) -> bool:
        # Nothing is written for who is not admitted, however often they come.
        return book.read().admit(caller, sequence, time.time()) and book.change(
            lambda contacts: contacts.admit(caller, sequence, time.time())
        )

    def new_session() -> Session:
        return Session.responder(
            book.identity,
            admit=admit,
            links=links,
            expected_peer=expected,
            now=time.time(),
            padding=Padding.CHAT,
        )

    return new_session
