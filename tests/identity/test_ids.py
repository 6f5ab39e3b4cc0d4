"""Ids and safety words: what people compare, and what happens when they mistype it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from e2ee.errors import InvalidId, InvalidPublicKey
from e2ee.ids import (
    ID_LENGTH,
    check_identity_key,
    decode_bech32m,
    decode_id,
    encode_bech32m,
    encode_id,
    safety_words,
    word_list,
)
from tests.session.low_order import LOW_ORDER_ED25519

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "e2ee-v1-handshake.json").read_text()
)["vectors"]
KEYS = st.binary(min_size=32, max_size=32).map(
    lambda seed: Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
)

PRIME = 2**255 - 19


def key_of(y: int, sign: int) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


# Bech32m as such, with the vectors of BIP-350.


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("a", "A1LQFN3A"),
        ("a", "a1lqfn3a"),
        ("?", "?1v759aa"),
    ],
)
def test_valid_strings_of_bip_350_without_data_are_read(prefix: str, text: str) -> None:
    assert decode_bech32m(prefix, text) == b""
    assert encode_bech32m(prefix, b"") == text.lower()


@pytest.mark.parametrize(
    ("prefix", "text", "data"),
    [
        (
            "abcdef",
            "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
            "ffbbcdeb38bdab49ca307b9ac5a928398a418820",
        ),
        (
            "split",
            "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
            "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d",
        ),
    ],
)
def test_valid_strings_of_bip_350_with_data_are_read(prefix: str, text: str, data: str) -> None:
    assert decode_bech32m(prefix, text).hex() == data
    assert encode_bech32m(prefix, bytes.fromhex(data)) == text


def test_a_valid_string_of_bip_350_that_holds_no_whole_bytes_is_refused() -> None:
    text = "11" + 82 * "l" + "ludsr8"
    with pytest.raises(InvalidId, match="stray bits"):
        decode_bech32m("1", text)
    with pytest.raises(InvalidId, match="checksum"):
        decode_bech32m("1", text[:-1] + "9")


@pytest.mark.parametrize(
    ("version", "program", "address"),
    [
        (
            1,
            "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ),
        (
            1,
            "000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
            "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
        ),
        (16, "751e", "bc1sw50qgdz25j"),
        (2, "751e76e8199196d454941c45d1b3a323", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs"),
    ],
)
def test_the_programs_of_segwit_addresses_are_found_in_our_encoding(
    version: int, program: str, address: str
) -> None:
    # An address has one character of version before its data; without version and checksum the
    # data characters are ours.
    data = bytes.fromhex(program)
    ours = encode_bech32m("bc", data)
    assert CHARSET[version] == address[3]
    assert ours[3:-6] == address[4:-6]
    assert decode_bech32m("bc", ours) == data


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("", "1xj0phk"),
        ("q", "qyrz8wqd2c9m"),
        ("", "1qyrz8wqd2c9m"),
        ("y", "y1b0jsk6g"),
        ("lt", "lt1igcx5c0"),
        ("in", "in1muywd"),
        ("mm", "mm1crxm3i"),
        ("au", "au1s5cgom"),
        ("m", "M1VUXWEZ"),
        ("", "16plkw9"),
        ("", "1p2gdwpf"),
        ("a", "a12uel5l"),  # the older Bech32
    ],
)
def test_invalid_strings_of_bip_350_are_refused(prefix: str, text: str) -> None:
    with pytest.raises(InvalidId):
        decode_bech32m(prefix or "e2ee", text)


@given(data=st.binary(max_size=50), prefix=st.text("abcdefghij0123456789", min_size=1, max_size=9))
@settings(deadline=None)
def test_any_bytes_come_back(data: bytes, prefix: str) -> None:
    text = encode_bech32m(prefix, data)
    assert decode_bech32m(prefix, text) == data
    assert decode_bech32m(prefix, text.upper()) == data


# Ids.


@pytest.mark.parametrize("role", ["initiator", "responder"])
@pytest.mark.parametrize("vector", VECTORS)
def test_the_known_answers(vector: dict[str, dict[str, Any]], role: str) -> None:
    person = vector[role]
    key = bytes.fromhex(person["identity_public"])
    assert encode_id(key) == person["id"]
    assert decode_id(person["id"]) == key
    assert list(safety_words(key)) == person["words"]


@given(key=KEYS)
@settings(deadline=None)
def test_an_id_has_63_characters_and_leads_back_to_its_key(key: bytes) -> None:
    text = encode_id(key)
    assert len(text) == ID_LENGTH == 63
    assert text.startswith("e2ee1")
    assert set(text[5:]) <= set(CHARSET)
    for form in (text, text.upper(), f"  {text}\n", f"\t{text.upper()} "):
        assert decode_id(form) == key


@given(key=KEYS)
@settings(max_examples=10, deadline=None)
def test_every_single_wrong_character_is_detected(key: bytes) -> None:
    text = encode_id(key)
    for place, right in enumerate(text):
        for wrong in CHARSET + "1b ioé-":
            if wrong != right:
                with pytest.raises(InvalidId):
                    decode_id(text[:place] + wrong + text[place + 1 :])


@given(key=KEYS)
@settings(max_examples=20, deadline=None)
def test_every_swap_loss_and_doubling_of_characters_is_detected(key: bytes) -> None:
    text = encode_id(key)
    for place in range(len(text)):
        others = {
            text[:place] + text[place + 1 :],
            text[:place] + text[place] + text[place:],
            text[:place]
            + text[place + 1 : place + 2]
            + text[place : place + 1]
            + text[place + 2 :],
            text[:place] + "q" + text[place:],
            text[:place],
        }
        for other in others - {text}:
            with pytest.raises(InvalidId):
                decode_id(other)


@given(
    key=KEYS,
    places=st.sets(st.integers(5, ID_LENGTH - 1), min_size=2, max_size=4),
    shifts=st.lists(st.integers(1, 31), min_size=4, max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_up_to_four_wrong_characters_are_always_detected(
    key: bytes, places: set[int], shifts: list[int]
) -> None:
    text = list(encode_id(key))
    for place, shift in zip(places, shifts, strict=False):
        text[place] = CHARSET[(CHARSET.index(text[place]) + shift) % 32]
    with pytest.raises(InvalidId):
        decode_id("".join(text))


def test_a_sign_that_becomes_a_letter_of_ids_in_lower_case_is_none() -> None:
    """The sign of the kelvin is a capital letter, and in lower case a k."""
    text = next(t for n in range(3, 99) if "k" in (t := encode_id(key_of(n, 0))))
    assert decode_id(text.upper())
    with pytest.raises(InvalidId, match="has a character"):
        decode_id(text.upper().replace("K", "\N{KELVIN SIGN}"))


@given(key=KEYS, count=st.integers(1, 62))
@settings(deadline=None)
def test_capital_and_small_letters_are_not_mixed(key: bytes, count: int) -> None:
    text = encode_id(key)
    mixed = text[:count].upper() + text[count:]
    assume(mixed not in (text, text.upper()))
    with pytest.raises(InvalidId, match="mix"):
        decode_id(mixed)


@given(text=st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_other_text_is_refused_with_one_type_of_error(text: str) -> None:
    for wrong in (text, "e2ee1" + text, "E2EE1" + text.upper()):
        with pytest.raises(InvalidId):
            decode_id(wrong)


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_an_id_of_another_length_is_refused_although_its_checksum_fits(length: int) -> None:
    with pytest.raises(InvalidId):
        decode_id(encode_bech32m("e2ee", bytes([7]) * length))


def test_an_id_of_another_kind_is_refused() -> None:
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    for prefix in ("e2e", "e2eee", "age", "npub"):
        with pytest.raises(InvalidId):
            decode_id(encode_bech32m(prefix, key))


@pytest.mark.attack(9)
def test_keys_of_low_order_are_refused_although_the_checksum_fits(
    figure: Callable[[str], None],
) -> None:
    for key in LOW_ORDER_ED25519:
        with pytest.raises(InvalidId):
            decode_id(encode_id(key))
        with pytest.raises(InvalidPublicKey):
            check_identity_key(key)
    figure(f"ids of low order: {len(LOW_ORDER_ED25519)} of {len(LOW_ORDER_ED25519)} refused")


@pytest.mark.attack(9)
def test_keys_that_are_not_reduced_are_refused(figure: Callable[[str], None]) -> None:
    keys = [key_of(y, sign) for y in range(PRIME, 2**255) for sign in (0, 1)]
    for key in keys:
        with pytest.raises(InvalidPublicKey):
            check_identity_key(key)
    figure(f"identity keys that are not reduced: {len(keys)} of {len(keys)} refused")


# Safety words.


def test_there_are_1296_words_told_apart_by_their_first_three_letters() -> None:
    words = word_list()
    assert len(words) == len(set(words)) == 1296
    assert len({word[:3] for word in words}) == 1296
    assert all(word.isascii() and word.replace("-", "").islower() for word in words)
    assert list(words) == sorted(words)


@given(key=KEYS, bit=st.integers(0, 255))
@settings(deadline=None)
def test_another_key_has_other_words(key: bytes, bit: int) -> None:
    other = bytearray(key)
    other[bit // 8] ^= 1 << bit % 8
    words = safety_words(key)
    assert len(words) == 8
    assert set(words) <= set(word_list())
    assert safety_words(bytes(other)) != words
