"""Each limit of the protocol, one below it, at it, one above it, and at nothing."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from e2ee import (
    CLASSICAL_AESGCM,
    HYBRID_AESGCM,
    Identity,
    KeysRefreshed,
    Limits,
    MessageReceived,
    Session,
    Suite,
    UsageError,
)
from e2ee.errors import InvalidLength, KeyLimitExceeded, MessageTooLarge
from e2ee.limits import (
    GIB,
    MAX_CONTENT_LENGTH,
    MAX_RECORD_LENGTH,
    MAX_RECORDS_PER_KEY,
    MIB,
    MIN_RECORD_LENGTH,
)
from e2ee.record import RecordLayer
from e2ee.session import MAX_EXPORT_LENGTH

ALICE, BOB = Identity.generate(), Identity.generate()
DEFAULT = Limits()


def opened(
    alice_limits: Limits = DEFAULT,
    bob_limits: Limits = DEFAULT,
    suite: Suite = CLASSICAL_AESGCM,
) -> tuple[Session, Session]:
    alice = Session.initiator(ALICE, suite=suite, limits=alice_limits)
    bob = Session.responder(BOB, suites=[suite], limits=bob_limits)
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    bob.receive_data(alice.data_to_send())
    return alice, bob


def layer(session: Session) -> RecordLayer:
    assert session._layer is not None
    return session._layer


def sealed_by(session: Session, plaintext: bytes) -> bytes:
    """A record with any plaintext, under the session's own sending key."""
    sealed = layer(session)._send.encrypt_with_ad(b"", plaintext)
    return len(sealed).to_bytes(2) + sealed


def record_lengths(wire: bytes) -> list[int]:
    lengths = []
    while wire:
        lengths.append(int.from_bytes(wire[:2]))
        wire = wire[2 + lengths[-1] :]
    return lengths


# Messages.


@pytest.mark.attack(26)
@pytest.mark.parametrize("limit", [0, 1, 1000, 65_512, 65_513, 200_000])
def test_a_message_up_to_the_limit_is_sent_and_one_above_it_is_refused(
    limit: int, figure: Callable[[str], None]
) -> None:
    limits = Limits(max_message_size=limit)
    for size in {0, max(limit - 1, 0), limit}:
        alice, bob = opened(limits, limits)
        alice.send(bytes(size))
        assert bob.receive_data(alice.data_to_send()) == [MessageReceived(bytes(size))]
    alice, bob = opened(limits, limits)
    with pytest.raises(UsageError, match="above the limit"):
        alice.send(bytes(limit + 1))
    alice.send(bytes(limit))
    assert bob.receive_data(alice.data_to_send()) == [MessageReceived(bytes(limit))]
    figure(
        f"limits: messages of 0, {max(limit - 1, 0)} and {limit} bytes sent, of {limit + 1} refused"
    )


@pytest.mark.attack(26)
@pytest.mark.parametrize("limit", [0, 1, 1000, 65_513, 200_000])
def test_a_message_above_the_receivers_limit_is_refused_at_its_length(
    limit: int, figure: Callable[[str], None]
) -> None:
    for size in {0, max(limit - 1, 0), limit, limit + 1}:
        alice, bob = opened(bob_limits=Limits(max_message_size=limit))
        announced = sealed_by(alice, b"\x00\x00\x04" + size.to_bytes(4))
        if size > limit:
            with pytest.raises(MessageTooLarge):
                bob.receive_data(announced)
        else:
            events = bob.receive_data(announced)
            assert events == ([MessageReceived(b"")] if size == 0 else [])
    figure(f"limits: a message of {limit} bytes taken, of {limit + 1} refused at its length")


def test_the_size_of_a_message_is_counted_in_bytes_whatever_its_items_are() -> None:
    alice, bob = opened(Limits(max_message_size=8))
    numbers = memoryview(bytes(8)).cast("I")
    assert len(numbers) == 2
    alice.send(numbers)
    assert bob.receive_data(alice.data_to_send()) == [MessageReceived(bytes(8))]
    with pytest.raises(UsageError):
        alice.send(memoryview(bytes(12)).cast("I"))


