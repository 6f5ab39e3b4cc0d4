"""Every limit of the protocol above Noise: its value, its unit, where it comes from.

SPEC.md section 13.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from e2ee.errors import UsageError

KIB, MIB, GIB = 2**10, 2**20, 2**30

HANDSHAKE_PAYLOAD_LENGTH = 512
"""Bytes of the padded payload of handshake messages 2 and 3. Fixed, so that each handshake
message has one length and a wrong one is refused at once. A certificate with one Ed25519
signature takes about 400."""

MAX_RECORD_LENGTH = 65_535
"""Bytes of a sealed record, without its length prefix: a Noise message's limit."""

INNER_HEADER_LENGTH = 3
"""Bytes of content type and content length at the head of a record's plaintext."""

MAX_CONTENT_LENGTH = MAX_RECORD_LENGTH - 16 - INNER_HEADER_LENGTH
"""65,516 bytes of content in one record."""

MIN_RECORD_LENGTH = 16 + INNER_HEADER_LENGTH
"""19 bytes: a record with no content."""

MAX_RECORDS_PER_KEY = 2**22
"""Records that a receiver accepts under one key. TLS 1.3 (RFC 8446, section 5.5) allows AES-GCM
2^24.5 records of 16 KiB for one key, which is 2^22.5 of 64 KiB; RFC 9001, section 6.6, allows
2^23 packets. A failed tag ends the session, so the 2^52 forgeries of RFC 9001 are out of reach."""

MAX_KNOWN_TIME = 2**53 - 1
"""The last second that a certificate can name, and the highest number of anything that is counted:
JSON's largest exact integer."""

MAX_HOST_LENGTH = 253
"""Characters of the name of a host: DNS allows no more (RFC 1035, section 2.3.4)."""

MAX_PORT = 65_535
"""The highest port: it has 16 bits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one side of a session allows; the two sides need not agree.

    ``max_message_size`` -- bytes of an application message, sent or received.
    ``key_update_records``, ``key_update_bytes`` -- this side replaces its sending key before it
    has sealed more than this under it. 2^20 records of 64 KiB are 64 GiB: a quarter of what the
    receiver accepts.
    ``refresh_records``, ``refresh_bytes`` -- this side starts a fresh key agreement when it has
    sealed so much since the last one. A refresh costs about as much as sealing 4 MiB.
    """

    max_message_size: int = 16 * MIB
    key_update_records: int = 2**20
    key_update_bytes: int = 64 * GIB
    refresh_records: int = 2**16
    refresh_bytes: int = GIB

    def __post_init__(self) -> None:
        for field in fields(self):
            if type(getattr(self, field.name)) is not int:
                raise UsageError(f"{field.name} is an integer")
        if not 0 <= self.max_message_size < 2**32:
            raise UsageError("max_message_size is from 0 to 4,294,967,295 bytes")
        if not 2 <= self.key_update_records <= MAX_RECORDS_PER_KEY:
            raise UsageError("key_update_records is from 2 to 4,194,304")
        if self.key_update_bytes < MIB:
            raise UsageError("key_update_bytes is at least 1,048,576")
        if min(self.refresh_records, self.refresh_bytes) < 1:
            raise UsageError("refresh_records and refresh_bytes are at least 1")
