"""Whenever the program is killed, the conversation file is as before the change or as after it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from e2ee import Identity
from e2ee.conversation_file import ConversationFile
from e2ee.journal import Outgoing

VICTIM = Path(__file__).with_name("victim.py")
_spec = importlib.util.spec_from_file_location("conversation_victim", VICTIM)
assert _spec is not None
assert _spec.loader is not None
victim = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(victim)

ME, BOB = Identity.generate(), Identity.generate().public_key


def contents(path: Path) -> object:
    with closing(ConversationFile(path, ME)) as file:
        history = list(file.history())
        with file.journal(BOB) as journal:
            heard = journal.heard(bytes(16))
            return journal.unconfirmed(), journal.next_id(), heard, history


def prepare(path: Path) -> None:
    with (
        closing(ConversationFile(path, ME)) as file,
        file.journal(BOB) as journal,
        journal.together(),
    ):
        for n in range(1, 16):
            journal.add(Outgoing(n, "old" * n * 10, 1))
            file.remember(BOB, "in", 1, "old" * n * 10)
        journal.confirm(3)


@pytest.mark.attack(84)
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_process_killed_at_any_system_call_leaves_the_old_state_or_the_new_one(
    quick_path: Path, figure: Callable[[str], None]
) -> None:
    ME.save(quick_path / "identity")
    place, original = quick_path / "place", quick_path / "original"
    original.mkdir()
    prepare(original / "file")
    calls = ",".join(victim.CALLS)
    with subprocess.Popen(
        [
            *("strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={calls}"),
            *("-e", f"inject={calls}:signal=KILL:when={victim.LIMIT}", sys.executable, str(VICTIM)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def act(operation: str, call: str, at: int) -> str:
            shutil.rmtree(place, ignore_errors=True)
            if operation == "create":
                place.mkdir()
            else:
                shutil.copytree(original, place)
            task = {
                "operation": operation,
                "call": call,
                "at": at,
                "path": str(place / "file"),
                "identity": str(quick_path / "identity"),
                "contact": BOB.hex(),
            }
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        for operation in ("add", "confirm", "restart", "create"):
            assert act(operation, "pwrite64", victim.LIMIT - 1) == "done"
            new, seen = contents(place / "file"), set()
            old = ([], 1, 0, []) if operation == "create" else contents(original / "file")
            assert old != new
            points = 0
            for call in victim.CALLS:
                at = 0
                while (word := act(operation, call, at)) == "killed":
                    found = contents(place / "file")
                    assert found in (old, new), f"{operation} at {call} {at}"
                    seen.add(found == new)
                    at += 1
                assert word == "done"
                assert contents(place / "file") == new
                assert at > 0, f"{operation} makes no {call}"
                points += at
            assert seen == {False, True}
            figure(
                f"conversation file, {operation}: killed at each of {points} system calls, it is "
                "the old or the new"
            )


def test_every_text_that_was_added_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "file"
    ME.save(tmp_path / "identity")
    script = (
        "import sys; from e2ee import Identity; from e2ee.journal import Outgoing\n"
        "from e2ee.conversation_file import ConversationFile\n"
        "file = ConversationFile(sys.argv[1], Identity.load(sys.argv[2]))\n"
        "with file.journal(bytes.fromhex(sys.argv[3])) as journal:\n"
        "    while True:\n"
        "        journal.add(Outgoing(journal.next_id(), 'text', 1))\n"
        "        print(journal.next_id() - 1, flush=True)\n"
    )
    arguments = [str(path), str(tmp_path / "identity"), BOB.hex()]
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(10)]
        process.kill()
        said += process.stdout.readlines()
    last = int([line for line in said if line.endswith("\n")][-1])
    with closing(ConversationFile(path, ME)) as file, file.journal(BOB) as journal:
        texts = journal.unconfirmed(limit=10_000)
        assert [text.id for text in texts] == list(range(1, journal.next_id()))
        assert last <= len(texts) <= last + 1
