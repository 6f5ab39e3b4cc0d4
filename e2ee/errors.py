"""What can go wrong, and whose fault it is::

    E2EEError
    ├── ProtocolError        the peer, or somebody between, broke the protocol; the object is dead
    ├── UsageError           you called something that cannot be done; nothing changed
    ├── TrustRefused         the peer is authenticated, but not one to talk to
    ├── FileError            a file on this machine cannot be used: an identity, the contacts, the
    │                        conversations
    ├── TransportError       the stream below failed or took too long
    └── NoRandomNumbers      the system gives none

After a ProtocolError the object that raised it drops its keys and raises the same error at
every further call. SPEC.md section 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2ee.certificate import Peer
    from e2ee.contacts import Contact, Grade
    from e2ee.events import Event


class E2EEError(Exception):
    """The root of every error that this package raises on purpose."""


class ProtocolError(E2EEError):
    """The peer, or somebody between, broke the protocol. The object that raised it is dead.

    ``events`` holds what ``Session.receive_data`` had already decoded, and authenticated, from
    the same bytes before the fault: deliver them, then give the session up.
    """

    events: tuple[Event, ...] = ()


class NotE2EE(ProtocolError):
    """The first bytes are not this protocol's: the other end speaks something else."""


class UnsupportedVersion(ProtocolError):
    """The two ends have no protocol version in common."""


class UnsupportedSuite(ProtocolError):
    """The responder does not accept the suite that the initiator announced."""


class DecryptionError(ProtocolError):
    """An authentication tag did not match. One text for every cause, so that it tells nothing."""

    def __init__(self) -> None:
        super().__init__("decryption failed: the data was changed, or the keys differ")


class InvalidPublicKey(ProtocolError):
    """A public key from the peer is malformed or of low order."""


class InvalidLength(ProtocolError):
    """A message is shorter or longer than its place in the protocol allows."""


class CertificateError(ProtocolError):
    """The peer's device certificate is malformed, forged, for another key or out of date."""


class UnexpectedPeer(ProtocolError):
    """The channel is authenticated, but to somebody else than you asked for.

    ``peer`` is who they are, where they have proved it.
    """

    def __init__(self, message: str, peer: Peer | None = None) -> None:
        super().__init__(message)
        self.peer = peer


class OwnIdentity(UnexpectedPeer):
    """The peer proved our own device key: a reflection, or somebody who calls themselves."""


class NotAdmitted(ProtocolError):
    """Whoever called as a contact is none, or is blocked, or the call is a replay of an old one."""


class InvitationRefused(ProtocolError):
    """An invitation was not taken: it is unknown there, used, revoked or expired."""


class WrongCode(InvitationRefused):
    """A spoken code did not fit: mistyped, or guessed by somebody else. It is burned.

    To who joins with a code, also everything else that fails after their one try has begun.
    """


class MalformedMessage(ProtocolError):
    """Authenticated bytes from the peer are not in the one canonical form of any message."""


class UnexpectedMessage(ProtocolError):
    """A well-formed message that the protocol does not allow in the present state."""


class MessageTooLarge(ProtocolError):
    """The peer announced a message above the limit that this side accepts."""


class KeyLimitExceeded(ProtocolError):
    """The peer used one key for more records than is safe."""


class Truncated(ProtocolError):
    """The stream ended without the peer's authenticated close: it was cut, not finished."""


class UsageError(E2EEError):
    """You called something that cannot be done now, or passed a value that it cannot take."""


class InvalidProtocolName(UsageError):
    """A Noise protocol name that does not follow the specification's rules."""


class NonceExhausted(UsageError):
    """A cipher has used all its nonces; nothing more can be done with its key."""


class SessionClosed(UsageError):
    """The session was closed, by you or by the peer; no more messages can be sent on it."""


class InvalidId(UsageError):
    """A text is not an ``e2ee1…`` id: mistyped, cut short, or for something else."""


class InvalidInvitation(UsageError):
    """A text is not an invitation: a code or a link that is mistyped, cut short or of no use."""


class InvalidPassphrase(UsageError):
    """A passphrase is empty, too long, or not text that has an encoding."""


class InvalidBackup(UsageError):
    """Words are not the backup of an identity: mistyped, too few, or too many."""


class NoSuchContact(UsageError):
    """Nobody in the book has this name or id."""


class NameRefused(UsageError):
    """A name or an identity that a contact cannot take: it is another's, or not fit to be shown."""


class OverLimit(UsageError):
    """There is no room for more."""


class TrustRefused(E2EEError):
    """The channel is authenticated, but the policy forbids to talk to whom it leads to."""


class ChangedIdentity(TrustRefused):
    """Somebody else answers under a known name or address. ``contact`` is who was expected,
    ``peer`` who it is."""

    def __init__(self, contact: Contact, peer: Peer) -> None:
        super().__init__(f"this is not the {contact.name} that is known: the identity is another")
        self.contact = contact
        self.peer = peer


class BlockedPeer(TrustRefused):
    """The peer is a contact that was blocked."""

    def __init__(self, contact: Contact) -> None:
        super().__init__(f"{contact.name} is blocked")
        self.contact = contact


class NotTrustedEnough(TrustRefused):
    """The peer's grade is below the one that is required."""

    def __init__(self, peer: Peer, grade: Grade, required: Grade) -> None:
        super().__init__(
            f"{peer.id} is {grade.name.lower()}, but {required.name.lower()} is required"
        )
        self.peer = peer
        self.grade = grade
        self.required = required


class FileError(E2EEError):
    """A file of this program is missing, damaged, unsafe or not writable."""


class IdentityFileError(FileError):
    """An identity file is missing, damaged, of another version, unsafe or not writable."""


class IdentityLocked(IdentityFileError):
    """The identity file is locked with a passphrase, and none was given."""


class WrongPassphrase(IdentityFileError):
    """The passphrase does not open the identity file."""


class ContactFileError(FileError):
    """The contact file is damaged, another identity's, of another version, or not writable."""


class ContactFileBusy(ContactFileError):
    """Another program is writing the contacts at this moment; try again."""


class ConversationFileError(FileError):
    """The conversation file is damaged, another identity's, of another version, or not writable."""


class ConversationBusy(ConversationFileError):
    """Another program has the conversation with this contact open, or keeps the file locked."""


class NoRandomNumbers(E2EEError):
    """The system gives no random numbers. Nothing is made without; a session that needs some, for
    its handshake or for new keys, has ended by it."""


class TransportError(E2EEError):
    """The stream below the session failed."""


class ConnectFailed(TransportError):
    """No connection could be made: the name, the address or the port did not answer."""


class NameUnknown(ConnectFailed):
    """The name of a host has no address."""


class AddressInUse(TransportError):
    """Somebody else listens on this address and port."""


class TimedOut(TransportError):
    """The peer took too long: for its handshake, or to show any sign of life."""