@pytest.mark.parametrize("first", range(MAX_CONTENT_LENGTH - 12, MAX_CONTENT_LENGTH + 2))
def test_two_messages_around_the_end_of_a_record_both_arrive(first: int) -> None:
    alice, bob = opened()
    for size in (first, 0, 1, MAX_CONTENT_LENGTH):
        alice.send(bytes(size))
    wire = alice.data_to_send()
    assert max(record_lengths(wire)) <= MAX_RECORD_LENGTH
    sizes = [
        len(event.data) for event in bob.receive_data(wire) if isinstance(event, MessageReceived)
    ]
    assert sizes == [first, 0, 1, MAX_CONTENT_LENGTH]


@pytest.mark.attack(47)
def test_a_huge_announced_message_takes_no_memory_before_it_comes(
    figure: Callable[[str], None],
) -> None:
    alice, bob = opened(bob_limits=Limits(max_message_size=2**32 - 1))
    announced = sealed_by(alice, b"\x00\x00\x04" + (2**32 - 1).to_bytes(4))
    parts = [sealed_by(alice, b"\x00\xff\x00" + bytes(0xFF00)) for _ in range(8)]
    tracemalloc.start()
    bob.receive_data(announced)
    announced_only = tracemalloc.get_traced_memory()[1]
    for part in parts:
        bob.receive_data(part)
    with_half_a_mebibyte = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert announced_only < 64 * 1024
    assert with_half_a_mebibyte < 2 * MIB
    figure(
        f"claimed lengths: {announced_only:,} bytes of memory for 4 GiB announced, "
        f"{with_half_a_mebibyte:,} when half a mebibyte of it has come"
    )


@pytest.mark.attack(47)
def test_a_message_too_large_takes_no_memory_at_all(figure: Callable[[str], None]) -> None:
    alice, bob = opened()
    announced = sealed_by(alice, b"\x00\x00\x04" + (2**32 - 1).to_bytes(4))
    tracemalloc.start()
    with pytest.raises(MessageTooLarge):
        bob.receive_data(announced)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 1024
    figure(f"claimed lengths: {peak:,} bytes of memory for a message above the limit")


