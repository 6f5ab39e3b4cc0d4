"""Keys of low order in every place where an opening multiplies one: they would make a secret that
everybody knows. RFC 7748, section 6.1; SPEC.md, section 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from e2ee import CLASSICAL_AESGCM, HYBRID_AESGCM, Identity, Session, State
from e2ee.certificate import sign_certificate
from e2ee.errors import InvalidPublicKey, WrongCode
from e2ee.handshake import Token
from e2ee.messages import Certificate
from e2ee.opening import KnownDevice, Opening
from e2ee.primitives import Dh
from e2ee.suites import CODE_AESGCM, KNOWN_AESGCM, LINK_AESGCM, Suite

from .impostor import Impostor
from .low_order import LOW_ORDER_X25519
from .people import ALICE, BOB_ID, PEOPLE, Acquaintance

Figure = Callable[[str], None]

SUITES = (HYBRID_AESGCM, CLASSICAL_AESGCM, KNOWN_AESGCM, LINK_AESGCM, CODE_AESGCM)
MIXED_WITH = {
    (0, Token.E): (Token.EE, Token.ES),
    (0, Token.S): (Token.SE, Token.SS),
    (1, Token.E): (Token.EE, Token.SE),
    (1, Token.S): (Token.ES, Token.SS),
}
"""Which secrets a key of this side goes into."""


def certified(person: Identity, static_key: bytes) -> Identity:
    """This person, who certifies a device key that nobody can have."""
    certificate = Certificate(
        identity=person.public_key, static_key=static_key, not_before=0, not_after=2**50
    )
    identity = Identity.generate()
    object.__setattr__(identity, "_identity_key", person._identity_key)
    object.__setattr__(identity, "_payload", sign_certificate(person._identity_key, certificate))
    return identity


@contextmanager
def cheating(side: int, place: Token, key: bytes) -> Iterator[None]:
    """Whoever opens (0) or answers (1) shows ``key``, and computes as if every product were 0."""
    honest = Opening._begin_handshake

    def begin(opening: Opening, psk: bytes | None, remote_static: bytes | None = None) -> None:
        if opening.initiator != (side == 0):
            honest(opening, psk, remote_static)
            return
        opening.handshake = cheat = Impostor(
            opening.suite.name,
            initiator=side == 0,
            prologue=opening._prologue,
            s=opening._identity.device_key,
            rs=remote_static,
            psks=() if psk is None else (psk,),
        )
        cheat.guesses = dict.fromkeys(MIXED_WITH[side, place], bytes(32))
        if place is Token.E:
            cheat.claimed_ephemeral = key
        else:
            cheat.claimed = key
            opening._identity = certified(PEOPLE[side], key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Opening, "_begin_handshake", begin)
        yield


def open_with(suite: Suite, side: int, place: Token, key: bytes) -> tuple[Session, Session]:
    with cheating(side, place, key):
        sessions = Acquaintance(suite).new_sessions()
        turn = 0
        while data := sessions[turn].data_to_send():
            turn = 1 - turn
            sessions[turn].receive_data(data)
    return sessions


def places(suite: Suite) -> list[tuple[int, Token]]:
    """A responder's static key that is known beforehand is not sent."""
    known = suite is KNOWN_AESGCM
    return [
        (side, token) for side, token in MIXED_WITH if not (known and (side, token) == (1, Token.S))
    ]


every_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: f"{suite.number:#06x}")


@pytest.mark.attack(8)
@every_suite
def test_a_key_of_low_order_is_refused_in_every_place_of_every_opening(
    suite: Suite, figure: Figure
) -> None:
    refusals = (InvalidPublicKey, WrongCode) if suite is CODE_AESGCM else InvalidPublicKey
    for side, place in places(suite):
        for key in LOW_ORDER_X25519:
            with pytest.raises(refusals):
                open_with(suite, side, place, key)
    count = len(places(suite)) * len(LOW_ORDER_X25519)
    figure(f"low order, {suite.approach.value}, {suite.name}: {count} of {count} openings refused")


@pytest.mark.attack(8)
def test_a_device_key_of_low_order_is_never_called(figure: Figure) -> None:
    for key in LOW_ORDER_X25519:
        with pytest.raises(InvalidPublicKey):
            Session.initiator(ALICE, device=KnownDevice(key, 1), expected_peer=BOB_ID)
    figure(f"low order: {len(LOW_ORDER_X25519)} of {len(LOW_ORDER_X25519)} device keys not called")


def unchecked(_dh: Dh, private: X25519PrivateKey, public: X25519PublicKey) -> bytes:
    try:
        return private.exchange(public)
    except ValueError:
        return bytes(32)


@every_suite
def test_without_the_check_each_of_these_openings_would_succeed(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dh, "exchange", unchecked)
    for side, place in places(suite):
        sessions = open_with(suite, side, place, LOW_ORDER_X25519[0])
        assert [session.state for session in sessions] == [State.OPEN, State.OPEN]
