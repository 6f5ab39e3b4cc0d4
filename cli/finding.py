"""Finding a contact: where they answered before, one place after another, then this network."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import NamedTuple

from e2ee.contacts import Contact
from e2ee.errors import ConnectFailed, NameUnknown, ProtocolError, TransportError
from e2ee.transport import Channel, Stream, tcp

from .addresses import ip_literal
from .exits import CliError, Exit, exit_code
from .mdns import NoDiscovery
from .nearby import look
from .output import Output
from .ways import way


class Caller(NamedTuple):
    """A command that calls, and the one that answers it."""

    words: tuple[str, ...]
    answerer: str


CONNECT = Caller(("connect",), "e2ee listen")


class Place(NamedTuple):
    """``nearby`` -- found on this network, by a sign that anybody can repeat."""

    host: str
    port: int
    nearby: bool


class _Failure(NamedTuple):
    place: Place
    error: Exception

    @property
    def stage(self) -> str:
        if isinstance(self.error, NameUnknown):
            return "resolving"
        return "connecting" if isinstance(self.error, ConnectFailed) else "handshake"

    @property
    def where(self) -> str:
        return tcp.display_address((self.place.host, self.place.port))

    @property
    def somebody_else(self) -> bool:
        return exit_code(self.error) is Exit.TRUST

    @property
    def reason(self) -> str:
        return "somebody else answers there" if self.somebody_else else str(self.error)

    def __str__(self) -> str:
        if self.stage != "handshake":
            return self.reason  # It names the place, and the stage.
        return f"{self.where}, handshake: {self.reason}".replace("\n", "\n  ")


async def places_of(
    contact: Contact, output: Output, *, search: bool = True
) -> AsyncGenerator[Place]:
    """Where to try, in order. The network is asked only when the rest has been tried, and only for
    who wants to ``search`` it.
    """
    for known in contact.addresses:
        yield Place(known.host, known.port, nearby=False)
    if not search:
        return
    tried = {(known.host, known.port) for known in contact.addresses}
    output.status("searching", f"Looking for {contact.name} on this network …", name=contact.name)
    with contextlib.suppress(NoDiscovery):
        async with contextlib.aclosing(look([contact])) as seen:
            async for _, place in seen:
                if place not in tried:
                    yield Place(*place, nearby=True)


async def first_to_answer(
    contact: Contact,
    call: Callable[[str, int], Awaitable[Channel]],
    output: Output,
    *,
    search: bool = True,
    caller: Caller = CONNECT,
) -> tuple[Channel, tuple[str, int]]:
    """The channel that ``call`` opens at the first place where it can, and that place.

    Raises CliError, which names for each place that was tried what failed there. Where somebody
    else answered at an address that was the contact's, it is first of all what ``call`` raised.
    """
    failures: list[_Failure] = []
    async with contextlib.aclosing(places_of(contact, output, search=search)) as places:
        async for place in places:
            try:
                return await call(place.host, place.port), (place.host, place.port)
            except (ProtocolError, TransportError) as error:
                failures.append(_Failure(place, error))
            except CliError as error:
                if error.code not in {Exit.NETWORK, Exit.TRUST}:
                    raise
                failures.append(_Failure(place, error))
    raise _not_found(contact, failures, caller)


def _not_found(contact: Contact, failures: list[_Failure], caller: Caller) -> CliError:
    address = way(*caller.words, "HOST:PORT", "--peer", contact.name)
    if not failures:
        return CliError(
            f"no address of {contact.name} is known, and nobody on this network shows themself as "
            f"{contact.name}; give it: {address}",
            Exit.USAGE,
        )
    lines = "".join(f"\n  {failure}" for failure in failures)
    tried = [
        {"address": failure.where, "stage": failure.stage, "message": failure.reason}
        for failure in failures
    ]
    for failure in failures:
        # A sign on the network can lead to anybody; that is no reason to doubt the contact.
        if failure.somebody_else and not failure.place.nearby:
            others = f"\nWhat was tried:{lines}" if len(failures) > 1 else ""
            known = failure.error.fields if isinstance(failure.error, CliError) else {}
            return CliError(f"{failure.error}{others}", Exit.TRUST, **known, tried=tried)
    deepest = next((f.error for f in failures if f.stage == "handshake"), failures[0].error)
    return CliError(
        f"{contact.name} was not reached:{lines}\n"
        f"  on this network nobody {'else ' if failures[-1].place.nearby else ''}shows themself as "
        f"{contact.name}\n"
        f"Do they run `{caller.answerer}`? With another address: {address}",
        exit_code(deepest),
        tried=tried,
    )


async def stream_to(host: str, port: int, output: Output) -> Stream:
    """Connect, and say how far it has come. Raises ConnectFailed."""
    where = tcp.display_address((host, port))
    if ip_literal(host) is None:
        output.status("resolving", f"Looking up {host} …", host=host)
    output.status("connecting", f"Connecting to {where} …", address=where)
    stream = await tcp.connect_stream(host, port)
    output.status("handshake", f"Reached {where}, shaking hands …", address=where)
    return stream
