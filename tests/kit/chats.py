"""Cases of a channel for chat, after the hellos: SPEC.md sections 11.3, 11.4 and 11.6."""

from __future__ import annotations

from collections.abc import Iterator

from .case import Case
from .pipes import END, WRITTEN, leave
from .script import MALFORMED, UNEXPECTED, Line, Script, event, send
from .second_client import second
from .stage import secret

OWN, NEW = secret("own stream")[:16], secret("own stream again")[:16]
THEIRS, OTHER = secret("their stream")[:16], secret("their stream again")[:16]
HIGHEST = 2**53 - 1


def stream(name: bytes, first: int) -> bytes:
    message: bytes = second.encode(kind="stream", id=name, first=first)
    return message


def resume(received: int) -> bytes:
    message: bytes = second.encode(kind="resume", received=received)
    return message


def text(number: int, body: str) -> bytes:
    message: bytes = second.chat_text(number, body)
    return message


def receipt(number: int) -> bytes:
    message: bytes = second.encode(kind="receipt", id=number)
    return message


def name(claimed: str) -> bytes:
    message: bytes = second.encode(kind="name", name=claimed)
    return message


HELLO = second.encode(kind="hello", purposes=["chat"])


def cases() -> Iterator[Case]:
    yield from _own_texts()
    yield from _numbers_of_own_texts()
    yield from _other_channels()
    yield from _peers_texts()
    yield from _numbers_of_the_peers_texts()
    yield from _memory_of_streams()
    yield from _goodbyes()


# Own texts. Three were said, of which the first was confirmed on a channel before.

TWO, THREE = text(2, "two"), text(3, "three")


def _idle() -> Script:
    script = Script("chat").given("own-stream", OWN).given("own-stream", NEW)
    script = script.given("confirmed", 1)
    return script.given("own-text", b"two").given("own-text", b"three")


def _asked() -> Script:
    return _idle().call("begin", then=(send(stream(OWN, 2)),))


def _ready() -> Script:
    return _asked().receive(resume(1), send(TWO), send(THREE))


def _again() -> Script:
    """A resume was too high; in the new stream the two texts are 1 and 2."""
    return _asked().receive(resume(4), send(stream(NEW, 1)))


def _crossing() -> Script:
    """Two texts went out before another channel had to make a new stream."""
    return _ready().call("renewed-elsewhere", then=(send(stream(NEW, 1)),))


def _crossing_between_texts() -> Script:
    """One text went out before that, and the other had to wait."""
    script = _asked().call("room", 1).receive(resume(1), send(TWO)).call("renewed-elsewhere")
    return script.call("room", 9, then=(send(stream(NEW, 1)),))


def _own_texts() -> Iterator[Case]:
    """The first table of section 11.6."""
    states = {"idle": _idle(), "asked": _asked(), "again": _again(), "ready": _ready()}
    messages: dict[str, tuple[str, bytes, dict[str, tuple[Line, ...]]]] = {
        "resume": (
            "A resume",
            resume(2),
            {
                "asked": (event("delivered", 2, 2), send(THREE)),
                "again": (event("delivered", 1, 2),),
            },
        ),
        "resume_of_the_number_that_comes_next": (
            "A resume that is one too high",
            resume(4),
            {"asked": (send(stream(NEW, 1)),)},
        ),
        "resume_of_the_highest_number": (
            "A resume that is as high as can be",
            resume(HIGHEST),
            {"asked": (send(stream(NEW, 1)),)},
        ),
        "receipt": ("A receipt", receipt(2), {"ready": (event("delivered", 2, 2),)}),
        "receipt_of_all": (
            "A receipt for several texts",
            receipt(3),
            {"ready": (event("delivered", 2, 3),)},
        ),
        "receipt_of_what_was_confirmed_before": ("An old receipt", receipt(1), {}),
        "receipt_of_what_was_not_sent": ("A receipt for no text", receipt(4), {}),
    }
    for what, (about, message, taken) in messages.items():
        for state, script in states.items():
            outcome = taken.get(state, (UNEXPECTED,))
            said = f"{about} comes in {state.upper()}."
            yield script.receive(message, *outcome).case(f"{what}_{state}", "11.6", said)
    yield (
        _again()
        .receive(resume(3), UNEXPECTED)
        .case("resume_too_high_again", "11.6", "Nobody can have so much of a stream that is new.")
    )
    yield (
        _again()
        .receive(resume(0), send(text(1, "two")), send(text(2, "three")))
        .receive(receipt(1), event("delivered", 1, 1))
        .case("new_stream", "11.3", "What is not confirmed is numbered anew, and sent.")
    )


