"""Addresses: reading HOST[:PORT], and finding this machine's own."""

from __future__ import annotations

import ipaddress
import re

from e2ee.limits import MAX_PORT

from .clean import quoted
from .exits import CliError, Exit
from .settings import DEFAULT_PORT


def parse_address(text: str) -> tuple[str, int]:
    """``HOST``, ``HOST:PORT``, ``[IPV6]:PORT`` or a bare IPv6 address. Raises CliError."""
    host, port = text, str(DEFAULT_PORT)
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _bad(text)
        port = rest[1:] if rest else port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if ":" in host or text.startswith("["):
        literal = ip_literal(host)
        if literal is None or literal.version != 6:
            raise _bad(text)
    elif not _may_be_a_name(host):
        raise _bad(text)
    if re.fullmatch("[0-9]{1,5}", port) is None or not 0 < int(port) <= MAX_PORT:
        raise _bad(text)
    return _normal(host), int(port)


def _may_be_a_name(host: str) -> bool:
    if re.search(r"[\0-,/:-@\[-^`{-\x7f\s]", host):
        return False
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def ip_literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that this text is, if it is one and not a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _normal(host: str) -> str:
    """One spelling for each host, so that it is known again."""
    literal = ip_literal(host)
    return host.lower().rstrip(".") or host if literal is None else str(literal)


def _bad(text: str) -> CliError:
    return CliError(
        f"{quoted(text)} is not an address; write HOST, HOST:PORT or [IPV6]:PORT, for example "
        f"192.168.1.20 or chat.example.org:{DEFAULT_PORT}",
        Exit.USAGE,
    )


def own_addresses() -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """All addresses of this machine, IPv4 first."""
    import ifaddr  # noqa: PLC0415 -- it brings ctypes along

    found = [
        ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    return sorted(found, key=lambda ip: ip.version)


def reachable_addresses() -> list[str]:
    """This machine's addresses that others may reach, IPv4 first; loopback if there is no other."""
    usable = [ip for ip in own_addresses() if not (ip.is_loopback or ip.is_link_local)]
    return [str(ip) for ip in usable] or ["127.0.0.1"]


def with_port(host: str, port: int) -> str:
    """The shortest text that ``parse_address`` reads as this host and port."""
    if port == DEFAULT_PORT:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
