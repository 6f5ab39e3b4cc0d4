"""What a program forgot to send is found, and nothing else is taken for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2ee import Identity, ProtocolError, Session
from e2ee.testing.pair import Pair
from e2ee.testing.unsent import nothing_unsent


def forget_the_first_bytes() -> None:
    Session.initiator(Identity.generate())


def forget_a_message() -> None:
    pair = Pair()
    pair.deliver()
    pair.initiator.session.send(b"never leaves")


def forget_to_answer() -> None:
    pair = Pair()
    pair.deliver()
    pair.initiator.session.ping()
    pair.responder.session.receive_data(pair.initiator.session.data_to_send())


def forget_the_refusal() -> None:
    session = Session.responder(Identity.generate())
    with pytest.raises(ProtocolError):
        session.receive_data(b"e2ee\x07\0\0\0")


@pytest.mark.parametrize(
    ("forget", "state"),
    [
        (forget_the_first_bytes, "handshake"),
        (forget_a_message, "open"),
        (forget_to_answer, "open"),
        (forget_the_refusal, "failed"),
    ],
)
def test_what_was_forgotten_is_told(forget: Callable[[], None], state: str) -> None:
    told = rf"is {state} has \d+ bytes to send: call data_to_send"
    with pytest.raises(AssertionError, match=told), nothing_unsent():
        forget()


def test_a_program_that_sends_everything_is_left_alone() -> None:
    with nothing_unsent():
        pair = Pair()
        pair.deliver()
        pair.initiator.session.send(b"leaves")
        pair.initiator.session.close()
        pair.deliver()
        Session.responder(Identity.generate())
        Session.initiator(Identity.generate()).discard()
        failed = Session.responder(Identity.generate())
        with pytest.raises(ProtocolError):
            failed.receive_eof()


def test_an_error_of_the_test_itself_comes_first() -> None:
    def fail() -> None:
        forget_the_first_bytes()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), nothing_unsent():
        fail()


def test_sessions_of_before_and_after_are_not_looked_at() -> None:
    forget_a_message()
    with nothing_unsent():
        pass
    forget_a_message()
