"""Alice, who opens; Bob, who answers; and Mallory, who takes the place of either.

One of each for all sessions of a process: identities are made to be used again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from e2ee import Identity, Limits, Padding, Peer, Session, Suite
from e2ee.code_offer import CodeOffer
from e2ee.handshake import Token
from e2ee.invitation import Link, SpokenCode
from e2ee.opening import Accepted, KnownDevice, Opening
from e2ee.suites import MEETING_SUITES, Approach

from .impostor import Impostor

ALICE, BOB, MALLORY = (Identity.generate() for _ in range(3))
PEOPLE = (ALICE, BOB)
"""By side: 0 opens, 1 answers."""
ALICE_ID, BOB_ID = ALICE.id, BOB.id

CODE = SpokenCode(4, ["acrobat", "velcro", "sugar"])
WRONG_CODE = SpokenCode(4, ["acrobat", "velcro", "tiger"])


def static_key(identity: Identity) -> bytes:
    return identity.device_key.public_key().public_bytes_raw()


def new_link() -> Link:
    return Link(BOB.public_key, secrets.token_bytes(32), 2**40, [("localhost", 1)])


class PendingLink:
    """One link, good once."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.pending = True

    def psk(self, lookup_id: bytes) -> bytes | None:
        return self.link.psk if self.pending and lookup_id == self.link.lookup_id else None

    def take(self, _lookup_id: bytes) -> bool:
        taken, self.pending = self.pending, False
        return taken


class GuessedLink:
    """What Mallory has of a link: nothing."""

    def psk(self, _lookup_id: bytes) -> bytes:
        return bytes(32)

    def take(self, _lookup_id: bytes) -> bool:
        return True


@dataclass
class Acquaintance:
    """How the two open their sessions, and what Bob keeps from one to the next."""

    suite: Suite
    limits: tuple[Limits, Limits] = (Limits(), Limits())
    padding: Padding = Padding.NONE
    expected: tuple[bool, bool] = (True, True)
    """Whether this side asks for the other's id. Who calls or has a link always does."""
    last_call: int = field(default=0, init=False)
    """The highest number that Bob has admitted."""

    def admit(self, peer: Peer, sequence: int) -> bool:
        admitted = peer.identity_key == ALICE.public_key and sequence > self.last_call
        if admitted:
            self.last_call = sequence
        return admitted

    def new_sessions(self) -> tuple[Session, Session]:
        """Alice's and Bob's ends of a new connection."""
        ids = [BOB_ID if self.expected[0] else None, ALICE_ID if self.expected[1] else None]
        alice = partial(Session.initiator, ALICE, limits=self.limits[0], padding=self.padding)
        bob = partial(
            Session.responder,
            BOB,
            limits=self.limits[1],
            padding=self.padding,
            expected_peer=ids[1],
        )
        match self.suite.approach:
            case Approach.MEETING:
                return (
                    alice(suite=self.suite, expected_peer=ids[0]),
                    bob(suites=[self.suite]),
                )
            case Approach.KNOWN:
                device = KnownDevice(static_key(BOB), self.last_call + 1)
                return (
                    alice(device=device, expected_peer=BOB_ID),
                    bob(suites=(), admit=self.admit),
                )
            case Approach.LINK:
                link = new_link()
                return alice(invitation=link), bob(suites=(), links=PendingLink(link))
            case Approach.CODE:
                return (
                    alice(invitation=CODE, expected_peer=ids[0]),
                    bob(suites=(), code=CodeOffer(CODE)),
                )


class Keys(Enum):
    """What Mallory poses with, to one of the two, as the other."""

    OWN = "her own keys and certificate"
    CERTIFICATE = "her own keys, and the certificate of whom she poses as"
    STOLEN = "the stolen device key of whom she deceives"


def posing_as(person: Identity) -> Identity:
    """Mallory's keys with this person's certificate, which is no secret from who has met them."""
    identity = Identity.generate()
    object.__setattr__(identity, "device_key", MALLORY.device_key)
    object.__setattr__(identity, "_payload", person._payload)
    return identity


POSING = tuple(map(posing_as, PEOPLE))


class ThiefsOpening(Opening):
    """That of a thief who has the victim's device key, and shows the peer's as the own."""

    def _begin_handshake(self, psk: bytes | None, remote_static: bytes | None = None) -> None:
        posing, victim = PEOPLE if self.initiator else (BOB, ALICE)
        self.handshake = thief = Impostor(
            self.suite.name,
            initiator=self.initiator,
            prologue=self._prologue,
            s=self._identity.device_key,
            rs=remote_static,
            psks=() if psk is None else (psk,),
        )
        thief.claimed = static_key(posing)
        thief.guesses = {
            Token.SS: victim.device_key.exchange(posing.device_key.public_key()),
            Token.SE if self.initiator else Token.ES: bytes(32),
        }


def mallory(victim: int, keys: Keys, acquaintance: Acquaintance) -> Session:
    """Mallory's session, in the place of the one that side ``victim`` wants to talk to."""
    identity = MALLORY if keys is Keys.OWN else POSING[1 - victim]
    kind = ThiefsOpening if keys is Keys.STOLEN else Opening
    approach = acquaintance.suite.approach
    if victim == 0:
        accepted = Accepted(
            MEETING_SUITES, lambda _peer, _number: True, GuessedLink(), CodeOffer(WRONG_CODE)
        )
        opening = kind.respond(identity, accepted, expected_peer=None, now=None)
    else:
        device = KnownDevice(static_key(BOB), acquaintance.last_call + 1)
        invitations: dict[Approach, Link | SpokenCode] = {
            Approach.LINK: new_link(),
            Approach.CODE: WRONG_CODE,
        }
        opening = kind.initiate(
            identity,
            acquaintance.suite,
            expected_peer=None,
            now=None,
            device=device if approach is Approach.KNOWN else None,
            invitation=invitations.get(approach),
        )
    return Session(opening, Limits(), Padding.NONE)
