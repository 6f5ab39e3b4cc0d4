"""``e2ee demo``: with a person, without one, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pexpect


def peers_of(program: Any, mark: str) -> list[int]:
    """Processes of the demo's other end, told by a mark in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command, environment = ((folder / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if b"demo_peer" in command and mark.encode() in environment:
            found.append(int(folder.name))
    return found


def test_without_a_terminal_it_holds_a_conversation_by_itself(e2ee: Any) -> None:
    code, out, err = e2ee.run("demo")
    assert code == 0
    lines = out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["peer", "you"] * 3 + ["peer"]
    assert "peer: I can read it: Hello! Is anybody there?" in lines
    assert "Nobody has verified" in err
    assert not (e2ee.folder / "alice").exists()


def test_the_wire_shows_the_lengths_and_nothing_of_the_text(e2ee: Any) -> None:
    code, out, err = e2ee.run("demo", "--wire")
    assert code == 0
    wire = re.findall(r"wire (->|<-) +(\d+) bytes: ([0-9a-f ]+)", err)
    sizes = [(arrow, int(size)) for arrow, size, _ in wire]
    assert sizes[:3] == [("->", 1224), ("<-", 1720), ("->", 576)]
    assert len(sizes) > 10
    assert all(size % 274 == 0 for _, size in sizes[3:])
    assert b"Hello".hex(" ") not in err
    stamp = len("09:41 — ")  # Stands before it in a chat, which breaks what reaches column 80.
    assert max(stamp + len(line) for line in err.splitlines() if " wire " in line) < 80
    assert "eavesdropper" in out


def test_a_person_chats_with_the_peer(e2ee: Any) -> None:
    environment = {**e2ee.environment("alice"), "NO_COLOR": "1"}
    mine = pexpect.spawn(e2ee.path, ["demo"], env=environment, encoding="utf-8", timeout=20)
    mine.expect("Nobody has verified")
    mine.expect("peer: Hello!")
    mine.sendline("[/bad] {body} %s")
    mine.expect_exact("peer: I can read it: [/bad] {body} %s")
    mine.sendeof()
    mine.expect("That was a real session")
    mine.expect(pexpect.EOF)
    mine.close()
    assert mine.exitstatus == 0


def test_no_process_stays_behind(e2ee: Any, wait_until: Any) -> None:
    mark = f"mark-{os.getpid()}-{id(e2ee)}"
    for number in (signal.SIGINT, signal.SIGKILL):
        environment = {**e2ee.environment("alice"), "E2EE_TEST": mark, "NO_COLOR": "1"}
        mine = pexpect.spawn(e2ee.path, ["demo"], env=environment, encoding="utf-8", timeout=20)
        mine.expect("peer: Hello!")
        assert len(peers_of(e2ee, mark)) == 1
        mine.kill(number)
        mine.expect(pexpect.EOF)
        mine.close()
        wait_until(lambda: not peers_of(e2ee, mark))
