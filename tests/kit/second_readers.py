"""What the second client makes of a case that is one text or one message, where it can read it."""

from __future__ import annotations

from .case import Case
from .second_client import WORDS, second

UNREAD_FOLDERS = frozenset(
    {"backup", "contact_file", "file_message", "identity_file", "pipe_message", "safety_number"}
)
"""Of which it can read nothing."""

CHAT = ("text", "receipt", "name")
"""The kinds of chat messages that it knows as they are today."""


DIFFERS = {
    "code/number_of_four_digits": "it counts no digits, only the number",
    "link/expires_2_to_the_53": "it takes any integer of 8 bytes",
    "link/port_0": "it takes port 0",
    "valid/link_scheme_small_and_the_rest_capital": "it wants one case in all of a link",
}
"""Where it is wrong, and SPEC.md is clear: each has to be taken away when it is mended."""


def can_read(case: Case) -> bool:
    """Not what it never had: other kinds of texts and messages, codes that are not in ASCII."""
    if case["kind"] == "chat-message":
        return (
            case.name.removeprefix("valid/chat_message_")
            .removeprefix("chat_message/")
            .startswith(CHAT)
        )
    if case["kind"] == "code":
        return case.octets("input").isascii() and b"_" not in case.octets("input")
    return case["kind"] in ("id", "link")


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
    except (ValueError, KeyError):
        return "fail", ""
    return "valid", f"{keys} {link.expires} {where}"
