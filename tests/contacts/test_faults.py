"""A file is the old one or the new one, whole, whatever happens at whichever system call."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from e2ee import Identity, Peer
from e2ee.contact_file import ContactFile

VICTIM = Path(__file__).with_name("victim.py")
OPERATIONS = ("save", "replace", "update")
TEMPORARY = re.compile(r"\.file\.[0-9a-f]{16}\.tmp")
HAS_NAME = ("after link", "after replace")
"""From here on the file is the new one."""


class Place:
    """A folder with a file in its old state, an identity that acts, and one that is met."""

    def __init__(self, folder: Path, operation: str, under: Sequence[str] = ()) -> None:
        self.folder = folder / "place"
        self.path = self.folder / "file"
        self.operation = operation
        self._old, self._new = Identity.generate(), Identity.generate()
        self._identity_path = folder / "identity"
        self._new.save(self._identity_path)
        self.victim = subprocess.Popen(
            [*under, sys.executable, str(VICTIM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def reset(self) -> None:
        """Back to the old state: a file, or, where a new one is to be saved, none."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        if self.operation == "replace":
            self._old.save(self.path)
        elif self.operation == "update":
            peer = Peer(self._old.public_key, bytes(32), 0, 1)
            with ContactFile(self.path, self._new).update() as book:
                book.meet(peer, "meeting", 1, name="before")

    def act(self, **task: Any) -> dict[str, Any] | None:
        """What became of it; None where it was killed."""
        assert self.victim.stdin is not None
        assert self.victim.stdout is not None
        task |= {
            "operation": self.operation,
            "path": str(self.path),
            "identity": str(self._identity_path),
        }
        self.victim.stdin.write(json.dumps(task) + "\n")
        self.victim.stdin.flush()
        answer = self.victim.stdout.readline()
        if answer == "killed\n":
            return None
        result: dict[str, Any] = json.loads(answer)
        return result

    def is_new(self) -> bool:
        """Whether the file is the new one, whole, rather than the old one, whole."""
        if self.operation == "update":
            (contact,) = ContactFile(self.path, self._new).read().contacts
            assert contact.name in {"before", "after"}
            return contact.name == "after"
        if self.operation == "save" and not os.path.lexists(self.path):
            return False
        found = Identity.load(self.path).id
        assert found in {self._new.id, self._old.id}
        return found == self._new.id

    def temporaries(self) -> list[str]:
        """Files that were left; any but private ones with a temporary name are wrong."""
        left = sorted(set(os.listdir(self.folder)) - {"file", "file.lock"})
        for name in left:
            assert TEMPORARY.fullmatch(name)
            assert stat.S_IMODE((self.folder / name).stat().st_mode) == 0o600
        return left


@pytest.fixture(params=OPERATIONS)
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(tmp_path, request.param)
    with made.victim:
        yield made


def points(place: Place, **task: Any) -> list[str]:
    """All points of the operation where nothing goes wrong."""
    place.reset()
    result = place.act(**task)
    assert result is not None
    assert result["error"] is None
    assert place.is_new()
    assert place.temporaries() == []
    found: list[str] = result["points"]
    return found


AGAIN = {"save": "IdentityFileError", "replace": None, "update": "NoSuchContact"}
"""What doing it once more raises where it had been done."""


def kill_at_each_point(place: Place, **task: Any) -> int:
    """How many points there were."""
    reached = points(place, **task)
    has_name = next(n for n, point in enumerate(reached) if point in HAS_NAME)
    leftovers = 0
    for n in range(len(reached)):
        place.reset()
        assert place.act(at=n, error=None, **task) is None
        assert place.is_new() is (n >= has_name)
        leftovers += len(place.temporaries())
        result = place.act(**task)
        assert result is not None, "what was left is in somebody's way"
        raised = result["error"] and result["error"].partition(":")[0]
        assert raised == (AGAIN[place.operation] if n >= has_name else None)
        assert place.is_new()
    assert leftovers > 0
    return len(reached)


@pytest.mark.attack(84)
def test_a_process_killed_at_any_system_call_leaves_the_old_file_or_the_new_one(
    place: Place, figure: Callable[[str], None]
) -> None:
    count = kill_at_each_point(place)
    figure(f"{place.operation}: killed at each of {count} points, the file is the old or the new")


