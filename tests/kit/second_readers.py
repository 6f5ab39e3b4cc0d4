"""What the second client makes of a case that is one text or one message, where it can read it."""

from __future__ import annotations

from .case import Case
from .second_client import WORDS, second

UNREAD_FOLDERS = frozenset(
    {
        "backup",
        "contact_file",
        "file_message",
        "hello",
        "identity_file",
        "pipe",
        "pipe_message",
        "safety_number",
        "transfer",
    }
)
"""Of which it can read nothing."""

CHAT = ("hello", "stream", "resume", "text", "receipt", "name", "leave")
"""The kinds of chat messages that it knows as they are today."""


def can_read(case: Case) -> bool:
    """Not what it never had: other kinds of texts and messages."""
    if case["kind"] == "chat-message":
        return (
            case.name.removeprefix("valid/chat_message_")
            .removeprefix("chat_message/")
            .startswith(CHAT)
        )
    return case["kind"] in ("id", "code", "link")


def read(case: Case) -> tuple[str, str]:
    """``valid`` and what is in it, or ``fail``."""
    data = case.octets("input")
    try:
        match case["kind"]:
            case "chat-message":
                return "valid", second.read_chat(data)["kind"]
            case "id":
                return "valid", second.key_of(data.decode()).hex()
            case "code":
                code = second.read_code(data.decode(), WORDS)
                return "valid", f"{code.number} {code.password.decode()}"
        link = second.read_link(data.decode())
        keys = f"{link.identity_key.hex()} {link.lookup_id.hex()} {link.psk.hex()}"
        where = " ".join(f"{host} {port}" for host, port in link.addresses)
    except (ValueError, KeyError, RecursionError):
        return "fail", ""
    return "valid", f"{keys} {link.expires} {where}"
