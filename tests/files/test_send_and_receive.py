"""e2ee send and e2ee receive, as two processes."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def named(events: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [each for each in events if each["event"] == event]


def parts(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(".e2ee-part")]


def wait_for_part(folder: Path, size: int) -> int:
    """Wait until so much of a file has come."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for part in parts(folder):
            if part.stat().st_size >= size:
                return part.stat().st_size
        time.sleep(0.005)
    raise AssertionError("nothing comes")


def test_files_and_folders_arrive_as_they_are(pair: Any, figure: Callable[[str], None]) -> None:
    pair.meet()
    tree = pair.folder / "tree"
    (tree / "sub").mkdir(parents=True)
    for number in range(60):
        (tree / "sub" / f"{number}").write_bytes(os.urandom(number * 7))
    (tree / ".hidden").write_text("too")
    (tree / "link").symlink_to("/etc/passwd")
    (pair.folder / "empty").write_bytes(b"")
    (pair.folder / "big").write_bytes(os.urandom(20_000_000))
    (pair.inbox / "big").write_text("mine")
    bob, address = pair.receive("--yes")
    began = time.monotonic()
    code, events = pair.finish(pair.send("tree", "empty", "big", address))
    figure(f"send: 20 MB and 62 files in {time.monotonic() - began:.1f} s, with starting")
    assert code == 0
    assert len(named(events, "sent")) == 3
    assert named(events, "links")[0]["path"] == "tree"
    code, events = pair.finish(bob)
    assert code == 0
    assert {event["path"] for event in named(events, "received")} == {
        "in/tree",
        "in/empty",
        "in/big (1)",
    }
    assert (pair.inbox / "big").read_text() == "mine"
    assert (pair.inbox / "big (1)").read_bytes() == (pair.folder / "big").read_bytes()
    assert (pair.inbox / "empty").read_bytes() == b""
    there = {
        str(path.relative_to(tree)): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    here = {
        str(path.relative_to(pair.inbox / "tree")): path.read_bytes()
        for path in (pair.inbox / "tree").rglob("*")
        if path.is_file()
    }
    assert here == there
    assert parts(pair.inbox) == []


@pytest.mark.parametrize("victim", ["sender", "receiver"])
def test_after_a_kill_in_the_middle_the_same_commands_go_on(
    victim: str, pair: Any, figure: Callable[[str], None]
) -> None:
    pair.meet()
    data = os.urandom(1_000_000) * 60
    (pair.folder / "big").write_bytes(data)
    bob, address = pair.receive("--yes")
    alice = pair.send("big", address)
    wait_for_part(pair.inbox, 10_000_000)
    killed, left = (alice, bob) if victim == "sender" else (bob, alice)
    killed.kill()
    code, events = pair.finish(left)
    assert code == 4
    assert "run the same command again to go on" in named(events, "error")[0]["message"]
    kept = parts(pair.inbox)[0].stat().st_size
    assert not (pair.inbox / "big").exists()

    bob, address = pair.receive("--yes")
    code, _ = pair.finish(pair.send("big", address))
    assert code == 0
    assert pair.finish(bob)[0] == 0
    assert (pair.inbox / "big").read_bytes() == data
    assert parts(pair.inbox) == []
    figure(f"kill of the {victim}: {kept:,} of {len(data):,} bytes were kept")


def test_who_is_not_known_is_not_let_in_to_the_disk(pair: Any) -> None:
    (pair.folder / "a").write_text("a")
    bob, address = pair.receive("--yes")
    code, events = pair.finish(pair.send("a", address))
    assert code == 6
    assert "did not take it" in named(events, "failed")[0]["message"]
    assert pair.finish(bob)[0] == 0
    assert list(pair.inbox.iterdir()) == []


def test_a_grade_that_is_required(pair: Any) -> None:
    pair.meet()
    (pair.folder / "a").write_text("a")
    bob, address = pair.receive("--yes", "--require", "verified")
    assert pair.finish(pair.send("a", address))[0] in {4, 6}
    bob.terminate()
    assert pair.finish(bob)[0] == 143
    assert list(pair.inbox.iterdir()) == []


def test_a_script_without_yes_is_told_so(pair: Any) -> None:
    code, events = pair.finish(pair.start("bob", "receive", "in", "--json"))
    assert code == 2
    assert "--yes" in events[-1]["message"]


@pytest.mark.parametrize(
    ("folder", "text"), [("nowhere", "does not exist"), ("a file", "is no folder")]
)
def test_a_folder_that_cannot_be_one(pair: Any, folder: str, text: str) -> None:
    (pair.folder / "a file").write_text("")
    code, events = pair.finish(pair.start("bob", "receive", folder, "--yes", "--json"))
    assert code == 10
    assert text in events[-1]["message"]


@pytest.mark.attack(94)
def test_a_disk_that_is_full(pair: Any, figure: Callable[[str], None]) -> None:
    pair.meet()
    (pair.folder / "big").write_bytes(bytes(3_000_000))

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    bob, address = pair.receive("--yes", preexec_fn=small)
    code, events = pair.finish(pair.send("big", address))
    assert code == 6
    assert "has no room for it" in named(events, "failed")[0]["message"]
    code, events = pair.finish(bob)
    assert code == 10
    assert "make room" in named(events, "failed")[0]["message"]
    assert parts(pair.inbox)[0].stat().st_size == 1_000_000

    bob, address = pair.receive("--yes")
    assert pair.finish(pair.send("big", address))[0] == 0
    assert pair.finish(bob)[0] == 0
    assert (pair.inbox / "big").read_bytes() == bytes(3_000_000)
    figure("a full disk: both programs say so (exit codes 6 and 10), and go on when there is room")


def test_what_cannot_be_sent_is_found_out_before_a_call(pair: Any) -> None:
    os.mkfifo(pair.folder / "fifo")
    for what in ("fifo", "missing", "in"):
        code, events = pair.finish(pair.send(what, "127.0.0.1:1"))
        assert code == 10
        assert what in events[-1]["message"]


def test_a_file_that_changes_while_it_is_sent(pair: Any) -> None:
    pair.meet()
    big = pair.folder / "big"
    big.write_bytes(bytes(200_000_000))
    bob, address = pair.receive("--yes")
    alice = pair.send("big", address)
    wait_for_part(pair.inbox, 1_000_000)
    with big.open("ab") as file:
        file.write(b"x")
    code, events = pair.finish(alice)
    assert code == 10
    assert "has changed" in named(events, "failed")[0]["message"]
    code, events = pair.finish(bob)
    assert code == 6
    assert "changed there" in named(events, "failed")[0]["message"]
    assert not (pair.inbox / "big").exists()


def test_ctrl_c_tells_the_other_side_and_keeps_what_has_come(pair: Any) -> None:
    pair.meet()
    (pair.folder / "big").write_bytes(bytes(200_000_000))
    bob, address = pair.receive("--yes")
    alice = pair.send("big", address)
    wait_for_part(pair.inbox, 1_000_000)
    alice.send_signal(signal.SIGINT)
    assert pair.finish(alice)[0] == 130
    code, events = pair.finish(bob)
    assert code == 6
    assert "stopped it" in named(events, "failed")[0]["message"]
    assert parts(pair.inbox)


def test_progress_is_told_every_second(pair: Any) -> None:
    pair.meet()
    (pair.folder / "big").write_bytes(bytes(20_000_000))
    bob, address = pair.receive("--yes")
    alice = pair.send("big", address)
    wait_for_part(pair.inbox, 1_000_000)
    bob.send_signal(signal.SIGSTOP)
    try:
        assert alice.stderr is not None
        for line in alice.stderr:
            event = json.loads(line)
            if event["event"] == "progress" and 0 < event["done"] < event["size"]:
                break
        else:
            raise AssertionError("no progress was told")
    finally:
        bob.send_signal(signal.SIGCONT)
    assert pair.finish(alice)[0] == 0
    assert pair.finish(bob)[0] == 0
