"""Bugs in the chat: hello, streams, texts, receipts, goodbyes. SPEC.md section 11."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.second_client.bugs import Answer, Bug, Instead, after, before, given, nothing, twice
from tests.second_client.client import Chat

TOLD = (
    *("stream", "Zoë", "one", "delivered 1", "two", "delivered 2", "three"),
    *("stream again", "delivered 3", "four", "delivered 4", "left"),
)
"""What the conversation tells of the script in ``chat_play``, when there is no bug."""


def heard(error: str, last: str = "") -> dict[str, Answer]:
    """What the conversation raises, when ``last`` is the last thing that it has told."""
    told = TOLD[: TOLD.index(last) + 1] if last else ()
    return {"chat": Answer(error, told, "receive")}


def kind(*kinds: str) -> Callable[..., bool]:
    return lambda chat, kind, **members: kind in kinds


def with_members(**changed: Any) -> Instead:
    return lambda right, chat, kind, **members: right(chat, kind, **(members | changed))


def puts(message: bytes) -> Instead:
    """This message, in the place of the right one."""
    return lambda right, chat, *args, **members: chat.out.append(message)


def also(message: bytes) -> Instead:
    return after(lambda chat, *args, **members: chat.out.append(message))


def numbers(change: Callable[[int], int]) -> Instead:
    return given(lambda number, body: (change(number), body))


def goes_on_at_once(right: Instead, chat: Chat) -> None:
    right(chat)
    chat.ready = True
    chat.go_on()


HELLO = "UnexpectedMessage: the peer did not begin with a hello"
NO_KIND = "MalformedMessage: a chat message begins with its kind"

NUMBERS = "UnexpectedMessage: the peer's texts are not numbered one by one"
RECEIPT = "UnexpectedMessage: the peer confirmed what was not said, or twice"
RESUME = "UnexpectedMessage: the peer resumes what was not begun"
WENT_ON = "UnexpectedMessage: the peer went on after it had left"
NOT_CANONICAL = "MalformedMessage: a message is not in its canonical form"


def malformed(kind: str) -> str:
    return f"MalformedMessage: not a chat message of kind {kind}"


def not_in_a_chat(kind: str) -> str:
    return f"UnexpectedMessage: the peer sent a '{kind}' in a chat"


STREAM = b'{"kind":"stream","id":"AAAAAAAAAAAAAAAAAAAAAA==","first":1}'
PUT, TEXT, SAY, LEAVE = "Chat.put", "chat_text", "Chat.say", "Chat.leave"

BUGS: dict[str, Bug] = {
    # Hello.
    "no hello, but a stream": Bug(PUT, puts(STREAM), heard(HELLO), when=kind("hello")),
    "a text as hello": Bug(
        PUT, puts(b'{"kind":"text","id":1,"body":"hi"}'), heard(HELLO), when=kind("hello")
    ),
    "an unknown kind as hello": Bug(
        PUT, puts(b'{"kind":"hallo"}'), heard(HELLO), when=kind("hello")
    ),
    "no word at all": Bug(
        PUT, nothing, heard("Truncated: the peer closed without a word"), when=kind("hello")
    ),
    "a hello without purposes": Bug(
        PUT, with_members(purposes=[]), heard(malformed("hello")), when=kind("hello")
    ),
    "a hello with nine purposes": Bug(
        PUT, with_members(purposes=["chat"] * 9), heard(malformed("hello")), when=kind("hello")
    ),
    "a hello with a purpose in capital letters": Bug(
        PUT, with_members(purposes=["Chat"]), heard(malformed("hello")), when=kind("hello")
    ),
    "a hello whose purposes are a text": Bug(
        PUT, with_members(purposes="chat"), heard(malformed("hello")), when=kind("hello")
    ),
    "a hello for something else": Bug(
        PUT,
        with_members(purposes=["pipe"]),
        heard("OtherPurpose: they are ready for a pipe there, not for a chat"),
        when=kind("hello"),
    ),
    "a hello for nothing that is known": Bug(
        PUT,
        with_members(purposes=["video"]),
        heard("OtherPurpose: they are ready for something else there, not for a chat"),
        when=kind("hello"),
    ),
    "a second hello": Bug(
        PUT,
        also(b'{"kind":"hello","purposes":["chat"]}'),
        heard(not_in_a_chat("hello"), "stream"),
        when=kind("stream"),
    ),
    # Streams.
    "texts without a stream": Bug(
        "Chat.begin_stream",
        lambda right, chat: setattr(chat, "ready", True),
        {"chat": Answer(NUMBERS, ("Zoë",), "receive")},
    ),
    "a stream of 15 bytes": Bug(
        PUT, with_members(id=bytes(15)), heard(malformed("stream")), when=kind("stream")
    ),
    "a stream that begins with 0": Bug(
        PUT, with_members(first=0), heard(malformed("stream")), when=kind("stream")
    ),
    "a stream that does not begin where it says": Bug(
        PUT, with_members(first=3), heard(NUMBERS, "Zoë"), when=kind("stream"), turn=1
    ),
    "a stream that begins with 2^53": Bug(
        PUT, with_members(first=2**53), heard(malformed("stream")), when=kind("stream")
    ),
    "three streams": Bug(
        PUT,
        before(lambda chat, *_, **__: chat.out.extend([STREAM, STREAM])),
        {
            "chat": Answer(
                "UnexpectedMessage: the peer begins stream after stream",
                ("stream", "stream again"),
                "receive",
            )
        },
        when=kind("stream"),
    ),
    "texts without waiting for the resume": Bug(
        "Chat.begin_stream", goes_on_at_once, heard(NUMBERS, "stream again")
    ),
    # Resume.
    "a resume that nobody asked for": Bug(
        PUT,
        also(b'{"kind":"resume","received":0}'),
        heard(RESUME, "delivered 2"),
        when=kind("receipt"),
        turn=2,
    ),
    "a resume twice": Bug(PUT, twice, heard(RESUME, "stream"), when=kind("resume")),
    "a resume of a negative number": Bug(
        PUT, with_members(received=-1), heard(malformed("resume"), "stream"), when=kind("resume")
    ),
    "a resume of more than was said, again and again": Bug(
        "Chat.resume",
        lambda right, chat, received: right(chat, 2**53 - 1),
        heard("UnexpectedMessage: the peer claims to have texts of a stream that is new", "stream"),
    ),
    # Texts.
    "a text with the number 0": Bug(
        TEXT,
        lambda right, number, body: b'{"kind":"text","id":0,"body":"one"}',
        heard(malformed("text"), "Zoë"),
        turn=1,
    ),
    "a text is numbered from 2": Bug(
        TEXT, numbers(lambda number: number + 1), heard(NUMBERS, "Zoë")
    ),
    "a text twice": Bug(
        "Chat.go_on",
        after(lambda chat: chat.out.append(chat.out[-1])),
        heard(NUMBERS, "one"),
        when=lambda chat: chat.sent == 0 and chat.ready and chat.memory.next == 2,
    ),
    "a text left out": Bug(
        "Chat.go_on",
        after(lambda chat: chat.out.pop()),
        {"chat": Answer(NUMBERS, ("stream", "Zoë", "delivered 1"), "receive")},
        when=lambda chat: chat.ready and chat.memory.next == 2,
    ),
    "two texts swapped": Bug(
        "Chat.go_on",
        after(lambda chat: chat.out.insert(-1, b'{"kind":"text","id":2,"body":"two"}')),
        heard(NUMBERS, "Zoë"),
        when=lambda chat: chat.ready and chat.memory.next == 2,
    ),
    "all texts have the number 1": Bug(
        TEXT, numbers(lambda number: 1), heard(NUMBERS, "delivered 1")
    ),
    "the numbers begin anew on each channel": Bug(
        TEXT,
        numbers(lambda number: number - 3),
        heard(NUMBERS, "delivered 3"),
        when=lambda number, body: number > 3,
    ),
    "a text whose number is a text": Bug(
        TEXT,
        lambda right, number, body: b'{"kind":"text","id":"1","body":"one"}',
        heard(malformed("text"), "Zoë"),
        turn=1,
    ),
    "a text that is a number": Bug(
        TEXT,
        lambda right, number, body: b'{"kind":"text","id":1,"body":1}',
        heard(malformed("text"), "Zoë"),
        turn=1,
    ),
    "a text of 1 MiB and one byte": Bug(
        TEXT,
        lambda right, number, body: right(number, "")[:-2] + b"a" * (2**20 + 1) + b'"}',
        heard(malformed("text"), "Zoë"),
        turn=1,
    ),
    "a text that is not UTF-8": Bug(
        TEXT,
        lambda right, number, body: right(number, body)[:-2] + b'\xff"}',
        heard(malformed("text"), "Zoë"),
        turn=1,
    ),
    "a text with half a surrogate pair": Bug(
        TEXT,
        lambda right, number, body: right(number, body)[:-2] + b'\\ud800"}',
        heard(malformed("text"), "Zoë"),
        turn=1,
    ),
    "a text whose number stands behind it": Bug(
        TEXT,
        lambda right, number, body: b'{"kind":"text","body":"one","id":1}',
        heard(NOT_CANONICAL, "Zoë"),
        turn=1,
    ),
    "a text with one more member": Bug(
        TEXT,
        lambda right, number, body: right(number, body)[:-1] + b',"to":"you"}',
        heard(malformed("text"), "Zoë"),
        turn=1,
    ),
    "a text with white space": Bug(
        TEXT,
        lambda right, number, body: right(number, body).replace(b":", b": ", 2),
        heard(NO_KIND, "Zoë"),
        turn=1,
    ),
    "a text that is no JSON": Bug(
        TEXT, lambda right, number, body: body.encode(), heard(NO_KIND, "Zoë"), turn=1
    ),
    "an empty text": Bug(TEXT, lambda right, number, body: b"", heard(NO_KIND, "Zoë"), turn=1),
    "a byte of a file or a pipe in a chat": Bug(
        TEXT, lambda right, number, body: b"\2" + body.encode(), heard(NO_KIND, "Zoë"), turn=1
    ),
    # Receipts.
    "a receipt twice": Bug(PUT, twice, heard(RECEIPT, "delivered 1"), when=kind("receipt")),
    "a receipt for what was not sent": Bug(
        PUT, with_members(id=9), heard(RECEIPT, "one"), when=kind("receipt")
    ),
    "a receipt with the number 0": Bug(
        PUT, with_members(id=0), heard(malformed("receipt"), "one"), when=kind("receipt")
    ),
    "a receipt for what an earlier channel confirmed": Bug(
        PUT,
        also(b'{"kind":"receipt","id":2}'),
        heard(RECEIPT, "delivered 3"),
        when=kind("resume"),
        turn=2,
    ),
    "a receipt before the resume": Bug(
        PUT,
        before(lambda chat, *_, **__: chat.out.append(b'{"kind":"receipt","id":1}')),
        heard(RECEIPT, "stream"),
        when=kind("resume"),
    ),
    # Names, goodbyes, and what belongs elsewhere.
    "an empty name": Bug(
        PUT, with_members(name=""), heard(malformed("name"), "stream"), when=kind("name")
    ),
    "a name of 65 characters": Bug(
        PUT, with_members(name="a" * 65), heard(malformed("name"), "stream"), when=kind("name")
    ),
    "a text after the goodbye": Bug(
        LEAVE, also(b'{"kind":"text","id":5,"body":"late"}'), heard(WENT_ON, "left")
    ),
    "a name after the goodbye": Bug(
        LEAVE, also(b'{"kind":"name","name":"late"}'), heard(WENT_ON, "left")
    ),
    "a goodbye twice": Bug(LEAVE, twice, heard(WENT_ON, "left")),
    "a stream after the goodbye": Bug(LEAVE, also(STREAM), heard(WENT_ON, "left")),
    "an unknown kind after the goodbye": Bug(
        LEAVE, also(b'{"kind":"wave"}'), heard(WENT_ON, "left")
    ),
    "a goodbye without reason": Bug(
        LEAVE, puts(b'{"kind":"leave"}'), heard(NOT_CANONICAL, "delivered 4")
    ),
    "a goodbye whose reason is a sentence": Bug(
        LEAVE,
        puts(b'{"kind":"leave","reason":"I am tired"}'),
        heard(malformed("leave"), "delivered 4"),
    ),
    "the end of a pipe in a chat": Bug(
        LEAVE, puts(b'{"kind":"end"}'), heard(not_in_a_chat("end"), "delivered 4")
    ),
    "what a pipe has written in a chat": Bug(
        LEAVE, puts(b'{"kind":"written"}'), heard(not_in_a_chat("written"), "delivered 4")
    ),
    "a kind in capital letters": Bug(
        LEAVE, puts(b'{"kind":"Wave"}'), heard(NO_KIND, "delivered 4")
    ),
    "a kind of 33 letters": Bug(
        LEAVE, puts(b'{"kind":"' + b"w" * 33 + b'"}'), heard(NO_KIND, "delivered 4")
    ),
    "no kind": Bug(LEAVE, puts(b"{}"), heard(NO_KIND, "delivered 4")),
    "the kind behind the rest": Bug(
        LEAVE, puts(b'{"reason":"left","kind":"leave"}'), heard(NO_KIND, "delivered 4")
    ),
}
