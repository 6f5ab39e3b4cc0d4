"""Who there is, what each has, and the payload in which a certificate comes. SPEC.md, section 5."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.noise import Fresh
from tests.model.terms import (
    Term,
    digest,
    join,
    public,
    public_point,
    secret,
    signature,
    verification_key,
)

_CERTIFICATE = public("e2ee device certificate v1")
_COMMITMENT = public("e2ee code commitment v1")
_UNSIGNED = public("no signature")
NOTHING = public("nothing")


@dataclass(frozen=True)
class Party:
    """A person with one device."""

    name: str

    @property
    def identity_key(self) -> Term:
        return secret(f"{self.name}'s identity key")

    @property
    def identity(self) -> Term:
        return verification_key(self.identity_key)

    @property
    def device_key(self) -> Term:
        return secret(f"{self.name}'s device key")

    @property
    def static(self) -> Term:
        return public_point(self.device_key)

    def fresh(self, session: str) -> Fresh:
        ephemeral, kem, randomness = (
            secret(f"{self.name}'s {what}, {session}") for what in ("ephemeral", "kem", "random")
        )
        return Fresh(ephemeral, kem, randomness)

    def certificate(self) -> Term:
        return signature(self.identity_key, _named(self.identity, self.static))


ALICE, BOB, MALLORY = Party("Alice"), Party("Bob"), Party("Mallory")
PARTIES = (ALICE, BOB, MALLORY)


def _named(identity: Term, static: Term) -> Term:
    return join(_CERTIFICATE, identity, static)


def party_of(identity: Term) -> Party:
    return next(party for party in PARTIES if party.identity is identity)


def payload(identity: Term, static: Term, signed: Term, extra: Term = NOTHING) -> Term:
    """``extra``: the sequence number in *known*, the nonce of the commitment in *code*."""
    return join(identity, static, signed, extra)


def certified(identity_key: Term, static: Term) -> tuple[Term, Term, Term]:
    """What an identity says of a device key, as the arguments of ``payload``."""
    identity = verification_key(identity_key)
    return identity, static, signature(identity_key, _named(identity, static))


def own_payload(party: Party, extra: Term = NOTHING) -> Term:
    return payload(*certified(party.identity_key, party.static), extra)


def unsigned(identity: Term, static: Term) -> tuple[Term, Term, Term]:
    return identity, static, _UNSIGNED


def known_certificates(terms: frozenset[Term]) -> list[tuple[Term, Term, Term]]:
    """Every certificate among these terms, as the arguments of ``payload``."""
    return [
        (each.parts[1].parts[1], each.parts[1].parts[2], each)
        for each in terms
        if each.symbol == "signature" and each.parts[1].parts[0] is _CERTIFICATE
    ]


def is_signed(identity: Term, static: Term, signed: Term) -> bool:
    return (
        signed.symbol == "signature"
        and verification_key(signed.parts[0]) is identity
        and signed.parts[1] is _named(identity, static)
    )


def commitment(identity: Term, nonce: Term) -> Term:
    return digest(_COMMITMENT, identity, nonce)
