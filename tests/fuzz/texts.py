"""Targets: what people type and paste, and names and lines from a peer that are shown."""

from __future__ import annotations

import itertools
import unicodedata
from typing import Any

import pyte

from e2ee.backup import backup_phrase, restore
from e2ee.contacts import check_name
from e2ee.errors import InvalidBackup, InvalidId, InvalidInvitation, NameRefused, UsageError
from e2ee.ids import decode_id, encode_bech32m, encode_id
from e2ee.invitation import Link, SpokenCode
from e2ee.safety_number import SafetyNumber
from e2ee_cli.addresses import parse_address, with_port
from e2ee_cli.clean import clean, columns_of, fold
from e2ee_cli.exits import CliError
from e2ee_cli.file_names import MAX_BYTES, numbered, safe_name
from e2ee_cli.names import MAX_SHOWN, claimed

from .fixed import person
from .script import Script

HARMFUL = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that act on a terminal, or that it may not know."""


def as_typed(data: bytes) -> str:
    """What Python makes of bytes in an argument or from a terminal, whatever they are."""
    return data.decode("utf-8", "surrogateescape")


# Ids, links, spoken codes, safety numbers, backups, addresses, names of contacts.


def _id(text: str) -> None:
    try:
        key = decode_id(text)
    except InvalidId:
        return
    assert encode_id(key) == text.strip().lower()


def _link(text: str) -> None:
    try:
        link = Link.parse(text)
    except InvalidInvitation:
        return
    assert link.text.lower() == "".join(text.split()).lower()
    assert Link.parse(link.text.upper()).text == link.text


def _code(text: str) -> None:
    try:
        code = SpokenCode.parse(text)
    except InvalidInvitation:
        return
    again = SpokenCode.parse(str(code))
    assert (again.number, again.words) == (code.number, code.words)


def _safety_number(text: str) -> None:
    number = SafetyNumber(person("alice").public_key, person("bob").public_key)
    other = SafetyNumber(person("alice").public_key, person("carol").public_key)
    try:
        fits = number.matches(text)
    except UsageError:
        return
    assert not (fits and other.matches(text))


def _backup(text: str) -> None:
    phrase = text.split()
    try:
        identity = restore(phrase)
    except InvalidBackup:
        return
    assert [word[:3] for word in backup_phrase(identity)] == [word[:3].lower() for word in phrase]


def _address(text: str) -> None:
    try:
        host, port = parse_address(text)
    except CliError:
        return
    assert 0 < port < 65_536
    assert parse_address(with_port(host, port)) == (host, port)


def _name(text: str) -> None:
    try:
        name = check_name(text)
    except NameRefused:
        return
    assert check_name(name) == name
    assert clean(name) == name


def _whole_id(text: str) -> None:
    """With a checksum that fits, so that what is behind it is reached."""
    _id(encode_bech32m("e2ee", text.encode("utf-8", "surrogateescape")))


def _whole_link(text: str) -> None:
    _link("e2ee:" + encode_bech32m("invite", text.encode("utf-8", "surrogateescape")[:600]))


_TYPED = (_id, _link, _code, _safety_number, _backup, _address, _name, _whole_id, _whole_link)


def typed(data: bytes) -> None:
    """The first byte says what the rest is read as. InvalidId, InvalidInvitation, UsageError,
    InvalidBackup, CliError and NameRefused may come, each from its own reader.
    """
    script = Script(data)
    _TYPED[script.number() % len(_TYPED)](as_typed(script.rest))


# File names.


def file_names(data: bytes) -> None:
    """Nothing may be raised; what comes out is the name of one harmless file."""
    script = Script(data)
    hidden = bool(script.number() & 1)
    name = safe_name(as_typed(script.rest), hidden=hidden)
    assert name not in ("", ".", "..")
    assert len(name.encode()) <= MAX_BYTES
    assert not set(name) & {"/", "\\", "\0"}
    assert clean(name) == name
    assert not name.startswith("-" if hidden else ("-", "."))
    assert not name.endswith((" ", ".")), "a disk from Windows would drop these"
    assert safe_name(name, hidden=hidden) == name
    tries = list(itertools.islice(numbered(name), 3))
    assert len(set(tries)) == 3
    assert all(clean(each) == each for each in tries)


# Terminals.


class Listener:
    """What a terminal is told to do, by the names of pyte's operations."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.drawn = ""

    def draw(self, text: str) -> None:
        self.drawn += text

    def __getattr__(self, operation: str) -> Any:
        return lambda *_, **__: self.told.append(operation)


def terminal(data: bytes) -> None:
    """Nothing may be raised; a terminal that is told this draws it and does nothing else."""
    script = Script(data)
    columns = script.number()
    text = as_typed(script.rest)
    line = clean(text)
    assert clean(line) == line
    assert not {unicodedata.category(character) for character in line} & HARMFUL
    listener = Listener()
    screen: Any = listener
    pyte.Stream(screen, strict=False).feed(line)
    assert listener.told == []
    assert listener.drawn == line
    _fold(line, columns)
    _claim(text)


def _fold(line: str, columns: int) -> None:
    rows = fold(line, columns, indent=6).split("\n")
    assert "".join(rows).replace(" ", "") == line.replace(" ", "")
    assert all(row.startswith(" " * 6) for row in rows[1:])
    if columns > 9:
        assert all(columns_of(row) < columns for row in rows)


def _claim(text: str) -> None:
    name = claimed(text)
    assert len(name) <= MAX_SHOWN
    assert clean(name) == name
    assert not set(name) & {'"', "\u201d", "(", ")", "<", ">"}
    assert name == name.strip()
