"""Identity: who a person is (Ed25519), and this device's certified session key (X25519).

The file format is in SPEC.md section 8. No secret passes through a pydantic model here.
"""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee._bare_errors import bare_errors
from e2ee._uncopyable import Uncopyable
from e2ee.certificate import pad_payload, sign_certificate, verify_payload
from e2ee.errors import (
    CertificateError,
    IdentityFileError,
    IdentityLocked,
    UsageError,
    WrongPassphrase,
)
from e2ee.ids import encode_id, safety_words
from e2ee.limits import MAX_KNOWN_TIME
from e2ee.messages import Certificate, CodePayload, HandshakePayload, KnownPayload
from e2ee.passphrase import NotLocked, WrongKey, lock, unlock
from e2ee.primitives import HASHES
from e2ee.private_file import as_path, read_private, write_private
from e2ee.random_numbers import drawn

DAY = 86_400
CERTIFICATE_LIFETIME = 90 * DAY
"""Seconds that a certificate issued at a known time is valid for."""

RENEWAL_MARGIN = 30 * DAY
"""Seconds before its end from which a certificate should be renewed."""

CLOCK_TOLERANCE = DAY
"""Seconds that a certificate is valid before it was issued: two clocks may differ."""

FILE_HEADER = "e2ee identity, version 1"
LOCKED_HEADER = "e2ee locked identity, version 1"
_FILE_FIELDS = ("identity-key", "device-key", "certificate", "signature")
MAX_FILE_SIZE = 4096
"""Bytes of an identity file; ours have less than 1,000."""

SEED_LENGTH = 32

T = TypeVar("T")


