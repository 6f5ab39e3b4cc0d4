"""A crash or a failure at every system call that writes an identity or the contacts.

A child process runs the writing with each of the system calls wrapped; at the n-th it is killed
(``kill -9``), before the call, after it, or with half of the bytes written, or the call fails.
"""

from __future__ import annotations

import errno
import itertools
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import Identity, Peer
from e2ee.contact_file import ContactFile

CHILD = """
import errno, fcntl, os, signal, sys
work, folder, at, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
count = 0

def wrap(module, name):
    real = getattr(module, name)
    def wrapped(*arguments, **options):
        global count
        count += 1
        if count != at:
            return real(*arguments, **options)
        if how.isdigit():
            raise OSError(int(how), os.strerror(int(how)))
        if how == "half" and name == "write":
            real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        if how == "after":
            real(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(module, name, wrapped)

from e2ee import Identity, Peer, E2EEError
from e2ee.contact_file import ContactFile
owner = Identity.load("{owner}")
new = Identity.load("{new}")
for module, name in [(os, n) for n in ("open", "write", "fsync", "replace", "link", "unlink",
                                       "close")] + [(fcntl, "flock")]:
    wrap(module, name)
try:
    if work == "create":
        new.save(folder + "/identity")
    elif work == "replace":
        new.save(folder + "/identity", replace=True)
    else:
        with ContactFile(folder + "/contacts", owner).update() as book:
            book.meet(Peer(new.public_key, bytes(32), 0, 2**50), "meeting", 0, name="new")
except E2EEError as error:
    print(type(error).__name__, error)
    sys.exit(3)
if count < at:
    sys.exit(4)
"""


@pytest.fixture
def child(tmp_path: Path) -> Callable[[str, Path, int, str], subprocess.CompletedProcess[str]]:
    owner, new = tmp_path / "owner", tmp_path / "new"
    OLD.save(owner)
    NEW.save(new)
    code = CHILD.replace("{owner}", str(owner)).replace("{new}", str(new))

    def run(work: str, folder: Path, at: int, how: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, work, str(folder), str(at), how],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


OLD, NEW = Identity.generate(), Identity.generate()


def prepare(folder: Path, work: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if work == "replace":
        OLD.save(folder / "identity")
    if work == "contacts":
        with ContactFile(folder / "contacts", OLD).update() as book:
            book.rename(book.meet(_peer_of(OLD), "meeting", 0).name, "old")


def _peer_of(identity: Identity) -> Peer:
    return Peer(identity.public_key, bytes(32), 0, 2**50)


def state(folder: Path, work: str) -> str:
    """What a reader finds."""
    if work == "contacts":
        names = {contact.name for contact in ContactFile(folder / "contacts", OLD).read().contacts}
        return {frozenset({"old"}): "old", frozenset({"old", "new"}): "new"}[frozenset(names)]
    path = folder / "identity"
    if not path.exists():
        return "none"
    return {OLD.id: "old", NEW.id: "new"}[Identity.load(path).id]


@pytest.mark.parametrize("work", ["create", "replace", "contacts"])
@pytest.mark.parametrize("how", ["before", "after", "half"])
def test_kill_9_at_every_system_call_leaves_the_old_or_the_new(
    work: str,
    how: str,
    tmp_path: Path,
    child: Callable[[str, Path, int, str], subprocess.CompletedProcess[str]],
    figure: Callable[[str], None],
) -> None:
    folder = tmp_path / "home"
    seen = []
    for at in itertools.count(1):
        prepare(folder, work)
        result = child(work, folder, at, how)
        if result.returncode == 4:
            break
        assert result.returncode == -signal.SIGKILL, result.stderr
        seen.append(state(folder, work))
        # What was left behind holds nobody up.
        if work == "contacts":
            with ContactFile(folder / "contacts", OLD).update() as book:
                book.meet(_peer_of(NEW), "meeting", 0)
        elif state(folder, work) != "none":
            NEW.save(folder / "identity", replace=True)
        else:
            NEW.save(folder / "identity")
        state(folder, work)
    first = "none" if work == "create" else "old"
    assert set(seen) == {first, "new"}
    assert seen == sorted(seen, key=[first, "new"].index), seen
    assert state(folder, work) == "new"
    figure(f"kill -9 {how} system calls, {work}: {len(seen)} points, all readable")


@pytest.mark.parametrize("work", ["create", "replace", "contacts"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS])
def test_a_failure_at_every_system_call_is_an_error_of_ours(
    work: str,
    code: int,
    tmp_path: Path,
    child: Callable[[str, Path, int, str], subprocess.CompletedProcess[str]],
) -> None:
    folder = tmp_path / "home"
    for at in itertools.count(1):
        prepare(folder, work)
        result = child(work, folder, at, str(code))
        if result.returncode == 4:
            break
        assert "Traceback" not in result.stderr, result.stderr
        assert result.returncode in (0, 3)
        if result.returncode == 3:
            assert "FileError" in result.stdout
            assert "\n" not in result.stdout.strip()
        assert state(folder, work) in ("none", "old", "new")
