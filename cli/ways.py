"""Commands of this program as a way forward: such as the user can type them, here and now."""

from __future__ import annotations

import os
import shlex

PROFILE_VARIABLE = "E2EE_PROFILE"


def way(*words: str) -> str:
    """The command line, in the present profile."""
    profile = os.environ.get(PROFILE_VARIABLE)
    return shlex.join(["e2ee", *(["--profile", profile] if profile else []), *words])
