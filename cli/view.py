"""How a chat is shown and typed where nothing is ever redrawn: a pipe, a log, a plain terminal."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

from e2ee.contacts import Contact
from e2ee.conversation import TextReceived

from .lines import STDIN, stdin_lines
from .output import Output


class View:
    """Lines of peers on stdout, all else on stderr; what stdin has is said."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.person = os.isatty(STDIN)
        """Whether somebody sits at the keyboard."""

    async def text(self, contact: Contact, text: TextReceived) -> None:
        """Show a text; returns when it is written. Raises what ``Output.line`` raises."""
        await self._output.line(
            contact.name, text.body, peer=contact.id, id=f"{text.stream.hex()}.{text.id}"
        )

    def ready(self) -> None:
        """Tell a person that they can write."""
        if self.person:
            self.note("ready", "Write a line and press Enter. Ctrl-D leaves.")

    def note(self, event: str, human: str, **fields: Any) -> None:
        """Something that the program has to say."""
        self._output.status(event, human, **fields)

    async def typed(self) -> AsyncIterator[list[str]]:
        """What is to be said: texts, as many at a time as the input has. Raises CliError."""
        async for lines in stdin_lines():
            if said := [line for line in lines if line or not self.person]:
                yield said
