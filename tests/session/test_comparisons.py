"""Secrets are compared in a time that does not depend on where they differ."""

from __future__ import annotations

import ast
import math
import random
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter_ns

import pytest

from e2ee import Identity, ProtocolError
from e2ee.handshake import CipherState, Handshake
from e2ee.opening import Accepted, Opening
from e2ee.primitives import CIPHERS

Figure = Callable[[str], None]

SECRET = {
    *("secret", "psk", "private", "seed", "passphrase", "password", "chaining", "exporter", "key"),
    *("confirmation", "commitment", "tag", "mac", "hmac", "hkdf", "digest", "derive"),
}
"""Words in the names of what nobody else may know, or of what proves that somebody knows it."""

PUBLIC = {"identity_key", "static_key", "public_key", "_public_key", "key_update_records"}
"""Names that have such a word and mean what everybody may know."""

ALLOWED = {
    "lookup_id_of(_secret(self._book.identity, pending.nonce)) == lookup_id": (
        "a lookup id goes over the wire in the clear"
    ),
    "ask_passphrase('The same again: ', instead) != new": "one person types both",
    "number != seed << _CHECKSUM_BITS | _checksum(seed_bytes)": "its owner types all of it",
    "key not in SETTINGS": "the name of a setting",
    "file.hash.digest() != message.sha256": "both sides have the file",
    "folder.listing.digest() != offer.listing": "both sides have the listing",
    "prefix.digest() == file.accepted.prefix_hash": "the sender has the file; the answer says it",
    "message.prefix_hash != RunningHash().digest()": "the hash of nothing",
}
"""Comparisons by == that may stay, and why."""


def compared(node: ast.AST) -> Iterator[str]:
    """The names whose values are compared: not those of which only the length or the type is."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("len", "type", "isinstance"):
        return
    if isinstance(node, ast.Name):
        yield node.id
    if isinstance(node, ast.Attribute):
        yield node.attr
    for child in ast.iter_child_nodes(node):
        yield from compared(child)


def is_secret(name: str) -> bool:
    words = {word.rstrip("s") for word in name.lower().strip("_").split("_")}
    return name not in PUBLIC and not name.isupper() and bool(words & SECRET)


def comparisons(source: str) -> Iterator[ast.Compare]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(
            isinstance(how, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for how in node.ops
        ):
            yield node


def secrets_compared(source: str) -> list[str]:
    return [
        ast.unparse(node) for node in comparisons(source) if any(map(is_secret, compared(node)))
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("if confirmation == self._confirmation(): pass", 1),
        ("ok = given in (own.psk, b'')", 1),
        ("ok = hkdf(salt, key, 32) != expected", 1),
        ("ok = len(psk) != 32 and peer.identity_key == known", 0),
        ("ok = hmac.compare_digest(secret, given)", 0),
    ],
)
def test_a_secret_that_is_compared_is_found(source: str, found: int) -> None:
    assert len(secrets_compared(source)) == found


@pytest.mark.attack(33)
def test_no_secret_is_compared_by_equality(figure: Figure) -> None:
    root = Path(__file__).parents[2]
    sources = [
        path.read_text()
        for folder in ("e2ee", "cli")
        for path in (root / folder).rglob("*.py")
        if path.parent.name != "testing"  # Which keeps no secret.
    ]
    found = {text for source in sources for text in secrets_compared(source)}
    assert found == set(ALLOWED)
    looked_at = sum(1 for source in sources for _ in comparisons(source))
    constant = sum(source.count("compare_digest(") for source in sources)
    assert constant >= 5
    figure(
        f"timing: of {looked_at} comparisons by equality none is of a secret, but for "
        f"{len(ALLOWED)} that are listed with a reason; {constant} by hmac.compare_digest"
    )


# Welch's t-test, as in dudect (Reparaz, Balasch and Verbauwhede, 2017).

SAMPLES = 100_000
THRESHOLD = 4.5
"""|t| above which two times are different, by dudect's convention."""

Attempt = Callable[[bytes], None]


def t_value(attempt: Attempt, right: bytes) -> float:
    """|t| of the times that it takes to refuse a wrong first byte and a wrong last byte."""
    wrong = bytes([right[0] ^ 1]) + right[1:], right[:-1] + bytes([right[-1] ^ 1])
    source = random.Random(33)
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(SAMPLES):
        which = source.randrange(2)
        start = perf_counter_ns()
        attempt(wrong[which])
        times[which].append(perf_counter_ns() - start)
    # Interruptions by others are no part of it.
    longest = statistics.quantiles(times[0] + times[1], n=10)[-1]
    first, last = ([time for time in some if time < longest] for some in times)
    spread = statistics.variance(first) / len(first) + statistics.variance(last) / len(last)
    return abs(statistics.fmean(first) - statistics.fmean(last)) / math.sqrt(spread)


def early_exit() -> tuple[Attempt, bytes]:
    """What must not be: it stops at the first byte that differs."""
    right = bytes(range(32))

    def attempt(given: bytes) -> None:
        all(a == b for a, b in zip(given, right, strict=True))

    return attempt, right


def confirmation() -> tuple[Attempt, bytes]:
    """That of an opening: 32 bytes that prove that the peer has the keys."""
    name = "Noise_NN_25519_AESGCM_SHA256"
    ours, theirs = Handshake(name, initiator=True), Handshake(name, initiator=False)
    theirs.read_message(ours.write_message())
    ours.read_message(theirs.write_message())
    opening = Opening.respond(Identity.generate(), Accepted(), expected_peer=None, now=None)
    opening.handshake = theirs

    def attempt(given: bytes) -> None:
        try:
            opening.on_confirmation(given)
        except ProtocolError:
            return
        raise AssertionError("a wrong confirmation was taken")

    return attempt, opening._confirmation()


def tag(cipher: str) -> tuple[Attempt, bytes]:
    """The last 16 bytes of a sealed text."""
    key = bytes(32)
    sealed = CipherState(CIPHERS[cipher], key).encrypt_with_ad(b"", bytes(64))
    text, right = sealed[:-16], sealed[-16:]

    def attempt(given: bytes) -> None:
        try:
            CipherState(CIPHERS[cipher], key).decrypt_with_ad(b"", text + given)
        except ProtocolError:
            return
        raise AssertionError("a wrong tag was taken")

    return attempt, right


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_the_t_test_finds_a_comparison_that_stops_early() -> None:
    assert t_value(*early_exit()) > THRESHOLD


@pytest.mark.attack(33)
@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("a confirmation", confirmation),
        ("a tag of AES-GCM", lambda: tag("AESGCM")),
        ("a tag of ChaCha20-Poly1305", lambda: tag("ChaChaPoly")),
    ],
)
def test_where_a_wrong_proof_differs_does_not_show_in_time(
    what: str, make: Callable[[], tuple[Attempt, bytes]], figure: Figure
) -> None:
    runs = [t_value(*make()) for _ in range(3)]
    figure(
        f"timing: {what} wrong in its first or its last byte, {SAMPLES:,} samples: "
        f"|t| = {', '.join(f'{t:.2f}' for t in runs)}"
    )
    # Others use the machine too: a difference that is real shows in each run.
    assert min(runs) < THRESHOLD
