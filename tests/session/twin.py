"""A copy of a running session, so that a test can try many things from one place.

Sessions refuse to be copied, because two that send would repeat nonces. A test that only lets
copies *receive* has no such worry, and saves a handshake for each thing that it tries.
"""

from __future__ import annotations

from typing import Any, TypeVar

from e2ee import Identity, Session
from e2ee._uncopyable import Uncopyable
from e2ee.code_offer import CodeOffer
from e2ee.handshake import CipherState, Handshake
from e2ee.handshake.symmetric_state import SymmetricState
from e2ee.opening import Accepted, Opening
from e2ee.pake import CPace
from e2ee.record import RecordLayer
from e2ee.record.framing import MessageReader, RecordReader
from e2ee.record.outbox import Outbox
from e2ee.record.refresh import Refresh

CHANGING = (
    Session,
    Opening,
    Handshake,
    SymmetricState,
    CipherState,
    RecordLayer,
    Refresh,
    RecordReader,
    MessageReader,
    Outbox,
    CPace,
)
"""What a session is made of and changes as it runs; all else in it stays as it is, and is shared:
keys, identities, limits."""
OF_THE_APPLICATION = (Identity, CodeOffer, Accepted)
"""One for many sessions, and so for twins. A spoken code that one of them takes is taken."""

S = TypeVar("S", bound=Session)


def twin(session: S) -> S:
    """Another session in the same state; what is done with one leaves the other as it was."""
    copy: S = _copied(session, {})
    return copy


def _copied(value: Any, copies: dict[int, Any]) -> Any:
    kind = type(value)
    if kind is bytearray:
        return value.copy()
    if kind is list:
        return [_copied(item, copies) for item in value]
    if kind not in _slots:
        _slots[kind] = _slots_of(kind)
    names = _slots[kind]
    if names is None:
        return value
    if id(value) not in copies:
        copies[id(value)] = copy = object.__new__(kind)
        for name in names + tuple(getattr(value, "__dict__", ())):
            try:
                field = getattr(value, name)
            except AttributeError:
                continue  # Not set yet, or deleted.
            if _slots.get(type(field), ()) is not None:  # Most are shared: this saves the call.
                field = _copied(field, copies)
            setattr(copy, name, field)
    return copies[id(value)]


_slots: dict[type, tuple[str, ...] | None] = {}
"""The names of the slots of what changes; None for what is shared."""


def _slots_of(kind: type) -> tuple[str, ...] | None:
    if issubclass(kind, CHANGING):
        return tuple(name for base in kind.__mro__ for name in getattr(base, "__slots__", ()))
    assert not issubclass(kind, Uncopyable) or kind in OF_THE_APPLICATION, f"{kind} may change too"
    return None
