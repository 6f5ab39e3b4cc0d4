"""Something else in the place of what is needed: refused where it is given, and never shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from e2ee import HYBRID_AESGCM, Identity, Limits, Padding, Session, State, UsageError
from e2ee.contact_file import ContactFile
from e2ee.contacts import ContactBook, TrustPolicy
from e2ee.conversation_file import ConversationFile
from e2ee.invitation import Link, SpokenCode
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.opening import KnownDevice
from e2ee.testing.pair import Pair
from e2ee.testing.streams import open_channels
from e2ee.transport import memory

ALICE, BOB = Identity.generate(), Identity.generate()
PHRASE = "correct horse battery staple"
"""Stands for what no error may show: it may be a key that was given in the wrong place."""


class PathOfBytes:
    def __fspath__(self) -> bytes:
        return b"identity"


OF_BOTH: dict[str, list[Any]] = {
    "expected_peer": [BOB, BOB.public_key, b"e2ee1", 5, PHRASE],
    "now": ["2026-11-29", PHRASE, datetime(2026, 11, 29, tzinfo=UTC), b"0", [1]],
    "limits": [None, 5, {"max_message_size": 5}, PHRASE],
    "padding": [None, True, "none", PHRASE],
}
OF_INITIATORS: dict[str, list[Any]] = {
    "suite": [None, 1, "hybrid", HYBRID_AESGCM.name, PHRASE],
    "device": [b"key", KnownDevice, PHRASE],
    "invitation": ["4-acrobat-velcro-sugar", b"link", 5, PHRASE],
}
OF_RESPONDERS: dict[str, list[Any]] = {
    "suites": [HYBRID_AESGCM, None, 5, [1], ["hybrid"], [None], PHRASE],
    "admit": [True, 5, BOB, PHRASE],
    "links": [[], "e2ee:invite1", object(), PHRASE],
    "code": ["4-acrobat-velcro-sugar", SpokenCode(4, ["acrobat", "velcro", "sugar"]), 5, PHRASE],
}


def wrong(options: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param({name: value}, id=f"{name}, {type(value).__name__}")
        for name, values in options.items()
        for value in values
    ]


def assert_refused(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert str(caught.value)
    assert PHRASE not in str(caught.value)


@pytest.mark.parametrize("option", wrong(OF_BOTH | OF_INITIATORS))
def test_an_initiator_is_not_made_of_something_else(option: dict[str, Any]) -> None:
    assert_refused(lambda: Session.initiator(ALICE, **option))


@pytest.mark.parametrize("option", wrong(OF_BOTH | OF_RESPONDERS))
def test_a_responder_is_not_made_of_something_else(option: dict[str, Any]) -> None:
    assert_refused(lambda: Session.responder(BOB, **option))


@pytest.mark.parametrize("identity", [None, "e2ee1", bytes(32), Identity, PHRASE])
def test_nobody_is_not_an_identity(identity: Any) -> None:
    assert_refused(lambda: Session.initiator(identity))
    assert_refused(lambda: Session.responder(identity))


def test_the_kind_of_what_is_wrong_is_named() -> None:
    with pytest.raises(UsageError, match=r"not str$"):
        Session.initiator(ALICE, now="2026-11-29")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"not bool$"):
        Session.responder(BOB, admit=True)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^Identity is needed here, not str$"):
        Session.responder("bob")  # type: ignore[arg-type]


def test_the_right_things_are_taken_all_the_same() -> None:
    for now in (None, 0, 1_800_000_000, 1_800_000_000.5):
        Session.initiator(ALICE, now=now, expected_peer=BOB.id, padding=Padding.CHAT)
        Session.responder(BOB, now=now, admit=lambda peer, number: True, limits=Limits())


NOT_BYTES = [None, "text", 5, 2.5, [1, 2], {"a": 1}, object(), range(3)]


@pytest.mark.parametrize("value", NOT_BYTES, ids=lambda value: type(value).__name__)
def test_what_is_not_bytes_is_neither_sent_nor_received_and_the_session_goes_on(value: Any) -> None:
    pair = Pair()
    pair.deliver()
    assert_refused(lambda: pair.initiator.session.send(value))
    assert_refused(lambda: pair.initiator.session.receive_data(value))
    assert pair.initiator.session.data_to_send() == b""
    pair.initiator.session.send(b"goes on")
    pair.deliver()
    assert pair.responder.received == [b"goes on"]


@pytest.mark.parametrize("value", NOT_BYTES, ids=lambda value: type(value).__name__)
def test_what_is_not_bytes_does_not_disturb_an_opening(value: Any) -> None:
    pair = Pair()
    for end in pair.ends:
        assert_refused(lambda end=end: end.session.receive_data(value))  # type: ignore[misc]
    pair.deliver()
    assert pair.initiator.session.state is State.OPEN


@pytest.mark.parametrize("value", NOT_BYTES, ids=lambda value: type(value).__name__)
async def test_what_is_not_bytes_is_not_sent_on_a_channel_that_goes_on(value: Any) -> None:
    async with open_channels() as (alice, bob):
        with pytest.raises(UsageError, match="bytes are needed"):
            await alice.send(value)
        await alice.send(b"goes on")
        assert await bob.receive() == b"goes on"


def test_what_is_empty_is_a_message_and_no_end() -> None:
    pair = Pair()
    pair.deliver()
    pair.initiator.session.send(b"")
    pair.deliver()
    assert pair.responder.received == [b""]
    assert pair.responder.session.receive_data(b"") == []
    assert pair.responder.session.state is State.OPEN


@pytest.mark.parametrize("limit", Limits.__dataclass_fields__)
@pytest.mark.parametrize("value", ["5", 5.0, None, True, PHRASE])
def test_a_limit_is_a_whole_number(limit: str, value: Any) -> None:
    assert_refused(lambda: Limits(**{limit: value}))


@pytest.mark.parametrize("now", ["2026", b"0", datetime(2026, 11, 29, tzinfo=UTC), PHRASE])
def test_a_certificate_is_dated_by_a_number(now: Any) -> None:
    assert_refused(lambda: Identity.generate(now=now))
    assert_refused(lambda: ALICE.rotated(now))
    assert_refused(lambda: ALICE.renewed(now))


@pytest.mark.parametrize("now", [float("nan"), float("inf"), -float("inf")])
def test_a_time_is_finite(now: float) -> None:
    assert_refused(lambda: Session.initiator(ALICE, now=now))
    assert_refused(lambda: Session.responder(ALICE, now=now))
    assert_refused(lambda: Identity.generate(now=now))


def test_a_time_that_no_float_holds_is_one_all_the_same() -> None:
    Session.initiator(ALICE, now=10**400)
    assert ALICE.needs_renewal(10**400)


@pytest.mark.parametrize("now", ["2026", None, float("nan"), float("inf"), -float("inf"), PHRASE])
def test_whether_a_certificate_is_to_be_renewed_is_asked_at_a_time(now: Any) -> None:
    assert_refused(lambda: ALICE.needs_renewal(now))


@pytest.mark.parametrize("name", [None, 5, b"identity", ["identity"], object(), PathOfBytes()])
def test_what_is_no_path_names_no_file(name: Any, tmp_path: Path) -> None:
    assert_refused(lambda: Identity.load(name))
    assert_refused(lambda: ALICE.save(name))
    assert_refused(lambda: ContactFile(name, ALICE))
    assert_refused(lambda: ConversationFile(name, ALICE))


@pytest.mark.parametrize("identity", [None, "e2ee1", bytes(32), Identity, PHRASE])
def test_files_are_somebodys(identity: Any, tmp_path: Path) -> None:
    assert_refused(lambda: ContactFile(tmp_path / "contacts", identity))
    assert_refused(lambda: ConversationFile(tmp_path / "conversations", identity))


@pytest.mark.parametrize("passphrase", [b"correct horse", 5, ["correct horse"], True])
def test_a_passphrase_is_text(passphrase: Any, tmp_path: Path) -> None:
    assert_refused(lambda: ALICE.save(tmp_path / "identity", passphrase=passphrase))
    assert not list(tmp_path.iterdir())
    ALICE.save(tmp_path / "identity", passphrase=PHRASE)
    assert_refused(lambda: Identity.load(tmp_path / "identity", passphrase))


A_LINK: dict[str, Any] = {
    "identity_key": ALICE.public_key,
    "secret": bytes(32),
    "expires": 1_800_000_000,
    "addresses": [("localhost", 5)],
}


@pytest.mark.parametrize(
    "option",
    wrong(
        {
            "identity_key": [None, 5, "x" * 32, ALICE, PHRASE],
            "secret": [None, 5, "x" * 32, bytearray(32), PHRASE],
            "expires": [None, 1_800_000_000.5, True, "2026", PHRASE],
            "addresses": [None, 5, PHRASE, ("localhost", 5)],
        }
    )
    + wrong({"addresses": [[PHRASE], [("localhost",)], [("localhost", "5")], [5], [None]]})
    + wrong({"addresses": [[(b"localhost", 5)], [("localhost", 5.5)]]}),
)
def test_a_link_is_made_of_what_it_can_hold(option: dict[str, Any]) -> None:
    assert_refused(lambda: Link(**A_LINK | option))


@pytest.mark.parametrize("text", [None, 5, b"4-acrobat-velcro-sugar", ["4"]])
def test_invitations_are_text(text: Any) -> None:
    assert_refused(lambda: SpokenCode.parse(text))
    assert_refused(lambda: Link.parse(text))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("4", ["acrobat", "velcro", "sugar"]),
        (4.5, ["acrobat", "velcro", "sugar"]),
        (True, ["acrobat", "velcro", "sugar"]),
        (4, "acrobat"),
        (4, "abc"),
        (4, None),
        (4, [b"acrobat", "velcro", "sugar"]),
        (4, [1, 2, 3]),
    ],
)
def test_a_code_is_a_number_and_words(number: Any, words: Any) -> None:
    assert_refused(lambda: SpokenCode(number, words))


@pytest.mark.parametrize("wrong_one", [None, "5", b"5", 1.5, True, [1]])
def test_a_journal_takes_numbers_and_texts(wrong_one: Any, tmp_path: Path) -> None:
    assert_refused(lambda: Outgoing(wrong_one, "hello", 5.0))
    if not isinstance(wrong_one, str):
        assert_refused(lambda: Outgoing(1, wrong_one, 5.0))
    with ConversationFile(tmp_path / "conversations", ALICE).journal(BOB.public_key) as kept:
        for journal in (MemoryJournal(), kept):
            assert_refused(partial(journal.confirm, wrong_one))
            assert_refused(partial(journal.hear, bytes(16), wrong_one))
            assert_refused(partial(journal.hear, wrong_one, 1))


@pytest.mark.parametrize("capacity", [0, -1, None, 1.5, "5"])
def test_streams_in_memory_hold_something(capacity: Any) -> None:
    assert_refused(lambda: memory.pair(capacity=capacity))


@pytest.mark.parametrize("seed", [None, "x" * 32, bytearray(32), bytes(31), 5])
def test_a_seed_is_32_bytes(seed: Any) -> None:
    assert_refused(lambda: Identity.from_seed(seed))


@pytest.mark.parametrize("value", [None, "5", 5.0, b"5"], ids=repr)
def test_a_length_that_is_no_number_is_refused_and_the_session_goes_on(value: Any) -> None:
    pair = Pair()
    pair.deliver()
    sender, receiver = pair.initiator.session, pair.responder.session
    if not isinstance(value, float):
        assert_refused(lambda: receiver.get_buffer(value))
    receiver.get_buffer()
    assert_refused(lambda: receiver.buffer_updated(value))
    sender.send(b"message")
    assert receiver.receive_data(sender.data_to_send())


@pytest.mark.parametrize("nobody", [None, ALICE.public_key, PHRASE], ids=type)
def test_nobody_is_neither_met_nor_admitted_nor_judged(nobody: Any) -> None:
    book = ContactBook()
    assert_refused(lambda: book.meet(nobody, "meeting", 0))
    assert_refused(lambda: book.admit(nobody, 1, 0))
    assert_refused(lambda: TrustPolicy().judge(book, nobody))
    assert book.contacts == ()


@pytest.mark.parametrize("grade", [None, 2, "verified", True])
def test_a_grade_that_is_none_is_not_required(grade: Any) -> None:
    assert_refused(lambda: TrustPolicy(grade))
