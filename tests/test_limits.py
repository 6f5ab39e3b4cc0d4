"""Every limit at nothing, at one, below it, at it and above it; and that there is no other."""

from __future__ import annotations

import ast
import json
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from e2ee import E2EEError, Identity, Peer, passphrase
from e2ee.contact_file import MAX_SIZE, ContactFile
from e2ee.contacts import ContactBook
from e2ee.conversation import Conversation
from e2ee.conversation_file import ConversationFile
from e2ee.errors import ContactFileError, InvalidInvitation
from e2ee.file_messages import decode_file_message
from e2ee.file_transfer import FileTransfers
from e2ee.identity import FILE_HEADER
from e2ee.ids import encode_bech32m
from e2ee.invitation import Link, SpokenCode
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.messages import (
    Certificate,
    HandshakePayload,
    WireModel,
    decode,
    decode_chat,
    decode_control,
    encode,
)
from e2ee.opening import KnownDevice
from e2ee.pipe_messages import decode_pipe
from e2ee_cli import home, settings
from e2ee_cli.exits import CliError
from e2ee_cli.file_names import safe_name
from e2ee_cli.names import claimed
from tests.limits import EVERY, NO_LIMITS, PROGRAM, PROTOCOL, ROOT, source

Figure = Callable[[str], None]

ALICE, BOB = Identity.generate(), Identity.generate()
ID = "aWlpaWlpaWlpaWlpaWlpaQ=="
KIND = b'"kind":"x",'
HASH = "A" * 43 + "="


def came(kind: str, **members: Any) -> bytes:
    """A message with any members, in the canonical form, as a peer may write it."""
    return json.dumps({"kind": kind, **members}, separators=(",", ":")).encode()


def b64(size: int) -> str:
    text: str = json.loads(encode(Raw(data=bytes(size))))["data"]
    return text


class Raw(WireModel):
    data: bytes


# What is done with a value. Each raises an error of ours, or does not.