def test_a_message_in_records_of_one_byte_takes_little_more_memory_than_itself() -> None:
    size = 32 * 1024
    alice, bob = opened()
    bob.receive_data(sealed_by(alice, b"\x00\x00\x04" + size.to_bytes(4)))
    records = [sealed_by(alice, b"\x00\x00\x01x") for _ in range(size)]
    tracemalloc.start()
    events = [event for record in records for event in bob.receive_data(record)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert events == [MessageReceived(b"x" * size)]
    assert peak < 5 * size + 64 * 1024


@pytest.mark.attack(26)
def test_records_without_content_are_allowed_and_take_no_memory(
    figure: Callable[[str], None],
) -> None:
    alice, bob = opened()
    empty = [sealed_by(alice, b"\x00\x00\x00") for _ in range(2000)]
    tracemalloc.start()
    for record in empty:
        assert bob.receive_data(record) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 1024
    figure("limits: 2,000 records without content taken")


# Records.


@pytest.mark.attack(26)
def test_a_record_shorter_than_any_is_refused_at_its_length(figure: Callable[[str], None]) -> None:
    for length in range(MIN_RECORD_LENGTH):
        for pieces in ([length.to_bytes(2)], [b"\x00", bytes([length])]):
            _, bob = opened()
            for piece in pieces[:-1]:
                assert bob.receive_data(piece) == []
            with pytest.raises(InvalidLength):
                bob.receive_data(pieces[-1])
    figure(f"limits: records of 0 to {MIN_RECORD_LENGTH - 1} bytes refused at their length")


@pytest.mark.attack(26)
def test_the_shortest_and_the_longest_record_are_accepted(figure: Callable[[str], None]) -> None:
    alice, bob = opened()
    shortest = sealed_by(alice, b"\x00\x00\x00")
    assert len(shortest) == 2 + MIN_RECORD_LENGTH
    assert bob.receive_data(shortest) == []
    content = (MAX_CONTENT_LENGTH - 4).to_bytes(4) + bytes(MAX_CONTENT_LENGTH - 4)
    longest = sealed_by(alice, b"\x00" + MAX_CONTENT_LENGTH.to_bytes(2) + content)
    assert len(longest) == 2 + MAX_RECORD_LENGTH
    assert bob.receive_data(longest) == [MessageReceived(bytes(MAX_CONTENT_LENGTH - 4))]
    figure("limits: records of 19 and of 65,535 bytes taken")


def test_bytes_fed_one_by_one_are_each_copied_a_bounded_number_of_times() -> None:
    # The reader must fill one buffer, not join a new one at each byte.
    alice, bob = opened()
    alice.send(bytes(20_000))
    wire = alice.data_to_send()
    bob.receive_data(wire[:1])
    buffer = layer(bob)._records._partial
    for i in range(1, len(wire) - 1):
        bob.receive_data(wire[i : i + 1])
        assert layer(bob)._records._partial is buffer
    assert bob.receive_data(wire[-1:]) == [MessageReceived(bytes(20_000))]


# Keys.


@pytest.mark.attack(29)
@pytest.mark.parametrize("limit", [2, 3, 10])
def test_a_key_seals_exactly_so_many_records_and_its_last_announces_the_next(
    limit: int, figure: Callable[[str], None]
) -> None:
    alice, bob = opened(Limits(key_update_records=limit))
    updated_at = []
    for number in range(1, 4 * limit):
        key = layer(bob)._receive._aead
        alice.send(b"%d" % number)
        assert bob.receive_data(alice.data_to_send()) == [MessageReceived(b"%d" % number)]
        if layer(bob)._receive._aead is not key:
            updated_at.append(layer(alice)._send._nonce - 1)
    # Counters go on over an update: the first record under each new key is number n * limit.
    assert updated_at == [limit * n for n in range(1, len(updated_at) + 1)]
    assert len(updated_at) >= 3
    figure(f"limits: keys replaced after exactly {limit} records, {len(updated_at)} times")


@pytest.mark.attack(29)
@pytest.mark.parametrize("limit", [MIB, 17 * MAX_RECORD_LENGTH])
def test_a_key_is_replaced_before_it_has_sealed_more_than_its_bytes(
    limit: int, figure: Callable[[str], None]
) -> None:
    alice, bob = opened(Limits(key_update_bytes=limit))
    sent_under_each_key = [0]
    key = layer(alice)._send._aead
    for _ in range(60):
        alice.send(bytes(MAX_CONTENT_LENGTH - 4))
        wire = alice.data_to_send()
        lengths = record_lengths(wire)
        if layer(alice)._send._aead is not key:
            key = layer(alice)._send._aead
            sent_under_each_key[-1] += lengths.pop(0)
            sent_under_each_key.append(0)
        sent_under_each_key[-1] += sum(lengths)
        bob.receive_data(wire)
    assert len(sent_under_each_key) >= 4
    assert max(sent_under_each_key) <= limit
    # Records of full length, as long as there is room for one more and for the announcement.
    full = limit // MAX_RECORD_LENGTH - 1
    assert {n // MAX_RECORD_LENGTH for n in sent_under_each_key[:-1]} == {full}
    figure(f"limits: of {len(sent_under_each_key)} keys none sealed more than {limit:,} bytes")


@pytest.mark.attack(29)
def test_a_receiver_accepts_the_last_record_that_a_key_may_seal_and_not_the_next(
    figure: Callable[[str], None],
) -> None:
    alice, bob = opened()
    layer(bob)._received_on_key = MAX_RECORDS_PER_KEY - 2
    for number in range(2):
        alice.send(b"%d" % number)
        assert bob.receive_data(alice.data_to_send()) == [MessageReceived(b"%d" % number)]
    alice.send(b"one too many")
    with pytest.raises(KeyLimitExceeded):
        bob.receive_data(alice.data_to_send())
    figure(f"limits: record {MAX_RECORDS_PER_KEY:,} under a key taken, the next refused")


def test_a_key_update_in_the_last_record_of_a_key_is_in_time() -> None:
    alice, bob = opened()
    layer(bob)._received_on_key = MAX_RECORDS_PER_KEY - 1
    alice.update_key()
    alice.send(b"under a new key")
    assert bob.receive_data(alice.data_to_send()) == [MessageReceived(b"under a new key")]
    assert layer(bob)._received_on_key == 1


@pytest.mark.attack(29)
@pytest.mark.parametrize("beyond", [0, 1])
def test_a_key_is_replaced_before_so_many_bytes_to_the_byte(beyond: int) -> None:
    alice, _ = opened(Limits(key_update_bytes=MIB))
    # Of two more records, each of the greatest length, the second would be above the limit.
    sealed = MIB - 2 * MAX_RECORD_LENGTH + beyond
    for length in (*[50_000] * (sealed // 50_000), sealed % 50_000):
        alice.send(bytes(length - 23))
        assert len(record_lengths(alice.data_to_send())) == 1
    alice.send(b"next")
    assert len(record_lengths(alice.data_to_send())) == 1 + beyond


@pytest.mark.attack(29)
def test_records_of_control_messages_count_as_any() -> None:
    alice, bob = opened(Limits(key_update_records=4))
    key = layer(alice)._send._aead
    for number in range(8):
        assert (layer(alice)._send._aead is key) is (number <= 3)
        alice.ping()
        bob.receive_data(alice.data_to_send())


@pytest.mark.attack(29)
def test_an_offer_to_refresh_is_not_one_record_too_many_under_a_key() -> None:
    limits = Limits(key_update_records=5, refresh_records=4)
    alice, bob = opened(limits)
    wire = b""
    for _ in range(12):
        alice.send(b"x")
        wire += alice.data_to_send()
    key, most = layer(bob)._receive._aead, 0
    for length in record_lengths(wire):
        bob.receive_data(wire[: 2 + length])
        wire = wire[2 + length :]
        if layer(bob)._receive._aead is not key:
            break
        most = layer(bob)._received_on_key
    assert most == limits.key_update_records - 1


@pytest.mark.attack(26)
def test_the_shortest_record_of_all_comes_in_any_pieces() -> None:
    alice, bob = opened()
    record = sealed_by(alice, b"\x00\x00\x00")
    assert len(record) == 2 + MIN_RECORD_LENGTH
    for byte in record:
        assert bob.receive_data(bytes([byte])) == []
    assert layer(bob)._received_on_key == 1


def test_a_refresh_gives_the_receiver_a_new_count_too() -> None:
    alice, bob = opened()
    layer(alice)._received_on_key = layer(bob)._received_on_key = 1000
    alice.refresh()
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    bob.receive_data(alice.data_to_send())
    assert layer(alice)._received_on_key == layer(bob)._received_on_key == 0


@pytest.mark.attack(29)
@pytest.mark.parametrize("limit", [1, 2, 5, 50])
def test_a_side_offers_a_refresh_after_exactly_so_many_records(
    limit: int, figure: Callable[[str], None]
) -> None:
    alice, bob = opened(Limits(refresh_records=limit))
    for number in range(limit):
        alice.send(b"%d" % number)
        wire = alice.data_to_send()
        assert len(record_lengths(wire)) == 1
        bob.receive_data(wire)
    assert bob.data_to_send() == b""
    alice.send(b"next")
    assert bob.receive_data(alice.data_to_send()) == [MessageReceived(b"next")]
    assert KeysRefreshed() in alice.receive_data(bob.data_to_send())
    figure(f"limits: a refresh offered after exactly {limit} records")


@pytest.mark.attack(29)
@pytest.mark.parametrize("limit", [1, 22, 23, 1000])
def test_a_side_offers_a_refresh_after_so_many_bytes(
    limit: int, figure: Callable[[str], None]
) -> None:
    alice, _ = opened(Limits(refresh_bytes=limit))
    sealed = 0
    for _ in range(200):
        alice.send(b"")
        lengths = record_lengths(alice.data_to_send())
        if len(lengths) == 2:
            break
        assert sealed < limit
        sealed += sum(lengths)
    assert sealed >= limit
    figure(f"limits: a refresh offered after {limit} bytes")


@pytest.mark.parametrize("offers", [True, False])
def test_a_refresh_begins_the_counts_of_both_sides_anew(offers: bool) -> None:
    alice, bob = opened(Limits(refresh_records=10), Limits(refresh_records=10))
    for _ in range(8):
        alice.send(b"before")
        bob.receive_data(alice.data_to_send())
    (alice if offers else bob).refresh()
    for _ in range(2):
        bob.receive_data(alice.data_to_send())
        alice.receive_data(bob.data_to_send())
    for records_since in range(11):
        alice.send(b"after")
        assert len(record_lengths(alice.data_to_send())) == 1 + (records_since == 10)


@pytest.mark.parametrize("waiting", [b"", b"something in the queue"])
def test_a_refresh_that_is_due_and_wished_for_is_offered_once(waiting: bytes) -> None:
    alice, bob = opened(Limits(refresh_records=1))
    alice.send(b"first")
    bob.receive_data(alice.data_to_send())
    alice.send(waiting)
    alice.refresh()
    bob.receive_data(alice.data_to_send())
    assert KeysRefreshed() in alice.receive_data(bob.data_to_send())
    assert KeysRefreshed() in bob.receive_data(alice.data_to_send())


@pytest.mark.parametrize("replace", [Session.update_key, Session.refresh])
def test_what_waits_when_a_key_is_replaced_goes_before(replace: Callable[[Session], None]) -> None:
    alice, bob = opened()
    alice.send(bytes(2_000))
    replace(alice)
    alice.send(bytes(3_000))
    wire = alice.data_to_send()
    first, control, last = record_lengths(wire)
    assert control < 2_000 < first < 3_000 < last
    assert bob.receive_data(wire)[:1] == [MessageReceived(bytes(2_000))]


def test_what_waits_in_the_queue_does_not_set_off_an_offer_before_the_switch() -> None:
    alice, bob = opened(Limits(refresh_records=1))
    alice.refresh()
    bob.receive_data(alice.data_to_send())
    alice.send(b"in the queue")
    assert alice.receive_data(bob.data_to_send()) == [KeysRefreshed()]
    events = bob.receive_data(alice.data_to_send())
    assert set(events) == {KeysRefreshed(), MessageReceived(b"in the queue")}


# The limits themselves.


@pytest.mark.attack(26)
@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("max_message_size", 0, 2**32 - 1),
        ("key_update_records", 2, MAX_RECORDS_PER_KEY),
        ("key_update_bytes", MIB, None),
        ("refresh_records", 1, None),
        ("refresh_bytes", 1, None),
    ],
)
def test_limits_have_limits(
    name: str, lowest: int, highest: int | None, figure: Callable[[str], None]
) -> None:
    def made(value: int) -> Limits:
        values = {name: value}
        return Limits(**values)

    assert getattr(made(lowest), name) == lowest
    assert getattr(made(lowest + 1), name) == lowest + 1
    for wrong in (lowest - 1, -1):
        with pytest.raises(UsageError, match=name):
            made(wrong)
    if highest is not None:
        assert getattr(made(highest), name) == highest
        with pytest.raises(UsageError, match=name):
            made(highest + 1)
    figure(f"limits: {name} from {lowest:,} to {highest or 'any'}, and nothing outside")


def test_the_defaults_are_within_what_the_receiver_accepts() -> None:
    assert DEFAULT.key_update_records <= MAX_RECORDS_PER_KEY // 4
    assert DEFAULT.key_update_bytes == 64 * GIB
    assert DEFAULT.refresh_bytes == GIB


def test_limits_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError):
        DEFAULT.max_message_size = 1  # type: ignore[misc]


# Exports.


@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, MAX_EXPORT_LENGTH - 1, MAX_EXPORT_LENGTH])
def test_an_export_of_any_allowed_length_is_equal_on_both_sides(length: int) -> None:
    alice, bob = opened(suite=HYBRID_AESGCM)
    exported = alice.export("label", length)
    assert len(exported) == length
    assert bob.export(b"label", length) == exported


