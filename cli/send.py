"""``e2ee send``: files and folders to a contact, or to somebody who receives at an address."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from e2ee.conversation import FILES
from e2ee.errors import UsageError
from e2ee.file_events import Offered

from .carrying import carry, raise_worst
from .dialling import call
from .encounter import announce
from .exits import CliError, Exit
from .outgoing_files import OutgoingFile, OutgoingFolder, outgoing
from .profile import Profile
from .progress import human_size
from .progress_line import ProgressLine
from .purpose import agree
from .threads import in_thread
from .transfer import Row, Transfer

AT_ONCE = 16
"""Files and folders that are offered and not done."""


async def send(
    profile: Profile, paths: Sequence[str], target: str, *, peer: str | None, as_json: bool
) -> None:
    """``target`` and ``peer`` as for ``call``. Raises CliError where not everything arrived."""
    line = ProgressLine(profile.output, as_json=as_json)
    # Before anybody is called: what cannot be sent is found out here.
    found = [(path, await in_thread(lambda path=path: outgoing(path))) for path in paths]  # type: ignore[misc]
    for path, disk in found:
        if isinstance(disk, OutgoingFolder) and disk.links:
            line.say("links", f"{path}: {disk.links} symbolic links are not sent", path=path)
    encounter = await call(profile, target, peer=peer)
    await agree(encounter.channel, [FILES], initiator=True)
    announce(encounter, profile)
    rows: list[Row] = []

    def on_end(row: Row) -> None:
        rows.append(row)
        if row.error is None:
            size = human_size(row.size)
            line.say("sent", f"Sent {row.name} ({size})", name=row.name, size=row.size)
        else:
            line.failed(row)

    async def decide(_row: Row, _offer: Offered) -> bool:
        return False

    transfer = Transfer(None, decide, on_end, peer=encounter.contact.name)
    await carry(encounter.channel, transfer, line, _offer_all(transfer, found))
    raise_worst(rows, "were not sent")


async def _offer_all(
    transfer: Transfer, found: Sequence[tuple[str, OutgoingFile | OutgoingFolder]]
) -> None:
    open_rows: set[asyncio.Task[bool]] = set()
    for path, disk in found:
        if len(open_rows) >= AT_ONCE:
            _, open_rows = await asyncio.wait(open_rows, return_when=asyncio.FIRST_COMPLETED)
        try:
            row = transfer.offer(path, disk)
        except UsageError as error:
            raise CliError(f"{path}: {error}", Exit.FILES) from None
        open_rows.add(asyncio.create_task(row.ended.wait()))
    await asyncio.wait(open_rows)
