"""Checks of the profile's folder: identity, contacts, configuration, and what else is there.

Nothing is written and nobody is asked: a locked identity is opened only where a file has its
passphrase.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from e2ee import Identity
from e2ee.contact_file import HEADER, MAX_SIZE, ContactFile
from e2ee.errors import ContactFileError, E2EEError, IdentityLocked
from e2ee.private_file import read_private

from .book import CONTACTS_FILE
from .checks import Check, failed, ok, problem, warning
from .clean import clean
from .config import load_config
from .conversations import CONVERSATIONS_FILE, open_conversations
from .encounter import day
from .exits import CliError, Exit
from .home import IDENTITY_FILE, home
from .output import Silent
from .passphrases import PASSPHRASE_VARIABLE, read_passphrase
from .settings import CONFIG_FILE
from .ways import way

_BACKUP = "restore a backup of it"


def check_files(now: float) -> Iterator[Check]:
    """``now`` -- seconds since 1970, for the certificate."""
    try:
        folder = home()
    except CliError as error:
        yield failed("folder", error, "choose another name with --profile")
        return
    yield _folder(folder)
    if not folder.is_dir():
        return
    check, identity = _identity(folder)
    yield check
    if identity is not None:
        yield _certificate(identity, now)
    yield _contacts(folder, identity)
    yield _conversations(folder, identity)
    yield _config()
    yield _others(folder)


def _folder(folder: Path) -> Check:
    elsewhere = "set E2EE_HOME to another folder"
    existing = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not existing.is_dir():
        return problem("folder", f"{existing} is not a folder", elsewhere, Exit.FILES)
    if not os.access(existing, os.W_OK | os.X_OK):
        return problem("folder", f"{existing} cannot be written to", elsewhere, Exit.FILES)
    if existing != folder:
        return ok("folder", f"{folder} will be made at first use")
    mode = folder.stat().st_mode
    chmod = f"run: chmod 700 {folder}"
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return problem("folder", f"others can replace files in {folder}", chmod, Exit.FILES)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warning("folder", f"others can see which files are in {folder}", chmod)
    return ok("folder", f"{folder}, for you only")


def _identity(folder: Path) -> tuple[Check, Identity | None]:
    path = folder / IDENTITY_FILE
    if not os.path.lexists(path):
        if (folder / CONTACTS_FILE).exists():
            return problem(
                "identity",
                f"there are contacts but no identity in {folder}: nobody can read them without it",
                f"restore the identity: {way('id', 'import')}; or move the contacts away",
                Exit.FILES,
            ), None
        return warning(
            "identity", "there is none yet", f"the first command makes it: {way('id')}"
        ), None
    try:
        return ok("identity", "whole, for you only, not locked"), Identity.load(path)
    except IdentityLocked:
        return _locked(path)
    except E2EEError as error:
        return failed("identity", error, _BACKUP), None


def _locked(path: Path) -> tuple[Check, Identity | None]:
    file = os.environ.get(PASSPHRASE_VARIABLE)
    if not file:
        return ok(
            "identity", "for you only, locked with a passphrase, and so not looked into"
        ), None
    try:
        identity = Identity.load(path, read_passphrase(file, Silent()))
    except (E2EEError, CliError) as error:
        return failed("identity", error, f"see the file that {PASSPHRASE_VARIABLE} names"), None
    return ok("identity", f"whole, for you only, locked; {PASSPHRASE_VARIABLE} opens it"), identity


def _certificate(identity: Identity, now: float) -> Check:
    renewal = f"the next command makes a new one: {way('id')}"
    if now > identity.not_after:
        return warning("certificate", f"it ended on {day(identity.not_after)}", renewal)
    if now < identity.not_before:
        return warning(
            "certificate",
            f"it begins on {day(identity.not_before)}: a clock was, or is, wrong",
            f"set the clock right; {renewal}",
        )
    return ok("certificate", f"good until {day(identity.not_after)}, renewed in time")


def _contacts(folder: Path, identity: Identity | None) -> Check:
    path = folder / CONTACTS_FILE
    if not os.path.lexists(path):
        return ok("contacts", "none yet")
    try:
        if identity is not None:
            count = len(ContactFile(path, identity).read().contacts)
            return ok("contacts", f"{count:,}, readable with this identity only")
        if not read_private(path, MAX_SIZE, ContactFileError).startswith(HEADER):
            raise ContactFileError(f"{path} is no contact file of a version that is known here")
    except E2EEError as error:
        return failed("contacts", error, f"{_BACKUP}, or move it away to begin with no contacts")
    return ok("contacts", "for you only; not looked into without the identity")


def _conversations(folder: Path, identity: Identity | None) -> Check:
    if not os.path.lexists(folder / CONVERSATIONS_FILE):
        return ok("conversations", "none yet")
    if identity is None:
        return ok("conversations", "not looked into without the identity")
    try:
        with open_conversations(identity) as conversations:
            next(conversations.history(), None)
    except E2EEError as error:
        return failed("conversations", error, _BACKUP)
    return ok("conversations", "readable with this identity only")


def _config() -> Check:
    try:
        load_config()
    except CliError as error:
        return failed("configuration", error, "README.md says what it may have")
    if not (home() / CONFIG_FILE).exists():
        return ok("configuration", f"no {CONFIG_FILE}")
    return ok("configuration", f"{CONFIG_FILE} is understood")


def _others(folder: Path) -> Check:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        return problem(
            "other files",
            f"{folder} cannot be listed: {error.strerror}",
            f"run: chmod 700 {folder}",
            Exit.FILES,
        )
    left_over = [path for path in paths if path.name.startswith(".") and path.suffix == ".tmp"]
    if left_over:
        return warning(
            "other files",
            f"{clean(str(left_over[0]))} was left by a writing that was interrupted",
            "it may hold secrets: remove it while no e2ee runs",
        )
    named_above = {IDENTITY_FILE, CONTACTS_FILE, CONFIG_FILE}
    for path in paths:
        if path.name not in named_above and path.lstat().st_mode & 0o022 and not path.is_symlink():
            shown = clean(str(path))
            return warning("other files", f"others can change {shown}", f"run: chmod go-w {shown}")
    return ok("other files", "nothing that others can change")
