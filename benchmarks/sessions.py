"""Pairs of sessions, connected in memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from e2ee import Identity, Session, State, Suite

Pair = tuple[Session, Session]


def shaking_hands(suite: Suite) -> Callable[[], Pair]:
    """Each side knows whom it expects, and checks when the other's certificate is valid.

    Raises RuntimeError when the handshake does not finish.
    """
    now = time.time()
    alice, bob = Identity.generate(now=now), Identity.generate(now=now)
    alice_id, bob_id = alice.id, bob.id

    def run() -> Pair:
        initiator = Session.initiator(alice, suite=suite, expected_peer=bob_id, now=now)
        responder = Session.responder(bob, suites=(suite,), expected_peer=alice_id, now=now)
        responder.receive_data(initiator.data_to_send())
        initiator.receive_data(responder.data_to_send())
        responder.receive_data(initiator.data_to_send())
        return initiator, responder

    if any(session.state is not State.OPEN for session in run()):
        raise RuntimeError(f"the handshake of {suite.name} did not finish")
    return run


def answer(receiver: Session, sender: Session) -> None:
    """What a program asks for after every call: it answers offers of fresh keys."""
    if data := receiver.data_to_send():
        sender.receive_data(data)
        if data := sender.data_to_send():
            receiver.receive_data(data)
