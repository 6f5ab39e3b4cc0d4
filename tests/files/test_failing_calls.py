"""Every call of the system that a file needs fails once: no name is there without its file."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2ee import Identity
from e2ee_cli import incoming_files, new_names
from e2ee_cli.exits import Exit
from e2ee_cli.file_trouble import FileTrouble
from e2ee_cli.incoming_files import Inbox

IDENTITY = Identity.generate()
PEER = b"p" * 32
CALLS = ("open", "pwrite", "pread", "ftruncate", "fsync", "rename", "mkdir", "fstat", "stat", "dup")
IN_ONE_STEP = "rename_to_new"
"""Of ours, in the place of the system's own, and of rename."""
PIECES = 16
DATA = bytes(range(256)) * PIECES


def receive_file(box: Inbox) -> str:
    with contextlib.closing(box.file("a", b"")) as file:
        file.prefix(len(DATA))
        file.truncate(0)
        for at in range(0, len(DATA), 256):
            file.write(at, [memoryview(DATA)[at : at + 256]])
        return str(file.finish())


def receive_folder(box: Inbox) -> str:
    with contextlib.closing(box.tree("a", b"")) as tree:
        for path in (["x"], ["sub", "y"]):
            with contextlib.closing(tree.file(path)) as file:
                file.truncate(0)
                file.write(0, [memoryview(DATA)])
                file.finish()
        return str(tree.finish())


@contextlib.contextmanager
def failing(call: str, number: int, code: int) -> Iterator[list[int]]:
    """The call with this number, from 1, fails. Gives a list that grows with each."""
    owner = incoming_files if call == IN_ONE_STEP else os
    really: Any = getattr(owner, call)
    made: list[int] = []

    def one(*args: Any, **options: Any) -> Any:
        made.append(1)
        if len(made) == number:
            raise OSError(code, os.strerror(code))
        return really(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, call, one)
        yield made


@pytest.mark.attack(94)
@pytest.mark.parametrize(
    ("code", "in_one_step"),
    [(errno.ENOSPC, True), (errno.EIO, True), (errno.EIO, False)],
)
@pytest.mark.parametrize("receive", [receive_file, receive_folder])
def test_whichever_call_fails_the_name_is_not_there_or_the_file_is_whole(
    receive: Callable[[Inbox], str],
    code: int,
    in_one_step: bool,
    tmp_path: Path,
    figure: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not in_one_step:
        monkeypatch.setattr(new_names, "_renameat2", lambda: None)
    tried = named = 0
    open_before = len(os.listdir("/proc/self/fd"))
    for call in (*CALLS, IN_ONE_STEP):
        for number in range(1, 200):
            folder = tmp_path / f"{call}-{number}"
            folder.mkdir()
            box = Inbox(str(folder), IDENTITY, PEER)
            with failing(call, number, code) as made:
                trouble = outcome(receive, box)
            if trouble is not None:
                assert trouble.code is Exit.FILES
                assert trouble.reason == ("no_space" if code == errno.ENOSPC else "unwritable")
            if len(made) < number:
                assert trouble is None
                box.close()
                break
            tried += 1
            if (folder / "a").exists():
                named += 1
                # Only what is done when it has its name has failed.
                assert is_whole(folder / "a")
            else:
                # What has come is kept, and it goes on.
                assert receive(box) == "a"
                assert is_whole(folder / "a")
                assert os.listdir(folder) == ["a"]
            box.close()
    assert tried > 20
    assert len(os.listdir("/proc/self/fd")) == open_before
    steps = "one step" if in_one_step else "two steps"
    figure(
        f"{receive.__name__}, {errno.errorcode[code]}, named in {steps}: {tried} of {tried} calls "
        f"failed in turn, 0 names without the whole of it ({named} after it had its name)"
    )


@pytest.mark.attack(84)
@pytest.mark.parametrize("receive", [receive_file, receive_folder])
def test_a_process_killed_at_any_call_leaves_no_name_without_its_file(
    receive: Callable[[Inbox], str], tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """Before the call, and after it."""
    kills = 0
    for call in (*CALLS, IN_ONE_STEP):
        for number in range(1, 200):
            for late in (False, True):
                folder = tmp_path / f"{call}-{number}-{late}"
                folder.mkdir()
                killed = is_killed(receive, folder, call, number, late=late)
                kills += killed
                assert not (folder / "a").exists() or is_whole(folder / "a")
                with contextlib.closing(Inbox(str(folder), IDENTITY, PEER)) as box:
                    # Of who goes on; where it had its name, and nobody was told, a second one.
                    assert is_whole(folder / receive(box))
                assert not [name for name in os.listdir(folder) if name.endswith(".e2ee-part")]
            if not killed:
                break
    assert kills > 40
    figure(f"{receive.__name__}: killed at {kills} places, 0 names without the whole of it")


def is_killed(
    receive: Callable[[Inbox], str], folder: Path, call: str, number: int, *, late: bool
) -> bool:
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            box = Inbox(str(folder), IDENTITY, PEER)
            owner = incoming_files if call == IN_ONE_STEP else os
            really: Any = getattr(owner, call)
            made: list[int] = []

            def one(*args: Any, **options: Any) -> Any:
                made.append(1)
                result = really(*args, **options) if late or len(made) != number else None
                if len(made) == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            setattr(owner, call, one)
            receive(box)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def outcome(receive: Callable[[Inbox], str], box: Inbox) -> FileTrouble | None:
    try:
        receive(box)
    except FileTrouble as trouble:
        return trouble
    return None


def is_whole(path: Path) -> bool:
    files = [path / "x", path / "sub" / "y"] if path.is_dir() else [path]
    return all(file.read_bytes() == DATA for file in files)
