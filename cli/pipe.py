"""``e2ee pipe``: standard input and output of two machines joined; bytes, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from e2ee import Padding
from e2ee.conversation import PIPE
from e2ee.errors import E2EEError

from .addresses import with_port
from .dialling import call, id_of
from .door import sessions
from .encounter import Encounter, announce
from .exits import CliError, Exit, describe, exit_code
from .finding import Caller
from .links import PendingLinks
from .piping import Pipe
from .profile import Profile
from .purpose import agree
from .waiting import Waiting, addresses_of, plain_host

JOIN = Caller(("pipe",), "e2ee pipe --listen")


def check_usage(target: str | None, *, listen: bool, for_listening: Sequence[str]) -> None:
    """``for_listening`` -- the options that were given and mean nothing else. Raises CliError."""
    if listen == (target is not None):
        raise CliError(
            "give a contact or an address, or --listen; see e2ee pipe --help", Exit.USAGE
        )
    if for_listening and not listen:
        raise CliError(f"--{for_listening[0]} needs --listen", Exit.USAGE)


async def pipe_to(profile: Profile, target: str, *, peer: str | None) -> None:
    """Join a pipe that waits; ``target`` and ``peer`` as for ``call``. Raises as ``Pipe.run``."""
    encounter = await call(profile, target, peer=peer, padding=Padding.NONE, caller=JOIN)
    await _carry(encounter, profile, initiator=True)


async def wait_for_pipe(
    profile: Profile, host: str | None, port: int, *, known: bool, peer: str | None
) -> None:
    """For the first who may come: as ``peer``, where that is given; ``known`` as for ``listen``."""
    book, output = profile.book, profile.output
    host = plain_host(host)
    expected = None if peer is None else id_of(book.read(), peer)
    links = PendingLinks(book)

    async def take(encounter: Encounter) -> str:
        await _carry(encounter, profile, initiator=False)
        return "left"

    waiting = Waiting(profile, links.name_for, take, once=True, asked_for=expected is not None)
    new_session = sessions(book, links, expected=expected, known=known, padding=Padding.NONE)
    port = await waiting.begin(new_session, host, port, mute=known)
    try:
        addresses = addresses_of(host)
        lines = [f"e2ee pipe {with_port(address, port)}" for address in addresses]
        output.status(
            "listening",
            f"Waiting for a pipe. On the other machine run {' or '.join(lines)}",
            port=port,
            addresses=addresses,
            connect=lines,
            known=known,
            id=book.identity.id,
            words=list(book.identity.words),
        )
        await waiting.serve()
    finally:
        await waiting.end()


async def _carry(encounter: Encounter, profile: Profile, *, initiator: bool) -> None:
    channel = encounter.channel
    try:
        await agree(channel, [PIPE], initiator=initiator)
        announce(encounter, profile, briefly=True)
        await Pipe(channel).run()
    except E2EEError as error:
        # Who waits for a pipe would else wait for the same peer to come back.
        raise CliError(describe(error), exit_code(error)) from None
    finally:
        await channel.abort()
