"""Conversations of one journal on several channels: who keeps to the rules is not refused."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from e2ee.conversation import Conversation, TextReceived
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.messages import Resume, Stream, decode_chat

PLAYS = 1_200


def say(journal: MemoryJournal, *bodies: str) -> None:
    for body in bodies:
        journal.add(Outgoing(journal.next_id(), body, 0))


class End:
    """One side of a channel: what has come and is not read, and what is read and not shown."""

    other: End

    def __init__(self, journal: MemoryJournal) -> None:
        self.conversation = Conversation(journal)
        self.wire: deque[bytes] = deque()
        self.unshown: deque[TextReceived] = deque()
        self.leaves = False

    def leave(self) -> None:
        self.leaves = True
        self.conversation.leave("replaced")

    def send(self) -> None:
        if (message := self.conversation.next_message()) is not None:
            self.other.wire.append(message)

    def read(self) -> None:
        if self.wire:
            event = self.conversation.receive(self.wire.popleft())
            if isinstance(event, TextReceived):
                self.unshown.append(event)

    def show(self) -> None:
        if self.unshown:
            self.conversation.shown(self.unshown.popleft())

    def cut(self) -> None:
        while self.unshown:
            self.show()
        self.conversation.keep()


Channel = tuple[End, End]


def connect(ours: MemoryJournal, theirs: MemoryJournal) -> Channel:
    one, other = End(ours), End(theirs)
    one.other, other.other = other, one
    return one, other


def begin_one(ends: list[End]) -> None:
    """Texts go out on one channel at a time."""
    if not any(end.conversation.sending for end in ends):
        for end in ends:
            if not end.leaves:
                end.conversation.begin()
                return


def carry(channel: Channel, *, rounds: int) -> None:
    for _ in range(rounds):
        for end in channel:
            end.send()
            end.other.read()
            end.other.show()


def play(chance: random.Random) -> None:
    """Two programs, whose channels come, are left, and break, in any order."""
    journals = MemoryJournal(), MemoryJournal()
    channels: list[Channel] = []
    for _ in range(120):
        for side in (0, 1):
            begin_one([channel[side] for channel in channels])
        what = chance.random()
        if len(channels) < 2:
            channels.append(connect(*journals))
        elif what < 0.02:
            for end in channels.pop(chance.randrange(len(channels))):
                end.cut()
        elif what < 0.1:
            say(chance.choice(journals), "text")
        else:
            end = chance.choice(chance.choice(channels))
            if what < 0.13:
                end.leave()
            chance.choice((end.send, end.send, end.read, end.read, end.show))()
    last = connect(*journals)
    for end in last:
        end.conversation.begin()
    carry(last, rounds=40)
    assert not any(journal.count_unconfirmed() for journal in journals)


def test_honest_ends_of_several_channels_do_not_refuse_each_other(
    figure: Callable[[str], None],
) -> None:
    for seed in range(PLAYS):
        play(random.Random(seed))
    figure(f"several channels of one journal: {PLAYS:,} plays, nothing refused, nothing left over")


def test_what_another_channel_has_confirmed_is_not_waited_for() -> None:
    ours, theirs = MemoryJournal(), MemoryJournal()
    say(ours, "one", "two", "three")
    old, new = connect(ours, theirs), connect(ours, theirs)
    old[0].conversation.begin()
    for _ in range(3):
        for end in old:
            end.send()
            end.other.read()
    assert len(old[1].unshown) == 2
    old[0].leave()
    new[0].conversation.begin()
    new[0].send()
    new[1].read()
    new[1].send()
    assert decode_chat(new[0].wire[0]) == Resume(received=0)
    # What had come on the old channel is shown and confirmed there only now.
    old[1].show()
    old[1].show()
    old[1].send()
    old[0].read()
    new[0].read()
    new[0].send()
    assert decode_chat(new[1].wire[0]) == Stream(id=ours.stream, first=3)
    carry(new, rounds=5)
    assert ours.count_unconfirmed() == 0
    assert theirs.heard(ours.stream) == 3
