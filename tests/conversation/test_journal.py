"""A journal in memory and one in a file do the same, and the one in a file lasts."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from e2ee import Identity
from e2ee.conversation_file import ConversationFile
from e2ee.errors import UsageError
from e2ee.journal import Journal, MemoryJournal, Outgoing

ME, BOB, CAROL = (Identity.generate() for _ in range(3))
STREAMS = [bytes([n]) * 16 for n in range(20)]


@pytest.fixture(params=["memory", "file"])
def journal(request: pytest.FixtureRequest, quick_path: Path) -> Iterator[Journal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    file = ConversationFile(quick_path / "conversations", ME)
    with file.journal(BOB.public_key) as made:
        yield made
    file.close()


def add(journal: Journal, *bodies: str) -> None:
    for body in bodies:
        journal.add(Outgoing(journal.next_id(), body, 1.5))


def bodies(journal: Journal) -> list[tuple[int, str]]:
    return [(text.id, text.body) for text in journal.unconfirmed()]


def test_texts_are_kept_in_order_until_they_are_confirmed(journal: Journal) -> None:
    assert (journal.next_id(), journal.first_kept(), journal.count_unconfirmed()) == (1, 1, 0)
    add(journal, "a", "", "c")
    assert bodies(journal) == [(1, "a"), (2, ""), (3, "c")]
    assert journal.unconfirmed(after=1, limit=1) == [Outgoing(2, "", 1.5)]
    assert journal.unconfirmed(after=3) == journal.unconfirmed(limit=0) == []
    journal.confirm(2)
    journal.confirm(1)
    assert bodies(journal) == [(3, "c")]
    assert (journal.next_id(), journal.first_kept(), journal.count_unconfirmed()) == (4, 3, 1)
    journal.confirm(3)
    assert (journal.next_id(), journal.first_kept(), journal.count_unconfirmed()) == (4, 4, 0)


def test_a_new_stream_numbers_what_is_left_anew(journal: Journal) -> None:
    add(journal, "a", "b", "c", "d")
    journal.confirm(2)
    old = journal.stream
    assert journal.stream == old
    journal.restart()
    assert journal.stream != old
    assert len(journal.stream) == 16
    assert bodies(journal) == [(1, "c"), (2, "d")]
    assert journal.next_id() == 3
    journal.restart()
    add(journal, "e")
    assert bodies(journal) == [(1, "c"), (2, "d"), (3, "e")]


def test_the_sixteen_streams_that_were_heard_last_are_known(journal: Journal) -> None:
    for stream in STREAMS[:16]:
        journal.hear(stream, 5)
    journal.hear(STREAMS[0], 4)
    assert journal.heard(STREAMS[0]) == 5
    journal.hear(STREAMS[16], 2**53 - 1)
    assert journal.heard(STREAMS[16]) == 2**53 - 1
    assert journal.heard(STREAMS[0]) == 5
    assert journal.heard(STREAMS[1]) == journal.heard(STREAMS[17]) == 0


def test_what_cannot_be_kept_is_refused_and_changes_nothing(journal: Journal) -> None:
    add(journal, "a")
    with pytest.raises(UsageError, match="the id 2, not 3"):
        journal.add(Outgoing(3, "b", 0))
    with pytest.raises(UsageError, match="no text had the id 2 yet"):
        journal.confirm(2)
    for stream, up_to in ((b"short", 1), (STREAMS[0], 0), (STREAMS[0], 2**53)):
        with pytest.raises(UsageError):
            journal.hear(stream, up_to)
    assert bodies(journal) == [(1, "a")]
    assert journal.heard(STREAMS[0]) == 0


@pytest.mark.parametrize(
    ("id_", "body", "at"),
    [
        (0, "a", 0.0),
        (2**53, "a", 0.0),
        (1, "\ud800", 0.0),
        (1, "x" * (2**20 + 1), 0.0),
        (1, "a", 1e999),
        (1, "a", float("nan")),
        (1, "a", -1.0),
    ],
)
def test_no_text_has_values_that_cannot_be_kept(id_: int, body: str, at: float) -> None:
    with pytest.raises(UsageError):
        Outgoing(id_, body, at)


def test_what_is_done_together_is_done_all_or_not_at_all(journal: Journal) -> None:
    add(journal, "a")
    stream = journal.stream
    with pytest.raises(ZeroDivisionError), journal.together():  # noqa: PT012
        add(journal, "b")
        journal.hear(STREAMS[0], 3)
        journal.confirm(1)
        journal.restart()
        _ = 1 // 0
    assert bodies(journal) == [(1, "a")]
    assert (journal.stream, journal.heard(STREAMS[0])) == (stream, 0)
    with journal.together():
        add(journal, "b")
        with pytest.raises(ZeroDivisionError), journal.together():  # noqa: PT012
            add(journal, "c")
            _ = 1 // 0
        add(journal, "d")
    assert bodies(journal) == [(1, "a"), (2, "b"), (3, "d")]


class Both(RuleBasedStateMachine):
    """The same done to a journal in memory and to one in a file, which is opened anew at times."""

    folder: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self._path = Path(tempfile.mkdtemp(dir=self.folder)) / "conversations"
        self._held = ExitStack()
        self._open()
        self._memory = MemoryJournal()

    def _open(self) -> None:
        self._held.close()
        file = ConversationFile(self._path, ME)
        self._held.callback(file.close)
        self._file: Journal = self._held.enter_context(file.journal(BOB.public_key))

    @property
    def _both(self) -> tuple[Journal, Journal]:
        return self._file, self._memory

    @initialize()
    def another_contact_has_texts_too(self) -> None:
        file = ConversationFile(self._path, ME)
        with file.journal(CAROL.public_key) as hers:
            add(hers, "for Carol")
        file.close()

    @rule()
    def begin_anew(self) -> None:
        self._open()

    @rule(body=st.text(max_size=300), at=st.floats(0, 2**53 - 1))
    def add(self, body: str, at: float) -> None:
        for journal in self._both:
            journal.add(Outgoing(journal.next_id(), body, at))

    @rule(count=st.integers(0, 5))
    def confirm(self, count: int) -> None:
        up_to = min(self._memory.first_kept() + count, self._memory.next_id()) - 1
        for journal in self._both:
            journal.confirm(up_to)

    @rule(stream=st.sampled_from(STREAMS), up_to=st.integers(1, 2**53 - 1))
    def hear(self, stream: bytes, up_to: int) -> None:
        for journal in self._both:
            journal.hear(stream, up_to)

    @rule()
    def restart(self) -> None:
        for journal in self._both:
            journal.restart()

    @rule(after=st.integers(0, 12), limit=st.integers(0, 5))
    def look(self, after: int, limit: int) -> None:
        assert self._file.unconfirmed(after, limit) == self._memory.unconfirmed(after, limit)

    @invariant()
    def they_are_equal(self) -> None:
        assert self._file.unconfirmed() == self._memory.unconfirmed()
        assert self._file.count_unconfirmed() == self._memory.count_unconfirmed()
        assert self._file.first_kept() == self._memory.first_kept()
        assert self._file.next_id() == self._memory.next_id()
        assert [self._file.heard(s) for s in STREAMS] == [self._memory.heard(s) for s in STREAMS]

    def teardown(self) -> None:
        self._held.close()
        file = ConversationFile(self._path, ME)
        with file.journal(CAROL.public_key) as hers:
            assert bodies(hers) == [(1, "for Carol")]
        file.close()


def test_a_file_and_memory_never_differ(quick_path: Path) -> None:
    class Here(Both):
        folder = quick_path

    run_state_machine_as_test(
        Here, settings=settings(max_examples=15, stateful_step_count=25, deadline=None)
    )


def test_two_streams_are_never_the_same(quick_path: Path) -> None:
    file = ConversationFile(quick_path / "conversations", ME)
    streams = set()
    for _ in range(20):
        with file.journal(secrets.token_bytes(32)) as journal:
            streams.add(journal.stream)
    file.close()
    assert len(streams) == 20
