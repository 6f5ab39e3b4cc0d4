"""Every call of the system that a file needs fails once: no name is there without its file."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2ee import Identity
from e2ee_cli.exits import Exit
from e2ee_cli.file_trouble import FileTrouble
from e2ee_cli.incoming_files import Inbox

IDENTITY = Identity.generate()
PEER = b"p" * 32
CALLS = ("open", "pwrite", "pread", "ftruncate", "fsync", "rename", "mkdir", "fstat", "stat", "dup")
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
    really: Any = getattr(os, call)
    made: list[int] = []

    def one(*args: Any, **options: Any) -> Any:
        made.append(1)
        if len(made) == number:
            raise OSError(code, os.strerror(code))
        return really(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, one)
        yield made


@pytest.mark.attack(94)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EINTR])
@pytest.mark.parametrize("receive", [receive_file, receive_folder])
def test_whichever_call_fails_the_name_is_not_there_or_the_file_is_whole(
    receive: Callable[[Inbox], str], code: int, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    tried = named = 0
    open_before = len(os.listdir("/proc/self/fd"))
    for call in CALLS:
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
    figure(
        f"{receive.__name__}, {errno.errorcode[code]}: {tried} of {tried} calls failed in turn, "
        f"0 names without the whole of it ({named} after it had its name)"
    )


def outcome(receive: Callable[[Inbox], str], box: Inbox) -> FileTrouble | None:
    try:
        receive(box)
    except FileTrouble as trouble:
        return trouble
    return None


def is_whole(path: Path) -> bool:
    files = [path / "x", path / "sub" / "y"] if path.is_dir() else [path]
    return all(file.read_bytes() == DATA for file in files)
