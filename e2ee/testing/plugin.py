"""Fixtures that pytest finds wherever e2ee is installed; a test that asks for none pays nothing.

So each imports what it needs when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2ee.identity import Identity
    from e2ee.testing.pair import Pair


@pytest.fixture
def e2ee_identities(request: pytest.FixtureRequest) -> tuple[Identity, Identity]:
    """Two new identities."""
    from e2ee.identity import Identity

    _fix_keys_if_asked(request)
    return Identity.generate(), Identity.generate()


@pytest.fixture
def e2ee_pair(e2ee_identities: tuple[Identity, Identity]) -> Pair:
    """Sessions of ``e2ee_identities`` that have had their handshake, as a ``Pair``."""
    from e2ee.session import Session
    from e2ee.testing.pair import Pair

    alice, bob = e2ee_identities
    pair = Pair(
        (
            Session.initiator(alice, expected_peer=bob.id),
            Session.responder(bob, expected_peer=alice.id),
        )
    )
    pair.deliver()
    return pair


@pytest.fixture
def e2ee_fixed_keys(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keys that follow from the name of the test, in all of it."""
    from e2ee.testing.fixed_keys import fixed_keys

    with fixed_keys(request.node.name):
        yield


@pytest.fixture
def e2ee_nothing_unsent() -> Iterator[None]:
    """Fails the test if a session that it made has something left to send."""
    from e2ee.testing.unsent import nothing_unsent

    with nothing_unsent():
        yield


def _fix_keys_if_asked(request: pytest.FixtureRequest) -> None:
    """In whichever order a test names its fixtures."""
    if e2ee_fixed_keys.__name__ in request.fixturenames:
        request.getfixturevalue(e2ee_fixed_keys.__name__)
