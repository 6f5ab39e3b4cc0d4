"""The contacts of this profile: read, and changed with patience where another program writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from e2ee import Identity
from e2ee.contact_file import ContactFile
from e2ee.contacts import ContactBook
from e2ee.errors import ContactFileBusy

from .exits import CliError, Exit
from .home import home

CONTACTS_FILE = "contacts"

PATIENCE = 5.0
"""Seconds to wait for another program of ours that writes the contacts."""

PAUSE = 0.02
"""Seconds between two tries; writing takes a few milliseconds."""

T = TypeVar("T")


class Book:
    """The contact file of an identity, as the commands use it."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._file = ContactFile(home() / CONTACTS_FILE, identity)

    def read(self) -> ContactBook:
        """Raises ContactFileError."""
        return self._file.read()

    def change(self, change: Callable[[ContactBook], T]) -> T:
        """Change the book, and write it unless ``change`` raises.

        Raises what it raises, ContactFileError, and CliError when another program does not let go.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self._file.update() as book:
                    return change(book)
            except ContactFileBusy:
                if time.monotonic() > deadline:
                    raise CliError(
                        "another program has been writing the contacts for "
                        f"{PATIENCE:g} seconds; is an e2ee stopped in some terminal?",
                        Exit.IN_USE,
                    ) from None
                time.sleep(PAUSE)
