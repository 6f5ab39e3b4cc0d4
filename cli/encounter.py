"""Whom a fresh channel leads to: judged, remembered and said, before a line is sent or shown."""

from __future__ import annotations

import contextlib
import time
from typing import NamedTuple

from e2ee.contacts import Contact, ContactBook, Grade, How, Verdict
from e2ee.errors import E2EEError, NameRefused
from e2ee.suites import Approach
from e2ee.transport import Channel

from .names import label
from .profile import Profile
from .ways import way

PROVED: dict[Approach, tuple[Grade, How]] = {
    Approach.MEETING: (Grade.NEW, "meeting"),
    Approach.KNOWN: (Grade.NEW, "meeting"),
    Approach.LINK: (Grade.INVITED, "link"),
    Approach.CODE: (Grade.VERIFIED, "code"),
}
"""What an opening of each kind proves by itself, and what a contact that it makes has."""

BY: dict[How, str] = {
    "meeting": "not verified",
    "link": "paired by link",
    "code": "verified by code",
    "comparison": "verified by comparison",
}


class Encounter(NamedTuple):
    """A channel, what was known of its peer before, and the contact that they are now."""

    channel: Channel
    verdict: Verdict
    contact: Contact
    asked_for: bool
    """Whether the user had named this identity."""


class Lost(Exception):
    """A channel that had been in use broke."""

    def __init__(self, contact: Contact, error: E2EEError) -> None:
        super().__init__(str(error))
        self.contact = contact
        self.error = error


def day(seconds: float) -> str:
    """2026-11-24, in the local time zone."""
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


def meet(
    profile: Profile,
    channel: Channel,
    *,
    expected: Contact | None = None,
    dialled: tuple[str, int] | None = None,
    name: str = "",
    asked_for: bool = False,
) -> Encounter:
    """Judge the peer by what was known of them, and remember the meeting.

    ``expected`` -- as for ``TrustPolicy.judge``. ``dialled`` -- where they answered. ``name`` --
    an alias for somebody new. Raises TrustRefused, NameRefused and what a book raises.
    """
    grade, how = PROVED[channel.suite.approach]

    def judge_and_remember(contacts: ContactBook) -> tuple[Verdict, Contact]:
        verdict = profile.policy.judge(contacts, channel.peer, proved=grade, expected=expected)
        free = ""
        # Somebody else may have got the name since it was chosen; the meeting counts for more.
        with contextlib.suppress(NameRefused):
            free = name and contacts.free_name(name)
        return verdict, contacts.meet(channel.peer, how, time.time(), address=dialled, name=free)

    # One change: a contact that another program blocks meanwhile must not slip through.
    verdict, contact = profile.book.change(judge_and_remember)
    return Encounter(channel, verdict, contact, asked_for)


def announce(encounter: Encounter, profile: Profile, *, briefly: bool = False) -> None:
    """Say whom the channel is authenticated to; ``briefly`` in one line, without advice."""
    contact = encounter.contact
    others = [known for known in profile.book.read().contacts if known.identity != contact.identity]
    verdict = encounter.verdict
    text = _who(encounter, label(contact, others))
    profile.output.status(
        "connected",
        ", ".join(line.strip() for line in text.splitlines()[:2]) if briefly else text,
        peer=contact.id,
        name=contact.name,
        claimed_name=contact.claimed_name,
        words=list(contact.words),
        grade=contact.grade.name.lower(),
        how=contact.how,
        known_since=None if verdict.contact is None else contact.first_seen,
        verified=contact.grade is Grade.VERIFIED,
    )


def _who(encounter: Encounter, shown: str) -> str:
    _, verdict, contact, asked_for = encounter
    met = f"known since {day(contact.first_seen)}"
    if verdict.contact is None:
        met = "NEW: never met before"
    if contact.grade is Grade.VERIFIED:
        return (
            f"Connected, end-to-end encrypted, to {shown}\n"
            f"  {met}, {BY[contact.how]} on {day(contact.graded_at)}"
        )
    if contact.grade is Grade.INVITED:
        return (
            f"Connected, end-to-end encrypted, to {shown}\n"
            f"  {met}, paired by link on {day(contact.graded_at)}: whoever had the link"
        )
    if asked_for:
        return (
            f"Connected, end-to-end encrypted, to {shown}\n"
            f"  {met}; it is the identity that you asked for"
        )
    text = f"Connected, end-to-end encrypted, to {shown}\n  {met}, NOT VERIFIED\n"
    if verdict.contact is None:
        text += (
            f"  {contact.id}\n"
            f"  their safety words: {' '.join(contact.words)}\n"
            "This may be anybody who can reach this connection. To be sure, compare\n"
            "the words with those that `e2ee id` shows to the other person, by\n"
            "voice, and run\n"
        )
    else:
        text += "It is the same identity as then. To be sure whose it is, run\n"
    return f"{text}  {way('contact', 'verify', contact.name)}"
