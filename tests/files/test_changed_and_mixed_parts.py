"""Parts of a file that are changed, moved, left out, or another file's; sizes that are not true."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator

import pytest

from e2ee.errors import MalformedMessage, UnexpectedMessage
from e2ee.file_events import Aborted, Received
from e2ee.file_messages import FileEnd, FileOffer, FileStart, encode_chunk
from e2ee.file_transfer import FileTransfers
from e2ee.messages import encode
from e2ee.primitives import RunningHash

FIRST, SECOND = b"1" * 16, b"2" * 16
PART = 8
FILES = {FIRST: b"".join(bytes([at] * PART) for at in range(4)), SECOND: bytes(range(32))}

Chunk = tuple[bytes, int, bytes]


def outcome(chunks: Iterator[Chunk] | list[Chunk]) -> set[bytes]:
    """The files that are taken for whole, where both are sent in these chunks."""
    transfers = FileTransfers()
    for transfer, content in FILES.items():
        transfers.receive(encode(FileOffer(transfer=transfer, name="file", size=len(content))))
        transfers.receiving.accept(transfer)
        transfers.receive(encode(FileStart(transfer=transfer, offset=0)))
    whole = set()
    try:
        for transfer, offset, data in chunks:
            transfers.receive(encode_chunk(transfer, offset, memoryview(data)))
        for transfer, content in FILES.items():
            running = RunningHash()
            running.update(content)
            end = encode(FileEnd(transfer=transfer, sha256=running.digest()))
            (event,) = transfers.receive(end)
            if isinstance(event, Received):
                whole.add(transfer)
            else:
                assert event == Aborted(transfer, "damaged")
    except UnexpectedMessage:
        pass
    return whole


def as_sent() -> list[Chunk]:
    return [
        (transfer, at, content[at : at + PART])
        for transfer, content in FILES.items()
        for at in range(0, len(content), PART)
    ]


def test_both_files_are_whole_as_they_are_sent() -> None:
    assert outcome(as_sent()) == {FIRST, SECOND}


def in_another_order() -> Iterator[list[Chunk]]:
    first, second = as_sent()[:4], as_sent()[4:]
    for order in itertools.permutations(range(4)):
        if order != (0, 1, 2, 3):
            yield [first[at] for at in order] + second
            # With offsets that are right for the place.
            yield [(FIRST, PART * at, first[other][2]) for at, other in enumerate(order)] + second


def between_files() -> Iterator[list[Chunk]]:
    for at, other in itertools.product(range(4), range(4, 8)):
        chunks = as_sent()
        chunks[at], chunks[other] = ((SECOND, *chunks[at][1:]), (FIRST, *chunks[other][1:]))
        yield chunks
        mixed = as_sent()
        for place, from_there in ((at, other), (other, at)):
            mixed[place] = (*mixed[place][:2], as_sent()[from_there][2])
        yield mixed


def changed() -> Iterator[list[Chunk]]:
    for at, bit in itertools.product(range(4), range(8 * PART)):
        chunks = as_sent()
        transfer, offset, data = chunks[at]
        number = int.from_bytes(data) ^ 1 << bit
        chunks[at] = (transfer, offset, number.to_bytes(PART))
        yield chunks


def too_few_or_too_many() -> Iterator[list[Chunk]]:
    for at in range(4):
        yield as_sent()[:at] + as_sent()[at + 1 :]
        yield as_sent()[:at] + as_sent()[at : at + 1] + as_sent()[at:]


@pytest.mark.attack(95)
@pytest.mark.parametrize("attack", [in_another_order, between_files, changed, too_few_or_too_many])
def test_a_file_of_other_parts_is_not_taken_for_whole(
    attack: Callable[[], Iterator[list[Chunk]]], figure: Callable[[str], None]
) -> None:
    tried = 0
    for chunks in attack():
        assert FIRST not in outcome(chunks)
        tried += 1
    figure(f"parts {attack.__name__.replace('_', ' ')}: 0 of {tried} files taken for whole")


@pytest.mark.attack(93)
def test_not_a_byte_is_taken_beyond_the_declared_size(figure: Callable[[str], None]) -> None:
    tried = 0
    for size in (0, 1, 2, 1000, 32_000):
        for sent, more in itertools.product({0, size // 2, size}, (1, 2, 700)):
            transfers = FileTransfers()
            transfers.receive(encode(FileOffer(transfer=FIRST, name="file", size=size)))
            transfers.receiving.accept(FIRST)
            transfers.receive(encode(FileStart(transfer=FIRST, offset=0)))
            if sent:
                transfers.receive(encode_chunk(FIRST, 0, memoryview(bytes(sent))))
            too_much = bytes(size - sent + more)
            with pytest.raises(UnexpectedMessage):
                transfers.receive(encode_chunk(FIRST, sent, memoryview(too_much)))
            tried += 1
    figure(f"sizes: {tried} of {tried} chunks refused that go beyond what was declared")


@pytest.mark.attack(93)
def test_a_size_that_cannot_be_is_refused(figure: Callable[[str], None]) -> None:
    good = encode(FileOffer(transfer=FIRST, name="file", size=7))
    FileTransfers().receive(good)
    sizes = ("-1", "-0", "7.0", "7e0", "1e99", "null", '"7"', "true", str(2**53), str(2**64), "[]")
    for size in (*sizes, "07", " 7", "NaN", "Infinity", ""):
        bad = good.replace(b":7", b":" + size.encode())
        assert bad != good
        with pytest.raises(MalformedMessage):
            FileTransfers().receive(bad)
    assert json.loads(good)["size"] == 7
    figure(f"sizes: {len(sizes) + 5} that cannot be, 0 taken")
