# ruff: noqa: E501
"""Names of people on the screen: no claim looks like another contact, or like the program."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from e2ee import Identity, Peer
from e2ee.contacts import Contact, ContactBook
from e2ee_cli.names import claimed, label, skeleton

HOSTILE = [
    *(
        "bob",
        "Bob",
        "BOB",
        "b0b",
        "B\u043eb",
        "\uff42\uff4f\uff42",
        "\U0001d41b\U0001d428\U0001d41b",
    ),
    *("b\u200bob", "b\u200dob", "bob\u200b", "\u2060bob", "b\u00adob", "bob\ufeff", "\u180ebob"),
    *("\u202ebob", "\u202dbob\u202c", "\u2066bob\u2069", "bob\u200e", "bob\u200f", "\u061cbob"),
    *("bob\n", "bob\r", "bob\r\nalice: hi", "bob\x85", "bob\u2028alice", "bob\u2029", "b\x00ob"),
    *(
        "\x1b[31mbob",
        "\x1b]0;title\x07",
        "\x1b[2Jbob",
        "\x9b31mbob",
        "bob\x08\x08\x08eve",
        "\x7fbob",
    ),
    *("bob (verified)", "bob) verified", 'bob" verified', 'bob", id e2ee1', "bob\u201d", "bob]"),
    *(
        "you",
        "You",
        "y\u043eu",
        "e2ee",
        "\u0435\u032ee",
        "error",
        "verified",
        "system",
        "peer",
        "new",
    ),
    *("b\u0301\u0302\u0303\u0304\u0305ob", "bo\u0336b\u0336", "b" + "\u0300" * 50 + "ob", "\u0301"),
    *(
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "\U0001f600",
    ),
    *("bob \U000e0041", "bob\U000e0020", "\ue000bob", "\U0010ffffbob", "\u0378bob", "\ud83d"),
    *("x" * 500, "w" * 33, "\u4e00" * 40, "bob" + " " * 100 + "verified", "\u3164", "\u2800\u2800"),
    *(
        "\u05d1\u05d5\u05d1",
        "\u0628\u0648\u0628",
        "bob \u05d0",
        "\u05d0bob",
        "",
        " ",
        "\t",
        "\u00a0",
    ),
    *(
        "[link=http://x]bob[/link]",
        ":smile:",
        "{bob}",
        "<b>bob</b>",
        "`bob`",
        "%s",
        "$(bob)",
        "\\x1b",
    ),
    *(
        "alice",
        "\u0430lice",
        "\u0391lice",
        "al\u0456ce",
        "aIice",
        "a1ice",
        "rnary",
        "mary",
        "carol",
    ),
]
HOSTILE += [f"{name}{mark}" for name, mark in itertools.product(
    ["bob", "b\u043eb", "alice", "you", "\u4f60"],
    ["\u0301", "\u0307", "\u0323", "\ufe0f", "\u20e3", "'", "\u2019", ".", "-", "_", " ", "!", "\u00b7"],
)]  # fmt: skip
HOSTILE += [f"{mark}bob" for mark in "'.-_ !\u00b7\u2022*#@~+=|/\\:;,?&^$\u00bf\u00a1"]
HOSTILE += [name[::-1] for name in HOSTILE[:40]]


def person(number: int) -> Peer:
    return Peer(Identity.generate().public_key, number.to_bytes(32), 0, 2**50)


PEOPLE = [person(number) for number in range(3)]


def book_of(*claims: str) -> list[Contact]:
    book = ContactBook()
    for number, claim in enumerate(claims):
        book.meet(PEOPLE[number], "meeting", 0, name="bob" if number == 0 else "")
        safe = claim.encode("utf-8", "replace").decode()[:64]
        if safe:
            book.claim(PEOPLE[number].identity_key, safe)
    return [contact for p in PEOPLE[: len(claims)] if (contact := book.of(p.identity_key))]


def test_there_are_many() -> None:
    assert len(set(HOSTILE)) >= 200


@pytest.mark.parametrize("name", sorted(set(HOSTILE)))
def test_a_hostile_name_is_shown_as_a_claim_and_fit_for_a_terminal(name: str) -> None:
    shown = claimed(name)
    assert len(shown) <= 32
    assert shown == shown.strip()
    assert not set(shown) & set('"()[]{}<>`\u201c\u201d\n\r\x1b')
    assert all(character.isprintable() or character in "\u200d\ufe0f" for character in shown)
    bob, eve = book_of("", name)
    text = label(eve, [bob])
    assert text.startswith(eve.name)
    # Whatever is claimed stands between one pair of quotes, inside one pair of brackets.
    assert text.count("(") == text.count(")") <= 1
    assert text.count('"') in (0, 2)


@pytest.mark.attack(87)
def test_no_two_contacts_get_one_label(figure: Callable[[str], None]) -> None:
    pairs = 0
    for name in sorted(set(HOSTILE)):
        bob, eve, third = book_of("Bob", name, name)
        labels = {
            label(one, [x for x in (bob, eve, third) if x is not one]) for one in (bob, eve, third)
        }
        assert len(labels) == 3
        if skeleton(claimed(name)) == skeleton("bob"):
            assert eve.id[:16] in label(eve, [bob])
        if skeleton(claimed(name)) in {skeleton("you"), skeleton("e2ee"), skeleton("verified")}:
            assert eve.id[:16] in label(eve, [bob])
        pairs += 3
    figure(f"names: {len(set(HOSTILE))} hostile names, {pairs} pairs of contacts, 0 with one label")


def test_what_looks_alike_has_one_skeleton() -> None:
    alike = [
        "bob",
        "B0B",
        "b\u043eb",
        "\uff42\uff4f\uff42",
        "\U0001d41b\U0001d428\U0001d41b",
        "b-o b.",
    ]
    assert {skeleton(name) for name in alike} == {skeleton("bob")}
    assert skeleton("rnary") == skeleton("mary")
    assert skeleton("\u0430l\u0456ce") == skeleton("alice")
    assert (
        len(
            {
                skeleton(name)
                for name in ("bob", "rob", "alice", "\u4f60", "\U0001f600", "\U0001f4a9")
            }
        )
        == 6
    )


def test_one_who_calls_themselves_what_they_are_called_is_shown_once() -> None:
    (bob,) = book_of("BOB")
    assert label(bob, []) == "bob"


ENDINGS = (
    "\uff02\uff07\u201f\u2033\u02ba\u275d\u275e\u300d\u301e\u00ab\u00bb\u00b4"
    "\uff08\uff09\ufe5a\u2774\u2775\u3011\u27e9\ufd3e\ufd3f\uff1c\uff1e\uff3d\uff5d\u05f4\u2760\U0001f678"
)


@pytest.mark.parametrize("ending", ENDINGS)
def test_quotes_and_brackets_of_any_script_end_no_claim(ending: str) -> None:
    assert claimed(f"bob{ending} verified") == "bob' verified"


def test_quotes_in_a_row_make_no_double_quote() -> None:
    assert claimed("bob''\"' verified") == "bob' verified"


@pytest.mark.parametrize("mark", ["\u0301", "\u0489", "\u20dd", "\u20e3", "\u0e34", "\u1abe"])
def test_marks_are_few_and_only_on_letters(mark: str) -> None:
    base = "q" + mark
    assert claimed("q" + mark * 20) == base + mark
    assert claimed(mark * 3 + "q") == "q"
    assert claimed(f"q {mark}{mark}q") == "q q"
    assert claimed(f" {mark} {mark}q") == "q"
    assert claimed(mark) == ""


def test_a_name_that_is_cut_ends_in_no_joiner() -> None:
    assert claimed("x" * 30 + "\U0001f468\u200d\U0001f469") == "x" * 30 + "\U0001f468"


names = st.text(max_size=80) | st.text(
    "bo\u043e\"'()\uff02 \u0301\u0489\u200d\ufe0f\U0001f600", max_size=80
)


@given(names)
@example("0 \u0483 0")
@example("\U0003884a\u0300")
def test_any_text(name: str) -> None:
    shown = claimed(name)
    assert len(shown) <= 32
    assert not set(shown) & set("\n\r\x1b\x9b\u202e\u2066")
    assert "''" not in shown
    assert claimed(shown) == shown
    kinds = [unicodedata.category(character) in {"Mn", "Me"} for character in " " + shown]
    assert not any(all(kinds[at : at + 3]) for at in range(len(kinds) - 2))
    assert kinds[1:2] != [True]


@given(names, names)
def test_any_claims_leave_the_labels_of_contacts_apart(first: str, second: str) -> None:
    people = book_of("Bob", first, second)
    labels = [label(one, [other for other in people if other is not one]) for one in people]
    assert len(set(labels)) == 3
    for text in labels:
        assert text.count("(") == text.count(")") <= 1
        assert text.count('"') in (0, 2)


@pytest.mark.parametrize("length", [29, 30, 31, 32])
def test_a_name_that_is_cut_within_a_keycap_has_no_selector_at_its_end(length: int) -> None:
    shown = claimed("x" * length + "1\ufe0f\u20e3")
    whole = length + 3 <= 32
    assert shown == "x" * length + ("1\ufe0f\u20e3" if whole else "1" if length < 32 else "")
