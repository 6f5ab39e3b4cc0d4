"""Reading and writing HOST[:PORT]."""

from __future__ import annotations

import pytest

from e2ee_cli.addresses import DEFAULT_PORT, parse_address, reachable_addresses, with_port
from e2ee_cli.exits import CliError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host", ("host", DEFAULT_PORT)),
        ("host.example.org:4000", ("host.example.org", 4000)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("::1", ("::1", DEFAULT_PORT)),
        ("[::1]", ("::1", DEFAULT_PORT)),
        ("[fe80::1%eth0]:65535", ("fe80::1%eth0", 65_535)),
        ("b\u00fccher.example", ("b\u00fccher.example", DEFAULT_PORT)),
        ("my_machine-2.", ("my_machine-2", DEFAULT_PORT)),
    ],
)
def test_addresses_that_people_write(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", ":1", "a:", "a:b", "a:-1", "a:+1", "a:٣", "[a]", "[::1]1"),
        *("a b", "a\n", "\x1b[31m", "\udcff", "a@b", "a/b", "a..b", "a" * 64, "a%eth0"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(CliError, match="is not an address"):
        parse_address(text)


@pytest.mark.parametrize("host", ["host", "192.0.2.1", "2001:db8::1"])
@pytest.mark.parametrize("port", [DEFAULT_PORT, 1, 65_535])
def test_what_listen_prints_is_what_connect_reads(host: str, port: int) -> None:
    assert parse_address(with_port(host, port)) == (host, port)


def test_there_is_always_an_address_to_print() -> None:
    assert reachable_addresses()
