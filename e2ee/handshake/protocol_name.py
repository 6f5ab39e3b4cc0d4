"""Noise protocol names: their grammar and what they stand for.

Noise revision 34, section 8. ``Noise_<pattern><modifiers>_<DH>[+<KEM>]_<cipher>_<hash>``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TypeVar

from e2ee.errors import InvalidProtocolName
from e2ee.handshake.patterns import MODIFIERS, PATTERNS, Pattern, Token
from e2ee.primitives import CIPHERS, DHS, HASHES, KEMS, Cipher, Dh, Hash, Kem

MAX_NAME_LENGTH = 255
"""Bytes of the name of a protocol; Noise revision 34, section 8."""

T = TypeVar("T")

_PATTERN_SECTION = re.compile(r"([A-Z0-9]+)((?:[a-z][a-z0-9]*)(?:\+[a-z][a-z0-9]*)*)?")


@dataclass(frozen=True, slots=True)
class Protocol:
    """A parsed protocol name: the pattern with its modifiers applied, and the functions.

    ``name`` is as it was written, ``pattern`` as data; ``dh``, ``kem`` (None without the hfs
    modifier), ``cipher`` and ``hash`` are the functions that it names.
    """

    name: str
    pattern: Pattern
    dh: Dh
    kem: Kem | None
    cipher: Cipher
    hash: Hash


def parse_protocol_name(name: str) -> Protocol:
    """Parse and validate a name such as ``Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256``.

    Raises InvalidProtocolName, with the reason, for anything that the rules do not allow.
    """
    if not name.isascii() or len(name) > MAX_NAME_LENGTH:
        raise InvalidProtocolName(f"a protocol name has at most {MAX_NAME_LENGTH} bytes of ASCII")
    sections = name.split("_")
    if len(sections) != 5 or sections[0] != "Noise":
        raise InvalidProtocolName(f"not of the form Noise_PATTERN_DH_CIPHER_HASH: {name!r}")
    _, pattern_section, dh_section, cipher_section, hash_section = sections
    pattern = _parse_pattern(pattern_section)
    dh_name, plus, kem_name = dh_section.partition("+")
    needs_kem = pattern.contains(Token.E1)
    if needs_kem != bool(plus):
        raise InvalidProtocolName("the hfs modifier and a KEM after the DH name go together")
    return Protocol(
        name=name,
        pattern=pattern,
        dh=_look_up(DHS, dh_name, "DH"),
        kem=_look_up(KEMS, kem_name, "KEM") if needs_kem else None,
        cipher=_look_up(CIPHERS, cipher_section, "cipher"),
        hash=_look_up(HASHES, hash_section, "hash"),
    )


def _look_up(table: dict[str, T], name: str, what: str) -> T:
    try:
        return table[name]
    except KeyError:
        raise InvalidProtocolName(
            f"unknown {what} {name!r}; known are {', '.join(table)}"
        ) from None


@cache  # There are not many.
def _parse_pattern(section: str) -> Pattern:
    match = _PATTERN_SECTION.fullmatch(section)
    if match is None:
        raise InvalidProtocolName(f"not a pattern with modifiers: {section!r}")
    pattern = _look_up(PATTERNS, match[1], "pattern")
    modifiers = match[2].split("+") if match[2] else []
    if "hfs" in modifiers and "fallback" in modifiers:
        raise InvalidProtocolName("hfs with fallback is not defined")
    if len(set(modifiers)) != len(modifiers):
        raise InvalidProtocolName(f"a modifier stands twice in {section!r}")
    for first, second in pairwise(modifiers):
        if "fallback" not in (first, second) and first > second:
            raise InvalidProtocolName(f"modifiers are listed in alphabetical order: {section!r}")
    for modifier in modifiers:
        pattern = _look_up(MODIFIERS, modifier, "modifier")(pattern)
    return pattern
