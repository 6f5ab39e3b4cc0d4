"""Where cli/ writes for a person: each call, and what in it may be a peer's.

A new call that writes has no row here until somebody has thought of what a peer could bring to it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CLI = Path(__file__).parent.parent.parent / "cli"

WRITERS = frozenset(
    {
        *("print", "echo", "write", "write_raw", "write_stdout", "print_above", "prompt_async"),
        *("status", "data", "kept", "line", "note", "say", "text", "footer", "waiting", "progress"),
        *("report", "getpass"),
    }
)

OWN = "words, ids and numbers of the program; aliases, texts and paths of the user"
SINK = "gives on what others have made fit to be shown"
NOT = "is called like a writer, and writes nothing for a person"
BYTES = "bytes for a program, which are as they came: SPEC.md section 11.5"

PLACES = {
    "__main__.py _show_version print": OWN,
    "acquaintance.py _verify data": OWN,
    "acquaintance.py _verify line": OWN,
    "acquaintance.py _verify status": OWN,
    "acquaintance.py block status": OWN,
    "acquaintance.py list_all data": "contacts",
    "acquaintance.py list_all status": OWN,
    "acquaintance.py remove status": OWN,
    "acquaintance.py rename status": OWN,
    "acquaintance.py show data": "a contact",
    "acquaintance.py trust status": OWN,
    "ask.py _ask prompt_async": SINK,
    "calling.py _say_why note": OWN,
    "calling.py stay_connected note": "an error",
    "chat.py Chat._ask note": "an offer in a chat",
    "chat.py Chat._journal note": OWN,
    "chat.py Chat._name note": "a name in a chat",
    "chat.py Chat._new_person.show text": SINK,
    "chat.py Chat._on_event note": "an unknown kind",
    "chat.py Chat._on_file note": "the end of a file in a chat",
    "chat.py Chat._say say": NOT,
    "chat.py Chat._speak note": OWN,
    "chat.py Chat.refresh footer": OWN,
    "chat.py Chat.refresh progress": "progress",
    "chat.py Chat.refresh waiting": OWN,
    "chat_commands.py ChatCommands._say note": OWN,
    "correspondent.py _Link.pump note": NOT,
    "demo.py _converse footer": OWN,
    "demo.py _converse.show text": SINK,
    "demo.py _converse.speak say": NOT,
    "demo.py _recite.show line": SINK,
    "demo.py _recite.show say": NOT,
    "demo.py demo status": OWN,
    "demo_peer.py _answer say": NOT,
    "demo_peer.py _answer.show say": NOT,
    "demo_peer.py main write": OWN,
    "doctor.py _say data": "a check of doctor",
    "encounter.py announce status": "who is connected",
    "finding.py places_of status": OWN,
    "finding.py stream_to status": OWN,
    "frames.py Frames._write write_stdout": SINK,
    "home.py _load status": OWN,
    "home.py _make status": OWN,
    "inline_renderer.py InlineOutput.erase_down write_raw": OWN,
    "inline_screen.py InlineScreen._print_lines print_above": "a text on the inline screen",
    "invite.py invite_by_code data": OWN,
    "invite.py invite_by_code status": OWN,
    "invite.py invite_by_link data": OWN,
    "invite.py invite_by_link status": OWN,
    "invite.py list_links data": OWN,
    "invite.py revoke_link status": OWN,
    "join.py _find status": OWN,
    "join.py _invitation status": OWN,
    "join.py _open status": OWN,
    "join.py join status": OWN,
    "listen.py listen status": OWN,
    "live_area.py LiveArea.begin write_raw": OWN,
    "live_area.py LiveArea.end write_raw": OWN,
    "live_area.py LiveArea.print_above write_raw": SINK,
    "logs.py _ToFile.handleError status": OWN,
    "logs.py _ToOutput.emit status": "a line of the log",
    "main.py _options echo": OWN,
    "main.py completion echo": OWN,
    "main.py main report": "an error",
    "main.py main write": OWN,
    "main.py schema echo": OWN,
    "nearby.py _show status": OWN,
    "output.py Output.data write_stdout": SINK,
    "output.py Output.kept data": SINK,
    "output.py Output.line write_stdout": "a text as a line",
    "output.py Terse.status status": SINK,
    "output.py _write_stderr write": SINK,
    "output.py write_stdout write": SINK,
    "own_identity.py _ask_words line": OWN,
    "own_identity.py _ask_words status": OWN,
    "own_identity.py bring_back data": OWN,
    "own_identity.py bring_back status": OWN,
    "own_identity.py export data": OWN,
    "own_identity.py export status": OWN,
    "own_identity.py passphrase status": OWN,
    "own_identity.py rotate_device status": OWN,
    "own_identity.py show data": OWN,
    "passphrases.py _end_row write": OWN,
    "passphrases.py _stoppable.ask_again write": OWN,
    "passphrases.py ask_passphrase getpass": OWN,
    "pipe.py wait_for_pipe status": OWN,
    "piping.py _write_all write_stdout": BYTES,
    "plain_screen.py PlainScreen.footer status": OWN,
    "plain_screen.py PlainScreen.progress status": "progress",
    "plain_screen.py PlainScreen.show data": "a text on the plain screen",
    "plain_screen.py PlainScreen.show line": SINK,
    "plain_screen.py PlainScreen.show status": "a note on the plain screen",
    "plain_screen.py PlainScreen.typed status": OWN,
    "plain_screen.py PlainScreen.waiting status": OWN,
    "progress_line.py ProgressLine._tell status": SINK,
    "progress_line.py ProgressLine.failed say": "a file that failed",
    "progress_line.py ProgressLine.say status": SINK,
    "progress_line.py _write write": "progress",
    "receive.py _Taking._ask line": "the question about a file",
    "receive.py _Taking._ask say": "an offer to receive",
    "receive.py _Taking._on_end data": "a file that came",
    "receive.py receive status": OWN,
    "recollection.py _ask line": OWN,
    "recollection.py delete status": OWN,
    "recollection.py show kept": "a text of the history",
    "recollection.py show status": OWN,
    "reports.py report status": "an error",
    "reports.py report_errors report": SINK,
    "send.py _carry_all say": OWN,
    "send.py send say": OWN,
    "send.py send.on_end say": OWN,
    "terminal_modes.py found.put_back write": OWN,
    "transfer.py Transfer._write_data write": NOT,
    "view.py View.footer footer": SINK,
    "view.py View.note status": SINK,
    "view.py View.progress progress": SINK,
    "view.py View.ready note": OWN,
    "view.py View.text line": SINK,
    "view.py View.waiting waiting": SINK,
    "waiting.py Waiting._serve_guest status": "an error",
    "waiting.py Waiting._turn_away status": "who was turned away",
    "who_is_nearby.py show_nearby data": "who is nearby",
    "who_is_nearby.py show_nearby status": OWN,
}
"""FILE FUNCTION CALLED, and the name of its test, or why it needs none."""


def calls_that_write() -> set[str]:
    """As the keys of PLACES."""
    return {
        f"{path.name} {'.'.join(names)} {writer}"
        for path in CLI.glob("*.py")
        for names, writer in _writing(ast.parse(path.read_text()), [])
    }


def _writing(node: ast.AST, names: list[str]) -> Iterator[tuple[list[str], str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            called = child.func
            writer = getattr(called, "attr", None) or getattr(called, "id", "")
            if writer in WRITERS:
                yield names, writer
        is_scope = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        inner = [*names, child.name] if is_scope else names  # type: ignore[attr-defined]
        yield from _writing(child, inner)
