"""What ``e2ee id …`` does: show who I am, and how my keys are kept."""

from __future__ import annotations

import os
import re

from e2ee import Identity
from e2ee.backup import PHRASE_LENGTH, backup_phrase, restore
from e2ee.errors import FileError
from e2ee.ids import whole_word
from e2ee.private_file import as_path, write_private

from . import ask
from .book import Book
from .clean import quoted
from .exits import CliError, Exit
from .home import (
    identity_path,
    make_home,
    own_identity,
    present,
    rewrite,
    unlocked_identity,
)
from .lines import STDIN
from .output import Output
from .passphrases import ask_passphrase, read_passphrase
from .signals import run
from .ways import way

TITLE = "e2ee backup of an identity"


def show(output: Output) -> None:
    """My id and my safety words. Raises what ``home.own_identity`` raises, as all here do."""
    identity = own_identity(output)
    words = " ".join(identity.words)
    output.data(
        f"{identity.id}\nsafety words: {words}",
        event="identity",
        id=identity.id,
        words=list(identity.words),
    )


def export(file: str | None, output: Output) -> None:
    """The backup, on stdout or into a new file. Raises FileError."""
    identity = own_identity(output)
    text = _printable(identity)
    if file is None:
        output.data(text, event="backup", id=identity.id, phrase=list(backup_phrase(identity)))
        return
    write_private(as_path(file, FileError), (text + "\n").encode(), replace=False, error=FileError)
    output.status(
        "exported", f"Written to {file}. Print it, or put it where only you can get.", path=file
    )


def _printable(identity: Identity) -> str:
    words = backup_phrase(identity)
    rows = [
        "  ".join(
            f"{at + 1:2} {word:<14}" for at, word in enumerate(words) if at // 4 == row
        ).rstrip()
        for row in range((PHRASE_LENGTH + 3) // 4)
    ]
    return "\n".join(
        [
            TITLE,
            identity.id,
            "Whoever has these words can be you. To restore: e2ee id import",
            "",
            *rows,
        ]
    )


def bring_back(output: Output) -> None:
    """Restore from a backup where there is no identity yet. Raises CliError, InvalidBackup."""
    path = identity_path()
    if os.path.lexists(path):
        raise CliError(
            f"there is an identity in {path} already, and it was left as it is; restore the "
            "backup beside it: e2ee --profile NAME id import",
            Exit.USAGE,
        )
    words: list[str] = []
    run(_ask_words(words, output))
    identity = restore(words, now=present())
    make_home(path)
    identity.save(path)
    output.status("restored", f"Restored in {path}, with a new device key.", path=str(path))
    output.data(identity.id, event="identity", id=identity.id, words=list(identity.words))


async def _ask_words(words: list[str], output: Output) -> None:
    """Numbers, and the lines before the words in the exported text, are passed over.

    A person types a line with a mistake again, and not the whole backup.
    """
    empty = 0
    while len(words) < PHRASE_LENGTH:
        line = await ask.line(f"Words, from number {len(words) + 1}: ")
        empty = 0 if line else empty + 1
        if empty > 1 and not os.isatty(STDIN):
            break  # The input has ended.
        if line.startswith((TITLE, "e2ee1", "Whoever has")):
            continue
        typed = re.findall(r"[^\s\d]+", line)
        strange = next((word for word in typed if whole_word(word) is None), None)
        if strange is not None and os.isatty(STDIN):
            output.status(
                "not_in_list",
                f"{quoted(strange[:20])} is not in the list of words; that line again.",
            )
        else:
            words += typed


def passphrase(new_file: str | None, output: Output, *, remove: bool) -> None:
    """Lock, lock anew or unlock. Raises CliError."""
    if remove and new_file:
        raise CliError("--remove and --new-file exclude each other", Exit.USAGE)
    _, old = unlocked_identity(output)
    new = None
    if not remove:
        new = read_passphrase(new_file, output) if new_file else _ask_twice()
    rewrite(lambda identity: identity, old, new)
    output.status(
        "passphrase",
        "The identity is locked with the new passphrase.\n"
        f"If it is forgotten, only a backup helps: {way('id', 'export')}"
        if new
        else "The identity has no passphrase now.",
        locked=new is not None,
    )


def _ask_twice() -> str:
    instead = "name a file that holds the new one with --new-file"
    new = ask_passphrase("New passphrase: ", instead)
    if not new:
        raise CliError("an empty passphrase locks nothing; to remove it: --remove", Exit.USAGE)
    if ask_passphrase("The same again: ", instead) != new:
        raise CliError("these were two different passphrases; nothing was changed", Exit.USAGE)
    return new


def rotate_device(output: Output) -> None:
    """A new device key."""
    identity, passphrase = unlocked_identity(output)
    now = present()
    rewrite(lambda identity: identity.rotated(now), passphrase, passphrase)
    # In this order: numbers that are forgotten too early would let old calls in again.
    Book(identity).change(lambda contacts: contacts.forget_calls())
    output.status(
        "rotated",
        "This machine has a new device key; you are who you were. Start each\n"
        "`e2ee listen` that runs now anew. Contacts whom you answer with\n"
        "`e2ee listen --known` have to reach you once with `e2ee listen`, to learn the\n"
        "key.",
    )
