"""Where data lives, and the identity that lives there: found, made, unlocked, renewed."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import time
from pathlib import Path

import platformdirs

from e2ee import Identity
from e2ee.errors import IdentityFileError, IdentityLocked, WrongPassphrase

from .exits import CliError, Exit
from .output import Output

IDENTITY_FILE = "identity"

PROFILE_VARIABLE = "E2EE_PROFILE"
PASSPHRASE_VARIABLE = "E2EE_PASSPHRASE_FILE"  # noqa: S105 -- the name of a variable
"""Names a file with the passphrase, for programs that nobody sits in front of."""

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
    if re.fullmatch("[A-Za-z0-9_-]{1,32}", profile) is None:
        raise CliError(
            f"{profile!r} is no name for a profile: letters, digits, - and _, at most 32",
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


def own_identity(output: Output) -> Identity:
    """Load the identity; make it on first use; renew its certificate in time.

    Raises IdentityFileError, CliError.
    """
    return unlocked_identity(output)[0]


def unlocked_identity(output: Output) -> tuple[Identity, str | None]:
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
            identity.save(path, replace=True, passphrase=passphrase)
    return identity, passphrase


def make_home(path: Path) -> None:
    """Make the folder of a file, for its owner only. Raises IdentityFileError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise IdentityFileError(
            f"{path.parent} cannot be made: {error.strerror}; set E2EE_HOME to another folder"
        ) from None


def _make(path: Path, output: Output, now: float) -> None:
    make_home(path)
    try:
        Identity.generate(now=now).save(path)
    except IdentityFileError:
        if not path.exists():
            raise
        return  # Another process of ours was quicker, and its identity counts.
    output.status("identity_created", f"Made a new identity in {path}", path=str(path))


def _load(path: Path, output: Output) -> tuple[Identity, str | None]:
    try:
        return Identity.load(path), None
    except IdentityLocked:
        pass
    if file := os.environ.get(PASSPHRASE_VARIABLE):
        passphrase = read_passphrase(file)
        return Identity.load(path, passphrase), passphrase
    for left in reversed(range(TRIES)):
        passphrase = ask_passphrase("Passphrase: ")
        try:
            return Identity.load(path, passphrase), passphrase
        except WrongPassphrase:
            output.status("wrong_passphrase", f"That is not the passphrase. Tries left: {left}")
    raise CliError(
        f"the identity stays locked after {TRIES} wrong passphrases; a backup brings it back: "
        "e2ee --profile NAME id import",
        Exit.IN_USE,
    )


def read_passphrase(file: str) -> str:
    """The first line of this file. Raises CliError."""
    try:
        with open(file, encoding="utf-8") as text:
            passphrase = text.readline(4096).rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise CliError(f"{file} cannot be read: {reason}", Exit.FILES) from None
    if not passphrase:
        raise CliError(f"{file} has no passphrase in its first line", Exit.USAGE)
    return passphrase


def ask_passphrase(prompt: str) -> str:
    """From the terminal, unseen; not empty. Raises CliError where there is no terminal."""
    try:
        with open("/dev/tty", "rb"):
            pass
    except OSError:
        raise CliError(
            "the identity is locked, and there is no terminal to ask for its passphrase; put it "
            f"into a file and name that in {PASSPHRASE_VARIABLE}",
            Exit.IN_USE,
        ) from None
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise CliError("no passphrase was given", Exit.IN_USE) from None
