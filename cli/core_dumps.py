"""No dump of this program's memory, which holds keys, and no debugger of the same user in it."""

from __future__ import annotations

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4
"""Of linux/prctl.h."""


def forbid() -> None:
    """For the rest of this process; a program that it starts inherits the limit only."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # The limit does not count where the kernel hands dumps to a program: core(5). Where a
        # sandbox refuses this call, the limit is all there is.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
