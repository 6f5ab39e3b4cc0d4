"""The contact book and the trust policy. SPEC.md section 17."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from e2ee import Identity, Peer
from e2ee.contacts import (
    GRADE_OF,
    MAX_DEVICES,
    MAX_INVITATIONS,
    Contact,
    ContactBook,
    Grade,
    How,
    MemoryContactStore,
    PendingInvitation,
    TrustPolicy,
    fold_name,
)
from e2ee.errors import (
    BlockedPeer,
    ChangedIdentity,
    ContactFileError,
    NameRefused,
    NoSuchContact,
    NotTrustedEnough,
    OverLimit,
    TrustRefused,
)

KEYS = [Identity.generate().public_key for _ in range(6)]
HOWS: list[How] = ["meeting", "link", "code", "comparison"]


def peer(person: int, device: int = 0) -> Peer:
    return Peer(KEYS[person], bytes([device]) * 32, 0, 2**50)


# The policy, exhaustively.


@pytest.mark.parametrize("require", Grade)
@pytest.mark.parametrize("proved", [Grade.NEW, Grade.INVITED, Grade.VERIFIED])
@pytest.mark.parametrize("how", [None, *HOWS])
@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("expected", ["nobody", "the peer", "another", "another at the address"])
def test_the_table_of_the_policy(
    require: Grade, proved: Grade, how: How | None, blocked: bool, expected: str
) -> None:
    book = ContactBook()
    other = book.meet(peer(1), "code", 0, address=("host", 1))
    contact = None
    if how is not None:
        contact = book.meet(peer(0), how, 0)
        contact = book.block(contact.name, blocked=blocked)
    cases: dict[str, dict[str, Any]] = {
        "nobody": {"address": ("other", 1)},
        "the peer": {"expected": contact},
        "another": {"expected": other, "address": ("other", 1)},
        "another at the address": {"address": ("host", 1)},
    }
    arguments = cases[expected]
    grade = Grade.NEW if how is None else GRADE_OF[how]
    refusal: type[TrustRefused] | None = None
    if expected.startswith("another"):
        refusal = ChangedIdentity
    elif blocked and contact is not None:
        refusal = BlockedPeer
    elif max(grade, proved) < require:
        refusal = NotTrustedEnough
    before = book.to_bytes()
    policy = TrustPolicy(require)
    if refusal is None:
        verdict = policy.judge(book, peer(0, 9), proved=proved, **arguments)
        assert (verdict.grade, verdict.contact) == (grade, contact)
    else:
        with pytest.raises(refusal):
            policy.judge(book, peer(0, 9), proved=proved, **arguments)
    assert book.to_bytes() == before


def test_a_new_device_of_the_same_identity_raises_no_alarm() -> None:
    book = ContactBook()
    bob = book.meet(peer(0, 1), "code", 0, address=("host", 1))
    verdict = TrustPolicy(Grade.VERIFIED).judge(book, peer(0, 2), expected=bob, address=("host", 1))
    assert verdict.grade is Grade.VERIFIED


@pytest.mark.attack(16)
def test_a_changed_identity_tells_both(figure: Callable[[str], None]) -> None:
    book = ContactBook()
    bob = book.meet(peer(0), "meeting", 0)
    with pytest.raises(ChangedIdentity) as caught:
        TrustPolicy().judge(book, peer(1), expected=bob)
    assert caught.value.contact == bob
    assert caught.value.peer == peer(1)
    figure("changed identity: both identities are in the error")


# The book.


class Book(RuleBasedStateMachine):
    """Anything that can be done to a book, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.book = ContactBook()
        self.admitted: dict[tuple[int, int], int] = {}
        self.now = 0.0
        self.own = 0

    @rule(person=st.integers(0, 5), device=st.integers(0, 12), how=st.sampled_from(HOWS))
    def meet(self, person: int, device: int, how: How) -> None:
        before = self.book.of(KEYS[person])
        self.now += 1
        contact = self.book.meet(
            peer(person, device), how, self.now, address=(f"host{device % 3}", 1)
        )
        assert contact.devices[0].static_key == peer(person, device).static_key
        assert self.book.at(f"host{device % 3}", 1) == contact
        if before is not None:
            assert contact.grade >= before.grade
            assert contact.name == before.name
            assert contact.first_seen == before.first_seen

    @rule(person=st.integers(0, 5), device=st.integers(0, 12), number=st.integers(0, 40))
    def admit(self, person: int, device: int, number: int) -> None:
        contact = self.book.of(KEYS[person])
        admitted = self.book.admit(peer(person, device), number, self.now)
        if admitted:
            assert contact is not None
            assert not contact.blocked
            # Never a number twice, nor an older one, however many devices came in between.
            assert number > self.admitted.get((person, device), 0)
            self.admitted[person, device] = number

    @precondition(lambda self: self.book.contacts)
    @rule(data=st.data(), change=st.sampled_from(["verify", "block", "allow", "rename", "remove"]))
    def change(self, data: st.DataObject, change: str) -> None:
        contact = data.draw(st.sampled_from(self.book.contacts))
        match change:
            case "verify":
                assert self.book.verify(contact.name, self.now).grade is Grade.VERIFIED
            case "rename":
                new = data.draw(st.sampled_from(["Bob", "bob", "Zoë", "anna", contact.name]))
                try:
                    assert self.book.rename(contact.id, new).name == new
                except NameRefused:
                    taken = self.book.get(new)
                    assert taken.identity != contact.identity
            case "remove":
                self.book.remove(contact.name.upper())
                assert self.book.of(contact.identity) is None
                person = KEYS.index(contact.identity)
                self.admitted = {k: v for k, v in self.admitted.items() if k[0] != person}
            case _:
                self.book.block(contact.name, blocked=change == "block")

    @rule(back=st.integers(0, 100))
    def call(self, back: int) -> None:
        number = self.book.next_sequence(self.now - back)
        assert number > self.own
        self.own = number

    @invariant()
    def it_is_the_same_after_it_was_kept(self) -> None:
        again = ContactBook.from_bytes(self.book.to_bytes())
        assert again.to_bytes() == self.book.to_bytes()
        assert again.contacts == self.book.contacts
        names = [fold_name(contact.name) for contact in self.book.contacts]
        assert len(set(names)) == len(names)
        addresses = [(a.host, a.port) for c in self.book.contacts for a in c.addresses]
        assert len(set(addresses)) == len(addresses)


