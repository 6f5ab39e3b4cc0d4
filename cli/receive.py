"""``e2ee receive``: wait for somebody who sends files, and take what the user wants of it."""

from __future__ import annotations

import asyncio
import os
import signal

from e2ee import Padding
from e2ee.contacts import Contact
from e2ee.conversation import FILES
from e2ee.errors import TransportError, Truncated
from e2ee.file_events import Offered

from . import ask
from .addresses import with_port
from .carrying import carry, raise_worst
from .clean import quoted
from .dialling import id_of
from .door import sessions
from .encounter import Encounter, Lost, announce
from .exits import CliError, Exit
from .file_desk import FileDesk, offer_text
from .lines import STDIN
from .links import PendingLinks
from .profile import Profile
from .progress_line import ProgressLine, columns
from .purpose import agree
from .rows import fit
from .threads import in_thread
from .transfer import GO_ON, RETURN_TIMEOUT, Row
from .waiting import Waiting, addresses_of, one_of, plain_host


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
    if not await in_thread(lambda: os.path.lexists(folder)):
        raise CliError(f"{quoted(folder)} does not exist; make the folder first", Exit.FILES)
    if not await in_thread(lambda: os.path.isdir(folder) and os.access(folder, os.W_OK)):
        raise CliError(f"{quoted(folder)} is no folder that may be written to", Exit.FILES)
    book, output = profile.book, profile.output
    expected = None if peer is None else id_of(book.read(), peer)
    links = PendingLinks(book)
    new_session = sessions(book, links, expected=expected, known=False, padding=Padding.NONE)
    taking = _Taking(profile, folder, yes=yes, as_json=as_json)
    waiting = Waiting(
        profile,
        links.name_for,
        taking.host,
        once=True,
        asked_for=expected is not None,
        patience=RETURN_TIMEOUT,
    )
    port = await waiting.begin(new_session, plain_host(host), port)
    try:
        addresses = addresses_of(plain_host(host))
        lines = [f"e2ee send FILE {with_port(address, port)}" for address in addresses]
        output.status(
            "listening",
            f"Waiting for files. On the other machine run{one_of(lines)}\n"
            f"Your safety words: {' '.join(book.identity.words)}",
            port=port,
            addresses=addresses,
            send=lines,
            id=book.identity.id,
            words=list(book.identity.words),
        )
        await waiting.serve()
    except (TransportError, Truncated) as error:
        raise CliError(f"{error}; {GO_ON}", Exit.NETWORK) from None
    finally:
        await waiting.end()
        taking.close()
    raise_worst(taking.rows, "did not come")


class _Taking:
    """Files of the one who came first, over as many channels as it takes."""

    def __init__(self, profile: Profile, folder: str, *, yes: bool, as_json: bool) -> None:
        self._profile = profile
        self._folder = folder
        self._yes = yes
        self._line = ProgressLine(profile.output, as_json=as_json)
        self._questions = asyncio.Lock()
        self._desk: FileDesk | None = None
        self.rows: list[Row] = []
        """Those that have ended."""

    def close(self) -> None:
        if self._desk is not None:
            self._desk.close()

    async def host(self, encounter: Encounter) -> str:
        """All of one channel. Raises CliError, Lost and what ``agree`` raises."""
        await agree(encounter.channel, [FILES], initiator=False)
        contact = encounter.contact
        if self._desk is None:
            announce(encounter, self._profile)
            known = encounter.verdict.contact is not None

            async def ask_for(row: Row, offer: Offered) -> bool:
                return await self._ask(contact, row, offer, known=known)

            self._desk = FileDesk(
                self._profile.book.identity,
                contact,
                folder=self._folder,
                ask=ask_for,
                on_end=self._on_end,
            )
        transfer = self._desk.open()
        try:
            await carry(encounter.channel, transfer, self._line, None)
        except (TransportError, Truncated) as error:
            raise Lost(contact, error) from error
        finally:
            self._desk.closed(transfer)
        return "left"

    def _on_end(self, row: Row) -> None:
        self.rows.append(row)
        if row.error is None:
            self._line.clear()
            self._profile.output.data(
                row.path, event="received", name=row.name, path=row.path, size=row.size
            )
        else:
            self._line.failed(row)

    async def _ask(self, contact: Contact, row: Row, offer: Offered, *, known: bool) -> bool:
        text, fields = offer_text(contact, row, offer)
        self._line.say("offer", text, **fields)
        if self._yes and known:
            return True
        if not os.isatty(STDIN):
            return False
        async with self._questions:
            self._line.hidden = True
            try:
                # It is one row: where the terminal broke it, the name could pose as the program.
                answer = await ask.line(
                    f"Take {fit(row.name, columns() // 2)}? [y/N] ", self._profile.output
                )
            except CliError as error:
                if error.code is not Exit.INTERRUPTED:
                    return False
                # It is for all that goes on, and nothing more is asked until that has ended.
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.Event().wait()
                raise
            finally:
                self._line.hidden = False
        return answer.lower() in {"y", "yes"}
