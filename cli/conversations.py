"""The conversation file of this profile, as the commands use it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from e2ee import Identity

from .config import Config
from .home import home

if TYPE_CHECKING:
    from e2ee.conversation_file import ConversationFile

CONVERSATIONS_FILE = "conversations"

DAY = 86_400


def open_conversations(identity: Identity) -> contextlib.closing[ConversationFile]:
    """The file, to be used in a ``with``. Raises CliError."""
    # Imported late: most commands have no use for SQLite.
    from e2ee.conversation_file import ConversationFile  # noqa: PLC0415

    return contextlib.closing(ConversationFile(home() / CONVERSATIONS_FILE, identity))


def expire(file: ConversationFile, config: Config, now: float) -> None:
    """Delete what the configuration wants kept no longer, at the beginning of a chat.

    ``now`` -- seconds since 1970. Raises ConversationFileError.
    """
    if config.history_days is not None:
        file.delete_history(before=now - config.history_days * DAY)
