"""What is not exactly a message is refused, whichever way it is wrong, by every reader of messages.

All of it is JSON; there is no CBOR, and so none of its tags and cycles.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, get_origin

import pytest

import e2ee
from e2ee.contacts import ContactBook, check_name
from e2ee.errors import ContactFileError, InvalidId, MalformedMessage, NameRefused
from e2ee.file_messages import decode_file_message
from e2ee.ids import decode_id
from e2ee.messages import (
    Certificate,
    CodePayload,
    HandshakePayload,
    KnownPayload,
    Name,
    Unsupported,
    WireModel,
    decode,
    decode_chat,
    decode_control,
    encode,
)
from e2ee_cli.clean import clean
from e2ee_cli.file_names import safe_name
from e2ee_cli.names import claimed

from . import decoders, second, sessions
from .fixed import NOW, fixed_randomness, person
from .seeds import seeds

Figure = Callable[[str], None]

PAYLOADS = (Certificate, HandshakePayload, KnownPayload, CodePayload)
TABLES = {**second.CONTROL, **second.CHAT, **second.FILES}


def _book() -> bytes:
    """Contacts, with one of each of the objects in them."""
    key = "A" * 43 + "="
    device = {"static_key": key, "sequence": 7}
    address = {"host": "192.168.1.20", "port": 3233, "static_key": key}
    contact = {
        "name": "bob",
        "claimed_name": "Bob",
        "identity": key,
        "how": "code",
        "first_seen": NOW,
        "graded_at": NOW,
        "last_seen": NOW,
        "blocked": False,
        "floor": 0,
        "devices": [device],
        "addresses": [address],
    }
    invitation = {"nonce": "A" * 22 + "==", "created": 1, "expires": NOW, "name": "carol"}
    contents = {
        "version": 1,
        "own_sequence": 3,
        "contacts": [contact],
        "invitations": [invitation],
    }
    return json.dumps(contents, separators=(",", ":")).encode()


MESSAGES = [data for data in seeds("messages") if data.startswith(b"{") and b"typing" not in data]
"""One of each kind, and each of the payloads."""

EVERYTHING = [*MESSAGES, _book()]


def accepted(data: bytes) -> bool:
    """Whether any reader takes it. Nothing but its documented error may come out of one."""
    readers: list[Callable[[bytes], object]] = [decode_control, decode_file_message]
    readers += [partial(decode, model) for model in PAYLOADS]
    for read in readers:
        try:
            read(data)
        except MalformedMessage:
            continue
        return True
    try:
        ContactBook.from_bytes(data)
    except ContactFileError:
        pass
    else:
        return True
    try:
        return not isinstance(decode_chat(data), Unsupported)
    except MalformedMessage:
        return False


# JSON in which an object may have a member twice.


class Members(list[tuple[str, Any]]):
    """Of an object, in order."""


def parsed(data: bytes) -> Members:
    value = json.loads(data, object_pairs_hook=Members)
    assert isinstance(value, Members)
    return value


def written(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, Members):
        return b"{" + b",".join(written(name) + b":" + written(of) for name, of in value) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(written, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode()


def objects(value: object) -> Iterator[Members]:
    """Every object in it."""
    if isinstance(value, Members):
        yield value
        value = [of for _, of in value]
    if isinstance(value, list):
        for part in value:
            yield from objects(part)


def replaced(data: bytes, wanted: type, *values: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """The message with each member of this type, and each part of a list, replaced by each of the
    values in turn: its kind and the member's name, the value, and the message.
    """
    whole = parsed(data)
    kind = next((of for name, of in whole if name == "kind"), "")
    for one in objects(whole):
        for at, (name, old) in enumerate(one):
            places = [*range(len(old))] if type(old) is list else [None]
            for place in places:
                part = old if place is None else old[place]
                if type(part) is not wanted or (name == "kind" and part == kind):
                    continue
                for value in values:
                    new: object = (
                        value if place is None else [*old[:place], value, *old[place + 1 :]]
                    )
                    one[at] = (name, new)
                    yield f"{kind}.{name}", value, written(whole)
            one[at] = (name, old)


def test_the_examples_are_accepted() -> None:
    for data in EVERYTHING:
        assert accepted(data)
        assert written(parsed(data)) == data


# Models.


def models() -> set[type[WireModel]]:
    """All that the package has."""
    for module in pkgutil.walk_packages(e2ee.__path__, "e2ee."):
        importlib.import_module(module.name)
    found: set[type[WireModel]] = set()
    waiting = [WireModel]
    while waiting:
        found.update(below := waiting.pop().__subclasses__())
        waiting += below
    # Tests have models too.
    return {model for model in found if model.__module__.startswith("e2ee.")}


@pytest.mark.attack(43)
def test_every_model_of_the_package_is_strict_and_has_bounds(figure: Figure) -> None:
    bounded = 0
    for model in models():
        for option, value in {
            "strict": True,
            "frozen": True,
            "extra": "forbid",
            "hide_input_in_errors": True,
        }.items():
            assert model.model_config.get(option) == value
        for name, field in model.model_fields.items():
            limits = {type(limit).__name__ for limit in field.metadata}
            if field.annotation is int:
                assert {"Ge", "Le"} <= limits, f"{model.__name__}.{name} has no bounds"
            elif field.annotation in {str, bytes} or get_origin(field.annotation) is tuple:
                assert limits & {"MaxLen", "AfterValidator", "_PydanticGeneralMetadata"}, name
            bounded += 1
    assert len(models()) >= len(TABLES) + len(PAYLOADS)
    figure(
        f"strictness: {len(models())} of {len(models())} models are strict, frozen and take "
        f"nothing extra; {bounded} fields with bounds"
    )


@pytest.mark.attack(43)
def test_no_value_of_another_type_is_taken_for_one(figure: Figure) -> None:
    wrong = (b"true", b"1.0", b'"1"', b"[1]", b"null", b"{}", b"1e0")
    count = 0
    for data in EVERYTHING:
        for kind in (int, str, bool):
            fitting = {int: (), str: (b'"1"',), bool: (b"true",)}[kind]
            for name, value, message in replaced(data, kind, *wrong):
                if value not in fitting:
                    assert not accepted(message), f"{name} = {value!r}"
                    count += 1
    figure(f"strictness: {count} of {count} values of another type refused")


# Integers, nesting, members twice.

INTEGERS = (
    *(-1, 0, 1, 2**31, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64, 10**400),
    *(-(2**53), -(2**63)),
)
NO_INTEGERS = (b"9" * 5000, b"9" * 65_536, b"-0", b"01", b"+1", b"1.0", b"1e3", b"NaN", b"Infinity")


@pytest.mark.attack(38)
def test_integers_of_any_size_are_refused_beyond_their_bounds(figure: Figure) -> None:
    refused = taken = 0
    for data in MESSAGES:
        kind = dict(parsed(data)).get("kind")
        described = second.CERTIFICATE if kind is None else TABLES[str(kind)]
        described = {**described, "sequence": second.CHAT["resume"]["received"]}
        for name, value, message in replaced(data, int, *(str(n).encode() for n in INTEGERS)):
            fits = described[name.rpartition(".")[2]][1](int(value))
            assert accepted(message) == fits, f"{name} = {value!r}"
            refused, taken = refused + (not fits), taken + fits
        for name, value, message in replaced(data, int, *NO_INTEGERS):
            assert not accepted(message), f"{name} = {value[:20]!r}"
            refused += 1
    for name, value, message in replaced(_book(), int, b"-1", b"9007199254740992", *NO_INTEGERS):
        assert not accepted(message), f"{name} = {value[:20]!r}"
        refused += 1
    figure(f"huge integers: {refused} of {refused} refused, {taken} within their bounds taken")


@pytest.mark.attack(39)
def test_nesting_of_any_depth_is_refused(figure: Figure) -> None:
    count = 0
    for depth in (1, 2, 16, 17, 200, 1000, 100_000):
        nests = [b"[" * depth, b"[" * depth + b"]" * depth]
        nests += [b'{"a":' * depth + b"1" + b"}" * depth, b'{"kind":' * depth]
        for data in EVERYTHING if depth < 1000 else EVERYTHING[::5]:
            for wanted in (str, int, bool):
                for name, _, message in replaced(data, wanted, *nests):
                    assert not accepted(message), f"{name}, {depth} deep"
                    count += 1
        for nest in nests:
            assert not accepted(nest)
            count += 1
    figure(f"nesting: {count} of {count} messages nested 1 to 100,000 deep refused")


@pytest.mark.attack(40)
def test_a_member_twice_is_refused_wherever_it_stands(figure: Figure) -> None:
    count = 0
    for data in EVERYTHING:
        whole = parsed(data)
        for one in objects(whole):
            for member in [*one]:
                for twin in (member, (member[0], 0), (member[0], "")):
                    for place in range(len(one) + 1):
                        one.insert(place, twin)
                        assert not accepted(written(whole)), member[0]
                        del one[place]
                        count += 1
        assert written(whole) == data
    figure(f"members twice: {count} of {count} refused, in each place of each object")


# Texts.

BAD_UTF8 = (
    *(bytes([byte]) for byte in (0x80, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xEF, 0xF0)),
    *(bytes([byte]) for byte in (0xF4, 0xF5, 0xF8, 0xFC, 0xFE, 0xFF)),
    *(b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x80\xaf", b"\xe0\x9f\xbf"),
    *(b"\xf0\x80\x80\x80", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf"),  # overlong
    *(b"\xed\xa0\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbf\xbf"),  # surrogates
    b"\xed\xa0\xbd\xed\xb4\x91",  # a pair of them
    *(b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80"),  # above U+10FFFF
    *(b"\xe4\xb8", b"\xf0\x9f\x94", b"\xc3a", b"\xe4b\xb8", b"a\x80", b"\xf0\x9f\x94\xf0"),
    b"\xe4\xb8\xe4",
)


@pytest.mark.attack(44)
def test_what_is_not_utf_8_is_refused_in_every_text(figure: Figure) -> None:
    assert len(set(BAD_UTF8)) >= 40
    count = 0
    for data in EVERYTHING:
        for bad in BAD_UTF8:
            with pytest.raises(UnicodeDecodeError):
                bad.decode()
            for name, _, message in replaced(data, str, b'"' + bad + b'"', b'"a' + bad + b'a"'):
                assert not accepted(message), f"{name}: {bad!r}"
                count += 1
    figure(f"bad UTF-8: {len(BAD_UTF8)} sequences in every text, {count} of {count} refused")


CONTROLS = [chr(number) for number in (*range(0x20), 0x7F, *range(0x80, 0xA0))]
CARRIED = {"text.body", "name.name"}
"""Texts that may have any character, and are cleaned before they are shown."""

NAMES_OF_FILES = {"file_offer.name", "folder_offer.name", "folder_file.path"}
"""These may have any but U+0000, and are made harmless before they are used."""


@pytest.mark.attack(45)
def test_control_characters_are_carried_in_texts_only_and_never_shown(figure: Figure) -> None:
    assert len(CONTROLS) == 65
    refused = carried = 0
    for control in CONTROLS:
        value = json.dumps(f"a{control}b", ensure_ascii=False).encode()
        raw = f'"a{control}b"'.encode()
        for data in MESSAGES:
            for name, _, message in replaced(data, str, value):
                may = name in CARRIED or (name in NAMES_OF_FILES and control != "\0")
                assert accepted(message) == may, f"{name}: {control!r}"
                carried, refused = carried + may, refused + (not may)
            if raw != value:
                for name, _, message in replaced(data, str, raw):
                    assert not accepted(message), f"{name}: {control!r}"
                    refused += 1
        shown = (clean(f"a{control}b"), claimed(f"a{control}b"), safe_name(f"a{control}b"))
        for text in shown:
            assert not set(text) & set(CONTROLS)
        with pytest.raises(NameRefused):
            check_name(f"a{control}b")
        own = person("alice").id
        with pytest.raises(InvalidId):
            decode_id(own[:20] + control + own[20:])
    figure(
        f"control characters: 65 in every text, {refused} refused, {carried} carried, 0 shown; "
        "0 of 65 in names of contacts and ids"
    )


@pytest.mark.attack(46)
def test_names_of_files_are_limited_in_bytes(figure: Figure) -> None:
    count = 0
    for character in ("a", "é", "世", "🔑"):
        width = len(character.encode())
        most = character * (255 // width) + "a" * (255 % width)
        for name, fits in ((most, True), (most + "a", False), (character * 255, width == 1)):
            value = json.dumps(name, ensure_ascii=False).encode()
            for data in MESSAGES:
                for member, _, message in replaced(data, str, value):
                    if member in NAMES_OF_FILES:
                        assert accepted(message) == fits, f"{member}: {name[:5]}"
                        count += 1
    figure(f"limits in bytes: {count} names of files of 1- to 4-byte characters around 255 bytes")


@pytest.mark.attack(46)
def test_claimed_names_are_limited_in_code_points(figure: Figure) -> None:
    """As SPEC.md section 11.1 has it: at most 256 bytes."""
    for character in ("a", "é", "世", "🔑"):
        assert accepted(encode(Name(name=character * 64)))
        too_long = '{"kind":"name","name":"' + character * 65 + '"}'
        assert not accepted(too_long.encode())
    figure("limits of claimed names: 64 code points taken and 65 refused, of 1 to 4 bytes each")


# Claims.


@pytest.mark.attack(47)
def test_nothing_is_allocated_for_a_length_that_is_only_claimed(figure: Figure) -> None:
    """Messages of up to a mebibyte, records and contents that never come whole."""
    peaks = []
    prefix = b"\0\x00\x04\x00\x0f\xff\xff"
    claims = {
        "message": (prefix, 20),
        "record": (b"", 65_535),
    }
    with fixed_randomness("responder", null_cipher=True):
        for first, claimed_length in claims.values():
            session = sessions.make_open(0)
            received = 0
            tracemalloc.start()
            try:
                if first:
                    head = first + bytes(16)
                    session.receive_data(len(head).to_bytes(2) + head)
                    received += 2 + len(head)
                    assert claimed_length < 2**20
                else:
                    session.receive_data(claimed_length.to_bytes(2))
                    received += 2
                for _ in range(60):
                    part = bytes(1000)
                    if first:
                        body = b"\0" + len(part).to_bytes(2) + part + bytes(16)
                        part = len(body).to_bytes(2) + body
                    assert session.receive_data(part) == []
                    received += len(part)
                    _, peak = tracemalloc.get_traced_memory()
                    assert peak <= 2 * received + 2**16
            finally:
                tracemalloc.stop()
            peaks.append(f"{peak:,} after {received:,} received")
    figure(f"claimed lengths: peaks of memory, bytes: {'; '.join(peaks)}")


# Two decoders.

PARTS = (
    *(b" ", b"\n", b",", b":", b'"', b"{", b"}", b"[", b"]", b"\\", b"\\u0061", b"\\n", b"\0"),
    *(b"0", b"1", b"-", b"01", b"1.0", b"1e0", b"9007199254740991", b"9007199254740992", b"null"),
    *(b"true", b'"kind":', b'"id":1', b',"id":1', b"=", b"==", b"AAAA", b"\xff", b"\xc0\xaf"),
    *("é".encode(), "🔑".encode(), b"\xed\xa0\x80", b"\\ud800", b"/", b"..", b"left", b"chat"),
)

LETTERS = (b"a", b"z", b"A", b"0", b"1", b"9", b"_", b"-", b".", b"=")


def mutated(source: random.Random) -> bytes:
    """A message with one to three changes."""
    data = source.choice(MESSAGES)
    for _ in range(source.choice((1, 1, 2, 3))):
        at = source.randrange(len(data) + 1)
        match source.randrange(10):
            case 0:
                data = data[:at] + bytes([source.randrange(256)]) + data[at + 1 :]
            case 6 | 7 | 8 | 9:
                data = data[:at] + source.choice(LETTERS) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + source.randrange(1, 9) :]
            case 2:
                data = data[:at] + source.choice(PARTS) + data[at + source.randrange(3) :]
            case 3:
                end = at + source.randrange(1, 30)
                data = data[:end] + data[at:]
            case 4:
                other = source.choice(MESSAGES)
                data = data[:at] + other[source.randrange(len(other)) :]
            case _:
                data = data[:at] + source.choice(PARTS) + data[at:]
    return data


@pytest.mark.attack(37)
@pytest.mark.attack(41)
@pytest.mark.attack(48)
@pytest.mark.attack(50)
@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(100_000, marks=pytest.mark.slow),
        pytest.param(10_000_000, marks=[pytest.mark.nightly, pytest.mark.timeout(0)]),
    ],
)
def test_two_decoders_agree_on_what_is_a_message_and_each_has_one_form(
    inputs: int, figure: Figure
) -> None:
    source = random.Random(inputs)
    read = sum(_read_by_both(mutated(source)) for _ in range(inputs))
    assert read > inputs / 100, "some of it has to be well formed still"
    figure(
        f"two decoders: 0 disagreements on {inputs:,} changed messages, {read:,} of them still "
        "well formed, each in its one form"
    )


def _read_by_both(data: bytes) -> bool:
    decoders.messages(data)
    return second.of_kind(data, TABLES) is not None
