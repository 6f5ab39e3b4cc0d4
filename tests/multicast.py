"""One network, and tests in several processes: those that shout into it do so one at a time."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / "e2ee-tests-multicast.lock"


@contextlib.contextmanager
def alone_on_the_network() -> Iterator[None]:
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
