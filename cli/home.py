"""Where data lives, and the identity that lives there."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import platformdirs

from e2ee import Identity
from e2ee.errors import IdentityFileError

from .exits import CliError, Exit
from .output import Output

IDENTITY_FILE = "identity"

LATEST = 2**40
"""Seconds since 1970, in the year 36812: no clock that is right says more."""


def home() -> Path:
    """``E2EE_HOME``, or the platform's folder for user data."""
    chosen = os.environ.get("E2EE_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_path("e2ee"))


def own_identity(output: Output) -> Identity:
    """Load the identity; make it on first use; renew its certificate in time.

    Raises IdentityFileError, CliError.
    """
    path = home() / IDENTITY_FILE
    now = time.time()
    if not 0 <= now <= LATEST:
        raise CliError("the clock of this machine is wrong; set it right", Exit.FILES)
    if not os.path.lexists(path):
        _make(path, output, now)
    identity = Identity.load(path)
    if identity.needs_renewal(now):
        identity = identity.renewed(now)
        # Where the file cannot be written the new certificate is made again next time.
        with contextlib.suppress(IdentityFileError):
            identity.save(path, replace=True)
    return identity


def _make(path: Path, output: Output, now: float) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise IdentityFileError(
            f"{path.parent} cannot be made: {error.strerror}; set E2EE_HOME to another folder"
        ) from None
    try:
        Identity.generate(now=now).save(path)
    except IdentityFileError:
        if not path.exists():
            raise
        return  # Another process of ours was quicker, and its identity counts.
    output.status("identity_created", f"Made a new identity in {path}", path=str(path))
