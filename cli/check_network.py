"""Checks of the network: the port to listen on, this machine's addresses, and being found."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from e2ee import Session
from e2ee.errors import AddressInUse, TransportError
from e2ee.transport import tcp

from .addresses import own_addresses
from .checks import Check, failed, ok, problem, warning
from .clean import clean
from .exits import Exit
from .mdns import NoDiscovery, comes_back, local_network
from .settings import DEFAULT_PORT
from .ways import way

if TYPE_CHECKING:
    import psutil


async def check_network() -> AsyncIterator[Check]:
    yield await check_port(DEFAULT_PORT)
    yield check_addresses()
    yield await check_discovery()


async def check_port(port: int) -> Check:
    """Whether ``e2ee listen`` would get this port, and if not, who has it."""
    try:
        listener = await tcp.listen(_no_session, _nothing, port=port)
    except AddressInUse:
        pass
    except TransportError as error:
        return failed("port", error, f"choose another: {way('listen', '--port', '0')}")
    else:
        await listener.close()
        return ok("port", f"{port} is free")
    name, number = _holder(port)
    seems = ""
    if not name and (hidden := _another_e2ee()) is not None:
        name, number, seems = "e2ee", hidden, ", it seems,"
    if name == "e2ee":
        return warning(
            "port",
            f"{port} is held{seems} by another e2ee (process {number})",
            f"end it, or choose another port: {way('listen', '--port', '0')}",
        )
    who = f"{clean(name)} (process {number})" if name else "a program of another user"
    return problem(
        "port",
        f"{port} is held by {who}",
        f"choose another: {way('listen', '--port', '0')}",
        Exit.IN_USE,
    )


def _no_session() -> Session:
    raise TransportError("nobody is answered while the port is tried")


async def _nothing(_: object) -> None:
    """For channels, of which none comes."""


def _holder(port: int) -> tuple[str, int | None]:
    """The name of the program that listens on this port, and its process; empty if hidden."""
    import psutil  # noqa: PLC0415 -- only where the port is taken

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or connection.laddr.port != port:
                continue
            if connection.pid is None:
                continue
            process = psutil.Process(connection.pid)
            return "e2ee" if _is_e2ee(process) else process.name(), connection.pid
    except psutil.Error:
        pass  # Some systems tell only root.
    return "", None


def _another_e2ee() -> int | None:
    """One that runs, if one does: which ports it holds is told to root only, see core_dumps.py."""
    import psutil  # noqa: PLC0415 -- only where the port is taken

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and _is_e2ee(process):
                return int(process.pid)
    return None


def _is_e2ee(process: psutil.Process) -> bool:
    # Of the command line no more than this is looked at: the rest may be anything.
    return "e2ee" in (os.path.basename(word) for word in process.cmdline()[:2])


def check_addresses() -> Check:
    """Where others can reach this machine."""
    own = [address for address in own_addresses() if not address.is_loopback]
    reachable = [address for address in own if not address.is_link_local]
    if reachable:
        versions = sorted({address.version for address in reachable})
        kinds = " and ".join(f"IPv{version}" for version in versions)
        return ok("addresses", f"{', '.join(map(str, reachable))} ({kinds})")
    if own:
        return warning(
            "addresses",
            f"only of this link: {', '.join(map(str, own))}",
            "other machines need one that is not link-local: see why the network gave none",
        )
    return warning(
        "addresses",
        "only loopback: no other machine can reach this one",
        f"connect to a network; for a try on this machine: {way('demo')}",
    )


async def check_discovery() -> Check:
    """Whether invitations and contacts can be found on this network."""
    without = "until then give addresses: e2ee join --at, e2ee connect HOST"
    try:
        async with local_network(None) as network:
            if await comes_back(network):
                return ok("discovery", "mDNS can be sent, and is heard on this machine")
    except NoDiscovery as error:
        return warning(
            "discovery", f"mDNS cannot be used: {error}", f"connect to a network; {without}"
        )
    return warning(
        "discovery",
        "what is sent by mDNS does not come back",
        f"let UDP port 5353 through the firewall; {without}",
    )
