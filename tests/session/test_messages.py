"""Every message has one form, and every other form of it is refused with one type of error."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from e2ee import Limits, messages
from e2ee.errors import MalformedMessage
from e2ee.messages import (
    MAX_TEXT_LENGTH,
    Certificate,
    Close,
    CodePayload,
    Control,
    End,
    HandshakePayload,
    Hello,
    KeyUpdate,
    KnownPayload,
    Leave,
    Name,
    Ping,
    Pong,
    Receipt,
    RefreshAnswer,
    RefreshOffer,
    RefreshSwitch,
    Resume,
    Stream,
    Text,
    Unsupported,
    WireModel,
    Written,
    decode,
    decode_chat,
    decode_control,
    encode,
)
from tests.specification import SPEC

EXAMPLES: dict[type[WireModel], WireModel] = {
    Certificate: Certificate(
        identity=bytes(range(32)), static_key=b"\xff" * 32, not_before=0, not_after=2**53 - 1
    ),
    HandshakePayload: HandshakePayload(certificate=b"{}?~", signature=b"\xfb\xff" * 32),
    KnownPayload: KnownPayload(certificate=b"{}?~", signature=b"\xfb\xff" * 32, sequence=7),
    CodePayload: CodePayload(certificate=b"{}?~", signature=b"\xfb\xff" * 32, nonce=bytes(32)),
    Close: Close(),
    KeyUpdate: KeyUpdate(),
    RefreshOffer: RefreshOffer(message=b"\xfb\xff\x00"),
    RefreshAnswer: RefreshAnswer(message=b"\xfb\xff\x00\x00"),
    RefreshSwitch: RefreshSwitch(),
    Hello: Hello(purposes=("chat", "files")),
    Stream: Stream(id=b"\xfb\xff" * 8, first=1),
    Resume: Resume(received=0),
    End: End(),
    Written: Written(),
    Ping: Ping(),
    Pong: Pong(),
    Text: Text(id=1, body='line\n"quoted" \\ \x00\x1f\x7f é 世 🔑'),
    Receipt: Receipt(id=2**53 - 1),
    Leave: Leave(),
    Name: Name(name="Zoë"),
}
CONTROL = (Close, KeyUpdate, RefreshOffer, RefreshAnswer, RefreshSwitch, Ping, Pong)
CHAT = (Text, Receipt, Leave, Name)

all_models = pytest.mark.parametrize("model", EXAMPLES, ids=lambda model: model.__name__)


def decoders(model: type[WireModel]) -> list[Any]:
    """Each function that reads such a message."""
    readers: list[Any] = [lambda data: decode(model, data)]
    if model in CONTROL:
        readers.append(decode_control)
    if model in CHAT:
        readers.append(decode_chat)
    return readers


def assert_refused(model: type[WireModel], data: bytes) -> None:
    for read in decoders(model):
        with pytest.raises(MalformedMessage):
            read(data)


# The models as such.


def test_the_examples_are_all_the_models_there_are() -> None:
    defined = {
        model
        for model in vars(messages).values()
        if isinstance(model, type) and issubclass(model, WireModel) and model is not WireModel
    }
    assert defined == set(EXAMPLES)


@all_models
def test_every_model_is_strict_frozen_and_takes_nothing_extra(model: type[WireModel]) -> None:
    assert model.model_config.get("strict") is True
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("extra") == "forbid"
    assert model.model_config.get("hide_input_in_errors") is True
    for name in type(EXAMPLES[model]).model_fields:
        with pytest.raises(ValidationError):
            setattr(EXAMPLES[model], name, getattr(EXAMPLES[model], name))


# There and back.


@all_models
def test_what_is_encoded_is_decoded_to_the_same(model: type[WireModel]) -> None:
    for read in decoders(model):
        assert read(encode(EXAMPLES[model])) == EXAMPLES[model]


SECONDS = st.integers(0, 2**53 - 1)
KEY = st.binary(min_size=32, max_size=32)
NOISE = st.binary(min_size=1, max_size=4096)
BODY = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
ANY_MESSAGE: st.SearchStrategy[WireModel] = st.one_of(
    st.builds(Certificate, identity=KEY, static_key=KEY, not_before=SECONDS, not_after=SECONDS),
    st.builds(
        HandshakePayload,
        certificate=st.binary(max_size=300),
        signature=st.binary(min_size=64, max_size=64),
    ),
    st.builds(RefreshOffer, message=NOISE),
    st.builds(RefreshAnswer, message=NOISE),
    st.sampled_from([Close(), KeyUpdate(), RefreshSwitch(), Ping(), Pong(), Leave()]),
    st.builds(Text, id=st.integers(1, 2**53 - 1), body=BODY),
    st.builds(Receipt, id=st.integers(1, 2**53 - 1)),
)


def by_the_rules(message: WireModel) -> bytes:
    """The canonical form as SPEC.md section 6 has it, by another JSON encoder."""
    members = {
        name: base64.urlsafe_b64encode(value).decode() if isinstance(value, bytes) else value
        for name in type(message).model_fields
        for value in [getattr(message, name)]
    }
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


@given(message=ANY_MESSAGE)
@settings(max_examples=300, deadline=None)
def test_any_message_survives_the_way_in_the_form_of_the_specification(
    message: WireModel,
) -> None:
    data = encode(message)
    assert data == by_the_rules(message)
    for read in decoders(type(message)):
        assert read(data) == message


@given(data=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8")))
@settings(max_examples=300, deadline=None)
def test_bytes_that_nobody_encoded_are_refused_with_one_type_of_error(data: bytes) -> None:
    for model in EXAMPLES:
        assert_refused(model, data)


@given(message=ANY_MESSAGE, place=st.integers(0, 10_000), byte=st.integers(0, 255))
@settings(max_examples=500, deadline=None)
def test_a_changed_byte_gives_another_message_or_an_error_but_never_the_same_message(
    message: WireModel, place: int, byte: int
) -> None:
    data = bytearray(encode(message))
    if data[place % len(data)] == byte:
        return
    data[place % len(data)] = byte
    for read in decoders(type(message)):
        try:
            other = read(bytes(data))
        except MalformedMessage:
            continue
        assert other != message
        if isinstance(other, WireModel):
            assert encode(other) == data


# Other forms of the same.


@all_models
def test_white_space_anywhere_is_refused(model: type[WireModel]) -> None:
    data = encode(EXAMPLES[model])
    outside = [0, 1, len(data) - 1, len(data)]
    outside += [i + 1 for i, byte in enumerate(data) if byte in b",:" and data[i - 1] in b'"1']
    for place in outside:
        for blank in (b" ", b"\n", b"\t", b"\r"):
            assert_refused(model, data[:place] + blank + data[place:])


@all_models
def test_members_in_another_order_doubled_or_more_of_them_are_refused(
    model: type[WireModel],
) -> None:
    members = list(json.loads(encode(EXAMPLES[model])).items())

    def written(pairs: list[tuple[str, Any]]) -> bytes:
        text = ",".join(
            f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
            for name, value in pairs
        )
        return ("{" + text + "}").encode()

    assert written(members) == encode(EXAMPLES[model])
    if len(members) > 1:
        assert_refused(model, written(members[::-1]))
    for member in members:
        assert_refused(model, written([*members, member]))
        assert_refused(model, written([member, *members]))
    for extra in ("extra", "", "Kind", "__proto__"):
        assert_refused(model, written([*members, (extra, 1)]))
        assert_refused(model, written([(extra, 1), *members]))


@all_models
def test_a_missing_member_is_refused_even_where_the_model_has_a_default(
    model: type[WireModel],
) -> None:
    members = json.loads(encode(EXAMPLES[model]))
    for name in members:
        fewer = {other: value for other, value in members.items() if other != name}
        assert_refused(model, json.dumps(fewer, separators=(",", ":")).encode())
    assert_refused(model, b"{}")


WRONG_VALUES = [
    b"null",
    b"true",
    b"false",
    b"-1",
    b"0.0",
    b"1.0",
    b"1e0",
    b"1E2",
    b"01",
    b"-0",
    b"+1",
    b"9007199254740992",
    b"9" * 5000,
    b"-" + b"9" * 5000,
    b"1" + b"0" * 400,
    b"1e999999",
    b"NaN",
    b"Infinity",
    b'"1"',
    b'""',
    b'"AAAA"extra',
    b"[]",
    b"{}",
    b'["AAAA"]',
    b'{"a":1}',
    b"[" * 5000,
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b"",
]


@all_models
def test_a_value_of_the_wrong_type_is_refused(model: type[WireModel]) -> None:
    fitting = {
        ("body", b'""'),
        ("body", b'"1"'),
        ("certificate", b'""'),
        ("name", b'"1"'),
    }
    data = encode(EXAMPLES[model])
    for name, value in json.loads(data).items():
        old = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        before = data.index(b'"%s":' % name.encode()) + len(name) + 3
        assert data[before : before + len(old)] == old
        for wrong in WRONG_VALUES:
            if (name, wrong) not in fitting:
                assert_refused(model, data[:before] + wrong + data[before + len(old) :])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"null",
        b"1",
        b'"kind"',
        b"[]",
        b'[{"kind":"ping"}]',
        b"{",
        b'{"kind":"ping"',
        b'{"kind":"ping"}}',
        b'{"kind":"ping"}\0',
        b'{"kind":"ping"}{"kind":"ping"}',
        b'\xef\xbb\xbf{"kind":"ping"}',
        b"{'kind':'ping'}",
        b'{"kind":"ping",}',
        b'{"kind":"ping"/**/}',
        b'{"kind":"p\\u0069ng"}',
        b'{"k\\u0069nd":"ping"}',
        b'{"kind":"PING"}',
        '{"kind":"ping"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"kind":' * 100_000,
    ],
)
def test_texts_that_only_look_like_a_ping_are_refused(text: bytes) -> None:
    assert_refused(Ping, text)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"\x80",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xc3",
        b"\xe4\xb8",
        b"\xf0\x9f\x94",
        b"\\ud800",
        b"\\udc00",
        b"\\ud83d\\ud83d",
        b"\\udd11\\ud83d",
        b"\\ud83d\\udd11",
        b"\\u00e9",
        b"\\u000A",
        b"\\u000a",
        b"\\u001F",
        b"\\u0041",
        b"\\/",
        b"\\u007f",
        b"\\x41",
        b"\\",
        b"\n",
        b"\0",
        b"\x1f",
    ],
)
def test_text_that_is_not_utf_8_or_escaped_otherwise_is_refused(body: bytes) -> None:
    assert_refused(Text, b'{"kind":"text","id":1,"body":"' + body + b'"}')


@pytest.mark.parametrize(
    "value",
    [
        b"AA",  # padding missing
        b"AA=",
        b"AA===",
        b"AAA",
        b"A",
        b"=",
        b"====",
        b"AB==",  # trailing bits
        b"AAB=",
        b"AA==AA==",
        b"+/8=",  # the standard alphabet
        b"-_8=\\n",
        b"-_ 8=",
        b"AA\\u003d=",
        "AAé=".encode(),
        b"",
    ],
)
def test_base64_in_another_form_is_refused(value: bytes) -> None:
    for kind, model in ((b"refresh_offer", RefreshOffer), (b"refresh_answer", RefreshAnswer)):
        assert_refused(model, b'{"kind":"%s","message":"%s"}' % (kind, value))


# Limits in bytes.


@pytest.mark.attack(46)
@pytest.mark.parametrize("character", ["a", "é", "世", "🔑"])
def test_the_limit_of_a_text_counts_bytes_and_not_characters(
    character: str, figure: Callable[[str], None]
) -> None:
    width = len(character.encode())
    most = character * (MAX_TEXT_LENGTH // width) + "a" * (MAX_TEXT_LENGTH % width)
    for body in (most, most[:-1], ""):
        text = Text(id=1, body=body)
        assert decode_chat(encode(text)) == text
    for body in (most + "a", "a" + most, most + character):
        with pytest.raises(ValidationError):
            Text(id=1, body=body)
        assert_refused(
            Text,
            json.dumps(
                {"kind": "text", "id": 1, "body": body}, ensure_ascii=False, separators=(",", ":")
            ).encode(),
        )
    figure(
        f"limits in bytes: a text of {MAX_TEXT_LENGTH:,} bytes taken, one of 1 more refused, of "
        f"{width}-byte characters"
    )


def test_the_longest_text_has_the_length_that_is_published_and_fits_into_a_message() -> None:
    longest = len(encode(Text(id=2**53 - 1, body="\x01" * MAX_TEXT_LENGTH)))
    assert f"with {longest:,} bytes: for a chat" in SPEC.read_text()
    assert longest <= Limits().max_message_size


@pytest.mark.parametrize(
    ("model", "name", "allowed"),
    [
        (Certificate, "identity", (32, 32)),
        (Certificate, "static_key", (32, 32)),
        (HandshakePayload, "certificate", (0, 300)),
        (HandshakePayload, "signature", (64, 64)),
        (CodePayload, "nonce", (32, 32)),
        (RefreshOffer, "message", (1, 4096)),
        (RefreshAnswer, "message", (1, 4096)),
    ],
)
def test_bytes_have_exactly_the_lengths_of_the_specification(
    model: type[WireModel], name: str, allowed: tuple[int, int]
) -> None:
    shortest, longest = allowed
    members = json.loads(encode(EXAMPLES[model]))
    for length in {shortest, shortest + 1, longest - 1, longest, longest + 1, shortest - 1, 0}:
        if length < 0:
            continue
        value = base64.urlsafe_b64encode(bytes(length)).decode()
        data = json.dumps({**members, name: value}, separators=(",", ":")).encode()
        if shortest <= length <= longest:
            assert encode(decode(model, data)) == data
        else:
            assert_refused(model, data)


@pytest.mark.parametrize(
    ("model", "name", "lowest"),
    [
        (Certificate, "not_before", 0),
        (Certificate, "not_after", 0),
        (Text, "id", 1),
        (Receipt, "id", 1),
    ],
)
def test_integers_have_exactly_the_range_of_the_specification(
    model: type[WireModel], name: str, lowest: int
) -> None:
    members = json.loads(encode(EXAMPLES[model]))
    highest = 2**53 - 1
    for value in (lowest - 1, lowest, lowest + 1, highest - 1, highest, highest + 1, 2**64):
        data = json.dumps(
            {**members, name: value}, ensure_ascii=False, separators=(",", ":")
        ).encode()
        if lowest <= value <= highest:
            assert encode(decode(model, data)) == data
        else:
            assert_refused(model, data)


# Kinds.


def test_every_control_message_is_told_by_its_kind() -> None:
    for model in CONTROL:
        message = decode_control(encode(EXAMPLES[model]))
        assert type(message) is model
        for other in CONTROL:
            if other is not model:
                with pytest.raises(MalformedMessage):
                    decode(other, encode(EXAMPLES[model]))
    assert set(CONTROL) == set(Control.__args__)


@pytest.mark.parametrize(
    "kind", ["", "hello", "text", "leave", "closed", "Close", "close ", "pïng"]
)
def test_an_unknown_kind_of_control_message_is_refused(kind: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_control(json.dumps({"kind": kind}, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        ("typing", b"}"),
        ("x", b"}"),
        ("file.offer-2_a", b',"size":1}'),
        ("a" * 32, b"}"),
        ("reaction", b',"emoji":"\xff not even UTF-8'),
        ("reaction", b',"a":' + b"[" * 50_000),
        ("texts", b',"id":1}'),
        ("ping", b"}"),
    ],
)
def test_an_unknown_kind_of_chat_message_is_kept_byte_for_byte(kind: str, rest: bytes) -> None:
    data = b'{"kind":"' + kind.encode() + b'"' + rest
    assert decode_chat(data) == Unsupported(kind, data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"{}",
        b'{"kind":""}',
        b'{"kind":"Typing"}',
        b'{"kind":"1st"}',
        b'{"kind":"' + b"a" * 33 + b'"}',
        b'{"kind":"a b"}',
        b'{"kind":"a\\u0062"}',
        b'{"kind":"a\n"}',
        b'{"kind":"\xc3\xa9"}',
        b'{"kind":"typing"',
        b'{"kind":"typing" }',
        b'{ "kind":"typing"}',
        b'{"id":1,"kind":"typing"}',
        b' {"kind":"typing"}',
        b'{"kind":1}',
    ],
)
def test_a_chat_message_that_does_not_begin_with_a_kind_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_chat(data)
