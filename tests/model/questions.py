"""What is asked of the model: each claim about each opening, and who takes part."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tests.model import claims
from tests.model.claims import Hidden
from tests.model.mutation import Mutation
from tests.model.openings import (
    CLASSICAL,
    CODE,
    FIRST_EPOCH,
    LINK_SECRET,
    MALLORYS,
    NEXT_VERSION,
    Hello,
    Opening,
    Rules,
    Session,
)
from tests.model.parties import ALICE, BOB, MALLORY, Party
from tests.model.search import State, explore
from tests.model.terms import Term

CERTIFICATES = frozenset({ALICE.certificate(), BOB.certificate()})
STRANGER = MALLORYS | {MALLORY.certificate()}
"""An intruder who has met nobody."""
ACQUAINTANCE = STRANGER | CERTIFICATES
"""One who has met both, and so knows their ids, device keys and certificates."""


# Who takes part.


def caller(
    opening: Opening, number: int = 1, *, by: Party = ALICE, to: Party | None = BOB
) -> Session:
    """An initiator. In *code* nobody knows beforehand whom to expect."""
    expected = None if opening is Opening.CODE or to is None else to.identity
    name = f"{by.name}'s call {number}"
    return Session(name, by, opening, True, expected=expected, number=number)


def answerer(opening: Opening, number: int = 1, *, by: Party = BOB) -> Session:
    return Session(f"{by.name}'s answer {number}", by, opening, False)


def pair(opening: Opening) -> tuple[Session, ...]:
    return caller(opening), answerer(opening)


def crowd(opening: Opening, *, large: bool) -> tuple[Session, ...]:
    """Two who call and two who answer; in *meeting* and *known* the second call is to Mallory. One
    call less in *code* and, if it is ``large``, one more in *meeting*, to anybody, and *known*."""
    sessions = [caller(opening), caller(opening, 2), answerer(opening), answerer(opening, 2)]
    if opening is Opening.CODE and not large:
        del sessions[1]
    if opening in {Opening.MEETING, Opening.KNOWN}:
        sessions[1] = caller(opening, 2, to=MALLORY)
        if large:
            to = BOB if opening is Opening.KNOWN else None
            sessions.append(caller(opening, 3, to=to))
    return tuple(sessions)


def both_ways(opening: Opening) -> tuple[Session, ...]:
    """Alice and Bob call each other at once."""
    return (
        caller(opening),
        answerer(opening),
        caller(opening, by=BOB, to=ALICE),
        answerer(opening, by=ALICE),
    )


@dataclass(frozen=True)
class Question:
    """One claim about one opening. ``holds`` is what SPEC.md says of it."""

    name: str
    opening: Opening
    sessions: tuple[Session, ...]
    claim: Callable[[State], str | None]
    holds: bool = True
    knows: frozenset[Term] = ACQUAINTANCE
    accepted: tuple[Hello, ...] = ()
    passive: bool = False
    logarithms: bool = False
    lattices: bool = False

    @property
    def title(self) -> str:
        return f"{self.opening.value}: {self.name}"

    @property
    def search(self) -> tuple[object, ...]:
        """Questions that are alike in this are answered by one search."""
        return (
            self.sessions,
            self.knows,
            self.accepted,
            self.passive,
            self.logarithms,
            self.lattices,
        )


@dataclass(frozen=True)
class Answer:
    """``attack``: the steps to a state where the claim is wrong, and what is wrong there; None if
    there is none in all the ``states`` that can be reached."""

    question: Question
    states: int
    attack: tuple[str, ...] | None

    @property
    def expected(self) -> bool:
        return self.question.holds == (self.attack is None)

    def __str__(self) -> str:
        if self.attack is None:
            return f"{self.question.title}: no attack in {self.states:,} states"
        if self.question.claim is claims.never_open:
            return f"{self.question.title}: both sides end open, with the same keys"
        return f"{self.question.title}: attack found, of {len(self.attack) - 1} steps"


def ask(
    asked: Iterable[Question], mutation: Mutation | None = None, *, wide: bool = False
) -> list[Answer]:
    """The answers, in the same order; with ``mutation`` of a model that lacks this protection."""
    alike: dict[tuple[object, ...], list[Question]] = {}
    asked = list(asked)
    for question in asked:
        alike.setdefault(question.search, []).append(question)
    answers = {}
    for several in alike.values():
        one = several[0]
        outcome = explore(
            Rules(frozenset() if mutation is None else frozenset({mutation}), one.accepted, wide),
            one.sessions,
            one.knows,
            {question.title: question.claim for question in several},
            passive=one.passive,
            logarithms=one.logarithms,
            lattices=one.lattices,
        )
        for question in several:
            attack = outcome.attacks.get(question.title)
            answers[question.title] = Answer(question, outcome.states, attack)
    return [answers[question.title] for question in asked]


def _with(*keys: Term) -> frozenset[Term]:
    return ACQUAINTANCE | set(keys)


OPENINGS = (Opening.MEETING, Opening.KNOWN, Opening.LINK, Opening.CODE)


def _of_all(opening: Opening, *, large: bool) -> list[Question]:
    """What every opening promises, by WireGuard's names for it."""
    few, many = pair(opening), crowd(opening, large=large)
    return [
        Question("correctness", opening, few, claims.never_open, holds=False, passive=True),
        Question("agreement and authenticity", opening, many, claims.authentic),
        Question("unknown key share", opening, many, claims.same_view),
        Question("session uniqueness", opening, many, claims.unique),
        Question("key secrecy", opening, many, claims.secret_keys),
        Question("forward secrecy", opening, many, claims.forward_secret),
        Question("records come from the peer", opening, many, claims.records_from_peer),
        Question("hybrid: secret while X25519 holds", opening, few, claims.secret_without_kem),
        Question(
            "hybrid: recorded now, X25519 broken later", opening, few, claims.secret_from_recording
        ),
        Question(
            "hybrid: both, and the secret shared before, broken later",
            opening,
            few,
            claims.secret_without_anything,
            holds=False,
        ),
        Question(
            "authentic while X25519 holds, ML-KEM broken now",
            opening,
            few,
            claims.authentic,
            lattices=True,
        ),
    ]


