"""Identity keys as people meet them: the ``e2ee1…`` id and the safety words. SPEC.md section 7."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from e2ee.errors import InvalidId, InvalidPublicKey
from e2ee.primitives import HASHES

__all__ = [
    "ID_LENGTH",
    "WORD_COUNT",
    "check_identity_key",
    "decode_id",
    "encode_id",
    "safety_words",
    "whole_word",
    "word_list",
]

# Bech32m, BIP-350.
_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32M = 0x2BC830A3
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6

_PREFIX = "e2ee"
ID_LENGTH = len(_PREFIX) + 1 + 52 + _CHECKSUM_LENGTH
"""63 characters: ``e2ee1``, 52 for the key, 6 of checksum."""

PREFIX_LENGTH = 3
"""Letters that tell the words of the list apart."""

WORD_COUNT = 8
"""Words of 10.3 bits each: 82.7 bits."""


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def encode_bech32m(prefix: str, data: bytes) -> str:
    """``prefix``, a 1, the data five bits a character, and a checksum of six characters.

    ``data`` -- any number of bytes.
    """
    padding = -len(data) * 8 % 5
    number = int.from_bytes(data) << padding
    count = (len(data) * 8 + padding) // 5
    values = [number >> 5 * (count - 1 - i) & 31 for i in range(count)]
    checksum = _polymod(_expand(prefix) + values + [0] * _CHECKSUM_LENGTH) ^ _BECH32M
    values += [checksum >> 5 * (_CHECKSUM_LENGTH - 1 - i) & 31 for i in range(_CHECKSUM_LENGTH)]
    return prefix + "1" + "".join(_CHARSET[value] for value in values)


def decode_bech32m(prefix: str, text: str) -> bytes:
    """The bytes behind ``encode_bech32m``; letters of one case only. Raises InvalidId."""
    if not text.isascii():
        raise InvalidId("an id has a character that no id has")
    if text not in (text.lower(), text.upper()):
        raise InvalidId("an id does not mix capital and small letters")
    lowered = text.lower()
    if not lowered.startswith(prefix + "1"):
        raise InvalidId(f"an id begins with {prefix}1")
    values = [_CHARSET.find(c) for c in lowered[len(prefix) + 1 :]]
    if len(values) < _CHECKSUM_LENGTH or -1 in values:
        raise InvalidId("an id has a character that no id has, or is cut short")
    if _polymod(_expand(prefix) + values) != _BECH32M:
        raise InvalidId("an id is mistyped: its checksum does not fit")
    values = values[:-_CHECKSUM_LENGTH]
    padding = len(values) * 5 % 8
    number = 0
    for value in values:
        number = number << 5 | value
    if padding >= 5 or number & (1 << padding) - 1:
        raise InvalidId("an id has stray bits at its end")
    return (number >> padding).to_bytes(len(values) * 5 // 8)


_FIELD_PRIME = 2**255 - 19
_LOW_ORDER_Y = frozenset(
    {
        0,
        1,
        _FIELD_PRIME - 1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            "little",
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            "little",
        ),
    }
)


def check_identity_key(key: bytes) -> None:
    """Refuse the Ed25519 keys under which a signature proves nothing. Raises InvalidPublicKey.

    ``key`` has 32 bytes. Refused are the points of low order, and encodings whose y is not
    reduced; ``cryptography`` accepts them. Together they cover the 14 encodings of the 8 low-order
    points.
    """
    if len(key) != 32:
        raise InvalidPublicKey("an identity key has 32 bytes")
    y = int.from_bytes(key, "little") & (2**255 - 1)
    if y >= _FIELD_PRIME or y in _LOW_ORDER_Y:
        raise InvalidPublicKey("an identity key of low order, or not in canonical form")


def encode_id(identity_key: bytes) -> str:
    """The id of a 32-byte identity key: ``e2ee1`` and 58 characters."""
    return encode_bech32m(_PREFIX, identity_key)


def decode_id(text: str) -> bytes:
    """The 32-byte identity key behind an id; surrounding blanks and case do not matter.

    Raises InvalidId.
    """
    if not isinstance(text, str):
        raise InvalidId("an id is a string")
    key = decode_bech32m(_PREFIX, text.strip())
    try:
        check_identity_key(key)
    except InvalidPublicKey as error:
        raise InvalidId(str(error)) from None
    return key


@cache
def word_list() -> tuple[str, ...]:
    """The 1,296 words of EFF's short list 2; the first three letters tell them apart."""
    text = files("e2ee").joinpath("words.txt").read_text("ascii")
    return tuple(line for line in text.split("\n") if line and not line.startswith("#"))


def whole_word(typed: str) -> str | None:
    """The word of the list that somebody means by it, or by its first three letters or more."""
    lowered = typed.lower()
    found = [word for word in word_list() if word.startswith(lowered)]
    if lowered in found:
        return lowered
    return found[0] if len(lowered) >= PREFIX_LENGTH and len(found) == 1 else None


def safety_words(identity_key: bytes) -> tuple[str, ...]:
    """Eight words that stand for a 32-byte identity key when people compare it aloud.

    SPEC.md section 7.3.
    """
    words = word_list()
    number = int.from_bytes(HASHES["SHA256"].hash(b"e2ee safety words v1\0" + identity_key))
    chosen = []
    for _ in range(WORD_COUNT):
        number, index = divmod(number, len(words))
        chosen.append(words[index])
    return tuple(chosen)
