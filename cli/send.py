"""``e2ee send``: files and folders to a contact, or to somebody who receives at an address."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from e2ee.contacts import Contact
from e2ee.conversation import FILES
from e2ee.errors import E2EEError, TransportError, Truncated, UsageError
from e2ee.file_events import Offered

from .calling import call_again, new_pauses
from .carrying import carry, raise_worst
from .clean import clean
from .dialling import call
from .encounter import Encounter, announce
from .exits import CliError, Exit
from .file_desk import FileDesk
from .finding import Caller
from .outgoing_files import OutgoingFolder, outgoing
from .profile import Profile
from .progress import human_size
from .progress_line import ProgressLine
from .purpose import agree
from .threads import in_thread
from .transfer import GO_ON, RETURN_TIMEOUT, Row

SEND = Caller(("send", "FILE"), "e2ee receive")


async def send(
    profile: Profile, paths: Sequence[str], target: str, *, peer: str | None, as_json: bool
) -> None:
    """``target`` and ``peer`` as for ``call``. Raises CliError where not everything arrived."""
    line = ProgressLine(profile.output, as_json=as_json)
    # Before anybody is called: what cannot be sent is found out here.
    found = [(path, await in_thread(lambda path=path: outgoing(path))) for path in paths]  # type: ignore[misc]
    for path, disk in found:
        if isinstance(disk, OutgoingFolder) and disk.links:
            line.say("links", f"{clean(path)}: symbolic links, not sent: {disk.links}", path=path)
    encounter = await call(profile, target, peer=peer, caller=SEND)
    contact = encounter.contact
    announce(encounter, profile)
    rows: list[Row] = []

    def on_end(row: Row) -> None:
        rows.append(row)
        if row.error is None:
            size = human_size(row.size)
            line.say("sent", f"Sent {row.name} ({size})", name=row.name, size=row.size)
        else:
            line.failed(row)

    desk = FileDesk(profile.book.identity, contact, folder=None, ask=_refuse, on_end=on_end)
    for path, disk in found:
        try:
            desk.wish(path, disk)
        except UsageError as error:
            raise CliError(f"{path}: {error}", Exit.FILES) from None
    await _carry_all(encounter, profile, desk, line)
    if desk.unsent:
        raise CliError(
            f"{desk.unsent} of {len(found)} were not sent: {contact.name} has stopped; {GO_ON}",
            Exit.NOT_CONFIRMED,
        )
    raise_worst(rows, "were not sent")


async def _carry_all(
    encounter: Encounter, profile: Profile, desk: FileDesk, line: ProgressLine
) -> None:
    """Until all is sent or they have stopped, over as many channels as it takes."""
    contact, began = encounter.contact, False
    while True:
        try:
            await agree(encounter.channel, [FILES], initiator=True)
            began = True
            await _carry(encounter, desk, line)
        except (TransportError, Truncated) as error:
            if not began:
                raise
            line.say(
                "lost",
                f"The connection to {contact.name} is lost: {error}. Trying again …",
                name=contact.name,
                reason=str(error),
            )
            await encounter.channel.abort()
            encounter = await _call_again(contact, profile, error)
        else:
            return


async def _call_again(contact: Contact, profile: Profile, error: E2EEError) -> Encounter:
    try:
        async with asyncio.timeout(RETURN_TIMEOUT):
            return await call_again(contact, profile, new_pauses())
    except TimeoutError:
        raise CliError(f"{error}; {GO_ON}", Exit.NETWORK) from None


async def _carry(encounter: Encounter, desk: FileDesk, line: ProgressLine) -> None:
    transfer = desk.open()
    try:
        await carry(encounter.channel, transfer, line, desk.all_sent())
    finally:
        desk.closed(transfer)


async def _refuse(_row: Row, _offer: Offered) -> bool:
    return False
