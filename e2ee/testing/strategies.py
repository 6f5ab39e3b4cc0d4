"""Hypothesis strategies: the protocol's messages, what sessions tell, and chunks of a stream."""

from __future__ import annotations

import string
from itertools import pairwise

from e2ee.certificate import Peer
from e2ee.events import Closed, Event, HandshakeCompleted, KeysRefreshed, MessageReceived
from e2ee.identity import Identity
from e2ee.limits import MAX_CONTENT_LENGTH, MAX_KNOWN_TIME
from e2ee.messages import (
    MAX_CERTIFICATE_LENGTH,
    MAX_CLAIMED_NAME,
    MAX_PURPOSES,
    MAX_REFRESH_MESSAGE,
    MAX_WORD_LENGTH,
    Certificate,
    Close,
    CodePayload,
    Control,
    End,
    HandshakePayload,
    Hello,
    KeyUpdate,
    KnownChat,
    KnownPayload,
    Leave,
    Name,
    Ping,
    Pong,
    Receipt,
    RefreshAnswer,
    RefreshOffer,
    RefreshSwitch,
    Resume,
    Stream,
    Text,
    Written,
)
from e2ee.suites import SUITES
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

try:
    from hypothesis import strategies as st
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "e2ee.testing.strategies needs hypothesis: install e2ee-session[testing]"
    ) from None

SearchStrategy = st.SearchStrategy

_keys = st.binary(min_size=32, max_size=32)
_counts = st.integers(0, MAX_KNOWN_TIME)
_numbers = st.integers(1, MAX_KNOWN_TIME)
_signatures = st.binary(min_size=64, max_size=64)
_certificates = st.binary(max_size=MAX_CERTIFICATE_LENGTH)
_noise_messages = st.binary(min_size=1, max_size=MAX_REFRESH_MESSAGE)
_words = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_lowercase),
    st.text(string.ascii_lowercase + string.digits + "_.-", max_size=MAX_WORD_LENGTH - 1),
)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=1000)
"""Text that has an encoding."""


# What the protocol says. SPEC.md sections 5, 9 and 11.


def certificates() -> SearchStrategy[Certificate]:
    """In form only: nobody has signed them."""
    return st.builds(
        Certificate,
        identity=_keys,
        static_key=_keys,
        not_before=_counts,
        not_after=_counts,
    )


def handshake_payloads() -> SearchStrategy[HandshakePayload]:
    """Of each kind, in form only: their signatures are wrong."""
    signed = {"certificate": _certificates, "signature": _signatures}
    return st.one_of(
        st.builds(HandshakePayload, **signed),
        st.builds(KnownPayload, **signed, sequence=_counts),
        st.builds(CodePayload, **signed, nonce=_keys),
    )


def control_messages() -> SearchStrategy[Control]:
    return st.one_of(
        *map(st.just, [Close(), KeyUpdate(), RefreshSwitch(), Ping(), Pong()]),
        st.builds(RefreshOffer, message=_noise_messages),
        st.builds(RefreshAnswer, message=_noise_messages),
    )


def chat_messages() -> SearchStrategy[KnownChat]:
    """Of each kind that this version knows."""
    return st.one_of(
        *map(st.just, [End(), Written()]),
        st.builds(Hello, purposes=st.lists(_words, min_size=1, max_size=MAX_PURPOSES).map(tuple)),
        st.builds(Stream, id=st.binary(min_size=16, max_size=16), first=_numbers),
        st.builds(Resume, received=_counts),
        st.builds(Text, id=_numbers, body=_texts),
        st.builds(Receipt, id=_numbers),
        st.builds(Leave, reason=_words),
        st.builds(Name, name=_texts.filter(bool).map(lambda text: text[:MAX_CLAIMED_NAME])),
    )


# What an application sends and is told.


def application_messages() -> SearchStrategy[bytes]:
    """What ``Session.send`` takes: mostly short, at times around the ends of one record, or two."""
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
        st.tuples(_counts, _counts),
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
    """These bytes in pieces, none of them empty, as a stream may give them."""
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
    return st.sampled_from(Side)
