"""Two conversations over channels that break anywhere: each text is shown once, in order."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from e2ee.conversation import (
    CHAT,
    FILES,
    PIPE,
    Conversation,
    Introduced,
    PeerLeft,
    StreamOpened,
    TextReceived,
    TextsDelivered,
    agreed_purpose,
)
from e2ee.errors import MalformedMessage, UnexpectedMessage, UsageError
from e2ee.journal import MemoryJournal, Outgoing
from e2ee.messages import (
    Leave,
    Name,
    Receipt,
    Resume,
    Stream,
    Text,
    Unsupported,
    decode_chat,
    encode,
)

ALICE, BOB = 0, 1


def say(journal: MemoryJournal, body: str) -> None:
    journal.add(Outgoing(journal.next_id(), body, 0.0))


class Side:
    """One person's program: a journal that lasts, and what was said and shown."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.said: list[str] = []
        self.shown: list[str] = []
        self.unshown: deque[TextReceived] = deque()
        self.delivered = 0

    def connect(self) -> None:
        self.conversation = Conversation(self.journal)
        self.conversation.begin()
        self.unshown.clear()

    def receive(self, data: bytes) -> None:
        match self.conversation.receive(data):
            case TextReceived() as text:
                self.unshown.append(text)
            case TextsDelivered(ids):
                self.delivered += len(ids)

    def show(self) -> None:
        text = self.unshown.popleft()
        self.shown.append(text.body)
        self.conversation.shown(text)


