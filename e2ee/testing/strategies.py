"""Hypothesis strategies for programs that embed e2ee: what a session is given, and what it tells.

SPEC.md section 10.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from e2ee.certificate import Peer
from e2ee.events import Closed, Event, HandshakeCompleted, KeysRefreshed, MessageReceived
from e2ee.identity import Identity
from e2ee.limits import MAX_CONTENT_LENGTH, MAX_KNOWN_TIME
from e2ee.suites import SUITES
from e2ee.testing._hypothesis import st
from e2ee.testing.attacker import (
    Action,
    Side,
    cut,
    drop,
    duplicate,
    flip,
    insert,
    splice,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_keys = st.binary(min_size=32, max_size=32)
_times = st.integers(0, MAX_KNOWN_TIME)


# What an application sends and is told.


def application_messages() -> SearchStrategy[bytes]:
    """What ``Session.send`` takes: mostly up to 100 bytes, at times about one record, or two."""
    near_the_end = st.integers(-8, 8)
    long = st.builds(
        lambda records, more: bytes(records * MAX_CONTENT_LENGTH + more),
        st.sampled_from([1, 2]),
        near_the_end,
    )
    return st.one_of(st.binary(max_size=100), st.binary(max_size=100), long)


def identities() -> SearchStrategy[Identity]:
    """Each with its own keys. The device's key is random, whatever hypothesis has drawn."""
    return st.builds(Identity.from_seed, _keys)


def peers() -> SearchStrategy[Peer]:
    """As a session tells them: with an id and words, and a certificate that is valid at times."""
    return st.builds(
        lambda identity, static_key, times: Peer(identity.public_key, static_key, *sorted(times)),
        identities(),
        _keys,
        st.tuples(_times, _times),
    )


def events() -> SearchStrategy[Event]:
    """Any event that a session tells, one by one."""
    return st.one_of(
        st.builds(HandshakeCompleted, peers(), st.sampled_from(list(SUITES.values())), _keys),
        st.builds(MessageReceived, application_messages()),
        *map(st.just, [KeysRefreshed(), Closed()]),
    )


# What a stream does, and who is at it.


def chunkings(data: bytes) -> SearchStrategy[list[bytes]]:
    """These bytes in pieces of one byte or more, as a stream may give them."""
    places = st.lists(st.integers(1, max(1, len(data) - 1)), max_size=20, unique=True)
    return places.map(
        lambda inner: [
            data[start:end]
            for start, end in pairwise(sorted({0, len(data)} | {p for p in inner if p < len(data)}))
        ]
    )


def actions() -> SearchStrategy[Action]:
    """What an attacker may do to a piece, for ``Script.at``: each of them changes what arrives."""
    return st.one_of(
        *map(st.just, [drop, duplicate, cut]),
        st.builds(flip, st.integers(0, 63)),
        st.builds(insert, st.binary(min_size=1, max_size=8), st.integers(0, 8)),
        st.builds(splice, st.binary(min_size=1, max_size=100)),
    )


def sides() -> SearchStrategy[Side]:
    """The initiator or the responder."""
    return st.sampled_from(Side)
