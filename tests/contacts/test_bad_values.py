"""Values that no contact can have are refused with an error of ours, and nothing is changed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from e2ee import Identity, Peer, UsageError
from e2ee.contact_file import ContactFile
from e2ee.contacts import MAX_CONTACTS, ContactBook, MemoryContactStore, check_name, fold_name
from e2ee.errors import (
    ContactFileBusy,
    ContactFileError,
    InvalidPublicKey,
    NameRefused,
    OverLimit,
)

ANNA, BOB, CAROL = (Identity.generate().public_key for _ in range(3))


def peer(identity_key: bytes, static_key: bytes = bytes(32)) -> Peer:
    return Peer(identity_key, static_key, 0, 2**50)


def book_of_two() -> ContactBook:
    book = ContactBook()
    book.meet(peer(ANNA), "meeting", 5, address=("Host.example", 1), name="anna")
    book.meet(peer(BOB), "meeting", 5, name="bob")
    return book


@pytest.mark.parametrize("now", [-1, -0.5, 2.0**53, float("inf"), float("nan")])
@pytest.mark.parametrize(
    "act",
    [
        lambda book, now: book.meet(peer(ANNA), "code", now),
        lambda book, now: book.meet(peer(CAROL), "code", now),
        lambda book, now: book.verify("anna", now),
        lambda book, now: book.trust("anna", CAROL, now),
        lambda book, now: book.admit(peer(ANNA), 1, now),
    ],
)
def test_a_time_that_none_can_be(act: Callable[[ContactBook, float], object], now: float) -> None:
    book = book_of_two()
    before = book.to_bytes()
    with pytest.raises(UsageError, match="seconds since 1970"):
        act(book, now)
    assert book.to_bytes() == before


def test_the_numbers_of_calls_rise_however_wrong_the_clock_is() -> None:
    book = ContactBook()
    clock = [5.0, -1.0, float("nan"), 4.9994, 7.25, 0.0, float("inf"), 2.0**60, 8.0]
    numbers = [book.next_sequence(now) for now in clock]
    limit = (2**53 - 1) // 2
    assert numbers == [5000, 5001, 5002, 5003, 7250, 7251, limit, limit + 1, limit + 2]
    assert ContactBook.from_bytes(book.to_bytes()).next_sequence(9) == limit + 3


@pytest.mark.parametrize(
    ("act", "field"),
    [
        (lambda book: book.meet(peer(BOB), "code", 9, address=("host.example", 0)), "port"),
        (lambda book: book.meet(peer(BOB), "code", 9, address=("host.example", 65_536)), "port"),
        (lambda book: book.meet(peer(BOB), "code", 9, address=("", 1)), "host"),
        (lambda book: book.meet(peer(BOB), "code", 9, address=("x" * 254, 1)), "host"),
        (lambda book: book.meet(peer(BOB, b"short"), "code", 9), "static_key"),
        (lambda book: book.meet(peer(CAROL[:-1]), "code", 9, name="carol"), "identity"),
        (lambda book: book.admit(peer(BOB, b"short"), 1, 9), "static_key"),
        (lambda book: book.claim(BOB, "x" * 65), "claimed_name"),
        (lambda book: book.claim(BOB, "\ud800"), "claimed_name"),
    ],
)
def test_a_value_that_no_contact_can_have(act: Callable[[ContactBook], object], field: str) -> None:
    book = book_of_two()
    before = book.to_bytes()
    with pytest.raises(UsageError, match=f"can have this {field}$"):
        act(book)
    assert book.to_bytes() == before


def test_trust_refuses_a_key_under_which_a_signature_proves_nothing() -> None:
    book = book_of_two()
    before = book.to_bytes()
    with pytest.raises(InvalidPublicKey):
        book.trust("anna", bytes(32), 9)
    assert book.to_bytes() == before


def test_a_new_identity_is_not_known_since_the_time_of_the_old_one() -> None:
    assert book_of_two().trust("anna", CAROL, 9).first_seen == 9


def test_an_address_is_one_whatever_its_case_and_belongs_to_the_last_meeting() -> None:
    book = book_of_two()
    anna = book.of(ANNA)
    assert anna is not None
    assert book.at("HOST.example", 1) == anna
    assert book.at("Host.example", 2) is None
    bob = book.meet(peer(BOB), "meeting", 9, address=("host.EXAMPLE", 1))
    assert book.at("Host.example", 1) == bob
    assert book.get("anna").addresses == ()


@pytest.mark.parametrize(
    "character",
    [
        "\u034f", "\u115f", "\u1160", "\u17b4", "\u180b", "\u180f", "\u2800", "\u3164", "\ufe00",
        "\ufe0f", "\uffa0", "\U000e0100", "\U000e01ef", "\u200d", "\u2066", "\ufeff", "\u00a0",
    ],
)  # fmt: skip
def test_two_names_do_not_differ_in_what_no_screen_shows(character: str) -> None:
    book = book_of_two()
    for name in (f"an{character}na", f"anna{character}", character):
        with pytest.raises(NameRefused):
            book.rename("bob", name)
    assert book.get("bob").identity == BOB


@given(name=st.text(max_size=34))
@example(name="e\u0301" * 32)
@example(name="İ")
@example(name="ΐ")
def test_a_name_that_is_allowed_is_in_one_form_and_finds_its_contact(name: str) -> None:
    book = book_of_two()
    try:
        checked = check_name(name)
    except NameRefused:
        with pytest.raises(NameRefused):
            book.meet(peer(CAROL), "meeting", 9, name=name or "\n")
        return
    assert check_name(checked) == checked
    if fold_name(checked) not in {"anna", "bob"}:
        assert book.meet(peer(CAROL), "meeting", 9, name=name).name == checked
        for way in (name, checked, checked.upper(), checked.lower(), checked.casefold()):
            if fold_name(way) == fold_name(checked):
                assert book.get(way).identity == CAROL
        assert ContactBook.from_bytes(book.to_bytes()).get(checked).identity == CAROL


def test_there_is_room_for_ten_thousand_contacts_and_no_more(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    book = book_of_two()
    anna = book.get("anna")
    for number in range(2, MAX_CONTACTS):
        # Each would be met in time; this is the state after that.
        key = number.to_bytes(32)
        book._contacts[key] = anna.model_copy(update={"identity": key, "name": f"n{number}"})
    with pytest.raises(OverLimit, match="remove some"):
        book.meet(peer(CAROL), "meeting", 9)
    assert book.meet(peer(BOB), "code", 9).name == "bob"
    file = ContactFile(tmp_path / "contacts", Identity.generate())
    with file.update() as empty:
        empty._contacts = book._contacts
    assert len(file.read().contacts) == MAX_CONTACTS
    size = (tmp_path / "contacts").stat().st_size
    figure(f"contact file: {size:,} bytes for {MAX_CONTACTS:,} contacts with an address each")


# The stores.


def test_an_update_within_an_update_of_a_store_in_memory_is_refused_and_loses_nothing() -> None:
    store = MemoryContactStore()
    with store.update() as book:
        with pytest.raises(ContactFileBusy), store.update():
            pass
        book.meet(peer(ANNA), "meeting", 5)
    with store.update() as book:
        book.meet(peer(BOB), "meeting", 5)
    assert len(store.read().contacts) == 2


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ENOTDIR])
def test_a_file_that_cannot_be_looked_at_is_not_taken_for_an_empty_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    file = ContactFile(tmp_path / "contacts", Identity.generate())
    with file.update() as book:
        book.block(book.meet(peer(ANNA), "meeting", 5).name)

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    # What the system does for a folder that may not be searched.
    monkeypatch.setattr(os, "lstat", fail)
    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(ContactFileError, match=f"cannot be read: {os.strerror(code)}"):
        file.read()
    monkeypatch.undo()
    assert file.read().contacts[0].blocked


def test_each_error_of_the_file_is_one_line_with_a_way_forward(tmp_path: Path) -> None:
    path, owner = tmp_path / "contacts", Identity.generate()
    with ContactFile(path, owner).update() as book:
        book.meet(peer(ANNA), "meeting", 5)
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole.replace(b"version 1", b"version 2"), b"something else"):
        path.write_bytes(damaged)
        with pytest.raises(ContactFileError) as caught:
            ContactFile(path, owner).read()
        assert str(caught.value).startswith(str(path))
        assert "restore a backup of it, or move it away" in str(caught.value)
        assert "\n" not in str(caught.value)