def questions(*, large: bool = False) -> list[Question]:
    """All of them, with what SPEC.md promises and, as ``holds=False``, what it does not."""
    meeting, known, link, code, refresh = Opening
    asked = [question for opening in OPENINGS for question in _of_all(opening, large=large)]
    for opening in (meeting, known):
        for name, stolen, claim in (
            (
                "key-compromise impersonation, the caller's device key",
                ALICE,
                claims.authentic_but_for_alice,
            ),
            (
                "key-compromise impersonation, the answerer's device key",
                BOB,
                claims.authentic_but_for_bob,
            ),
        ):
            asked.append(
                Question(name, opening, pair(opening), claim, knows=_with(stolen.device_key))
            )
        asked += [
            Question(
                "agreement when both call at once", opening, both_ways(opening), claims.authentic
            ),
            Question(
                "whoever has Alice's device key poses as Alice",
                opening,
                pair(opening),
                claims.authentic,
                holds=False,
                knows=_with(ALICE.device_key),
            ),
            Question(
                "whoever has Alice's identity key poses as Alice",
                opening,
                pair(opening),
                claims.authentic,
                holds=False,
                knows=_with(ALICE.identity_key),
            ),
            Question(
                "whoever breaks X25519 during the opening poses as Alice",
                opening,
                pair(opening),
                claims.authentic,
                holds=False,
                logarithms=True,
            ),
        ]
    asked += [
        Question(
            "no session with oneself",
            meeting,
            (caller(meeting, to=None), answerer(meeting, by=ALICE)),
            claims.not_oneself,
        ),
        Question(
            "no downgrade to the classical suite",
            meeting,
            pair(meeting),
            claims.same_view,
            accepted=(CLASSICAL,),
        ),
        Question(
            "no downgrade: agreement on version and suite",
            meeting,
            (caller(meeting), replace(caller(meeting, 2), hello=NEXT_VERSION), answerer(meeting)),
            claims.authentic,
            accepted=(CLASSICAL, NEXT_VERSION),
        ),
        Question(
            "identity hiding, both, from a passive observer",
            meeting,
            pair(meeting),
            Hidden(
                (
                    ALICE,
                    BOB,
                )
            ),
            knows=STRANGER,
            passive=True,
        ),
        Question(
            "identity hiding, both, recorded now, X25519 broken later",
            meeting,
            pair(meeting),
            Hidden(
                (
                    ALICE,
                    BOB,
                ),
                logarithms=True,
            ),
            knows=STRANGER,
            passive=True,
        ),
        Question(
            "identity hiding, the caller, from whoever was not called",
            meeting,
            pair(meeting),
            Hidden((ALICE,)),
            knows=STRANGER,
        ),
        Question(
            "identity hiding, the answerer, from whoever calls",
            meeting,
            pair(meeting),
            Hidden((BOB,)),
            holds=False,
            knows=STRANGER,
        ),
    ]
    for opening in (known, link, code):
        asked.append(
            Question(
                "identity hiding, both, from an active stranger",
                opening,
                pair(opening),
                Hidden(
                    (
                        ALICE,
                        BOB,
                    )
                ),
                knows=STRANGER,
            )
        )
    harvest = Hidden(
        (
            ALICE,
            BOB,
        ),
        logarithms=True,
    )
    asked += [
        Question(
            "the caller is known when X25519 is broken later, from Bob's device key",
            known,
            pair(known),
            Hidden((ALICE,), logarithms=True),
            holds=False,
            knows=STRANGER | {BOB.static},
            passive=True,
        ),
        Question(
            "identity hiding, recorded now, X25519 broken later, Bob's device key unknown",
            known,
            pair(known),
            harvest,
            knows=STRANGER,
            passive=True,
        ),
        Question(
            "identity hiding, recorded now, X25519 broken later",
            link,
            pair(link),
            harvest,
            knows=STRANGER,
            passive=True,
        ),
        Question(
            "identity hiding, recorded now, X25519 broken later",
            code,
            pair(code),
            harvest,
            knows=STRANGER,
            passive=True,
        ),
        Question(
            "whoever has Bob's device key reads the caller's certificate",
            known,
            pair(known),
            Hidden((ALICE,)),
            holds=False,
            knows=STRANGER | {BOB.device_key},
            passive=True,
        ),
        Question(
            "message 1 is not answered twice", known, crowd(known, large=large), claims.one_answer
        ),
        Question(
            "no number is stored in Alice's name that she did not send",
            known,
            crowd(known, large=large),
            claims.no_answer_for_alice,
        ),
        Question(
            "whoever has Bob's device key has a number stored in Alice's name",
            known,
            crowd(known, large=large),
            claims.no_answer_for_alice,
            holds=False,
            knows=_with(BOB.device_key),
        ),
        Question(
            "nobody but contacts", known, crowd(known, large=large), claims.invited_contacts_only
        ),
        Question(
            "nobody comes in without the link", link, crowd(link, large=large), claims.invited_only
        ),
        Question("a link is good for one", link, crowd(link, large=large), claims.link_once),
        Question(
            "whoever has the link comes in",
            link,
            pair(link),
            claims.invited_only,
            holds=False,
            knows=_with(LINK_SECRET),
        ),
        Question(
            "whoever has the link cannot pose as Bob",
            link,
            pair(link),
            claims.authentic,
            knows=_with(LINK_SECRET),
        ),
        Question(
            "nobody comes in without the code", code, crowd(code, large=large), claims.invited_only
        ),
        Question("a code is tried once", code, crowd(code, large=large), claims.one_guess),
        Question("no guessing from what was recorded", code, pair(code), claims.no_guessing_later),
        Question(
            "no guessing from what was recorded, X25519 broken later",
            code,
            pair(code),
            claims.no_guessing_later,
            holds=False,
            passive=True,
            logarithms=True,
        ),
        Question(
            "whoever guesses right at once comes in",
            code,
            pair(code),
            claims.invited_only,
            holds=False,
            knows=_with(CODE),
        ),
    ]
    state = frozenset(FIRST_EPOCH.values())
    keys = frozenset({FIRST_EPOCH["offerer"], FIRST_EPOCH["answerer"]})
    two = pair(refresh)
    asked += [
        Question("correctness", refresh, two, claims.never_open, holds=False, passive=True),
        Question("agreement and authenticity", refresh, two, claims.authentic),
        Question("key secrecy", refresh, two, claims.secret_keys),
        Question(
            "healing after theft of the state, passive thief",
            refresh,
            two,
            claims.secret_keys,
            knows=ACQUAINTANCE | state,
            passive=True,
        ),
        Question(
            "healing, X25519 broken later",
            refresh,
            two,
            claims.healed_from_recording,
            knows=ACQUAINTANCE | state,
            passive=True,
        ),
        Question(
            "healing, ML-KEM broken",
            refresh,
            two,
            claims.secret_keys,
            knows=ACQUAINTANCE | state,
            passive=True,
            lattices=True,
        ),
        Question(
            "healing, both broken",
            refresh,
            two,
            claims.secret_without_both,
            holds=False,
            knows=ACQUAINTANCE | state,
            passive=True,
        ),
        Question(
            "a thief of the state who alters the refresh stays in",
            refresh,
            two,
            claims.secret_keys,
            holds=False,
            knows=ACQUAINTANCE | state,
        ),
        Question(
            "a thief of the record keys alone who alters the refresh is thrown out",
            refresh,
            two,
            claims.authentic,
            knows=ACQUAINTANCE | keys,
        ),
    ]
    return asked
