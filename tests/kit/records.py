"""Cases of records and of messages in them: SPEC.md sections 9.1 to 9.4."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from .case import Case
from .stage import Stage, flipped

CLASSICAL = 0x0003
"""Its handshake is the shortest; records are the same in every suite."""


def opened(role: str = "responder", suite: int = CLASSICAL) -> Stage:
    return Stage(role, suite).open()


def _sent(stage: Stage, *messages: bytes) -> list[bytes]:
    """Records of the peer, one for each message."""
    records = []
    for message in messages:
        stage.peer.send(message)
        records.append(stage.take())
    return records


def _longer(record: bytes, by: int) -> bytes:
    """The record under a length that is not its own."""
    return struct.pack(">H", len(record) - 2 + by) + record[2:]


def cases() -> Iterator[Case]:
    for role in ("initiator", "responder"):
        for name, (about, section, fail, make) in _REFUSED.items():
            stage = opened(role)
            stage.give(make(stage), fail=fail)
            yield stage.finished(f"record/{name}_{role}", about, section)
    yield from _in_the_stream()


def _replayed(stage: Stage) -> bytes:
    (record,) = _sent(stage, b"once")
    stage.give(record)
    return record


def _first_replayed_later(stage: Stage) -> bytes:
    records = _sent(stage, b"one", b"two", b"three")
    for record in records:
        stage.give(record)
    return records[0]


def _dropped(stage: Stage) -> bytes:
    return _sent(stage, b"lost", b"not lost")[1]


def _swapped(stage: Stage) -> bytes:
    one, two = _sent(stage, b"one", b"two")
    return two + one


def _reflected(stage: Stage) -> bytes:
    stage.call("send", b"echo".hex())
    return stage.sent


def _old_key(stage: Stage) -> bytes:
    """Sealed under the key before the update, with the number that comes next."""
    aead = stage.peer.sending.aead
    stage.peer.update_key()
    stage.give()
    n = stage.peer.sending.n
    sealed: bytes = aead.encrypt(stage.peer.sending._nonce(n), b"\0\0\4\0\0\0\0", b"")
    return struct.pack(">H", len(sealed)) + sealed


def _key_not_announced(stage: Stage) -> bytes:
    stage.peer.sending.rekey()
    return stage.message(b"under a key that was not announced")


def _with_ad(stage: Stage) -> bytes:
    sending = stage.peer.sending
    sealed = sending.encrypt(b"\0\x18", b"\0\0\5\0\0\0\1a")
    return struct.pack(">H", len(sealed)) + bytes(sealed)


def _counter(n: int) -> Callable[[Stage], bytes]:
    """A first record with this number instead of 0."""

    def make(stage: Stage) -> bytes:
        stage.peer.sending.n = n
        return stage.message(b"?")

    return make


def _only_length(length: int) -> Callable[[Stage], bytes]:
    return lambda _: struct.pack(">H", length)


_REFUSED: dict[str, tuple[str, str, str, Callable[[Stage], bytes]]] = {
    **{
        f"length_{length}": (
            f"A length of {length} is refused at once, before any byte of the record.",
            "9.1",
            "bad-length",
            _only_length(length),
        )
        for length in (0, 1, 16, 18)
    },
    "length_changed_to_less": (
        "The length is one less than what was sealed.",
        "9.1",
        "decryption-failed",
        lambda stage: _longer(stage.message(b"hello"), -1),
    ),
    "length_changed_to_more": (
        "The length is one more than what was sealed; a byte of the next record is taken.",
        "9.1",
        "decryption-failed",
        lambda stage: _longer(stage.message(b"hello"), 1) + stage.message(b"again"),
    ),
    "tag_first_bit": (
        "One bit of the tag is another.",
        "9.1",
        "decryption-failed",
        lambda stage: flipped(stage.message(b"hello"), -16),
    ),
    "tag_last_bit": (
        "One bit of the tag is another.",
        "9.1",
        "decryption-failed",
        lambda stage: flipped(stage.message(b"hello"), -1, 7),
    ),
    "ciphertext_first_bit": (
        "One bit of the content type is another, in its ciphertext.",
        "9.1",
        "decryption-failed",
        lambda stage: flipped(stage.message(b"hello"), 2),
    ),
    "ciphertext_last_bit": (
        "One bit of the content is another, in its ciphertext.",
        "9.1",
        "decryption-failed",
        lambda stage: flipped(stage.message(b"hello"), -17),
    ),
    "tag_of_zeros": (
        "The tag is all zero.",
        "9.1",
        "decryption-failed",
        lambda stage: stage.message(b"hello")[:-16] + bytes(16),
    ),
    "associated_data": (
        "The length was sealed as associated data, which is empty here.",
        "9.1",
        "decryption-failed",
        _with_ad,
    ),
    "counter_1": (
        "The first record was sealed with the number 1.",
        "3.1",
        "decryption-failed",
        _counter(1),
    ),
    "counter_of_2_to_the_32": (
        "The first record was sealed with the number 2^32.",
        "3.1",
        "decryption-failed",
        _counter(2**32),
    ),
    "replayed": ("The same record twice.", "3.1", "decryption-failed", _replayed),
    "replayed_later": (
        "The first record again, after two others.",
        "3.1",
        "decryption-failed",
        _first_replayed_later,
    ),
    "dropped": ("The record before this one is missing.", "3.1", "decryption-failed", _dropped),
    "swapped": ("Two records in the wrong order.", "3.1", "decryption-failed", _swapped),
    "reflected": ("Our own record comes back.", "3.5", "decryption-failed", _reflected),
    "under_the_key_before_an_update": (
        "A record after a key update that was sealed under the key before.",
        "9.6",
        "decryption-failed",
        _old_key,
    ),
    "key_update_not_announced": (
        "The sender has gone on to its next key without a word.",
        "9.6",
        "decryption-failed",
        _key_not_announced,
    ),
    "content_type_2": (
        "There are two content types, 0 and 1.",
        "9.2",
        "malformed",
        lambda stage: stage.record(2, b"hello"),
    ),
    "content_type_255": (
        "There are two content types, 0 and 1.",
        "9.2",
        "malformed",
        lambda stage: stage.record(255, b""),
    ),
    "content_beyond_the_record": (
        "The content length is one more than what there is.",
        "9.2",
        "malformed",
        lambda stage: stage.sealed(b"\0\0\6" + b"\0\0\0\1a"),
    ),
    "content_length_65535": (
        "The content length is the largest that it can be, in a short record.",
        "9.2",
        "malformed",
        lambda stage: stage.sealed(b"\0\xff\xff" + bytes(20)),
    ),
    "content_of_a_control_beyond_the_record": (
        "The content length of a control message is one more than what there is.",
        "9.2",
        "malformed",
        lambda stage: stage.sealed(b"\1" + struct.pack(">H", 16) + b'{"kind":"ping"}'),
    ),
    "padding_first_byte": (
        "The first byte of the padding is not zero.",
        "9.2",
        "malformed",
        lambda stage: stage.record(0, b"\0\0\0\1a", b"\1" + bytes(30)),
    ),
    "padding_last_byte": (
        "The last byte of the padding is not zero.",
        "9.2",
        "malformed",
        lambda stage: stage.record(0, b"\0\0\0\1a", bytes(30) + b"\1"),
    ),
    "padding_of_a_control": (
        "The padding of a control message is not zero.",
        "9.2",
        "malformed",
        lambda stage: stage.record(1, b'{"kind":"ping"}', b" "),
    ),
    "padding_after_no_content": (
        "A record without content has padding that is not zero.",
        "9.2",
        "malformed",
        lambda stage: stage.record(0, b"", bytes(5) + b"\x80"),
    ),
    "message_above_the_limit": (
        "A message of 16 MiB and one byte is refused at its length.",
        "9.4",
        "too-large",
        lambda stage: stage.data(struct.pack(">I", 2**24 + 1)),
    ),
    "message_of_4_gib": (
        "The largest length that there is.",
        "9.4",
        "too-large",
        lambda stage: stage.data(b"\xff\xff\xff\xff"),
    ),
    "message_above_the_limit_behind_another": (
        "The second message of a record is too long; the first one is valid.",
        "9.4",
        "too-large",
        lambda stage: stage.data(b"\0\0\0\2ok" + struct.pack(">I", 2**24 + 1) + b"no"),
    ),
    "message_length_in_two_records": (
        "The length of a message that is too long comes in two records.",
        "9.4",
        "too-large",
        lambda stage: stage.data(b"\1\0") + stage.data(b"\0\1"),
    ),
}


def _in_the_stream() -> Iterator[Case]:
    good: dict[str, tuple[str, Callable[[Stage], bytes]]] = {
        "empty_message": ("A message may be empty.", lambda stage: stage.message(b"")),
        "record_of_19": (
            "A record may have no content, and no padding.",
            lambda stage: stage.data(b"") + stage.message(b"after it"),
        ),
        "padding": (
            "Any padding of zeros is taken.",
            lambda stage: stage.record(0, b"\0\0\0\1a", bytes(1000)),
        ),
        "messages_share_a_record": (
            "Three messages in one record, one of them empty.",
            lambda stage: stage.data(b"\0\0\0\1a\0\0\0\0\0\0\0\1b"),
        ),
        "message_in_records_of_one_byte": (
            "Records cut the stream of messages anywhere.",
            lambda stage: b"".join(stage.data(bytes([byte])) for byte in b"\0\0\0\5hello"),
        ),
        "control_within_a_message": (
            "A control message stands between the data records of one message.",
            lambda stage: (
                stage.data(b"\0\0\0\5he") + stage.control(b'{"kind":"pong"}') + stage.data(b"llo")
            ),
        ),
        "largest_record": (
            "A record of 65,535 bytes, the content of which is as long as it can be.",
            lambda stage: stage.message(bytes(65_512)),
        ),
        "largest_padding": (
            "A record of 65,535 bytes that is nothing but padding.",
            lambda stage: stage.record(0, b"", bytes(65_516)) + stage.message(b"after it"),
        ),
    }
    for number, (name, (about, make)) in enumerate(good.items()):
        stage = opened("initiator" if number % 2 else "responder")
        stage.give(make(stage))
        yield stage.finished(f"valid/record_{name}", about, "9.4")
    for role in ("initiator", "responder"):
        for name, data in {
            "in_the_length": b"\0",
            "after_the_length": b"\0\x40",
            "in_the_record": b"\0\x40" + bytes(63),
        }.items():
            stage = opened(role)
            stage.give(data)
            stage.end("truncated")
            yield stage.finished(
                f"close/eof_{name}_{role}", "The stream ends within a record.", "9.9"
            )
