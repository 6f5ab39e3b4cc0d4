"""Codes, links and safety numbers as people type and paste them. SPEC.md sections 7.4 to 7.6."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from e2ee import Identity
from e2ee.errors import InvalidInvitation, UsageError
from e2ee.ids import encode_bech32m, encode_id, safety_words, whole_word, word_list
from e2ee.invitation import MAX_CODE_NUMBER, Link, SpokenCode
from e2ee.safety_number import SafetyNumber

ALICE, BOB, CAROL = (Identity.generate().public_key for _ in range(3))

WORDS = st.sampled_from([word for word in word_list() if "-" not in word])
CODES = st.builds(SpokenCode, st.integers(1, MAX_CODE_NUMBER), st.tuples(WORDS, WORDS, WORDS))


@given(code=CODES, data=st.data())
def test_a_code_is_read_as_people_type_it(code: SpokenCode, data: st.DataObject) -> None:
    parts = [str(code.number)]
    for word in code.words:
        typed = word[: data.draw(st.integers(min(3, len(word)), len(word)))]
        parts.append(data.draw(st.sampled_from([typed, typed.upper(), typed.title()])))
    separators = st.sampled_from(["-", " ", "  ", " - ", "\u2013", "\u2014", "\u2011", ". ", "\n"])
    text = parts[0] + "".join(data.draw(separators) + part for part in parts[1:])
    read = SpokenCode.parse(f" {text}\n")
    assert (read.number, read.words) == (code.number, code.words)
    assert str(read) == "-".join([str(code.number), *code.words])
    assert read.password == "-".join(code.words).encode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with its number"),
        ("acrobat-velcro-sugar", "begins with its number"),
        ("4", "a number and 3 words"),
        ("4-acrobat-velcro", "a number and 3 words"),
        ("4-acrobat-velcro-sugar-tiger", "a number and 3 words"),
        ("0-acrobat-velcro-sugar", "from 1 to 999"),
        ("1000-acrobat-velcro-sugar", "begins with its number"),
        ("4-acrobat-velcro-sugr", "'sugr' is no word"),
        ("4-ac-velcro-sugar", "'ac' is no word"),
        ("4-acrobat-\x1b[31mvelcro-sugar", "no word"),
        ("4-acrobat-velcro-" + "x" * 10_000, "no word"),
        ("٤-acrobat-velcro-sugar", "begins with its number"),
    ],
)
def test_what_is_no_code_is_refused_and_the_rest_of_it_not_repeated(text: str, says: str) -> None:
    with pytest.raises(InvalidInvitation, match=says) as caught:
        SpokenCode.parse(text)
    assert "velcro-sugar" not in str(caught.value).replace("4-acrobat-velcro-sugar", "")
    assert len(str(caught.value)) < 200
    assert "\x1b" not in str(caught.value)


@given(code=CODES, place=st.integers(0, 2), wrong=st.text(string.ascii_lowercase, min_size=1))
def test_of_a_code_with_a_wrong_word_only_that_word_is_named(
    code: SpokenCode, place: int, wrong: str
) -> None:
    assume(whole_word(wrong) is None)
    words = list(code.words)
    words[place] = wrong
    with pytest.raises(InvalidInvitation) as caught:
        SpokenCode.parse(f"{code.number}-" + "-".join(words))
    named, rest = str(caught.value).split(" is no word of the list; ")
    assert named == repr(wrong[:20])
    assert rest == "nothing was tried with it"


def test_codes_are_drawn_from_all_words_and_show_none() -> None:
    codes = [SpokenCode.generate(7) for _ in range(3000)]
    drawn = {word for code in codes for word in code.words}
    assert len(drawn) > 1200
    assert "yo-yo" not in drawn
    with pytest.raises(InvalidInvitation, match="'yo-yo' is no word"):
        SpokenCode(7, ["yo-yo", "acrobat", "velcro"])
    assert {repr(code) for code in codes} == {"<SpokenCode number 7>"}


HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.text(string.ascii_letters + string.digits + ".-", min_size=1, max_size=40),
)
LINKS = st.builds(
    Link,
    st.sampled_from([ALICE, BOB]),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**53 - 1),
    st.lists(st.tuples(HOSTS, st.integers(1, 65_535)), min_size=1, max_size=8),
)


@given(link=LINKS)
@settings(deadline=None)
def test_a_link_is_read_as_it_was_written(link: Link) -> None:
    for text in (link.text, link.text.upper(), f"\n {link.text[:40]}\r\n  {link.text[40:]}\t"):
        read = Link.parse(text)
        assert read.text == link.text
        assert (read.identity_key, read.expires, read.addresses) == (
            link.identity_key,
            link.expires,
            link.addresses,
        )
        assert (read.lookup_id, read.psk) == (link.lookup_id, link.psk)


LINK = Link(ALICE, secrets.token_bytes(32), 2**31, [("192.168.1.20", 3233), ("fd00::1", 4000)])


def test_every_changed_character_and_every_swap_is_found(figure: Callable[[str], None]) -> None:
    text = LINK.text
    changes = 0
    for place in range(len(text)):
        for new in "qpzry9x8gf2tvdw0s3jn54khce6mua7l1b:E \x00é":
            changed = text[:place] + new + text[place + 1 :]
            if changed.lower() != text:
                with pytest.raises(InvalidInvitation):
                    Link.parse(changed)
                changes += 1
    for place in range(len(text) - 1):
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        if swapped != text:
            with pytest.raises(InvalidInvitation):
                Link.parse(swapped)
            changes += 1
    for end in range(len(text)):
        with pytest.raises(InvalidInvitation):
            Link.parse(text[:end])
    figure(
        f"links: {changes} of {changes} changes and swaps, {len(text)} of {len(text)} cuts found"
    )


def payload(
    *,
    version: int = 1,
    identity: bytes = ALICE,
    expires: int = 0,
    addresses: bytes = b"\x01a\x00\x01",
) -> str:
    data = bytes([version]) + identity + bytes(32) + expires.to_bytes(8) + addresses
    return "e2ee:" + encode_bech32m("invite", data)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    key = Identity.generate().public_key
    with pytest.raises(InvalidInvitation, match="a secret of 32 bytes"):
        Link(key, bytes(length), 1_800_000_000, [("localhost", 1)])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (payload(version=2), "version"),
        (payload(identity=bytes(32)), "identity"),
        (payload(identity=b"\x01" + bytes(31)), "identity"),
        (payload(expires=2**63), "time when it expires"),
        (payload(addresses=b""), "1 to 8 addresses"),
        (payload(addresses=b"\x01a\x00\x01" * 9), "1 to 8 addresses"),
        (payload(addresses=b"\x00\x00\x01"), "cannot be one"),
        (payload(addresses=b"\x01a\x00\x00"), "cannot be one"),
        (payload(addresses=b"\x03a b\x00\x01"), "cannot be one"),
        (payload(addresses=b"\x04a\x1b[m\x00\x01"), "cannot be one"),
        (payload(addresses=b"\x02\xff\xfe\x00\x01"), "cannot be one"),
        (payload(addresses=b"\x09a\x00\x01"), "cut short"),
        (payload(addresses=b"\x01a\x00"), "cut short"),
        ("e2ee:" + encode_bech32m("invite", b"\x01"), "cut short"),
        ("e2ee:" + encode_bech32m("invite", bytes(700)), "longer than any"),
        ("https://example.org", "begins with e2ee:invite"),
        ("e2ee:", "begins with e2ee:invite"),
    ],
)
def test_a_link_that_was_made_by_hand_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidInvitation, match=says):
        Link.parse(text)


def test_addresses_that_are_too_long_for_a_link_are_refused() -> None:
    link = Link(ALICE, bytes(32), 0, [("x" * 250, 1)] * 8)
    with pytest.raises(InvalidInvitation, match="too long"):
        _ = link.text


def test_nothing_of_a_link_is_shown() -> None:
    assert repr(LINK) == "<Link>"
    assert LINK.psk != LINK.lookup_id[:32]
    assert len(LINK.lookup_id) == 16
    assert len(LINK.psk) == 32


# The safety number.


def test_it_is_the_same_on_both_sides_and_another_for_others() -> None:
    ours, theirs = SafetyNumber(ALICE, BOB), SafetyNumber(BOB, ALICE)
    for form in ("words", "digits", "qr_text"):
        assert getattr(ours, form) == getattr(theirs, form)
        assert getattr(ours, form) != getattr(SafetyNumber(ALICE, CAROL), form)
    assert len(ours.words) == 16
    assert len(ours.digits) == 50
    assert set(ours.words) == set(safety_words(ALICE) + safety_words(BOB))


def forms(number: SafetyNumber) -> list[str]:
    other = SafetyNumber(number.other, number.own)
    assert other.digits == number.digits
    theirs = SafetyNumber(number.other, number.other).digits[:25]
    return [
        " ".join(number.words),
        "\n".join(word[:3].upper() for word in number.words),
        number.digits,
        " ".join(number.digits[at : at + 5] for at in range(0, 50, 5)),
        number.qr_text,
        number.qr_text.lower(),
        " ".join(safety_words(number.other)),
        theirs,
        encode_id(number.other),
    ]


def test_each_form_of_the_other_side_fits_and_that_of_a_third_does_not() -> None:
    mine, wrong = SafetyNumber(ALICE, BOB), SafetyNumber(ALICE, CAROL)
    for form in forms(mine):
        assert mine.matches(f"  {form}\n")
        assert not wrong.matches(form)
    # One's own half proves nothing.
    assert not mine.matches(" ".join(safety_words(ALICE)))


@pytest.mark.parametrize(
    "text",
    ["", "tiger", "1234", "0" * 49, "no such words " * 4, "e2ee1qqq", "safety1qqq", "tiger " * 15],
)
def test_what_is_no_form_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError):
        SafetyNumber(ALICE, BOB).matches(text)
