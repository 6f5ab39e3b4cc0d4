"""Finds secrets in texts and files, raw or written in one of the forms that programs print."""

from __future__ import annotations

import base64
import itertools
import re
import struct
from collections.abc import Callable, Iterable, Iterator

WORD = 8
SHORTEST = 2 * WORD - 1
"""Bytes of a secret, from anywhere in it, that are found wherever they stand: among so many there
is a whole word at a multiple of eight, and looking at these alone is what makes it quick."""

_HEX = re.compile(rb"[0-9a-fA-F]{%d,}" % (2 * SHORTEST))
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{%d,}" % (SHORTEST * 4 // 3))
_DECIMALS = re.compile(rb"\d{1,3}(?:[,;: \n]{1,2}\d{1,3}){%d,}" % (SHORTEST - 1))
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def _as_hex(text: bytes) -> Iterator[bytes]:
    for match in _HEX.finditer(text):
        for digits in (match[0], match[0][1:]):
            yield bytes.fromhex(digits[: len(digits) // 2 * 2].decode())


def _as_base64(text: bytes) -> Iterator[bytes]:
    for match in _BASE64.finditer(text):
        whole = match[0].translate(_URL_SAFE)
        for start in range(4):
            digits = whole[start:]
            # One left over says nothing; two or three lack their padding.
            digits = digits[: len(digits) - (len(digits) % 4 == 1)]
            yield base64.b64decode(digits + b"=" * (-len(digits) % 4))


def _as_decimals(text: bytes) -> Iterator[bytes]:
    for match in _DECIMALS.finditer(text):
        yield bytes(int(number) & 0xFF for number in re.findall(rb"\d+", match[0]))


def _as_repr(text: bytes) -> Iterator[bytes]:
    """As in the ``repr`` of bytes, or of a string that was decoded from them."""
    if b"\\" in text:
        yield _ESCAPE.sub(
            lambda match: bytes.fromhex(match[1].decode()) if match[1] else _unescaped(match[2]),
            text,
        )


def _unescaped(character: bytes) -> bytes:
    return _ESCAPED.get(character, character)


FORMS: dict[str, Callable[[bytes], Iterable[bytes]]] = {
    "raw": lambda text: [text],
    "hex": _as_hex,
    "base64": _as_base64,
    "decimal": _as_decimals,
    "repr": _as_repr,
}


class Secrets:
    """Some secrets, each of 15 bytes or more, to be looked for."""

    def __init__(self, secrets: Iterable[bytes], *, and_those_of: Secrets | None = None) -> None:
        self._others = and_those_of
        self._secrets = frozenset(secrets)
        self._words = set(
            itertools.chain.from_iterable(
                struct.unpack_from(f"={(len(secret) - start) // WORD}Q", secret, start)
                for secret in self._secrets
                for start in range(WORD)
            )
        )

    def form_in(self, text: bytes) -> str | None:
        """The form in which 15 bytes of one of them are in the text, if they are."""
        for form, decoded in FORMS.items():
            if any(map(self._is_in, decoded(text))):
                return form
        return None

    def _is_in(self, data: bytes) -> bool:
        words = memoryview(data)[: len(data) // WORD * WORD].cast("Q")
        if not self._words.isdisjoint(words) and any(
            secret[start : start + SHORTEST] in data
            for secret in self._secrets
            for start in range(len(secret) - SHORTEST + 1)
        ):
            return True
        return self._others is not None and self._others._is_in(data)
