"""End-to-end encryption for your program: a protocol core without I/O, and thin transports.

Start with Session; everything else here is what it takes or gives.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from e2ee.errors import E2EEError, IdentityFileError, ProtocolError, TransportError, UsageError

if TYPE_CHECKING:
    from e2ee.certificate import Peer
    from e2ee.events import Closed, Event, HandshakeCompleted, KeysRefreshed, MessageReceived
    from e2ee.identity import Identity
    from e2ee.limits import Limits
    from e2ee.record import Padding
    from e2ee.session import Session
    from e2ee.states import State
    from e2ee.suites import CLASSICAL_AESGCM, HYBRID_AESGCM, HYBRID_CHACHAPOLY, Approach, Suite

__all__ = [
    "CLASSICAL_AESGCM",
    "HYBRID_AESGCM",
    "HYBRID_CHACHAPOLY",
    "Approach",
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


def _check_that_nobody_else_is_here() -> None:
    """A distribution of the name ``e2ee`` is another project's, with an import of the same name.

    Where both are installed one has overwritten files of the other, and takes them along when it
    goes. Raises ImportError.
    """
    folder = os.path.dirname(os.path.dirname(__file__))
    try:
        beside = os.listdir(folder)
    except OSError:  # A package in an archive, beside which nothing can be installed.
        return
    if any(name.startswith("e2ee-") and name.endswith(".dist-info") for name in beside):
        raise ImportError(
            f"in {folder} there are e2ee-session and another project's package, called e2ee, which "
            "overwrite each other: uninstall both, then install e2ee-session"
        )


_check_that_nobody_else_is_here()

_MODULES = {
    "certificate": ["Peer"],
    "events": ["Closed", "Event", "HandshakeCompleted", "KeysRefreshed", "MessageReceived"],
    "identity": ["Identity"],
    "limits": ["Limits"],
    "record": ["Padding"],
    "session": ["Session"],
    "states": ["State"],
    "suites": ["CLASSICAL_AESGCM", "HYBRID_AESGCM", "HYBRID_CHACHAPOLY", "Approach", "Suite"],
}
"""Imported when they are asked for: a program that needs the errors only, to begin with, starts in
a fraction of the time."""


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"e2ee.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
