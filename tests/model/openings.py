"""The four openings and the refresh, as rules: SPEC.md, sections 4, 5, 7.5 and 9.7.

A session waits for one message at a time. ``Rules.steps`` gives every message that the intruder
can make and that the session takes, with what comes of it. A message that the session refuses ends
it without an answer that depends on a secret, so that the intruder gains nothing by sending one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from e2ee.handshake import Token
from e2ee.suites import (
    CLASSICAL_AESGCM,
    CODE_AESGCM,
    HYBRID_AESGCM,
    KNOWN_AESGCM,
    LINK_AESGCM,
    Suite,
)
from tests.model.intruder import Knowledge
from tests.model.mutation import Mutation
from tests.model.noise import EMPTY, Fresh, Side, Supply, Symmetric, begin
from tests.model.parties import (
    ALICE,
    BOB,
    MALLORY,
    NOTHING,
    PARTIES,
    Party,
    certified,
    commitment,
    is_signed,
    known_certificates,
    own_payload,
    payload,
    unsigned,
)
from tests.model.terms import (
    BASE,
    Term,
    derive,
    digest,
    encapsulation,
    join,
    kem_key,
    power,
    public,
    public_point,
    seal,
    secret,
)

LINK_SECRET, CODE = secret("the link's secret"), secret("the code")
MALLORY_FRESH = MALLORY.fresh("any")
MALLORY_NONCE, MALLORY_SHARE = secret("Mallory's nonce"), secret("Mallory's share")
MALLORYS = frozenset(
    {
        MALLORY.identity_key,
        MALLORY.device_key,
        MALLORY_FRESH.ephemeral,
        MALLORY_FRESH.kem,
        MALLORY_FRESH.randomness,
        MALLORY_NONCE,
        MALLORY_SHARE,
    }
)
FIRST_EPOCH = {
    "hash": public("hash of epoch 0"),
    "exporter": secret("exporter secret of epoch 0"),
    "offerer": secret("offerer's key of epoch 0"),
    "answerer": secret("answerer's key of epoch 0"),
}
HIGHEST_SEQUENCE = 9


class Opening(StrEnum):
    """Which messages a session exchanges."""

    MEETING = "meeting"
    KNOWN = "known"
    LINK = "link"
    CODE = "code"
    REFRESH = "refresh"


class Stage(StrEnum):
    """What a session waits for."""

    FIRST = "the initiator's first message"
    ANSWER = "the answer to the shares of a code"
    HANDSHAKE = "a message of the handshake"
    CONFIRMATION = "the confirmation"
    SWITCH = "the switch of a refresh"
    OPEN = "a record"
    OVER = "nothing"


@dataclass(frozen=True)
class Hello:
    """The first eight bytes."""

    version: int
    suite: Suite

    @property
    def term(self) -> Term:
        return public(f"hello, version {self.version}, suite {self.suite.number:04x}")


HELLOS = {
    Opening.MEETING: Hello(1, HYBRID_AESGCM),
    Opening.KNOWN: Hello(1, KNOWN_AESGCM),
    Opening.LINK: Hello(1, LINK_AESGCM),
    Opening.CODE: Hello(1, CODE_AESGCM),
    Opening.REFRESH: Hello(1, HYBRID_AESGCM),
}
CLASSICAL = Hello(1, CLASSICAL_AESGCM)
NEXT_VERSION = Hello(2, HYBRID_AESGCM)
"""A version that does not exist, with the same handshake: nothing but the hello tells it."""

Fact = tuple[str, ...] | tuple[str, Term, int]
"""Something that a person's program remembers beyond one session."""


@dataclass(frozen=True)
class Session:
    """One side of one session, as it is between two messages."""

    name: str
    owner: Party
    opening: Opening
    initiator: bool
    expected: Term | None = None
    """The identity that this side insists on."""
    hello: Hello | None = None
    number: int = 1
    """The sequence number of an initiator in *known*."""
    stage: Stage = Stage.FIRST
    side: Side | None = None
    own_share: tuple[Term, ...] = ()
    """In *code*: everything that was sent before message 1."""
    their_commitment: Term | None = None
    hashes: tuple[Term, ...] = ()
    """The handshake hash after each message."""
    peer: Term | None = None
    keys: tuple[Term, Term, Term] | None = None
    """The key that it sends with, the one that it receives with, and the exporter secret."""
    heard: str = ""
    """The session whose record this one took."""

    @property
    def open(self) -> bool:
        return self.stage is Stage.OPEN