def _numbers_of_own_texts() -> Iterator[Case]:
    four = text(4, "four")
    yield (
        _asked()
        .receive(resume(0), send(TWO), send(THREE))
        .case("resume_of_less", "11.3", "What was confirmed is not sent again.")
    )
    yield (
        _asked()
        .receive(resume(3), event("delivered", 2, 3))
        .call("say", b"four", then=(send(four),))
        .receive(receipt(4), event("delivered", 4, 4))
        .case("resume_of_all", "11.3", "The peer has shown all; the next text follows.")
    )
    yield (
        _idle()
        .call("say", b"four")
        .call("begin", then=(send(stream(OWN, 2)),))
        .receive(resume(1), send(TWO), send(THREE), send(four))
        .case("said_before_the_stream", "11.3", "No text goes out before the answer to stream.")
    )
    yield (
        _asked()
        .call("say", b"four")
        .receive(resume(3), event("delivered", 2, 3), send(four))
        .case("said_before_the_resume", "11.3", "No text goes out before the answer to stream.")
    )
    yield (
        Script("chat")
        .given("own-stream", OWN)
        .given("confirmed", 0)
        .call("begin", then=(send(stream(OWN, 1)),))
        .receive(resume(0))
        .call("say", "é\n🎈".encode(), then=(send(text(1, "é\n🎈")),))
        .case("first_text", "11.3", "One who may have texts later begins a stream, too.")
    )
    yield (
        Script("chat")
        .given("own-stream", OWN)
        .given("own-stream", NEW)
        .given("confirmed", 0)
        .call("begin", then=(send(stream(OWN, 1)),))
        .receive(resume(1), send(stream(NEW, 1)))
        .receive(resume(0))
        .call("say", b"one", then=(send(text(1, "one")),))
        .case("new_stream_without_texts", "11.3", "An old copy in which nothing waits.")
    )
    yield (
        _ready()
        .receive(receipt(2), event("delivered", 2, 2))
        .receive(receipt(3), event("delivered", 3, 3))
        .case("receipts_one_by_one", "11.3", "Each text is confirmed by itself.")
    )
    yield (
        _ready()
        .receive(receipt(2), event("delivered", 2, 2))
        .receive(receipt(2), UNEXPECTED)
        .case("receipt_twice", "11.3", "A receipt that confirms nothing more.")
    )
    yield (
        _ready()
        .receive(receipt(3), event("delivered", 2, 3))
        .receive(receipt(2), UNEXPECTED)
        .case("receipt_of_less_than_before", "11.3", "A receipt that confirms nothing more.")
    )
    yield (
        _asked()
        .receive(resume(2), event("delivered", 2, 2), send(THREE))
        .receive(receipt(2), UNEXPECTED)
        .case("receipt_of_what_was_resumed", "11.3", "The resume has confirmed this text.")
    )
    yield (
        _ready()
        .receive(receipt(HIGHEST), UNEXPECTED)
        .case("receipt_of_the_highest_number", "11.3", "A receipt for no text.")
    )


