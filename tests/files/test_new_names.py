"""A name that something has is never taken, and no name is without its file."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2ee import Identity
from e2ee_cli import new_names
from e2ee_cli.incoming_files import Inbox
from e2ee_cli.new_names import rename_to_new


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "old").write_text("old")
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_what_is_renamed(folder: int, tmp_path: Path) -> None:
    rename_to_new(folder, "old", "nëw\udcff")
    assert os.listdir(tmp_path) == ["nëw\udcff"]


@pytest.mark.attack(91)
@pytest.mark.parametrize("there", ["file", "folder", "link to nothing"])
def test_a_name_that_something_has(folder: int, tmp_path: Path, there: str) -> None:
    new = tmp_path / "new"
    if there == "file":
        new.write_text("")
    elif there == "folder":
        new.mkdir()
    else:
        new.symlink_to("nothing")
    before = new.lstat()
    with pytest.raises(FileExistsError):
        rename_to_new(folder, "old", "new")
    assert new.lstat() == before
    assert (tmp_path / "old").read_text() == "old"


def test_other_errors_are_the_systems(folder: int) -> None:
    with pytest.raises(FileNotFoundError):
        rename_to_new(folder, "missing", "new")


@pytest.mark.attack(91)
@pytest.mark.parametrize("why", ["this file system", "this kernel", "this library", "no library"])
def test_a_system_that_cannot_do_it_in_one_step_overwrites_nothing_either(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_library(*_: object, **__: object) -> object:
        if why == "no library":
            raise OSError
        return object()

    numbers = {"this file system": errno.EINVAL, "this kernel": errno.ENOSYS}
    if why in numbers:
        monkeypatch.setattr(new_names, "_renameat2", lambda: lambda *_: numbers[why])
    else:
        monkeypatch.setattr(ctypes, "CDLL", no_library)
        monkeypatch.setattr(new_names, "_renameat2", new_names._renameat2.__wrapped__)
    (tmp_path / "a").write_text("mine")
    (tmp_path / "tree").mkdir()
    box = Inbox(str(tmp_path), Identity.generate(), b"p" * 32)
    file, tree = box.file("a", b""), box.tree("tree", b"")
    assert (file.finish(), tree.finish()) == ("a (1)", "tree (1)")
    for each in (file, tree, box):
        each.close()
    assert (tmp_path / "a").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["a", "a (1)", "tree", "tree (1)"]
