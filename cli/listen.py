"""``e2ee listen``: wait for those who call, and chat."""

from __future__ import annotations

import contextlib
import functools

from e2ee import Padding

from .addresses import with_port
from .chat import Chat
from .dialling import id_of
from .door import sessions
from .links import PendingLinks
from .nearby import visible
from .profile import Profile
from .waiting import Waiting, addresses_of, one_of, plain_host


async def listen(
    profile: Profile,
    host: str | None,
    port: int,
    *,
    known: bool,
    seen: bool,
    peer: str | None,
    once: bool,
) -> None:
    """Chat with everybody who may come in: as ``peer``, where that is given.

    ``known`` -- answer contacts only, and give nobody else a single byte. ``seen`` -- show those
    on this network who know our id that we are here. ``once`` -- the first is the only one, and
    the end comes when they leave.
    """
    book, output = profile.book, profile.output
    identity = book.identity
    host = plain_host(host)
    contacts = book.read()
    expected = None if peer is None else id_of(contacts, peer)
    links = PendingLinks(book)

    chat = Chat(profile, many=not once)
    waiting = Waiting(
        profile,
        links.name_for,
        functools.partial(chat.host, initiator=False),
        once=once,
        asked_for=expected is not None,
    )
    new_session = sessions(book, links, expected=expected, known=known, padding=Padding.CHAT)
    port = await waiting.begin(new_session, host, port, mute=known)
    try:
        addresses = addresses_of(host)
        lines = [f"e2ee connect {with_port(address, port)}" for address in addresses]
        whom = " from a contact; everybody else gets no answer" if known else ""
        output.status(
            "listening",
            f"Waiting for a call{whom}. On the other machine run{one_of(lines)}\n"
            f"Your safety words: {' '.join(identity.words)}",
            port=port,
            addresses=addresses,
            connect=lines,
            known=known,
            id=identity.id,
            words=list(identity.words),
        )
        showing = visible(identity.public_key, port, lambda: addresses_of(host), output)
        async with showing if seen else contextlib.nullcontext():
            await chat.run(waiting.serve(), leave_at_end_of_input=False)
    finally:
        await waiting.end()