TestBook = Book.TestCase
TestBook.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_forgotten_device_cannot_repeat_an_old_call() -> None:
    book = ContactBook()
    book.meet(peer(0, 0), "meeting", 0)
    assert book.admit(peer(0, 0), 100, 0)
    for device in range(1, MAX_DEVICES + 3):
        book.meet(peer(0, device), "meeting", 0)
    contact = book.of(KEYS[0])
    assert contact is not None
    assert len(contact.devices) == MAX_DEVICES
    assert not book.admit(peer(0, 0), 100, 0)
    assert book.admit(peer(0, 0), 101, 0)


def test_nobody_but_a_contact_is_admitted() -> None:
    book = ContactBook()
    assert not book.admit(peer(0), 1, 0)
    book.block(book.meet(peer(0), "code", 0).name)
    assert not book.admit(peer(0), 1, 0)
    assert book.to_bytes() == ContactBook.from_bytes(book.to_bytes()).to_bytes()


def test_trust_takes_one_new_identity_and_begins_anew() -> None:
    book = ContactBook()
    bob = book.meet(peer(0), "code", 5, address=("host", 1), name="bob")
    book.admit(peer(0), 7, 5)
    book.block("bob")
    new = book.trust("bob", KEYS[1], 9)
    assert new.blocked
    assert (new.name, new.identity, new.grade) == ("bob", KEYS[1], Grade.SEEN)
    assert new.devices == ()
    assert new.addresses == bob.addresses
    assert book.of(KEYS[0]) is None
    assert book.trust("bob", KEYS[1], 10) == new
    book.meet(peer(2), "meeting", 0, name="carol")
    with pytest.raises(NameRefused, match="carol's"):
        book.trust("bob", KEYS[2], 11)


