"""End-to-end encryption for your program: a protocol core without I/O, and thin transports.

Start with Session; everything else here is what it takes or gives.
"""

from e2ee.certificate import Peer
from e2ee.errors import E2EEError, IdentityFileError, ProtocolError, TransportError, UsageError
from e2ee.events import Closed, Event, HandshakeCompleted, KeysRefreshed, MessageReceived
from e2ee.identity import Identity
from e2ee.limits import Limits
from e2ee.record import Padding
from e2ee.session import Session
from e2ee.states import State
from e2ee.suites import CLASSICAL_AESGCM, HYBRID_AESGCM, HYBRID_CHACHAPOLY, Suite

__all__ = [
    "CLASSICAL_AESGCM",
    "HYBRID_AESGCM",
    "HYBRID_CHACHAPOLY",
    "Closed",
    "E2EEError",
    "Event",
    "HandshakeCompleted",
    "Identity",
    "IdentityFileError",
    "KeysRefreshed",
    "Limits",
    "MessageReceived",
    "Padding",
    "Peer",
    "ProtocolError",
    "Session",
    "State",
    "Suite",
    "TransportError",
    "UsageError",
]
