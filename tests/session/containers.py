"""Everything in a session that holds bytes or grows, each with the most that it may hold.

A session is searched for containers by reflection, so that a new one without a cap is found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator
from enum import Enum
from functools import cache
from typing import Any, cast

from e2ee import Identity, Limits, Session
from e2ee.code_offer import CodeOffer
from e2ee.limits import HANDSHAKE_PAYLOAD_LENGTH, MAX_CONTENT_LENGTH, MAX_RECORD_LENGTH
from e2ee.record.outbox import BLOCK_LENGTH
from e2ee.session import MAX_BUFFER_LENGTH

KEM_LENGTH = 1184
"""Bytes of an ML-KEM-768 public key, the longest single thing in a handshake."""
LONGEST_MESSAGE = 32 + KEM_LENGTH + 32 + 3 * 16 + HANDSHAKE_PAYLOAD_LENGTH
"""Bytes of message 1 of *known*, of which every other opening's messages are shorter."""
LONGEST_PROLOGUE = 8 + 16 + 2 + 32 + 32 + 8 + 32 + 32
"""Bytes of a code's."""

OF_THE_APPLICATION = (Identity, CodeOffer)
"""One for many sessions; none of them makes it larger."""

BYTES = (bytes, bytearray, memoryview, str)
ITEMS = (list, tuple, dict, set, frozenset)

CAPS: dict[tuple[str, str], int] = {
    ("Session", "_exporter_secret"): 32,
    ("Session", "_handshake_hash"): 32,
    ("Session", "_buffer"): MAX_BUFFER_LENGTH,
    ("Session", "_one_at_a_time"): 1,
    ("Session", "_unsent"): LONGEST_PROLOGUE + LONGEST_MESSAGE,
    ("Opening", "_buffer"): LONGEST_MESSAGE,
    ("Opening", "_commitment"): 32,
    ("Opening", "_expected_peer"): 32,
    ("Opening", "_hello"): 8,
    ("Opening", "_lookup_id"): 16,
    ("Opening", "_nonce"): 32,
    ("Opening", "_out"): LONGEST_PROLOGUE + LONGEST_MESSAGE,
    ("Opening", "_own_words"): 32,
    ("Opening", "_prologue"): LONGEST_PROLOGUE,
    ("Opening", "_steps"): 4,
    ("Opening", "refusal"): 8,
    ("CPace", "_ad"): 32,
    ("CPace", "_sid"): 16,
    ("CPace", "share"): 32,
    ("Handshake", "_kem_public"): KEM_LENGTH,
    ("Handshake", "_psks"): 32,
    ("SymmetricState", "chaining_key"): 32,
    ("SymmetricState", "handshake_hash"): 32,
    ("RecordReader", "_partial"): 2 + MAX_RECORD_LENGTH - 1,
    ("MessageReader", "_prefix"): 3,
    ("Outbox", "_block"): BLOCK_LENGTH,
    ("RecordLayer", "_refresh_at"): 2,
    ("RecordLayer", "_update_at"): 2,
    ("Refresh", "_prologue"): 16 + 32,
    ("Refresh", "_psk"): 32,
    ("RecordLayer", "_pending"): MAX_CONTENT_LENGTH - 1,
}
"""Bytes, or items, of each container that holds the same in every session, by class and name."""

BY_LIMITS = ("MessageReader", "_partial")
"""Less than a message of the largest size that the session's limits allow."""
BY_OWN_CALLS = ("Outbox", "_pieces")
"""What the own application has queued and not taken, with one answer of ours to the peer."""
ANSWER = 4096
"""Bytes: an answer or an offer, a key update, a close and a pong of ours."""


def size(value: object) -> int:
    """Bytes; items of anything else that holds items; bytes of all of a list of bytes."""
    if isinstance(value, list) and value and isinstance(value[0], BYTES):
        return sum(len(part) for part in value)
    assert isinstance(value, (*BYTES, *ITEMS))
    return len(value)


@cache
def slots(kind: Hashable) -> tuple[str, ...]:
    return tuple(
        name for base in cast(type, kind).__mro__ for name in getattr(base, "__slots__", ())
    )


def attributes(thing: Any) -> Iterator[tuple[str, Any]]:
    for name in slots(kind_of(thing)):
        yield name, getattr(thing, name, None)
    yield from getattr(thing, "__dict__", {}).items()


def kind_of(thing: object) -> Hashable:
    """Its class; mypy takes a class for no key of a cache."""
    return cast(Hashable, type(thing))


@cache
def is_state(kind: Hashable) -> bool:
    """Whether it is a class of ours whose objects change while a session runs."""
    assert isinstance(kind, type)
    return (
        kind.__module__.startswith("e2ee.")
        and not issubclass(kind, Enum)
        and not dataclasses.is_dataclass(kind)
        and kind not in OF_THE_APPLICATION
    )


def containers(session: Session) -> Iterator[tuple[tuple[str, str], Any]]:
    """Each with the class and the name by which its cap is found."""
    waiting: list[Any] = [session]
    while waiting:
        thing = waiting.pop()
        for name, value in attributes(thing):
            if isinstance(value, (*BYTES, *ITEMS)):
                yield (type(thing).__name__, name), value
                if isinstance(value, list | tuple):
                    waiting += [item for item in value if is_state(kind_of(item))]
            elif is_state(kind_of(value)):
                waiting.append(value)


def assert_within_caps(session: Session, limits: Limits, untaken: int) -> None:
    """``untaken`` -- bytes of records that the application has queued and not taken."""
    for place, value in containers(session):
        if place == BY_LIMITS:
            cap = max(limits.max_message_size - 1, 0)
        elif place == BY_OWN_CALLS:
            cap = untaken + ANSWER
        else:
            assert place in CAPS, f"{place} is a container without a cap"
            cap = CAPS[place]
        assert size(value) <= cap, f"{place} holds {size(value)}, above its cap of {cap}"
