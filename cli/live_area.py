"""The rows below the scrollback that change: what is under way, the line being typed, the footer.

An application of prompt_toolkit, drawn inline. It asks the terminal nothing, and what is printed
above it goes with its own redraw in one write, while the keys stay its own: prompt_toolkit's
``run_in_terminal`` gives them to the terminal for that time, which would show some of them twice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO, cast

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    Dimension,
    FormattedTextControl,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar

from .chat_completion import CommandCompleter
from .clean import clean
from .commands import CommandHelp
from .frames import Frames
from .inline_renderer import InlineOutput, InlineRenderer, terminal_size
from .rows import fit

MAX_ROWS = 3
"""Of what waits, and of what is under way; the rest is counted. Fewer in a low terminal."""

PROMPT = "> "

_STYLE = Style.from_dict(
    {
        "pending": "italic",
        "hint": "italic",
        "footer": "",
        "footer.alarm": "bold reverse",
    }
)


class LiveArea:
    """Its attributes are what it shows; ``redraw`` after a change."""

    def __init__(
        self, commands: Sequence[CommandHelp], keys: KeyBindings, *, colours: bool
    ) -> None:
        """``keys`` -- what keys do, beside what they do in Emacs."""
        self.waiting: Sequence[str] = ()
        self.waiting_state = ""
        self.progress: Sequence[str] = ()
        self.footer = ""
        self.alarm = False
        self.hint = ""
        self.buffer = Buffer(
            multiline=True,
            history=InMemoryHistory(),
            completer=CommandCompleter(commands),
            complete_while_typing=Condition(self._is_command),
            on_text_changed=lambda _: self._unhint(),
        )
        self.frames = Frames(self._on_written)
        self._terminal = InlineOutput(
            cast(TextIO, self.frames), terminal_size, os.environ.get("TERM"), enable_cpr=False
        )
        self.application: Application[None] = Application(
            layout=self._layout(),
            key_bindings=keys,
            style=_STYLE,
            color_depth=ColorDepth.DEPTH_8_BIT if colours else ColorDepth.DEPTH_1_BIT,
            erase_when_done=True,
            input=create_input(sys.stdin),
            output=self._terminal,
        )
        self._renderer = InlineRenderer(
            self.application.renderer.style, self._terminal, self.frames
        )
        self.application.renderer = self._renderer

    @property
    def columns(self) -> int:
        return terminal_size().columns

    def redraw(self) -> None:
        self.application.invalidate()

    def print_above(self, rows: Iterable[str], *, after: str = "") -> None:
        """Put rows into the scrollback, and all below it anew, in one write.

        ``after`` -- bytes for the terminal that show nothing: a bell.
        """
        self._renderer.erase()
        self._terminal.write_raw("".join(f"{row}\r\n" for row in rows) + after)
        # What the layout remembers of its texts is for one count.
        self.application.render_counter += 1
        self._renderer.render(self.application, self.application.layout)

    def begin(self, modes: str) -> None:
        """Take over the row where the cursor is. ``modes`` -- what to set in the terminal.

        What was typed before has been echoed there, but is still to be read.
        """
        self._renderer.erase()
        self._terminal.write_raw("\r")
        self._terminal.erase_down()
        self._terminal.write_raw(modes)
        self._renderer.held = False
        self.redraw()

    def end(self, modes: str) -> None:
        """Leave nothing of it on the terminal, and draw nothing until it begins again."""
        self._renderer.erase()
        self._terminal.write_raw("\x1b[?2004l" + modes)
        self._terminal.flush()
        self._renderer.held = True

    def _on_written(self) -> None:
        if self._renderer.owed:
            self._renderer.owed = False
            self.redraw()

    def _is_command(self) -> bool:
        return self.buffer.text.startswith("/")

    def _unhint(self) -> None:
        self.hint = ""

    def _layout(self) -> Layout:
        search = SearchToolbar()
        prompt = Window(
            BufferControl(
                self.buffer,
                input_processors=[BeforeInput(PROMPT)],
                search_buffer_control=search.control,
            ),
            height=lambda: Dimension(min=1, max=max(1, terminal_size().rows // 2)),
            wrap_lines=True,
            dont_extend_height=True,
        )
        return Layout(
            HSplit(
                [
                    _rows(self._waiting_rows, "class:pending"),
                    _rows(lambda: _last(self.progress), ""),
                    prompt,
                    search,
                    _rows(lambda: [self.hint] if self.hint else [], "class:hint", wrap=True),
                    CompletionsMenu(max_height=6),
                    _rows(
                        lambda: [clean(self.footer)] if self.footer else [],
                        lambda: "class:footer.alarm" if self.alarm else "class:footer",
                        wrap=True,
                    ),
                ]
            ),
            focused_element=prompt,
        )

    def _waiting_rows(self) -> list[str]:
        rows = _last(self.waiting)
        if rows:
            state = f" ({self.waiting_state})"
            room = self.columns - 1 - len(state)
            if room < self.columns // 3:
                rows.append(fit(state.strip(), self.columns - 1))
            else:
                rows[-1] = fit(self.waiting[-1], room) + state
        return rows


def _rows(
    rows: Callable[[], list[str]],
    style: str | Callable[[], str],
    *,
    wrap: bool = False,
    always: bool = False,
) -> ConditionalContainer:
    """``always`` -- keep a row of it where there is no room for all."""

    def text() -> StyleAndTextTuples:
        return [("", "\n".join(rows()))]

    return ConditionalContainer(
        Window(
            FormattedTextControl(text),
            height=lambda: Dimension(
                min=int(always and terminal_size().rows > 1), max=MAX_ROWS + 2
            ),
            style=style,
            wrap_lines=wrap,
            dont_extend_height=True,
        ),
        filter=Condition(lambda: bool(rows())),
    )


def _last(texts: Sequence[str]) -> list[str]:
    size = terminal_size()
    count = min(MAX_ROWS, size.rows // 4)
    rows = [fit(text, size.columns - 1) for text in texts[max(len(texts) - count, 0) :]]
    more = len(texts) - len(rows)
    return [f"and {more} more", *rows] if rows and more else rows
