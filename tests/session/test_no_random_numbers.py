"""The system's random numbers fail, from whichever draw on: nothing is made of what there was."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import e2ee
from e2ee import HYBRID_AESGCM, Identity, Peer, ProtocolError, Session, State, Suite
from e2ee.contact_file import ContactFile
from e2ee.conversation_file import ConversationFile
from e2ee.errors import NoRandomNumbers
from e2ee.file_sender import FileSender
from e2ee.invitation import SpokenCode
from e2ee.journal import Journal, MemoryJournal, Outgoing
from e2ee.nearby_tag import new_sign
from e2ee.suites import SUITES
from tests.draws import failing_from

from . import people
from .people import ALICE, BOB, Acquaintance, new_link, static_key

Figure = Callable[[str], None]


def at_each_draw(act: Callable[[], object], check: Callable[[], object] = lambda: None) -> int:
    """``act`` is ended by each of its draws in turn, ``check`` is called; how many there are."""
    for number in range(1, 100):
        with failing_from(number) as made:
            try:
                act()
            except NoRandomNumbers:
                pass
            else:
                # A draw that failed, and did not end it, would be one too many.
                assert len(made) == number - 1
                return len(made)
        check()
    raise AssertionError("it draws for ever")


def talk(sessions: tuple[Session, Session]) -> None:
    """What there is to be said, from the initiator on, to the end."""
    side = 0
    while data := sessions[side].data_to_send():
        side = 1 - side
        sessions[side].receive_data(data)


@pytest.mark.attack(18)
@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: f"{suite.number:#06x}")
def test_an_opening_ends_without_a_session_on_either_side(
    suite: Suite, figure: Figure, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = new_link()
    monkeypatch.setattr(people, "new_link", lambda: link)  # Its draws are not the sessions'.
    opened: list[tuple[Session, Session]] = []

    def open_both() -> None:
        opened.clear()
        opened.append(Acquaintance(suite).new_sessions())
        talk(opened[0])

    def nobody_is_open() -> None:
        failed = [session for pair in opened for session in pair if session.state is State.FAILED]
        assert len(failed) == len(opened)
        for session in (session for pair in opened for session in pair):
            assert session.peer is None
            assert session.state is not State.OPEN
        # It stays so when there are random numbers again.
        for session in failed:
            for use in (session.data_to_send, session.ping, partial(session.receive_data, b"")):
                with pytest.raises(ProtocolError):
                    use()

    draws = at_each_draw(open_both, nobody_is_open)
    assert [session.state for session in opened[0]] == [State.OPEN] * 2
    figure(f"no random numbers, {suite.name}: 0 sessions after any of {draws} draws failed")


@pytest.mark.attack(18)
def test_whoever_has_no_keys_for_a_refresh_has_no_session_any_more(figure: Figure) -> None:
    opened: list[tuple[Session, Session]] = []

    def open_both() -> None:
        opened.append(Acquaintance(HYBRID_AESGCM).new_sessions())
        talk(opened[-1])

    def refresh() -> None:
        opened[-1][0].refresh()
        talk(opened[-1])

    def one_has_failed() -> None:
        [failed] = [session for session in opened[-1] if session.state is State.FAILED]
        with pytest.raises(ProtocolError):
            failed.send(b"")
        open_both()

    open_both()
    draws = at_each_draw(refresh, one_has_failed)
    assert draws == 4
    assert [session.state for session in opened[-1]] == [State.OPEN] * 2
    figure(f"no random numbers: a refresh ends a session at each of {draws} draws")


def save(path: Path, **options: Any) -> None:
    Identity.generate().save(path, replace=path.exists(), **options)


def save_contacts(path: Path) -> None:
    with ContactFile(path, ALICE).update() as book:
        if book.contacts:
            book.rename(book.contacts[0].name, "after")
        else:
            book.meet(Peer(BOB.public_key, static_key(BOB), 0, 2**50), "code", 1)


@pytest.mark.attack(18)
@pytest.mark.parametrize(
    "write",
    [save, partial(save, passphrase=" ".join(ALICE.words)), save_contacts],
    ids=["identity", "locked identity", "contacts"],
)
def test_no_file_is_made_and_none_is_changed(
    write: Callable[[Path], None], tmp_path: Path, figure: Figure
) -> None:
    path = tmp_path / "file"
    draws, found = 0, None

    def is_as_before() -> None:
        assert (path.read_bytes() if path.exists() else None) == found

    for _ in ("made", "changed"):
        draws += at_each_draw(partial(write, path), is_as_before)
        found, before = path.read_bytes(), found
        assert found != before
    assert {file.name for file in tmp_path.iterdir()} <= {"file", "file.lock"}
    figure(f"no random numbers: a file is as it was when any of {draws} draws has failed")


@pytest.mark.attack(18)
def test_a_conversation_is_as_it_was(tmp_path: Path) -> None:
    kept: list[str] = []

    @contextmanager
    def journal() -> Iterator[Journal]:
        with (
            closing(ConversationFile(tmp_path / "file", ALICE)) as file,
            file.journal(BOB.public_key) as journal,
        ):
            yield journal

    def say(text: str) -> None:
        with journal() as opened, opened.together():
            opened.add(Outgoing(opened.next_id(), text, 1))
            opened.restart()

    def is_as_before() -> None:
        with journal() as opened:
            assert [text.body for text in opened.unconfirmed()] == kept

    for text in ("one", "two"):
        assert at_each_draw(partial(say, text), is_as_before) >= 2
        kept.append(text)
        is_as_before()


@pytest.mark.attack(18)
@pytest.mark.parametrize(
    "make",
    [
        Identity.generate,
        partial(Identity.from_seed, bytes(32)),
        partial(ALICE.rotated, 0),
        partial(SpokenCode.generate, 4),
        partial(new_sign, ALICE.public_key, 0),
        MemoryJournal,
    ],
    ids=["identity", "from a seed", "rotated", "code", "sign", "journal"],
)
def test_nothing_else_is_made(make: Callable[[], object]) -> None:
    assert at_each_draw(make) >= 1


@pytest.mark.attack(18)
def test_a_journal_that_cannot_begin_anew_goes_on_as_it_was() -> None:
    journal = MemoryJournal()
    journal.add(Outgoing(1, "a text", 1))
    stream = journal.stream

    def is_as_before() -> None:
        assert journal.stream == stream
        assert journal.next_id() == 2

    assert at_each_draw(journal.restart, is_as_before) == 1


@pytest.mark.attack(18)
@pytest.mark.parametrize(
    "offer",
    [
        lambda sender: sender.offer_file("name", 1),
        lambda sender: sender.offer_folder("name", [(("a",), 1)]),
    ],
    ids=["file", "folder"],
)
def test_nothing_is_offered(offer: Callable[[FileSender], object]) -> None:
    sender = FileSender()

    def is_empty() -> None:
        assert sender.next_message() is None

    assert at_each_draw(partial(offer, sender), is_empty) == 1
    assert sender.next_message() is not None


def test_every_draw_of_the_package_is_one_that_may_fail() -> None:
    """By ``drawn``, which is given what is to be called."""
    given = 0
    for file in Path(e2ee.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                assert not is_draw(node.func), f"{file}:{node.lineno}"
                if isinstance(node.func, ast.Name) and node.func.id == "drawn":
                    given += 1
            elif isinstance(node, ast.Attribute):
                assert node.attr != "urandom"
    assert given >= 25


def is_draw(function: ast.expr) -> bool:
    if not isinstance(function, ast.Attribute):
        return False
    owner = ast.unparse(function.value)
    makes_key = function.attr == "generate" and owner.endswith(("PrivateKey", "private_type"))
    return owner == "secrets" or makes_key or (function.attr == "encapsulate" and owner == "loaded")