def _other_channels() -> Iterator[Case]:
    """What other channels with the same identity do to the memory that all share."""
    five = text(5, "five")
    yield (
        _crossing()
        .receive(receipt(2))
        .receive(receipt(3))
        .receive(resume(0), send(text(1, "two")), send(text(2, "three")))
        .receive(receipt(2), event("delivered", 1, 2))
        .case("receipts_that_cross", "11.6", "They cross the second stream and confirm nothing.")
    )
    yield (
        _crossing()
        .receive(receipt(3))
        .receive(receipt(2), UNEXPECTED)
        .case("receipt_that_crosses_of_less", "11.6", "One that crosses is new, too.")
    )
    yield (
        _crossing()
        .receive(receipt(2))
        .receive(receipt(2), UNEXPECTED)
        .case("receipt_that_crosses_twice", "11.6", "One that crosses is new, too.")
    )
    yield (
        _crossing()
        .receive(receipt(1), UNEXPECTED)
        .case("receipt_that_crosses_an_old_one", "11.6", "It was confirmed before.")
    )
    yield (
        _crossing()
        .receive(receipt(4), UNEXPECTED)
        .case("receipt_that_crosses_of_no_text", "11.6", "It did not go out on this channel.")
    )
    yield (
        _crossing()
        .receive(resume(0), send(text(1, "two")), send(text(2, "three")))
        .receive(receipt(3), UNEXPECTED)
        .case("receipt_behind_the_resume", "11.3", "It belongs to the new stream, as all do now.")
    )
    yield (
        _crossing()
        .receive(resume(3), UNEXPECTED)
        .case("resume_that_crosses", "11.6", "The new stream has two texts.")
    )
    yield (
        _asked()
        .call("renewed-elsewhere")
        .receive(resume(3), send(stream(NEW, 1)))
        .receive(resume(0), send(text(1, "two")), send(text(2, "three")))
        .case("renewed_elsewhere_asked", "11.6", "A resume of the old stream confirms nothing.")
    )
    yield (
        _crossing_between_texts()
        .receive(receipt(2))
        .receive(resume(0), send(text(1, "two")), send(text(2, "three")))
        .case("renewed_elsewhere_between_texts", "11.6", "No text of the old stream follows.")
    )
    yield (
        _crossing_between_texts()
        .receive(receipt(3), UNEXPECTED)
        .case("receipt_that_crosses_of_what_waited", "11.6", "The text 3 did not go out.")
    )
    yield (
        _ready()
        .call("delivered-elsewhere", b"four")
        .call("say", b"five", then=(send(stream(OWN, 5)),))
        .receive(resume(4), send(five))
        .receive(receipt(5), event("delivered", 5, 5))
        .case("delivered_elsewhere", "11.3", "The peer is told before a number is left out.")
    )
    yield (
        _ready()
        .call("delivered-elsewhere", b"four")
        .receive(receipt(4), UNEXPECTED)
        .case("receipt_of_another_channel", "11.3", "The text was not sent on this channel.")
    )
    yield (
        _ready()
        .call("delivered-elsewhere", b"four")
        .receive(receipt(3))
        .case("receipt_behind_another_channel", "11.6", "It confirms what was confirmed, no event.")
    )


# The peer's texts.


def _none() -> Script:
    return Script("chat").given("own-stream", OWN).given("confirmed", 0)


def _opened(script: Script, which: bytes, first: int, received: int = 0) -> Script:
    return script.receive(stream(which, first), event("stream", which), send(resume(received)))


def _first() -> Script:
    return _opened(_none(), THEIRS, 5)


def _second() -> Script:
    return _opened(_first(), OTHER, 1)


def _left() -> Script:
    return _first().receive(leave("left"), event("left", "left"))


def _taken(number: int, body: str, which: bytes = THEIRS) -> Line:
    return event("text", which, number, body.encode())


def _peers_texts() -> Iterator[Case]:
    """The second table of section 11.6."""
    zoe = event("name", "Zoë".encode())
    wave, dance = event("unsupported", "wave"), event("unsupported", "x-1._")
    left, replaced = event("left", "left"), event("left", "replaced")
    third = secret("their third stream")[:16]
    messages: dict[str, tuple[str, bytes, tuple[Line, ...], tuple[str, ...]]] = {
        "name": ("A name", name("Zoë"), (zoe,), ("none", "first", "second")),
        "kind_not_known": (
            "A kind that is not known",
            second.encode(kind="wave"),
            (wave,),
            ("none", "first", "second"),
        ),
        "kind_not_known_and_not_json": (
            "A kind that is not known, and nobody looks further",
            b'{"kind":"x-1._",\xff',
            (dance,),
            ("none", "first", "second"),
        ),
        "leave": ("A goodbye", leave("left"), (left,), ("none", "first", "second")),
        "leave_replaced": (
            "A goodbye with another reason",
            leave("replaced"),
            (replaced,),
            ("none", "first", "second"),
        ),
        "stream": (
            "A stream",
            stream(third, 1),
            (event("stream", third), send(resume(0))),
            ("none", "first"),
        ),
        "text_1": ("A text with the number 1", text(1, "a"), (), ()),
        "text_5": ("A text with the number 5", text(5, "a"), (_taken(5, "a"),), ("first",)),
        "text_6": ("A text with the number 6", text(6, "a"), (), ()),
        "text_of_the_highest_number": ("A text of the highest number", text(HIGHEST, "a"), (), ()),
        "hello": ("A hello", HELLO, (), ()),
        "end": ("The end of a pipe", END, (), ()),
        "written": ("The confirmation of a pipe", WRITTEN, (), ()),
    }
    scripts = {"none": _none(), "first": _first(), "second": _second(), "left": _left()}
    for what, (about, message, outcome, states) in messages.items():
        for state, script in scripts.items():
            result = outcome if state in states else (UNEXPECTED,)
            if (what, state) == ("text_1", "second"):
                result = (_taken(1, "a", OTHER),)
            said = f"{about} comes in {state.upper()}."
            yield script.receive(message, *result).case(f"{what}_{state}", "11.6", said)
    for what, message in _NO_MESSAGES.items():
        for state, script in scripts.items():
            said = f"It is no message of a chat, and comes in {state.upper()}."
            yield script.receive(message, MALFORMED).case(f"{what}_{state}", "11.6", said)


