"""All targets by name. Each takes any bytes, returns nothing, and raises where a promise is broken;
it needs no fuzzer.
"""

from __future__ import annotations

from collections.abc import Callable

from . import decoders, files, machines, sessions, texts

TARGETS: dict[str, Callable[[bytes], None]] = {
    "responder": sessions.responder,
    "initiator": sessions.initiator,
    "responder_behind_cipher": sessions.responder_behind_cipher,
    "initiator_behind_cipher": sessions.initiator_behind_cipher,
    "records": sessions.records,
    "records_behind_cipher": sessions.records_behind_cipher,
    "messages": decoders.messages,
    "typed": texts.typed,
    "file_names": texts.file_names,
    "terminal": texts.terminal,
    "identity_file": files.identity_file,
    "contact_file": files.contact_file,
    "configuration": files.configuration,
    "chat": machines.chat,
    "files": machines.files,
}

MAX_LENGTH = 6144
"""Bytes of an input: a whole handshake with some records after it."""
