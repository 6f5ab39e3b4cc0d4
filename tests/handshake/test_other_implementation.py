"""Live handshakes with the independent implementations ``noiseprotocol`` and ``dissononce``."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2ee.errors import ProtocolError
from e2ee.handshake import PATTERNS, Handshake, Protocol, Token, parse_protocol_name
from e2ee.handshake.cipher_state import MAX_MESSAGE_LENGTH, MAX_PLAINTEXT_LENGTH
from e2ee.primitives import CIPHERS, HASHES

from .other_implementations import OTHERS, Given, Other, knows

pytestmark = [
    pytest.mark.filterwarnings("ignore::e2ee.handshake.KnownAnswerWarning"),
    pytest.mark.filterwarnings("ignore:One of ephemeral keypairs is already set:UserWarning"),
]

SUITES = list(product(("25519", "448"), CIPHERS, HASHES))
MODIFIERS = ("", "psk0", "psk1", "psk2", "psk3", "psk0+psk2", "psk1+psk3", "psk0+psk1+psk2+psk3")


def fits(pattern: str, modifiers: str) -> bool:
    return not modifiers or int(modifiers[-1]) <= len(PATTERNS[pattern].messages)


NAMES = [p + m for p, m in product(PATTERNS, MODIFIERS) if fits(p, m)]
"""Every one-way, fundamental and deferred pattern, with psk in each kind of place."""


def both_given(
    protocol: Protocol,
    *,
    prologue: bytes,
    statics: tuple[bytes, bytes],
    ephemerals: tuple[bytes, bytes] | None = None,
    psks: list[bytes],
) -> tuple[Given, Given]:
    """What the initiator knows, and what the responder does."""
    public = [protocol.dh.load_private(key).public_key().public_bytes_raw() for key in statics]
    pattern = protocol.pattern
    knows_other = (
        Token.S in pattern.responder_pre_message,
        Token.S in pattern.initiator_pre_message,
    )
    one, two = (
        Given(
            protocol.name,
            initiator=side == 0,
            prologue=prologue,
            s=statics[side],
            rs=public[1 - side] if knows_other[side] else None,
            e=None if ephemerals is None else ephemerals[side],
            psks=psks,
        )
        for side in (0, 1)
    )
    return one, two


def ours(given: Given) -> Handshake:
    return Handshake(
        given.name,
        initiator=given.initiator,
        prologue=given.prologue,
        s=given.s,
        rs=given.rs,
        e=given.e,
        psks=given.psks,
    )


# Each draws its own ephemeral key.


def talk(other: type[Other], name: str, *, we_begin: bool) -> None:
    protocol = parse_protocol_name(name)
    pattern = protocol.pattern
    givens = both_given(
        protocol,
        prologue=b"the same on both sides",
        statics=(os.urandom(protocol.dh.length), os.urandom(protocol.dh.length)),
        psks=[os.urandom(32) for message in pattern.messages for t in message if t is Token.PSK],
    )
    we = ours(givens[0 if we_begin else 1])
    they = other(givens[1 if we_begin else 0])
    for number in range(len(pattern.messages)):
        payload = os.urandom(number * 40)
        if we_begin == (number % 2 == 0):
            assert they.read(we.write_message(payload)) == payload
        else:
            assert we.read_message(they.write(payload)) == payload
    assert we.finished
    assert we.handshake_hash == they.handshake_hash

    send, receive = we.split()
    for number in range(6):
        text = os.urandom(number * 100)
        if number == 4 and other.can_rekey and not pattern.one_way:
            send.rekey()
            receive.rekey()
            they.rekey()
        if we_begin or not pattern.one_way:
            assert they.decrypt(send.encrypt_with_ad(b"", text)) == text
        if not we_begin or not pattern.one_way:
            assert receive.decrypt_with_ad(b"", they.encrypt(text)) == text


@pytest.mark.parametrize("we_begin", [True, False], ids=["we begin", "they begin"])
@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.project)
def test_we_understand_each_other_in_every_pattern_and_suite_that_both_know(
    other: type[Other], we_begin: bool, figure: Callable[[str], None]
) -> None:
    suites = cycle(SUITES)
    known = [pattern for pattern in NAMES if knows(other, pattern)]
    assert len(known) > len(SUITES)
    # Each pattern with the next suite.
    for pattern, suite in zip(known, suites, strict=False):
        talk(other, "_".join(("Noise", pattern, *suite)), we_begin=we_begin)
    who = "we" if we_begin else "they"
    figure(f"{other.project}: {len(known)} live handshakes where {who} begin")


# All keys fixed: then both must write the very same bytes, and refuse at the very same message.


@dataclass(frozen=True)
class Case:
    """One handshake. ``change`` is a message's number, how it is changed, and where."""

    name: str
    seed: int
    prologue_length: int
    lengths: list[int]
    change: tuple[int, str, int] | None


