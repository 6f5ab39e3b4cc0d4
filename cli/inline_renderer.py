"""How prompt_toolkit draws below a scrollback: nothing of what it drew before may stay there."""

from __future__ import annotations

import os

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.layout import Layout
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.renderer import Renderer
from prompt_toolkit.styles import BaseStyle

from .frames import Frames
from .output import STDOUT


class InlineOutput(Vt100_Output):
    def disable_bracketed_paste(self) -> None:
        """Not for the moment of a redraw: what is pasted in that moment would be run as keys."""

    def erase_down(self) -> None:
        """From the beginning of a row, where it is always called.

        tmux takes an erasure that begins in the corner for a cleared screen, and keeps what was
        there in its scrollback: so the corner goes first.
        """
        self.write_raw("\x1b[K\x1b[C\x1b[J\r")


class InlineRenderer(Renderer):
    """Draws nothing while a write is under way, and leaves no empty rows where it has shrunk."""

    def __init__(self, style: BaseStyle, output: Vt100_Output, frames: Frames) -> None:
        super().__init__(style, output)
        self._frames = frames
        self.owed = False
        """Whether something was not drawn."""
        self.held = False
        """Whether nothing is to be drawn."""

    def render(self, app: Application[None], layout: Layout, is_done: bool = False) -> None:
        if self.held or self._frames.under_way:
            self.owed = True
            return
        size = self.output.get_size()
        height = layout.container.preferred_height(size.columns, size.rows).preferred
        if self.last_rendered_screen and height < self.last_rendered_screen.height:
            self.erase()
        super().render(app, layout, is_done)

    def erase(self, leave_alternate_screen: bool = True) -> None:
        if _breaks_rows():
            self.output.cursor_up(self._rows_broken_off())
        super().erase(leave_alternate_screen)

    def _rows_broken_off(self) -> int:
        """How much further up the first row is, since the terminal has become narrower."""
        screen, columns = self.last_rendered_screen, self.output.get_size().columns
        if screen is None:
            return 0
        more = self._cursor_pos.x // columns
        for y in range(self._cursor_pos.y):
            row = screen.data_buffer[y]
            more += max((x for x, cell in row.items() if cell.char.strip()), default=0) // columns
        return more


def _breaks_rows() -> bool:
    """Whether this terminal breaks rows that become too long, instead of cutting them."""
    # Many do, but to take one for another would erase lines above.
    return bool(os.environ.get("TMUX")) and os.environ.get("TERM", "").startswith(
        ("tmux", "screen")
    )


def terminal_size() -> Size:
    try:
        size = os.get_terminal_size(STDOUT)
    except OSError:
        return Size(24, 80)
    return Size(size.lines or 24, size.columns or 80)
