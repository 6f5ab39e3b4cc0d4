"""What an intruder can find out from what he has seen: the closure that Dolev and Yao describe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.model.terms import Term, term


class Knowledge:
    """An intruder's terms, closed under taking apart. It does not change; ``and_also`` adds.

    ``logarithms`` -- he finds the exponent of every point whose base he knows.
    ``lattices`` -- he finds the private half of every KEM key.
    """

    def __init__(
        self, seen: Iterable[Term] = (), *, logarithms: bool = False, lattices: bool = False
    ) -> None:
        self.logarithms = logarithms
        self.lattices = lattices
        self.terms: set[Term] = set()
        self._shut: set[Term] = set()
        self._yes: set[Term] = set()
        self._no: set[Term] = set()
        self._take(seen)
        self.key = frozenset(self.terms)

    def and_also(
        self, seen: Iterable[Term], *, logarithms: bool = False, lattices: bool = False
    ) -> Knowledge:
        more = Knowledge.__new__(Knowledge)
        more.logarithms = self.logarithms or logarithms
        more.lattices = self.lattices or lattices
        more.terms = set(self.terms)
        more._shut = set(self._shut)
        more._yes = set(self._yes)
        more._no = set()
        more._take(seen)
        if more.logarithms != self.logarithms or more.lattices != self.lattices:
            more._take(list(more.terms))
        more.key = frozenset(more.terms)
        return more

    def _take(self, seen: Iterable[Term]) -> None:
        news = list(seen)
        while news:
            while news:
                new = news.pop()
                self._no.clear()
                self.terms.add(new)
                news += [each for each in self._open(new) if each not in self.terms]
            # A new key may fit what was shut until now.
            for shut in list(self._shut):
                if self.can_make(shut.parts[0]):
                    self._shut.remove(shut)
                    if shut.parts[2] not in self.terms:
                        news.append(shut.parts[2])
            if self.logarithms:
                news += [each for each in self._exponents() if each not in self.terms]

    def _open(self, new: Term) -> list[Term]:
        match new.symbol:
            case "join":
                return list(new.parts)
            case "signature":
                return [new.parts[1]]
            case "seal":
                self._shut.add(new)
            case "kem key" if self.lattices:
                return [new.parts[0]]
        return []

    def _exponents(self) -> list[Term]:
        """Of points that have one exponent over a base that can be made."""
        return [
            each.parts[1]
            for each in self.terms
            if each.symbol == "point" and len(each.parts) == 2 and self.can_make(each.parts[0])
        ]

    def can_make(self, wanted: Term) -> bool:
        """Whether the intruder can compute this term."""
        if wanted in self.terms or wanted in self._yes:
            return True
        if wanted in self._no:
            return False
        possible = self._compose(wanted)
        (self._yes if possible else self._no).add(wanted)
        return possible

    def _compose(self, wanted: Term) -> bool:
        match wanted.symbol:
            case "secret":
                return False
            case "public":
                return True
            case "point":
                return self._multiply(wanted)
            case "kem secret":
                key, randomness = wanted.parts
                return (self.can_make(key) and self.can_make(randomness)) or (
                    self.can_make(key.parts[0])
                    and self.can_make(term("encapsulation", key, randomness))
                )
        return all(map(self.can_make, wanted.parts))

    def _multiply(self, wanted: Term) -> bool:
        base, *exponents = wanted.parts
        unknown = Counter(each for each in exponents if not self.can_make(each))
        if not unknown:
            return self.can_make(base) or self._has_power(base, exponents, unknown)
        return self._has_power(base, exponents, unknown)

    def _has_power(self, base: Term, exponents: list[Term], unknown: Counter[Term]) -> bool:
        """Whether he has a point to which only exponents that he knows must be added."""
        goal = Counter(exponents)
        for have in self.terms:
            if have.symbol == "point" and have.parts[0] is base:
                got = Counter(have.parts[1:])
                if unknown <= got <= goal:
                    return True
        return False