@pytest.mark.parametrize(
    "name",
    ["", " bob", "bob ", "-bob", "e2ee1bob", "a/b", "a:b", "a@b", "#1", 'a"b', "a'b", "a\\b", "a(b",
     "x" * 33, "a\nb", "a\x1b[m", "a\u202eb", "a\u200bb", "a\u00adb", "\ud800"],
)  # fmt: skip
def test_names_that_nobody_can_have(name: str) -> None:
    book = ContactBook()
    with pytest.raises(NameRefused):
        book.meet(peer(0), "meeting", 0, name=name or " ")
    assert book.contacts == ()


def test_default_names_are_never_alike() -> None:
    book = ContactBook()
    first = book.meet(peer(0), "meeting", 0)
    assert first.name == "-".join(first.words[:2])
    book.rename(first.name, "x")
    taken = Contact.model_validate({**dict(book.meet(peer(1), "meeting", 0)), "name": first.name})
    book._contacts[taken.identity] = taken
    again = book.remove("x")
    assert book.meet(peer(0), "meeting", 0).name == "-".join(again.words[:3])[:32].rstrip("-")


def test_who_is_not_there_is_not_found() -> None:
    book = ContactBook()
    for name in ("bob", "e2ee1qqq", ""):
        for act in (book.get, book.block, book.remove, lambda n: book.verify(n, 0)):
            with pytest.raises(NoSuchContact):
                act(name)


# Invitations.


def invitation(number: int, *, expires: int = 10, name: str = "") -> PendingInvitation:
    return PendingInvitation(nonce=number.to_bytes(16), created=0, expires=expires, name=name)


def test_an_invitation_is_taken_once_and_not_after_its_end() -> None:
    book = ContactBook()
    book.invite(invitation(1), 0)
    book.invite(invitation(2), 0)
    assert book.take_invitation(bytes(15) + b"\1", 10.9) == invitation(1)
    assert book.take_invitation(bytes(15) + b"\1", 10) is None
    assert book.take_invitation(bytes(15) + b"\2", 11) is None
    assert book.take_invitation(bytes(16), 0) is None
    book.invite(invitation(3), 0)
    assert book.revoke_invitation(bytes(15) + b"\3")
    assert not book.revoke_invitation(bytes(15) + b"\3")


def test_there_is_room_for_a_hundred_and_those_that_expired_make_room() -> None:
    book = ContactBook()
    for number in range(MAX_INVITATIONS):
        book.invite(invitation(number), 0)
    with pytest.raises(OverLimit):
        book.invite(invitation(1000), 10.9)
    book.invite(invitation(1000, expires=99), 11)
    assert len(book.invitations) == 1


def test_an_invitation_is_for_a_name_that_is_free() -> None:
    book = ContactBook()
    book.meet(peer(1), "code", 0)
    book.invite(invitation(1), 0)
    (taken,) = (contact.name for contact in book.contacts)
    with pytest.raises(NameRefused):
        book.invite(invitation(2, name=taken), 0)
    book.invite(invitation(2, name="nobody-yet"), 0)
    assert len(book.invitations) == 2


# Keeping it.


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_book_are_refused(data: bytes) -> None:
    with pytest.raises(ContactFileError):
        ContactBook.from_bytes(data)


def test_one_name_or_one_identity_twice_is_refused() -> None:
    book = ContactBook()
    book.meet(peer(0), "meeting", 0, name="bob")
    book.meet(peer(1), "meeting", 0, name="anna")
    data = book.to_bytes()
    with pytest.raises(ContactFileError, match="twice"):
        ContactBook.from_bytes(data.replace(b'"anna"', b'"BOB"'))


def test_a_store_in_memory_keeps_what_ends_well() -> None:
    store = MemoryContactStore()
    with store.update() as book:
        book.meet(peer(0), "meeting", 0)
    with pytest.raises(NoSuchContact), store.update() as book:  # noqa: PT012
        book.meet(peer(1), "meeting", 0)
        book.get("nobody")
    assert len(store.read().contacts) == 1


def test_the_book_holds_many(figure: Callable[[str], None]) -> None:
    book = ContactBook()
    for number in range(300):
        key = Peer(Identity.generate().public_key, number.to_bytes(32), 0, 2**50)
        book.meet(key, "meeting", number)
    assert len(ContactBook.from_bytes(book.to_bytes()).contacts) == 300
    figure(f"contacts: {len(book.to_bytes()) // 300} bytes each")
