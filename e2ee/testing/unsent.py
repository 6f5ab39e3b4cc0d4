"""Finds the bytes that a program has forgotten to send. What is to be sent: SPEC.md section 10."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from e2ee.errors import E2EEError
from e2ee.session import Session


@contextmanager
def nothing_unsent() -> Iterator[None]:
    """Sessions that are made in this block have, at its end, given out all they had to send.

    Raises AssertionError where one has not: some call of it was not followed by ``data_to_send``,
    and the peer waits for what it said. A session that was discarded has nothing to send.
    """
    made: list[Session] = []
    original = Session.__init__

    def noting(self: Session, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        made.append(self)

    with patch.object(Session, "__init__", noting):
        yield
    for session in made:
        state = session.state.value
        try:
            unsent = len(session.data_to_send())
        except E2EEError:
            continue
        if unsent:
            raise AssertionError(
                f"a session that is {state} has {unsent} bytes to send: call data_to_send() after "
                "every other call, and send what it gives"
            )
