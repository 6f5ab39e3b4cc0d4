"""Whatever a peer says, a terminal shows it and does nothing else, wherever it is printed."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyte
import pytest
import typer
import wcwidth

from e2ee import Identity
from e2ee.contacts import Contact, Grade, Verdict
from e2ee.errors import AddressInUse, E2EEError, MalformedMessage
from e2ee.file_events import Offered
from e2ee.messages import decode_chat
from e2ee_cli import acquaintance, ask, check_network, doctor, logs, output, receive, who_is_nearby
from e2ee_cli.chat import Chat
from e2ee_cli.encounter import Encounter, announce
from e2ee_cli.events import EVENTS
from e2ee_cli.exits import CliError, Exit
from e2ee_cli.file_trouble import FileTrouble
from e2ee_cli.inline_screen import InlineScreen
from e2ee_cli.names import OWN_WORDS, claimed, skeleton
from e2ee_cli.output import Output
from e2ee_cli.plain_screen import PlainScreen
from e2ee_cli.progress import progress_row
from e2ee_cli.progress_line import ProgressLine
from e2ee_cli.reports import report_errors
from e2ee_cli.rows import rows
from e2ee_cli.screen import Line
from e2ee_cli.transfer import Row, Transfer
from e2ee_cli.view import View
from e2ee_cli.waiting import Waiting

from .hostile_texts import HOSTILE, Hostile, shown
from .printing_places import BYTES, NOT, OWN, PLACES, SINK, calls_that_write
from .terminal_emulator import ScreenProgram

COLUMNS = 80
NOON = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))
OURS = ("\x1b[2m", "\x1b[22m", "\x1b[39m", *(f"\x1b[38;5;{n}m" for n in (28, 31, 98, 130, 163)))
"""What the program itself sends to a terminal."""

KEY = Identity.generate().public_key


def wire(text: str) -> str:
    """As it can come: what comes is UTF-8."""
    return text.encode("utf-8", "replace").decode()


def bob(claim: str) -> Contact:
    return Contact(
        name="bob",
        identity=KEY,
        claimed_name=wire(claim)[:64],
        how="meeting",
        first_seen=int(NOON),
        graded_at=int(NOON),
        last_seen=int(NOON),
    )


def calls_themself(claim: str) -> str:
    """Where the alias is another, as it is for all of these."""
    name = claimed(wire(claim)[:64])
    assert len(name) <= 32
    if skeleton(name) == skeleton("bob"):
        return "bob"
    is_ours = skeleton(name) in map(skeleton, OWN_WORDS)
    warning = f", {bob('').id[:16]}…" if is_ours else ""
    assert all(shown(one) == one for one in name if one not in "\u200d\ufe0f")
    return f'bob (calls themself "{name}"{warning})' if name else "bob"


def a_row(name: str) -> Row:
    """As a transfer makes it of an offer."""
    found: list[Row] = []
    transfer: Any = SimpleNamespace(rows=found, _begin=lambda *_: None, _wake=lambda: None)
    transfer._coming = {}
    Transfer._on_events(transfer, [offered(name)])
    found[0].began = 0.0
    return found[0]


def offered(name: str) -> Offered:
    return Offered(transfer=b"", name=wire(name), size=1000, count=None, again=b"")


class AtOnce:
    """A thread that has ended when it has started: thousands of real ones would take long."""

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...] = (), **_: Any) -> None:
        self.start = lambda: target(*args)

    def join(self, timeout: float) -> None: ...

    def is_alive(self) -> bool:
        return False


class Printed:
    """What is written, at a terminal of 80 columns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._parts: list[bytes] = []
        monkeypatch.setattr(output, "write_stdout", lambda data: self._parts.append(bytes(data)))
        monkeypatch.setattr(output, "_write_stderr", self._parts.append)
        monkeypatch.setattr("threading.Thread", AtOnce)
        monkeypatch.setattr(output, "_columns", lambda _: COLUMNS)
        monkeypatch.setenv("COLUMNS", str(COLUMNS))
        monkeypatch.setenv("TERM", "xterm-256color")
        self.output = Output(as_json=False)
        self.output._terminal = self.output._label = True
        self.view = View(self.output)

    def take(self) -> str:
        data = b"".join(self._parts).decode()
        self._parts.clear()
        return data

    def raw(self, text: str) -> None:
        self._parts.append(text.encode())


Place = Callable[[Printed, Hostile], list[str]]
"""Prints a hostile text, and returns the lines that must be shown."""


