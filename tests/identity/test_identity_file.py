"""The identity file: private, written whole or not at all, and read back exactly or refused."""

from __future__ import annotations

import base64
import copy
import errno
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import Identity, IdentityFileError
from e2ee.certificate import sign_certificate
from e2ee.errors import CertificateError, UsageError
from e2ee.identity import (
    CERTIFICATE_LIFETIME,
    CLOCK_TOLERANCE,
    FILE_HEADER,
    MAX_FILE_SIZE,
    RENEWAL_MARGIN,
)
from e2ee.limits import MAX_KNOWN_TIME
from e2ee.messages import Certificate

NOW = 1_800_000_000

IDENTITY_SEED = b"CANARY-identity-seed-32-bytes-AA"
DEVICE_SEED = b"CANARY-device-private-32-bytes-B"


def canary_identity() -> Identity:
    """An identity whose private keys are easy to find in any text."""
    return Identity._certified(
        Ed25519PrivateKey.from_private_bytes(IDENTITY_SEED),
        X25519PrivateKey.from_private_bytes(DEVICE_SEED),
        NOW,
    )


def same(first: Identity, second: Identity) -> bool:
    return all_of(first) == all_of(second)


def all_of(identity: Identity) -> tuple[bytes, ...]:
    """Five bits of an X25519 private key are without effect, so its public key is compared."""
    return (
        identity._identity_key.private_bytes_raw(),
        identity.device_key.public_key().public_bytes_raw(),
        identity.handshake_payload(),
    )


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    path.write_bytes(data)
    path.chmod(mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "identity"


# There and back.


@pytest.mark.parametrize("now", [None, NOW, 0.5, float(NOW) + 0.9])
def test_what_is_saved_is_loaded_again(path: Path, now: float | None) -> None:
    identity = Identity.generate(now=now)
    identity.save(path)
    loaded = Identity.load(str(path))
    assert same(loaded, identity)
    assert loaded.device_key.private_bytes_raw() == identity.device_key.private_bytes_raw()
    assert (loaded.id, loaded.words) == (identity.id, identity.words)
    assert (loaded.not_before, loaded.not_after) == (identity.not_before, identity.not_after)


def test_the_file_is_as_the_specification_says(path: Path) -> None:
    canary_identity().save(path)
    header, *fields, end = path.read_bytes().split(b"\n")
    assert header.decode() == FILE_HEADER == "e2ee identity, version 1"
    assert end == b""
    names, values = zip(*(field.split(b" ") for field in fields), strict=True)
    assert names == (b"identity-key", b"device-key", b"certificate", b"signature")
    identity_key, device_key, certificate, signature = map(base64.urlsafe_b64decode, values)
    assert (identity_key, device_key) == (IDENTITY_SEED, DEVICE_SEED)
    assert certificate.startswith(b'{"version":1,"identity":"')
    assert len(signature) == 64


# Permissions.


def test_a_file_that_its_owner_may_only_read_is_accepted(path: Path) -> None:
    Identity.generate().save(path)
    path.chmod(0o400)
    Identity.load(path)


# What is there is kept.


def test_an_existing_file_is_never_overwritten_unasked(path: Path) -> None:
    first, second = Identity.generate(), Identity.generate()
    first.save(path)
    with pytest.raises(IdentityFileError, match="exists already"):
        second.save(path)
    assert same(Identity.load(path), first)
    second.save(path, replace=True)
    assert same(Identity.load(path), second)
    assert os.listdir(path.parent) == ["identity"]


def test_nothing_else_that_has_the_name_is_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "empty").touch()
    before = sorted(os.listdir(tmp_path))
    for name in before:
        with pytest.raises(IdentityFileError):
            Identity.generate().save(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "empty").read_bytes() == b""
    assert not (tmp_path / "target").exists()


def test_replacing_a_symbolic_link_leaves_its_target_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"somebody else's")
    link = tmp_path / "link"
    link.symlink_to(target)
    identity = Identity.generate()
    identity.save(link, replace=True)
    assert target.read_bytes() == b"somebody else's"
    assert not link.is_symlink()
    assert same(Identity.load(link), identity)


def test_a_file_system_without_hard_links_works_and_still_overwrites_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*args: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("e2ee.identity.os.link", no_links)
    identity = Identity.generate()
    identity.save(path)
    with pytest.raises(IdentityFileError, match="exists already"):
        Identity.generate().save(path)
    assert same(Identity.load(path), identity)
    assert os.listdir(path.parent) == ["identity"]


# Damage.


