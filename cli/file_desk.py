"""Files to and from one contact: what was offered and taken, whatever becomes of the channels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from e2ee import Identity
from e2ee.contacts import Contact
from e2ee.file_events import Offered

from .exits import Exit
from .incoming_files import Inbox
from .outgoing_files import OutgoingFile, OutgoingFolder, name_to_offer
from .progress import human_size
from .transfer import Row, Transfer

AT_ONCE = 16
"""Files and folders that are offered and not done; what else is to be sent waits."""


@dataclass(eq=False, slots=True)
class Wish:
    """A file or folder that is to be sent; its row is there while a channel carries it."""

    path: str
    disk: OutgoingFile | OutgoingFolder
    row: Row | None = None


def offer_text(contact: Contact, row: Row, offer: Offered) -> tuple[str, dict[str, Any]]:
    """What to say of an offer, and the fields of its event."""
    what = "" if offer.count is None else f"a folder, {offer.count} files, "
    return f"{contact.name} offers {row.name} ({what}{human_size(offer.size)})", {
        "name": row.name,
        "size": offer.size,
        "type": "file" if offer.count is None else "folder",
        "count": offer.count,
    }


class FileDesk:
    """Call ``open`` for each channel: what was cut goes on there by itself."""

    def __init__(
        self,
        identity: Identity,
        contact: Contact,
        *,
        folder: str | None,
        ask: Callable[[Row, Offered], Awaitable[bool]],
        on_end: Callable[[Row], None],
    ) -> None:
        """``folder`` -- where files go; without it none is taken. ``ask`` -- whether to take what
        is offered for the first time. ``on_end`` -- gets what has come, gone or failed for good.
        """
        self._inbox = None if folder is None else Inbox(folder, identity, contact.identity)
        self._peer_name = contact.name
        self._ask = ask
        self._on_end = on_end
        self._wishes: list[Wish] = []
        self._taken: set[bytes] = set()
        """Offers that were accepted, and not finished."""
        self._again: dict[Row, bytes] = {}
        self._nothing_left = asyncio.Event()
        self._nothing_left.set()
        self.transfer: Transfer | None = None
        """The one of the channel that came last, while it is there."""

    def close(self) -> None:
        """Once no channel is left."""
        if self._inbox is not None:
            self._inbox.close()

    @property
    def unsent(self) -> int:
        """Files and folders that are left to be sent."""
        return len(self._wishes)

    def wish(self, path: str, disk: OutgoingFile | OutgoingFolder) -> None:
        """Send this, now or when there is a channel. Raises UsageError for a name that no peer
        would take.
        """
        name_to_offer(path)
        self._wishes.append(Wish(path, disk))
        self._nothing_left.clear()
        self._offer()

    def open(self) -> Transfer:
        """For a fresh channel."""
        self.transfer = Transfer(self._inbox, self._decide, self._on_row_end, peer=self._peer_name)
        self._offer()
        return self.transfer

    def _offer(self) -> None:
        if self.transfer is None:
            return
        running = sum(wish.row is not None for wish in self._wishes)
        for wish in self._wishes:
            if running < AT_ONCE and wish.row is None:
                wish.row = self.transfer.offer(wish.path, wish.disk)
                running += 1

    def closed(self, transfer: Transfer) -> None:
        """The channel of this one has ended."""
        if self.transfer is transfer:
            self.transfer = None

    async def all_sent(self) -> None:
        """Wait until nothing is left to be sent."""
        await self._nothing_left.wait()

    async def _decide(self, row: Row, offer: Offered) -> bool:
        taken = offer.again in self._taken or await self._ask(row, offer)
        if taken:
            self._taken.add(offer.again)
            self._again[row] = offer.again
        return taken

    def _on_row_end(self, row: Row) -> None:
        cut = row.error is not None and row.error.code is Exit.NETWORK
        again = self._again.pop(row, None)
        wish = next((wish for wish in self._wishes if wish.row is row), None)
        if cut and (again or wish):
            if wish is not None:
                wish.row = None
            return
        if again is not None:
            self._taken.discard(again)
        if wish is not None:
            self._wishes.remove(wish)
        if not row.repeated:
            self._on_end(row)
        if not self._wishes:
            self._nothing_left.set()
        self._offer()
