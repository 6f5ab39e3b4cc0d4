"""The screen of a person: lines scroll by natively, and below them is a line to type at."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import termios
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import ClassVar, Self

from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys

from e2ee.messages import MAX_TEXT_LENGTH

from .attention import Attention
from .clean import clean
from .commands import Command, CommandHelp, NoSuchCommand, as_text, parse
from .exits import CliError
from .lines import STDIN
from .live_area import LiveArea
from .rows import NEW, colours_wanted, rows
from .screen import Line
from .threads import in_thread

INTERVAL = 0.05
"""Seconds between two writes of lines; what comes in between is written together."""

MAX_UNWRITTEN = 100_000
"""Characters that are taken while others are being written; a line counts for 100 more."""

ROWS_AT_ONCE = 1000
"""Between two redraws of what is below: a line may have a million."""

PATIENCE = 1.0
"""Seconds that a stuck terminal gets to take the last bytes."""

_FOCUS_ON, _FOCUS_OFF = "\x1b[?1004h", "\x1b[?1004l"


class InlineScreen:
    redraws: ClassVar[bool] = True

    def __init__(
        self, commands: Sequence[CommandHelp], *, bell: bool = False, notify: bool = False
    ) -> None:
        """``bell``, ``notify`` -- ring, or ask the terminal for a notification (OSC 9), at the
        first line that nobody sees.
        """
        self._commands = commands
        self._bell = bell
        self._notify = notify
        self._colours = colours_wanted()
        self._attention = Attention(time.monotonic())
        self._lines: list[Line] = []
        self._room = MAX_UNWRITTEN
        self._taken = 0
        self._written = 0
        self._news = asyncio.Event()
        self._progressed = asyncio.Condition()
        self._awake = asyncio.Event()
        self._failure: CliError | BrokenPipeError | None = None
        self._typed: asyncio.Queue[str | Command | None] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._found = termios.tcgetattr(STDIN)
        self._live = LiveArea(self._commands, self._keys(), colours=self._colours)
        self._buffer = self._live.buffer
        self._live.application.key_processor.before_key_press += self._on_key
        self._live.begin(_FOCUS_ON)
        self._awake.set()
        self._reading = asyncio.create_task(self._read())
        self._printing = asyncio.create_task(self._print())
        asyncio.get_running_loop().add_signal_handler(signal.SIGCONT, self._resume)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCONT)
        with contextlib.suppress(CliError, BrokenPipeError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self.flush()
        self._reading.cancel()
        self._printing.cancel()
        await asyncio.gather(self._reading, self._printing, return_exceptions=True)
        self._live.end(_FOCUS_OFF)
        with contextlib.suppress(CliError, BrokenPipeError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._live.frames.written()
        with contextlib.suppress(termios.error):  # The terminal has gone.
            termios.tcsetattr(STDIN, termios.TCSANOW, self._found)

    async def show(self, line: Line) -> None:
        await self._until(lambda: self._room > 0)
        self._lines.append(line)
        self._room -= _size(line)
        self._taken += 1
        self._news.set()

    async def flush(self) -> None:
        taken = self._taken
        await self._until(lambda: self._written >= taken)

    def waiting(self, texts: Sequence[str], state: str) -> None:
        if (self._live.waiting, self._live.waiting_state) != (tuple(texts), state):
            self._live.waiting, self._live.waiting_state = tuple(texts), state
            self._news.set()

    def progress(self, texts: Sequence[str]) -> None:
        if self._live.progress != tuple(texts):
            self._live.progress = tuple(texts)
            self._news.set()

    def footer(self, text: str, *, alarm: bool = False) -> None:
        if (self._live.footer, self._live.alarm) != (text, alarm):
            self._live.footer, self._live.alarm = text, alarm
            self._news.set()

    async def typed(self) -> AsyncIterator[str | Command]:
        while (item := await self._typed.get()) is not None:
            yield item
        if self._reading.done():
            self._reading.result()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self._progressed:
            await self._progressed.wait_for(lambda: self._failure is not None or condition())
        if self._failure is not None:
            raise self._failure

    async def _read(self) -> None:
        try:
            # Its way to end is our cancelling; where the terminal has gone, it raises.
            with contextlib.suppress(EOFError):
                await self._live.application.run_async(
                    handle_sigint=False, set_exception_handler=False
                )
        finally:
            self._typed.put_nowait(None)

    async def _print(self) -> None:
        """The only one that writes lines."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                lines, self._lines = self._lines, []
                async with self._progressed:
                    self._room = MAX_UNWRITTEN
                    self._progressed.notify_all()
                if lines:
                    await self._print_lines(lines)
                else:
                    self._live.redraw()
                    await asyncio.sleep(INTERVAL)
                async with self._progressed:
                    self._written += len(lines)
                    self._progressed.notify_all()
        except (CliError, BrokenPipeError) as error:
            async with self._progressed:
                self._failure = error
                self._progressed.notify_all()

    async def _print_lines(self, lines: Sequence[Line]) -> None:
        now = time.monotonic()
        first_unseen = next(
            (
                line
                for line in lines
                if line.kind == "theirs" and self._attention.is_first_unseen(now)
            ),
            None,
        )
        call = "" if first_unseen is None else self._call(first_unseen)
        pending = self._rows(lines, first_unseen)
        # In a thread, as all of it may take seconds for one line of a megabyte.
        while some := await in_thread(lambda: list(islice(pending, ROWS_AT_ONCE))):
            # While a write is under way nothing is drawn, and these rows would go without a prompt.
            await self._live.frames.written()
            await self._awake.wait()
            self._live.print_above(some, after=call)
            call = ""
            await self._live.frames.written()
            await asyncio.sleep(INTERVAL)

    def _rows(self, lines: Sequence[Line], first_unseen: Line | None) -> Iterator[str]:
        for line in lines:
            if line is first_unseen:
                yield NEW
            yield from rows(line, self._live.columns, coloured=self._colours)

    def _call(self, line: Line) -> str:
        ring = "\a" if self._bell else ""
        # Not what they wrote: others may see notifications.
        return ring + (f"\x1b]9;{clean(line.speaker)} wrote\a" if self._notify else "")

    def _on_key(self, _: object) -> None:
        self._attention.key(time.monotonic())

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        typing = Condition(lambda: self._live.application.layout.has_focus(self._buffer))
        empty = Condition(lambda: not self._buffer.text)

        keys.add("enter", filter=typing)(lambda _: self._say())
        keys.add("escape", "enter", filter=typing)(lambda _: self._buffer.insert_text("\n"))
        keys.add(Keys.BracketedPaste, filter=typing)(lambda event: self._paste(event.data))
        keys.add("c-d", filter=typing & empty)(lambda _: self._typed.put_nowait(None))
        keys.add("c-c", filter=typing & empty)(lambda _: os.kill(os.getpid(), signal.SIGINT))
        keys.add("c-c", filter=typing & ~empty)(lambda _: self._drop())
        keys.add("c-z")(lambda event: event.app.create_background_task(self._suspend()))
        # What a terminal sends of its focus; prompt_toolkit has no names for these.
        keys.add("escape", "[", "I")(lambda _: self._attention.focus(gained=True))
        keys.add("escape", "[", "O")(lambda _: self._attention.focus(gained=False))
        return keys

    def _say(self) -> None:
        # Bytes that are no UTF-8 have come as surrogates, which cannot be sent.
        text = self._buffer.text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if not text.strip():
            return
        try:
            item = parse(text, self._commands)
        except NoSuchCommand as error:
            self._live.hint = str(error)
            return
        if len(text.encode()) > MAX_TEXT_LENGTH:
            self._live.hint = f"This is above {MAX_TEXT_LENGTH:,} bytes, too long for one message"
            return
        self._buffer.append_to_history()
        self._drop()
        self._typed.put_nowait(item)

    def _drop(self) -> None:
        self._buffer.reset()
        self._live.hint = ""

    def _paste(self, data: str) -> None:
        text = data.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
        # What is pasted is text, and is never run.
        self._buffer.insert_text(text if self._buffer.cursor_position else as_text(text))
        if "\n" in text:
            count = text.count("\n") + 1
            self._live.hint = f"{count} lines pasted: Enter sends them as one message, Ctrl-C drops"

    async def _suspend(self) -> None:
        self._awake.clear()
        self._live.end(_FOCUS_OFF)
        with contextlib.suppress(CliError, BrokenPipeError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._live.frames.written()
        termios.tcsetattr(STDIN, termios.TCSANOW, self._found)
        # The whole group, as the terminal would: what started us has to stop too.
        os.kill(0, signal.SIGTSTP)
        # Where nobody could continue us, it is ignored.
        asyncio.get_running_loop().call_later(INTERVAL, self._resume)

    def _resume(self) -> None:
        """Also after somebody else has stopped us: then the terminal's modes may be any."""
        with contextlib.suppress(termios.error):
            self._live.application.input.raw_mode().__enter__()
        self._live.begin(_FOCUS_ON)
        self._awake.set()


def _size(line: Line) -> int:
    return len(line.body) + 100
