"""What docs/two-terminals.md says of one machine: two profiles, and the address of this one."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect

PAGE = (Path(__file__).parents[2] / "docs" / "two-terminals.md").read_text()
PROGRAM = str(Path(sys.executable).with_name("e2ee"))


def test_both_can_be_on_one_machine(tmp_path: Path) -> None:
    assert re.search(r"(?s)`--profile bob`.*`--profile alice`.*`--at 127\.0\.0\.1`", PAGE)
    environment = {**os.environ, "E2EE_HOME": str(tmp_path), "NO_COLOR": "1", "TERM": "xterm"}

    def run(*words: str) -> pexpect.spawn[str]:
        return pexpect.spawn(
            PROGRAM, list(words), env=environment, encoding="utf-8", timeout=40, cwd=tmp_path
        )

    bob = run("--profile", "bob", "invite", "--host", "127.0.0.1", "--port", "0")
    bob.expect(r"(\d+-[a-z]+-[a-z]+-[a-z]+)\r")
    code = bob.match[1]
    bob.expect(r"--at (127\.0\.0\.1:\d+)")
    alice = run("--profile", "alice", "join", "--as", "bob", "--at", bob.match[1])
    alice.expect("Tab completes")
    alice.sendline(code)
    for terminal in (alice, bob):
        terminal.expect("verified by code")
        terminal.expect("Ctrl-D leaves")
    alice.sendeof()
    for terminal in (alice, bob):
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 0
