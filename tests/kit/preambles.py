"""Cases of the first eight bytes of each side: SPEC.md section 4.1."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .case import Case
from .second_client import CODE, KNOWN, LINK
from .stage import Stage, flipped

SECTION = "4.1"


def preamble(version: int, code: int, suite: int) -> bytes:
    return struct.pack(">4sBBH", b"e2ee", version, code, suite)


def _hello(data: bytes, fail: str, *, accepts: tuple[int, ...] = (0x0001,)) -> Stage:
    """A responder that accepts these suites gets these first bytes."""
    stage = Stage("responder", accepts[0], accepts=accepts)
    stage.give(data, fail=fail)
    return stage


def _answer(data: bytes, fail: str, suite: int = 0x0001) -> Stage:
    """An initiator gets these first bytes."""
    stage = Stage("initiator", suite)
    stage.give(data, fail=fail)
    return stage


def cases() -> Iterator[Case]:
    yield from _of_a_responder()
    yield from _of_an_initiator()


def _of_a_responder() -> Iterator[Case]:
    for at in range(4):
        yield _hello(flipped(preamble(1, 0, 1), at)[: at + 1], "not-e2ee").finished(
            f"preamble/hello_magic_byte_{at}",
            f"Byte {at} of the magic is another. It is refused before the next one comes.",
            SECTION,
        )
    strangers = {
        "http": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
        "ssh": b"SSH-2.0-OpenSSH_9.9\r\n",
        "capital_letters": b"E2EE\1\0\0\1",
    }
    for name, data in strangers.items():
        yield _hello(data, "not-e2ee").finished(
            f"preamble/hello_{name}", "Somebody speaks something else.", SECTION
        )
    for version in (0, 2, 255):
        yield _hello(preamble(version, 0, 1), "version-refused").finished(
            f"preamble/hello_version_{version}",
            f"Version {version}. The refusal names version 1 and suite 0.",
            SECTION,
        )
    yield _hello(preamble(2, 7, 0xFFFF), "version-refused").finished(
        "preamble/hello_version_before_code_and_suite",
        "Version, code and suite are all wrong: the version is looked at first.",
        SECTION,
    )
    yield _hello(preamble(1, 2, 0xFFFF), "breach").finished(
        "preamble/hello_code_before_suite",
        "Code and suite are wrong: the code is looked at first, and gets no answer.",
        SECTION,
    )
    for code in (1, 2, 3, 4, 255):
        yield _hello(preamble(1, code, 1), "breach").finished(
            f"preamble/hello_code_{code}", f"The initiator begins with code {code}.", SECTION
        )
    for suite in (0x0000, 0x0004, 0x0100, 0xFFFF):
        yield _hello(preamble(1, 0, suite), "suite-refused").finished(
            f"preamble/hello_suite_{suite:#06x}", "No suite has this number.", SECTION
        )
    for suite in (0x0002, 0x0003, KNOWN, LINK, CODE):
        yield _hello(preamble(1, 0, suite), "suite-refused").finished(
            f"preamble/hello_suite_{suite:#06x}_not_accepted",
            "A suite that exists, and that this responder does not accept.",
            SECTION,
        )
    yield _hello(preamble(1, 0, 0x0100), "suite-refused").finished(
        "preamble/hello_suite_bytes_swapped", "The suite is big-endian.", SECTION
    )
    mute = (KNOWN,)
    silent = {
        "version": (preamble(2, 0, KNOWN), "version-refused"),
        "suite": (preamble(1, 0, 0x0001), "suite-refused"),
        "link": (preamble(1, 0, LINK), "suite-refused"),
        "code": (preamble(1, 0, CODE), "suite-refused"),
        "unknown_suite": (preamble(1, 0, 0xFFFF), "suite-refused"),
    }
    for name, (data, fail) in silent.items():
        yield _hello(data, fail, accepts=mute).finished(
            f"preamble/mute_{name}",
            "A responder that accepts only known openings refuses without a byte.",
            "4.3",
        )
    for size in (0, 3, 7):
        stage = Stage("responder", 0x0001)
        if size:
            stage.give(preamble(1, 0, 1)[:size])
        stage.end("truncated")
        yield stage.finished(
            f"preamble/hello_cut_after_{size}", f"The stream ends after {size} bytes.", SECTION
        )


def _of_an_initiator() -> Iterator[Case]:
    for at in range(4):
        yield _answer(flipped(preamble(1, 0, 1), at, 7)[: at + 1], "not-e2ee").finished(
            f"preamble/answer_magic_byte_{at}",
            f"Byte {at} of the magic is another. It is refused before the next one comes.",
            SECTION,
        )
    refusals = {
        "version_refused": (preamble(2, 1, 0), "version-refused"),
        "version_refused_by_the_same_version": (preamble(1, 1, 0xABCD), "version-refused"),
        "suite_refused": (preamble(1, 2, 2), "suite-refused"),
        "suite_refused_for_the_same_suite": (preamble(9, 2, 1), "suite-refused"),
        "invitation_refused": (preamble(1, 3, 1), "invitation-refused"),
        "code_4": (preamble(1, 4, 1), "breach"),
        "code_255": (preamble(1, 255, 1), "breach"),
        "another_suite": (preamble(1, 0, 2), "breach"),
        "a_weaker_suite": (preamble(1, 0, 3), "breach"),
        "another_version": (preamble(2, 0, 1), "breach"),
        "version_0": (preamble(0, 0, 1), "breach"),
    }
    for name, (data, fail) in refusals.items():
        yield _answer(data, fail).finished(
            f"preamble/answer_{name}",
            "An answer that accepts is the hello, byte for byte; another is no answer to it.",
            SECTION,
        )
    for suite, opening in ((KNOWN, "known"), (LINK, "link"), (CODE, "code")):
        yield _answer(preamble(1, 2, 1), "suite-refused", suite).finished(
            f"preamble/answer_suite_refused_{opening}",
            "The responder wants another opening; the initiator does not try it by itself.",
            SECTION,
        )
    for suite, opening in ((LINK, "link"), (CODE, "code")):
        yield _answer(preamble(1, 3, suite), "invitation-refused", suite).finished(
            f"preamble/answer_invitation_refused_{opening}",
            "The invitation is unknown, used, revoked or expired.",
            SECTION,
        )
    for size in (0, 4, 7):
        stage = Stage("initiator", 0x0001)
        if size:
            stage.give(preamble(1, 0, 1)[:size])
        stage.end("truncated")
        yield stage.finished(
            f"preamble/answer_cut_after_{size}", f"The stream ends after {size} bytes.", SECTION
        )
