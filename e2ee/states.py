"""The states of a session. SPEC.md section 10 has the table of what each allows."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Where a session stands; see ``Session.state``."""

    HANDSHAKE = "handshake"
    """Nothing can be sent yet, and nobody is authenticated."""
    OPEN = "open"
    """Messages go both ways."""
    CLOSING = "closing"
    """Our close is sent; the peer's messages still come, until its close."""
    CLOSED = "closed"
    """Both sides have closed: finished, with nothing missing."""
    FAILED = "failed"
    """Dead for good, or discarded; every call raises the error that ended it."""