def assert_refused_or_equal(path: Path, identity: Identity, data: bytes) -> bool:
    write(path, data)
    try:
        loaded = Identity.load(path)
    except IdentityFileError as error:
        assert_shows_no_secret(str(error))
        return True
    assert same(loaded, identity)
    return False


def test_every_truncation_is_refused(path: Path, figure: Callable[[str], None]) -> None:
    identity = canary_identity()
    identity.save(path)
    data = path.read_bytes()
    for length in range(len(data)):
        assert assert_refused_or_equal(path, identity, data[:length])
    figure(f"identity file: {len(data)} of {len(data)} truncations refused")


@pytest.mark.slow
def test_every_changed_byte_is_refused_or_makes_no_difference(
    path: Path, figure: Callable[[str], None]
) -> None:
    identity = canary_identity()
    identity.save(path)
    data = path.read_bytes()
    refused = tried = 0
    for place in range(len(data)):
        for difference in (*(1 << bit for bit in range(8)), 0xFF):
            changed = bytearray(data)
            changed[place] ^= difference
            tried += 1
            refused += assert_refused_or_equal(path, identity, bytes(changed))
    assert refused > tried * 0.99
    figure(f"identity file: {refused} of {tried} changes refused, the others made no difference")


def test_every_dropped_or_doubled_byte_is_refused_or_makes_no_difference(path: Path) -> None:
    identity = canary_identity()
    identity.save(path)
    data = path.read_bytes()
    for place in range(len(data)):
        assert_refused_or_equal(path, identity, data[:place] + data[place + 1 :])
        assert_refused_or_equal(path, identity, data[: place + 1] + data[place:])
        assert_refused_or_equal(path, identity, data[:place] + b"\n" + data[place:])
        assert_refused_or_equal(path, identity, data[:place] + b"\0" + data[place:])


def test_lines_dropped_doubled_swapped_or_added_are_refused(path: Path) -> None:
    identity = canary_identity()
    identity.save(path)
    lines = path.read_bytes().splitlines(keepends=True)
    others = [b"".join(lines) + b"\n", b"".join(lines) + b"x", b"\n" + b"".join(lines)]
    for i in range(5):
        others.append(b"".join(lines[:i] + lines[i + 1 :]))
        others.append(b"".join(lines[: i + 1] + lines[i:]))
        for j in range(i):
            swapped = lines.copy()
            swapped[i], swapped[j] = swapped[j], swapped[i]
            others.append(b"".join(swapped))
    others.append(b"".join(lines).replace(b"\n", b"\r\n"))
    for data in others:
        assert assert_refused_or_equal(path, identity, data)


def test_parts_of_two_identities_do_not_fit_each_other(path: Path) -> None:
    Identity.generate().save(path)
    first = path.read_bytes().splitlines(keepends=True)
    Identity.generate().save(path, replace=True)
    second = path.read_bytes().splitlines(keepends=True)
    for choice in range(1, 15):
        mixed = [(second if choice >> i & 1 else first)[i + 1] for i in range(4)]
        write(path, b"".join([first[0], *mixed]))
        with pytest.raises(IdentityFileError, match="damaged"):
            Identity.load(path)


@pytest.mark.parametrize(
    "header",
    [b"e2ee identity, version 2", b"e2ee identity, version 10", b"e2ee identity, version "],
)
def test_a_file_of_another_version_is_called_that(path: Path, header: bytes) -> None:
    Identity.generate().save(path)
    write(path, header + path.read_bytes()[len(FILE_HEADER) :])
    with pytest.raises(IdentityFileError, match="version that this program does not know"):
        Identity.load(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\xff" * 100,
        b"\0" * MAX_FILE_SIZE,
        FILE_HEADER.encode(),
        FILE_HEADER.encode() + b"\n" * 5,
        FILE_HEADER.encode() + b"\nidentity-key \ndevice-key \ncertificate \nsignature \n",
        FILE_HEADER.encode()
        + b"\nidentity-key \xff\ndevice-key \xff\ncertificate =\nsignature A\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
    ],
)
def test_a_file_of_something_else_is_refused(path: Path, data: bytes) -> None:
    write(path, data)
    with pytest.raises(IdentityFileError):
        Identity.load(path)


def test_a_file_longer_than_any_identity_is_not_read_to_its_end(path: Path) -> None:
    Identity.generate().save(path)
    data = path.read_bytes()
    for size in (MAX_FILE_SIZE + 1, 1_000_000):
        write(path, data.ljust(size, b"\n"))
        with pytest.raises(IdentityFileError, match="larger than any file"):
            Identity.load(path)


# Paths that are no files.


