"""Hypothesis strategies for the protocol's messages, as models: SPEC.md sections 5, 9.5 and 11.

For tests of e2ee itself and of other implementations; the models are internal.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from e2ee.limits import MAX_KNOWN_TIME
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
from e2ee.testing._hypothesis import st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

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
    """Of each kind; the Noise messages of refreshes are in form only."""
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
