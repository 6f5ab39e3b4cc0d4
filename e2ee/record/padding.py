"""Padding policies: how much of a message's length the wire shows. SPEC.md section 9.3."""

from __future__ import annotations

from enum import Enum

from e2ee.limits import INNER_HEADER_LENGTH, MAX_CONTENT_LENGTH

SHORTEST_PADDED = 256
"""Bytes of plaintext that every record of ``Padding.CHAT`` has at least: a line of chat,
a receipt and a ping look alike."""


class Padding(Enum):
    """How much a message's length shows.

    ``NONE`` shows each: for bulk data. ``CHAT`` hides those of short lines and blurs the rest.
    """

    NONE = "none"
    CHAT = "chat"


def padded_length(length: int) -> int:
    """The length of CHAT's plaintext (header, content and padding) that carries ``length`` bytes.

    It is at least 256, then Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted
    Files and Communication with PURBs", 2019): at most 12 % more, less for longer.
    """
    if length <= SHORTEST_PADDED:
        return SHORTEST_PADDED
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return min(length + mask & ~mask, INNER_HEADER_LENGTH + MAX_CONTENT_LENGTH)
