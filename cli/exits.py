"""Exit codes of the program, and the line that each error gets."""

from __future__ import annotations

import signal
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from e2ee.errors import (
    AddressInUse,
    BlockedPeer,
    CertificateError,
    ConnectFailed,
    ConversationBusy,
    E2EEError,
    FileError,
    IdentityLocked,
    InvalidId,
    InvalidInvitation,
    InvitationRefused,
    MessageTooLarge,
    NameRefused,
    NoSuchContact,
    NotTrustedEnough,
    OverLimit,
    OwnIdentity,
    ProtocolError,
    TransportError,
    TrustRefused,
    UnexpectedPeer,
    UsageError,
    WrongPassphrase,
)

from .ways import way


class Exit(IntEnum):
    """README.md has this table."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    NO_CONTACT = 3
    NETWORK = 4
    TRUST = 5
    NOT_CONFIRMED = 6
    INVITATION = 7
    IN_USE = 8
    OVER_LIMIT = 9
    FILES = 10
    HANGUP = 129
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


class CliError(Exception):
    """An error of the command line itself, with its exit code."""

    def __init__(self, message: str, code: Exit, **fields: object) -> None:
        """``fields`` -- what ``--json`` shows beside the message."""
        super().__init__(message)
        self.code = code
        self.fields = fields


STOPPED = {
    signal.SIGHUP: CliError("stopped: the terminal was closed", Exit.HANGUP),
    signal.SIGINT: CliError("stopped by Ctrl-C", Exit.INTERRUPTED),
    signal.SIGTERM: CliError("stopped by SIGTERM", Exit.TERMINATED),
}
"""What each signal that ends the program is told as."""

_CODES: tuple[tuple[type[Exception], Exit], ...] = (
    (InvalidId, Exit.USAGE),
    (NameRefused, Exit.USAGE),
    (NoSuchContact, Exit.NO_CONTACT),
    (InvalidInvitation, Exit.INVITATION),
    (InvitationRefused, Exit.INVITATION),
    (OverLimit, Exit.OVER_LIMIT),
    (TrustRefused, Exit.TRUST),
    (IdentityLocked, Exit.IN_USE),
    (WrongPassphrase, Exit.IN_USE),
    (ConversationBusy, Exit.IN_USE),
    (FileError, Exit.FILES),
    (AddressInUse, Exit.IN_USE),
    (MessageTooLarge, Exit.OVER_LIMIT),
    (CertificateError, Exit.TRUST),
    (UnexpectedPeer, Exit.TRUST),
    (TransportError, Exit.NETWORK),
    (ProtocolError, Exit.NETWORK),
    (UsageError, Exit.USAGE),
    (BrokenPipeError, Exit.BROKEN_PIPE),
    (OSError, Exit.FILES),
)
"""The first that fits counts."""


def _to_be_trusted(error: NotTrustedEnough) -> str:
    from e2ee.contacts import Grade  # noqa: PLC0415 -- most calls need none of it

    if error.grade is Grade.NEW:
        return f"meet by an invitation: {way('invite')}"
    return f"to verify them: {way('contact', 'verify', error.peer.id)}"


_ADVICE: tuple[tuple[type[Exception], Callable[[Any], str]], ...] = (
    (
        OwnIdentity,
        lambda _: "to try both ends on one machine, start one of them with another E2EE_HOME",
    ),
    (ConnectFailed, lambda _: "is this the address that was printed there?"),
    (AddressInUse, lambda _: "choose another with --port, or --port 0 for any free one"),
    (
        UnexpectedPeer,
        lambda _: (
            "nothing was sent to them; if their identity is new, ask for their `e2ee id` again"
        ),
    ),
    (NotTrustedEnough, _to_be_trusted),
    (NoSuchContact, lambda _: f"see: {way('contact', 'list')}"),
    (
        BlockedPeer,
        lambda error: f"to allow them again: {way('contact', 'unblock', error.contact.name)}",
    ),
)


def exit_code(error: Exception) -> Exit:
    if isinstance(error, CliError):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.INTERNAL)


def describe(error: Exception) -> str:
    """One line for a person. Only errors of ours carry text that is fit to be shown."""
    if isinstance(error, BrokenPipeError):
        return "nobody reads the output any more"
    if isinstance(error, OSError) and error.strerror:
        return f"the system refuses: {error.strerror}"
    if not isinstance(error, E2EEError | CliError):
        return f"something went wrong inside the program ({type(error).__name__}); please report it"
    advice = next((advise for kind, advise in _ADVICE if isinstance(error, kind)), None)
    return f"{error}; {advice(error)}" if advice else str(error)