_NO_MESSAGES = {
    "empty": b"",
    "data_of_a_pipe": b"\2a",
    "text_without_body": b'{"kind":"text","id":1}',
}


def _numbers_of_the_peers_texts() -> Iterator[Case]:
    yield (
        _first()
        .receive(text(5, "a"), _taken(5, "a"))
        .call("shown", THEIRS, 5, then=(send(receipt(5)),))
        .receive(text(6, "b"), _taken(6, "b"))
        .call("shown", THEIRS, 6, then=(send(receipt(6)),))
        .case("texts", "11.3", "Each is confirmed when it has been shown.")
    )
    yield (
        _first()
        .receive(text(5, "a"), _taken(5, "a"))
        .receive(text(6, "b"), _taken(6, "b"))
        .receive(text(7, "c"), _taken(7, "c"))
        .call("shown", THEIRS, 7, then=(send(receipt(7)),))
        .case("one_receipt", "11.3", "One receipt stands for three texts.")
    )
    yield (
        _opened(_none(), THEIRS, HIGHEST)
        .receive(text(HIGHEST, ""), _taken(HIGHEST, ""))
        .call("shown", THEIRS, HIGHEST, then=(send(receipt(HIGHEST)),))
        .case("highest_number", "11.3", "The last number that there is, and an empty text.")
    )
    taken = _first().receive(text(5, "a"), _taken(5, "a"))
    yield taken.receive(text(5, "a"), UNEXPECTED).case("text_twice", "11.3", "The number 5 again.")
    yield taken.receive(text(4, "a"), UNEXPECTED).case("text_back", "11.3", "4 comes behind 5.")
    yield taken.receive(text(7, "a"), UNEXPECTED).case("text_left_out", "11.3", "7 behind 5.")
    yield (
        taken.receive(stream(OTHER, 1), event("stream", OTHER), send(resume(0)))
        .receive(text(6, "b"), UNEXPECTED)
        .case("text_of_the_stream_before", "11.3", "In the second stream it has no place.")
    )
    yield (
        taken.receive(stream(OTHER, 1), event("stream", OTHER), send(resume(0)))
        .call("shown", THEIRS, 5)
        .receive(text(1, "b"), _taken(1, "b", OTHER))
        .call("shown", OTHER, 1, then=(send(receipt(1)),))
        .case("shown_late", "11.3", "A receipt behind the resume belongs to the new stream.")
    )
    yield (
        taken.call("shown", THEIRS, 5, then=(send(receipt(5)),))
        .receive(stream(THEIRS, 6), event("stream", THEIRS), send(resume(5)))
        .receive(text(6, "b"), _taken(6, "b"))
        .case("same_stream_again", "11.3", "The second one may be the first again.")
    )
    yield (
        taken.receive(stream(THEIRS, 5), event("stream", THEIRS), send(resume(0)))
        .receive(text(5, "a"), _taken(5, "a"))
        .case("same_stream_before_it_was_shown", "11.3", "What was not shown comes again.")
    )
    yield (
        taken.call("shown", THEIRS, 5, then=(send(receipt(5)),))
        .receive(stream(THEIRS, 5), event("stream", THEIRS), send(resume(5)))
        .receive(text(5, "a"), UNEXPECTED)
        .case("text_that_was_shown", "11.3", "It was shown on this channel.")
    )


