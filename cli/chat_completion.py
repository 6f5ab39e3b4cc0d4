"""What Tab completes in a chat: commands, and the path that one takes."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable, Sequence

from prompt_toolkit.completion import (
    CompleteEvent,
    Completer,
    Completion,
    PathCompleter,
    ThreadedCompleter,
)
from prompt_toolkit.document import Document

from .commands import PATH, CommandHelp


class CommandCompleter(Completer):
    def __init__(self, commands: Sequence[CommandHelp]) -> None:
        self._commands = commands
        # A name with characters that show nothing could pass for another. In a thread, as the
        # list of a folder may take its time.
        self._paths = ThreadedCompleter(
            PathCompleter(
                expanduser=True, file_filter=lambda path: os.path.basename(path).isprintable()
            )
        )

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 -- part of the interface
    ) -> Iterable[Completion]:
        before = document.text_before_cursor
        if before.startswith("/") and " " not in before and "\n" not in before:
            for command in self._commands:
                if command.name.startswith(before[1:]):
                    yield Completion(
                        f"/{command.name}" + (" " if command.arguments else ""),
                        start_position=-len(before),
                        display=command.usage,
                        display_meta=command.help,
                    )

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion]:
        for completion in self.get_completions(document, complete_event):
            yield completion
        for command in self._commands:
            start = f"/{command.name} "
            if command.arguments == PATH and document.text_before_cursor.startswith(start):
                path = Document(document.text_before_cursor.removeprefix(start))
                async for completion in self._paths.get_completions_async(path, complete_event):
                    yield completion
