"""Somebody in a running chat: who they are, what is said to them, and their files."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

from e2ee.contacts import Contact, Grade

from .correspondent import Correspondent
from .encounter import BY
from .file_desk import FileDesk


@dataclass(eq=False, slots=True)
class Person:
    contact: Contact
    correspondent: Correspondent
    desk: FileDesk
    belongings: ExitStack
    """What is to be closed when they are forgotten here."""
    waiting: dict[int, tuple[str, float]] = field(default_factory=dict)
    """Texts that are not delivered, and when they were said: for who watches a screen."""
    named: bool = False
    """Whether they have said what they call themselves."""
    puzzling: bool = False
    """Whether they have sent what this version cannot show."""

    @property
    def trust(self) -> str:
        """How well they are known, for the screen."""
        if self.contact.grade is Grade.SEEN:
            return "NOT VERIFIED"
        return BY[self.contact.how]

    @property
    def trusted(self) -> bool:
        return self.contact.grade > Grade.SEEN