@dataclass(frozen=True)
class Step:
    """A message that the intruder delivers, and what comes of it."""

    message: Term
    session: Session
    sent: tuple[Term, ...] = ()
    facts: frozenset[Fact] = frozenset()


def data_of(session: Session) -> Term:
    """What a session says in its first record."""
    return join(public("data of"), public(session.name))


def _confirmation(session: Session) -> Term:
    assert session.side is not None
    return derive(session.side.symmetric.h, session.side.keys()[2], public("confirmation"), 0)


def _proof(code: Term, sid: Term, shares: tuple[Term, ...], agreed: Term) -> Term:
    """CPace's psk."""
    isk = digest(public("CPace ISK"), sid, agreed, *shares)
    return derive(EMPTY, isk, public("e2ee code psk"), 0)


def generator(hello: Hello, sid: Term) -> Term:
    """CPace's base point: nobody knows its logarithm, nor another code's from one code's."""
    return digest(public("CPace generator"), CODE, hello.term, sid)


def epoch_psk() -> Term:
    return derive(FIRST_EPOCH["hash"], FIRST_EPOCH["exporter"], public("e2ee refresh psk"), 0)


@dataclass(frozen=True)
class Rules:
    """What honest programs do, and which messages the intruder tries.

    ``accepted`` -- hellos that the responder takes beside the opening's own.
    ``wide`` -- the intruder also sends keys of the wrong kind, such as a static key for an
    ephemeral one.
    """

    mutations: frozenset[Mutation] = frozenset()
    accepted: tuple[Hello, ...] = ()
    wide: bool = False

    @property
    def _left_out(self) -> frozenset[str]:
        return frozenset(
            Token[each.name].value for each in self.mutations if each.name in Token.__members__
        )

    def _without(self, mutation: Mutation) -> bool:
        return mutation in self.mutations

    # What a session sends first.

    def start(self, session: Session) -> Step:
        """The initiator's first message, or the responder as it waits."""
        if session.opening is Opening.REFRESH:
            return self._start_refresh(session)
        if not session.initiator:
            return Step(EMPTY, session)
        hello = session.hello or HELLOS[session.opening]
        session = replace(session, hello=hello)
        if session.opening is Opening.CODE:
            return self._start_code(session, hello)
        session = self._begin(session, hello, self._prefix(session.opening))
        first, session = self._write(session)
        message = join(hello.term, *self._prefix(session.opening), first)
        return Step(message, replace(session, stage=Stage.HANDSHAKE), (message,))

    def _prefix(self, opening: Opening) -> tuple[Term, ...]:
        if opening is Opening.LINK:
            return (derive(EMPTY, LINK_SECRET, public("e2ee link lookup id"), 0),)
        return ()

    def _begin(self, session: Session, hello: Hello, prefix: tuple[Term, ...]) -> Session:
        psk = None
        if session.opening is Opening.LINK:
            psk = derive(EMPTY, LINK_SECRET, public("e2ee link psk"), 0)
        return self._begin_with(session, hello, prefix, psk)

    def _begin_with(
        self, session: Session, hello: Hello, prefix: tuple[Term, ...], psk: Term | None
    ) -> Session:
        prologue = () if self._without(Mutation.PROLOGUE) else (hello.term,)
        known = session.initiator and session.opening is Opening.KNOWN
        side = begin(
            hello.suite.name,
            initiator=session.initiator,
            prologue=join(*prologue, *prefix),
            fresh=self._fresh(session),
            s=session.owner.device_key,
            rs=next(p.static for p in PARTIES if p.identity is session.expected) if known else None,
            psk=psk,
            left_out=self._left_out,
        )
        return replace(session, side=side)

    def _fresh(self, session: Session) -> Fresh:
        if not session.initiator and self._without(Mutation.REPEATED_EPHEMERAL):
            return session.owner.fresh("always")
        return session.owner.fresh(session.name)

    def _nonce(self, session: Session) -> Term:
        return secret(f"{session.owner.name}'s nonce, {session.name}")

    def _own_payload(self, session: Session) -> Term:
        """Empty where nothing identifies the sender: in message 1 of all but *known*."""
        assert session.side is not None
        if session.opening is Opening.REFRESH:
            return EMPTY
        if session.opening is Opening.KNOWN and session.initiator:
            return own_payload(session.owner, public(str(session.number)))
        if session.side.done == 0:
            return EMPTY
        if session.opening is Opening.CODE:
            return own_payload(session.owner, self._nonce(session))
        return own_payload(session.owner)

    def _write(self, session: Session) -> tuple[Term, Session]:
        assert session.side is not None
        text = self._own_payload(session)
        message, side = session.side.write(text)
        if self._without(Mutation.CLEAR_STATIC) and text is not EMPTY:
            message = join(message, text)
        hashes = (*session.hashes, side.symmetric.h)
        return message, replace(session, side=side, hashes=hashes)

    # What a session does with what it receives.

    def steps(
        self, session: Session, intruder: Knowledge, facts: frozenset[Fact]
    ) -> Iterator[Step]:
        """All that the intruder can make this session take next."""
        match session.stage:
            case Stage.FIRST:
                yield from self._first(session, intruder, facts)
            case Stage.ANSWER:
                yield from self._code_answer(session, intruder)
            case Stage.HANDSHAKE:
                yield from self._handshake(session, intruder, facts)
            case Stage.CONFIRMATION:
                wanted = _confirmation(session)
                if intruder.can_make(wanted):
                    yield self._opened(session, wanted)
            case Stage.SWITCH:
                wanted = seal(FIRST_EPOCH["offerer"], 1, EMPTY, public("switch"))
                if intruder.can_make(wanted):
                    yield self._opened(session, wanted)
            case Stage.OPEN if not session.heard:
                yield from self._record(session, intruder)

    def _first(
        self, session: Session, intruder: Knowledge, facts: frozenset[Fact]
    ) -> Iterator[Step]:
        for hello in (HELLOS[session.opening], *self.accepted):
            greeted = replace(session, hello=hello)
            if session.opening is Opening.CODE:
                yield from self._code_first(greeted, hello, intruder, facts)
                continue
            prefix = self._prefix(session.opening)
            if not all(map(intruder.can_make, prefix)) or ("link used",) in facts:
                continue
            begun = self._begin(greeted, hello, prefix)
            for step in self._handshake(begun, intruder, facts):
                yield replace(step, message=join(hello.term, *prefix, step.message))

    def _handshake(
        self, session: Session, intruder: Knowledge, facts: frozenset[Fact]
    ) -> Iterator[Step]:
        assert session.side is not None
        if session.opening is Opening.REFRESH:
            yield from self._refresh(session, intruder)
            return
        if session.opening is Opening.CODE and session.side.done == 0:
            yield from self._code_message_1(session, intruder, facts)
            return
        for message, text, side in session.side.read(self._intruder(intruder, session)):
            yield from self._took(session, message, text, side, facts)

    def _took(
        self, session: Session, message: Term, text: Term, side: Side, facts: frozenset[Fact]
    ) -> Iterator[Step]:
        """What comes of a message whose tags fit."""
        session = replace(session, side=side, hashes=(*session.hashes, side.symmetric.h))
        news: set[Fact] = set()
        if text is EMPTY:
            if side.rs is not None:
                return
        else:
            peer = self._peer(session, text)
            if peer is None:
                return
            session = replace(session, peer=peer)
            if session.opening is Opening.KNOWN and not session.initiator:
                assert side.rs is not None
                number = int(str(text.parts[3].arguments[0]))
                if not self._admits(session.owner, peer, side.rs, number, facts):
                    return
                news.add((session.owner.name, side.rs, number))
        if session.opening is Opening.LINK and side.finished and not session.initiator:
            if ("link used",) in facts and not self._without(Mutation.LINK_AGAIN):
                return
            news.add(("link used",))
        yield replace(self._answer(session, message), facts=frozenset(news))

    def _answer(self, session: Session, message: Term) -> Step:
        assert session.side is not None
        sent: tuple[Term, ...] = ()
        if session.side.writes:
            written, session = self._write(session)
            sent = (written,)
        if session.side is None or not session.side.finished:
            return Step(message, replace(session, stage=Stage.HANDSHAKE), sent)
        confirms = session.opening is not Opening.MEETING
        if session.opening is Opening.KNOWN and self._without(Mutation.CONFIRMATION):
            confirms = False
        if confirms and session.initiator != (session.opening is Opening.KNOWN):
            return Step(message, replace(session, stage=Stage.CONFIRMATION), sent)
        opened = self._opened(session, message)
        sent += opened.sent
        return replace(opened, sent=(*sent, _confirmation(session)) if confirms else sent)

    def _opened(self, session: Session, message: Term) -> Step:
        assert session.side is not None
        first, second, exporter = session.side.keys()
        if self._without(Mutation.ONE_KEY):
            second = first
        keys = (first, second) if session.side.initiator else (second, first)
        session = replace(session, stage=Stage.OPEN, keys=(*keys, exporter))
        return Step(message, session, (seal(keys[0], 0, EMPTY, data_of(session)),))

    def _record(self, session: Session, intruder: Knowledge) -> Iterator[Step]:
        assert session.keys is not None
        key = session.keys[1]
        for each in intruder.terms:
            if each.symbol == "seal" and each.arguments[:3] == (key, 0, EMPTY):
                said = each.parts[2].parts[1]
                yield Step(each, replace(session, heard=str(said.arguments[0])))
        if intruder.can_make(key):
            forged = seal(key, 0, EMPTY, join(public("data of"), public("Mallory")))
            yield Step(forged, replace(session, heard="Mallory"))

    # Who it is.

    def _peer(self, session: Session, text: Term) -> Term | None:
        """The identity in a payload, if the receiver's checks of section 5 let it through."""
        assert session.side is not None
        if text.symbol != "join" or len(text.parts) != 4:
            return None
        identity, static, signed, extra = text.parts
        checks = {
            Mutation.SIGNATURE: is_signed(identity, static, signed),
            Mutation.STATIC_KEY: static is session.side.rs,
            Mutation.OWN_KEY: static is not session.owner.static,
            Mutation.EXPECTED_PEER: session.expected in {None, identity},
            Mutation.COMMITMENT: session.opening is not Opening.CODE
            or commitment(identity, extra) is session.their_commitment,
        }
        return (
            identity if all(good or self._without(each) for each, good in checks.items()) else None
        )

    def _admits(
        self, owner: Party, peer: Term, static: Term, number: int, facts: frozenset[Fact]
    ) -> bool:
        if peer is not ALICE.identity and not self._without(Mutation.CONTACT):
            return False
        return self._without(Mutation.SEQUENCE) or not any(
            len(fact) == 3 and fact[:2] == (owner.name, static) and int(fact[2]) >= number
            for fact in facts
        )

    # What the intruder tries.

    def _intruder(self, intruder: Knowledge, session: Session) -> Supply:
        def supply(kind: str, symmetric: Symmetric, side: Side) -> Iterable[Term]:
            possible = dict.fromkeys(self._candidates(kind, side, session, intruder))
            candidates = [each for each in possible if intruder.can_make(each)]
            if kind == Token.E or symmetric.key is None:
                return candidates
            place = (symmetric.key, symmetric.nonce, symmetric.h)
            fields = [
                each
                for each in intruder.terms
                if each.symbol == "seal" and each.arguments[:3] == place
            ]
            if intruder.can_make(symmetric.key) and intruder.can_make(symmetric.h):
                fields += [seal(*place, each) for each in candidates]
            return dict.fromkeys(fields)

        return supply

    def _points(self, intruder: Knowledge) -> list[Term]:
        return [
            each
            for each in sorted(intruder.terms, key=lambda each: each.serial)
            if each.symbol == "point" and (self.wide or len(each.parts) == 2)
        ]

    def _candidates(
        self, kind: str, side: Side, session: Session, intruder: Knowledge
    ) -> Iterable[Term]:
        statics = [party.static for party in PARTIES]
        match kind:
            case Token.E:
                points = [public_point(MALLORY_FRESH.ephemeral), *self._points(intruder)]
                return [each for each in points if self.wide or each not in statics]
            case Token.S:
                return [*statics, *self._points(intruder)] if self.wide else statics
            case Token.E1:
                known = [each for each in intruder.terms if each.symbol == "kem key"]
                return [kem_key(MALLORY_FRESH.kem), *known]
            case Token.EKEM1:
                known = [each for each in intruder.terms if each.symbol == "encapsulation"]
                own = encapsulation(kem_key(side.fresh.kem), MALLORY_FRESH.randomness)
                return [own, *known]
        return self._payloads(side, session, intruder)

    def _payloads(self, side: Side, session: Session, intruder: Knowledge) -> Iterable[Term]:
        if side.rs is None or session.opening is Opening.REFRESH:
            return [EMPTY]
        said = known_certificates(frozenset(intruder.terms))
        for party in PARTIES:
            if intruder.can_make(party.identity_key):
                said.append(certified(party.identity_key, side.rs))
                said.append(certified(party.identity_key, party.static))
            if self._without(Mutation.SIGNATURE):
                said.append(unsigned(party.identity, side.rs))
        extras = [NOTHING]
        if session.opening is Opening.KNOWN and not session.initiator:
            extras = [public("1"), public(str(HIGHEST_SEQUENCE))]
        elif session.opening is Opening.CODE:
            extras = [MALLORY_NONCE]
        return [payload(*each, extra) for each in said for extra in extras]

    # Code: CPace, then the handshake.

    def _start_code(self, session: Session, hello: Hello) -> Step:
        sid, own = secret(f"sid, {session.name}"), self._share(session)
        flight = (
            hello.term,
            sid,
            power(generator(hello, sid), own),
            commitment(session.owner.identity, self._nonce(session)),
        )
        message = join(*flight)
        return Step(message, replace(session, stage=Stage.ANSWER, own_share=flight), (message,))

    def _share(self, session: Session) -> Term:
        return secret(f"{session.owner.name}'s share, {session.name}")

    def _code_first(
        self, session: Session, hello: Hello, intruder: Knowledge, facts: frozenset[Fact]
    ) -> Iterator[Step]:
        if self._code_is_gone(facts):
            return
        heard = [
            each.parts[1:]
            for each in intruder.terms
            if each.symbol == "join" and each.parts[0] is hello.term and len(each.parts) == 4
        ]
        sid = public("Mallory's sid")
        promise = commitment(MALLORY.identity, MALLORY_NONCE)
        heard += [
            (sid, power(base, MALLORY_SHARE), promise)
            for base in (generator(hello, sid), BASE)
            if intruder.can_make(base)
        ]
        flights = [
            (each[0], share, promised)
            for each in heard
            for share in (each[1], public_point(MALLORY_SHARE))
            for promised in (each[2], promise)
        ]
        for sid_, share, theirs in dict.fromkeys(flights):
            own = self._share(session)
            answer = (
                power(generator(hello, sid_), own),
                commitment(session.owner.identity, self._nonce(session)),
            )
            flight = (hello.term, sid_, share, theirs, hello.term, *answer)
            yield Step(
                join(hello.term, sid_, share, theirs),
                self._with_code(session, hello, flight, theirs, power(share, own)),
                (join(hello.term, *answer),),
            )

    def _with_code(
        self, session: Session, hello: Hello, flight: tuple[Term, ...], theirs: Term, agreed: Term
    ) -> Session:
        psk = _proof(CODE, flight[1], (flight[2], flight[3], *flight[5:]), agreed)
        if self._without(Mutation.NO_PAKE):
            psk = derive(EMPTY, CODE, public("e2ee code psk"), 0)
        session = replace(session, their_commitment=theirs, own_share=flight, stage=Stage.HANDSHAKE)
        return self._begin_with(session, hello, flight[1:], psk)

    def _code_answer(self, session: Session, intruder: Knowledge) -> Iterator[Step]:
        assert session.hello is not None
        hello, flight = session.hello, session.own_share
        answers = [
            each.parts[1:]
            for each in intruder.terms
            if each.symbol == "join" and each.parts[0] is hello.term and len(each.parts) == 3
        ]
        promise = commitment(MALLORY.identity, MALLORY_NONCE)
        answers += [
            (power(base, MALLORY_SHARE), promise)
            for base in (generator(hello, flight[1]), BASE)
            if intruder.can_make(base)
        ]
        answers += [(share, promise) for share, _ in answers]
        for share, theirs in dict.fromkeys(answers):
            if share is flight[2]:
                continue
            everything = (*flight, hello.term, share, theirs)
            agreed = power(share, self._share(session))
            begun = self._with_code(session, hello, everything, theirs, agreed)
            first, begun = self._write(begun)
            yield Step(join(hello.term, share, theirs), begun, (first,))

    def _code_is_gone(self, facts: frozenset[Fact]) -> bool:
        return ("code taken",) in facts or (
            ("code burned",) in facts and not self._without(Mutation.GUESS_AGAIN)
        )

    def _code_message_1(
        self, session: Session, intruder: Knowledge, facts: frozenset[Fact]
    ) -> Iterator[Step]:
        if self._code_is_gone(facts):
            return
        assert session.side is not None
        tried = ("try", session.name)
        for message, text, side in session.side.read(self._intruder(intruder, session)):
            for step in self._took(session, message, text, side, facts):
                yield replace(step, facts=step.facts | {("code taken",), tried})
        burned = frozenset({("code burned",), tried})
        yield Step(public("a wrong message 1"), replace(session, stage=Stage.OVER), (), burned)

    # Refresh: a handshake inside the records of the epoch before.

    def _start_refresh(self, session: Session) -> Step:
        side = begin(
            HYBRID_AESGCM.refresh_name,
            initiator=session.initiator,
            prologue=join(public("e2ee refresh"), FIRST_EPOCH["hash"]),
            fresh=self._fresh(session),
            psk=epoch_psk(),
            left_out=self._left_out,
        )
        peer = (BOB if session.owner is ALICE else ALICE).identity
        session = replace(
            session, side=side, stage=Stage.HANDSHAKE, peer=peer, hello=HELLOS[Opening.REFRESH]
        )
        if not session.initiator:
            return Step(EMPTY, session)
        message, session = self._write(session)
        offer = seal(FIRST_EPOCH["offerer"], 0, EMPTY, message)
        return Step(offer, session, (offer,))

    def _refresh(self, session: Session, intruder: Knowledge) -> Iterator[Step]:
        assert session.side is not None
        key = FIRST_EPOCH["answerer" if session.initiator else "offerer"]
        supplies = [
            _exactly(each.parts[2])
            for each in intruder.terms
            if each.symbol == "seal" and each.arguments[:3] == (key, 0, EMPTY)
        ]
        if intruder.can_make(key):
            supplies.append(self._intruder(intruder, session))
        seen = set()
        for supply in supplies:
            for message, _, side in session.side.read(supply):
                if message in seen:
                    continue
                seen.add(message)
                record = seal(key, 0, EMPTY, message)
                yield self._refreshed(session, record, side)

    def _refreshed(self, session: Session, record: Term, side: Side) -> Step:
        session = replace(session, side=side, hashes=(*session.hashes, side.symmetric.h))
        if session.initiator:
            opened = self._opened(session, record)
            switch = seal(FIRST_EPOCH["offerer"], 1, EMPTY, public("switch"))
            return replace(opened, sent=(switch, *opened.sent))
        written, session = self._write(session)
        answer = seal(FIRST_EPOCH["answerer"], 0, EMPTY, written)
        return Step(record, replace(session, stage=Stage.SWITCH), (answer,))


def _exactly(message: Term) -> Supply:
    fields = iter(message.parts)

    def supply(_kind: str, _symmetric: Symmetric, _side: Side) -> Iterable[Term]:
        return [next(fields)]

    return supply