def send_a_text(size: int) -> None:
    journal = MemoryJournal()
    journal.add(Outgoing(1, "é" * (size // 2) + "x" * (size % 2), 0))


def call_oneself(size: int) -> None:
    Conversation(MemoryJournal()).introduce("é" * size)


def offer_a_file(name: str = "x", size: int = 0) -> None:
    FileTransfers().sending.offer_file(name, size)


class Many(list[tuple[tuple[str, ...], int]]):
    """Says that it is long, which is quicker than to be it."""

    said: int

    def __len__(self) -> int:
        return self.said


def offer_a_folder(count: int = 1, depth: int = 1) -> None:
    files = Many([(("x",) * depth, 0)] * min(count, 1))
    files.said = count
    FileTransfers().sending.offer_folder("x", files)


def folder_file(depth: int) -> bytes:
    return came("folder_file", transfer=ID, folder=ID, path=["x"] * depth, size=0)


def folder_offer(count: int) -> bytes:
    return came("folder_offer", transfer=ID, name="x", size=0, count=count, listing=HASH)


def make_a_link(addresses: list[tuple[str, int]]) -> str:
    return Link(ALICE.public_key, bytes(32), 1, addresses).text


def read_a_link(addresses: list[tuple[str, int]]) -> None:
    """From bytes that no ``Link`` would have written."""
    data = b"\x01" + ALICE.public_key + bytes(32) + bytes(8)
    for host, port in addresses:
        data += bytes([len(host)]) + host.encode() + port.to_bytes(2)
    Link.parse("e2ee:" + encode_bech32m("invite", data))


def meet_at_addresses(count: int) -> None:
    """More than there is room for push out the oldest, so that there are never more."""
    book = ContactBook()
    for port in range(1, count + 1):
        try:
            book.meet(Peer(BOB.public_key, bytes(32), 0, 9), "code", 5, address=("host", port))
        except E2EEError as error:
            raise AssertionError("there is always room for the latest") from error
    contact = book.of(BOB.public_key)
    found = [] if contact is None else [address.port for address in contact.addresses]
    assert found == list(range(count, 0, -1))[: len(found)]
    if len(found) < count:
        raise Changed


def read_a_contact(**members: Any) -> None:
    contact = {
        "name": "bob",
        "claimed_name": "",
        "identity": json.loads(encode(Raw(data=BOB.public_key)))["data"],
        "how": "code",
        "first_seen": 1,
        "graded_at": 1,
        "last_seen": 1,
        "blocked": False,
        "floor": 0,
        "devices": [],
        "addresses": [],
        **members,
    }
    book = {"version": 1, "own_sequence": 0, "contacts": [contact], "invitations": []}
    ContactBook.from_bytes(json.dumps(book, separators=(",", ":")).encode())


def addresses(count: int) -> list[dict[str, Any]]:
    return [{"host": "host", "port": 1 + port, "static_key": HASH} for port in range(count)]


def unlock(memory: int = 262_144, passes: int = 1, lanes: int = 1) -> None:
    """Without the work: what counts is whether it would be done."""
    with mock.patch.object(passphrase, "MEMORY", 32), mock.patch.object(passphrase, "PASSES", 1):
        locked = passphrase.lock(b"secret", "p", FILE_HEADER)
    text = re.sub("argon2id 32 1 4", f"argon2id {memory} {passes} {lanes}", locked)
    with mock.patch.object(passphrase, "Argon2id") as argon:
        argon.return_value.derive.return_value = bytes(32)
        try:
            passphrase.unlock(text, "p", FILE_HEADER)
        except passphrase.WrongKey:
            assert argon.called


def lock(size: int) -> None:
    with mock.patch.object(passphrase, "MEMORY", 32):
        passphrase.lock(b"secret", "x" * size, FILE_HEADER)


def certificate(size: int) -> None:
    decode(HandshakePayload, came("x", certificate=b64(size), signature=b64(64)).replace(KIND, b""))


class Changed(E2EEError):
    """What was given is not what there is now: cut, or pushed out by what came later."""


class NoSetting(E2EEError):
    """A setting cannot have this value."""


def profile(name: str) -> None:
    with mock.patch.dict(os.environ, {"E2EE_HOME": "/nowhere", "E2EE_PROFILE": name}):
        home.home()


def setting(name: str, value: object) -> None:
    try:
        settings.SETTINGS[name].check(value)
    except ValueError:
        raise NoSetting from None


def unchanged(cleans: Callable[[str], str], text: str) -> None:
    if cleans(text) != text:
        raise Changed


def remember(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = ConversationFile(Path(folder) / "conversations", ALICE)
        file.remember(BOB.public_key, "in", 1, "", "x" * size)
        (entry,) = file.history()
        assert entry.message == "x" * size


@dataclass(frozen=True)
class Probe:
    """``does`` -- something with a value, which is right from ``lowest`` to the limit."""

    place: str
    way: str
    does: Callable[[int], object]
    lowest: int = 0


SENT, RECEIVED, READ = "sent", "received", "read"

PROBES = (
    Probe("e2ee.messages:MAX_TEXT_LENGTH", SENT, send_a_text),
    Probe(
        "e2ee.messages:MAX_TEXT_LENGTH",
        RECEIVED,
        lambda n: decode_chat(came("text", id=1, body="x" * n)),
    ),
    Probe("e2ee.messages:MAX_CLAIMED_NAME", SENT, call_oneself, 1),
    Probe(
        "e2ee.messages:MAX_CLAIMED_NAME",
        RECEIVED,
        lambda n: decode_chat(came("name", name="x" * n)),
        1,
    ),
    Probe("e2ee.messages:MAX_CLAIMED_NAME", READ, lambda n: read_a_contact(claimed_name="x" * n)),
    Probe(
        "e2ee.messages:MAX_PURPOSES",
        RECEIVED,
        lambda n: decode_chat(came("hello", purposes=["chat"] * n)),
        1,
    ),
    Probe(
        "e2ee.messages:MAX_WORD_LENGTH",
        RECEIVED,
        lambda n: decode_chat(came("leave", reason="x" * n)),
        1,
    ),
    Probe(
        "e2ee.messages:MAX_WORD_LENGTH",
        RECEIVED + " as a kind",
        lambda n: decode_chat(came("x" * n)),
        1,
    ),
    Probe(
        "e2ee.messages:MAX_WORD_LENGTH",
        RECEIVED + " as a purpose",
        lambda n: decode_chat(came("hello", purposes=["x" * n])),
        1,
    ),
    Probe(
        "e2ee.messages:MAX_REFRESH_MESSAGE",
        RECEIVED,
        lambda n: decode_control(came("refresh_offer", message=b64(n))),
        1,
    ),
    Probe(
        "e2ee.messages:MAX_REFRESH_MESSAGE",
        RECEIVED + " as an answer",
        lambda n: decode_control(came("refresh_answer", message=b64(n))),
        1,
    ),
    Probe("e2ee.messages:MAX_CERTIFICATE_LENGTH", RECEIVED, certificate),
    Probe("e2ee.limits:MAX_KNOWN_TIME", SENT, lambda n: KnownDevice(bytes(32), n)),
    Probe(
        "e2ee.limits:MAX_KNOWN_TIME",
        RECEIVED,
        lambda n: decode_chat(came("resume", received=n)),
    ),
    Probe(
        "e2ee.limits:MAX_KNOWN_TIME",
        RECEIVED + " in a certificate",
        lambda n: decode(
            Certificate,
            b'{"version":1,"identity":"%s","static_key":"%s","not_before":0,"not_after":%d}'
            % (HASH.encode(), HASH.encode(), n),
        ),
    ),
    Probe("e2ee.limits:MAX_KNOWN_TIME", READ, lambda n: read_a_contact(last_seen=n)),
    Probe("e2ee.journal:MAX_TEXT_ID", SENT, lambda n: Outgoing(n, "x", 0), 1),
    Probe(
        "e2ee.journal:MAX_TEXT_ID",
        RECEIVED,
        lambda n: decode_chat(came("text", id=n, body="x")),
        1,
    ),
    Probe(
        "e2ee.journal:MAX_TEXT_ID",
        RECEIVED + " in a receipt",
        lambda n: decode_chat(came("receipt", id=n)),
        1,
    ),
    Probe("e2ee.pipe_messages:MAX_DATA", RECEIVED, lambda n: decode_pipe(b"\x02" + bytes(n)), 1),
    Probe(
        "e2ee.file_messages:MAX_CHUNK",
        RECEIVED,
        lambda n: decode_file_message(b"\x01" + bytes(24 + n)),
        1,
    ),
    Probe("e2ee.file_messages:MAX_FILE_SIZE", SENT, lambda n: offer_a_file(size=n)),
    Probe(
        "e2ee.file_messages:MAX_FILE_SIZE",
        RECEIVED,
        lambda n: decode_file_message(came("file_offer", transfer=ID, name="x", size=n)),
    ),
    Probe(
        "e2ee.file_messages:MAX_FILE_SIZE",
        RECEIVED + " as an offset",
        lambda n: decode_file_message(b"\x01" + bytes(16) + n.to_bytes(8) + b"x"),
    ),
    Probe("e2ee.file_messages:MAX_NAME_BYTES", SENT, lambda n: offer_a_file(name="x" * n), 1),
    Probe(
        "e2ee.file_messages:MAX_NAME_BYTES",
        RECEIVED,
        lambda n: decode_file_message(came("file_offer", transfer=ID, name="x" * n, size=0)),
        1,
    ),
    Probe("e2ee.file_messages:MAX_DEPTH", SENT, lambda n: offer_a_folder(depth=n), 1),
    Probe(
        "e2ee.file_messages:MAX_DEPTH",
        RECEIVED,
        lambda n: decode_file_message(folder_file(n)),
        1,
    ),
    Probe("e2ee.file_messages:MAX_FILES", SENT, lambda n: offer_a_folder(count=n), 1),
    Probe(
        "e2ee.file_messages:MAX_FILES",
        RECEIVED,
        lambda n: decode_file_message(folder_offer(n)),
        1,
    ),
    Probe(
        "e2ee.invitation:MAX_CODE_NUMBER",
        SENT,
        lambda n: SpokenCode(n, ["acrobat", "velcro", "sugar"]),
        1,
    ),
    Probe(
        "e2ee.invitation:MAX_CODE_NUMBER",
        READ,
        lambda n: SpokenCode.parse(f"{n}-acrobat-velcro-sugar"),
        1,
    ),
    Probe("e2ee.invitation:MAX_ADDRESSES", SENT, lambda n: make_a_link([("h", 1)] * n), 1),
    Probe("e2ee.invitation:MAX_ADDRESSES", READ, lambda n: read_a_link([("h", 1)] * n), 1),
    Probe("e2ee.limits:MAX_HOST_LENGTH", SENT, lambda n: make_a_link([("h" * n, 1)]), 1),
    Probe("e2ee.limits:MAX_HOST_LENGTH", READ, lambda n: read_a_link([("h" * n, 1)]), 1),
    Probe(
        "e2ee.limits:MAX_HOST_LENGTH",
        READ + " from a contact",
        lambda n: read_a_contact(addresses=[{"host": "h" * n, "port": 1, "static_key": HASH}]),
        1,
    ),
    Probe("e2ee.limits:MAX_PORT", SENT, lambda n: make_a_link([("h", n)]), 1),
    Probe(
        "e2ee.limits:MAX_PORT",
        READ,
        lambda n: read_a_contact(addresses=[{"host": "h", "port": n, "static_key": HASH}]),
        1,
    ),
    Probe("e2ee.contacts:MAX_ADDRESSES", SENT, meet_at_addresses),
    Probe("e2ee.contacts:MAX_ADDRESSES", READ, lambda n: read_a_contact(addresses=addresses(n))),
    Probe(
        "e2ee.contacts:MAX_NAME_LENGTH",
        SENT,
        lambda n: ContactBook().meet(
            Peer(BOB.public_key, bytes(32), 0, 9), "code", 5, name="é" * n
        ),
    ),
    Probe("e2ee.contacts:MAX_NAME_LENGTH", READ, lambda n: read_a_contact(name="x" * n), 1),
    Probe("e2ee.passphrase:MAX_PASSPHRASE_LENGTH", SENT, lock, 1),
    Probe("e2ee.passphrase:MAX_MEMORY", READ, lambda n: unlock(memory=n), 8),
    Probe("e2ee.passphrase:MAX_PASSES", READ, lambda n: unlock(passes=n), 1),
    Probe("e2ee.passphrase:MAX_LANES", READ, lambda n: unlock(lanes=n), 1),
    Probe("e2ee.conversation_file:MAX_MESSAGE_LENGTH", SENT, remember),
    Probe("e2ee_cli.home:MAX_PROFILE_LENGTH", READ, lambda n: profile("x" * n)),
    Probe("e2ee_cli.settings:MAX_NAME", READ, lambda n: setting("name", "x" * n)),
    Probe("e2ee_cli.settings:MAX_HISTORY_DAYS", READ, lambda n: setting("history_days", n), 1),
    Probe("e2ee_cli.file_names:MAX_BYTES", READ, lambda n: unchanged(safe_name, "x" * n), 1),
    Probe("e2ee_cli.names:MAX_SHOWN", READ, lambda n: unchanged(claimed, "x" * n)),
    Probe("e2ee_cli.names:MAX_MARKS", READ, lambda n: unchanged(claimed, "x" + "\u0317" * n)),
)


BY_PLACE = {limit.place: limit for limit in (*PROTOCOL, *PROGRAM)}


@pytest.mark.attack(26)
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: f"{probe.place}, {probe.way}")
def test_a_limit_is_kept(probe: Probe, figure: Figure) -> None:
    limit = BY_PLACE[probe.place].value
    assert isinstance(limit, int)
    for value in (right := sorted({0, 1, limit - 1, limit, limit + 1})):
        if probe.lowest <= value <= limit:
            probe.does(value)
        else:
            with pytest.raises((E2EEError, CliError, passphrase.NotLocked)):
                probe.does(value)
    figure(f"limits: {BY_PLACE[probe.place].name}, {probe.way}: right at {right}")


@pytest.mark.attack(26)
def test_each_limit_has_a_name_a_unit_a_reason_and_a_test(figure: Figure) -> None:
    probed = {probe.place for probe in PROBES}
    for limit in BY_PLACE.values():
        assert limit.docstring, limit.place
        assert (limit.test == EVERY) == (limit.place in probed), limit.place
        file, _, test = limit.test.partition("::")
        tests = (ROOT / "tests" / file).read_text()
        assert f"def {test}(" in tests, f"{limit.place}: there is no {limit.test}"
    figure(
        f"limits: {len(BY_PLACE)}, each a named constant with its test; {len(probed)} of them in "
        f"{len(PROBES)} places at 0, 1, limit - 1, limit and limit + 1"
    )


@pytest.mark.attack(26)
def test_the_longest_link(figure: Figure) -> None:
    limit = BY_PLACE["e2ee.invitation:MAX_LINK_LENGTH"].value

    def hosts(size: int) -> list[tuple[str, int]]:
        return [("h" * 253, 1), ("h" * min(size - 253, 253), 1), ("h" * max(size - 506, 1), 1)]

    longest = 254
    while len(made := make_a_link(hosts(longest))) < limit - 1:  # Five bits are a character.
        longest += 1
    with pytest.raises(InvalidInvitation):
        make_a_link(hosts(longest + 1))
    read_a_link(hosts(longest))
    with pytest.raises(InvalidInvitation):
        read_a_link(hosts(longest + 1))
    figure(f"limits: a link of {len(made)} characters made and read, the next longer refused")


@pytest.mark.attack(26)
def test_the_largest_contact_file(tmp_path: Path, figure: Figure) -> None:
    path = tmp_path / "contacts"
    for size, says in ((MAX_SIZE, "another identity's"), (MAX_SIZE + 1, "larger than any file")):
        path.touch(0o600)
        path.write_bytes(b"e2ee contacts, version 1\n")
        os.truncate(path, size)
        with pytest.raises(ContactFileError, match=says):
            ContactFile(path, ALICE).read()
    figure(f"limits: a contact file of {MAX_SIZE:,} bytes is read, one byte more is not")


# That there is no other.


def numbers(path: Path) -> list[str]:
    """The constants of a module that are a number, or several."""
    names = []
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and is_numeric(statement.value):
            (target,) = statement.targets
            names += ast.unparse(target).strip("()").split(", ")
    return names


def is_numeric(value: ast.expr) -> bool:
    parts = list(ast.walk(value))
    kinds = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Tuple, ast.Name)
    return all(isinstance(part, kinds) for part in parts if isinstance(part, ast.expr)) and any(
        isinstance(part, ast.Constant) and type(part.value) in {int, float} for part in parts
    )


MODULES = sorted([*(ROOT / "e2ee").rglob("*.py"), *(ROOT / "cli").glob("*.py")])


@pytest.mark.attack(26)
def test_every_number_with_a_name_is_a_limit_or_known_to_be_none(figure: Figure) -> None:
    listed = {(source(limit.module), limit.name) for limit in BY_PLACE.values()}
    found = {(path, name) for path in MODULES for name in numbers(path)}
    unknown = {
        (path, name)
        for path, name in found - listed
        if name not in NO_LIMITS and not name.startswith("_")
    }
    assert not unknown
    assert {name for _, name in found} >= NO_LIMITS
    figure(f"limits: {len(found)} constants are numbers, each a limit or known to be none")


@pytest.mark.attack(26)
def test_no_limit_stands_in_the_middle_of_the_code(figure: Figure) -> None:
    """As a number above 16 that something is compared with, or as a length of a field."""
    sizes = ("!= 32", "> 127", "< 2 ** 32", "< 999.95")
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Compare) and any(map(is_large, ast.walk(node))):
                assert ast.unparse(node).endswith(sizes), where
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Field":
                at = {k.arg: ast.unparse(k.value) for k in node.keywords}
                low, high = at.get("min_length"), at.get("max_length", "")
                assert not high.isdigit() or low == high, where
    figure(f"limits: none stands as a bare number in the code of {len(MODULES)} modules")


def is_large(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, int | float) and value > 16
