"""What a peer can do to this disk by names, links, races and faults: only what was wanted."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ee import Identity
from e2ee_cli import incoming_files
from e2ee_cli.clean import clean
from e2ee_cli.exits import CliError, Exit
from e2ee_cli.file_names import MAX_BYTES, numbered, safe_name
from e2ee_cli.file_trouble import FileTrouble
from e2ee_cli.incoming_files import Inbox, IncomingFile
from e2ee_cli.new_names import rename_to_new

IDENTITY = Identity.generate()
PEER = b"p" * 32

HOSTILE = [
    "\x1b[2J",
    "a\nb",
    "gpj.\u202eexe",
    "zero\u200bwidth",
    "\ufeffbom",
    ".bashrc",
    "...",
    "-rf",
    "a\\b",
    "C:\\x",
    " ",
    "CON",
    "con.txt",
    "LPT1",
    "nul",
    "x" * 255,
    "é" * 127,
    "x" * 250 + ".txt",
    "." + "x" * 254,
    "\u0000".replace("\0", "\x7f"),
]


def inbox(folder: Path, peer: bytes = PEER) -> Inbox:
    return Inbox(str(folder), IDENTITY, peer)


def whole(file: IncomingFile, data: bytes) -> str:
    with contextlib.closing(file):
        file.truncate(0)
        file.write(0, [memoryview(data)])
        return str(file.finish())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_makes_a_file_in_the_folder_and_nowhere_else(
    name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    given_name = whole(inbox(folder).file(name, b""), b"data")
    assert os.listdir(folder) == [given_name]
    assert (folder / given_name).read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["in"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_a_safe_name_is_one_harmless_component(name: str) -> None:
    for hidden in (False, True):
        safe = safe_name(name, hidden=hidden)
        assert 1 <= len(safe.encode()) <= MAX_BYTES
        assert safe not in {".", ".."}
        assert not set(safe) & set("/\\\0")
        assert clean(safe) == safe
        assert not safe.startswith("-")
        assert hidden or not safe.startswith(".")
        assert safe_name(safe, hidden=hidden) == safe


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("holiday.jpg", "holiday.jpg"),
        ("Ünï çødé 伊豆 🎈.txt", "Ünï çødé 伊豆 🎈.txt"),
        (".bashrc", "_.bashrc"),
        ("-rf", "_-rf"),
        ("gpj.\u202eexe", "gpj._u202eexe"),
        ("con .txt", "_con .txt"),
        ("CON" + " " * 300 + "x", "_CON"),
        ("a. .", "a"),
        (". .", "_"),
        ("x" * 199 + " y", "x" * 199),
        ("👩\u200d👩" * 19, "👩\u200d👩" * 18),
        ("x" + "👩\u200d👩" * 19, "x" + "👩\u200d👩" * 18),
        ("a/\ufe0fb", "a__ufe0fb"),
        ("aux.c", "_aux.c"),
        ("auxiliary", "auxiliary"),
        ("x" * 250 + ".tar", "x" * 196 + ".tar"),
        ("...", "_"),
    ],
)
def test_what_becomes_of_a_name(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_numbers_go_before_the_ending() -> None:
    names = numbered("a.b.txt")
    assert [next(names), next(names), next(names)] == ["a.b.txt", "a.b (1).txt", "a.b (2).txt"]


@pytest.mark.attack(91)
def test_nothing_is_overwritten(tmp_path: Path, figure: Callable[[str], None]) -> None:
    (tmp_path / "a.txt").write_text("mine")
    (tmp_path / "a (1).txt").symlink_to("nowhere")
    assert whole(inbox(tmp_path).file("a.txt", b""), b"theirs") == "a (2).txt"
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    figure("a name that is taken, by a file or a link to nothing: 0 bytes written there")


def test_files_are_their_owners_only(tmp_path: Path) -> None:
    box = inbox(tmp_path)
    whole(box.file("a", b""), b"")
    with contextlib.closing(box.tree("t", b"")) as tree:
        whole(tree.file(["x", "y"]), b"")
        tree.finish()
    for path, mode in ((("a",), 0o600), (("t",), 0o700), (("t", "x"), 0o700)):
        assert stat.S_IMODE(tmp_path.joinpath(*path).stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "t/x/y").stat().st_mode) == 0o600


def test_a_partial_file_is_found_again_by_its_peer_and_offer_only(tmp_path: Path) -> None:
    file = inbox(tmp_path).file("a", b"offer")
    file.write(0, [memoryview(b"part")])
    file.close()
    for peer, again, kept in ((PEER, b"offer", 4), (PEER, b"other", 0), (b"q" * 32, b"offer", 0)):
        file = inbox(tmp_path, peer).file("a", again)
        assert file.prefix(10).length == kept
        file.close()
    assert all(name.startswith(".a.") for name in os.listdir(tmp_path))


def test_more_than_was_offered_is_not_kept(tmp_path: Path) -> None:
    file = inbox(tmp_path).file("a", b"")
    file.write(0, [memoryview(b"too much")])
    assert file.prefix(3).length == 0
    file.close()


def test_a_file_is_received_once_at_a_time(tmp_path: Path) -> None:
    box = inbox(tmp_path)
    first = box.file("a", b"")
    with pytest.raises(FileTrouble, match="being received already"):
        box.file("a", b"")
    first.close()
    box.file("a", b"").close()


def part_of(folder: Path) -> str:
    """The name of the partial file, which only its maker can know before it is there."""
    file = inbox(folder).file("a", b"")
    file.close()
    (name,) = os.listdir(folder)
    (folder / name).unlink()
    return name


@pytest.mark.parametrize(
    "kind", ["link", "link to nothing", "hard link", "folder", "fifo", "socket"]
)
def test_what_stands_in_the_way_of_a_partial_file_is_not_touched(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, victim = tmp_path / "in", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("precious")
    trap = folder / part_of(folder)
    if kind == "link":
        trap.symlink_to(victim)
    elif kind == "link to nothing":
        trap.symlink_to(tmp_path / "made")
    elif kind == "hard link":
        trap.hardlink_to(victim)
    elif kind == "folder":
        trap.mkdir()
    elif kind == "fifo":
        os.mkfifo(trap)
    else:
        monkeypatch.chdir(folder)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(trap.name)
    with pytest.raises(FileTrouble):
        inbox(folder).file("a", b"")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "made").exists()


def test_no_link_leads_out_of_a_folder_that_comes(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    tree = inbox(folder).tree("t", b"")
    (part,) = folder.iterdir()
    (part / "sub").symlink_to(outside)
    (part / "file").symlink_to(outside / "file")
    for path in (["sub", "x"], ["file"]):
        with pytest.raises(FileTrouble):
            tree.file(path)
    assert os.listdir(outside) == []
    tree.close()


def test_two_names_that_become_one(tmp_path: Path) -> None:
    tree = inbox(tmp_path).tree("t", b"")
    tree.file(["a\x1b"]).close()
    with pytest.raises(FileTrouble, match="two files"):
        tree.file(["a\\x1b"])
    tree.close()


def test_a_folder_goes_on_and_gets_a_name_that_is_free(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    tree = inbox(tmp_path).tree("t", b"")
    whole(tree.file(["x", ".y"]), b"whole")
    tree.close()
    tree = inbox(tmp_path).tree("t", b"")
    file = tree.file(["x", ".y"])
    assert file.prefix(5).length == 5
    file.close()
    assert tree.finish() == "t (1)"
    tree.close()
    assert (tmp_path / "t (1)/x/.y").read_bytes() == b"whole"
    assert sorted(os.listdir(tmp_path)) == ["t", "t (1)"]


ATTACKER = """
import contextlib, os, sys
folder, outside = sys.argv[1:]
os.chdir(folder)
while True:
    for name in [*os.listdir(), "a", "t"]:
        target = os.path.join(outside, "victim") if ".a" in name or name == "a" else outside
        for step in (
            lambda: os.symlink(target, "link"),
            lambda: os.replace("link", name),
            lambda: os.unlink(name),
            lambda: os.unlink("link"),
        ):
            with contextlib.suppress(OSError):
                step()
