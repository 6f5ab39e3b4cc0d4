"""The locked identity file: only its passphrase opens it, and it shows nothing of the keys."""

from __future__ import annotations

import base64
import hashlib
import stat
import traceback
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from e2ee import Identity, IdentityFileError, passphrase
from e2ee.errors import IdentityLocked, InvalidPassphrase, UsageError, WrongPassphrase
from e2ee.identity import FILE_HEADER, LOCKED_HEADER, MAX_FILE_SIZE

NOW = 1_800_000_000
SECRET = "CANARY correct horse battery staple"  # noqa: S105 -- of a test
IDENTITY_SEED = b"CANARY-identity-seed-32-bytes-AA"
DEVICE_SEED = b"CANARY-device-private-32-bytes-B"


def canary_identity() -> Identity:
    return Identity._certified(
        Ed25519PrivateKey.from_private_bytes(IDENTITY_SEED),
        X25519PrivateKey.from_private_bytes(DEVICE_SEED),
        NOW,
    )


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "identity"


@pytest.fixture
def locked(path: Path) -> bytes:
    canary_identity().save(path, passphrase=SECRET)
    return path.read_bytes()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """What Argon2id was asked for: memory, passes, lanes. A plain hash runs in its place."""
    asked: list[tuple[int, int, int]] = []

    class Cheap:
        def __init__(
            self, *, salt: bytes, length: int, iterations: int, lanes: int, memory_cost: int
        ) -> None:
            asked.append((memory_cost, iterations, lanes))
            self.begin = repr((salt, length, *asked[-1])).encode()

        def derive(self, key_material: bytes) -> bytes:
            return hashlib.sha256(self.begin + key_material).digest()

    monkeypatch.setattr(passphrase, "Argon2id", Cheap)
    return asked


# There and back.


def test_a_locked_identity_comes_back_with_its_passphrase_only(path: Path, locked: bytes) -> None:
    loaded = Identity.load(path, SECRET)
    identity = canary_identity()
    assert loaded.id == identity.id
    assert loaded.device_key.private_bytes_raw() == DEVICE_SEED
    assert loaded.handshake_payload() == identity.handshake_payload()
    with pytest.raises(IdentityLocked, match="locked with a passphrase"):
        Identity.load(path)
    with pytest.raises(WrongPassphrase, match="does not open"):
        Identity.load(path, SECRET + " ")


def test_a_plain_file_stays_as_it_was_and_needs_no_passphrase(path: Path) -> None:
    canary_identity().save(path)
    assert path.read_text().startswith(FILE_HEADER + "\nidentity-key ")
    assert Identity.load(path).id == Identity.load(path, "of no use").id


def test_the_locked_file_is_as_the_specification_says(locked: bytes, path: Path) -> None:
    first, second, third, fourth, end = locked.decode("ascii").split("\n")
    assert (first, second, end) == (LOCKED_HEADER, "argon2id 65536 3 4", "")
    assert LOCKED_HEADER == "e2ee locked identity, version 1"
    assert third.startswith("salt ")
    assert fourth.startswith("sealed ")
    salt = base64.urlsafe_b64decode(third[5:])
    assert len(salt) == 16
    kdf = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=65_536)
    header = locked[: -len(fourth) - 1]
    opened = AESGCM(kdf.derive(SECRET.encode())).decrypt(
        bytes(12), base64.urlsafe_b64decode(fourth[7:]), header
    )
    plain = path.with_name("plain")
    canary_identity().save(plain)
    assert opened == plain.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(locked) <= MAX_FILE_SIZE


def test_two_savings_share_neither_salt_nor_ciphertext(path: Path, runs: list[object]) -> None:
    identity = canary_identity()
    seen = set()
    for _ in range(20):
        identity.save(path, replace=True, passphrase=SECRET)
        salt, sealed = path.read_bytes().split(b"\n")[2:4]
        seen |= {salt, sealed}
    assert len(seen) == 40


