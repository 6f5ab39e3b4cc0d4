"""Cases of files and folders on a channel, both ways: SPEC.md sections 19.2 and 19.3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from .case import Case
from .script import MALFORMED, UNEXPECTED, Line, Script, event, send, words
from .second_client import second
from .stage import secret

T, OTHER, THIRD = (secret("transfer", str(number))[:16] for number in range(3))
"""Of the files and folders in most cases, and those that belong to them."""

EMPTY = hashlib.sha256().digest()
WINDOW, CHUNK = 2**20, 65_000
Path = tuple[str, ...]
Files = Sequence[tuple[Path, int]]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def number(of: int) -> bytes:
    """The id of one of many transfers."""
    return secret("one of many", str(of))[:16]


# Messages.


def _message(kind: str, transfer: bytes, **members: Any) -> bytes:
    message: bytes = second.encode(kind=kind, transfer=transfer, **members)
    return message


def offer(transfer: bytes, size: int, name: str = "a.txt") -> bytes:
    return _message("file_offer", transfer, name=name, size=size)


def listing(files: Files) -> bytes:
    return sha256(b"".join(second.encode(path=list(p), size=s) + b"\n" for p, s in files))


def folder_offer(transfer: bytes, files: Files, **changes: Any) -> bytes:
    members = {
        "name": "folder",
        "size": sum(size for _, size in files),
        "count": len(files),
        "listing": listing(files),
    }
    return _message("folder_offer", transfer, **members | changes)


def member(transfer: bytes, path: Path, size: int, folder: bytes = T) -> bytes:
    return _message("folder_file", transfer, folder=folder, path=list(path), size=size)


def accept(transfer: bytes, prefix: bytes = b"", **changes: Any) -> bytes:
    members = {"offset": len(prefix), "prefix_hash": sha256(prefix)}
    return _message("file_accept", transfer, **members | changes)


def decline(transfer: bytes, reason: str = "declined") -> bytes:
    return _message("file_decline", transfer, reason=reason)


def start(transfer: bytes, offset: int = 0) -> bytes:
    return _message("file_start", transfer, offset=offset)


def data(transfer: bytes, offset: int, content: bytes) -> bytes:
    return b"\1" + transfer + offset.to_bytes(8, "big") + content


def ack(transfer: bytes, offset: int) -> bytes:
    return _message("file_ack", transfer, offset=offset)


def end(transfer: bytes, content: bytes) -> bytes:
    return _message("file_end", transfer, sha256=sha256(content))


def done(transfer: bytes) -> bytes:
    return _message("file_done", transfer)


def abort(transfer: bytes, reason: str = "cancelled") -> bytes:
    return _message("file_abort", transfer, reason=reason)


def _path(path: Path) -> str:
    return "/".join(name.encode().hex() for name in path)


# What leads to each state. The file has the two bytes "ab", the folder one empty file.

_NEW = Script("transfer")
_SENDER = _NEW.given("transfer", T).given("transfer", OTHER)
_ONE: Files = [(("a",), 0)]


def _sends(content: bytes = b"ab") -> Script:
    """A file is offered."""
    call = ("offer", b"a.txt", content) if content else ("offer", b"a.txt")
    return _SENDER.call(*call, then=(send(offer(T, len(content))),))


def _sends_from_0(content: bytes = b"ab") -> Script:
    taken = (event("accepted", T, 0), send(start(T)))
    return _sends(content).receive(accept(T), *taken)


def _read(script: Script, offset: int, content: bytes, *more: Line) -> Script:
    """These bytes have been read, and go out."""
    then = (send(data(T, offset, content)), *more)
    return script.call("read", T, len(content), then=then)


def _sent_one_byte() -> Script:
    return _read(_sends_from_0(), 0, b"a")


def _sent_all() -> Script:
    return _read(_sent_one_byte(), 1, b"b", send(end(T, b"ab")))


def _cancel(script: Script, reason: str = "cancelled") -> Script:
    return script.call("cancel", T, reason, then=(send(abort(T, reason)),))


def _sends_folder() -> Script:
    then = (send(folder_offer(T, _ONE)),)
    return _SENDER.call("offer-folder", b"folder", f"{_path(('a',))}:", then=then)


def _sends_file_of_folder() -> Script:
    then = (event("accepted", T, 0), send(member(OTHER, ("a",), 0)))
    return _sends_folder().receive(accept(T), *then)


def _sent_file_of_folder() -> Script:
    then = (event("accepted", OTHER, 0), send(start(OTHER)), send(end(OTHER, b"")))
    return _sends_file_of_folder().receive(accept(OTHER), *then)


def _sent_folder() -> Script:
    return _sent_file_of_folder().receive(done(OTHER), event("finished", OTHER))


def _offered(script: Script, transfer: bytes, size: int) -> Script:
    return script.receive(offer(transfer, size), event("offered", transfer, b"a.txt", size))


def _accepted(script: Script, transfer: bytes, prefix: bytes = b"") -> Script:
    call = ("accept", transfer, prefix) if prefix else ("accept", transfer)
    return script.call(*call, then=(send(accept(transfer, prefix)),))


def _started(script: Script, transfer: bytes, offset: int = 0) -> Script:
    return script.receive(start(transfer, offset), event("started", transfer, offset))


def _comes(script: Script, offset: int, content: bytes) -> Script:
    return script.receive(data(T, offset, content), event("data", T, offset, content))


def _gets(size: int = 2) -> Script:
    return _accepted(_offered(_NEW, T, size), T)


def _got_one_byte() -> Script:
    return _comes(_started(_gets(), T), 0, b"a")


def _got_all() -> Script:
    return _comes(_got_one_byte(), 1, b"b").receive(end(T, b"ab"), event("received", T))


def _folder_offered(files: Files, **changes: Any) -> Script:
    total = changes.get("size", sum(size for _, size in files))
    count = changes.get("count", len(files))
    told = event("offered", T, b"folder", total, count)
    return _NEW.receive(folder_offer(T, files, **changes), told)


def _gets_folder(files: Files = _ONE, **changes: Any) -> Script:
    return _accepted(_folder_offered(files, **changes), T)


def _member_comes(script: Script, transfer: bytes, path: Path, size: int = 0) -> Script:
    told = event("member", transfer, T, _path(path), size)
    return script.receive(member(transfer, path, size), told)


def _member_got(script: Script, transfer: bytes, *more: Line) -> Script:
    """An empty file of the folder comes, and is on disk under its name."""
    script = _started(_accepted(script, transfer), transfer)
    script = script.receive(end(transfer, b""), event("received", transfer))
    return script.call("finished", transfer, then=(*more, send(done(transfer))))


def _got_folder() -> Script:
    script = _member_comes(_gets_folder(), OTHER, ("a",))
    return _member_got(script, OTHER, event("received", T))


STATES: dict[str, dict[str, Script]] = {
    "sent_file": {
        "offered": _sends(),
        "accepted": _sends().receive(accept(T, b"a"), event("accepted", T, 1)),
        "running": _sent_one_byte(),
        "ended": _sent_all(),
        "aborting": _cancel(_sends()),
    },
    "sent_folder": {
        "offered": _sends_folder(),
        "running": _sends_file_of_folder(),
        "ended": _sent_folder(),
        "aborting": _cancel(_sends_folder()),
    },
    "received_file": {
        "offered": _offered(_NEW, T, 2),
        "accepted": _gets(),
        "running": _got_one_byte(),
        "ended": _got_all(),
        "aborting": _cancel(_gets()),
    },
    "received_folder": {
        "offered": _folder_offered(_ONE),
        "running": _gets_folder(),
        "ended": _got_folder(),
        "aborting": _cancel(_gets_folder()),
    },
}

_ABORTED = (event("aborted", T, "cancelled"), send(abort(T)))
_FROM_0 = (event("accepted", T, 0), send(start(T)))
_DECLINED, _FINISHED = (event("declined", T, "declined"),), (event("finished", T),)

TAKEN: dict[tuple[str, str], dict[str, tuple[Line, ...]]] = {
    ("file_accept", "sent_file"): {"offered": _FROM_0, "aborting": ()},
    ("file_decline", "sent_file"): {"offered": _DECLINED, "aborting": ()},
    ("file_ack", "sent_file"): {
        "running": (event("acknowledged", T, 1),),
        "ended": (event("acknowledged", T, 1),),
        "aborting": (),
    },
    ("file_done", "sent_file"): {"ended": _FINISHED, "aborting": _FINISHED},
    ("file_accept", "sent_folder"): {
        "offered": (event("accepted", T, 0), send(member(OTHER, ("a",), 0))),
        "aborting": (),
    },
    ("file_decline", "sent_folder"): {"offered": _DECLINED, "aborting": ()},
    ("file_done", "sent_folder"): {"ended": _FINISHED, "aborting": _FINISHED},
    ("file_start", "received_file"): {"accepted": (event("started", T, 0),), "aborting": ()},
    ("data", "received_file"): {"running": (event("data", T, 1, b"b"),), "aborting": ()},
    ("file_end", "received_file"): {"running": (event("received", T),), "aborting": ()},
    ("folder_file", "received_folder"): {
        "running": (event("member", OTHER, T, _path(("a",)), 0),),
        "aborting": (),
    },
}
"""The table of section 19.2, but for ``file_abort``, which each state takes."""


def cases() -> Iterator[Case]:
    yield from _states()
    yield from _no_such_transfer()
    yield from _files_of_folders()
    yield from _whole_transfers()
    yield from _accepts()
    yield from _acknowledgements()
    yield from _starts()
    yield from _bytes()
    yield from _folders()
    yield from _given_up()
    yield from _limits()


def _states() -> Iterator[Case]:
    for part, states in STATES.items():
        for state, script in states.items():
            for kind, message in _messages(part, state).items():
                about = f"{kind} comes, {part.replace('_', ' ')} in {state.upper()}."
                before = script
                if (kind, part, state) == ("file_end", "received_file", "running"):
                    before = _comes(script, 1, b"b")
                outcome = TAKEN.get((kind, part), {}).get(state, (UNEXPECTED,))
                if kind == "file_abort":
                    outcome = () if state == "aborting" else _ABORTED
                made = before.receive(message, *outcome)
                yield made.case(f"{kind}_{part}_{state}", "19.2", about)


def _messages(part: str, state: str) -> dict[str, bytes]:
    """Each message about T, such as it would be if it had its place."""
    offset = 1 if (part, state) == ("received_file", "running") else 0
    return {
        "file_offer": offer(T, 2),
        "folder_offer": folder_offer(T, _ONE),
        "folder_file": member(OTHER if part != "sent_folder" else THIRD, ("a",), 0),
        "file_accept": accept(T),
        "file_decline": decline(T),
        "file_start": start(T),
        "data": data(T, offset, b"ab"[offset : offset + 1]),
        "file_ack": ack(T, 1),
        "file_end": end(T, b"ab"),
        "file_done": done(T),
        "file_abort": abort(T),
    }


def _no_such_transfer() -> Iterator[Case]:
    for kind, message in _messages("", "").items():
        if kind in ("file_offer", "folder_offer"):
            continue
        about = f"{kind} comes for a transfer that is not there."
        outcome = () if kind == "file_abort" else (UNEXPECTED,)
        yield _NEW.receive(message, *outcome).case(f"{kind}_of_none", "19.2", about)
    ended = _sent_all().receive(done(T), event("finished", T))
    yield ended.receive(done(T), UNEXPECTED).case("done_twice", "19.2", "It ended with the first.")
    yield ended.receive(abort(T)).case("abort_behind_done", "19.2", "It has ended before.")
    got = _got_all().call("finished", T, then=(send(done(T)),))
    yield got.receive(abort(T)).case("abort_behind_own_done", "19.2", "It has ended before.")
    yield (
        got.receive(end(T, b"ab"), UNEXPECTED).case(
            "end_behind_done", "19.2", "It has ended before."
        )
    )
    turned = _offered(_NEW, T, 2).call(
        "decline", T, "no_space", then=(send(decline(T, "no_space")),)
    )
    yield turned.case("own_decline", "19.2", "A file is declined.")
    yield turned.receive(abort(T)).case("abort_behind_own_decline", "19.2", "It has ended before.")
    yield turned.receive(start(T), UNEXPECTED).case(
        "start_of_what_was_declined", "19.2", "It ended."
    )
    yield (
        _folder_offered(_ONE)
        .call("decline", T, "declined", then=(send(decline(T)),))
        .receive(member(OTHER, ("a",), 0), UNEXPECTED)
        .case("file_of_a_folder_that_was_declined", "19.2", "The folder has ended.")
    )
    yield (
        _NEW.receive(b'{"kind":"file_move","transfer":"AAAAAAAAAAAAAAAAAAAAAA=="}', MALFORMED).case(
            "kind_not_known", "11.1", "A channel for files takes no other messages."
        )
    )


def _files_of_folders() -> Iterator[Case]:
    """Declined and aborted is the folder, and never a file of it."""
    comes = _member_comes(_gets_folder(), OTHER, ("a",))
    scripts = {
        "sent": _sends_file_of_folder(),
        "sent_ended": _sent_file_of_folder(),
        "sent_aborting": _cancel(_sends_file_of_folder()),
        "received": comes,
        "received_aborting": _cancel(comes),
    }
    for what, script in scripts.items():
        for kind, message in (("decline", decline(OTHER)), ("abort", abort(OTHER))):
            about = "It is not about a file of a folder."
            made = script.receive(message, UNEXPECTED)
            yield made.case(f"{kind}_of_a_file_in_a_folder_{what}", "19.2", about)
    for kind, message in (("file", offer(OTHER, 0)), ("folder_file", member(OTHER, ("b",), 0))):
        about = "A file of the folder has this number."
        yield comes.receive(message, UNEXPECTED).case(f"{kind}_with_that_of_a_file", "19.2", about)
    yield (
        _gets_folder()
        .receive(member(T, ("a",), 0), UNEXPECTED)
        .case("folder_file_with_that_of_its_folder", "19.2", "The folder has this number.")
    )
    yield (
        _offered(_NEW, OTHER, 1)
        .receive(folder_offer(T, _ONE), event("offered", T, b"folder", 0, 1))
        .call("accept", T, then=(send(accept(T)),))
        .receive(member(OTHER, ("a",), 0), UNEXPECTED)
        .case("folder_file_with_that_of_another_file", "19.2", "Another file has this number.")
    )
    yield (
        _gets()
        .receive(member(OTHER, ("a",), 0), UNEXPECTED)
        .case("folder_file_of_a_file", "19.2", "The transfer is a file, and no folder.")
    )
    cancelled = _cancel(_sent_file_of_folder())
    yield (
        cancelled.receive(done(OTHER))
        .receive(abort(T))
        .case("done_of_a_file_in_a_folder_aborting", "19.2", "It is ignored, and the folder ends.")
    )
    yield (
        cancelled.receive(abort(T))
        .receive(done(OTHER), UNEXPECTED)
        .case("done_of_a_file_behind_its_folder", "19.2", "All that belongs to it has ended.")
    )
    yield (
        comes.receive(
            abort(T, "unreadable"), event("aborted", T, "unreadable"), send(abort(T, "unreadable"))
        )
        .receive(start(OTHER), UNEXPECTED)
        .case("start_of_a_file_behind_its_folder", "19.2", "All that belongs to it has ended.")
    )
    yield (
        _sent_file_of_folder()
        .receive(done(T), UNEXPECTED)
        .case("done_of_a_folder_before_its_file", "19.2", "A file of it is not done.")
    )


def _whole_transfers() -> Iterator[Case]:
    yield (
        _sent_all()
        .receive(ack(T, 2), event("acknowledged", T, 2))
        .receive(done(T), event("finished", T))
        .case("file_sent", "19.2", "A file from its offer to its end.")
    )
    yield (
        _sends(b"")
        .receive(accept(T), event("accepted", T, 0), send(start(T)), send(end(T, b"")))
        .receive(done(T), event("finished", T))
        .case("empty_file_sent", "19.2", "A file without bytes.")
    )
    yield (
        _got_one_byte()
        .call("written", T, 1, then=(send(ack(T, 1)),))
        .receive(data(T, 1, b"b"), event("data", T, 1, b"b"))
        .receive(end(T, b"ab"), event("received", T))
        .call("written", T, 2, then=(send(ack(T, 2)),))
        .call("finished", T, then=(send(done(T)),))
        .case("file_received", "19.2", "A file from its offer to its end.")
    )
    yield (
        _started(_gets(0), T)
        .receive(end(T, b""), event("received", T))
        .call("finished", T, then=(send(done(T)),))
        .case("empty_file_received", "19.2", "A file without bytes.")
    )
    yield (
        _offered(_got_all().call("finished", T, then=(send(done(T)),)), T, 1).case(
            "number_of_one_that_has_ended", "19.2", "Only one that has not ended keeps it."
        )
    )
    yield (
        _sent_folder()
        .receive(done(T), event("finished", T))
        .case("folder_sent", "19.2", "A folder of one file.")
    )
    yield (
        _got_folder()
        .call("finished", T, then=(send(done(T)),))
        .case("folder_received", "19.2", "A folder of one file.")
    )
    both = _sends().receive(offer(OTHER, 1), event("offered", OTHER, b"a.txt", 1))
    yield (
        both.call("accept", OTHER, then=(send(accept(OTHER)),))
        .receive(accept(T), *_FROM_0)
        .receive(start(OTHER), event("started", OTHER, 0))
        .case("both_ways", "19", "A file goes each way at once.")
    )


def _accepts() -> Iterator[Case]:
    """What a sender makes of the offset and the hash of a prefix."""
    bad = {
        "offset_above_the_size": (_sends(), accept(T, b"abc")),
        "offset_of_the_highest_number": (_sends(), accept(T, offset=2**53 - 1)),
        "offset_above_an_empty_file": (_sends(b""), accept(T, b"a")),
        "offset_of_a_folder": (_sends_folder(), accept(T, b"a")),
        "hash_of_nothing_is_zeros": (_sends(), accept(T, prefix_hash=bytes(32))),
        "hash_of_nothing_is_that_of_a_byte": (_sends(), accept(T, prefix_hash=sha256(b"a"))),
        "hash_of_nothing_of_a_folder": (_sends_folder(), accept(T, prefix_hash=bytes(32))),
        "offset_above_a_file_in_a_folder": (_sends_file_of_folder(), accept(OTHER, b"a")),
    }
    for name, (script, message) in bad.items():
        about = "The receiver has more than there is."
        if name.startswith("hash"):
            about = "No bytes have one hash, and this is another."
        elif name == "offset_of_a_folder":
            about = "For a folder the size counts as 0."
        yield script.receive(message, UNEXPECTED).case(f"accept_{name}", "19.2", about)
    goes_on = _sends().receive(accept(T, b"a"), event("accepted", T, 1))
    goes_on = goes_on.call("check", T, then=(send(start(T, 1)),))
    yield (
        _read(goes_on, 1, b"b", send(end(T, b"ab")))
        .receive(ack(T, 2), event("acknowledged", T, 2))
        .receive(done(T), event("finished", T))
        .case("goes_on", "19.2", "The receiver has the first byte; the hash is of the whole file.")
    )
    yield (
        _sends()
        .receive(accept(T, b"x"), event("accepted", T, 1))
        .call("check", T, then=(send(start(T)),))
        .call("read", T, 2, then=(send(data(T, 0, b"ab")), send(end(T, b"ab"))))
        .case("begins_anew", "19.2", "What the receiver has is of another file.")
    )
    yield (
        _sends()
        .receive(accept(T, b"ab"), event("accepted", T, 2))
        .call("check", T, then=(send(start(T, 2)), send(end(T, b"ab"))))
        .case("goes_on_at_the_end", "19.2", "The receiver has all of it.")
    )
    yield goes_on.receive(ack(T, 1), UNEXPECTED).case(
        "ack_of_what_was_there_before", "19.2", "The first is above the offset of file_start."
    )


def _acknowledgements() -> Iterator[Case]:
    one = event("acknowledged", T, 1)
    bad: dict[str, tuple[Script, int, str]] = {
        "of_0_bytes": (_sent_one_byte(), 0, "It acknowledges nothing."),
        "before_any_data": (_sends_from_0(), 1, "Nothing was sent."),
        "of_what_was_not_sent": (_sent_one_byte(), 2, "The second byte was not sent."),
        "above_the_size": (_sent_all(), 3, "There are two bytes."),
        "of_the_highest_number": (_sent_all(), 2**53 - 1, "There are two bytes."),
        "twice": (_sent_one_byte().receive(ack(T, 1), one), 1, "It acknowledges nothing new."),
        "twice_ended": (_sent_all().receive(ack(T, 1), one), 1, "It acknowledges nothing new."),
        "back": (
            _sent_all().receive(ack(T, 2), event("acknowledged", T, 2)),
            1,
            "It acknowledges less than before.",
        ),
    }
    for name, (script, offset, about) in bad.items():
        yield script.receive(ack(T, offset), UNEXPECTED).case(f"ack_{name}", "19.2", about)
    yield (
        _sent_all()
        .receive(ack(T, 1), one)
        .receive(ack(T, 2), event("acknowledged", T, 2))
        .case("acks_one_by_one", "19.2", "Each is above the one before.")
    )
    yield (
        _sent_all()
        .receive(done(T), event("finished", T))
        .case("done_without_ack", "19.2", "What was not acknowledged is by file_done.")
    )


def _starts() -> Iterator[Case]:
    """What a receiver makes of the offset of file_start."""
    has_two = _accepted(_offered(_NEW, T, 4), T, b"ab")
    for offset in (1, 3, 4, 5, 2**53 - 1):
        yield has_two.receive(start(T, offset), UNEXPECTED).case(
            f"start_at_{offset}", "19.2", "It begins neither at 0 nor at the receiver's 2."
        )
    yield (
        _gets()
        .receive(start(T, 1), UNEXPECTED)
        .case("start_of_a_new_file_at_1", "19.2", "A new file begins at 0.")
    )
    goes_on = _comes(_started(has_two, T, 2), 2, b"cd")
    yield (
        goes_on.receive(end(T, b"abcd"), event("received", T))
        .call("written", T, 4, then=(send(ack(T, 4)),))
        .call("finished", T, then=(send(done(T)),))
        .case("went_on", "19.2", "Two bytes were here; the hash is of the whole file.")
    )
    damaged = (event("aborted", T, "damaged"), send(abort(T, "damaged")))
    yield goes_on.receive(end(T, b"cd"), *damaged).case(
        "hash_of_the_rest", "19.2", "It has to be of the whole file: the transfer ends by it."
    )
    yield (
        _started(has_two, T, 2)
        .receive(data(T, 0, b"a"), UNEXPECTED)
        .case("data_below_the_start", "19.2", "The next byte is that at 2.")
    )
    yield (
        _comes(_started(has_two, T), 0, b"wxyz")
        .receive(end(T, b"wxyz"), event("received", T))
        .case("began_anew", "19.2", "Two bytes were here of another file.")
    )
    yield (
        _started(_accepted(_offered(_NEW, T, 2), T, b"ab"), T, 2)
        .receive(end(T, b"ab"), event("received", T))
        .case("went_on_at_the_end", "19.2", "All was here.")
    )


def _bytes() -> Iterator[Case]:
    running = _started(_gets(), T)
    bad: dict[str, tuple[Script, bytes, str]] = {
        "data_behind_a_gap": (running, data(T, 1, b"b"), "The first byte is left out."),
        "data_far_away": (running, data(T, 2**53 - 1, b"b"), "It is beyond the size."),
        "data_twice": (_got_one_byte(), data(T, 0, b"a"), "This byte has come."),
        "data_that_overlaps": (_got_one_byte(), data(T, 0, b"ab"), "One of these has come."),
        "data_beyond_the_size": (running, data(T, 0, b"abc"), "Two bytes were announced."),
        "data_behind_the_last_byte": (
            _comes(_got_one_byte(), 1, b"b"),
            data(T, 2, b"c"),
            "Two bytes were announced.",
        ),
        "data_of_an_empty_file": (
            _started(_gets(0), T),
            data(T, 0, b"a"),
            "No byte was announced.",
        ),
        "end_before_the_last_byte": (_got_one_byte(), end(T, b"a"), "Two bytes were announced."),
        "end_before_the_first_byte": (running, end(T, b""), "Two bytes were announced."),
    }
    for name, (script, message, about) in bad.items():
        yield script.receive(message, UNEXPECTED).case(name, "19.2", about)
    damaged = (event("aborted", T, "damaged"), send(abort(T, "damaged")))
    spoilt = _comes(_got_one_byte(), 1, b"b").receive(end(T, b"ax"), *damaged)
    yield _offered(spoilt, OTHER, 1).case(
        "hash_wrong", "19.2", "This ends the transfer, and not the session."
    )
    yield spoilt.receive(abort(T, "damaged")).case(
        "hash_wrong_and_heard", "19.2", "The sender answers, and nothing more is sent."
    )
    yield spoilt.receive(offer(T, 1), UNEXPECTED).case(
        "number_of_one_that_was_damaged", "19.2", "Its end has not come yet."
    )
    spoilt_member = _started(
        _accepted(_member_comes(_gets_folder(), OTHER, ("a",)), OTHER), OTHER
    ).receive(end(OTHER, b"x"), *damaged)
    yield spoilt_member.receive(abort(T)).case(
        "hash_wrong_in_a_folder", "19.2", "It is the folder that ends."
    )


_THREE: Files = [(("a",), 1), (("b", "c"), 2), (("b", "d"), 3)]


def _folders() -> Iterator[Case]:
    """The files of a folder against what was announced."""
    bad: dict[str, tuple[Files, dict[str, Any], str]] = {
        "another_name": ([*_THREE[:2], (("b", "e"), 3)], {}, "The last has another name."),
        "larger_file": ([*_THREE[:2], (("b", "d"), 4)], {}, "More bytes than announced."),
        "smaller_file": ([*_THREE[:2], (("b", "d"), 2)], {}, "Fewer bytes than announced."),
        "file_twice": ([_THREE[0], _THREE[0]], {}, "A file comes twice."),
        "files_in_another_order": ([_THREE[1], _THREE[0]], {}, "The second comes before."),
        "file_too_large_for_the_folder": ([(("a",), 7)], {}, "More bytes than announced."),
        "one_file_more": ([*_THREE, (("e",), 0)], {}, "More files than announced."),
        "listing_of_zeros": (_THREE, {"listing": bytes(32)}, "Another listing was announced."),
        "sizes_exchanged": (
            [(("a",), 2), (("b", "c"), 1), _THREE[2]],
            {},
            "Another listing was announced.",
        ),
        "size_below_that_of_the_listing": (_THREE, {"size": 5}, "More bytes than announced."),
        "size_above_that_of_the_listing": (_THREE, {"size": 7}, "Fewer bytes than announced."),
        "count_below_that_of_the_listing": (
            _THREE[:2],
            {"count": 1},
            "The first one is not the whole listing.",
        ),
    }
    for name, (files, changes, about) in bad.items():
        script = _gets_folder(_THREE, **changes)
        stop = 0 if name.startswith("count") else len(files) - 1
        for at, (path, size) in enumerate(files[:stop]):
            script = _member_comes(script, number(at), path, size)
        path, size = files[stop]
        made = script.receive(member(number(stop), path, size), UNEXPECTED)
        yield made.case(f"folder_{name}", "19.2", about)
    orders: dict[str, tuple[Files, str]] = {
        "bytes": ([(("B",), 0), (("a",), 0)], "Capital letters come first in UTF-8."),
        "code_points": (
            [(("\uff5e",), 0), (("🎈",), 0)],
            "In UTF-8 a code point above U+FFFF is the last; in UTF-16 it would not be.",
        ),
        "names": (
            [(("a", "z"), 0), (("a!", "b"), 0)],
            "Compared name by name; as one text with slashes it would be otherwise.",
        ),
        "shorter_path": ([(("a",), 0), (("a", "b"), 0)], "What is above comes first."),
    }
    for name, (files, about) in orders.items():
        (first, _), (last, _) = files
        script = _member_comes(_gets_folder(files), number(0), first)
        script = _member_comes(script, number(1), last)
        yield script.case(f"folder_order_of_{name}", "19.1", about)
        backwards = _member_comes(_gets_folder(files[::-1]), number(0), last)
        made = backwards.receive(member(number(1), first, 0), UNEXPECTED)
        yield made.case(f"folder_order_of_{name}_backwards", "19.1", about)


def _given_up() -> Iterator[Case]:
    """What comes while this side waits for the answer to its abort."""
    late = _cancel(_sent_one_byte())
    yield (
        late.receive(ack(T, 1))
        .receive(abort(T))
        .receive(abort(T))
        .case("cancelled_while_it_was_sent", "19.2", "What crosses the abort is ignored.")
    )
    yield (
        late.receive(abort(T))
        .receive(ack(T, 1), UNEXPECTED)
        .case("ack_behind_the_answer_to_an_abort", "19.2", "The transfer has ended.")
    )
    late = _cancel(_got_one_byte(), "no_space")
    yield (
        late.receive(data(T, 1, b"b"))
        .receive(end(T, b"ab"))
        .receive(abort(T, "no_space"))
        .case("cancelled_while_it_came", "19.2", "What crosses the abort is ignored.")
    )
    yield (
        late.receive(abort(T))
        .receive(data(T, 1, b"b"), UNEXPECTED)
        .case("data_behind_the_answer_to_an_abort", "19.2", "The transfer has ended.")
    )
    yield (
        _cancel(_sends_file_of_folder())
        .receive(accept(OTHER))
        .receive(abort(T))
        .case("cancelled_folder_while_it_was_sent", "19.2", "What crosses the abort is ignored.")
    )
    given_up = _cancel(_gets_folder(_THREE), "no_space")
    for at, (path, size) in enumerate(_THREE):
        given_up = given_up.receive(member(number(at), path, size))
    yield given_up.receive(abort(T)).case(
        "cancelled_folder_while_it_came", "19.2", "What crosses the abort is ignored."
    )
    yield given_up.receive(member(number(3), ("e",), 0), UNEXPECTED).case(
        "given_up_one_file_more", "19.2", "No more come than were announced."
    )
    yield given_up.receive(start(number(0))).case(
        "given_up_start_of_a_file", "19.2", "What crosses the abort is ignored."
    )
    nine: Files = [((f"{n}",), 0) for n in range(9)]
    script = _cancel(_gets_folder(nine), "no_space")
    for at, (path, size) in enumerate(nine[:8]):
        script = script.receive(member(number(at), path, size))
    yield script.receive(member(number(8), ("8",), 0), UNEXPECTED).case(
        "given_up_nine_files_at_once", "19.2", "Nor do more come at once."
    )


def _limits() -> Iterator[Case]:
    yield from _limits_of_a_sender()
    yield from _limits_of_a_receiver()
    yield from _windows()


def _limits_of_a_sender() -> Iterator[Case]:
    script = _NEW
    for at in range(17):
        script = script.given("transfer", number(at))
    for at in range(17):
        script = script.call("offer", b"a.txt", b"a", then=(send(offer(number(at), 1)),))
    for at in range(16):
        taken = (event("accepted", number(at), 0), send(start(number(at))))
        script = script.receive(accept(number(at)), *taken)
    script = script.receive(accept(number(16)), event("accepted", number(16), 0))
    yield (
        script.call(
            "read",
            number(0),
            1,
            then=(send(data(number(0), 0, b"a")), send(end(number(0), b"a"))),
        )
        .receive(done(number(0)), event("finished", number(0)), send(start(number(16))))
        .case("sixteen_files_run", "19.3", "The seventeenth starts when one has ended.")
    )
    nine = [f"{_path((str(n),))}:" for n in range(9)]
    script = _NEW.given("transfer", T)
    for at in range(9):
        script = script.given("transfer", number(at))
    files: Files = [((f"{n}",), 0) for n in range(9)]
    script = script.call("offer-folder", b"folder", *nine, then=(send(folder_offer(T, files)),))
    offered = [send(member(number(at), (f"{at}",), 0)) for at in range(9)]
    script = script.receive(accept(T), event("accepted", T, 0), *offered[:8])
    sent = (send(start(number(3))), send(end(number(3), b"")))
    yield (
        script.receive(accept(number(3)), event("accepted", number(3), 0), *sent)
        .receive(done(number(3)), event("finished", number(3)), offered[8])
        .case("eight_files_of_a_folder_sent", "19.3", "The ninth is offered when one is done.")
    )


def _limits_of_a_receiver() -> Iterator[Case]:
    script = _NEW
    for at in range(100):
        script = _offered(script, number(at), 0)
    yield script.receive(offer(T, 0), UNEXPECTED).case("101_offers", "19.3", "One file too many.")
    yield script.receive(folder_offer(T, _ONE), UNEXPECTED).case(
        "100_offers_and_a_folder", "19.3", "One folder too many."
    )
    script = script.call("decline", number(50), "declined", then=(send(decline(number(50))),))
    yield _offered(script, T, 0).case("100_offers", "19.3", "One that has ended makes room.")
    script = _NEW
    for at in range(17):
        script = _accepted(_offered(script, number(at), 1), number(at))
    for at in range(16):
        script = _started(script, number(at))
    yield script.receive(start(number(16)), UNEXPECTED).case(
        "seventeen_files_run", "19.3", "One too many has started."
    )
    ended = script.receive(
        abort(number(5)), event("aborted", number(5), "cancelled"), send(abort(number(5)))
    )
    yield _started(ended, number(16)).case(
        "sixteen_files_run_here", "19.3", "One that has ended makes room."
    )
    nine: Files = [((f"{n}",), 0) for n in range(9)]
    script = _gets_folder(nine)
    for at, (path, _) in enumerate(nine[:8]):
        script = _member_comes(script, number(at), path)
    yield script.receive(member(number(8), ("8",), 0), UNEXPECTED).case(
        "nine_files_of_a_folder", "19.3", "One too many is offered and not done."
    )
    yield _member_comes(_member_got(script, number(3)), number(8), ("8",)).case(
        "eight_files_of_a_folder", "19.3", "One that is done makes room."
    )


def _zeros(script: Script, transfer: bytes, begin: int, stop: int) -> Script:
    for offset in range(begin, stop, CHUNK):
        what = transfer, offset, min(CHUNK, stop - offset)
        script = script.act("zeros", *what, then=(event("zeros", *what),))
    return script


def _half(script: Script, transfer: bytes) -> Script:
    """Half a window of a file comes."""
    script = _started(_accepted(_offered(script, transfer, WINDOW), transfer), transfer)
    return _zeros(script, transfer, 0, WINDOW // 2)


def _window_of_a_sender() -> Iterator[Case]:
    script = _SENDER.call("offer-zeros", b"a.txt", 2 * WINDOW, then=(send(offer(T, 2 * WINDOW)),))
    script = script.receive(accept(T), *_FROM_0)
    for offset in range(0, WINDOW, CHUNK):
        what = T, offset, min(CHUNK, WINDOW - offset)
        script = script.call("read", T, what[2], then=(("send-zeros", words(*what)),))
    script = script.call("read", T, 100)
    rest = ("send-zeros", words(T, WINDOW, 100))
    yield script.receive(ack(T, 100), event("acknowledged", T, 100), rest).case(
        "window_of_a_sender", "19.3", "What is more than a window waits for an acknowledgement."
    )
    yield script.receive(abort(T), *_ABORTED).case(
        "window_of_a_sender_aborted", "19.3", "What waits is not sent any more."
    )


def _windows() -> Iterator[Case]:
    yield from _window_of_a_sender()
    full = _zeros(_started(_gets(2 * WINDOW), T), T, 0, WINDOW)
    yield full.act("zeros", T, WINDOW, 1, then=(UNEXPECTED,)).case(
        "window", "19.3", "One byte more than may be on its way."
    )
    acknowledged = full.call("written", T, CHUNK, then=(send(ack(T, CHUNK)),))
    acknowledged = _zeros(acknowledged, T, WINDOW, WINDOW + CHUNK)
    yield acknowledged.case("window_moves", "19.3", "What is acknowledged makes room.")
    yield acknowledged.act("zeros", T, WINDOW + CHUNK, 1, then=(UNEXPECTED,)).case(
        "window_that_moved", "19.3", "One byte more than may be on its way."
    )
    both = _half(_half(_NEW, T), OTHER)
    yield both.act("zeros", OTHER, WINDOW // 2, 1, then=(UNEXPECTED,)).case(
        "window_of_two_files", "19.3", "It is of all transfers together."
    )
    ended = both.receive(abort(T), *_ABORTED)
    yield _zeros(ended, OTHER, WINDOW // 2, WINDOW // 2 + 1).case(
        "window_of_one_that_ended", "19.3", "One that has ended takes no room."
    )
