"""A short life of a session with the second client, and what the session said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from e2ee import Closed, Event, HandshakeCompleted, KeysRefreshed, MessageReceived, ProtocolError
from tests.second_client.bugs import PLACES, Answer
from tests.second_client.pair import Pair, second

LONG = b"long " * 30_000
"""A message of three records."""


def both(call: str, *arguments: Any) -> Callable[[Pair], object]:
    """Each of the two does it, and then hears of the other."""
    return lambda pair: [getattr(side, call)(*arguments) for side in (pair.client, pair.real)]


SCRIPT: tuple[Callable[[Pair], object], ...] = (
    lambda pair: None,  # the opening
    both("send", b"first"),
    both("ping"),
    both("update_key"),
    both("send", b"second"),
    lambda pair: pair.client.refresh(),
    both("send", b"third"),
    lambda pair: pair.real.refresh(),
    both("send", b"fourth"),
    both("refresh"),
    both("send", b"fifth"),
    both("send", LONG),
    lambda pair: (pair.client if pair.client_first else pair.real).close(),
)
"""Everything that SPEC.md sections 4 to 10 know. Who has called closes."""


class Play:
    """The script in one of PLACES, as far as it goes."""

    def __init__(self, place: str) -> None:
        self.pair = Pair(*PLACES[place])
        self.error: ProtocolError | None = None
        self._told: list[str] = []
        self._refreshes = 0
        self._call = ""

    def run(self) -> Answer:
        """What the session has said, when the stream has ended."""
        try:
            self._run()
        except ProtocolError as error:
            self.error = error
            self._told += self._names(error.events)
            said = f"{type(error).__name__}: {error}"
            return Answer(said, tuple(self._told), self._call, self._refusal().hex())
        return Answer("", tuple(self._told))

    def _run(self) -> None:
        try:
            for act in SCRIPT:
                act(self.pair)
                self._carry()
                if "HANDSHAKE" in (self.pair.client.state, self.pair.real.state.name):
                    break  # one of them waits for what the other does not send
        except (second.Failure, RuntimeError):
            pass  # the client has given up
        self._give_real()
        self._call = "receive_eof"
        self.pair.real.receive_eof()

    def _carry(self) -> None:
        self.pair.collect()
        while self.pair.to_real or self.pair.to_client:
            self._give_real()
            self.pair.give_client(2**30)
            self.pair.collect()

    def _give_real(self) -> None:
        """All that the client has sent."""
        self.pair.collect()
        data = bytes(self.pair.to_real)
        self.pair.to_real.clear()
        self._call = "receive_data"
        self._told += self._names(self.pair.real.receive_data(data))

    def _names(self, events: Iterable[Event]) -> Iterator[str]:
        for event in events:
            match event:
                case HandshakeCompleted():
                    yield "opened"
                case MessageReceived():
                    yield "long" if event.data == LONG else event.data.decode("latin-1")
                case KeysRefreshed():
                    self._refreshes += 1
                    yield f"refreshed {self._refreshes}"
                case Closed():
                    yield "closed"

    def _refusal(self) -> bytes:
        try:
            return self.pair.real.data_to_send()
        except ProtocolError:
            return b""