def profile(printed: Printed) -> Any:
    book = SimpleNamespace(read=lambda: SimpleNamespace(contacts=[], get=lambda _: None))
    return SimpleNamespace(output=printed.output, book=book)


def inline_screen(printed: Printed, hostile: Hostile) -> list[str]:
    for row in rows(Line("theirs", "bob", hostile.text, NOON), COLUMNS, coloured=True):
        printed.raw(row + "\n")
    return chat_lines(hostile)


def chat_lines(hostile: Hostile) -> list[str]:
    first, *others = (with_tabs(hostile, line) for line in hostile.text.split("\n"))
    return [f"12:00 bob: {first}", *(f"           {other}" for other in others)]


def with_tabs(hostile: Hostile, text: str) -> str:
    return "    ".join(map(hostile.seen, text.split("\t")))


def plain_screen(printed: Printed, hostile: Hostile) -> list[str]:
    screen = PlainScreen(printed.output, ())
    asyncio.run(screen.show(Line("theirs", "bob", hostile.text, NOON)))
    return chat_lines(hostile)


def plain_note(printed: Printed, hostile: Hostile) -> list[str]:
    text = hostile.text.replace("\n", " ")
    screen = PlainScreen(printed.output, ())
    asyncio.run(screen.show(Line("note", "", f"it says {text}", NOON)))
    return [f"it says {hostile.seen(text)}"]


def output_line(printed: Printed, hostile: Hostile) -> list[str]:
    asyncio.run(printed.output.line("bob", hostile.text))
    return [f"bob: {with_tabs(hostile, hostile.text)}"]


def history(printed: Printed, hostile: Hostile) -> list[str]:
    printed.output.kept("2026-11-24 12:00 from bob: ", hostile.text)
    return [f"2026-11-24 12:00 from bob: {with_tabs(hostile, hostile.text)}"]


def connected(printed: Printed, hostile: Hostile) -> list[str]:
    contact = bob(hostile.text)
    met = Encounter(None, Verdict(Grade.SEEN, contact), contact, True)
    announce(met, profile(printed))
    return [
        f"Connected, end-to-end encrypted, to {calls_themself(hostile.text)}",
        "  known since 2026-11-24; it is the identity that you asked for",
    ]


def chat_name(printed: Printed, hostile: Hostile) -> list[str]:
    contact = bob("")
    claim = bob(hostile.text).claimed_name
    if claim == "":
        return []
    with_claim = SimpleNamespace(
        change=lambda _: bob(hostile.text), read=lambda: SimpleNamespace(contacts=[])
    )
    chat: Any = SimpleNamespace(
        view=printed.view, profile=SimpleNamespace(book=with_claim, output=printed.output)
    )
    Chat._name(chat, SimpleNamespace(contact=contact), claim)
    called = calls_themself(hostile.text)
    return [] if called == contact.name else [f"({called})"]


def contact_list(printed: Printed, hostile: Hostile) -> list[str]:
    acquaintance.list_all(printed.output)
    return [f"{calls_themself(hostile.text)}: not verified, known since 2026-11-24"]


def one_contact(printed: Printed, hostile: Hostile) -> list[str]:
    acquaintance.show("bob", printed.output)
    contact = bob(hostile.text)
    name = claimed(contact.claimed_name)
    return [
        "bob",
        *([f'  calls themself: "{name}"'] if name else []),
        f"  id: {contact.id}",
        f"  safety words: {' '.join(contact.words)}",
        "  not verified",
        "  known since 2026-11-24, last met on 2026-11-24",
    ]


def nearby(printed: Printed, hostile: Hostile) -> list[str]:
    asyncio.run(who_is_nearby.show_nearby(acquaintance.Book(None), printed.output))
    where = "at 192.0.2.1; to talk: e2ee connect bob"
    return ["Looking who is on this network …", f"{calls_themself(hostile.text)}: {where}"]


def offer_in_a_chat(printed: Printed, hostile: Hostile) -> list[str]:
    chat: Any = SimpleNamespace(view=printed.view)
    printed.view.person = False
    person: Any = SimpleNamespace(contact=bob(""))
    name = hostile.text
    asyncio.run(Chat._ask(chat, person, a_row(name), offered(name)))
    return [f"bob offers {seen_name(hostile)} (1.0 kB); nobody is here to take it"]


def seen_name(hostile: Hostile) -> str:
    return hostile.seen(wire(hostile.text))


