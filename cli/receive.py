"""``e2ee receive``: wait for somebody who sends files, and take what the user wants of it."""

from __future__ import annotations

import asyncio
import os

from e2ee import Padding
from e2ee.conversation import FILES
from e2ee.file_events import Offered

from . import ask
from .addresses import with_port
from .carrying import carry, raise_worst
from .dialling import id_of
from .door import sessions
from .encounter import Encounter, announce
from .exits import CliError, Exit
from .incoming_files import Inbox
from .lines import STDIN
from .links import PendingLinks
from .profile import Profile
from .progress import human_size
from .progress_line import ProgressLine
from .purpose import agree
from .threads import in_thread
from .transfer import Row, Transfer
from .waiting import Waiting, addresses_of, plain_host


async def receive(
    profile: Profile,
    folder: str,
    host: str | None,
    port: int,
    *,
    peer: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """``peer`` -- who may send, by name or id. ``yes`` -- take everything from a contact.

    Raises CliError where something that was wanted has not come.
    """
    if not yes and not os.isatty(STDIN):
        raise CliError(
            "nobody is at a terminal to be asked; --yes takes everything from contacts", Exit.USAGE
        )
    if not await in_thread(lambda: os.path.isdir(folder) and os.access(folder, os.W_OK)):
        raise CliError(f"{folder!r} is no folder that may be written to", Exit.FILES)
    book, output = profile.book, profile.output
    expected = None if peer is None else id_of(book.read(), peer)
    links = PendingLinks(book)
    new_session = sessions(book, links, expected=expected, known=False, padding=Padding.NONE)
    rows: list[Row] = []

    async def take(encounter: Encounter) -> str:
        await agree(encounter.channel, [FILES], initiator=False)
        await _take(encounter, profile, folder, rows, yes=yes, as_json=as_json)
        return "left"

    waiting = Waiting(profile, links.name_for, take, once=True, asked_for=expected is not None)
    port = await waiting.begin(new_session, plain_host(host), port)
    try:
        addresses = addresses_of(plain_host(host))
        lines = [f"e2ee send FILE {with_port(address, port)}" for address in addresses]
        output.status(
            "listening",
            "Waiting for files. On the other machine run"
            + (" one of" if len(lines) > 1 else "")
            + "".join(f"\n  {line}" for line in lines)
            + f"\nYour safety words: {' '.join(book.identity.words)}",
            port=port,
            addresses=addresses,
            send=lines,
            id=book.identity.id,
            words=list(book.identity.words),
        )
        await waiting.serve()
    finally:
        await waiting.end()
    raise_worst(rows, "did not come")


async def _take(
    encounter: Encounter,
    profile: Profile,
    folder: str,
    rows: list[Row],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    announce(encounter, profile)
    contact = encounter.contact
    line = ProgressLine(profile.output, as_json=as_json)
    inbox = Inbox(folder, profile.book.identity, contact.identity)
    questions = asyncio.Lock()

    def on_end(row: Row) -> None:
        rows.append(row)
        if row.error is None:
            line.clear()
            profile.output.data(
                row.path, event="received", name=row.name, path=row.path, size=row.size
            )
        else:
            line.failed(row)

    async def decide(row: Row, offer: Offered) -> bool:
        what = "" if offer.count is None else f"a folder, {offer.count} files, "
        line.say(
            "offer",
            f"{contact.name} offers {row.name} ({what}{human_size(offer.size)})",
            name=row.name,
            size=offer.size,
            type="file" if offer.count is None else "folder",
            count=offer.count,
        )
        if yes and encounter.verdict.contact is not None:
            return True
        if not os.isatty(STDIN):
            return False
        async with questions:
            line.hidden = True
            try:
                answer = await ask.line(f"Take {row.name}? [y/N] ")
            finally:
                line.hidden = False
        return answer.lower() in {"y", "yes"}

    transfer = Transfer(inbox, decide, on_end, peer=contact.name)
    try:
        await carry(encounter.channel, transfer, line, None)
    finally:
        inbox.close()
