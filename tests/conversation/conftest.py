"""A place where syncing takes no time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

QUICK = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A folder in memory, for what does not need a disk."""
    with tempfile.TemporaryDirectory(dir=QUICK) as folder:
        yield Path(folder)
