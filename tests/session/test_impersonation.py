"""Mallory in the place of one of the two, in every opening, with whatever keys she can have.

Each opening asks for the peer's identity here. Where a first meeting does not, she is seen as whom
she is: ``test_attacks.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import settings

from e2ee import HYBRID_AESGCM, ProtocolError, Session, Suite
from e2ee.suites import CODE_AESGCM, KNOWN_AESGCM, LINK_AESGCM

from .people import Acquaintance, Keys, mallory

ROWS = {Keys.OWN: 1, Keys.CERTIFICATE: 4, Keys.STOLEN: 5}


def talk(victim: Session, attacker: Session) -> None:
    """Until one of them has no more to say, or gives up."""
    with suppress(ProtocolError):
        for _ in range(6):
            attacker.receive_data(victim.data_to_send())
            assert victim.receive_data(attacker.data_to_send()) == []


@pytest.mark.parametrize(
    "keys",
    [pytest.param(keys, marks=pytest.mark.attack(ROWS[keys]), id=keys.name) for keys in Keys],
)
@pytest.mark.parametrize("side", [0, 1], ids=["Alice", "Bob"])
@pytest.mark.parametrize(
    "suite",
    [HYBRID_AESGCM, KNOWN_AESGCM, LINK_AESGCM, CODE_AESGCM],
    ids=lambda suite: suite.approach.value,
)
def test_nobody_is_taken_for_somebody_else(
    suite: Suite, side: int, keys: Keys, figure: Callable[[str], None]
) -> None:
    runs = settings().max_examples // 4 * (5 if keys is Keys.STOLEN else 1)
    for _ in range(runs):
        acquaintance = Acquaintance(suite)
        victim = acquaintance.new_sessions()[side]
        talk(victim, mallory(side, keys, acquaintance))
        assert victim.peer is None
    victim_name, posing = ("Alice", "Bob") if side == 0 else ("Bob", "Alice")
    figure(
        f"impersonation, {suite.approach.value}, with {keys.value}: 0 of {runs:,} runs pass for "
        f"{posing} with {victim_name}"
    )
