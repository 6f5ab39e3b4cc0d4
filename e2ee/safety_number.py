"""The safety number of two people: what they compare to know that nobody is in between.

It is both their safety words, so that neither half can be ground. SPEC.md section 7.4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from e2ee.errors import InvalidId, UsageError
from e2ee.ids import decode_bech32m, decode_id, encode_bech32m, safety_words, whole_word
from e2ee.primitives import HASHES

DIGITS = 25
"""Decimal digits of each half: 83 bits."""

_QR_PREFIX = "safety"


@dataclass(frozen=True, slots=True)
class SafetyNumber:
    """``own`` and ``other`` -- two identity keys of 32 bytes each.

    The texts are the same on both sides: the smaller key comes first.
    """

    own: bytes
    other: bytes

    @property
    def words(self) -> tuple[str, ...]:
        """Sixteen words."""
        first, second = sorted((self.own, self.other))
        return safety_words(first) + safety_words(second)

    @property
    def digits(self) -> str:
        """Fifty digits."""
        return "".join(map(_digits, sorted((self.own, self.other))))

    @property
    def qr_text(self) -> str:
        """Both keys with a checksum, in capital letters, for a QR code."""
        return encode_bech32m(_QR_PREFIX, b"".join(sorted((self.own, self.other)))).upper()

    def matches(self, text: str) -> bool:
        """Whether this is what the other side shows, in any of the forms.

        The other's own half, as ``e2ee id`` shows it there, is enough: the eight words (three
        letters of each, or more), 25 digits, or the id. Raises UsageError for what is no form.
        """
        text = text.strip().lower()
        if text.startswith("e2ee1"):
            return decode_id(text) == self.other
        if text.startswith(_QR_PREFIX + "1"):
            try:
                return decode_bech32m(_QR_PREFIX, text) == b"".join(sorted((self.own, self.other)))
            except InvalidId:
                raise UsageError(
                    "this is mistyped or cut short: its checksum does not fit"
                ) from None
        digits = re.sub(r"[\s-]", "", text)
        if re.fullmatch("[0-9]+", digits) is not None:
            if len(digits) not in (DIGITS, 2 * DIGITS):
                raise UsageError(f"a safety number has {2 * DIGITS} digits, one half {DIGITS}")
            return digits in (self.digits, _digits(self.other))
        words = tuple(map(_whole_word, re.split(r"[\s,]+", text)))
        if len(words) not in (8, 16):
            raise UsageError("a safety number has 16 words, one half 8")
        return words in (self.words, safety_words(self.other))


def _digits(identity_key: bytes) -> str:
    number = int.from_bytes(HASHES["SHA256"].hash(b"e2ee safety digits v1\0" + identity_key))
    return f"{number % 10**DIGITS:0{DIGITS}}"


def _whole_word(typed: str) -> str:
    word = whole_word(typed)
    if word is None:
        raise UsageError(f"{typed[:20]!r} is no word of the list")
    return word
