"""``e2ee join``: come in by somebody's spoken code or link, and chat."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from e2ee import Identity, Padding, Session
from e2ee.errors import (
    ConnectFailed,
    InvitationRefused,
    NotE2EE,
    ProtocolError,
    UnexpectedPeer,
    UnsupportedSuite,
    WrongCode,
)
from e2ee.invitation import Link, SpokenCode
from e2ee.transport import Channel, tcp

from . import ask
from .addresses import parse_address, with_port
from .calling import stay_connected
from .chat import TIMEOUTS, Chat
from .discovery import find
from .encounter import day, meet
from .exits import CliError, Exit, exit_code
from .hint import hinting
from .links import has_expired
from .mdns import NoDiscovery
from .output import Output
from .profile import Profile
from .threads import in_thread
from .ways import way

ENVIRONMENT = "E2EE_INVITATION"
"""The variable that holds a code or a link, for scripts."""

MAX_FILE = 65_536
"""Bytes of a file in which a link is looked for."""


async def join(
    profile: Profile,
    code: str | None,
    *,
    by_link: bool,
    file: str | None,
    at: str | None,
    name: str,
) -> None:
    """``code`` -- from the command line. ``file`` -- where a code or a link is to be read from.
    ``at`` -- where the inviter is, if not on this network or where the link says. ``name`` -- what
    to call the inviter.
    """
    book, output = profile.book, profile.output
    contacts = book.read()
    name = name and contacts.free_name(name)
    given = None if at is None else [parse_address(at)]
    invitation = await _invitation(code, by_link=by_link, file=file, output=output)
    if isinstance(invitation, Link) and has_expired(invitation):
        raise CliError(
            f"the link has expired on {day(invitation.expires)}; ask for a new one, and see "
            "whether both clocks are right",
            Exit.INVITATION,
        )
    addresses: Sequence[tuple[str, int]]
    if given is not None:
        addresses = given
    elif isinstance(invitation, Link):
        addresses = invitation.addresses
    else:
        addresses = await _find(invitation.number, output)
    channel, address = await _open(book.identity, invitation, addresses, output)
    encounter = meet(profile, channel, dialled=address, name=name)
    if encounter.verdict.contact is None:
        alias = encounter.contact.name
        output.status(
            "expected",
            f"Did you expect this person? If not: Ctrl-D, and {way('contact', 'block', alias)}",
            name=alias,
        )
    chat = Chat(profile)
    await chat.run(stay_connected(chat, encounter), leave_at_end_of_input=True)


async def _invitation(
    code: str | None, *, by_link: bool, file: str | None, output: Output
) -> Link | SpokenCode:
    if code is not None:
        if code.lower().startswith("e2ee:"):
            raise CliError(
                "a link on the command line can be read by everybody on this machine: run "
                f"`{way('join', '--link')}` and paste it",
                Exit.USAGE,
            )
        if by_link or file is not None:
            option = "--link" if by_link else "--file"
            raise CliError(f"a code and {option} exclude each other", Exit.USAGE)
        warning = "Others on this machine can see a code on the command line while it is used."
        output.status("warning", warning, text=warning)
        return SpokenCode.parse(code)
    if file is not None:
        text = await in_thread(lambda: _read(file, output))
    elif ENVIRONMENT in os.environ:
        text = os.environ[ENVIRONMENT]
    else:
        text = await (ask.link() if by_link else ask.code())
    if by_link or text.strip().lower().startswith("e2ee:"):
        return Link.parse(text)
    return SpokenCode.parse(text)


def _read(path: str, output: Output) -> str:
    try:
        with (
            open(path, encoding="utf-8", errors="replace") as file,
            hinting(output, "the code or the link", file.fileno()),
        ):
            return file.read(MAX_FILE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CliError(f"{path} cannot be read: {reason}", Exit.FILES) from None


async def _find(number: int, output: Output) -> list[tuple[str, int]]:
    output.status("searching", f"Looking for invitation {number} on this network …", number=number)
    try:
        found = await find(number)
    except NoDiscovery:
        found = []
    if not found:
        raise CliError(
            f"nobody on this network answers for number {number}; ask for the address that "
            f"`e2ee invite` shows, and run: {way('join', '--at', 'HOST:PORT')}",
            Exit.NETWORK,
        )
    if len(found) > 1:
        # Each would get a try at the code.
        lines = "".join(
            f"\n  {way('join', '--at', with_port(machine.addresses[0], machine.port))}"
            for machine in found
        )
        raise CliError(
            f"{len(found)} machines answer for number {number}, and one may be an impostor's. "
            f"Nothing was tried. Ask for the right address, and run one of{lines}",
            Exit.NETWORK,
        )
    return [(address, found[0].port) for address in found[0].addresses]


async def _open(
    identity: Identity,
    invitation: Link | SpokenCode,
    addresses: Sequence[tuple[str, int]],
    output: Output,
) -> tuple[Channel, tuple[str, int]]:
    """Come in at the first address that answers."""
    failure: Exception | None = None
    for host, port in addresses:
        where = tcp.display_address((host, port))
        output.status("connecting", f"Connecting to {where} …", address=where)
        session = Session.initiator(
            identity, invitation=invitation, now=time.time(), padding=Padding.CHAT
        )
        try:
            return await tcp.connect(host, port, session, timeouts=TIMEOUTS), (host, port)
        except ConnectFailed as error:
            failure = error
        except (NotE2EE, UnsupportedSuite, UnexpectedPeer) as error:
            failure = CliError(
                f"at {where} somebody listens, but not for this invitation: {error}",
                Exit.INVITATION,
            )
            # A link is not spent by it, and the address may be another machine's on this network.
            if isinstance(invitation, SpokenCode):
                raise failure from None
        except WrongCode as error:
            raise CliError(
                f"{error}. It can't be used again, by anybody: ask for a new one", Exit.INVITATION
            ) from None
        except InvitationRefused as error:
            raise CliError(f"{error}; ask for a new one", Exit.INVITATION) from None
        except ProtocolError as error:
            if not isinstance(invitation, SpokenCode):
                raise
            raise CliError(
                f"{error}. A code is good for one try: ask for a new one", exit_code(error)
            ) from None
    assert failure is not None
    raise failure
