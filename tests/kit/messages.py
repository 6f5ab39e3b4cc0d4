"""Cases of application messages: the chat, files and pipes. SPEC.md sections 11 and 19.1.

``input`` is one message, in hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .second_client import second

T = '"transfer":"AAAAAAAAAAAAAAAAAAAAAA=="'
H = '"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="'


def _case(kind: str, name: str, message: bytes | str, result: tuple[str, str]) -> Case:
    section = {"chat-message": "11.1", "file-message": "19.1", "pipe-message": "11.5"}[kind]
    abouts = {"malformed": "Not in its form.", "unexpected": "Has no place here."}
    about = abouts.get(result[1], "As it should be.")
    data = message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
    folder = kind.replace("-", "_")
    path = f"valid/{folder}_{name}" if result[0] == "valid" else f"{folder}/{name}"
    lines = [("section", section), ("about", about), ("kind", kind), ("input", data.hex()), result]
    return Case(path, lines)


def cases() -> Iterator[Case]:
    malformed = ("fail", "malformed")
    for name, message in _BAD_CHAT.items():
        yield _case("chat-message", name, message, malformed)
    for name, message, kind in _GOOD_CHAT:
        yield _case("chat-message", name, message, ("valid", kind))
    for name, message in _BAD_FILES.items():
        yield _case("file-message", name, message, malformed)
    for name, message, kind in _GOOD_FILES:
        yield _case("file-message", name, message, ("valid", kind))
    for name, message in _BAD_PIPE.items():
        yield _case("pipe-message", name, message, malformed)
    for name, message in _UNEXPECTED_PIPE.items():
        yield _case("pipe-message", name, message, ("fail", "unexpected"))
    for name, message, kind in _GOOD_PIPE:
        yield _case("pipe-message", name, message, ("valid", kind))


_BAD_CHAT: dict[str, bytes | str] = {
    "empty": b"",
    "plain_text": "hello",
    "a_list": '[{"kind":"end"}]',
    "a_string": '"text"',
    "null": "null",
    "no_kind": '{"id":1,"body":"a"}',
    "kind_is_not_the_first": '{"id":1,"kind":"text","body":"a"}',
    "kind_empty": '{"kind":""}',
    "kind_in_capitals": '{"kind":"TEXT","id":1,"body":"a"}',
    "kind_begins_with_a_digit": '{"kind":"1x"}',
    "kind_of_33": '{"kind":"' + "a" * 33 + '"}',
    "kind_with_a_blank": '{"kind":"a b"}',
    "kind_with_an_escape": '{"kind":"te\\u0078t","id":1,"body":"a"}',
    "kind_followed_by_a_colon": '{"kind":"x":',
    "kind_number": '{"kind":1}',
    "blank_in_front": ' {"kind":"end"}',
    "blank_after_the_colon": '{"kind": "end"}',
    "blank_behind": '{"kind":"end"} ',
    "byte_order_mark": b'\xef\xbb\xbf{"kind":"end"}',
    "text_without_id": '{"kind":"text","body":"a"}',
    "text_without_body": '{"kind":"text","id":1}',
    "text_id_0": '{"kind":"text","id":0,"body":"a"}',
    "text_id_negative": '{"kind":"text","id":-1,"body":"a"}',
    "text_id_2_to_the_53": '{"kind":"text","id":9007199254740992,"body":"a"}',
    "text_id_huge": '{"kind":"text","id":' + "9" * 400 + ',"body":"a"}',
    "text_id_is_a_string": '{"kind":"text","id":"1","body":"a"}',
    "text_id_is_true": '{"kind":"text","id":true,"body":"a"}',
    "text_id_is_a_fraction": '{"kind":"text","id":1.0,"body":"a"}',
    "text_id_has_an_exponent": '{"kind":"text","id":1e0,"body":"a"}',
    "text_id_has_a_zero": '{"kind":"text","id":01,"body":"a"}',
    "text_id_has_a_plus": '{"kind":"text","id":+1,"body":"a"}',
    "text_id_nan": '{"kind":"text","id":NaN,"body":"a"}',
    "text_id_twice": '{"kind":"text","id":1,"id":1,"body":"a"}',
    "text_body_twice": '{"kind":"text","id":1,"body":"a","body":"b"}',
    "text_body_null": '{"kind":"text","id":1,"body":null}',
    "text_body_number": '{"kind":"text","id":1,"body":1}',
    "text_body_list": '{"kind":"text","id":1,"body":["a"]}',
    "text_member_more": '{"kind":"text","id":1,"body":"a","to":"b"}',
    "text_members_in_another_order": '{"kind":"text","body":"a","id":1}',
    "text_cut": '{"kind":"text","id":1,"body":"a',
    "text_lone_surrogate_as_an_escape": '{"kind":"text","id":1,"body":"\\ud800"}',
    "text_surrogate_pair_as_escapes": '{"kind":"text","id":1,"body":"\\ud83c\\udf88"}',
    "text_surrogate_in_utf_8": '{"kind":"text","id":1,"body":"\ud800"}',
    "text_not_utf_8": b'{"kind":"text","id":1,"body":"\xff"}',
    "text_overlong_slash": b'{"kind":"text","id":1,"body":"\xc0\xaf"}',
    "text_cut_utf_8": b'{"kind":"text","id":1,"body":"\xe2\x82"}',
    "text_above_unicode": b'{"kind":"text","id":1,"body":"\xf4\x90\x80\x80"}',
    "text_raw_newline": '{"kind":"text","id":1,"body":"a\nb"}',
    "text_raw_nul": '{"kind":"text","id":1,"body":"\0"}',
    "text_raw_tab": '{"kind":"text","id":1,"body":"\t"}',
    "text_newline_as_u000a": '{"kind":"text","id":1,"body":"\\u000a"}',
    "text_slash_escaped": '{"kind":"text","id":1,"body":"\\/"}',
    "text_letter_escaped": '{"kind":"text","id":1,"body":"\\u0061"}',
    "text_escape_in_capitals": '{"kind":"text","id":1,"body":"\\u001F"}',
    "text_unknown_escape": '{"kind":"text","id":1,"body":"\\x61"}',
    "receipt_id_0": '{"kind":"receipt","id":0}',
    "receipt_without_id": '{"kind":"receipt"}',
    "receipt_member_more": '{"kind":"receipt","id":1,"body":""}',
    "name_empty": '{"kind":"name","name":""}',
    "name_of_65": '{"kind":"name","name":"' + "é" * 65 + '"}',
    "name_null": '{"kind":"name","name":null}',
    "leave_without_reason": '{"kind":"leave"}',
    "leave_reason_empty": '{"kind":"leave","reason":""}',
    "leave_reason_in_capitals": '{"kind":"leave","reason":"Left"}',
    "leave_reason_with_a_newline": '{"kind":"leave","reason":"left\\n"}',
    "leave_reason_of_33": '{"kind":"leave","reason":"' + "a" * 33 + '"}',
    "hello_without_purposes": '{"kind":"hello"}',
    "hello_no_purpose": '{"kind":"hello","purposes":[]}',
    "hello_nine_purposes": '{"kind":"hello","purposes":[' + ",".join(['"a"'] * 9) + "]}",
    "hello_purpose_is_no_list": '{"kind":"hello","purposes":"chat"}',
    "hello_purpose_is_an_object": '{"kind":"hello","purposes":{"chat":1}}',
    "hello_purpose_in_capitals": '{"kind":"hello","purposes":["Chat"]}',
    "hello_purpose_empty": '{"kind":"hello","purposes":[""]}',
    "hello_purpose_null": '{"kind":"hello","purposes":[null]}',
    "hello_purpose_deep": '{"kind":"hello","purposes":' + "[" * 3_000,
    "hello_blank_between_purposes": '{"kind":"hello","purposes":["chat", "files"]}',
    "stream_id_of_15": '{"kind":"stream","id":"AAAAAAAAAAAAAAAAAAAA","first":1}',
    "stream_id_of_17": '{"kind":"stream","id":"AAAAAAAAAAAAAAAAAAAAAAA=","first":1}',
    "stream_id_trailing_bits": '{"kind":"stream","id":"AAAAAAAAAAAAAAAAAAAAAB==","first":1}',
    "stream_id_without_padding": '{"kind":"stream","id":"AAAAAAAAAAAAAAAAAAAAAA","first":1}',
    "stream_first_0": '{"kind":"stream","id":"AAAAAAAAAAAAAAAAAAAAAA==","first":0}',
    "stream_without_first": '{"kind":"stream","id":"AAAAAAAAAAAAAAAAAAAAAA=="}',
    "resume_negative": '{"kind":"resume","received":-1}',
    "resume_minus_zero": '{"kind":"resume","received":-0}',
    "resume_2_to_the_53": '{"kind":"resume","received":9007199254740992}',
    "resume_null": '{"kind":"resume","received":null}',
    "end_member_more": '{"kind":"end","of":1}',
    "written_member_more": '{"kind":"written","bytes":1}',
}

_GOOD_CHAT: list[tuple[str, bytes | str, str]] = [
    ("hello", '{"kind":"hello","purposes":["chat","files"]}', "hello"),
    ("hello_unknown", '{"kind":"hello","purposes":["x-1._"]}', "hello"),
    ("stream", '{"kind":"stream","id":"AAAAAAAAAAAAAAAAAAAAAA==","first":1}', "stream"),
    ("resume", '{"kind":"resume","received":0}', "resume"),
    ("text", '{"kind":"text","id":1,"body":"hello"}', "text"),
    ("text_empty", '{"kind":"text","id":9007199254740991,"body":""}', "text"),
    (
        "text_escapes",
        '{"kind":"text","id":1,"body":"\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001f/\x7f é 🎈"}',
        "text",
    ),
    ("text_noncharacter", '{"kind":"text","id":1,"body":"\ufffe\U0010ffff"}', "text"),
    ("receipt", '{"kind":"receipt","id":7}', "receipt"),
    ("name", '{"kind":"name","name":"' + "🎈" * 64 + '"}', "name"),
    ("leave", '{"kind":"leave","reason":"left"}', "leave"),
    ("leave_unknown", '{"kind":"leave","reason":"tired"}', "leave"),
    ("end", '{"kind":"end"}', "end"),
    ("written", '{"kind":"written"}', "written"),
    ("unknown", '{"kind":"dance"}', "unsupported dance"),
    ("unknown_of_files", '{"kind":"file_move",' + T + "}", "unsupported file_move"),
    ("unknown_not_json", '{"kind":"x-1._",\xff', "unsupported x-1._"),
    ("unknown_of_32", '{"kind":"' + "a" * 32 + '"}', f"unsupported {'a' * 32}"),
]


def _offer(name: str) -> str:
    return '{"kind":"file_offer",' + T + f',"name":{name},"size":1}}'


def _folder_file(path: str) -> str:
    return (
        '{"kind":"folder_file",'
        + T
        + f',"folder":"AAAAAAAAAAAAAAAAAAAAAA==","path":{path},"size":1}}'
    )


def _chunk(offset: int, size: int) -> bytes:
    return b"\1" + bytes(16) + offset.to_bytes(8, "big") + bytes(size)


_BAD_FILES: dict[str, bytes | str] = {
    "empty": b"",
    "unknown_kind": '{"kind":"file_move",' + T + "}",
    "no_kind": "{" + T + "}",
    "kind_of_a_chat": '{"kind":"text","id":1,"body":"a"}',
    "offer_without_transfer": '{"kind":"file_offer","name":"a","size":1}',
    "offer_transfer_of_15": _offer('"a"').replace("AA==", ""),
    "offer_transfer_of_17": _offer('"a"').replace("AA==", "AAA="),
    "offer_name_empty": _offer('""'),
    "offer_name_dot": _offer('"."'),
    "offer_name_dot_dot": _offer('".."'),
    "offer_name_with_a_slash": _offer('"a/b"'),
    "offer_name_absolute": _offer('"/etc/passwd"'),
    "offer_name_leads_out": _offer('"../a"'),
    "offer_name_with_nul": _offer('"a\\u0000"'),
    "offer_name_of_256_bytes": _offer('"' + "é" * 128 + '"'),
    "offer_name_null": _offer("null"),
    "offer_name_is_a_list": _offer('["a"]'),
    "offer_name_lone_surrogate": _offer('"\\ud800"'),
    "offer_name_not_utf_8": _offer('"a"').encode().replace(b'"a"', b'"\xff"'),
    "offer_size_negative": _offer('"a"').replace(":1}", ":-1}"),
    "offer_size_2_to_the_53": _offer('"a"').replace(":1}", ":9007199254740992}"),
    "offer_size_is_a_string": _offer('"a"').replace(":1}", ':"1"}'),
    "offer_size_is_a_fraction": _offer('"a"').replace(":1}", ":1.5}"),
    "offer_size_twice": _offer('"a"').replace(":1}", ':1,"size":1}'),
    "offer_member_more": _offer('"a"').replace(":1}", ':1,"mode":511}'),
    "offer_blank": _offer('"a"') + " ",
    "folder_count_0": '{"kind":"folder_offer",'
    + T
    + f',"name":"a","size":1,"count":0,"listing":{H}}}',
    "folder_count_100001": '{"kind":"folder_offer",'
    + T
    + f',"name":"a","size":1,"count":100001,"listing":{H}}}',
    "folder_without_listing": '{"kind":"folder_offer",' + T + ',"name":"a","size":1,"count":1}',
    "folder_listing_of_16": '{"kind":"folder_offer",'
    + T
    + ',"name":"a","size":1,"count":1,"listing":"AAAAAAAAAAAAAAAAAAAAAA=="}',
    "path_empty": _folder_file("[]"),
    "path_is_a_string": _folder_file('"a"'),
    "path_of_33": _folder_file("[" + ",".join(['"a"'] * 33) + "]"),
    "path_with_dot_dot": _folder_file('["..","a"]'),
    "path_with_dot": _folder_file('["a",".","b"]'),
    "path_with_an_empty_name": _folder_file('["a","","b"]'),
    "path_with_a_slash": _folder_file('["a/b"]'),
    "path_with_nul": _folder_file('["a\\u0000b"]'),
    "path_nested": _folder_file('[["a"]]'),
    "path_deep": _folder_file("[" * 3_000),
    "accept_without_hash": '{"kind":"file_accept",' + T + ',"offset":0}',
    "accept_hash_of_31": '{"kind":"file_accept",'
    + T
    + ',"offset":0,"prefix_hash":"'
    + second.b64(bytes(31))
    + '"}',
    "accept_offset_negative": '{"kind":"file_accept",' + T + f',"offset":-1,"prefix_hash":{H}}}',
    "decline_without_reason": '{"kind":"file_decline",' + T + "}",
    "decline_unknown_reason": '{"kind":"file_decline",' + T + ',"reason":"bored"}',
    "abort_reason_with_text": '{"kind":"file_abort",' + T + ',"reason":"cancelled: bye"}',
    "start_without_offset": '{"kind":"file_start",' + T + "}",
    "ack_offset_2_to_the_53": '{"kind":"file_ack",' + T + ',"offset":9007199254740992}',
    "end_without_hash": '{"kind":"file_end",' + T + "}",
    "done_member_more": '{"kind":"file_done",' + T + ',"size":1}',
    "data_without_bytes": _chunk(0, 0),
    "data_of_65001": _chunk(0, 65_001),
    "data_header_cut": _chunk(0, 0)[:-1],
    "data_offset_2_to_the_53": _chunk(2**53, 1),
    "data_with_mark_3": b"\3" + _chunk(0, 1)[1:],
    "data_with_mark_0": b"\0" + _chunk(0, 1)[1:],
}

_GOOD_FILES: list[tuple[str, bytes | str, str]] = [
    ("offer", _offer('"a file.txt"'), "file_offer"),
    ("offer_of_255_bytes", _offer('"' + "é" * 127 + 'a"'), "file_offer"),
    ("offer_dot_dot_dot", _offer('"..."'), "file_offer"),
    (
        "folder",
        '{"kind":"folder_offer",' + T + f',"name":"a","size":1,"count":100000,"listing":{H}}}',
        "folder_offer",
    ),
    ("folder_file", _folder_file("[" + ",".join(['"a"'] * 32) + "]"), "folder_file"),
    ("accept", '{"kind":"file_accept",' + T + f',"offset":0,"prefix_hash":{H}}}', "file_accept"),
    ("decline", '{"kind":"file_decline",' + T + ',"reason":"declined"}', "file_decline"),
    ("start", '{"kind":"file_start",' + T + ',"offset":9007199254740991}', "file_start"),
    ("ack", '{"kind":"file_ack",' + T + ',"offset":1}', "file_ack"),
    ("end", '{"kind":"file_end",' + T + f',"sha256":{H}}}', "file_end"),
    ("done", '{"kind":"file_done",' + T + "}", "file_done"),
    ("abort", '{"kind":"file_abort",' + T + ',"reason":"no_space"}', "file_abort"),
    ("data", _chunk(2**53 - 1, 1), "data"),
    ("data_of_65000", _chunk(0, 65_000), "data"),
]

_BAD_PIPE: dict[str, bytes | str] = {
    "empty": b"",
    "data_without_bytes": b"\2",
    "data_of_65512": b"\2" + bytes(65_512),
    "mark_0": b"\0a",
    "mark_3": b"\3a",
    "end_with_a_blank": '{"kind":"end" }',
    "end_twice": '{"kind":"end"}{"kind":"end"}',
}

_UNEXPECTED_PIPE: dict[str, bytes | str] = {
    "text": '{"kind":"text","id":1,"body":"a"}',
    "hello": '{"kind":"hello","purposes":["pipe"]}',
    "unknown": '{"kind":"dance"}',
    "receipt": '{"kind":"receipt","id":1}',
}

_GOOD_PIPE: list[tuple[str, bytes | str, str]] = [
    ("byte", b"\2\0", "data"),
    ("data_of_65511", b"\2" + bytes(65_511), "data"),
    ("end", '{"kind":"end"}', "end"),
    ("written", '{"kind":"written"}', "written"),
    ("leave", '{"kind":"leave","reason":"output"}', "leave"),
]
