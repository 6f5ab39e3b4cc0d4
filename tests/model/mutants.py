"""For each protective step, a question that is answered otherwise when it is left out."""

from __future__ import annotations

from tests.model.mutation import Mutation

BROKEN: dict[Mutation, str] = {
    Mutation.SIGNATURE: "meeting: agreement and authenticity",
    Mutation.STATIC_KEY: "known: agreement and authenticity",
    Mutation.EXPECTED_PEER: "meeting: identity hiding, the caller, from whoever was not called",
    Mutation.OWN_KEY: "meeting: no session with oneself",
    Mutation.PROLOGUE: "meeting: no downgrade: agreement on version and suite",
    Mutation.EE: "known: hybrid: secret while X25519 holds",
    Mutation.ES: "known: key-compromise impersonation, the caller's device key",
    Mutation.SE: "known: key-compromise impersonation, the answerer's device key",
    Mutation.SS: "known: no number is stored in Alice's name that she did not send",
    Mutation.EKEM1: "meeting: hybrid: recorded now, X25519 broken later",
    Mutation.PSK: "refresh: a thief of the record keys alone who alters the refresh is thrown out",
    Mutation.CONFIRMATION: "known: key-compromise impersonation, the answerer's device key",
    Mutation.SEQUENCE: "known: message 1 is not answered twice",
    Mutation.CONTACT: "known: nobody but contacts",
    Mutation.REPEATED_EPHEMERAL: "meeting: session uniqueness",
    Mutation.ONE_KEY: "link: records come from the peer",
    Mutation.LINK_AGAIN: "link: a link is good for one",
    Mutation.NO_PAKE: "code: no guessing from what was recorded",
    Mutation.GUESS_AGAIN: "code: a code is tried once",
    Mutation.CLEAR_STATIC: "meeting: identity hiding, both, from a passive observer",
}

REDUNDANT = frozenset({Mutation.COMMITMENT})
"""Steps without which the search finds nothing: another one holds the same door."""
