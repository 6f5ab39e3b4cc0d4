"""What a session that has failed must be: dead for good, with one error for every call."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2ee import ProtocolError, Session, State

EVERY_CALL: dict[str, Callable[[Session], object]] = {
    "receive_data": lambda session: session.receive_data(b"more"),
    "get_buffer": Session.get_buffer,
    "buffer_updated": lambda session: session.buffer_updated(0),
    "receive_eof": Session.receive_eof,
    "send": lambda session: session.send(b"x"),
    "data_to_send": Session.data_to_send,
    "buffer_to_send": Session.buffer_to_send,
    "close": Session.close,
    "update_key": Session.update_key,
    "refresh": Session.refresh,
    "ping": Session.ping,
    "export": lambda session: session.export("label", 32),
}
"""Each public method of a session."""


def assert_dead(session: Session, error: ProtocolError) -> None:
    """Every method raises the error that ended the session, and nothing more is sent."""
    assert session.state is State.FAILED
    for call in EVERY_CALL.values():
        with pytest.raises(ProtocolError) as caught:
            call(session)
        assert caught.value is error
    assert session.state is State.FAILED
