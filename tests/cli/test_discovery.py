"""Finding an invitation on the local network, and what hostile answers do."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from e2ee_cli.discovery import NumberTaken, advertised, find
from e2ee_cli.mdns import Found, usable

needs_multicast = pytest.mark.usefixtures("can_multicast")

QUIET_AFTER_ANNOUNCING = 1.2
"""Seconds in which nobody repeats what it has just announced (RFC 6762, section 6)."""


@needs_multicast
def test_who_has_the_number_is_found_and_nothing_else_is_told(overhear: Any) -> None:
    async def work() -> None:
        async with advertised(731, 4567, ["127.0.0.1"]):
            assert await find(731) == [Found(("127.0.0.1",), 4567)]
            assert await find(732, seconds=0.7) == []
        assert await find(731, seconds=0.7) == []

    overheard = overhear()
    asyncio.run(work())
    seen = overheard.read()
    assert b"731" in seen
    assert socket.gethostname().encode() not in seen


@needs_multicast
def test_a_number_that_another_has_is_not_taken() -> None:
    async def work() -> None:
        async with advertised(733, 4567, ["127.0.0.1"]):
            await asyncio.sleep(QUIET_AFTER_ANNOUNCING)
            with pytest.raises(NumberTaken):
                async with advertised(733, 4568, ["127.0.0.1"]):
                    pass

    asyncio.run(work())


def name(text: str) -> bytes:
    parts = text.encode(errors="surrogateescape").split(b".")
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def answer(number: int, *, server: str, port: int, address: bytes) -> bytes:
    """A forged mDNS answer with SRV and A (or AAAA)."""
    instance = name(f"{number}._e2ee-invite._tcp.local")
    service = struct.pack(">HHH", 0, 0, port) + name(server)
    kind = 1 if len(address) == 4 else 28
    return (
        struct.pack(">HHHHHH", 0, 0x8400, 0, 3, 0, 0)
        + instance + struct.pack(">HHIH", 33, 1, 120, len(service)) + service
        + instance + struct.pack(">HHIH", 16, 1, 120, 1) + b"\0"
        + name(server) + struct.pack(">HHIH", kind, 1, 120, len(address)) + address
    )  # fmt: skip


def found_under_attack(attacker: Any, packets: list[bytes], number: int) -> list[Found]:
    async def work() -> list[Found]:
        async with advertised(number, 4567, ["127.0.0.1"]), attacker(packets):
            await asyncio.sleep(QUIET_AFTER_ANNOUNCING)
            return list(await find(number))

    found: list[Found] = asyncio.run(work())
    return found


@needs_multicast
def test_a_second_machine_with_the_number_is_seen(attacker: Any) -> None:
    evil = answer(734, server="evil.local", port=666, address=bytes([10, 6, 6, 6]))
    found = found_under_attack(attacker, [evil], 734)
    assert Found(("10.6.6.6",), 666) in found
    assert len(found) == 2


@needs_multicast
@pytest.mark.parametrize(
    ("number", "packets"),
    [
        (
            740,
            [b"", b"\0", b"\xff" * 500, bytes(12), struct.pack(">HHHHHH", 0, 0x8400, 9, 9, 9, 9)],
        ),
        (741, [answer(741, server="evil741.local", port=0, address=bytes([10, 6, 6, 6]))]),
        (742, [answer(742, server="evil742.local", port=9, address=bytes([224, 0, 0, 1]))]),
        (743, [answer(743, server="evil743.local", port=9, address=bytes(4))]),
        (744, [answer(744, server="evil744.local", port=9, address=bytes(3))]),
        (745, [answer(745, server="x" * 60, port=9, address=b"")]),
        (746, [answer(746, server="\udcff" * 63, port=9, address=b"")]),
    ],
    ids=["garbage", "port 0", "multicast", "unspecified", "short", "none", "no UTF-8"],
)
def test_answers_that_are_none_are_passed_over(
    attacker: Any, number: int, packets: list[bytes]
) -> None:
    assert found_under_attack(attacker, packets, number) == [Found(("127.0.0.1",), 4567)]


@needs_multicast
def test_a_flood_of_machines_is_cut_short(attacker: Any) -> None:
    packets = [
        answer(736, server=f"evil{n}.local", port=666, address=bytes([10, 6, 6, n]))
        for n in range(40)
    ]
    assert 2 <= len(found_under_attack(attacker, packets, 736)) <= 16


@needs_multicast
def test_join_tries_nothing_where_two_machines_answer(e2ee: Any, attacker: Any) -> None:
    async def work() -> tuple[int, str, str]:
        evil = answer(737, server="evil.local", port=666, address=bytes([10, 6, 6, 6]))
        async with advertised(737, 4567, ["127.0.0.1"]), attacker([evil]):
            await asyncio.sleep(QUIET_AFTER_ANNOUNCING)
            result: tuple[int, str, str] = await asyncio.to_thread(
                e2ee.run, "join", stdin=b"737-acrobat-velcro-sugar\n"
            )
            return result

    code, _, err = asyncio.run(work())
    assert code == 4
    assert "2 machines answer" in err
    assert "Nothing was tried" in err
    assert "e2ee join --at 127.0.0.1:4567" in err
    assert "e2ee join --at 10.6.6.6:666" in err
    assert "Connecting" not in err


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        (bytes([192, 168, 1, 20]), "192.168.1.20"),
        (socket.inet_pton(socket.AF_INET6, "fd00::1"), "fd00::1"),
        (socket.inet_pton(socket.AF_INET6, "fe80::1"), None),
        (bytes([255, 255, 255, 255]), "255.255.255.255"),
        (bytes([224, 0, 0, 251]), None),
        (bytes(4), None),
        (bytes(16), None),
        (b"", None),
        (b"abcde", None),
    ],
)
def test_which_addresses_are_tried(packed: bytes, text: str | None) -> None:
    assert usable(packed) == text


def test_the_end_of_a_search_that_is_cancelled_is_clean(
    recwarn: pytest.WarningsRecorder, figure: Callable[[str], None]
) -> None:
    async def work() -> None:
        task = asyncio.create_task(find(738))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(work())
    assert not recwarn.list
