"""Whatever a peer calls a file: it is a new file in the folder, in view, and nothing else is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import Identity
from e2ee_cli.file_trouble import FileTrouble
from e2ee_cli.incoming_files import Inbox, IncomingFile

from .hostile_names import HOSTILE

IDENTITY = Identity.generate()
PEER = b"p" * 32


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def whole(file: IncomingFile, data: bytes) -> str:
    with contextlib.closing(file):
        file.truncate(0)
        file.write(0, [memoryview(data)])
        return str(file.finish())


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_there_are_250() -> None:
    assert len(set(HOSTILE)) >= 250


@pytest.mark.attack(90)
@pytest.mark.attack(91)
@pytest.mark.parametrize("where", ["absolute", "relative", "here"])
def test_a_hostile_name_is_a_new_file_in_the_folder_in_view_and_nothing_else(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    folder = tmp_path / "home" / "in"
    folder.mkdir(parents=True)
    for name in ("x", "etc/passwd", ".bashrc"):
        (tmp_path / "home" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "home" / name).write_text("precious")
    before = everything(tmp_path)
    monkeypatch.chdir(folder if where == "here" else folder.parent)
    called = {"absolute": str(folder), "relative": "in", "here": "."}[where]
    box = Inbox(called, IDENTITY, PEER)
    expected: dict[str, bytes] = {}
    # Twice: the second finds the first in its way.
    for number, name in enumerate(HOSTILE * 2):
        data = f"{number}".encode()
        given = whole(box.file(name, data), data)
        assert given not in expected
        assert given[0] not in ".-"
        assert set(given).isdisjoint("/\\\0")
        expected[given] = data
    box.close()
    assert {name: (folder / name).read_bytes() for name in os.listdir(folder)} == expected
    after = everything(tmp_path)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + len(expected)
    figure(
        f"folder {where}: {len(HOSTILE)} hostile names twice, {len(expected)} new files in it, "
        "0 outside, 0 hidden, 0 overwritten"
    )


@pytest.mark.attack(90)
@pytest.mark.attack(91)
def test_a_hostile_name_of_a_folder_or_within_one_leads_nowhere_else(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    box = Inbox(str(folder), IDENTITY, PEER)
    given = []
    for number, name in enumerate(HOSTILE):
        data = f"{number}".encode()
        with contextlib.closing(box.tree(name, data)) as tree:
            whole(tree.file([name, name]), data)
            given.append(tree.finish())
        (inner,) = (folder / given[-1]).iterdir()
        (file,) = inner.iterdir()
        assert file.read_bytes() == data
        assert given[-1][0] not in ".-"
    box.close()
    assert sorted(os.listdir(folder)) == sorted(given)
    assert os.listdir(tmp_path) == ["in"]
    figure(f"folders: {len(HOSTILE)} hostile names at 3 depths, 0 files outside, 0 overwritten")


@pytest.mark.attack(91)
def test_what_has_the_name_already_or_that_of_a_partial_file_stays_as_it_is(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    folder, other = tmp_path / "in", tmp_path / "other"
    for one in (folder, other):
        one.mkdir()
    tried = 0
    for name in HOSTILE:
        # The names are learnt in another folder, as somebody could who has seen them once.
        with contextlib.closing(Inbox(str(other), IDENTITY, PEER)) as box:
            box.file(name, b"").close()
            (part,) = other.iterdir()
            final = whole(box.file(name, b""), b"theirs")
        (other / final).unlink()
        for taken in (part.name, final):
            (folder / taken).write_bytes(b"mine")
            (folder / taken).chmod(0o400)
        (folder / part.name).unlink()
        (folder / part.name).hardlink_to(folder / final)
        with contextlib.closing(Inbox(str(folder), IDENTITY, PEER)) as box:
            with pytest.raises(FileTrouble):
                box.file(name, b"")
            (folder / part.name).unlink()
            assert whole(box.file(name, b""), b"theirs") != final
        assert (folder / final).read_bytes() == b"mine"
        tried += 2
        for path in folder.iterdir():
            path.unlink()
    figure(f"names that are taken: {tried} files in the way, 0 bytes of them changed")
