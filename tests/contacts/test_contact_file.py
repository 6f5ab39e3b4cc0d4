"""The encrypted contact file: damage, several programs at once. SPEC.md section 17."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import Identity, Peer
from e2ee.contact_file import ContactFile
from e2ee.errors import ContactFileBusy, ContactFileError

OWNER = Identity.generate()


def stranger(number: int) -> Peer:
    return Peer(Identity.generate().public_key, number.to_bytes(32), 0, 2**50)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "contacts"


def test_what_was_written_is_read_and_only_by_its_owner(path: Path) -> None:
    assert ContactFile(path, OWNER).read().contacts == ()
    with ContactFile(path, OWNER).update() as book:
        bob = book.meet(stranger(1), "code", 100, name="bob")
    assert ContactFile(path, OWNER).read().contacts == (bob,)
    assert path.stat().st_mode & 0o777 == 0o600
    data = path.read_bytes()
    assert b"bob" not in data
    assert bob.identity not in data
    with pytest.raises(ContactFileError, match="another identity's"):
        ContactFile(path, Identity.generate()).read()
    assert path.read_bytes() == data


def test_two_writings_of_one_book_have_nothing_in_common(path: Path) -> None:
    with ContactFile(path, OWNER).update() as book:
        book.meet(stranger(1), "code", 100)
    first = path.read_bytes()
    with ContactFile(path, OWNER).update():
        pass
    second = path.read_bytes()
    assert len(first) == len(second)
    assert first[25:57] != second[25:57]
    assert first[57:89] != second[57:89]


def test_any_damage_is_found_and_the_file_left_as_it_is(
    path: Path, figure: Callable[[str], None]
) -> None:
    with ContactFile(path, OWNER).update() as book:
        book.meet(stranger(1), "code", 100)
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(1, len(whole), 7)]
    damaged += [
        whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(len(whole))
    ]
    damaged += [b"", whole + b"\0", whole * 2, b"\0" * 5000]
    for data in damaged:
        path.write_bytes(data)
        file = ContactFile(path, OWNER)
        with pytest.raises(ContactFileError):
            file.read()
        with pytest.raises(ContactFileError), file.update():
            pass
        assert path.read_bytes() == data
    figure(f"contact file: {len(damaged)} of {len(damaged)} damaged files refused, and left")


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    with ContactFile(path, OWNER).update():
        pass
    path.chmod(0o644)
    with pytest.raises(ContactFileError, match="chmod 600"):
        ContactFile(path, OWNER).read()


def test_an_update_that_fails_changes_nothing(path: Path) -> None:
    file = ContactFile(path, OWNER)
    with file.update() as book:
        book.meet(stranger(1), "code", 100)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), file.update() as book:  # noqa: PT012
        book.meet(stranger(2), "code", 100)
        _ = 1 // 0
    assert path.read_bytes() == before
    with file.update():
        pass


def test_contacts_that_would_not_be_read_again_are_not_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ContactFile(path, OWNER)
    with file.update() as book:
        book.meet(stranger(1), "code", 100)
    before = path.read_bytes()
    monkeypatch.setattr("e2ee.contact_file.MAX_SIZE", len(before))
    with pytest.raises(ContactFileError, match="remove some"), file.update() as book:  # noqa: PT012
        for number in range(2, 100):
            book.meet(stranger(number), "code", 100)
    assert path.read_bytes() == before


def test_who_comes_while_another_writes_is_told_so(path: Path) -> None:
    with (
        ContactFile(path, OWNER).update(),
        pytest.raises(ContactFileBusy),
        ContactFile(path, OWNER).update(),
    ):
        pass


def test_what_cannot_be_locked_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", no_locks)
        with pytest.raises(ContactFileError, match="cannot be locked: No locks"):
            ContactFile(path, OWNER).update().__enter__()
    path.with_name(path.name + ".lock").unlink()
    path.with_name(path.name + ".lock").mkdir()
    with pytest.raises(ContactFileError, match="cannot be written"):
        ContactFile(path, OWNER).update().__enter__()
    assert not path.exists()


def test_a_lock_that_was_left_behind_holds_nobody_up(path: Path) -> None:
    lock = path.with_name("contacts.lock")
    lock.write_bytes(b"")
    fd = os.open(lock, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.close(fd)
    with ContactFile(path, OWNER).update() as book:
        book.meet(stranger(1), "code", 100)


WRITER = """
import sys, time
from e2ee import Identity, Peer
from e2ee.contact_file import ContactFile
from e2ee.errors import ContactFileBusy
folder, number, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
owner = Identity.load(folder + "/identity")
for turn in range(times):
    peer = Peer(Identity.generate().public_key, bytes(32), 0, 2**50)
    while True:
        try:
            with ContactFile(folder + "/contacts", owner).update() as book:
                book.meet(peer, "meeting", 0, name=f"{number}-{turn}")
            break
        except ContactFileBusy:
            time.sleep(0.001)
"""


def test_four_programs_at_once_lose_nothing(tmp_path: Path, figure: Callable[[str], None]) -> None:
    OWNER.save(tmp_path / "identity")
    programs = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(number), "25"])
        for number in range(4)
    ]
    assert [program.wait(100) for program in programs] == [0] * 4
    names = {contact.name for contact in ContactFile(tmp_path / "contacts", OWNER).read().contacts}
    assert names == {f"{number}-{turn}" for number in range(4) for turn in range(25)}
    figure("contact file: 100 of 100 changes by 4 programs at once kept")
