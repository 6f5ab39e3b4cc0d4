"""How a chat is shown and typed: at a terminal on a screen, else as lines of standard streams."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from e2ee.conversation import TextReceived
from e2ee.errors import E2EEError

from .commands import Command, CommandHelp
from .exits import CliError
from .lines import STDIN, stdin_lines
from .output import Output

if TYPE_CHECKING:
    from .screen import Line, Screen

YOU = "you"

LAST_LINES = 1.0
"""Seconds for what is still to be shown at the end."""

MAX_UNSHOWN = 1000
"""Texts of peers that wait for the screen."""


class View:
    """Used with ``async with``, while there is a chat."""

    def __init__(
        self,
        output: Output,
        commands: Sequence[CommandHelp] = (),
        *,
        plain: bool = False,
        bell: bool = False,
        notify: bool = False,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """``commands`` -- what a person may type. ``on_failure`` -- gets what keeps the screen from
        being written. The others as for ``open_screen``.
        """
        self._on_failure = on_failure
        self._output = output
        self._commands = commands
        self._options = {"plain": plain, "bell": bell, "notify": notify}
        self.person = os.isatty(STDIN)
        """Whether somebody sits at the keyboard."""
        self._screen: Screen | None = None
        self._stack = AsyncExitStack()
        self._lines: asyncio.Queue[tuple[Line, Callable[[], None] | None]] = asyncio.Queue()
        """What is to be shown, in order, and who is to be told when it is."""
        self._room = asyncio.Semaphore(MAX_UNSHOWN)
        self._unwritten: list[Callable[[], None]] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        if self.person:
            from .screen import Line, open_screen  # noqa: PLC0415 -- of no use in a script

            self._line = Line
            screen = open_screen(self._output, self._commands, **self._options)
            self._screen = await self._stack.enter_async_context(screen)
            if screen.redraws:
                self._output.elsewhere = self._note
            for work in (self._show, self._flush):
                self._stack.callback(asyncio.create_task(self._run(work, screen)).cancel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._screen is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_LINES):
                    await self._lines.join()
        self._screen = None
        await self._stack.aclose()
        self._output.elsewhere = None

    @property
    def redraws(self) -> bool:
        """Whether what is shown can change, so that it costs nothing to show it at once."""
        return self._screen is not None and self._screen.redraws

    async def text(
        self,
        speaker: str,
        text: TextReceived,
        written: Callable[[], None],
        *,
        peer: str,
        mark: str = "",
    ) -> None:
        """Show a text; ``written`` is called once it is. Waits while much is unwritten.

        ``peer`` -- the speaker's id. ``mark`` -- stands beside the name. Raises what
        ``Output.line`` raises.
        """
        if self._screen is not None and not self._output.as_json:
            await self._room.acquire()
            line = self._line("theirs", speaker, text.body, time.time(), mark)
            self._lines.put_nowait((line, written))
            return
        await self._output.line(speaker, text.body, peer=peer, id=f"{text.stream.hex()}.{text.id}")
        written()

    async def _run(
        self, work: Callable[[Screen], Coroutine[Any, Any, None]], screen: Screen
    ) -> None:
        try:
            await work(screen)
        except (E2EEError, CliError, OSError) as error:
            self._on_failure(error)

    async def _show(self, screen: Screen) -> None:
        while True:
            line, written = await self._lines.get()
            await screen.show(line)
            self._lines.task_done()
            if written is not None:
                self._room.release()
                self._unwritten.append(written)
                self._news.set()

    async def _flush(self, screen: Screen) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            written, self._unwritten = self._unwritten, []
            await screen.flush()
            for call in written:
                call()

    def delivered(self, body: str, at: float, *, to: str = "") -> None:
        """A text of ours has been delivered. ``to`` -- whom it went to, where that may be unclear.

        ``at`` -- seconds since 1970.
        """
        if self._screen is not None and self._screen.redraws:
            self._lines.put_nowait((self._line("ours", YOU, body, at, to and f"to {to}"), None))

    def waiting(self, texts: Sequence[str], state: str) -> None:
        """Texts of ours that are not delivered, and what they wait for."""
        if self._screen is not None:
            self._screen.waiting(texts, state)

    def progress(self, rows: Sequence[str]) -> None:
        """Files that are under way."""
        if self._screen is not None:
            self._screen.progress(rows)

    def footer(self, text: str, *, alarm: bool) -> None:
        """Whom what is typed goes to, and how well they are known."""
        if self._screen is not None and self._screen.redraws:
            self._screen.footer(text, alarm=alarm)

    def ready(self) -> None:
        """Tell a person that they can write."""
        if self.person:
            more = " /help shows more." if self._commands else ""
            self.note("ready", f"Write a line and press Enter. Ctrl-D leaves.{more}")

    def note(self, event: str, human: str, **fields: Any) -> None:
        """Something that the program has to say."""
        self._output.status(event, human, **fields)

    def _note(self, human: str) -> None:
        self._lines.put_nowait((self._line("note", "", human, time.time()), None))

    async def typed(self) -> AsyncIterator[list[str] | Command]:
        """What is to be said, as many texts at a time as there are, and commands.

        Raises CliError for input that cannot be read or is no text.
        """
        if self._screen is None:
            async for lines in stdin_lines():
                yield lines
        else:
            async for item in self._screen.typed():
                yield item if isinstance(item, Command) else [item]
