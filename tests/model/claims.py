"""Claims about a state of the model. Each says what is wrong with the state, or None."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.openings import CODE, LINK_SECRET, Opening, Session
from tests.model.parties import ALICE, BOB, MALLORY, PARTIES, Party
from tests.model.search import State
from tests.model.terms import Term

LONG_TERM = frozenset(
    {ALICE.identity_key, ALICE.device_key, BOB.identity_key, BOB.device_key, LINK_SECRET, CODE}
)


def _name(identity: Term | None) -> str:
    return next((party.name for party in PARTIES if party.identity is identity), "nobody")


def _agreed(session: Session) -> Term:
    """The hash that the other side must have had: of the last message that this side got."""
    if session.opening is Opening.MEETING and session.initiator:
        return session.hashes[1]
    if session.opening is Opening.REFRESH and not session.initiator:
        return session.hashes[0]
    return session.hashes[-1]


def authentic(state: State, *, stolen_from: tuple[Party, ...] = ()) -> str | None:
    """Each open session has a peer that takes part, in the other role, with this transcript."""
    for session in state.sessions:
        if not session.open or _name(session.peer) in {"Mallory", *(p.name for p in stolen_from)}:
            continue
        if not any(
            other.owner.identity is session.peer
            and other.initiator != session.initiator
            and other.hello is not None
            and session.hello is not None
            and other.hello.term is session.hello.term
            and _agreed(session) in other.hashes
            and other.peer in {None, session.owner.identity}
            for other in state.sessions
        ):
            return f"{session.name} believes in {_name(session.peer)}, who knows nothing of it"
    return None


def same_view(state: State) -> str | None:
    """Who shares keys shares the view of who talks to whom, in which role, by which hello."""
    for one in state.sessions:
        for other in state.sessions:
            if one is other or one.keys is None or other.keys is None:
                continue
            if one.keys[2] is not other.keys[2]:
                continue
            if one.peer is not other.owner.identity or other.peer is not one.owner.identity:
                return f"{one.name} and {other.name} share keys, not the view of who they are"
            if one.hello and other.hello and one.hello.term is not other.hello.term:
                return f"{one.name} and {other.name} share keys, not the hello"
    return None


def unique(state: State) -> str | None:
    """No two sessions of one role have the same keys."""
    opened = [(each.initiator, each.keys) for each in state.sessions if each.keys]
    return "two sessions of one role have the same keys" if len(set(opened)) < len(opened) else None


def records_from_peer(state: State) -> str | None:
    """A record is that of the session at the other end."""
    for session in state.sessions:
        if not session.heard or session.peer is MALLORY.identity:
            continue
        by = [each for each in state.sessions if each.name == session.heard]
        if not by or by[0] is session or by[0].owner.identity is not session.peer:
            return f"{session.name} took a record of {session.heard}"
    return None


def not_oneself(state: State) -> str | None:
    for session in state.sessions:
        if session.open and session.peer is session.owner.identity:
            return f"{session.name} talks with its own identity"
    return None


def secret_keys(
    state: State,
    *,
    later: frozenset[Term] = frozenset(),
    logarithms: bool = False,
    lattices: bool = False,
) -> str | None:
    """At the end the intruder has no key of a session with an honest peer, whatever comes later."""
    if not state.end:
        return None
    intruder = state.intruder
    if later or logarithms or lattices:
        intruder = intruder.and_also(later, logarithms=logarithms, lattices=lattices)
    for session in state.sessions:
        if session.peer is not MALLORY.identity and any(map(intruder.can_make, session.keys or ())):
            return f"the keys of {session.name} are known"
    return None


def invited_only(state: State) -> str | None:
    """A link or code lets in only the two who had it."""
    for session in state.sessions:
        if session.open and session.peer is MALLORY.identity:
            return f"{session.name} is open to Mallory"
    return None


@dataclass(frozen=True)
class Hidden:
    """Neither the identity nor the device key of these is known at the end.

    Weak form of identity hiding: whether the intruder could tell two guesses apart is not asked.
    """

    parties: tuple[Party, ...]
    logarithms: bool = False
    """X25519 is broken when all is over."""

    def __call__(self, state: State) -> str | None:
        if not state.end:
            return None
        intruder = state.intruder.and_also((), logarithms=self.logarithms)
        for party in self.parties:
            if intruder.can_make(party.identity) or intruder.can_make(party.static):
                return f"{party.name}'s identity is known"
        return None


def one_answer(state: State) -> str | None:
    """No message 1 of *known* gets two answers."""
    first = [each.hashes[0] for each in state.sessions if not each.initiator and each.hashes]
    return "a message 1 got two answers" if len(set(first)) < len(first) else None


def no_answer_for_alice(state: State) -> str | None:
    """Bob stores no number in Alice's name that she did not send."""
    sent = {each.number for each in state.sessions if each.initiator and each.owner is ALICE}
    for fact in state.facts:
        if len(fact) == 3 and fact[1] is ALICE.static and fact[2] not in sent:
            return f"Bob has stored the number {fact[2]} for Alice's device"
    return None


def one_guess(state: State) -> str | None:
    """A code is tried once."""
    tries = [fact for fact in state.facts if fact[0] == "try"]
    return "a code was tried twice" if len(tries) > 1 else None


def link_once(state: State) -> str | None:
    """A link lets in one session."""
    opened = [each for each in state.sessions if each.open and not each.initiator]
    return "a link let in two sessions" if len(opened) > 1 else None


def no_guessing_later(state: State) -> str | None:
    """With the right code in hand, nothing that was recorded tells that it is right.

    Weak form: it opens no recorded ciphertext and gives no key.
    """
    if not state.end:
        return None
    more = state.intruder.and_also([CODE])
    opened = [each for each in more.terms if each not in state.intruder.terms and each is not CODE]
    return f"the code opens {len(opened)} terms" if opened else secret_keys(state, later=LONG_TERM)


def never_open(state: State) -> str | None:
    """The opposite of correctness: that both sides end open and understand each other. A search
    must refute it."""
    done = all(each.open and each.heard for each in state.sessions)
    return "all sessions are open and have heard each other" if done else None


def invited_contacts_only(state: State) -> str | None:
    """In *known* Bob has one contact, Alice."""
    for session in state.sessions:
        if not session.initiator and session.hashes and session.peer is not ALICE.identity:
            return f"{session.name} answered somebody who is no contact"
    return None


def forward_secret(state: State) -> str | None:
    """Who later steals every long-term key has no key of a session."""
    return secret_keys(state, later=LONG_TERM)


def secret_without_kem(state: State) -> str | None:
    return secret_keys(state, later=LONG_TERM, lattices=True)


def secret_from_recording(state: State) -> str | None:
    """Harvest now, decrypt later: X25519 is broken when all is over, and long-term keys stolen."""
    return secret_keys(state, later=LONG_TERM - {CODE, LINK_SECRET}, logarithms=True)


def secret_without_both(state: State) -> str | None:
    return secret_keys(state, logarithms=True, lattices=True)


def secret_without_anything(state: State) -> str | None:
    """In *link* and *code* the secret that both had before is a third lock; it is lost too."""
    return secret_keys(state, later=frozenset({LINK_SECRET, CODE}), logarithms=True, lattices=True)


def healed_from_recording(state: State) -> str | None:
    return secret_keys(state, logarithms=True)


def authentic_but_for_bob(state: State) -> str | None:
    return authentic(state, stolen_from=(BOB,))


def authentic_but_for_alice(state: State) -> str | None:
    return authentic(state, stolen_from=(ALICE,))