CHANGES: dict[str, Callable[[bytes, int], bytes]] = {
    "a bit flipped": lambda data, at: (
        data[: at // 8 % len(data)]
        + bytes([data[at // 8 % len(data)] ^ 1 << at % 8])
        + data[at // 8 % len(data) + 1 :]
    ),
    "cut off": lambda data, at: data[: at % len(data)],
    "a byte added": lambda data, at: data + bytes([at % 256]),
}

lengths = st.integers(0, 200) | st.integers(0, 70_000)
"""Of payloads; what is too long for its message becomes the longest that fits."""


def cases(other: type[Other]) -> st.SearchStrategy[Case]:
    return st.builds(
        Case,
        name=st.builds(
            lambda pattern, suite: "_".join(("Noise", pattern, *suite)),
            st.sampled_from([pattern for pattern in NAMES if knows(other, pattern)]),
            st.sampled_from(SUITES),
        ),
        seed=st.integers(0, 2**64 - 1),
        prologue_length=lengths,
        lengths=st.lists(lengths, min_size=4, max_size=4),
        change=st.none()
        | st.tuples(st.integers(0, 3), st.sampled_from(sorted(CHANGES)), st.integers(0, 2**19)),
    )


def compare(other: type[Other], case: Case) -> str:
    """Our two sides beside their two sides; returns how it ended for all four."""
    protocol = parse_protocol_name(case.name)
    pattern = protocol.pattern
    source = random.Random(case.seed)
    keys = [source.randbytes(protocol.dh.length) for _ in range(4)]
    givens = both_given(
        protocol,
        prologue=source.randbytes(case.prologue_length),
        statics=(keys[0], keys[1]),
        ephemerals=(keys[2], keys[3]),
        psks=[source.randbytes(32) for message in pattern.messages for t in message if t == "psk"],
    )
    we, they = [ours(given) for given in givens], [other(given) for given in givens]
    for number, length in zip(range(len(pattern.messages)), case.lengths, strict=False):
        writer, reader = number % 2, 1 - number % 2
        # With room for a byte: the others read what is above the limit, where nothing is sealed.
        longest = MAX_MESSAGE_LENGTH - 1 - we[writer].next_message_length(0)
        payload = source.randbytes(min(length, longest))
        message = we[writer].write_message(payload)
        assert message == they[writer].write(payload)
        if case.change is not None and case.change[0] % len(pattern.messages) == number:
            message = CHANGES[case.change[1]](message, case.change[2])
        read: list[bytes] = []
        with suppress(ProtocolError):
            read.append(we[reader].read_message(message))
        # Its errors are of any type, such as those of cryptography.
        with suppress(Exception):
            read.append(they[reader].read(message))
        if not read:
            assert case.change is not None, "an honest message was refused"
            return "refused by both"
        assert len(read) == 2, "only one of the two refuses"
        assert read[0] == read[1]
        assert case.change is not None or read[0] == payload
    assert case.change is None, "a change was noticed by nobody"
    assert {side.handshake_hash for side in (*we, *they)} == {we[0].handshake_hash}

    for turn, length in enumerate(case.lengths[:2] * 2):
        if turn == 2 and other.can_rekey and not pattern.one_way:
            for side in (0, 1):
                they[side].rekey()
                for cipher in we[side].split():
                    cipher.rekey()
        writer = 0 if pattern.one_way else turn % 2
        text = source.randbytes(min(length, MAX_PLAINTEXT_LENGTH))
        sealed = we[writer].split()[0].encrypt_with_ad(b"", text)
        assert sealed == they[writer].encrypt(text)
        assert we[1 - writer].split()[1].decrypt_with_ad(b"", sealed) == text
        assert they[1 - writer].decrypt(sealed) == text
    return "equal to the last byte"


@pytest.mark.hypothesis
@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.project)
def test_with_the_same_keys_we_write_the_same_bytes_and_refuse_the_same_changes(
    other: type[Other], figure: Callable[[str], None]
) -> None:
    ended: Counter[str] = Counter()

    @settings(
        max_examples=settings().max_examples * 4,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(cases(other))
    def both_do_the_same(case: Case) -> None:
        ended[compare(other, case)] += 1

    both_do_the_same()
    assert len(ended) == 2
    figure(
        f"{other.project}: {2 * ended.total():,} random handshakes in either role, "
        + ", ".join(f"{2 * count:,} {how}" for how, count in sorted(ended.items()))
    )
