"""Terms: what is computed or sent, as symbols instead of bytes.

Primitives are perfect: two terms are equal only if they are built alike, and nothing can be taken
apart but by the rules of ``intruder.py``. Equal terms are one object, so that they compare and
hash by identity however deep they are; transcripts are very deep.
"""

from __future__ import annotations

from itertools import count


class Term:
    """One symbol, applied to arguments: terms, or a name or number at the leaves."""

    __slots__ = ("arguments", "serial", "symbol")

    def __init__(self, symbol: str, arguments: tuple[Term | str | int, ...], serial: int) -> None:
        self.symbol = symbol
        self.arguments = arguments
        self.serial = serial

    def __repr__(self) -> str:
        if self.symbol in {"secret", "public"}:
            return str(self.arguments[0])
        return f"{self.symbol}#{self.serial}"

    @property
    def parts(self) -> tuple[Term, ...]:
        """The arguments that are terms."""
        return tuple(part for part in self.arguments if isinstance(part, Term))


_KNOWN: dict[tuple[str, tuple[Term | str | int, ...]], Term] = {}
_SERIALS = count()


def term(symbol: str, *arguments: Term | str | int) -> Term:
    """The one term with this symbol and these arguments."""
    key = (symbol, arguments)
    found = _KNOWN.get(key)
    if found is None:
        found = _KNOWN[key] = Term(symbol, arguments, next(_SERIALS))
    return found


def secret(name: str) -> Term:
    """A private key, a random number: nobody has it who was not given it."""
    return term("secret", name)


def public(name: str) -> Term:
    """A constant that everybody knows: a label, a number, a protocol's name."""
    return term("public", name)


def join(*parts: Term) -> Term:
    return term("join", *parts)


def digest(*parts: Term) -> Term:
    """SHA-256."""
    return term("digest", *parts)


def derive(salt: Term, ikm: Term, info: Term, output: int) -> Term:
    """Output number ``output`` of HKDF, counted in 32 bytes from 0."""
    return term("derive", salt, ikm, info, output)


def seal(key: Term, nonce: int, ad: Term, plaintext: Term) -> Term:
    """AEAD. Who has not the key can neither make it nor look into it."""
    return term("seal", key, nonce, ad, plaintext)


BASE = public("base point")


def power(point: Term, exponent: Term) -> Term:
    """X25519: exponents commute, so that a point is a base and a sorted list of them."""
    if point.symbol != "point":
        return term("point", point, exponent)
    base, *exponents = point.parts
    return term("point", base, *sorted((*exponents, exponent), key=lambda each: each.serial))


def public_point(exponent: Term) -> Term:
    return power(BASE, exponent)


def kem_key(private: Term) -> Term:
    return term("kem key", private)


def encapsulation(key: Term, randomness: Term) -> Term:
    """ML-KEM's ciphertext."""
    return term("encapsulation", key, randomness)


def kem_secret(key: Term, randomness: Term) -> Term:
    return term("kem secret", key, randomness)


def verification_key(private: Term) -> Term:
    return term("verification key", private)


def signature(private: Term, message: Term) -> Term:
    return term("signature", private, message)