class Identity(Uncopyable):
    """A person's identity key together with one device's session key and its certificate.

    Make one with ``generate`` or ``load``; it is immutable, and its ``repr`` shows only the id.
    """

    __slots__ = (
        "_identity_key",
        "_payload",
        "_public_key",
        "device_key",
        "not_after",
        "not_before",
    )

    def __init__(
        self,
        identity_key: Ed25519PrivateKey,
        device_key: X25519PrivateKey,
        payload: HandshakePayload,
    ) -> None:
        peer = verify_payload(
            payload, static_key=device_key.public_key().public_bytes_raw(), now=None
        )
        self._identity_key = identity_key
        self._public_key = identity_key.public_key().public_bytes_raw()
        if peer.identity_key != self._public_key:
            raise CertificateError("the certificate is another identity's")
        self._payload = payload
        self.device_key = device_key
        self.not_before = peer.not_before
        self.not_after = peer.not_after

    @classmethod
    def generate(cls, *, now: float | None = None) -> Identity:
        """A new identity with a new device key.

        ``now`` (seconds since 1970) dates the certificate: valid from a day before to 90 days
        after. Without it the certificate has no end. Raises UsageError for a time that no
        certificate can name.
        """
        return cls._certified(
            drawn(Ed25519PrivateKey.generate), drawn(X25519PrivateKey.generate), now
        )

    @classmethod
    def _certified(
        cls, identity_key: Ed25519PrivateKey, device_key: X25519PrivateKey, now: float | None
    ) -> Identity:
        if now is not None and not (
            isinstance(now, int | float) and 0 <= now <= MAX_KNOWN_TIME - CERTIFICATE_LIFETIME
        ):
            raise UsageError("a time is in seconds since 1970, and not before")
        certificate = Certificate(
            identity=identity_key.public_key().public_bytes_raw(),
            static_key=device_key.public_key().public_bytes_raw(),
            not_before=0 if now is None else max(0, int(now) - CLOCK_TOLERANCE),
            not_after=MAX_KNOWN_TIME if now is None else int(now) + CERTIFICATE_LIFETIME,
        )
        return cls(identity_key, device_key, sign_certificate(identity_key, certificate))

    @classmethod
    @bare_errors
    def from_seed(cls, seed: bytes, *, now: float | None = None) -> Identity:
        """The identity of this Ed25519 seed, 32 bytes, with a new device key.

        ``now`` as for ``generate``. Raises UsageError.
        """
        if not isinstance(seed, bytes) or len(seed) != SEED_LENGTH:
            raise UsageError(f"a seed has {SEED_LENGTH} bytes")
        key = Ed25519PrivateKey.from_private_bytes(seed)
        return cls._certified(key, drawn(X25519PrivateKey.generate), now)

    def use_seed(self, use: Callable[[bytes], T]) -> T:
        """What ``use`` makes of the Ed25519 seed, 32 bytes: whoever has that is this person."""
        return use(self._identity_key.private_bytes_raw())

    def rotated(self, now: float) -> Identity:
        """The same identity with a new device key and certificate.

        ``now`` as for ``generate``. Raises UsageError.
        """
        return self._certified(self._identity_key, drawn(X25519PrivateKey.generate), now)

    def renewed(self, now: float) -> Identity:
        """The same identity and device with a certificate dated anew.

        ``now`` as for ``generate``. Raises UsageError.
        """
        return self._certified(self._identity_key, self.device_key, now)

    def needs_renewal(self, now: float) -> bool:
        """Whether the certificate ends within 30 days of ``now`` (seconds since 1970).

        Or has not begun: it was made while the clock was ahead. Raises UsageError for what is no
        time.
        """
        if not isinstance(now, int | float) or not abs(now) < math.inf:
            raise UsageError("a time is in seconds since 1970")
        return self.not_after - now < RENEWAL_MARGIN or now < self.not_before

    @property
    def public_key(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        return self._public_key

    @property
    def id(self) -> str:
        """The ``e2ee1…`` id, 63 characters."""
        return encode_id(self._public_key)

    @property
    def words(self) -> tuple[str, ...]:
        """The eight safety words."""
        return safety_words(self._public_key)

    def handshake_payload(
        self, *, sequence: int | None = None, nonce: bytes | None = None
    ) -> bytes:
        """The certificate and its signature as they travel: 512 bytes.

        With the number of a first message to a contact, or what opens a commitment (32 bytes).
        SPEC.md section 5.
        """
        certificate, signature = self._payload.certificate, self._payload.signature
        if sequence is not None:
            return pad_payload(
                KnownPayload(certificate=certificate, signature=signature, sequence=sequence)
            )
        if nonce is not None:
            return pad_payload(
                CodePayload(certificate=certificate, signature=signature, nonce=nonce)
            )
        return pad_payload(self._payload)

    def derive(self, label: bytes, salt: bytes) -> bytes:
        """A secret of 32 bytes for the owner's own use, such as the key of a file.

        Whoever has the identity key can derive it: it lasts as long as the identity, on every
        device. ``label`` names the use. SPEC.md section 8.3.
        """
        return HASHES["SHA256"].hkdf(
            salt, self._identity_key.private_bytes_raw(), 32, b"e2ee own secret v1\0" + label
        )

    def __repr__(self) -> str:
        return f"<Identity {self.id}>"

    # The file.

    @classmethod
    @bare_errors
    def load(cls, path: str | os.PathLike[str], passphrase: str | None = None) -> Identity:
        """Read an identity file.

        Raises IdentityLocked where it needs a passphrase, WrongPassphrase, InvalidPassphrase;
        IdentityFileError for one that is missing, readable by others, of a foreign version, or
        damaged in any way (the certificate in the file must fit its keys). SPEC.md section 8.
        """
        path = as_path(path, IdentityFileError)
        data = read_private(path, MAX_FILE_SIZE, IdentityFileError)
        if data.partition(b"\n")[0] == LOCKED_HEADER.encode():
            data = _unlocked(data, passphrase, path)
        fields = _parse(data, path)
        try:
            return cls(
                Ed25519PrivateKey.from_private_bytes(fields["identity-key"]),
                X25519PrivateKey.from_private_bytes(fields["device-key"]),
                HandshakePayload(certificate=fields["certificate"], signature=fields["signature"]),
            )
        except (ValueError, CertificateError):
            raise IdentityFileError(
                f"{path} is damaged: its keys and its certificate do not fit; restore a backup"
            ) from None

    @bare_errors
    def save(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        passphrase: str | None = None,
    ) -> None:
        """Write the identity file: created 0600, complete or not at all.

        With a ``passphrase`` the file is locked. An existing file is kept, and IdentityFileError
        raised, unless ``replace`` is true. Raises IdentityFileError where the file cannot be
        written, InvalidPassphrase.
        """
        path = as_path(path, IdentityFileError)
        values = (
            self._identity_key.private_bytes_raw(),
            self.device_key.private_bytes_raw(),
            self._payload.certificate,
            self._payload.signature,
        )
        lines = [FILE_HEADER] + [
            f"{name} {base64.urlsafe_b64encode(value).decode()}"
            for name, value in zip(_FILE_FIELDS, values, strict=True)
        ]
        text = "\n".join(lines) + "\n"
        if passphrase is not None:
            header = LOCKED_HEADER + "\n"
            try:
                text = header + lock(text.encode(), passphrase, header)
            except MemoryError:
                raise IdentityFileError(f"there is not enough memory to lock {path}") from None
        write_private(path, text.encode(), replace=replace, error=IdentityFileError)


def check_identity(identity: Identity) -> None:
    """Raises UsageError for something else, and does not show it: it may be a key."""
    if not isinstance(identity, Identity):
        raise UsageError(f"an identity is needed here, not {type(identity).__name__}")


def _unlocked(data: bytes, passphrase: str | None, path: Path) -> bytes:
    if passphrase is None:
        raise IdentityLocked(f"{path} is locked with a passphrase")
    header = LOCKED_HEADER + "\n"
    try:
        return unlock(data.decode("ascii", "replace").removeprefix(header), passphrase, header)
    except NotLocked:
        raise IdentityFileError(f"{path} is not a whole identity file; restore a backup") from None
    except WrongKey:
        raise WrongPassphrase(f"this passphrase does not open {path}") from None
    except MemoryError:
        raise IdentityFileError(f"there is not enough memory to unlock {path}") from None


def _parse(data: bytes, path: Path) -> dict[str, bytes]:
    damaged = IdentityFileError(f"{path} is not a whole identity file; restore a backup")
    lines = data.decode("ascii", "replace").split("\n")
    if lines[0] != FILE_HEADER:
        names = tuple(header.rpartition(" ")[0] for header in (FILE_HEADER, LOCKED_HEADER))
        if lines[0].startswith(names):
            raise IdentityFileError(f"{path} is of a version that this program does not know")
        raise damaged
    fields = [line.partition(" ") for line in lines[1:-1]]
    if lines[-1] != "" or tuple(name for name, _, _ in fields) != _FILE_FIELDS:
        raise damaged
    values = {}
    for name, _, text in fields:
        try:
            values[name] = base64.urlsafe_b64decode(text)
        except ValueError:
            raise damaged from None
        if base64.urlsafe_b64encode(values[name]).decode() != text:
            raise damaged
    return values
