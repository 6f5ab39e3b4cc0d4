"""A process that changes a conversation file, and is killed at one of its system calls.

Run as a script under ``strace --inject=…:signal=KILL:when=LIMIT``, which counts the calls of each
process. Each line on stdin is a task in JSON; it is done in a fork, which first makes so many calls
of the same kind that the one that is wanted is number LIMIT. What became of it comes back as one
line: ``killed`` or ``done``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from e2ee import Identity
from e2ee.conversation_file import ConversationFile
from e2ee.journal import Outgoing

LIMIT = 200
CALLS = ("pwrite64", "fdatasync", "ftruncate")


def do(operation: str, file: ConversationFile, contact: bytes) -> None:
    """One change, from a state that its name stands for to another."""
    with file.journal(contact) as journal, journal.together():
        match operation:
            case "add":
                journal.add(Outgoing(journal.next_id(), "new" * 2000, 1))
                journal.hear(bytes(16), 9)
                file.remember(contact, "out", 1, "new" * 2000)
            case "confirm":
                journal.confirm(10)
                file.delete_history()
            case "restart":
                journal.restart()
            case "create":
                journal.add(Outgoing(1, "first", 1))


def work(task: dict[str, Any]) -> None:
    identity = Identity.load(task["identity"])
    fd = os.open("/dev/null", os.O_RDWR)
    waste: Callable[[], object] = {
        "pwrite64": lambda: os.pwrite(fd, b"x", 0),
        "fdatasync": lambda: os.fdatasync(fd),
        "ftruncate": lambda: os.ftruncate(fd, 0),
    }[task["call"]]
    for _ in range(LIMIT - 1 - task["at"]):
        with contextlib.suppress(OSError):
            waste()
    file = ConversationFile(task["path"], identity)
    do(task["operation"], file, bytes.fromhex(task["contact"]))
    file.close()


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                work(json.loads(line))
                os._exit(0)
            os._exit(1)
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        word = "killed" if killed else {0: "done"}.get(os.waitstatus_to_exitcode(status), "failed")
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
