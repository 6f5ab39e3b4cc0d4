"""No dump of this program's memory, which holds keys, and no debugger of the same user in it."""

from __future__ import annotations

import contextlib
import resource
import sys

PR_SET_DUMPABLE = 4
"""Of linux/prctl.h."""


def forbid() -> None:
    """For the rest of this process; a program that it starts inherits the limit only."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # The limit does not count where the kernel hands dumps to a program: core(5). Where a
        # sandbox refuses this call, or nothing can be loaded for want of descriptors, the limit is
        # all there is.
        with contextlib.suppress(OSError):
            import ctypes  # noqa: PLC0415 -- help and completion need none

            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
