"""The second client's decoder, as another opinion on which messages are well formed.

Its generic part is ``tests/second_client/client.py``; the table here is written from SPEC.md,
sections 5, 9, 11 and 19.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).parents[1] / "second_client" / "client.py"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("second_client_decoder", CLIENT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_client = _load()

Check = Callable[[Any], bool]
Members = dict[str, tuple[type, Check]]

SMALL = "abcdefghijklmnopqrstuvwxyz"
REASONS = ("declined", "cancelled", "changed", "unreadable", "no_space", "unwritable", "damaged")


def _any(_: Any) -> bool:
    return True


def _bytes(least: int, most: int) -> tuple[type, Check]:
    return bytes, lambda value: least <= len(value) <= most


def _number(least: int, most: int = 2**53 - 1) -> tuple[type, Check]:
    return int, lambda value: least <= value <= most


def _is_word(value: Any) -> bool:
    letters = SMALL + "0123456789_.-"
    return (
        isinstance(value, str)
        and 1 <= len(value) <= 32
        and value[0] in SMALL
        and all(letter in letters for letter in value)
    )


def _is_file_name(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value.encode()) <= 255
        and value not in (".", "..")
        and not set(value) & {"/", "\0"}
    )


_TRANSFER, _SIZE = _bytes(16, 16), _number(0)
_NOISE = _bytes(1, 4096)
_WORD = (str, _is_word)
_FILE_NAME = (str, _is_file_name)
_REASON = (str, lambda value: value in REASONS)
_PATH = (list, lambda value: 1 <= len(value) <= 32 and all(map(_is_file_name, value)))

CONTROL: dict[str, Members] = {
    "close": {},
    "key_update": {},
    "refresh_offer": {"message": _NOISE},
    "refresh_answer": {"message": _NOISE},
    "refresh_switch": {},
    "ping": {},
    "pong": {},
}
CHAT: dict[str, Members] = {
    "hello": {"purposes": (list, lambda value: 1 <= len(value) <= 8 and all(map(_is_word, value)))},
    "stream": {"id": _bytes(16, 16), "first": _number(1)},
    "resume": {"received": _number(0)},
    "text": {"id": _number(1), "body": (str, lambda value: len(value.encode()) <= 2**20)},
    "receipt": {"id": _number(1)},
    "name": {"name": (str, lambda value: 1 <= len(value) <= 64)},
    "leave": {"reason": _WORD},
    "end": {},
    "written": {},
}
FILES: dict[str, Members] = {
    "file_offer": {"transfer": _TRANSFER, "name": _FILE_NAME, "size": _SIZE},
    "folder_offer": {
        "transfer": _TRANSFER,
        "name": _FILE_NAME,
        "size": _SIZE,
        "count": _number(1, 100_000),
        "listing": _bytes(32, 32),
    },
    "folder_file": {"transfer": _TRANSFER, "folder": _TRANSFER, "path": _PATH, "size": _SIZE},
    "file_accept": {"transfer": _TRANSFER, "offset": _SIZE, "prefix_hash": _bytes(32, 32)},
    "file_decline": {"transfer": _TRANSFER, "reason": _REASON},
    "file_start": {"transfer": _TRANSFER, "offset": _SIZE},
    "file_ack": {"transfer": _TRANSFER, "offset": _SIZE},
    "file_end": {"transfer": _TRANSFER, "sha256": _bytes(32, 32)},
    "file_done": {"transfer": _TRANSFER},
    "file_abort": {"transfer": _TRANSFER, "reason": _REASON},
}
CERTIFICATE: Members = {
    "version": _number(1, 1),
    "identity": _bytes(32, 32),
    "static_key": _bytes(32, 32),
    "not_before": _number(0),
    "not_after": _number(0),
}
PAYLOAD: Members = {"certificate": _bytes(0, 300), "signature": _bytes(64, 64)}


def encode(values: dict[str, Any]) -> bytes:
    """The canonical form."""
    data: bytes = _client.encode(**values)
    return data


def members(data: bytes, described: Members) -> dict[str, Any] | None:
    """The values of one object with these members; None where it has to be refused."""
    try:
        values: dict[str, Any] = _client.decode(
            data, {name: kind for name, (kind, _) in described.items()}
        )
    except (ValueError, RecursionError):
        return None
    fits = all(check(values[name]) for name, (_, check) in described.items())
    return values if fits else None


def of_kind(data: bytes, table: dict[str, Members]) -> dict[str, Any] | None:
    """The values of a message of one of these kinds."""
    try:
        kind = _client.kind_of(data)
    except ValueError:
        return None
    if kind not in table:
        return None
    return members(data, {"kind": (str, _any), **table[kind]})


def is_unsupported_chat(data: bytes) -> bool:
    """Whether it is of a kind that no table has, and is to be kept as it came."""
    try:
        kind = _client.kind_of(data)
    except ValueError:
        return False
    return _is_word(kind) and kind not in CHAT
