"""What the length of a record tells: no more than the policy of padding, and nothing of content."""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import HYBRID_AESGCM, HYBRID_CHACHAPOLY, Padding, Session, Suite
from e2ee.limits import MAX_CONTENT_LENGTH
from tests.session.long_conversation import ALICE, BOB

Figure = Callable[[str], None]

ALL_SHORT = range(4097)
LARGEST = MAX_CONTENT_LENGTH - 4
"""Bytes of the largest message that fits into one record."""
SAMPLED = [
    *sorted(random.Random(35).sample(range(4097, LARGEST), 500)),
    *(LARGEST + n for n in range(-3, 4)),
    *(2 * LARGEST, 200_000, 1_000_000),
]


def sender(padding: Padding, suite: Suite = HYBRID_AESGCM) -> Session:
    alice = Session.initiator(ALICE, suite=suite, padding=padding)
    bob = Session.responder(BOB, suites=[suite])
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    alice.data_to_send()
    return alice


def on_the_wire(session: Session, message: bytes) -> int:
    session.send(message)
    return len(session.data_to_send())


def padme(length: int) -> int:
    """SPEC.md section 9.3, by its own words."""
    if length <= 256:
        return 256
    exponent = math.floor(math.log2(length))
    step: int = 1 << exponent - (math.floor(math.log2(exponent)) + 1)
    return min(math.ceil(length / step) * step, 65_519)


def by_the_specification(length: int, padding: Padding) -> int:
    """Bytes on the wire of a message that is sent alone: SPEC.md sections 9.1 to 9.4."""
    stream, size = 4 + length, 0
    while stream:
        content = min(stream, 65_516)
        plaintext = 3 + content
        size += 2 + (padme(plaintext) if padding is Padding.CHAT else plaintext) + 16
        stream -= content
    return size


@pytest.mark.attack(35)
@pytest.mark.parametrize("padding", Padding)
def test_sizes_on_the_wire_are_those_of_the_policy(padding: Padding, figure: Figure) -> None:
    alice = sender(padding)
    lengths = [*ALL_SHORT, *SAMPLED]
    sizes = {length: on_the_wire(alice, bytes(length)) for length in lengths}
    assert sizes == {length: by_the_specification(length, padding) for length in lengths}
    short = {sizes[length] for length in ALL_SHORT}
    overhead = max(
        sizes[length] / by_the_specification(length, Padding.NONE) - 1
        for length in lengths
        if length >= 1024
    )
    assert overhead <= {Padding.NONE: 0, Padding.CHAT: 0.12}[padding]
    figure(
        f"padding {padding.value}: {len(lengths):,} lengths of messages as specified; those up to "
        f"4,096 bytes show as {len(short):,} sizes; at most {100 * overhead:.1f} % more from 1 KiB"
    )


@pytest.mark.attack(34)
@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize("suite", [HYBRID_AESGCM, HYBRID_CHACHAPOLY], ids=lambda suite: suite.name)
def test_the_content_does_not_show_in_the_size(
    suite: Suite, padding: Padding, figure: Figure
) -> None:
    alice = sender(padding, suite)
    source = random.Random(34)
    lengths = [*range(0, 4097, 16), 30_000, 100_000]
    for length in lengths:
        contents = (bytes(length), b"secret=" * (length // 7) + bytes(length % 7))
        sizes = {on_the_wire(alice, content) for content in (*contents, source.randbytes(length))}
        assert len(sizes) == 1
    figure(
        f"compression: {len(lengths)} lengths, of zeros, repeated words and random bytes: one size "
        f"for each, in {suite.name} with padding {padding.value}"
    )


COMPRESSION = {
    *("zlib", "gzip", "bz2", "lzma", "zipfile", "tarfile", "compression", "zipimport"),
    *("brotli", "zstandard", "lz4", "snappy", "isal", "deflate"),
}


CHECKSUMS = {"crc32", "adler32"}
"""What `zlib` has beside compression."""


def compressing(source: str) -> set[str]:
    """What a module takes, anywhere in it, from the modules that compress."""
    tree = ast.parse(source)
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            used |= {f"{node.module}.{alias.name}" for alias in node.names}
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    if "zlib" in used and not any(
        name.startswith("zlib.") and name.removeprefix("zlib.") not in CHECKSUMS
        for name in attributes
    ):
        used.remove("zlib")
    return {name for name in used if name.split(".")[0] in COMPRESSION}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f():\n    from zlib import compress", {"zlib.compress"}),
        ("import zlib\nzlib.compress(b'')", {"zlib"}),
        ("import zlib\nzlib.crc32(b'')", set()),
        ("import lzma, os", {"lzma"}),
    ],
)
def test_what_compresses_is_found(source: str, found: set[str]) -> None:
    assert compressing(source) == found


@pytest.mark.attack(34)
def test_nothing_compresses(figure: Figure) -> None:
    root = Path(__file__).parents[2]
    modules = [*(root / "e2ee").rglob("*.py"), *(root / "cli").rglob("*.py")]
    assert not [path for path in modules if compressing(path.read_text())]
    figure(f"compression: 0 uses in {len(modules)} modules")