def test_the_bytes_are_on_disk_before_the_name_and_the_name_before_it_is_done(
    place: Place,
) -> None:
    reached = points(place)
    has_name = next(n for n, point in enumerate(reached) if point in HAS_NAME)
    assert reached[:has_name].count("after fsync") == 1
    assert reached[:has_name].index("after fsync") > reached[:has_name].index("after write")
    assert reached[has_name:].count("after fsync") == 1


@pytest.mark.parametrize("place", ["save"], indirect=True)
@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
def test_so_it_is_where_the_file_system_has_no_hard_links(place: Place, code: int) -> None:
    kill_at_each_point(place, no_links=code)


@pytest.mark.attack(84)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_an_error_at_any_system_call_is_one_of_ours_and_leaves_the_old_file_or_the_new_one(
    place: Place, code: int, figure: Callable[[str], None]
) -> None:
    kind = "ContactFileError" if place.operation == "update" else "IdentityFileError"
    why = re.escape(os.strerror(code))
    read = f"{why}; make it yours again: chown, chmod 600" if code == errno.EACCES else why
    line = re.compile(rf"{kind}: {place.folder}\S* cannot be (read: {read}|(?!read)\w+: {why})")
    reached = points(place)
    has_name = next(n for n, point in enumerate(reached) if point in HAS_NAME)
    raised = 0
    for n, point in enumerate(reached):
        place.reset()
        result = place.act(at=n, error=code)
        assert result is not None
        if result["error"] is None:
            assert place.is_new()
        else:
            raised += 1
            assert line.fullmatch(result["error"])
            # Once it has its name a file cannot be taken back.
            assert place.is_new() is (n >= has_name)
        assert len(place.temporaries()) == (point == "before unlink" and place.operation == "save")
    assert raised > len(reached) // 2
    figure(
        f"{place.operation}: {errno.errorcode[code]} at each of {len(reached)} points, "
        f"{raised} times an error of ours, else done"
    )


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_an_error_after_half_a_write_leaves_the_old_file(place: Place, code: int) -> None:
    reached = points(place, short_writes=True)
    halves = [n for n, point in enumerate(reached) if point == "half write"]
    assert len(halves) > 5
    for n in halves:
        place.reset()
        # The system says what it has written, and fails at the next call.
        result = place.act(at=n + 1, error=code, short_writes=True)
        assert result is not None
        assert result["error"].endswith(os.strerror(code))
        assert not place.is_new()
        assert place.temporaries() == []


def test_a_lock_that_the_file_system_does_not_have_is_an_error_of_ours(tmp_path: Path) -> None:
    place = Place(tmp_path, "update")
    with place.victim:
        at = points(place).index("before flock")
        place.reset()
        result = place.act(at=at, error=errno.ENOLCK)
    assert result is not None
    assert result["error"] == (
        f"ContactFileError: {place.path}.lock cannot be locked: {os.strerror(errno.ENOLCK)}"
    )
    assert not place.is_new()


# The points are all that there are.

READING = {"read", "lseek", "fstat", "newfstat", "lstat", "stat", "statx", "close", "ioctl"}
READING |= {"readlink", "access", "faccess", "pread64", "getdents64", "fcntl"}


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_system_call_that_changes_a_file_goes_around_the_points(
    tmp_path: Path, operation: str
) -> None:
    log = tmp_path / "strace"
    place = Place(tmp_path, operation, under=["strace", "-f", "-y", "-o", str(log)])
    with place.victim:
        reached = points(place)
    expected = Counter(
        point.partition(" ")[2].replace("replace", "rename")
        for point in reached
        if point.startswith("before ")
    )
    expected["write"] *= 2  # Each is done in two halves.
    del expected["close"], expected["lstat"]
    lines = [line for line in log.read_text().splitlines() if str(place.folder) in line]
    calls = [re.match(r"\d+ +(\w+?)(at2?)?\(", line) for line in lines]
    found = Counter(call[1] for call in calls if call is not None)
    assert Counter({name: n for name, n in found.items() if name not in READING}) == expected