def end_in_a_chat(printed: Printed, hostile: Hostile) -> list[str]:
    chat: Any = SimpleNamespace(view=printed.view, refresh=lambda: None)
    person: Any = SimpleNamespace(contact=bob(""))
    came, failed = a_row(hostile.text), a_row(hostile.text)
    came.path = f"/home/alice/{came.name}"
    failed.error = FileTrouble(f"{wire(hostile.text)} cannot be written", "unwritable")
    for row in (came, failed):
        Chat._on_file(chat, person, row)
    name = seen_name(hostile)
    return [
        f"{name} has come: /home/alice/{name} (1.0 kB)",
        f"{name} cannot be written",
    ]


def taking(printed: Printed) -> Any:
    return SimpleNamespace(
        _profile=profile(printed),
        _line=ProgressLine(printed.output, as_json=False),
        _yes=True,
        _questions=asyncio.Lock(),
        rows=[],
    )


def offer_to_receive(printed: Printed, hostile: Hostile) -> list[str]:
    row, offer = a_row(hostile.text), offered(hostile.text)
    asyncio.run(receive._Taking._ask(taking(printed), bob(""), row, offer, known=True))
    return [f"bob offers {seen_name(hostile)} (1.0 kB)"]


def question(printed: Printed, hostile: Hostile) -> list[str]:
    me, row, offer = taking(printed), a_row(hostile.text), offered(hostile.text)
    me._yes = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.isatty", lambda _: True)
        assert asyncio.run(receive._Taking._ask(me, bob(""), row, offer, known=True))
    asked = printed.take().rpartition("\n")[2]
    assert asked.startswith("Take ")
    assert asked.endswith("? [y/N] ")
    assert wcwidth.wcswidth(asked) < COLUMNS
    beginning = asked.removeprefix("Take ").removesuffix("? [y/N] ")
    assert seen_name(hostile).startswith(beginning.removesuffix("…"))
    printed.raw(asked + "\n")
    return [asked]


def a_file_came(printed: Printed, hostile: Hostile) -> list[str]:
    row = a_row(hostile.text)
    row.path = row.name
    receive._Taking._on_end(taking(printed), row)
    return [seen_name(hostile)]


def a_file_failed(printed: Printed, hostile: Hostile) -> list[str]:
    row = a_row(hostile.text)
    row.error = CliError(f"{row.name}: bob stopped it", Exit.NOT_CONFIRMED)
    ProgressLine(printed.output, as_json=False).failed(row)
    return [f"{seen_name(hostile)}: bob stopped it"]


def progress(printed: Printed, hostile: Hostile) -> list[str]:
    row = a_row(hostile.text)
    text = progress_row(row.name, 500, 1000, 0, COLUMNS - 1)
    name, _, rest = text.rpartition("   50 %")
    assert seen_name(hostile).startswith(name.removesuffix("…"))
    asyncio.run(in_a_screen(printed, text))
    return [f"{name}   50 %{rest}"]


async def in_a_screen(printed: Printed, text: str) -> None:
    PlainScreen(printed.output, ()).progress([text])


def unknown_kind(printed: Printed, hostile: Hostile) -> list[str]:
    """Kinds are of few letters; what is of others is refused, in words that are not the peer's."""
    try:
        event = decode_chat(json.dumps({"kind": hostile.text}, separators=(",", ":")).encode())
    except MalformedMessage as error:
        printed.raw(f"{error}\n")
        return ["a chat message begins with its kind"]
    chat: Any = SimpleNamespace(view=printed.view, refresh=lambda: None)
    Chat._on_event(chat, SimpleNamespace(puzzling=False), event)
    assert hostile.text.isascii()
    assert hostile.text.isalnum()
    return [f"(The peer sent a '{hostile.text}', which this version cannot show.)"]


def turned_away(printed: Printed, hostile: Hostile) -> list[str]:
    waiting: Any = SimpleNamespace(_is_end=lambda _: False, _reported=[], _unreported=0)
    waiting._profile, waiting._guest = profile(printed), None
    Waiting._turn_away(waiting, "192.0.2.1:5", E2EEError(hostile.text))
    return [f"Somebody at 192.0.2.1:5 was not let in: {hostile.seen(hostile.text)}"]


def an_error(printed: Printed, hostile: Hostile) -> list[str]:
    def work() -> None:
        raise FileTrouble(f"{hostile.text} cannot be read", "unreadable")

    with pytest.raises(typer.Exit):
        report_errors(printed.output, work)
    return [f"e2ee: {hostile.seen(hostile.text)} cannot be read"]


