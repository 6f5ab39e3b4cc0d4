"""Who one knows: the book of contacts, and the rules of whom to trust. SPEC.md section 17.

Nothing here does I/O. The book is kept by a ContactStore; ``contact_file`` has the one on disk.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import Field, ValidationError

from e2ee._bare_errors import bare_errors
from e2ee.certificate import Peer
from e2ee.errors import (
    BlockedPeer,
    ChangedIdentity,
    ContactFileBusy,
    ContactFileError,
    InvalidId,
    MalformedMessage,
    NameRefused,
    NoSuchContact,
    NotTrustedEnough,
    OverLimit,
    UsageError,
)
from e2ee.ids import check_identity_key, decode_id, encode_id, safety_words
from e2ee.invisible import INVISIBLE
from e2ee.limits import MAX_HOST_LENGTH, MAX_KNOWN_TIME, MAX_PORT
from e2ee.messages import MAX_CLAIMED_NAME, Key, Seconds, WireModel, decode, encode

__all__ = [
    "Address",
    "Contact",
    "ContactBook",
    "ContactStore",
    "Device",
    "Grade",
    "How",
    "MemoryContactStore",
    "PendingInvitation",
    "TrustPolicy",
    "Verdict",
]

MAX_CONTACTS = 10_000
"""Contacts of one identity: the file, read as a whole at each start, stays small enough."""

MAX_INVITATIONS = 100
"""Links that are pending: each is tried for everybody who joins."""

MAX_DEVICES = 8
"""Devices of a contact; the one that was met longest ago is forgotten first."""

MAX_ADDRESSES = 8
"""Addresses of a contact; the oldest is forgotten first. Each is dialled before one gives up."""

MAX_NAME_LENGTH = 32
"""Characters of one's own name for a contact, so that it fits before each line of a chat."""

NONCE_LENGTH = 16


class Grade(IntEnum):
    """How well a contact is known. A higher one includes the lower."""

    NEW = 0
    """Never met."""
    SEEN = 1
    """Met before, and nothing else."""
    INVITED = 2
    """Paired by an invitation link."""
    VERIFIED = 3
    """Paired by a spoken code, or the safety numbers were compared."""


How = Literal["meeting", "link", "code", "comparison"]
"""By what a contact has its grade."""

GRADE_OF: dict[How, Grade] = {
    "meeting": Grade.SEEN,
    "link": Grade.INVITED,
    "code": Grade.VERIFIED,
    "comparison": Grade.VERIFIED,
}

Sequence = Annotated[int, Field(ge=0, le=MAX_KNOWN_TIME)]
Host = Annotated[str, Field(min_length=1, max_length=MAX_HOST_LENGTH)]
Port = Annotated[int, Field(ge=1, le=MAX_PORT)]


class Device(WireModel):
    """A device of a contact: its X25519 key, and the number of its last call that was admitted.

    ``static_key`` has 32 bytes; ``sequence`` is that number, 0 where there was no call.
    """

    static_key: Key
    sequence: Sequence = 0


class Address(WireModel):
    """Where a contact answered: ``host`` and ``port``, and ``static_key`` of the device there."""

    host: Host
    port: Port
    static_key: Key


class Contact(WireModel):
    """Somebody one has met. ``name`` is one's own for them, ``claimed_name`` what they call
    themselves, ``identity`` their identity key, 32 bytes. ``how`` says by what they have their
    grade, ``graded_at`` since when.

    ``first_seen``, ``last_seen``, ``graded_at`` are in seconds since 1970. ``blocked`` -- not
    talked to. ``devices`` and ``addresses`` -- the latest met first.
    """

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]
    claimed_name: Annotated[str, Field(max_length=MAX_CLAIMED_NAME)] = ""
    identity: Key
    how: How
    first_seen: Seconds
    graded_at: Seconds
    last_seen: Seconds
    blocked: bool = False
    floor: Sequence = 0
    """The highest number of a call from any device that has been forgotten."""
    devices: Annotated[tuple[Device, ...], Field(max_length=MAX_DEVICES)] = ()
    addresses: Annotated[tuple[Address, ...], Field(max_length=MAX_ADDRESSES)] = ()

    @property
    def grade(self) -> Grade:
        """How well they are known, by ``how``."""
        return GRADE_OF[self.how]

    @property
    def id(self) -> str:
        """The ``e2ee1…`` id, 63 characters."""
        return encode_id(self.identity)

    @property
    def words(self) -> tuple[str, ...]:
        """The eight safety words."""
        return safety_words(self.identity)


