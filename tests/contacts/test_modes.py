"""Files with keys, or with what only their owner should know, are their owner's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import Identity
from e2ee.contact_file import ContactFile
from e2ee.conversation_file import ConversationFile
from e2ee.errors import FileError

ME = Identity.generate()
PHRASE = "any words of mine"
UMASKS = (0o000, 0o022, 0o027, 0o077, 0o177)


def write_contacts(path: Path) -> None:
    with ContactFile(path, ME).update():
        pass


def write_texts(path: Path) -> None:
    file = ConversationFile(path, ME)
    file.remember(bytes(32), "in", 0, "text")
    file.close()


def read_texts(path: Path) -> None:
    file = ConversationFile(path, ME)
    try:
        list(file.history(bytes(32)))
    finally:
        file.close()


FILES: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "identity": (ME.save, Identity.load),
    "locked identity": (
        lambda path: ME.save(path, passphrase=PHRASE),
        lambda path: Identity.load(path, PHRASE),
    ),
    "contacts": (write_contacts, lambda path: ContactFile(path, ME).read()),
    "conversations": (write_texts, read_texts),
}


@pytest.mark.attack(83)
@pytest.mark.parametrize("kind", FILES)
def test_a_file_is_made_for_its_owner_whatever_the_umask(
    tmp_path: Path, kind: str, figure: Callable[[str], None]
) -> None:
    write, read = FILES[kind]
    for umask in UMASKS:
        path = tmp_path / f"{umask:o}"
        before = os.umask(umask)
        try:
            write(path)
        finally:
            os.umask(before)
        for made in tmp_path.glob(f"*{path.name}*"):
            assert stat.S_IMODE(made.stat().st_mode) == 0o600
        read(path)
    figure(f"{kind}: made 0600 under {len(UMASKS)} umasks")


@pytest.mark.attack(83)
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_others_may_touch_in_any_way_is_refused(
    tmp_path: Path, kind: str, figure: Callable[[str], None]
) -> None:
    write, read = FILES[kind]
    path = tmp_path / "file"
    write(path)
    refused = 0
    for mode in range(0o1000):
        if not mode & 0o077:
            continue
        path.chmod(0o600 | mode)
        with pytest.raises(FileError, match=r"run: chmod 600 .*file$"):
            read(path)
        refused += 1
    path.chmod(0o600)
    read(path)
    figure(f"{kind}: {refused} of {refused} modes that let others in refused")