@pytest.mark.parametrize("length", [-1, 0, MAX_EXPORT_LENGTH + 1, 2**63])
def test_an_export_of_another_length_is_refused_and_changes_nothing(length: int) -> None:
    alice, bob = opened()
    with pytest.raises(UsageError):
        alice.export("label", length)
    assert alice.export("label", 32) == bob.export("label", 32)


def test_an_export_is_derived_from_the_secret_of_the_handshake() -> None:
    alice, bob = Session.initiator(ALICE), Session.responder(BOB)
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    assert bob._opening is not None
    handshake = bob._opening.handshake
    bob.receive_data(alice.data_to_send())
    info = b"e2ee exporter v1\0" + b"\0\x30" + b"label"
    by_the_specification = HKDF(SHA256(), 48, handshake.handshake_hash, info)
    expected = by_the_specification.derive(handshake.exporter_secret)
    assert alice.export("label", 48) == bob.export("label", 48) == expected


def test_exports_with_different_labels_have_nothing_in_common() -> None:
    alice, _ = opened()
    labels: list[str | bytes] = ["a", "b", "", b"\xff", "ab", "é"]
    assert len({alice.export(label, 32) for label in labels}) == len(labels)
    assert alice.export("é", 32) == alice.export("é".encode(), 32)


def test_an_export_is_different_in_every_session_and_the_same_after_a_refresh() -> None:
    (alice, bob), (other, _) = opened(), opened()
    exported = alice.export("label", 32)
    assert other.export("label", 32) != exported
    alice.refresh()
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    bob.receive_data(alice.data_to_send())
    assert alice.export("label", 32) == bob.export("label", 32) == exported
