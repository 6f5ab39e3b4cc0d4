"""Where data lives, and the identity that lives there: found, made, unlocked, renewed."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs

import e2ee
from e2ee.errors import IdentityFileError, IdentityLocked, InvalidPassphrase, WrongPassphrase
from e2ee.private_file import alone

from .clean import quoted
from .exits import CliError, Exit
from .output import Output
from .passphrases import PASSPHRASE_VARIABLE, ask_passphrase, read_passphrase
from .ways import PROFILE_VARIABLE

IDENTITY_FILE = "identity"

MAX_PROFILE_LENGTH = 32
"""Characters of the name of a profile."""

TRIES = 5
"""Passphrases that a person may try."""

LATEST = 2**40
"""Seconds since 1970, in the year 36812: no clock that is right says more."""


def home() -> Path:
    """The profile's folder: ``E2EE_HOME`` or the platform's folder for user data, and below it,
    where ``E2EE_PROFILE`` names a profile, ``profiles/NAME``. Raises CliError.
    """
    chosen = os.environ.get("E2EE_HOME")
    folder = Path(chosen) if chosen else Path(platformdirs.user_data_path("e2ee"))
    profile = os.environ.get(PROFILE_VARIABLE, "")
    if not profile:
        return folder
    if re.fullmatch(f"[A-Za-z0-9_-]{{1,{MAX_PROFILE_LENGTH}}}", profile) is None:
        raise CliError(
            f"{quoted(profile)} is no name for a profile: letters, digits, - and _, "
            f"at most {MAX_PROFILE_LENGTH}",
            Exit.USAGE,
        )
    return folder / "profiles" / profile


def identity_path() -> Path:
    """Where the profile's identity is, or will be."""
    return home() / IDENTITY_FILE


def present() -> float:
    """Seconds since 1970. Raises CliError for a clock that cannot be right."""
    now = time.time()
    if not 0 <= now <= LATEST:
        raise CliError("the clock of this machine is wrong; set it right", Exit.FILES)
    return now


def own_identity(output: Output) -> e2ee.Identity:
    """Load the identity; make it on first use; renew its certificate in time.

    Raises IdentityFileError, CliError.
    """
    return unlocked_identity(output)[0]


def unlocked_identity(output: Output) -> tuple[e2ee.Identity, str | None]:
    """The identity, and the passphrase that its file is locked with, if it is."""
    path = identity_path()
    now = present()
    if not os.path.lexists(path):
        _make(path, output, now)
    identity, passphrase = _load(path, output)
    if identity.needs_renewal(now):
        identity = identity.renewed(now)
        # Where the file cannot be written the new certificate is made again next time.
        with contextlib.suppress(IdentityFileError):
            rewrite(lambda kept: kept.renewed(now), passphrase, passphrase)
    return identity, passphrase


def rewrite(
    change: Callable[[e2ee.Identity], e2ee.Identity], old: str | None, new: str | None
) -> None:
    """Change what the identity file has now; ``old`` and ``new`` are its passphrases.

    A file that another program has changed meanwhile keeps that, and one that it has locked stays
    locked. Raises IdentityFileError.
    """
    path = identity_path()
    with alone(path, error=IdentityFileError, busy=IdentityFileError):
        change(e2ee.Identity.load(path, old)).save(path, replace=True, passphrase=new)


def make_home(path: Path) -> None:
    """Make the folders of a file, each for its owner only. Raises IdentityFileError."""
    try:
        for folder in reversed(path.parents):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise IdentityFileError(
            f"{path.parent} cannot be made: {error.strerror}; set E2EE_HOME to another folder"
        ) from None


def _make(path: Path, output: Output, now: float) -> None:
    make_home(path)
    try:
        e2ee.Identity.generate(now=now).save(path)
    except IdentityFileError:
        if not path.exists():
            raise
        return  # Another process of ours was quicker, and its identity counts.
    output.status("identity_created", f"Made a new identity in {path}", path=str(path))


def _load(path: Path, output: Output) -> tuple[e2ee.Identity, str | None]:
    try:
        return e2ee.Identity.load(path), None
    except IdentityLocked:
        pass
    if file := os.environ.get(PASSPHRASE_VARIABLE):
        passphrase = read_passphrase(file, output)
        try:
            return e2ee.Identity.load(path, passphrase), passphrase
        except (WrongPassphrase, InvalidPassphrase):
            raise CliError(
                f"the passphrase in {file} does not open {path}; correct it there", Exit.IN_USE
            ) from None
    for left in reversed(range(TRIES)):
        passphrase = ask_passphrase(
            "Passphrase: ", f"put it into a file and name that in {PASSPHRASE_VARIABLE}"
        )
        try:
            return e2ee.Identity.load(path, passphrase), passphrase
        except (WrongPassphrase, InvalidPassphrase):
            output.status("wrong_passphrase", f"That is not the passphrase. Tries left: {left}")
    raise CliError(
        f"the identity stays locked after {TRIES} wrong passphrases; a backup brings it back: "
        "e2ee --profile NAME id import",
        Exit.IN_USE,
    )
