"""Programs that the system gives no more file descriptors: a message and an exit code, and a
listener that goes on when there are some again."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = (
    sys.executable,
    "-c",
    """
import os, resource, sys
left = int(sys.argv.pop(1))
from e2ee_cli.__main__ import main
import e2ee_cli.main, e2ee_cli.chat, e2ee_cli.connect, e2ee_cli.listen
highest = max(map(int, os.listdir("/proc/self/fd")))
resource.setrlimit(resource.RLIMIT_NOFILE, (highest + left, highest + left))
main()
""",
)
