"""The 14 encodings of points of low order, on each of the two curves."""

from __future__ import annotations

LOW_ORDER_X25519 = [
    bytes.fromhex(key)
    for key in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
]
"""Each with its top bit clear; X25519 ignores that bit, so each stands for two encodings."""
LOW_ORDER_X25519 += [key[:31] + bytes([key[31] | 0x80]) for key in LOW_ORDER_X25519]

PRIME = 2**255 - 19
LOW_ORDER_ED25519 = [
    (y | sign << 255).to_bytes(32, "little")
    for y in (
        0,
        1,
        PRIME - 1,
        PRIME,
        PRIME + 1,
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            "little",
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            "little",
        ),
    )
    for sign in (0, 1)
]
