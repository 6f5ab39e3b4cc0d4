"""``e2ee listen``: wait for somebody to call, and chat."""

from __future__ import annotations

import time

from e2ee import Padding, Peer, Session
from e2ee.suites import DEFAULT_ACCEPTED_SUITES

from .addresses import with_port
from .connect import id_of
from .encounter import talk
from .links import PendingLinks
from .profile import Profile
from .waiting import Waiting, addresses_of, plain_host


async def listen(
    profile: Profile, host: str | None, port: int, *, known: bool, peer: str | None
) -> None:
    """Chat with the first who may come in (as ``peer``, where that is given).

    ``known`` -- answer contacts only, and give nobody else a single byte.
    """
    book, output = profile.book, profile.output
    identity = book.identity
    host = plain_host(host)
    contacts = book.read()
    expected = None if peer is None else id_of(contacts, peer)
    links = PendingLinks(book)

    def admit(caller: Peer, sequence: int) -> bool:
        # Nothing is written for who is not admitted, however often they come.
        return book.read().admit(caller, sequence, time.time()) and book.change(
            lambda contacts: contacts.admit(caller, sequence, time.time())
        )

    def new_session() -> Session:
        return Session.responder(
            identity,
            suites=() if known else DEFAULT_ACCEPTED_SUITES,
            admit=admit,
            links=None if known else links,
            expected_peer=expected,
            now=time.time(),
            padding=Padding.CHAT,
        )

    waiting = Waiting(
        profile,
        links.name_for,
        asked_for=expected is not None,
    )
    port = await waiting.begin(new_session, host, port, mute=known)
    try:
        addresses = addresses_of(host)
        lines = [f"e2ee connect {with_port(address, port)}" for address in addresses]
        whom = " from a contact; everybody else gets no answer" if known else ""
        output.status(
            "listening",
            f"Waiting for a call{whom}. On the other machine run"
            + (" one of" if len(lines) > 1 else "")
            + "".join(f"\n  {line}" for line in lines)
            + f"\nYour safety words: {' '.join(identity.words)}",
            port=port,
            addresses=addresses,
            connect=lines,
            known=known,
            id=identity.id,
            words=list(identity.words),
        )
        await talk(await waiting.first(), profile, leave_at_end_of_input=False)
    finally:
        await waiting.end()
