"""Noise over terms: SPEC.md, sections 3.2 to 3.5. The patterns are those of the product."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from e2ee.handshake import Token, parse_protocol_name
from tests.model.terms import (
    Term,
    derive,
    digest,
    encapsulation,
    join,
    kem_key,
    kem_secret,
    power,
    public,
    public_point,
    seal,
)

EMPTY = public("nothing")


@dataclass(frozen=True)
class Symmetric:
    """h, ck and the key, with its counter, that seals at this point."""

    h: Term
    ck: Term
    key: Term | None = None
    nonce: int = 0

    def mix_hash(self, data: Term) -> Symmetric:
        return replace(self, h=digest(self.h, data))

    def mix_key(self, ikm: Term) -> Symmetric:
        new = [derive(self.ck, ikm, EMPTY, output) for output in (0, 1)]
        return Symmetric(self.h, new[0], new[1])

    def mix_psk(self, psk: Term) -> Symmetric:
        new = [derive(self.ck, psk, EMPTY, output) for output in (0, 1, 2)]
        return Symmetric(digest(self.h, new[1]), new[0], new[2])

    def write(self, plaintext: Term) -> tuple[Term, Symmetric]:
        """The field that carries this text, and the state after it."""
        if self.key is None:
            return plaintext, self.mix_hash(plaintext)
        field = seal(self.key, self.nonce, self.h, plaintext)
        return field, replace(self.mix_hash(field), nonce=self.nonce + 1)

    def read(self, field: Term) -> tuple[Term, Symmetric] | None:
        """The text in this field, and the state after it; None where the tag is wrong."""
        if self.key is None:
            return field, self.mix_hash(field)
        if field.symbol != "seal" or field.arguments[:3] != (self.key, self.nonce, self.h):
            return None
        return field.parts[2], replace(self.mix_hash(field), nonce=self.nonce + 1)


@dataclass(frozen=True)
class Fresh:
    """The random numbers of one side of one handshake."""

    ephemeral: Term
    kem: Term
    randomness: Term


Supply = Callable[[str, Symmetric, "Side"], Iterable[Term]]
"""Fields that may come next: by kind (a token, or ``payload``), and what the reader is in."""


@dataclass(frozen=True)
class Side:
    """One side of one handshake, between two messages."""

    messages: tuple[tuple[str, ...], ...]
    initiator: bool
    symmetric: Symmetric
    fresh: Fresh
    s: Term | None = None
    rs: Term | None = None
    re: Term | None = None
    their_kem: Term | None = None
    psk: Term | None = None
    left_out: frozenset[str] = frozenset()
    """Tokens whose secret is not mixed in; in mutants only."""
    done: int = 0

    @property
    def finished(self) -> bool:
        return self.done == len(self.messages)

    @property
    def writes(self) -> bool:
        return not self.finished and self.initiator == (self.done % 2 == 0)

    def keys(self) -> tuple[Term, Term, Term]:
        """The initiator's key, the responder's, and the exporter secret."""
        first, second, third = (derive(self.symmetric.ck, EMPTY, EMPTY, n) for n in range(3))
        return first, second, third

    def _mix(self, token: str, ikm: Term) -> Side:
        if token in self.left_out:
            return self
        return replace(self, symmetric=self.symmetric.mix_key(ikm))

    def _agree(self, token: str) -> Side:
        """One Diffie-Hellman: in the token the initiator's key comes first."""
        own, other = (token[0], token[1]) if self.initiator else (token[1], token[0])
        exponent = self.s if own == "s" else self.fresh.ephemeral
        point = self.rs if other == "s" else self.re
        assert exponent is not None
        assert point is not None
        return self._mix(token, power(point, exponent))

    def _use_psk(self) -> Side:
        assert self.psk is not None
        if Token.PSK in self.left_out:
            return self
        return replace(self, symmetric=self.symmetric.mix_psk(self.psk))

    def _ephemeral(self, point: Term) -> Side:
        symmetric = self.symmetric.mix_hash(point)
        if self.psk is not None:
            symmetric = symmetric.mix_key(point)
        return replace(self, symmetric=symmetric)

    def write(self, payload: Term) -> tuple[Term, Side]:
        """The next message, and this side after it."""
        side, fields = self, []
        for token in self.messages[self.done]:
            match token:
                case Token.E:
                    fields.append(public_point(side.fresh.ephemeral))
                    side = side._ephemeral(fields[-1])
                case Token.PSK:
                    side = side._use_psk()
                case Token.S | Token.E1 | Token.EKEM1:
                    field, symmetric = side.symmetric.write(side._sent(token))
                    fields.append(field)
                    side = replace(side, symmetric=symmetric)
                    if token == Token.EKEM1:
                        assert side.their_kem is not None
                        side = side._mix(token, kem_secret(side.their_kem, side.fresh.randomness))
                case _:
                    side = side._agree(token)
        field, symmetric = side.symmetric.write(payload)
        return join(*fields, field), replace(side, symmetric=symmetric, done=self.done + 1)

    def _sent(self, token: str) -> Term:
        if token == Token.S:
            assert self.s is not None
            return public_point(self.s)
        if token == Token.E1:
            return kem_key(self.fresh.kem)
        assert self.their_kem is not None
        return encapsulation(self.their_kem, self.fresh.randomness)

    def read(self, supply: Supply) -> Iterator[tuple[Term, Term, Side]]:
        """Each message out of these fields that this side takes: message, payload, and itself."""
        yield from self._read(self.messages[self.done], (), supply)

    def _read(
        self, tokens: tuple[str, ...], fields: tuple[Term, ...], supply: Supply
    ) -> Iterator[tuple[Term, Term, Side]]:
        if not tokens:
            for field in supply("payload", self.symmetric, self):
                if got := self.symmetric.read(field):
                    side = replace(self, symmetric=got[1], done=self.done + 1)
                    yield join(*fields, field), got[0], side
            return
        token, rest = tokens[0], tokens[1:]
        match token:
            case Token.E:
                for field in supply(token, self.symmetric, self):
                    side = replace(self, re=field)._ephemeral(field)
                    yield from side._read(rest, (*fields, field), supply)
            case Token.PSK:
                yield from self._use_psk()._read(rest, fields, supply)
            case Token.S | Token.E1 | Token.EKEM1:
                for field in supply(token, self.symmetric, self):
                    got = self.symmetric.read(field)
                    after = got and replace(self, symmetric=got[1])._received(token, got[0])
                    if after:
                        yield from after._read(rest, (*fields, field), supply)
            case _:
                yield from self._agree(token)._read(rest, fields, supply)

    def _received(self, token: str, text: Term) -> Side | None:
        if token == Token.S:
            return replace(self, rs=text) if text.symbol == "point" else None
        if token == Token.E1:
            return replace(self, their_kem=text) if text.symbol == "kem key" else None
        # A ciphertext for another key gives a secret that nobody has: the next tag would fail.
        if text.symbol != "encapsulation" or text.parts[0] is not kem_key(self.fresh.kem):
            return None
        return self._mix(token, kem_secret(*text.parts))


def begin(
    protocol: str,
    *,
    initiator: bool,
    prologue: Term,
    fresh: Fresh,
    s: Term | None = None,
    rs: Term | None = None,
    psk: Term | None = None,
    left_out: frozenset[str] = frozenset(),
) -> Side:
    """Both sides call it with what they have; ``rs`` only where the pattern knows it before."""
    pattern = parse_protocol_name(protocol).pattern
    symmetric = Symmetric(digest(public(protocol)), digest(public(protocol))).mix_hash(prologue)
    if pattern.responder_pre_message:
        own = None if s is None else public_point(s)
        known = rs if initiator else own
        assert known is not None
        symmetric = symmetric.mix_hash(known)
    return Side(
        messages=tuple(tuple(map(str, message)) for message in pattern.messages),
        initiator=initiator,
        symmetric=symmetric,
        fresh=fresh,
        s=s,
        rs=rs,
        psk=psk,
        left_out=left_out,
    )
