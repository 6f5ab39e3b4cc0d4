"""``e2ee invite``: let somebody in who shares nothing with us yet, by a spoken code or a link."""

from __future__ import annotations

import contextlib
import functools
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator

from e2ee import E2EEError, Padding, Session
from e2ee.code_offer import CodeOffer, OfferState
from e2ee.contacts import ContactBook
from e2ee.errors import TrustRefused
from e2ee.invitation import MAX_ADDRESSES, SpokenCode

from .addresses import parse_address, with_port
from .book import Book
from .chat import Chat
from .clean import quoted
from .discovery import NumberTaken, advertised
from .encounter import day
from .exits import CliError, Exit
from .links import PendingLinks, has_expired, new_link
from .mdns import NoDiscovery
from .output import Output
from .profile import Profile
from .qr import qr
from .settings import DEFAULT_PORT
from .waiting import Waiting, addresses_of, one_of, plain_host
from .ways import way

HIGHEST_NUMBER = 99
"""Of a code that is made here: short to say. Another machine's on this network is not taken again.
"""

NUMBER_TRIES = 5
"""Numbers that are tried; where others have all of them, the invitation cannot be found by one."""

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_LIFE = 52 * 604_800
"""Seconds that a link can be good for."""


async def invite_by_code(
    profile: Profile,
    host: str | None,
    port: int,
    *,
    at: str | None,
    name: str,
) -> None:
    """``at`` -- the address to tell the other person, if it is not one of this machine."""
    book, output = profile.book, profile.output
    identity = book.identity
    name = _check_book(book, name)
    offers: list[CodeOffer] = []

    def new_session() -> Session:
        return Session.responder(
            identity, suites=(), code=offers[-1], now=time.time(), padding=Padding.CHAT
        )

    def is_end(error: E2EEError) -> bool:
        return offers[-1].state is OfferState.BURNED or isinstance(error, TrustRefused)

    host = plain_host(host)
    offers.append(_new_offer())
    chat = Chat(profile)
    host_one = functools.partial(chat.host, initiator=False)
    waiting = Waiting(profile, lambda _: name, host_one, once=True, is_end=is_end)
    port = await waiting.begin(new_session, host, port)
    try:
        addresses = addresses_of(host)
        async with _found_by_number(offers, port, addresses) as discoverable:
            code = offers[-1].code
            told = (
                [with_port(*parse_address(at))]
                if at is not None
                else [with_port(a, port) for a in addresses]
            )
            here = ["e2ee join"] if discoverable else []
            lines = here + [f"e2ee join --at {address}" for address in told]
            output.data(
                str(code), event="code", code=str(code), number=code.number, at=told, port=port
            )
            output.status(
                "inviting",
                "Tell the other person this code, by voice or in another way that nobody else\n"
                f"hears. It is good for one try. There they run{one_of(lines)}\n"
                "and type it.",
                number=code.number,
                port=port,
                join=lines,
                discoverable=discoverable,
            )
            await waiting.somebody()
        await chat.run(waiting.serve(), leave_at_end_of_input=False)
    except E2EEError as error:
        if offers[-1].state is not OfferState.BURNED:
            raise
        raise CliError(
            f"the code is of no use any more: {error}; for a new one: {way('invite')}",
            Exit.INVITATION,
        ) from None
    finally:
        await waiting.end()


def _new_offer() -> CodeOffer:
    return CodeOffer(SpokenCode.generate(1 + secrets.randbelow(HIGHEST_NUMBER)))


@contextlib.asynccontextmanager
async def _found_by_number(
    offers: list[CodeOffer], port: int, addresses: list[str]
) -> AsyncIterator[bool]:
    """Answer on the local network for the offer's number; whether that is possible.

    Where another machine has the number, the offer is replaced by one with another.
    """
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(NUMBER_TRIES):
            try:
                await stack.enter_async_context(advertised(offers[-1].code.number, port, addresses))
            except NumberTaken:
                offers.append(_new_offer())
            except NoDiscovery:
                break
            else:
                yield True
                return
        yield False


async def invite_by_link(
    profile: Profile,
    host: str | None,
    port: int,
    *,
    at: str | None,
    lifetime: float,
    name: str,
) -> None:
    """``lifetime`` -- seconds that the link is good for, here or with a later ``e2ee listen``."""
    book, output = profile.book, profile.output
    identity = book.identity
    name = _check_book(book, name)
    host = plain_host(host)
    links = PendingLinks(book)

    def new_session() -> Session:
        return Session.responder(
            identity, suites=(), links=links, now=time.time(), padding=Padding.CHAT
        )

    chat = Chat(profile)
    host_one = functools.partial(chat.host, initiator=False)
    waiting = Waiting(profile, links.name_for, host_one, once=True)
    port = await waiting.begin(new_session, host, port)
    try:
        told = [parse_address(at)] if at is not None else [(a, port) for a in addresses_of(host)]
        link, pending = new_link(book, told[:MAX_ADDRESSES], lifetime=lifetime, name=name)
        if output.to_terminal:
            picture = qr(link.text.upper(), shutil.get_terminal_size().columns)
            if picture is not None:
                output.status("qr", picture, text=link.text)
        output.data(link.text, event="link", link=link.text, expires=pending.expires)
        until = time.strftime("%Y-%m-%d %H:%M", time.localtime(pending.expires))
        later = way("listen", *([] if port == DEFAULT_PORT else ["--port", str(port)]))
        output.status(
            "inviting",
            "Send this line to the other person, in a way that you trust: whoever has it\n"
            f"first is let in, once, until {until}. There they run\n"
            "  e2ee join --link\n"
            f"and paste it. You may stop here, and wait later with: {later}",
            port=port,
            expires=pending.expires,
        )
        await chat.run(waiting.serve(), leave_at_end_of_input=False)
    finally:
        await waiting.end()


def _check_book(book: Book, name: str) -> str:
    """That it can be read, and that the name is free, which is returned in its normal form."""
    contacts = book.read()
    return name and contacts.free_name(name)


def parse_lifetime(text: str) -> float:
    """Seconds: 30m, 12h, 1d, 2w. Raises CliError."""
    match = re.fullmatch("([1-9][0-9]{0,4})([mhdw])", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_LIFE:
        raise CliError(
            f"{quoted(text)} is no time that a link can be good for; write 30m, 12h, 1d or 2w",
            Exit.USAGE,
        )
    return seconds


def list_links(book: Book, output: Output) -> None:
    """Show the links that are pending."""
    for pending in book.read().invitations:
        state = "expired" if has_expired(pending) else "pending"
        short = pending.nonce.hex()[:8]
        whom = f" for {pending.name}" if pending.name else ""
        output.data(
            f"{short}  {state}, made {day(pending.created)}, good until "
            f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(pending.expires))}{whom}",
            event="pending_link",
            link=short,
            state=state,
            created=pending.created,
            expires=pending.expires,
            name=pending.name,
        )


def revoke_link(book: Book, short: str, output: Output) -> None:
    """Make a pending link useless, by the eight digits of its name in the list."""
    found = [p for p in book.read().invitations if p.nonce.hex()[:8] == short.lower()]
    if not found:
        raise CliError(
            f"no link {quoted(short)} is pending; see: {way('invite', 'list')}", Exit.INVITATION
        )

    def revoke(contacts: ContactBook) -> None:
        for pending in found:
            contacts.revoke_invitation(pending.nonce)

    book.change(revoke)
    output.status("revoked", f"The link {short} is revoked.", link=short)
