"""Prints the tables of SPEC.md that come from the code.

``python -m tests.spec_tables`` checks that SPEC.md has them as they are now; with ``--write`` it
puts them there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import errors as vocabulary
from e2ee.file_states import FOLDERS_ONLY, Part, State
from e2ee.file_states import TABLE as FILE_TABLE
from e2ee.handshake import Handshake, Token, parse_protocol_name
from e2ee.limits import HANDSHAKE_PAYLOAD_LENGTH
from e2ee.record.refresh import TABLE, RefreshInput, RefreshState
from e2ee.suites import SUITES, Approach
from tests.limits import PROGRAM, PROTOCOL, Limit

SPEC = Path(__file__).parent.parent / "SPEC.md"


def message_lengths(name: str, payload_lengths: tuple[int, ...]) -> list[int]:
    """Lengths of a handshake's messages, found by running one."""
    pattern = parse_protocol_name(name).pattern
    static = X25519PrivateKey.generate()
    psks = [bytes(32)] * sum(message.count(Token.PSK) for message in pattern.messages)
    known = static.public_key() if Token.S in pattern.responder_pre_message else None
    sides = [
        Handshake(name, initiator=role, psks=psks, s=static, rs=known if role else None)
        for role in (True, False)
    ]
    lengths = []
    for number, payload_length in enumerate(payload_lengths):
        writer, reader = sides if number % 2 == 0 else sides[::-1]
        message = writer.write_message(bytes(payload_length))
        reader.read_message(message)
        lengths.append(len(message))
    return lengths


def patterns() -> str:
    lines = ["| protocol | messages | bytes with empty payloads |", "|---|---|---|"]
    for name in dict.fromkeys(
        name for suite in SUITES.values() for name in (suite.name, suite.refresh_name)
    ):
        pattern = parse_protocol_name(name).pattern
        arrows = ["->", "<-"]
        messages = "<br>".join(
            f"`{arrows[i % 2]} {', '.join(message)}`" for i, message in enumerate(pattern.messages)
        )
        lengths = message_lengths(name, (0,) * len(pattern.messages))
        lines.append(f"| `{name}` | {messages} | {', '.join(map(str, lengths))} |")
    return "\n".join(lines)


def suites() -> str:
    lines = [
        "| suite | opening | handshake | refresh | a, b, c (bytes) |",
        "|---|---|---|---|---|",
    ]
    full = HANDSHAKE_PAYLOAD_LENGTH
    for suite in SUITES.values():
        payloads = (full, full) if suite.approach is Approach.KNOWN else (0, full, full)
        lengths = ", ".join(map(str, message_lengths(suite.name, payloads)))
        lines.append(
            f"| {suite.number:#06x} | {suite.approach.value} | `{suite.name}` | "
            f"`{suite.refresh_name}` | {lengths} |"
        )
    return "\n".join(lines)


def refresh() -> str:
    states = list(RefreshState)
    lines = [
        "| refresh | " + " | ".join(state.name for state in states) + " |",
        "|---" * (len(states) + 1) + "|",
    ]
    for event in RefreshInput:
        found = [TABLE.get((state, event)) for state in states]
        cells = [f"{cell[0].value} → {cell[1].name}" if cell else "" for cell in found]
        lines.append(f"| {event.value} | {' | '.join(cells)} |")
    lines.append("| own wish | send an offer → OFFERED | nothing | nothing | nothing |")
    return "\n".join(lines)


def files() -> str:
    """One row for each message and whom it comes to, the states in columns."""
    states = [state for state in State if state is not State.GONE]
    lines = [
        "| message | comes to | " + " | ".join(state.name for state in states) + " |",
        "|---" * (len(states) + 2) + "|",
    ]
    for part in Part:
        for kind in dict.fromkeys(kind for each, _, kind in FILE_TABLE if each is part):
            following = [FILE_TABLE.get((part, state, kind)) for state in states]
            cells = " | ".join(state.name if state else "" for state in following)
            only = " ¹" if kind in FOLDERS_ONLY else ""
            lines.append(f"| `{kind}`{only} | {part.value} | {cells} |")
    return "\n".join(lines)


def limit_values(values: Sequence[Limit]) -> str:
    lines = ["| constant | value | what | shown by, in `tests/` |", "|---|---|---|---|"]
    lines += [limit.row for limit in values]
    return "\n".join(lines)


def errors() -> str:
    """In the order of the module, where each stands behind its kind."""
    lines = ["| error | a kind of | when |", "|---|---|---|"]
    for error in vars(vocabulary).values():
        if isinstance(error, type) and error.__module__ == vocabulary.__name__:
            kind = error.__bases__[0].__name__
            when = " ".join(str(error.__doc__).partition("\n\n")[0].replace("``", "`").split())
            lines.append(f"| `{error.__name__}` | `{kind}` | {when} |")
    return "\n".join(lines)


TABLES = {
    "patterns": patterns,
    "suites": suites,
    "refresh": refresh,
    "files": files,
    "errors": errors,
    "limits": lambda: limit_values(PROTOCOL),
    "limits of the program": lambda: limit_values(PROGRAM),
}


def updated(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    for name, table in tables.items():
        before, begin, rest = text.partition(f"<!-- generated: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise SystemExit(f"there is no place for the table {name}")
        text = before + begin + table() + "\n" + end + after
    return text


def main(document: Path, tables: Mapping[str, Callable[[], str]]) -> None:
    present = document.read_text()
    wanted = updated(present, tables)
    if "--write" in sys.argv:
        document.write_text(wanted)
    elif wanted != present:
        raise SystemExit(f"{document.name} is behind the code: run this again with --write")


if __name__ == "__main__":
    main(SPEC, TABLES)