def test_locking_and_unlocking_keep_what_is_there_unless_asked(path: Path, locked: bytes) -> None:
    for phrase in (None, SECRET):
        with pytest.raises(IdentityFileError, match="exists already"):
            Identity.generate().save(path, passphrase=phrase)
    assert path.read_bytes() == locked
    Identity.load(path, SECRET).save(path, replace=True)
    assert Identity.load(path).id == canary_identity().id


# What the file and the errors show.


def test_a_locked_file_shows_nothing_of_the_keys_nor_of_whose_it_is(locked: bytes) -> None:
    identity = canary_identity()
    readings = [locked]
    for line in locked.split(b"\n"):
        _, _, value = line.partition(b" ")
        readings.append(base64.urlsafe_b64decode(value + b"=="))
    certificate = identity.handshake_payload()
    for secret in (IDENTITY_SEED, DEVICE_SEED, identity.public_key, SECRET.encode(), certificate):
        for form in (secret, base64.urlsafe_b64encode(secret), secret.hex().encode()):
            assert not any(form[:16] in reading for reading in readings)
    assert identity.id.encode() not in locked


def test_errors_and_tracebacks_show_neither_passphrase_nor_keys(path: Path, locked: bytes) -> None:
    def attempts() -> list[Callable[[], object]]:
        return [
            lambda: Identity.load(path, SECRET + "x"),
            lambda: Identity.load(path, SECRET * 50),
            lambda: Identity.load(path, SECRET + "\ud800"),
            lambda: canary_identity().save(path, passphrase=SECRET),
            lambda: canary_identity().save(path, replace=True, passphrase=SECRET * 50),
        ]

    for attempt in attempts():
        with pytest.raises((IdentityFileError, UsageError)) as caught:
            attempt()
        shown = "".join(traceback.format_exception(caught.value)).replace(__file__, "")
        error: BaseException | None = caught.value
        while error is not None:
            shown += repr(error.args)
            error = error.__context__ if error.__suppress_context__ is False else None
        assert "CANARY" not in shown.replace("SECRET", "")
    assert path.read_bytes() == locked


# Passphrases.


def test_a_passphrase_is_the_same_however_its_characters_are_composed(
    path: Path, runs: list[object]
) -> None:
    composed = "Zoë Ångström 각"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    canary_identity().save(path, passphrase=decomposed)
    assert Identity.load(path, composed).id == canary_identity().id
    with pytest.raises(WrongPassphrase):
        Identity.load(path, "Zoe Angstrom 각")


@pytest.mark.parametrize("phrase", ["", "x" * 1025, "é" * 513, "\ud800"])
def test_what_is_no_passphrase_is_refused_and_changes_nothing(
    path: Path, runs: list[object], phrase: str
) -> None:
    with pytest.raises(InvalidPassphrase, match="passphrase"):
        canary_identity().save(path, passphrase=phrase)
    assert not path.exists()
    canary_identity().save(path, passphrase=SECRET)
    before = runs.copy()
    with pytest.raises(InvalidPassphrase):
        Identity.load(path, phrase)
    assert runs == before


@pytest.mark.parametrize("phrase", ["x", "x" * 1024, "é" * 512, "\0", " \n", "🎈"])
def test_the_shortest_and_longest_passphrases_work(
    path: Path, runs: list[object], phrase: str
) -> None:
    canary_identity().save(path, passphrase=phrase)
    assert Identity.load(path, phrase).id == canary_identity().id


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_two_passphrases_open_each_other_only_where_they_are_equal(data: st.DataObject) -> None:
    texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
    first = data.draw(texts)
    second = data.draw(st.sampled_from([first, first + " ", first.swapcase()]) | texts)
    small = pytest.MonkeyPatch()
    small.setattr(passphrase, "MEMORY", 32)
    try:
        text = passphrase.lock(b"secret", first, "header\n")
    finally:
        small.undo()
    if unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second):
        assert passphrase.unlock(text, second, "header\n") == b"secret"
    else:
        with pytest.raises(passphrase.WrongKey):
            passphrase.unlock(text, second, "header\n")
    with pytest.raises(passphrase.WrongKey):
        passphrase.unlock(text, first, "Header\n")


