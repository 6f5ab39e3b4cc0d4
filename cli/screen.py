"""What a chat shows and where it is typed: the interface, and the choice of a screen."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Literal, Protocol, Self

from .commands import Command, CommandHelp
from .lines import STDIN
from .output import Output


@dataclass(frozen=True, slots=True)
class Line:
    """A message or a note, to be shown for good.

    ``speaker`` -- whose it is, already clean; "" for a note. ``body`` -- as it came: the screen
    cleans it. ``at`` -- seconds since 1970. ``mark`` -- stands beside the speaker: "not verified".
    """

    kind: Literal["theirs", "ours", "note"]
    speaker: str
    body: str
    at: float
    mark: str = ""


class Screen(Protocol):
    """Used with ``async with``, which leaves the terminal as it was found, however it ends."""

    redraws: ClassVar[bool]
    """Whether a part of it always shows the present state; else it only appends."""

    async def show(self, line: Line) -> None:
        """Take a line; waits while much is unwritten. Raises what ``flush`` raises."""

    async def flush(self) -> None:
        """Wait until every line that was taken is written.

        Raises BrokenPipeError where nobody reads any more, CliError where nothing can be written.
        """

    def waiting(self, texts: Sequence[str], state: str) -> None:
        """Own messages that are not delivered, and why: "sending", "no connection"."""

    def progress(self, texts: Sequence[str]) -> None:
        """What is under way, such as files: a row each, until it is called without them."""

    def footer(self, text: str, *, alarm: bool = False) -> None:
        """Whom this is with and how well they are known: always in view."""

    def typed(self) -> AsyncIterator[str | Command]:
        """What is said, each message whole, and commands; ends where the person leaves.

        Raises CliError for input that cannot be read or is no text.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def open_screen(
    output: Output,
    commands: Sequence[CommandHelp],
    *,
    plain: bool = False,
    bell: bool = False,
    notify: bool = False,
) -> Screen:
    """The screen for where the program runs; ``plain`` -- without redrawing in any case.

    ``bell`` and ``notify`` -- call a person who does not look, where the screen can.
    """
    # Imported late: an editable line takes as long to load as all the rest of the program.
    if plain or not output.to_terminal or not os.isatty(STDIN) or _dumb():
        from .plain_screen import PlainScreen  # noqa: PLC0415

        return PlainScreen(output, commands)
    from .inline_screen import InlineScreen  # noqa: PLC0415

    return InlineScreen(commands, bell=bell, notify=notify)


def _dumb() -> bool:
    return os.environ.get("TERM", "") in {"", "dumb", "unknown"}
