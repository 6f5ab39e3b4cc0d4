"""Two channels of a chat with the second client, and what the conversation said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from e2ee.conversation import (
    Conversation,
    Introduced,
    PeerLeft,
    StreamOpened,
    TextReceived,
    TextsDelivered,
)
from e2ee.errors import E2EEError
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.messages import Unsupported
from e2ee_cli.exits import CliError
from e2ee_cli.purpose import agree
from tests.second_client.bugs import Answer
from tests.second_client.client import Chat, Failure, Memory


class OneMessage:
    """As much of a channel as a hello needs."""

    def __init__(self, first: bytes | None) -> None:
        self.first = first
        self.sent: list[bytes] = []

    async def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def receive(self) -> bytes | None:
        return self.first

    async def close(self) -> None:
        pass


class ChatPlay:
    """Both say something; then the channel breaks, when what was shown is not confirmed yet; on
    the next one they go on where they were, and the client leaves."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.memory = Memory()
        self.told: list[str] = []

    def run(self) -> Answer:
        try:
            self._channel(self._talk)
            self._channel(self._talk_again)
        except (E2EEError, CliError) as error:
            return Answer(f"{type(error).__name__}: {error}", tuple(self.told), "receive")
        except Failure as failure:
            return Answer(f"the client: {failure}", tuple(self.told), "receive")
        return Answer("", tuple(self.told))

    def shown_by_another_program(self) -> list[str]:
        """What waits is sent to a client of the same peer that has no bugs, and no memory."""
        self.memory = Memory()
        self._channel(lambda: None)
        return self.chat.told

    def say(self, body: str) -> None:
        self.journal.add(Outgoing(self.journal.next_id(), body, 0.0))

    def _channel(self, talk: Callable[[], None]) -> None:
        self.chat = Chat(self.memory)
        self.conversation = Conversation(self.journal)
        self.chat.begin()
        channel = OneMessage(self.chat.out.pop(0) if self.chat.out else None)
        asyncio.run(agree(channel, ["chat"], initiator=False))
        self.chat.receive(channel.sent[0])
        self.conversation.begin()
        self._carry()
        talk()
        self._carry()

    def _talk(self) -> None:
        self.chat.introduce("Zoë")
        self.chat.say("one")
        self.say("uno")
        self._carry()
        self.chat.say("two")
        self.say("dos")
        self._carry()
        self.chat.say("three")
        self._give_real()
        self.conversation.next_message()  # its receipt is lost with the channel
        self.say("tres")
        self._give_client()
        self.chat.out.clear()  # and so is this one's

    def _talk_again(self) -> None:
        self.chat.say("four")
        self.say("cuatro")
        self._carry()
        self.chat.leave()

    def _carry(self) -> None:
        while self._give_real() + self._give_client():
            pass

    def _give_real(self) -> int:
        messages = self.chat.out.copy()
        self.chat.out.clear()
        for message in messages:
            self._tell(self.conversation.receive(message))
        return len(messages)

    def _give_client(self) -> int:
        count = 0
        while (message := self.conversation.next_message()) is not None:
            self.chat.receive(message)
            count += 1
        return count

    def _tell(self, event: object) -> None:
        match event:
            case TextReceived():
                self.told.append(event.body)
                self.conversation.shown(event)
            case TextsDelivered(ids):
                self.told.append(f"delivered {', '.join(map(str, ids))}")
            case StreamOpened():
                self.told.append("stream again" if "stream" in self.told else "stream")
            case Introduced(name):
                self.told.append(name)
            case PeerLeft(reason):
                self.told.append(reason)
            case Unsupported():
                self.told.append(event.kind)
