"""What is sent of this disk: regular files as they were when they were offered, and no others."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee_cli.file_trouble import FileTrouble
from e2ee_cli.outgoing_files import OutgoingFile, OutgoingFolder, name_to_offer, outgoing


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"0123456789")
    file = outgoing(str(path))
    assert isinstance(file, OutgoingFile)
    assert (name_to_offer(str(path)), file.size) == ("a.txt", 10)
    assert file.read(3, 4) == b"3456"
    assert file.prefix(3).length == 3


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, path)


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "change",
    [
        grow,
        replace,
        make_fifo,
        lambda path: path.write_bytes(b"012345678"),
        lambda path: os.utime(path, ns=(0, 5)),
    ],
    ids=["grown", "replaced", "fifo", "shorter", "time"],
)
def test_a_file_that_has_changed_is_not_sent(
    change: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    file = outgoing(str(path))
    assert isinstance(file, OutgoingFile)
    assert file.read(0, 5) == b"01234"
    change(path)
    with pytest.raises(FileTrouble) as caught:
        file.read(5, 5)
    assert caught.value.reason in {"changed", "unreadable"}


def test_a_file_that_changes_while_it_is_read_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    file = outgoing(str(path))
    assert isinstance(file, OutgoingFile)
    really = os.pread

    def read(fd: int, size: int, at: int) -> bytes:
        data = really(fd, size, at)
        grow(path)
        return data

    monkeypatch.setattr(os, "pread", read)
    with pytest.raises(FileTrouble) as caught:
        file.read(0, 10)
    assert caught.value.reason == "changed"


def test_a_file_that_is_gone_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    file = outgoing(str(path))
    assert isinstance(file, OutgoingFile)
    path.unlink()
    with pytest.raises(FileTrouble) as caught:
        file.read(0, 1)
    assert caught.value.reason == "unreadable"


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "missing", "nul"])
@pytest.mark.parametrize("inside", [False, True])
def test_what_is_no_file_is_refused_before_anything_is_read(
    kind: str, inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "x"
    monkeypatch.chdir(folder)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("x")
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "nul":
        path = folder / "x\0"
    with pytest.raises(FileTrouble):
        outgoing(str(folder if inside else path))


def test_a_folder_is_walked_without_following_links(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (folder / "sub/.b").write_text("bb")
    (folder / "a").write_text("a")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "sub/link").symlink_to(outside / "secret")
    tree = outgoing(str(folder))
    assert isinstance(tree, OutgoingFolder)
    assert tree.files == [(("a",), 1), (("sub", ".b"), 2)]
    assert (tree.size, tree.links) == (3, 2)
    assert tree.file(("sub", ".b")).read(0, 2) == b"bb"


def test_a_link_that_comes_after_the_walk_is_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    outside.mkdir()
    for place in (folder / "sub", outside):
        (place / "a").write_text("same")
    tree = outgoing(str(folder))
    assert isinstance(tree, OutgoingFolder)
    os.rename(folder / "sub", folder / "was")
    (folder / "sub").symlink_to(outside)
    with pytest.raises(FileTrouble) as caught:
        tree.file(("sub", "a")).read(0, 4)
    assert caught.value.reason == "unreadable"


def test_the_order_of_a_folder_is_that_of_bytes(tmp_path: Path) -> None:
    for name in ("b", "a b", "a/c", "ä", "Z", "a-"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    tree = outgoing(str(tmp_path))
    assert isinstance(tree, OutgoingFolder)
    names = ["/".join(path) for path, _ in tree.files]
    assert names == ["Z", "a/c", "a b", "a-", "b", "ä"]


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_text("")
    with pytest.raises(FileTrouble, match="not UTF-8"):
        outgoing(str(tmp_path))


def test_a_folder_that_is_too_deep(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"x" * 32)
    deep.mkdir(parents=True)
    (deep / "file").write_text("")
    with pytest.raises(FileTrouble, match="archive"):
        outgoing(str(tmp_path))


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FileTrouble, match="no files"):
        outgoing(str(tmp_path))