def a_check(printed: Printed, hostile: Hostile) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check_network, "_holder", lambda _: (hostile.text, 7))
        patch.setattr(check_network.tcp, "listen", in_use)
        doctor._say(asyncio.run(check_network.check_port(3233)), printed.output)
    way = "; choose another: e2ee listen --port 0"
    who = f"{hostile.seen(hostile.text)} (process 7)" if hostile.text else ""
    return [f"problem  port: 3233 is held by {who}{way}"]


async def in_use(*_: object, **__: object) -> None:
    raise AddressInUse("it is in use")


def the_log(printed: Printed, hostile: Hostile) -> list[str]:
    handler = logs._ToOutput(printed.output)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger(logs.LOGGER)
    logger.addHandler(handler)
    try:
        logs._log("connecting", {"address": hostile.text})
    finally:
        logger.removeHandler(handler)
    return [f"connecting address={hostile.seen(hostile.text)}"]


PRINTING: dict[str, Place] = {
    "a text on the inline screen": inline_screen,
    "a text on the plain screen": plain_screen,
    "a note on the plain screen": plain_note,
    "a text as a line": output_line,
    "a text of the history": history,
    "who is connected": connected,
    "a name in a chat": chat_name,
    "contacts": contact_list,
    "a contact": one_contact,
    "who is nearby": nearby,
    "an offer in a chat": offer_in_a_chat,
    "the end of a file in a chat": end_in_a_chat,
    "an offer to receive": offer_to_receive,
    "the question about a file": question,
    "a file that came": a_file_came,
    "a file that failed": a_file_failed,
    "progress": progress,
    "an unknown kind": unknown_kind,
    "who was turned away": turned_away,
    "an error": an_error,
    "a check of doctor": a_check,
    "a line of the log": the_log,
}

FOLDED = PRINTING.keys() - {
    *("an error", "a check of doctor", "a line of the log", "who was turned away"),
    "a note on the plain screen",
}
"""Those that break rows themselves; the others hold nothing that a peer has written."""


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    return Printed(monkeypatch)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> list[Contact]:
    """Whom the commands find in the contacts."""
    known: list[Contact] = []
    book = SimpleNamespace(contacts=known, get=lambda _: known[0])
    monkeypatch.setattr(acquaintance, "Book", lambda _: SimpleNamespace(read=lambda: book))
    monkeypatch.setattr(acquaintance, "own_identity", lambda _: None)

    async def look(contacts: list[Contact]) -> Any:
        for contact in contacts:
            yield contact, ("192.0.2.1", 3233)

    monkeypatch.setattr(who_is_nearby, "look", look)

    async def answer(prompt: str, _: object = None) -> str:
        output.write_stdout(prompt.encode())
        return "y"

    monkeypatch.setattr(ask, "line", answer)
    return known


def test_there_are_many_hostile_texts_and_each_is_another() -> None:
    assert len({hostile.text for hostile in HOSTILE}) >= 600
    assert len({(hostile.name, hostile.text) for hostile in HOSTILE}) == len(HOSTILE)


def test_every_call_that_writes_for_a_person_is_in_the_table() -> None:
    assert calls_that_write() == set(PLACES)
    assert set(PLACES.values()) - {OWN, SINK, NOT, BYTES} == set(PRINTING)


def in_cells(text: str) -> str:
    """Without what goes onto the letter before: the emulator would stop at some of these."""
    if text.isascii():
        return text
    return "".join(one for one in text if one in "\n\x1b" or wcwidth.wcwidth(one) > 0)


class Screen:
    """What a terminal shows of what is written to it."""

    def __init__(self) -> None:
        self._screen = pyte.Screen(COLUMNS, 50_000)
        self._stream = pyte.Stream(self._screen)
        self._top = 0

    def rows(self, data: str) -> list[str]:
        """Those that this adds."""
        self._stream.feed(in_cells(data).replace("\n", "\r\n"))
        bottom = self._screen.cursor.y
        buffer = self._screen.buffer
        found = [
            "".join(row[x].data for x in range(max(row, default=-1) + 1)).rstrip()
            for row in (buffer[y] for y in range(self._top, bottom))
        ]
        self._top = bottom
        return found


def without_blanks(text: str) -> str:
    return "".join(in_cells(unicodedata.normalize("NFD", text)).split())