# Damage.


def test_every_truncation_is_refused_without_running_argon2(
    path: Path, runs: list[object], figure: Callable[[str], None]
) -> None:
    canary_identity().save(path, passphrase=SECRET)
    data = path.read_bytes()
    runs.clear()
    for length in range(len(data)):
        write(path, data[:length])
        with pytest.raises(IdentityFileError):
            Identity.load(path, SECRET)
    assert runs == []
    figure(f"locked identity file: {len(data)} of {len(data)} truncations refused")


@pytest.mark.slow
def test_every_changed_byte_is_refused(
    path: Path, runs: list[tuple[int, int, int]], figure: Callable[[str], None]
) -> None:
    canary_identity().save(path, passphrase=SECRET)
    data = path.read_bytes()
    runs.clear()
    tried = 0
    for place in range(len(data)):
        for difference in (*(1 << bit for bit in range(8)), 0xFF):
            changed = bytearray(data)
            changed[place] ^= difference
            write(path, bytes(changed))
            tried += 1
            with pytest.raises(IdentityFileError):
                Identity.load(path, SECRET)
    assert all(within_limits(*run) for run in runs)
    # The others are letters of base64 and digits, in the places of such.
    assert len(runs) < tried * 0.6
    figure(
        f"locked identity file: {tried} of {tried} changes refused, "
        f"{tried - len(runs)} of them without running Argon2id"
    )


def test_a_few_changes_are_refused_by_the_real_argon2_too(path: Path, locked: bytes) -> None:
    changes = [
        (b"argon2id 65536 3 4", b"argon2id 65535 3 4"),
        (b"argon2id 65536 3 4", b"argon2id 65536 2 4"),
        (b"argon2id 65536 3 4", b"argon2id 65536 3 3"),
        (b"salt ", b"salt A"),
        (b"sealed ", b"sealed AAAA"),
        (LOCKED_HEADER.encode(), FILE_HEADER.encode()),
        (b"\n", b"\r\n"),
    ]
    for old, new in changes:
        changed = locked.replace(old, new, 1)
        assert changed != locked
        write(path, changed)
        with pytest.raises(IdentityFileError):
            Identity.load(path, SECRET)


def within_limits(memory: int, passes: int, lanes: int) -> bool:
    return memory <= 262_144 and passes <= 16 and lanes <= 16


@pytest.mark.parametrize(
    ("cost", "accepted"),
    [
        ("262144 16 16", True),
        ("8 1 1", True),
        ("128 1 16", True),
        ("262145 16 16", False),
        ("262144 17 16", False),
        ("262144 16 17", False),
        ("4194304 3 4", False),
        ("9" * 5000 + " 1 1", False),
        ("127 1 16", False),
        ("0 1 1", False),
        ("65536 0 4", False),
        ("65536 3 0", False),
        ("065536 3 4", False),
        ("65536 3 4 ", False),
        ("65536 3", False),
        ("-65536 3 4", False),
        ("6_5536 3 4", False),
        ("65536  3 4", False),
    ],
)
def test_what_argon2_may_cost_is_bounded_before_it_runs(
    path: Path, runs: list[tuple[int, int, int]], cost: str, accepted: bool
) -> None:
    canary_identity().save(path, passphrase=SECRET)
    runs.clear()
    write(path, path.read_bytes().replace(b"65536 3 4", cost.encode()))
    with pytest.raises(IdentityFileError) as caught:
        Identity.load(path, SECRET)
    assert (type(caught.value) is WrongPassphrase) is accepted
    assert runs == ([tuple(map(int, cost.split()))] if accepted else [])