"""
"""Somebody who may write to the folder, and swaps everything in it for links, all the time."""


@pytest.mark.attack(92)
@pytest.mark.parametrize(
    "rounds",
    [100, pytest.param(100_000, marks=[pytest.mark.nightly, pytest.mark.timeout(7200)])],
)
def test_a_swap_of_links_in_a_race_leads_nowhere(
    rounds: int, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    box = inbox(folder)
    victim = outside / "victim"
    victim.write_text("precious")
    open_before = len(os.listdir("/proc/self/fd"))
    outcomes: Counter[str] = Counter()
    attacker = subprocess.Popen([sys.executable, "-SEc", ATTACKER, folder, outside])
    try:
        while outcomes.total() < rounds or (not outcomes["hindered"] and outcomes.total() < 5000):
            again = outcomes.total().to_bytes(4)
            try:
                whole(box.file("a", again), b"data")
                with contextlib.closing(box.tree("t", again)) as tree:
                    whole(tree.file(["sub", "x"]), b"data")
                    tree.finish()
                outcomes["whole"] += 1
            except FileTrouble:
                outcomes["hindered"] += 1
            for path in folder.iterdir():  # Or names run out.
                shutil.rmtree(path, ignore_errors=True)
                with contextlib.suppress(OSError):
                    path.unlink()
    finally:
        attacker.kill()
        attacker.wait()
    assert victim.read_text() == "precious"
    assert os.listdir(outside) == ["victim"]
    assert len(os.listdir("/proc/self/fd")) == open_before
    assert outcomes["hindered"], "the race was never lost: it shows nothing"
    figure(
        f"links swapped under files that come: {outcomes['hindered']} of {outcomes.total()} "
        "were hindered, none led outside"
    )


MOVER = """
import contextlib, os, sys
folder, outside = sys.argv[1:]
while True:
    for step in (
        lambda: os.rename(folder, folder + ".moved"),
        lambda: os.symlink(outside, folder),
        lambda: os.unlink(folder),
        lambda: os.rename(folder + ".moved", folder),
    ):
        with contextlib.suppress(OSError):
            step()