def places_without_a_file(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "folder").mkdir(mode=0o700)
    yield tmp_path / "folder"
    os.mkfifo(tmp_path / "fifo", 0o600)
    yield tmp_path / "fifo"
    yield tmp_path / "missing"
    yield tmp_path / "missing" / "identity"
    (tmp_path / "file").touch(0o600)
    yield tmp_path / "file" / "identity"
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    yield tmp_path / "dangling"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    yield tmp_path / "loop"
    yield Path("/dev/null")
    yield tmp_path / ("x" * 300)


def test_a_path_without_a_file_is_refused_at_once(tmp_path: Path) -> None:
    for place in places_without_a_file(tmp_path):
        with pytest.raises(IdentityFileError):
            Identity.load(place)


def test_a_symbolic_link_to_an_identity_is_followed(tmp_path: Path) -> None:
    identity = Identity.generate()
    identity.save(tmp_path / "identity")
    (tmp_path / "link").symlink_to("identity")
    assert same(Identity.load(tmp_path / "link"), identity)
    (tmp_path / "identity").chmod(0o644)
    with pytest.raises(IdentityFileError, match="chmod"):
        Identity.load(tmp_path / "link")
    (tmp_path / "identity").chmod(0o600)


@pytest.mark.parametrize("name", ["missing/identity", "file/identity", "x" * 255, "x" * 300])
def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    for replace in (False, True):
        with pytest.raises(IdentityFileError, match="cannot be written"):
            Identity.generate().save(tmp_path / name, replace=replace)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(IdentityFileError, match="cannot be written: Permission denied"):
            Identity.generate().save(tmp_path / "identity")
    finally:
        tmp_path.chmod(0o700)


ON_A_FULL_DISK = """
import resource, signal, sys
from e2ee import Identity, IdentityFileError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
for replace in (False, True):
    try:
        Identity.generate().save(sys.argv[1], replace=replace)
    except IdentityFileError as error:
        print(error)
    else:
        print("saved")
"""


@pytest.mark.parametrize("room", [0, 1, 300])
@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_the_old_file_whole_and_nothing_half_written(
    path: Path, room: int, exists: bool
) -> None:
    identity = Identity.generate()
    if exists:
        identity.save(path)
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(path), str(room)],
        # A measurement of coverage could not write its own file either.
        env={name: value for name, value in os.environ.items() if "COVERAGE" not in name},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{path} cannot be written: File too large\n" * 2
    assert done.stderr == ""
    assert os.listdir(path.parent) == (["identity"] if exists else [])
    if exists:
        assert same(Identity.load(path), identity)


# Secrets.


def assert_shows_no_secret(text: str) -> None:
    for seed in (IDENTITY_SEED, DEVICE_SEED):
        for form in (
            seed.decode(),
            repr(seed)[2:-1],
            seed.hex(),
            base64.b64encode(seed).decode(),
            base64.urlsafe_b64encode(seed).decode(),
            str(list(seed))[1:-1],
        ):
            assert form[:20] not in text


def test_no_way_to_print_an_identity_shows_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    identity = canary_identity()
    assert repr(identity) == f"<Identity {identity.id}>"
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("%s %r", identity, identity)
    for text in (
        repr(identity),
        str(identity),
        f"{identity}",
        f"{identity!r}",
        repr([identity, {identity: identity}]),
        caplog.text,
        repr(identity.device_key),
        repr(identity._identity_key),
        repr(identity._payload),
        str([getattr(identity, name) for name in Identity.__slots__]),
    ):
        assert_shows_no_secret(text)
    assert not hasattr(identity, "__dict__")


