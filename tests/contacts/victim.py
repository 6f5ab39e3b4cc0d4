"""A process that does one thing to a file, and dies or meets an error at one of its system calls.

Run as a script. Each line on stdin is a task in JSON; it is done in a fork, and what became of it
comes back as one line of JSON. Before and after each wrapped call, and in the middle of a write,
is one point; points are counted from 0.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from e2ee import E2EEError, Identity
from e2ee.contact_file import ContactFile

WRAPPED = ("open", "write", "fsync", "replace", "link", "unlink", "close", "lstat")


class Points:
    """Counts the points, and strikes at the one that the task names."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self.seen: list[str] = []

    def reach(self, stage: str, name: str) -> None:
        self.seen.append(f"{stage} {name}")
        if len(self.seen) - 1 == self._task.get("at"):
            if self._task["error"] is None:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(self._task["error"], os.strerror(self._task["error"]))

    def wrap(self, module: Any, name: str) -> Callable[[], None]:
        """Returns what undoes it."""
        real = getattr(module, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.reach("before", name)
            if name == "link" and self._task.get("no_links"):
                raise OSError(self._task["no_links"], "no hard links here")
            if name == "write":
                fd, data = args
                written = real(fd, data[: (len(data) + 1) // 2])
                self.reach("half", name)
                if self._task.get("short_writes"):
                    return written
                written += real(fd, data[written:])
                self.reach("after", name)
                return written
            result = real(*args, **kwargs)
            self.reach("after", name)
            return result

        setattr(module, name, wrapped)
        return lambda: setattr(module, name, real)

    @contextlib.contextmanager
    def wrapped(self) -> Iterator[None]:
        undo = [self.wrap(os, name) for name in WRAPPED] + [self.wrap(fcntl, "flock")]
        try:
            yield
        finally:
            for step in undo:
                step()


def operation(task: dict[str, Any]) -> Callable[[], None]:
    identity = Identity.load(task["identity"])
    if task["operation"] == "update":

        def update() -> None:
            with ContactFile(task["path"], identity).update() as book:
                book.rename("before", "after")

        return update
    return lambda: identity.save(task["path"], replace=task["operation"] == "replace")


def work(task: dict[str, Any]) -> dict[str, Any]:
    act, points, error = operation(task), Points(task), None
    with points.wrapped():
        try:
            act()
        except E2EEError as caught:
            error = f"{type(caught).__name__}: {caught}"
    return {"points": points.seen, "error": error}


def main() -> None:
    for line in sys.stdin:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):  # An answer that is missing tells of it.
                os.write(writer, json.dumps(work(json.loads(line))).encode())
            os._exit(0)
        os.close(writer)
        with open(reader) as answer:
            result = answer.read()
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write(("killed" if killed else result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