def _memory_of_streams() -> Iterator[Case]:
    known = _none().given("heard", THEIRS, 7)
    yield (
        _opened(known, THEIRS, 5, 7)
        .receive(text(8, "a"), _taken(8, "a"))
        .call("shown", THEIRS, 8, then=(send(receipt(8)),))
        .case("stream_goes_on", "11.3", "Seven of its texts were shown on channels before.")
    )
    yield (
        _opened(known, THEIRS, 5, 7)
        .receive(text(5, "a"), UNEXPECTED)
        .case("text_that_was_shown_before", "11.3", "It was shown on a channel before.")
    )
    yield (
        _opened(known, THEIRS, 20, 7)
        .receive(text(20, "a"), _taken(20, "a"))
        .case("stream_goes_on_higher", "11.3", "Texts between were confirmed to another device.")
    )
    yield (
        _opened(known, THEIRS, 20, 7)
        .receive(text(8, "a"), UNEXPECTED)
        .case("text_below_the_first", "11.3", "The stream begins with the number 20.")
    )
    yield (
        _opened(known, OTHER, 1)
        .receive(text(1, "a"), _taken(1, "a", OTHER))
        .case("stream_that_is_new", "11.3", "Each stream has numbers of its own.")
    )
    sixteen = _none()
    streams = [secret("heard", str(number))[:16] for number in range(16)]
    for number, which in enumerate(streams, 1):
        sixteen = sixteen.given("heard", which, number)
    yield (
        _opened(sixteen, streams[0], 1, 1)
        .receive(text(2, "a"), _taken(2, "a", streams[0]))
        .case("sixteen_streams", "11.3", "Of sixteen the one that was heard first is known.")
    )


def _goodbyes() -> Iterator[Case]:
    left = event("left", "left")
    yield (
        _ready()
        .receive(leave("left"), left)
        .receive(receipt(3), event("delivered", 2, 3))
        .case("receipt_behind_a_goodbye", "11.6", "Own texts are confirmed after it.")
    )
    yield (
        _asked()
        .receive(leave("left"), left)
        .receive(resume(1), send(TWO), send(THREE))
        .case("resume_behind_a_goodbye", "11.6", "What was said before goes out after it.")
    )
    yield (
        _ready()
        .receive(leave("left"), left)
        .call("say", b"four")
        .case("said_behind_a_goodbye", "11.4", "It waits for the next channel.")
    )
    yield (
        _ready()
        .receive(leave("left"), left)
        .receive(receipt(4), UNEXPECTED)
        .case("receipt_of_no_text_left", "11.6", "After a goodbye receipts are as ever.")
    )
    yield (
        _ready()
        .receive(leave("left"), left)
        .receive(leave("left"), UNEXPECTED)
        .case("leave_twice", "11.6", "A goodbye after the goodbye.")
    )
    yield (
        _first()
        .receive(text(5, "a"), _taken(5, "a"))
        .receive(leave("left"), left)
        .call("shown", THEIRS, 5, then=(send(receipt(5)),))
        .case("shown_behind_a_goodbye", "11.4", "Who has left waits for this.")
    )
    yield (
        _opened(_ready(), THEIRS, 5)
        .call("leave", "left", then=(send(leave("left")),))
        .call("say", b"four")
        .receive(text(5, "a"), _taken(5, "a"))
        .call("shown", THEIRS, 5, then=(send(receipt(5)),))
        .receive(receipt(3), event("delivered", 2, 3))
        .receive(leave("left"), left)
        .case("goodbye", "11.4", "Nothing is said after it, and what comes is confirmed.")
    )
    yield (
        _asked()
        .call("leave", "left", then=(send(leave("left")),))
        .receive(resume(1))
        .case("goodbye_before_the_resume", "11.4", "What waits is sent on the next channel.")
    )
    yield (
        _none()
        .call("introduce", "Zoë".encode(), then=(send(name("Zoë")),))
        .case("introduced", "11.1", "A name is said at any time.")
    )