def test_an_identity_is_not_copied_and_not_pickled() -> None:
    identity = canary_identity()
    copiers: list[Callable[[Identity], object]] = [copy.copy, copy.deepcopy, pickle.dumps]
    copiers += [
        lambda identity, protocol=protocol: pickle.dumps(identity, protocol)  # type: ignore[misc]
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for copier in copiers:
        with pytest.raises(TypeError, match="cannot be copied or pickled") as caught:
            copier(identity)
        assert_shows_no_secret(str(caught.value))


def test_the_errors_of_a_damaged_file_show_nothing_of_it(path: Path) -> None:
    identity = canary_identity()
    identity.save(path)
    data = path.read_bytes()
    damaged = [
        data.replace(b"certificate ey", b"certificate eY"),
        data.replace(b"signature ", b"signature AAAA"),
        data.replace(b"identity-key ", b"identity-key AAAA"),
        data.replace(b"device-key ", b"device-key A"),
        data.replace(b"certificate ", b"certificate " + b"AAAA" * 120),
        data[:-10],
    ]
    for changed in damaged:
        write(path, changed)
        with pytest.raises(IdentityFileError) as caught:
            Identity.load(path)
        error: BaseException | None = caught.value
        while error is not None:
            assert_shows_no_secret(str(error) + repr(error) + repr(error.args))
            error = error.__context__


# Certificates that fit, and time.


def test_an_identity_is_not_made_from_parts_that_do_not_fit() -> None:
    person, device = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()

    def certified(
        identity: Ed25519PrivateKey, static: X25519PrivateKey, signer: Ed25519PrivateKey
    ) -> Identity:
        certificate = Certificate(
            identity=identity.public_key().public_bytes_raw(),
            static_key=static.public_key().public_bytes_raw(),
            not_before=0,
            not_after=NOW,
        )
        return Identity(person, device, sign_certificate(signer, certificate))

    assert certified(person, device, person).public_key == person.public_key().public_bytes_raw()
    other = Ed25519PrivateKey.generate()
    for wrong in (
        (person, device, other),
        (other, device, other),
        (other, device, person),
        (person, X25519PrivateKey.generate(), person),
    ):
        with pytest.raises(CertificateError):
            certified(*wrong)


def test_every_identity_is_new() -> None:
    made = [Identity.generate() for _ in range(50)]
    assert len({identity.id for identity in made}) == 50
    assert len({identity.device_key.private_bytes_raw() for identity in made}) == 50


def test_a_certificate_begins_and_ends_at_times_that_it_can_name() -> None:
    latest = MAX_KNOWN_TIME - 90 * 24 * 3600
    assert Identity.generate(now=latest).not_after == MAX_KNOWN_TIME
    assert Identity.generate(now=0).not_before == 0
    for now in (-1, latest + 1):
        with pytest.raises(UsageError, match="since 1970"):
            Identity.generate(now=now)


def test_a_certificate_lives_from_a_day_before_to_90_days_after() -> None:
    identity = Identity.generate(now=NOW + 0.7)
    assert identity.not_before == NOW - CLOCK_TOLERANCE == NOW - 86_400
    assert identity.not_after == NOW + CERTIFICATE_LIFETIME == NOW + 90 * 86_400
    assert Identity.generate(now=100).not_before == 0
    endless = Identity.generate()
    assert (endless.not_before, endless.not_after) == (0, MAX_KNOWN_TIME)


def test_a_renewed_identity_is_the_same_person_and_device_with_later_dates(path: Path) -> None:
    identity = Identity.generate(now=NOW)
    renewed = identity.renewed(NOW + 1000)
    assert renewed.id == identity.id
    assert all_of(renewed)[:2] == all_of(identity)[:2]
    assert renewed.not_after == identity.not_after + 1000
    assert renewed.not_before == identity.not_before + 1000
    assert identity.not_after == NOW + CERTIFICATE_LIFETIME
    renewed.save(path)
    assert same(Identity.load(path), renewed)


def test_a_certificate_is_renewed_in_its_last_30_days_and_before_it_begins() -> None:
    identity = Identity.generate(now=NOW)
    end = identity.not_after
    assert RENEWAL_MARGIN == 30 * 86_400
    for now, needed in (
        (NOW, False),
        (end - RENEWAL_MARGIN - 1, False),
        (end - RENEWAL_MARGIN, False),
        (end - RENEWAL_MARGIN + 1, True),
        (end, True),
        (end + 1, True),
        (identity.not_before, False),
        (identity.not_before - 1, True),
        (0, True),
    ):
        assert identity.needs_renewal(now) is needed
    assert not identity.renewed(end).needs_renewal(end)
    assert not Identity.generate().needs_renewal(NOW)


@pytest.mark.parametrize("name", [".", "", "/"])
def test_a_folder_is_refused_and_costs_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    identity = Identity.generate()
    for call in (Identity.load, identity.save):
        with pytest.raises(IdentityFileError, match="is not the name of a file"):
            call(name)
    open_before = os.listdir("/proc/self/fd")
    with pytest.raises(IdentityFileError, match="is not a regular file"):
        Identity.load(tmp_path)
    assert os.listdir("/proc/self/fd") == open_before


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_what_no_file_can_be_called_is_refused_by_both_ways(tmp_path: Path, name: str) -> None:
    identity = Identity.generate()
    for call in (Identity.load, identity.save):
        with pytest.raises(IdentityFileError, match="is not the name of a file"):
            call(f"{tmp_path}/{name}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_what_names_no_file_is_refused_by_both_ways(name: str) -> None:
    identity = Identity.generate()
    for call in (Identity.load, identity.save):
        with pytest.raises(IdentityFileError, match="is not the name of a file"):
            call(name)
