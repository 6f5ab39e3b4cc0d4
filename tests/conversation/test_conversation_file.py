"""The conversation file: for its owner only, whole or refused, deleted for good. SPEC.md 18."""

from __future__ import annotations

import fcntl
import hmac
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from e2ee import Identity
from e2ee.conversation_database import ConversationDatabase
from e2ee.conversation_file import ConversationFile
from e2ee.errors import ConversationBusy, ConversationFileError, UsageError
from e2ee.journal import Outgoing

ME, BOB, CAROL = (Identity.generate() for _ in range(3))
STREAM = bytes(range(16))


@pytest.fixture
def path(quick_path: Path) -> Path:
    return quick_path / "conversations"


@pytest.fixture
def file(path: Path) -> Iterator[ConversationFile]:
    with closing(ConversationFile(path, ME)) as made:
        yield made


def fill(file: ConversationFile, *, texts: int = 5) -> None:
    """Texts for Bob and Carol that are not confirmed, and what they said."""
    for contact in (BOB, CAROL):
        with file.journal(contact.public_key) as journal, journal.together():
            for n in range(1, texts + 1):
                journal.add(Outgoing(n, f"unconfirmed {n}", n))
                file.remember(contact.public_key, "in", n, f"remembered {n}")
            journal.hear(STREAM, 7)


def everything(path: Path) -> object:
    """All that the file has for its owner."""
    with closing(ConversationFile(path, ME)) as file:
        found: list[object] = [list(file.history())]
        for contact in (BOB, CAROL):
            with file.journal(contact.public_key) as journal:
                found.append((journal.stream, journal.next_id(), journal.unconfirmed()))
                found.append(journal.heard(STREAM))
        return found


def on_disk(path: Path) -> bytes:
    """Every byte of the file and of what stands beside it."""
    return b"".join(one.read_bytes() for one in path.parent.iterdir())


def change(path: Path, statements: str) -> None:
    """What somebody does who has the file, and no identity."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(statements)


def test_only_the_owner_reads_it(path: Path, file: ConversationFile) -> None:
    fill(file)
    file.close()
    seen = everything(path)
    data = on_disk(path)
    for secret in (b"unconfirmed", b"remembered", BOB.public_key, STREAM, ME.public_key):
        assert secret not in data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with (
        closing(ConversationFile(path, BOB)) as other,
        pytest.raises(ConversationFileError, match="another identity's; restore a backup"),
    ):
        list(other.history())
    assert everything(path) == seen


def test_looking_makes_no_file(path: Path, file: ConversationFile) -> None:
    assert list(file.history()) == []
    assert file.delete_history() == 0
    file.forget(BOB.public_key)
    assert os.listdir(path.parent) == []


def test_two_programs_use_one_file_but_not_one_conversation(
    path: Path, file: ConversationFile
) -> None:
    with closing(ConversationFile(path, ME)) as other, file.journal(BOB.public_key) as journal:
        with pytest.raises(ConversationBusy, match="go on there"), other.journal(BOB.public_key):
            pass
        with pytest.raises(ConversationBusy):
            other.forget(BOB.public_key)
        with other.journal(CAROL.public_key) as hers:
            hers.add(Outgoing(1, "to Carol", 1))
            journal.add(Outgoing(1, "to Bob", 1))
            assert [text.body for text in hers.unconfirmed()] == ["to Carol"]
        assert [text.body for text in journal.unconfirmed()] == ["to Bob"]
    with file.journal(BOB.public_key) as journal:
        assert journal.next_id() == 2


def test_a_conversation_that_a_dead_program_had_open_is_free(
    path: Path, file: ConversationFile
) -> None:
    ME.save(path.with_name("identity"))
    script = (
        "import sys, time; from e2ee import Identity\n"
        "from e2ee.conversation_file import ConversationFile\n"
        "file = ConversationFile(sys.argv[1], Identity.load(sys.argv[2]))\n"
        "with file.journal(bytes.fromhex(sys.argv[3])):\n"
        "    print('open', flush=True); time.sleep(60)\n"
    )
    arguments = [str(path), str(path.with_name("identity")), BOB.public_key.hex()]
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(ConversationBusy), file.journal(BOB.public_key):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    with file.journal(BOB.public_key) as journal:
        assert journal.next_id() == 1


def in_a_child(act: Callable[[], int]) -> int:
    """The exit code of a forked child that does this, and nothing after it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = act()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_has_no_part_in_the_file_of_its_parent(
    path: Path, file: ConversationFile
) -> None:
    def try_everything() -> int:
        for call in (
            lambda: list(file.history()),
            lambda: file.remember(BOB.public_key, "in", 1, "of the child"),
            journal.next_id,
        ):
            with pytest.raises(UsageError, match="one process"):
                call()
        file.close()
        with closing(ConversationFile(path, ME)) as own:
            own.history()
        return 7

    with file.journal(BOB.public_key) as journal, journal.together():
        journal.add(Outgoing(1, "before the fork", 1))
        assert in_a_child(try_everything) == 7
        journal.add(Outgoing(2, "after the fork", 1))
    assert list(file.history()) == []
    with file.journal(BOB.public_key) as journal:
        assert [text.body for text in journal.unconfirmed()] == [
            "before the fork",
            "after the fork",
        ]


