"""What a session tells. Small objects, made only of what has been authenticated. SPEC.md 10."""

from __future__ import annotations

from dataclasses import dataclass

from e2ee.certificate import Peer
from e2ee.suites import Suite


@dataclass(frozen=True, slots=True)
class HandshakeCompleted:
    """The channel is authenticated to ``peer``; messages can be sent from here on.

    ``suite`` is the one that both took. ``handshake_hash`` (32 bytes) is equal on both sides, and
    different in every session.
    """

    peer: Peer
    suite: Suite
    handshake_hash: bytes


@dataclass(slots=True, unsafe_hash=True)  # Frozen ones take three times as long to make.
class MessageReceived:
    """One whole application message, as the peer sent it: ``data``, of 0 bytes up to the limit."""

    data: bytes


@dataclass(frozen=True, slots=True)
class KeysRefreshed:
    """A fresh key agreement has completed: what was stolen before it opens nothing after it."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer closed the session on purpose; nothing is missing, and nothing more will come."""


Event = HandshakeCompleted | MessageReceived | KeysRefreshed | Closed
"""What ``Session.receive_data`` tells of."""