class PendingInvitation(WireModel):
    """A link that nobody has used yet. Its secret is not here: the identity derives it from
    ``nonce`` (16 bytes). ``name`` is the alias that who joins will get; empty for none in
    particular. ``created``, ``expires`` -- seconds since 1970.
    """

    nonce: Annotated[bytes, Field(min_length=NONCE_LENGTH, max_length=NONCE_LENGTH)]
    created: Seconds
    expires: Seconds
    name: Annotated[str, Field(max_length=MAX_NAME_LENGTH)] = ""


class _Contents(WireModel):
    version: Literal[1] = 1
    own_sequence: Sequence
    contacts: Annotated[tuple[Contact, ...], Field(max_length=MAX_CONTACTS)]
    invitations: Annotated[tuple[PendingInvitation, ...], Field(max_length=MAX_INVITATIONS)]


M = TypeVar("M", bound=WireModel)


@bare_errors
def _made(model: type[M], **fields: object) -> M:
    """Raises UsageError, which names the fields that cannot be so."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        wrong = sorted({str(part["loc"][0]) for part in error.errors(include_input=False)})
        raise UsageError(f"no {model.__name__.lower()} can have this {', '.join(wrong)}") from None


def _changed(model: M, **fields: object) -> M:
    return _made(type(model), **{**dict(model), **fields})


def _check_peer(peer: Peer) -> None:
    if not isinstance(peer, Peer):
        raise UsageError("a Peer is needed here: a session has one from HandshakeCompleted on")


def _seconds(now: float) -> int:
    if not 0 <= now <= MAX_KNOWN_TIME:
        raise UsageError("a time is in seconds since 1970, and not before")
    return int(now)


class ContactBook:
    """Contacts and pending invitations. A method that raises has changed nothing.

    An identity key has 32 bytes, the nonce of a link 16. ``now`` is in seconds since 1970. Any
    method may raise UsageError for a time, a key, a host, a port or a claimed name that cannot be
    one.
    """

    def __init__(self) -> None:
        self._contacts: dict[bytes, Contact] = {}
        """By identity key."""
        self._invitations: dict[bytes, PendingInvitation] = {}
        """By nonce."""
        self._own_sequence = 0

    # As bytes.

    @classmethod
    @bare_errors
    def from_bytes(cls, data: bytes) -> ContactBook:
        """The book that ``to_bytes`` gave. Raises ContactFileError for anything else."""
        try:
            contents = decode(_Contents, data)
        except MalformedMessage:
            raise ContactFileError(
                "the contacts are not in the form that this version has"
            ) from None
        self = cls()
        self._own_sequence = contents.own_sequence
        self._contacts = {contact.identity: contact for contact in contents.contacts}
        self._invitations = {pending.nonce: pending for pending in contents.invitations}
        names = {fold_name(contact.name) for contact in contents.contacts}
        if len(self._contacts) != len(contents.contacts) or len(names) != len(contents.contacts):
            raise ContactFileError("the contacts hold one name or one identity twice")
        return self

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return encode(
            _Contents(
                own_sequence=self._own_sequence,
                contacts=tuple(self._contacts.values()),
                invitations=tuple(self._invitations.values()),
            )
        )

    # Finding.

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """All of them, by name."""
        return tuple(sorted(self._contacts.values(), key=lambda contact: fold_name(contact.name)))

    def get(self, name: str) -> Contact:
        """By name, whatever its case, or by id. Raises NoSuchContact."""
        with contextlib.suppress(InvalidId):
            if (contact := self._contacts.get(decode_id(name))) is not None:
                return contact
        for contact in self._contacts.values():
            if fold_name(contact.name) == fold_name(name):
                return contact
        raise NoSuchContact(f"no contact is called {name!r}")

    def of(self, identity_key: bytes) -> Contact | None:
        """Whoever has this identity."""
        return self._contacts.get(identity_key)

    def at(self, host: str, port: int) -> Contact | None:
        """Whoever answered at this address last."""
        for contact in self._contacts.values():
            if any(_is_at(known, host, port) for known in contact.addresses):
                return contact
        return None

    # Meeting.

    def meet(
        self,
        peer: Peer,
        how: How,
        now: float,
        *,
        address: tuple[str, int] | None = None,
        name: str = "",
    ) -> Contact:
        """Remember a meeting: a new contact, or a known one met again, whose grade never falls.

        ``address`` -- where they answered. ``name`` -- the alias of a new contact; without it
        they get their first safety words. Raises NameRefused, OverLimit; UsageError for nobody.
        """
        _check_peer(peer)
        time = _seconds(now)
        known = self._contacts.get(peer.identity_key)
        if known is None:
            if len(self._contacts) >= MAX_CONTACTS:
                raise OverLimit(f"there are {MAX_CONTACTS:,} contacts already; remove some")
            known = _made(
                Contact,
                name=self.free_name(name) if name else self._default_name(peer.identity_key),
                identity=peer.identity_key,
                how=how,
                first_seen=time,
                graded_at=time,
                last_seen=time,
            )
        elif GRADE_OF[how] > known.grade:
            known = _changed(known, how=how, graded_at=time)
        device = next(
            (device for device in known.devices if device.static_key == peer.static_key),
            None,
        ) or _made(Device, static_key=peer.static_key, sequence=known.floor)
        known = self._with_device(known, device)
        known = _changed(known, last_seen=max(time, known.last_seen))
        if address is None:
            return self._put(known)
        host, port = address
        here = _made(Address, host=host, port=port, static_key=peer.static_key)
        known = _without_address(known, host, port)
        known = _changed(known, addresses=(here, *known.addresses)[:MAX_ADDRESSES])
        previous = self.at(host, port)
        if previous is not None and previous.identity != known.identity:
            self._put(_without_address(previous, host, port))
        return self._put(known)

    def _with_device(self, contact: Contact, device: Device) -> Contact:
        others = [known for known in contact.devices if known.static_key != device.static_key]
        kept, forgotten = others[: MAX_DEVICES - 1], others[MAX_DEVICES - 1 :]
        # A device that is forgotten and comes back must not be able to repeat an old call.
        floor = max([contact.floor, *(known.sequence for known in forgotten)])
        return _changed(contact, devices=(device, *kept), floor=floor)

    def _put(self, contact: Contact) -> Contact:
        self._contacts[contact.identity] = contact
        return contact

    def claim(self, identity_key: bytes, claimed_name: str) -> Contact | None:
        """Remember what a contact calls itself, in at most 64 characters."""
        contact = self._contacts.get(identity_key)
        return contact and self._put(_changed(contact, claimed_name=claimed_name))

    # Changing.

    def rename(self, name: str, new_name: str) -> Contact:
        """Raises NoSuchContact, NameRefused."""
        contact = self.get(name)
        if fold_name(contact.name) != fold_name(new_name):
            new_name = self.free_name(new_name)
        return self._put(_changed(contact, name=check_name(new_name)))

    def verify(self, name: str, now: float) -> Contact:
        """The safety numbers were compared, and were equal. Raises NoSuchContact."""
        contact = self.get(name)
        if contact.grade is Grade.VERIFIED:
            return contact
        return self._put(_changed(contact, how="comparison", graded_at=_seconds(now)))

    def trust(self, name: str, identity_key: bytes, now: float) -> Contact:
        """This one new identity has the contact's name and addresses from now on, and is known
        since now.

        Raises NoSuchContact, InvalidPublicKey; NameRefused where another contact has that identity.
        """
        contact, time = self.get(name), _seconds(now)
        check_identity_key(identity_key)
        if identity_key == contact.identity:
            return contact
        if (other := self._contacts.get(identity_key)) is not None:
            raise NameRefused(
                f"this identity is {other.name}'s; remove or rename that contact first"
            )
        del self._contacts[contact.identity]
        return self._put(
            _changed(
                contact,
                identity=identity_key,
                how="meeting",
                first_seen=time,
                graded_at=time,
                last_seen=time,
                claimed_name="",
                devices=(),
                floor=0,
            )
        )

    def block(self, name: str, *, blocked: bool = True) -> Contact:
        """Raises NoSuchContact."""
        return self._put(_changed(self.get(name), blocked=blocked))

    def remove(self, name: str) -> Contact:
        """Raises NoSuchContact."""
        return self._contacts.pop(self.get(name).identity)

    # Calls between contacts, SPEC.md section 4.3.

    def admit(self, peer: Peer, sequence: int, now: float) -> bool:
        """Whether to answer this call: from a contact that is not blocked, and no replay.

        The number is remembered. It fits ``Session.responder``'s ``admit`` but for the time.
        Raises UsageError for nobody.
        """
        _check_peer(peer)
        contact = self._contacts.get(peer.identity_key)
        if contact is None or contact.blocked:
            return False
        highest = next(
            (known.sequence for known in contact.devices if known.static_key == peer.static_key),
            contact.floor,
        )
        if not highest < sequence <= MAX_KNOWN_TIME:
            return False
        device = _made(Device, static_key=peer.static_key, sequence=sequence)
        last_seen = max(_seconds(now), contact.last_seen)
        self._put(_changed(self._with_device(contact, device), last_seen=last_seen))
        return True

    def forget_calls(self) -> None:
        """Begin to count calls anew: to be done when one's own device key is replaced.

        What was recorded before cannot be read under the new key, and somebody who had the old
        one may have used up the numbers.
        """
        for contact in self.contacts:
            devices = tuple(_changed(device, sequence=0) for device in contact.devices)
            self._put(_changed(contact, devices=devices, floor=0))

    def next_sequence(self, now: float) -> int:
        """A number for the next call, above all before it, however wrong the clock is."""
        # A clock that was far ahead, once, must leave room for more numbers.
        present = int(min(max(0, now) * 1000, MAX_KNOWN_TIME // 2))
        self._own_sequence = max(self._own_sequence + 1, present)
        return self._own_sequence

    # Invitations by link, SPEC.md section 4.4.

    @property
    def invitations(self) -> tuple[PendingInvitation, ...]:
        """Those that were not used; some may have expired."""
        return tuple(self._invitations.values())

    def invite(self, pending: PendingInvitation, now: float) -> None:
        """Add a link; those that have expired go. Raises OverLimit, NameRefused."""
        current = {n: known for n, known in self._invitations.items() if now < known.expires + 1}
        if len(current) >= MAX_INVITATIONS:
            raise OverLimit(f"{MAX_INVITATIONS} links are pending already; revoke some")
        if pending.name:
            self.free_name(pending.name)
        self._invitations = {**current, pending.nonce: pending}

    def take_invitation(self, nonce: bytes, now: float) -> PendingInvitation | None:
        """The link, once, if it was still good; it is used from then on."""
        pending = self._invitations.pop(nonce, None)
        return pending if pending is not None and now < pending.expires + 1 else None

    def revoke_invitation(self, nonce: bytes) -> bool:
        """Whether there was one."""
        return self._invitations.pop(nonce, None) is not None

    # Names.

    def free_name(self, name: str) -> str:
        """The name in its normal form, if it can be a new contact's. Raises NameRefused."""
        name = check_name(name)
        if any(fold_name(contact.name) == fold_name(name) for contact in self._contacts.values()):
            raise NameRefused(f"a contact is called {name} already; choose another name")
        return name

    def _default_name(self, identity_key: bytes) -> str:
        words = safety_words(identity_key)
        taken = {fold_name(contact.name) for contact in self._contacts.values()}
        names = ["-".join(words[:count])[:MAX_NAME_LENGTH].rstrip("-") for count in (2, 3)]
        numbered = (f"{names[0][:24]}-{number}" for number in itertools.count(2))
        return next(
            name for name in itertools.chain(names, numbered) if fold_name(name) not in taken
        )