"""
"""Somebody who swaps the folder itself for a link, all the time."""


@pytest.mark.attack(92)
@pytest.mark.parametrize(
    "rounds",
    [300, pytest.param(100_000, marks=[pytest.mark.nightly, pytest.mark.timeout(7200)])],
)
def test_a_folder_that_is_swapped_for_a_link_while_files_come_is_still_the_one_they_go_to(
    rounds: int, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    box = inbox(folder)
    there = os.open(folder, os.O_RDONLY)
    swapped = 0
    mover = subprocess.Popen([sys.executable, "-SEc", MOVER, folder, outside])
    try:
        for number in range(rounds):
            name = whole(box.file("a", number.to_bytes(4)), b"data")
            swapped += folder.is_symlink() or not folder.exists()
            assert os.listdir(there) == [name]
            os.unlink(name, dir_fd=there)
    finally:
        mover.kill()
        mover.wait()
        os.close(there)
        box.close()
    assert os.listdir(outside) == []
    assert swapped, "the folder was never away: it shows nothing"
    figure(f"folder swapped for a link: {swapped} of {rounds} files came meanwhile, 0 went outside")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no_space"),
        (errno.EDQUOT, "no_space"),
        (errno.EFBIG, "no_space"),
        (errno.EIO, "unwritable"),
    ],
)
def test_a_disk_that_fails_has_a_reason_and_keeps_what_has_come(
    number: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = inbox(tmp_path).file("a", b"")
    file.write(0, [memoryview(b"part")])

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(FileTrouble) as caught:
        file.write(4, [memoryview(b"more")])
    assert caught.value.reason == reason
    assert caught.value.code == Exit.FILES
    file.close()
    assert inbox(tmp_path).file("a", b"").prefix(100).length == 4


def test_a_system_that_writes_little_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: really(fd, data[:3], at))
    file = inbox(tmp_path).file("a", b"")
    file.write(0, [memoryview(b"0123456789"), memoryview(b"abcde")])
    assert file.finish() == "a"
    assert (tmp_path / "a").read_bytes() == b"0123456789abcde"


def test_a_file_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: done.append("fsync"))

    def rename(*arguments: Any) -> None:
        done.append("rename")
        rename_to_new(*arguments)

    monkeypatch.setattr(incoming_files, "rename_to_new", rename)
    whole(inbox(tmp_path).file("a", b""), b"x")
    assert done == ["fsync", "rename", "fsync"]


def test_offsets_above_four_gibibytes(tmp_path: Path) -> None:
    file = inbox(tmp_path).file("a", b"")
    file.truncate(5 * 2**30)
    file.write(5 * 2**30, [memoryview(b"end")])
    file.finish()
    file.close()
    assert (tmp_path / "a").stat().st_size == 5 * 2**30 + 3
    assert (tmp_path / "a").stat().st_blocks < 1000


@pytest.mark.parametrize("folder", ["missing", "file", "nul\0"])
def test_a_folder_that_is_none(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CliError) as caught:
        Inbox(str(tmp_path / folder), IDENTITY, PEER)
    assert caught.value.code == Exit.FILES