def test_salt_and_ciphertext_have_one_form_only(path: Path, runs: list[object]) -> None:
    canary_identity().save(path, passphrase=SECRET)
    lines = path.read_bytes().split(b"\n")
    runs.clear()
    variants = [
        (2, lines[2].replace(b"==", b"")),
        (2, lines[2][:-3] + b"/=="),
        (2, lines[2] + b"="),
        (2, b"salt " + "é".encode() * 24),
        (2, b"salt " + b"!" * 24),
        (3, b"sealed "),
        (3, b"sealed =" + lines[3][7:]),
        (3, b"sealed !" + lines[3][7:]),
        (3, lines[3] + b"A"),
    ]
    for number, line in variants:
        assert line != lines[number]
        write(path, b"\n".join([*lines[:number], line, *lines[number + 1 :]]))
        with pytest.raises(IdentityFileError, match="not a whole identity file"):
            Identity.load(path, SECRET)
    assert runs == []
    # Shorter than any tag.
    write(path, b"\n".join([*lines[:3], b"sealed AAAA", b""]))
    with pytest.raises(WrongPassphrase):
        Identity.load(path, SECRET)


@pytest.mark.parametrize("version", ["2", "10", "", "1 "])
def test_a_locked_file_of_another_version_is_called_that(
    path: Path, locked: bytes, version: str
) -> None:
    write(path, locked.replace(b"version 1", b"version " + version.encode(), 1))
    for phrase in (None, SECRET):
        with pytest.raises(IdentityFileError, match="version that this program does not know"):
            Identity.load(path, phrase)


@pytest.mark.parametrize("inside", [b"", b"not an identity", b"e2ee identity, version 1\n"])
def test_what_the_passphrase_opens_must_be_an_identity(
    path: Path, runs: list[object], inside: bytes
) -> None:
    header = LOCKED_HEADER + "\n"
    write(path, (header + passphrase.lock(inside, SECRET, header)).encode())
    with pytest.raises(IdentityFileError, match="restore a backup"):
        Identity.load(path, SECRET)


def test_a_locked_file_inside_of_a_locked_file_is_refused(path: Path, runs: list[object]) -> None:
    canary_identity().save(path, passphrase=SECRET)
    header = LOCKED_HEADER + "\n"
    twice = header + passphrase.lock(path.read_bytes(), SECRET, header)
    write(path, twice.encode())
    with pytest.raises(IdentityFileError) as caught:
        Identity.load(path, SECRET)
    assert not isinstance(caught.value, WrongPassphrase)


def test_too_little_memory_is_an_error_of_the_file(
    path: Path, locked: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(**_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(passphrase, "Argon2id", none_left)
    with pytest.raises(IdentityFileError, match="not enough memory to unlock"):
        Identity.load(path, SECRET)
    with pytest.raises(IdentityFileError, match="not enough memory to lock"):
        canary_identity().save(path, replace=True, passphrase=SECRET)
    assert path.read_bytes() == locked


# Another device key.


def test_rotation_keeps_the_identity_and_replaces_device_key_and_certificate(path: Path) -> None:
    identity = canary_identity()
    rotated = identity.rotated(NOW + 1000)
    assert rotated.id == identity.id
    assert rotated.device_key.private_bytes_raw() != DEVICE_SEED
    assert rotated.handshake_payload() != identity.handshake_payload()
    assert rotated.not_after == identity.not_after + 1000
    assert identity.device_key.private_bytes_raw() == DEVICE_SEED
    rotated.save(path)
    loaded = Identity.load(path)
    assert loaded.handshake_payload() == rotated.handshake_payload()
    keys = {identity.rotated(NOW).device_key.private_bytes_raw() for _ in range(20)}
    assert len(keys) == 20


def test_rotation_and_derived_secrets_go_together(path: Path) -> None:
    identity = canary_identity()
    for changed in (identity.rotated(NOW), identity.renewed(NOW + 5)):
        assert changed.derive(b"label", b"salt") == identity.derive(b"label", b"salt")