def _is_at(known: Address, host: str, port: int) -> bool:
    """Names of hosts are the same in any case."""
    return known.port == port and known.host.lower() == host.lower()


def _without_address(contact: Contact, host: str, port: int) -> Contact:
    return _changed(
        contact,
        addresses=tuple(known for known in contact.addresses if not _is_at(known, host, port)),
    )


def fold_name(name: str) -> str:
    """Equal for names that differ in case or in Unicode form only."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


_FORBIDDEN_IN_NAMES = re.compile(r"""[/:@#"'\\()\[\]<>]|^-|^e2ee1|^\s|\s$""")


def check_name(name: str) -> str:
    """A name for a contact, in NFC: 1 to 32 printable characters. Raises NameRefused."""
    name = unicodedata.normalize("NFC", name)
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise NameRefused(f"a name has 1 to {MAX_NAME_LENGTH} characters")
    hidden = not name.isprintable() or not INVISIBLE.isdisjoint(name)
    if hidden or _FORBIDDEN_IN_NAMES.search(name.casefold()):
        raise NameRefused(
            "a name has no control or invisible characters, none of / : @ # \" ' \\ ( ) [ ] < >, "
            "no blank at its ends, and does not begin with - or e2ee1"
        )
    return name


# The policy.


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was known of a peer before this meeting: ``grade``, and ``contact`` if it is one."""

    grade: Grade
    contact: Contact | None


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Whom to talk to. ``require`` -- the least grade, counting what the opening itself proves.

    The first row that fits::

        | the peer | verdict |
        |---|---|
        | is not the contact that was expected by name | ChangedIdentity |
        | is not the contact that answered at this address before | ChangedIdentity |
        | is a contact that is blocked | BlockedPeer |
        | has a grade below ``require`` | NotTrustedEnough |
        | is anybody else | accepted, with the grade |

    The certificate of the device plays no part: an identity may have any number of devices.
    """

    require: Grade = Grade.NEW

    def __post_init__(self) -> None:
        """Raises UsageError."""
        if not isinstance(self.require, Grade):
            raise UsageError(f"a Grade is required, not {type(self.require).__name__}")

    def judge(
        self,
        book: ContactBook,
        peer: Peer,
        *,
        proved: Grade = Grade.NEW,
        expected: Contact | None = None,
        address: tuple[str, int] | None = None,
    ) -> Verdict:
        """Before a line is sent. ``proved`` -- what the opening proves by itself: INVITED for a
        link, VERIFIED for a code. ``expected`` -- whom the user named. ``address`` -- host and
        port that were dialled, where nobody was named. Raises TrustRefused, and UsageError for
        nobody: a session's ``peer`` before HandshakeCompleted.
        """
        _check_peer(peer)
        if expected is None and address is not None:
            expected = book.at(*address)
        if expected is not None and expected.identity != peer.identity_key:
            raise ChangedIdentity(expected, peer)
        contact = book.of(peer.identity_key)
        known = Grade.NEW if contact is None else contact.grade
        if contact is not None and contact.blocked:
            raise BlockedPeer(contact)
        if max(known, proved) < self.require:
            raise NotTrustedEnough(peer, known, self.require)
        return Verdict(known, contact)


# Stores.


class ContactStore(Protocol):
    """Where a book is kept. Embedders may write their own."""

    def read(self) -> ContactBook:
        """The book as it is now; an empty one where there is none yet."""

    def update(self) -> AbstractContextManager[ContactBook]:
        """The book, to be changed inside of the ``with``; kept if that ends without an exception.

        No other update of the same store may come in between.
        """


class MemoryContactStore:
    """A store that forgets with the process. Raises ContactFileBusy for an update in an update."""

    def __init__(self) -> None:
        self._data = ContactBook().to_bytes()
        self._busy = False

    def read(self) -> ContactBook:
        """As ``ContactStore.read``."""
        return ContactBook.from_bytes(self._data)

    @contextlib.contextmanager
    def update(self) -> Iterator[ContactBook]:
        """As ``ContactStore.update``. Raises ContactFileBusy."""
        if self._busy:
            raise ContactFileBusy("the contacts are being changed already; try again")
        self._busy = True
        try:
            book = self.read()
            yield book
            self._data = book.to_bytes()
        finally:
            self._busy = False
