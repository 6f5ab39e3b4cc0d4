"""What docs/stability.md says of formats with another number is what becomes of them."""

from __future__ import annotations

import json
import re
import sqlite3
import tomllib
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from e2ee import E2EEError, Identity, Session, errors
from e2ee.backup import backup_phrase, restore
from e2ee.contact_file import ContactFile
from e2ee.conversation_file import ConversationFile
from e2ee.ids import decode_bech32m, encode_bech32m
from e2ee.invitation import Link
from e2ee.messages import Certificate, Unsupported, decode, decode_chat, encode
from e2ee_cli.version import DISTRIBUTION, VERSION, version_line

PAGE = Path(__file__).parents[2] / "docs" / "stability.md"
ALICE = Identity.generate()


def rows() -> dict[str, str]:
    """What the last column of the table says, by the format."""
    text = PAGE.read_text().partition("| format |")[2]
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {name: says for name, _, says in cells}


Reads = Callable[[], object]


def opening(_: Path) -> Reads:
    return lambda: Session.responder(ALICE).receive_data(b"e2ee\x02\x00\x00\x01")


def suite(_: Path) -> Reads:
    return lambda: Session.responder(ALICE).receive_data(b"e2ee\x01\x00\x00\x99")


def certificate(_: Path) -> Reads:
    one = Certificate(identity=ALICE.public_key, static_key=bytes(32), not_before=0, not_after=1)
    return lambda: decode(Certificate, encode(one).replace(b'"version":1', b'"version":2'))


def link(_: Path) -> Reads:
    data = decode_bech32m("invite", Link(ALICE.public_key, bytes(32), 1, [("host", 1)]).text[5:])
    return lambda: Link.parse("e2ee:" + encode_bech32m("invite", b"\x02" + data[1:]))


def identity_file(folder: Path) -> Reads:
    ALICE.save(folder / "identity")
    newer(folder / "identity")
    return lambda: Identity.load(folder / "identity")


def locked_identity_file(folder: Path) -> Reads:
    word = "open"
    ALICE.save(folder / "identity", passphrase=word)
    newer(folder / "identity")
    return lambda: Identity.load(folder / "identity", word)


def contact_file(folder: Path) -> Reads:
    with ContactFile(folder / "contacts", ALICE).update():
        pass
    newer(folder / "contacts")
    return lambda: ContactFile(folder / "contacts", ALICE).read()


def conversations(folder: Path) -> Reads:
    path = folder / "conversations"
    file = ConversationFile(path, ALICE)
    file.remember(bytes(32), "in", 1, "", "hello")
    file.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    return lambda: list(ConversationFile(path, ALICE).history())


def newer(path: Path) -> None:
    """Another number in the first line, and nothing else."""
    data = path.read_bytes()
    assert b"version 1\n" in data
    path.write_bytes(data.replace(b"version 1\n", b"version 2\n", 1))


REFUSED: dict[str, list[Callable[[Path], Reads]]] = {
    "opening of a session": [opening],
    "suite": [suite],
    "device certificate": [certificate],
    "link": [link],
    "identity file, plain and locked": [identity_file, locked_identity_file],
    "contact file": [contact_file],
    "conversations and history": [conversations],
}
NO_NUMBER = {
    "what is said in an open session",
    "spoken code",
    "backup in words",
    "`--json`",
}


def test_the_table_has_these_formats() -> None:
    assert rows().keys() == REFUSED.keys() | NO_NUMBER


@pytest.mark.parametrize(
    ("format_", "does"), [(name, does) for name, each in REFUSED.items() for does in each]
)
def test_another_number_is_refused(
    format_: str, does: Callable[[Path], Reads], tmp_path: Path
) -> None:
    says = re.match(r"refused: `(\w+)`", rows()[format_])
    assert says is not None
    expected = getattr(errors, says[1])
    reads = does(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(E2EEError) as caught:
        reads()
    assert type(caught.value) is expected
    assert {path: path.read_bytes() for path in before} == before


def test_the_program_says_the_version_of_the_distribution() -> None:
    assert version_line() == f"e2ee {version(DISTRIBUTION)}"
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["version"]) == (DISTRIBUTION, VERSION)


def test_what_has_no_number() -> None:
    kind = json.dumps({"kind": "later", "of": 3}, separators=(",", ":")).encode()
    assert isinstance(decode_chat(kind), Unsupported)
    with pytest.raises(errors.InvalidBackup):
        restore([*backup_phrase(ALICE), "zebra"])