class AnyCuts(RuleBasedStateMachine):
    """Each message between the two may come, or the channel break instead; both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = (Side(), Side())

    @initialize()
    def connect(self) -> None:
        self.wires: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
        for side in self.sides:
            side.connect()

    @rule(who=st.sampled_from([ALICE, BOB]), count=st.integers(1, 150))
    def say(self, who: int, count: int) -> None:
        side = self.sides[who]
        for _ in range(count):
            body = f"{who}:{len(side.said)}"
            say(side.journal, body)
            side.said.append(body)

    @rule(who=st.sampled_from([ALICE, BOB]), count=st.integers(1, 200))
    def send(self, who: int, count: int) -> None:
        for _ in range(count):
            message = self.sides[who].conversation.next_message()
            if message is None:
                break
            self.wires[who].append(message)

    @rule(who=st.sampled_from([ALICE, BOB]), count=st.integers(1, 200))
    def deliver(self, who: int, count: int) -> None:
        for _ in range(min(count, len(self.wires[who]))):
            self.sides[1 - who].receive(self.wires[who].popleft())

    @rule(who=st.sampled_from([ALICE, BOB]), count=st.integers(1, 200))
    def show(self, who: int, count: int) -> None:
        for _ in range(min(count, len(self.sides[who].unshown))):
            self.sides[who].show()

    @precondition(lambda self: hasattr(self, "wires"))
    @rule()
    def cut(self) -> None:
        """What is on the wires, or come in and not shown, is lost."""
        for side in self.sides:
            side.conversation.keep()
        self.connect()

    @invariant()
    def what_was_shown_is_a_prefix_of_what_was_said(self) -> None:
        for who in (ALICE, BOB):
            shown = self.sides[1 - who].shown
            assert shown == self.sides[who].said[: len(shown)]
            assert self.sides[who].delivered <= len(shown)

    def teardown(self) -> None:
        if not hasattr(self, "wires"):
            return
        self.cut()
        for _ in range(20):
            for who in (ALICE, BOB):
                self.send(who, 1000)
                self.deliver(who, 1000)
                self.show(who, 1000)
        for who in (ALICE, BOB):
            assert self.sides[1 - who].shown == self.sides[who].said
            assert self.sides[who].delivered == len(self.sides[who].said)
            assert self.sides[who].journal.count_unconfirmed() == 0


TestAnyCuts = AnyCuts.TestCase
TestAnyCuts.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def opened() -> tuple[Conversation, MemoryJournal]:
    """A conversation that has begun, and whose peer has texts none of which came yet."""
    journal = MemoryJournal()
    conversation = Conversation(journal)
    conversation.begin()
    conversation.next_message()
    return conversation, journal


def stream(first: int = 1) -> bytes:
    return encode(Stream(id=b"s" * 16, first=first))


def text(number: int) -> bytes:
    return encode(Text(id=number, body="x"))


def test_a_channel_is_for_the_first_purpose_that_both_have() -> None:
    assert agreed_purpose([CHAT, FILES], [FILES, CHAT]) == CHAT
    assert agreed_purpose([PIPE, FILES], [FILES, CHAT]) == FILES
    assert agreed_purpose([PIPE], [FILES, CHAT]) is None


def test_texts_go_out_from_the_beginning_to_our_leave() -> None:
    conversation = Conversation(MemoryJournal())
    sending = [conversation.sending]
    for step in (conversation.begin, conversation.leave):
        step()
        sending.append(conversation.sending)
    assert sending == [False, True, False]


def test_no_text_goes_out_before_the_peer_has_said_where_to_go_on() -> None:
    conversation, journal = opened()
    say(journal, "early")
    assert conversation.next_message() is None
    conversation.receive(encode(Resume(received=0)))
    message = conversation.next_message()
    assert message == encode(Text(id=1, body="early"))


def test_a_conversation_that_has_begun_does_not_begin_again() -> None:
    conversation, journal = opened()
    say(journal, "text")
    conversation.receive(encode(Resume(received=0)))
    assert conversation.next_message() == encode(Text(id=1, body="text"))
    conversation.begin()
    assert conversation.next_message() is None
    assert conversation.sent == 1


def test_what_is_shown_of_an_earlier_stream_is_remembered_as_of_that() -> None:
    conversation, journal = opened()
    conversation.receive(stream())
    earlier = conversation.receive(text(1))
    assert isinstance(earlier, TextReceived)
    conversation.receive(encode(Stream(id=b"t" * 16, first=1)))
    conversation.shown(earlier)
    assert journal.heard(b"s" * 16) == 1
    assert journal.heard(b"t" * 16) == 0


def test_a_resume_confirms_what_was_shown_before_the_cut() -> None:
    journal = MemoryJournal()
    for body in "abc":
        say(journal, body)
    conversation = Conversation(journal)
    conversation.begin()
    assert conversation.receive(encode(Resume(received=2))) == TextsDelivered(range(1, 3))
    assert conversation.next_message() == encode(Stream(id=journal.stream, first=1))
    assert conversation.next_message() == encode(Text(id=3, body="c"))
    assert conversation.next_message() is None


def test_a_receiver_that_knows_less_of_the_stream_than_was_confirmed_goes_on_after_that() -> None:
    conversation, _ = opened()
    assert conversation.receive(stream(first=7)) == StreamOpened(b"s" * 16)
    assert conversation.next_message() == encode(Resume(received=0))
    event = conversation.receive(text(7))
    assert isinstance(event, TextReceived)
    conversation.shown(event)
    assert conversation.next_message() == encode(Receipt(id=7))


def test_a_sender_whose_memory_is_an_old_copy_loses_nothing() -> None:
    journal = MemoryJournal()
    say(journal, "new text with an old number")
    old_stream = journal.stream
    conversation = Conversation(journal)
    conversation.begin()
    conversation.next_message()
    assert conversation.receive(encode(Resume(received=5))) is None
    anew = conversation.next_message()
    assert anew == encode(Stream(id=journal.stream, first=1))
    assert journal.stream != old_stream
    conversation.receive(encode(Resume(received=0)))
    assert conversation.next_message() == encode(Text(id=1, body="new text with an old number"))
    with pytest.raises(UnexpectedMessage):
        conversation.receive(encode(Resume(received=9)))


def test_a_stream_that_another_channel_began_is_sent_before_its_texts() -> None:
    conversation, journal = opened()
    say(journal, "one")
    conversation.receive(encode(Resume(received=0)))
    journal.restart()
    say(journal, "two")
    sent = conversation.next_message()
    assert sent == encode(Stream(id=journal.stream, first=1))
    assert conversation.next_message() is None
    conversation.receive(encode(Resume(received=0)))
    bodies = [decode_chat(conversation.next_message() or b"") for _ in range(2)]
    assert bodies == [Text(id=1, body="one"), Text(id=2, body="two")]


def test_receipts_that_cross_a_new_stream_confirm_nothing_and_come_once() -> None:
    conversation, journal = opened()
    for body in "abc":
        say(journal, body)
    conversation.receive(encode(Resume(received=0)))
    for _ in "abc":
        conversation.next_message()
    journal.restart()
    assert conversation.receive(encode(Receipt(id=1))) is None
    with pytest.raises(UnexpectedMessage):
        conversation.receive(encode(Receipt(id=1)))
    assert conversation.next_message() == encode(Stream(id=journal.stream, first=1))
    assert conversation.receive(encode(Receipt(id=2))) is None
    for again in (2, 4):
        with pytest.raises(UnexpectedMessage):
            conversation.receive(encode(Receipt(id=again)))
    conversation.receive(encode(Resume(received=0)))
    assert journal.count_unconfirmed() == 3
    with pytest.raises(UnexpectedMessage):
        conversation.receive(encode(Receipt(id=3)))


def test_what_another_channel_has_told_as_delivered_is_not_told_again() -> None:
    old, journal = opened()
    for body in "abc":
        say(journal, body)
    old.receive(encode(Resume(received=0)))
    for _ in "abc":
        old.next_message()
    new = Conversation(journal)
    new.begin()
    assert old.receive(encode(Receipt(id=2))) == TextsDelivered(range(1, 3))
    assert new.receive(encode(Resume(received=2))) is None
    assert old.receive(encode(Receipt(id=3))) == TextsDelivered(range(3, 4))
    assert new.next_message() == encode(Stream(id=journal.stream, first=1))


def test_an_answer_about_a_stream_that_is_no_more_makes_no_other() -> None:
    conversation, journal = opened()
    journal.restart()
    begun = journal.stream
    assert conversation.receive(encode(Resume(received=5))) is None
    assert conversation.next_message() == encode(Stream(id=begun, first=1))
    assert journal.stream == begun


def test_a_stream_that_another_channel_began_is_not_sent_to_who_has_left() -> None:
    conversation, journal = opened()
    say(journal, "one")
    conversation.receive(encode(Resume(received=0)))
    conversation.receive(encode(Leave()))
    journal.restart()
    assert conversation.next_message() is None


def test_a_peer_cannot_have_streams_made_anew_for_ever() -> None:
    conversation, _ = opened()
    conversation.receive(encode(Resume(received=1)))
    with pytest.raises(UnexpectedMessage):
        conversation.receive(encode(Resume(received=1)))


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        ([], text(1)),
        ([stream()], text(0 + 2)),
        ([stream(), text(1)], text(1)),
        ([stream(first=3)], text(2)),
        ([encode(Resume(received=0))], encode(Resume(received=0))),
        ([encode(Resume(received=0))], encode(Receipt(id=1))),
        ([], encode(Receipt(id=1))),
        ([encode(Resume(received=9))], encode(Receipt(id=1))),
        ([encode(Leave())], stream()),
        ([], b'{"kind":"hello","purposes":["chat"]}'),
        ([], b'{"kind":"end"}'),
        ([], b'{"kind":"written"}'),
        ([], b"\x02data"),
        ([], b'{"kind":"text","id":1,"body":"x" }'),
    ],
)
def test_what_is_out_of_order_is_refused(before: list[bytes], wrong: bytes) -> None:
    conversation, _ = opened()
    for message in before:
        conversation.receive(message)
    with pytest.raises((UnexpectedMessage, MalformedMessage)):
        conversation.receive(wrong)


def test_a_receipt_for_what_did_not_go_out_on_this_channel_is_refused() -> None:
    conversation, journal = opened()
    for body in "abc":
        say(journal, body)
    conversation.receive(encode(Resume(received=0)))
    conversation.next_message()
    with pytest.raises(UnexpectedMessage):
        conversation.receive(encode(Receipt(id=2)))
    assert conversation.receive(encode(Receipt(id=1))) == TextsDelivered(range(1, 2))
    with pytest.raises(UnexpectedMessage):
        conversation.receive(encode(Receipt(id=1)))


def test_one_receipt_stands_for_all_that_was_shown() -> None:
    conversation, journal = opened()
    conversation.receive(stream())
    conversation.next_message()
    for number in range(1, 51):
        event = conversation.receive(text(number))
        assert isinstance(event, TextReceived)
        conversation.shown(event)
    assert conversation.next_message() == encode(Receipt(id=50))
    assert conversation.next_message() is None
    assert journal.heard(b"s" * 16) == 50


def test_a_name_a_goodbye_and_an_unknown_kind_are_told() -> None:
    conversation, _ = opened()
    assert conversation.receive(b'{"kind":"name","name":"Zo\xc3\xab"}') == Introduced("Zoë")
    unknown = conversation.receive(b'{"kind":"wave"}')
    assert unknown == Unsupported("wave", b'{"kind":"wave"}')
    assert conversation.receive(encode(Leave(reason="replaced"))) == PeerLeft("replaced")


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_that_no_message_can_carry_is_refused(name: str) -> None:
    conversation, _ = opened()
    with pytest.raises(UsageError):
        conversation.introduce(name)
    assert conversation.next_message() is None
    conversation.introduce("Zoë")
    assert conversation.next_message() == encode(Name(name="Zoë"))


def test_after_our_leave_receipts_go_out_and_no_text() -> None:
    conversation, journal = opened()
    conversation.receive(encode(Resume(received=0)))
    conversation.receive(stream())
    event = conversation.receive(text(1))
    assert isinstance(event, TextReceived)
    say(journal, "too late")
    conversation.leave()
    conversation.leave()
    conversation.shown(event)
    sent = []
    while (message := conversation.next_message()) is not None:
        sent.append(decode_chat(message))
    assert sent == [Resume(received=0), Leave(reason="left"), Receipt(id=1)]


def test_an_answer_that_crosses_our_goodbye_counts() -> None:
    conversation, journal = opened()
    say(journal, "shown before the cut")
    conversation.leave()
    assert conversation.receive(encode(Resume(received=1))) == TextsDelivered(range(1, 2))
    assert conversation.next_message() == encode(Leave())
    assert conversation.next_message() is None
