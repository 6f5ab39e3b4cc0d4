"""Questions: at a terminal with completion, in a script from a file, the environment or a pipe.

Nothing that is asked here is ever taken from the command line or put into a history.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from e2ee.errors import InvalidInvitation
from e2ee.ids import word_list
from e2ee.invitation import CODE_WORDS, Link

from .exits import CliError, Exit
from .lines import STDIN, read_when_ready, unreadable
from .output import Output
from .threads import in_thread

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document

MAX_ANSWER = 4096
"""Bytes of an answer; the longest link has a quarter of it."""


async def code() -> str:
    """A spoken code. At a terminal the Tab key completes its words, after three letters or less."""
    if not os.isatty(STDIN):
        return await in_thread(first_line)
    from prompt_toolkit.completion import Completer, Completion  # noqa: PLC0415 -- see _ask

    class Words(Completer):
        def get_completions(self, document: Document, _: CompleteEvent) -> Iterator[Completion]:
            before, dash, typed = document.text_before_cursor.rpartition("-")
            if dash and typed:
                more = "-" if before.count("-") < CODE_WORDS - 1 else ""
                for word in word_list():
                    if word.startswith(typed.lower()):
                        yield Completion(word + more, -len(typed), word)

    return await _ask("Code (Tab completes a word): ", completer=Words())


async def link() -> str:
    """An invitation link, which may come with line breaks. At a terminal it is not shown.

    Raises CliError.
    """
    text, prompt = "", "Link (it is not shown): "
    while True:
        hidden = os.isatty(STDIN)
        part = await (_ask(prompt, is_password=True) if hidden else in_thread(first_line))
        text += part
        if len(text) > MAX_ANSWER:
            raise _too_long()
        if not part or _complete(text):
            return text
        prompt = "The link goes on, or Enter: "


def _complete(text: str) -> bool:
    try:
        Link.parse(text)
    except InvalidInvitation:
        return False
    return True


async def line(prompt: str, output: Output | None = None) -> str:
    """One line of free text. What ``output`` says meanwhile stands above the question."""
    return await (_ask(prompt, output) if os.isatty(STDIN) else in_thread(first_line))


async def _ask(prompt: str, output: Output | None = None, **options: Any) -> str:
    """Ask on stderr. Raises CliError where the person stops or leaves."""
    # Imported late: it takes as long as all the rest of the program.
    from prompt_toolkit import PromptSession  # noqa: PLC0415
    from prompt_toolkit.data_structures import Size  # noqa: PLC0415
    from prompt_toolkit.output.vt100 import Vt100_Output  # noqa: PLC0415
    from prompt_toolkit.shortcuts import CompleteStyle  # noqa: PLC0415

    columns, rows = shutil.get_terminal_size()
    session: PromptSession[str] = PromptSession(
        # No questions to the terminal, which some do not answer.
        output=Vt100_Output(
            sys.stderr, lambda: Size(rows, columns), os.environ.get("TERM"), enable_cpr=False
        ),
        complete_style=CompleteStyle.READLINE_LIKE,
        complete_while_typing=False,
        reserve_space_for_menu=0,
        enable_suspend=True,
        **options,
    )

    @contextlib.contextmanager
    def above() -> Iterator[None]:
        if session.app.is_running:
            session.app.renderer.erase()
        yield
        session.app.invalidate()

    if output is not None:
        output.above = above
    try:
        answer = await session.prompt_async(prompt, handle_sigint=False)
    except KeyboardInterrupt:
        raise CliError("stopped by Ctrl-C", Exit.INTERRUPTED) from None
    except EOFError:
        raise CliError("nothing was given", Exit.USAGE) from None
    finally:
        if output is not None:
            output.above = contextlib.nullcontext
    return answer.strip()


def first_line() -> str:
    """The next line of standard input, and not a byte more: what follows is the chat's.

    Raises CliError.
    """
    data = b""
    while not data.endswith(b"\n"):
        if len(data) >= MAX_ANSWER:
            raise _too_long()
        try:
            byte = read_when_ready(1)
        except OSError as error:
            raise unreadable(error) from None
        if not byte:
            break
        data += byte
    return data.decode("utf-8", "replace").strip()


def _too_long() -> CliError:
    return CliError(f"what was given is above {MAX_ANSWER:,} bytes", Exit.OVER_LIMIT)