def test_what_another_process_has_opened_is_neither_used_nor_unlocked(
    path: Path, file: ConversationFile
) -> None:
    """The same without a fork."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        opened.enter_context(file.journal(BOB.public_key))
        with pytest.MonkeyPatch.context() as child:
            child.setattr("e2ee._uncopyable._process", object())
            with pytest.raises(UsageError, match="one process"):
                list(file.history())
        unlocked: list[int] = []
        patch.setattr(fcntl, "flock", lambda _, how: unlocked.append(how))
        patch.setattr("e2ee._uncopyable._process", object())
        opened.close()
        assert unlocked == []


def test_a_child_that_was_forked_meanwhile_does_not_keep_a_conversation(
    file: ConversationFile,
) -> None:
    ends, stays = os.pipe()
    with file.journal(BOB.public_key):
        child = os.fork()
        if child == 0:
            os.close(stays)
            os.read(ends, 1)
            os._exit(0)
    try:
        with file.journal(BOB.public_key) as journal:
            assert journal.next_id() == 1
    finally:
        os.close(ends)
        os.close(stays)
        os.waitpid(child, 0)


def test_a_child_that_leaves_a_conversation_does_not_let_others_in(
    path: Path, file: ConversationFile
) -> None:
    def leave() -> int:
        opened.close()
        return 7

    with ExitStack() as opened:
        opened.enter_context(file.journal(BOB.public_key))
        assert in_a_child(leave) == 7
        other = opened.enter_context(closing(ConversationFile(path, ME)))
        with pytest.raises(ConversationBusy), other.journal(BOB.public_key):
            pass


def test_what_is_done_together_is_not_cut_by_a_close(file: ConversationFile) -> None:
    with file.journal(BOB.public_key) as journal:
        with journal.together():
            journal.add(Outgoing(1, "one", 1))
            with pytest.raises(UsageError, match="together"):
                file.close()
            journal.add(Outgoing(2, "two", 1))
        file.close()
        assert [text.body for text in journal.unconfirmed()] == ["one", "two"]


def test_a_journal_is_of_no_use_once_it_was_let_go(file: ConversationFile) -> None:
    with file.journal(BOB.public_key) as journal:
        pass
    with pytest.raises(UsageError, match="closed"):
        journal.add(Outgoing(1, "a", 1))


def test_a_contact_that_is_forgotten_leaves_nothing(path: Path, file: ConversationFile) -> None:
    fill(file)
    with closing(sqlite3.connect(path)) as connection:
        ((name, state),) = connection.execute(
            "SELECT name, state FROM contacts WHERE id = (SELECT contact FROM outgoing LIMIT 1)"
        )
        rows = connection.execute("SELECT value FROM outgoing WHERE contact = 1").fetchall()
        rows += connection.execute("SELECT value FROM history WHERE contact = 1").fetchall()
    sealed = [name, state, *(value for (value,) in rows)]
    assert len(sealed) == 12
    assert all(value in on_disk(path) for value in sealed)
    file.forget(BOB.public_key)
    assert not any(value in on_disk(path) for value in sealed)
    file.forget(BOB.public_key)
    assert {entry.contact for entry in file.history()} == {CAROL.public_key}
    with file.journal(BOB.public_key) as journal:
        assert (journal.next_id(), journal.heard(STREAM)) == (1, 0)


def test_what_was_confirmed_or_deleted_is_nowhere_on_disk(
    path: Path, file: ConversationFile, figure: Callable[[str], None]
) -> None:
    with file.journal(BOB.public_key) as journal, journal.together():
        for n in range(1, 101):
            # Up to some pages long each.
            journal.add(Outgoing(n, "x" * (n * 150), n))
            file.remember(BOB.public_key, "out", n, "x" * (n * 150))

    def sealed() -> dict[tuple[str, int], bytes]:
        with closing(sqlite3.connect(path)) as connection:
            return {
                (table, id_): value[-200:]
                for table in ("outgoing", "history")
                for id_, value in connection.execute(f"SELECT id, value FROM {table}")  # noqa: S608
            }

    values = sealed()
    data = on_disk(path)
    assert all(value in data for value in values.values())
    with file.journal(BOB.public_key) as journal:
        journal.confirm(60)
    assert file.delete_history(before=30) == 29
    assert file.delete_history(BOB.public_key, before=50) == 20
    left = sealed()
    assert len(left) == 40 + 51
    data = on_disk(path)
    for key, value in values.items():
        assert (value in data) is (key in left)
    assert file.delete_history() == 51
    data = on_disk(path)
    assert not any(value in data for key, value in values.items() if key[0] == "history")
    figure(f"conversation file: of {len(values)} texts the deleted ones are not in any file")


# Whoever has the file may delete, and go back in time; not more.

SWAPS = {
    "two texts": "UPDATE outgoing SET value = (SELECT value FROM outgoing WHERE id = 2)",
    "texts of two contacts": "UPDATE outgoing SET value = "
    "(SELECT value FROM outgoing WHERE contact = 2 AND id = 1) WHERE contact = 1 AND id = 1",
    "an entry's number": "UPDATE history SET id = -5 WHERE id = 1",
    "an entry's number to nothing": "UPDATE history SET id = 0 WHERE id = 1",
    "a text's number": "UPDATE outgoing SET id = 9 WHERE contact = 1 AND id = 5",
    "a text that is missing": "DELETE FROM outgoing WHERE contact = 1 AND id = 3",
    "the last text": "DELETE FROM outgoing WHERE contact = 1 AND id = 5",
    "contacts of texts": "UPDATE outgoing SET contact = 10 - contact; "
    "UPDATE outgoing SET contact = contact - 7",
    "contacts of history": "UPDATE history SET contact = 3 - contact",
    "the contact of one entry": "UPDATE history SET contact = 2 WHERE id = 1",
    "no contact": "UPDATE history SET contact = 9 WHERE id = 1",
    "two entries": "UPDATE history SET value = (SELECT value FROM history WHERE id = 2) "
    "WHERE id = 1",
    "an entry as a text": "UPDATE outgoing SET value = (SELECT value FROM history)",
    "states": "UPDATE contacts SET state = (SELECT state FROM contacts WHERE id = 2)",
    "names": "UPDATE contacts SET id = 10 - id; UPDATE contacts SET id = id - 7",
    "a number for a value": "UPDATE history SET value = 17 WHERE id = 1",
    "a text for a value": "UPDATE history SET value = 'abc' WHERE id = 1",
    "an empty value": "UPDATE history SET value = x'' WHERE id = 1",
    "a number for a name": "UPDATE contacts SET name = 17 WHERE id = 1",
    "the salt": "UPDATE header SET salt = zeroblob(32)",
    "a short salt": "UPDATE header SET salt = x'00'",
    "no header": "DELETE FROM header",
    "a trigger": "CREATE TRIGGER t AFTER DELETE ON outgoing BEGIN DELETE FROM history; END",
    "a table": "CREATE TABLE more (x)",
    "a lost table": "DROP TABLE history",
}


@pytest.mark.parametrize("what", SWAPS)
def test_values_in_other_places_are_found(path: Path, file: ConversationFile, what: str) -> None:
    fill(file)
    file.close()
    change(path, SWAPS[what])
    with pytest.raises(ConversationFileError, match="is damaged or another identity's"):
        everything(path)


def test_any_damage_is_found_or_does_not_matter(
    path: Path, file: ConversationFile, figure: Callable[[str], None]
) -> None:
    fill(file, texts=3)
    file.close()
    whole, seen = path.read_bytes(), everything(path)
    cases = [whole[:length] for length in range(1, len(whole), 1021)]
    # Where there is something at all; the rest of the pages is zero.
    places = [at for at in range(len(whole)) if whole[at]]
    cases += [
        whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in places[::17]
    ]
    cases += [b"\0" * 5000, b"no database at all" * 300, whole[4096:], whole[::-1]]
    found = 0
    for data in cases:
        path.write_bytes(data)
        with suppress(ConversationFileError):
            assert everything(path) == seen, "an error, or all of it"
            continue
        found += 1
        assert path.read_bytes() == data
        for beside in path.parent.glob("conversations-*"):
            beside.unlink()
    assert found > len(cases) * 0.9
    figure(f"conversation file: {found} of {len(cases)} damages found, the others without effect")


def test_a_file_of_a_later_version_and_other_databases_are_left(
    path: Path, file: ConversationFile
) -> None:
    fill(file)
    file.close()
    change(path, "PRAGMA user_version = 2")
    with pytest.raises(ConversationFileError, match="version that this program does not know"):
        everything(path)
    path.unlink()
    change(path, "CREATE TABLE mine (x)")
    path.chmod(0o600)
    with pytest.raises(ConversationFileError, match="is no conversation file"):
        everything(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]


def test_a_file_that_is_not_private_or_no_file_is_refused(
    path: Path, file: ConversationFile
) -> None:
    fill(file)
    file.close()
    path.chmod(0o640)
    with pytest.raises(ConversationFileError, match="chmod 600"):
        everything(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConversationFileError, match="not a regular file"):
        everything(path)
    with pytest.raises(ConversationFileError, match="not the name of a file"):
        ConversationFile("a\0b", ME)
    with (
        closing(ConversationFile(path / "missing" / "file", ME)) as lost,
        pytest.raises(ConversationFileError, match="No such file"),
        lost.journal(BOB.public_key),
    ):
        pass


def test_what_stands_in_the_way_is_named(
    path: Path, file: ConversationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        closing(ConversationFile(path.with_name("x" * 300), ME)) as long,
        pytest.raises(ConversationFileError, match="File name too long"),
    ):
        list(long.history())
    fill(file)
    file.close()
    beside = path.with_name("conversations-journal")
    beside.unlink()
    beside.mkdir()
    with pytest.raises(ConversationFileError, match="cannot be read or written"):
        file.remember(BOB.public_key, "in", 1, "a")
    file.close()
    beside.rmdir()
    monkeypatch.setattr("e2ee.conversation_database._SETTINGS", (("secure_delete=ON", 9),))
    with pytest.raises(ConversationFileError, match="refuses secure_delete=ON"):
        file.remember(BOB.public_key, "in", 1, "a")
    monkeypatch.setattr(ConversationDatabase, "_check_private", lambda _: None)
    path.unlink()  # Just then.
    with pytest.raises(ConversationFileError, match="beside it cannot be opened"):
        file.remember(BOB.public_key, "in", 1, "a")


def test_an_empty_file_is_one_without_texts(path: Path, file: ConversationFile) -> None:
    path.touch(0o600)
    fill(file)
    assert len(list(file.history())) == 10


def test_what_a_killed_program_left_beside_a_file_is_for_that_file_only(
    path: Path, file: ConversationFile
) -> None:
    fill(file, texts=300)
    file.close()
    seen = everything(path)
    beside = path.with_name("conversations-journal")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE outgoing SET value = zeroblob(3000)")
        left, half = beside.read_bytes(), path.read_bytes()
        connection.execute("ROLLBACK")
    # It takes the file back.
    path.write_bytes(half)
    beside.write_bytes(left)
    assert everything(path) == seen
    # Where the file was moved away, it has no say in a new one.
    path.unlink()
    beside.write_bytes(left)
    with file.journal(BOB.public_key) as journal:
        journal.add(Outgoing(1, "new", 1))
    file.close()
    with file.journal(BOB.public_key) as journal:
        assert journal.unconfirmed() == [Outgoing(1, "new", 1)]


def test_a_file_that_another_program_locks_is_said_to_be_in_use(
    path: Path, file: ConversationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2ee.conversation_database.PATIENCE", 0.1)
    fill(file)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ConversationBusy, match="another program has kept"):
            file.remember(BOB.public_key, "in", 1, "a")
        other.execute("ROLLBACK")
    file.remember(BOB.public_key, "in", 1, "a")
    assert len(list(file.history())) == 11


def test_history_is_of_a_time_and_of_a_text(file: ConversationFile) -> None:
    fill(file)
    assert {entry.at for entry in file.history(since=2, until=4)} == {2, 3}
    assert {entry.body for entry in file.history(containing="BERED 3")} == {"remembered 3"}


def test_what_another_program_has_made_in_this_moment_is_not_made_again(
    path: Path, file: ConversationFile
) -> None:
    fill(file)
    before = everything(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        file._database._make(connection)
    assert everything(path) == before


def test_whoever_reads_history_slowly_is_in_nobodys_way(
    path: Path, file: ConversationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2ee.conversation_database.PATIENCE", 0)
    fill(file)
    with closing(ConversationFile(path, ME)) as other:
        entries = other.history()
        next(entries)
        file.remember(BOB.public_key, "in", 1, "a")
        assert len(list(entries)) == 10


def test_a_file_that_cannot_be_written_can_be_read(path: Path, file: ConversationFile) -> None:
    fill(file)
    file._database.rows("PRAGMA query_only = ON")
    with pytest.raises(ConversationFileError, match="make it and its folder writable"):
        file.remember(BOB.public_key, "in", 1, "a")
    assert len(list(file.history())) == 10


def test_a_full_disk_leaves_what_was_there(path: Path, file: ConversationFile) -> None:
    fill(file)
    seen = everything(path)
    ((pages,),) = file._database.rows("PRAGMA page_count")
    file._database.rows(f"PRAGMA max_page_count = {pages}")
    with (  # noqa: PT012
        file.journal(BOB.public_key) as journal,
        pytest.raises(ConversationFileError, match="the disk is full"),
        journal.together(),
    ):
        journal.confirm(2)
        journal.add(Outgoing(6, "x" * 100_000, 1))
    assert everything(path) == seen
    file.remember(BOB.public_key, "in", 1, "a")


def test_a_limit_of_the_system_leaves_what_was_there(path: Path, file: ConversationFile) -> None:
    fill(file)
    seen = everything(path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, before[1]))
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(ConversationFileError, match="its limits are reached"):
            file.remember(BOB.public_key, "in", 1, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert everything(path) == seen


def test_what_cannot_be_kept_is_refused(path: Path, file: ConversationFile) -> None:
    bob = BOB.public_key
    for contact, direction, at, body, message in (
        (b"short", "in", 1.0, "a", ""),
        (bob, "up", 1.0, "a", ""),
        (bob, "in", float("nan"), "a", ""),
        (bob, "in", 1.0, "\ud800", ""),
        (bob, "in", 1.0, "a", "\ud800"),
        (bob, "in", 1.0, "a", "x" * 65_536),
    ):
        with pytest.raises(UsageError):
            file.remember(contact, direction, at, body, message)  # type: ignore[arg-type]
    assert list(file.history()) == []


def test_nonces_and_states_differ_at_every_writing(path: Path, file: ConversationFile) -> None:
    sealed = set()
    with file.journal(BOB.public_key) as journal:
        for _ in range(20):
            journal.hear(STREAM, 1)
            ((state,),) = file._database.rows("SELECT state FROM contacts")
            sealed |= {state, state[:12]}
    assert len(sealed) == 40


def test_no_key_is_shown(path: Path, file: ConversationFile) -> None:
    fill(file)
    ((salt,),) = file._database.rows("SELECT salt FROM header")
    shown = repr(file._database._opened) + repr(vars(file._database))
    assert "_Opened" in shown
    for label in (b"e2ee conversation value v1", b"e2ee conversation name v1"):
        assert repr(ME.derive(label, salt)) not in shown


def test_several_programs_make_and_fill_one_file_at_once(path: Path) -> None:
    contacts = [Identity.generate().public_key for _ in range(4)]

    def work(contact: bytes) -> None:
        with closing(ConversationFile(path, ME)) as file, file.journal(contact) as journal:
            for n in range(1, 26):
                journal.add(Outgoing(n, f"{n} for {contact.hex()}", n))
                file.remember(contact, "out", n, f"{n}")

    with ThreadPoolExecutor(len(contacts)) as pool:
        list(pool.map(work, contacts))
    with closing(ConversationFile(path, ME)) as file:
        for contact in contacts:
            assert [entry.body for entry in file.history(contact)] == [str(n) for n in range(1, 26)]
            with file.journal(contact) as journal:
                bodies = [text.body for text in journal.unconfirmed()]
                assert bodies == [f"{n} for {contact.hex()}" for n in range(1, 26)]


def test_the_format_is_that_of_the_specification(path: Path, file: ConversationFile) -> None:
    bob = BOB.public_key
    with file.journal(bob) as journal:
        journal.add(Outgoing(1, "gone", 1))
        journal.add(Outgoing(2, "wörld", 1.5))
        journal.confirm(1)
        journal.hear(STREAM, 9)
        stream = journal.stream
    file.remember(bob, "out", 2.5, "kept", "näme")
    file.close()

    def own_secret(label: bytes) -> bytes:
        info = b"e2ee own secret v1\0" + label
        return ME.use_seed(lambda seed: HKDF(SHA256(), 32, salt, info).derive(seed))

    def unsealed(value: bytes, place: bytes) -> bytes:
        key = AESGCM(own_secret(b"e2ee conversation value v1"))
        return key.decrypt(value[:12], value[12:], place)

    with closing(sqlite3.connect(path)) as connection:
        salt: bytes
        ((salt, proof),) = connection.execute("SELECT salt, proof FROM header")
        ((number, name, state),) = connection.execute("SELECT * FROM contacts")
        ((waits_for, id_, text),) = connection.execute("SELECT * FROM outgoing")
        ((entry_id, entry_of, entry),) = connection.execute("SELECT * FROM history")
    assert unsealed(proof, b"header") == b""
    assert name == hmac.digest(own_secret(b"e2ee conversation name v1"), bob, "sha256")
    assert unsealed(state, b"contact" + name) == (
        bob + stream + (2).to_bytes(8) + (3).to_bytes(8) + STREAM + (9).to_bytes(8) + bytes(15 * 24)
    )
    assert (waits_for, id_, entry_of) == (number, 2, number)
    place = b"outgoing" + name + stream + (2).to_bytes(8)
    assert unsealed(text, place) == bytes.fromhex("3ff8000000000000") + "wörld".encode()
    place = b"history" + name + entry_id.to_bytes(8)
    assert unsealed(entry, place) == (
        b"\1" + bytes.fromhex("4004000000000000") + b"\0\5" + "nämekept".encode()
    )


def test_what_a_text_costs(tmp_path: Path, figure: Callable[[str], None]) -> None:
    file = ConversationFile(tmp_path / "conversations", ME)  # On a disk.

    def rate(count: int, step: Callable[[], None]) -> float:
        began = time.perf_counter()
        step()
        return count / (time.perf_counter() - began)

    with file.journal(BOB.public_key) as journal:

        def add(count: int) -> None:
            for _ in range(count):
                journal.add(Outgoing(journal.next_id(), "a line of a chat", 1))

        def add_together() -> None:
            with journal.together():
                add(100)

        single, grouped = rate(50, lambda: add(50)), rate(100, add_together)
        assert journal.count_unconfirmed() == 150

        def remember() -> None:
            with journal.together():
                for n in range(2000):
                    file.remember(BOB.public_key, "in", n, "a line of a chat")

        kept = rate(2000, remember)
    found: list[int] = []
    scanned = rate(2000, lambda: found.append(len(list(file.history(containing="CHAT")))))
    file.close()
    assert found == [2000]
    figure(
        f"conversation file: {single:,.0f} texts/s one by one, each on disk; {grouped:,.0f} in a "
        f"group of 100; history kept {kept:,.0f}/s in a group, searched {scanned:,.0f}/s"
    )


def test_the_database_is_opened_with_what_the_specification_says(
    path: Path, file: ConversationFile
) -> None:
    fill(file)
    database: ConversationDatabase = file._database
    for name, value in (
        ("journal_mode", "truncate"),
        ("synchronous", 2),
        ("secure_delete", 1),
        ("trusted_schema", 0),
        ("temp_store", 2),
    ):
        assert database.rows(f"PRAGMA {name}") == [(value,)]
    assert path.read_bytes()[68:72] == b"e2ee"
