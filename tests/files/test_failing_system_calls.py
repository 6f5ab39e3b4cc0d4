"""``e2ee receive`` on a system whose calls fail: a name has a whole file, or is not there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

DATA = bytes(range(256)) * 1_000
FILES = ("a", "b")
RETRIED = dict.fromkeys(("openat", "ftruncate", "pwrite64", "fsync"), "EINTR")
"""Python makes them again, and nobody notices."""


class Faulty:
    """Bob, who receives under strace, and Alice, who sends him all files again and again."""

    def __init__(self, pair: Any) -> None:
        pair.meet()
        self._pair = pair
        self._log = pair.folder / "strace"
        for name in FILES:
            (pair.folder / name).write_bytes(DATA)

    def transfer(
        self, faults: dict[str, str], when: str, paths: Iterable[Path] = ()
    ) -> tuple[list[str], set[str]]:
        """The calls that failed, of any file or of these, and the names that there are now.

        ``when`` -- which of each thread's calls of a kind.
        """
        strace = ["strace", "-f", "-y", "-o", str(self._log), f"--trace={','.join(faults)}"]
        for call, error in faults.items():
            strace.append(f"--inject={call}:error={error}:when={when}")
        strace += [f"--trace-path={path}" for path in paths]
        bob, address = self._pair.receive("--yes", under=strace)
        sent, _ = self._pair.finish(self._pair.send(*FILES, address))
        received, events = self._pair.finish(bob)
        names = {path.name for path in self._pair.inbox.iterdir() if path.name[0] != "."}
        for name in names:
            assert (self._pair.inbox / name).read_bytes() == DATA
        told = {
            event["path"].removeprefix("in/") for event in events if event["event"] == "received"
        }
        assert told <= names
        assert (sent, received) == ((0, 0) if len(told) == len(FILES) else (6, 10))
        assert received == 0 or events[-1]["message"].endswith("did not come")
        return [line for line in self._log.read_text().splitlines() if "INJECTED" in line], names

    def parts(self) -> list[Path]:
        """What the files are called while they come, always the same: each has failed once."""
        _, names = self.transfer({"pwrite64": "ENOSPC"}, "1+")
        assert names == set()
        found = [path for path in self._pair.inbox.iterdir() if path.name.endswith(".e2ee-part")]
        assert len(found) == len(FILES)
        return [self._pair.inbox, *found]

    def empty(self) -> None:
        for path in self._pair.inbox.iterdir():
            path.unlink()


@needs_strace
@pytest.mark.attack(94)
def test_no_name_without_room_or_without_having_been_put_on_the_disk(pair: Any) -> None:
    faulty = Faulty(pair)
    parts = faulty.parts()
    failed, names = faulty.transfer({"fsync": "EIO"}, "1", parts)
    assert len(failed) >= 1
    assert len(names) < len(FILES)
    faulty.empty()
    failed, names = faulty.transfer(RETRIED, "1", parts)
    assert {call for call in RETRIED if any(f" {call}(" in line for line in failed)} == set(RETRIED)
    assert names == set(FILES)


@needs_strace
@pytest.mark.attack(94)
@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_whichever_call_fails_no_name_is_there_without_its_file(
    pair: Any, figure: Callable[[str], None]
) -> None:
    faulty = Faulty(pair)
    parts = faulty.parts()
    count = 0
    for call in ("openat", "ftruncate", "pwrite64", "fsync", "renameat2"):
        for error in ("ENOSPC", "EIO", "EINTR"):
            for number in range(1, 100):
                faulty.empty()
                failed, names = faulty.transfer({call: error}, str(number), parts)
                if not failed:
                    break
                count += len(failed)
                if RETRIED.get(call) == error:
                    assert names == set(FILES)
            assert number > 1
            assert names == set(FILES)
    figure(f"e2ee receive: {count} calls of the system failed, 0 names without the whole of a file")
