"""The screen for a changed identity: what happened, the likely reasons, and each way forward."""

from __future__ import annotations

from e2ee import Peer
from e2ee.contacts import Contact, Grade

from .addresses import with_port
from .encounter import BY, day
from .exits import CliError, Exit
from .ways import way


def changed_identity(contact: Contact, peer: Peer, address: tuple[str, int]) -> CliError:
    """``address`` -- where the other one answers."""
    where = with_port(*address)
    known = f"known since {day(contact.first_seen)}"
    if contact.grade > Grade.SEEN:
        known += f", {BY[contact.how]} on {day(contact.graded_at)}"
    return CliError(
        f"STOPPED. Whoever answers at {where} is not the {contact.name} that you know.\n"
        "Nothing was sent to them, and nothing was shown.\n"
        f"  {contact.name}: {contact.id}\n"
        f"    {known}\n"
        f"  who answers: {peer.id}\n"
        f"    safety words: {' '.join(peer.words)}\n"
        f"Most likely {contact.name} has begun anew, on another machine or without a backup;\n"
        "or another person uses this address now; or somebody is in between.\n"
        f"Ask {contact.name}, by voice, for the words that `e2ee id` shows there. If they\n"
        "are those above:\n"
        f"  {way('contact', 'trust', contact.name, peer.id)}\n"
        "If this is another person, whom you want to talk to:\n"
        f"  {way('connect', where, '--peer', peer.id)}\n"
        "Else do nothing, and tell them.",
        Exit.TRUST,
        known=contact.id,
        name=contact.name,
        peer=peer.id,
        words=list(peer.words),
    )