@pytest.mark.attack(85)
@pytest.mark.attack(86)
@pytest.mark.attack(87)
@pytest.mark.attack(88)
@pytest.mark.parametrize("place", PRINTING)
def test_a_hostile_text_is_shown_and_does_nothing_else(
    place: str, printed: Printed, people: list[Contact], figure: Callable[[str], None]
) -> None:
    screen = Screen()
    for hostile in HOSTILE:
        people[:] = [bob(hostile.text)]
        lines = PRINTING[place](printed, hostile)
        data = printed.take()
        bare = data
        for ours in OURS:
            bare = bare.replace(ours, "")
        acts = {one for one in set(bare) if unicodedata.category(one)[0] == "C"} - {"\u200d"}
        assert acts <= {"\n", *"\u2068\u2069"}, hostile
        shown_rows = screen.rows(data)
        assert without_blanks("".join(shown_rows)) == without_blanks("".join(lines)), hostile
        if place in FOLDED:
            begun = sum(not row.startswith(" ") for row in shown_rows if row)
            assert begun == sum(not in_cells(line).startswith(" ") for line in lines), hostile
    figure(f"{place}: {len(HOSTILE)} hostile texts, 0 differences from what must be shown")


@pytest.mark.attack(85)
@pytest.mark.attack(88)
def test_a_hostile_text_in_a_pipe_is_one_line_that_a_script_can_trust(
    printed: Printed, figure: Callable[[str], None]
) -> None:
    piped, as_json = Output(as_json=False), Output(as_json=True)
    piped._terminal = piped._label = False
    for hostile in HOSTILE:
        asyncio.run(piped.line("bob", hostile.text))
        text = "\t".join(map(hostile.seen, hostile.text.split("\t")))
        assert printed.take() == f"{text}\n"

        asyncio.run(as_json.line("bob", hostile.text))
        as_json.data("", event="contact", claimed_name=hostile.text)
        as_json.status("offer", "", name=hostile.text)
        *lines, end = printed.take().split("\n")
        assert end == ""
        assert all(line.isascii() and line.isprintable() for line in lines)
        read = [json.loads(line) for line in lines]
        assert [
            value.get("text", value.get("claimed_name", value.get("name"))) for value in read
        ] == ([hostile.text] * 3)
    figure(f"pipes and --json: {len(HOSTILE)} hostile texts, each in one line, and as it came")


@pytest.mark.attack(85)
def test_a_notification_holds_nothing_but_its_one_sequence(figure: Callable[[str], None]) -> None:
    screen: Any = SimpleNamespace(_bell=True, _notify=True)
    for hostile in HOSTILE:
        line = Line("theirs", hostile.text, hostile.text, NOON)
        called = InlineScreen._call(screen, line)
        assert called == f"\a\x1b]9;{hostile.seen(hostile.text)} wrote\a"
    figure(f"notifications: {len(HOSTILE)} hostile names, 0 sequences that are not ours")


@pytest.mark.attack(88)
def test_what_may_hold_a_peers_words_is_broken_into_rows_by_us(
    figure: Callable[[str], None],
) -> None:
    # "progress" is drawn in one row, cut to the width of the terminal.
    claims = {
        name
        for name, event in EVENTS.items()
        if {"claimed_name", "name"} & event.fields.keys()
        and any(
            "call themselves" in f.meaning or "of the file" in f.meaning
            for f in event.fields.values()
        )
    }
    assert claims - {"progress"} == output.PEERS_WORDS
    figure(
        f"events with a peer's words: {len(claims)} of {len(EVENTS)}, all broken into rows by us"
    )


@pytest.mark.attack(85)
@pytest.mark.attack(88)
@pytest.mark.parametrize("options", [(), ("plain",)], ids=["inline", "plain"])
def test_hostile_texts_on_a_real_screen_leave_the_prompt_and_the_margin_to_the_program(
    options: tuple[str, ...], tmp_path: Path, figure: Callable[[str], None]
) -> None:
    texts = [one for one in HOSTILE if in_cells(one.seen(one.text)) == one.seen(one.text)]
    lines: list[str] = []
    program = ScreenProgram(tmp_path, *options)
    try:
        for hostile in texts:
            program.show(hostile.text, at=NOON)
            lines += chat_lines(hostile)
        program.show("the last", at=NOON)
        program.wait_for("the last")
        found = program.scrollback
    finally:
        program.close()
    end = found.index("12:00 bob: the last")
    shown_rows, ours = found[:end], found[end + 1 :]
    assert ours == ([] if options else [">"])
    assert all(row.startswith(("12:00 bob: ", " ")) for row in shown_rows if row)
    assert without_blanks("".join(shown_rows)) == without_blanks("".join(lines))
    kind = "plain" if options else "inline"
    count = len(shown_rows)
    figure(f"{kind} screen: {len(texts)} hostile texts, 0 of {count} rows begin with theirs")
