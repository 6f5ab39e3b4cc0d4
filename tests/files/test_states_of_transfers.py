"""The table of SPEC.md section 19.2, and its limits: everything else ends the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ee.conversation import Conversation
from e2ee.errors import MalformedMessage, OverLimit, ProtocolError, UnexpectedMessage, UsageError
from e2ee.file_events import Aborted, Accepted, Finished, MemberOffered, Offered, Received, Started
from e2ee.file_messages import (
    MAX_CHUNK,
    Chunk,
    FileAbort,
    FileAccept,
    FileAck,
    FileDecline,
    FileDone,
    FileEnd,
    FileOffer,
    FileStart,
    FolderFile,
    FolderOffer,
    Listed,
    decode_file_message,
    encode_chunk,
    is_file_message,
)
from e2ee.file_states import (
    FOLDERS_ONLY,
    MAX_MEMBERS,
    MAX_OFFERS,
    MAX_RUNNING,
    TABLE,
    WINDOW,
    Part,
    State,
)
from e2ee.file_transfer import FileTransfers
from e2ee.journal import MemoryJournal
from e2ee.messages import Unsupported, encode
from e2ee.primitives import RunningHash

ID, OTHER = b"i" * 16, b"o" * 16
EMPTY = RunningHash().digest()


def sha256(data: bytes) -> bytes:
    running = RunningHash()
    running.update(data)
    return running.digest()


def said(transfers: FileTransfers) -> list[Any]:
    """Everything that is to be sent, decoded."""
    messages = []
    while message := transfers.next_message():
        messages.append(decode_file_message(message))
    return messages


def chunk(transfer: bytes, offset: int, data: bytes) -> bytes:
    return encode_chunk(transfer, offset, memoryview(data))


def listing(files: list[tuple[tuple[str, ...], int]]) -> bytes:
    return sha256(b"".join(encode(Listed(path=p, size=s)) + b"\n" for p, s in files))


def folder_offer(files: list[tuple[tuple[str, ...], int]], **changes: Any) -> bytes:
    fields = {
        "transfer": ID,
        "name": "folder",
        "size": sum(size for _, size in files),
        "count": len(files),
        "listing": listing(files),
    }
    return encode(FolderOffer(**{**fields, **changes}))


def in_state(part: Part, state: State) -> tuple[FileTransfers, bytes]:
    """A side with one transfer of a byte, or a folder of one such file, in this state."""
    transfers = FileTransfers()
    if part in {Part.SENT_FILE, Part.SENT_FOLDER}:
        transfer = _sent(transfers, part, state)
    else:
        transfer = _received(transfers, part, state)
    if state is State.ABORTING:
        transfers.cancel(transfer, "cancelled")
    said(transfers)
    found = transfers.sending.find(transfer) or transfers.receiving.find(transfer)
    assert found is not None
    assert (found.part, found.state) == (part, state)
    return transfers, transfer


def _sent(transfers: FileTransfers, part: Part, state: State) -> bytes:
    if part is Part.SENT_FOLDER:
        transfer = transfers.sending.offer_folder("folder", [(("a",), 0)])
        if state in {State.RUNNING, State.ENDED}:
            accept(transfers, transfer)
        if state is State.ENDED:
            member = next(m.transfer for m in said(transfers) if isinstance(m, FolderFile))
            accept(transfers, member)
            said(transfers)
            transfers.receive(encode(FileDone(transfer=member)))
        return transfer
    transfer = transfers.sending.offer_file("file", 1)
    if state is State.ACCEPTED:
        transfers.receive(encode(FileAccept(transfer=transfer, offset=1, prefix_hash=sha256(b"x"))))
    if state in {State.RUNNING, State.ENDED}:
        accept(transfers, transfer)
    if state is State.ENDED:
        give_all(transfers, b"x")
    return transfer


def _received(transfers: FileTransfers, part: Part, state: State) -> bytes:
    if part is Part.RECEIVED_FOLDER:
        transfers.receive(folder_offer([(("a",), 0)]))
        if state in {State.RUNNING, State.ENDED}:
            transfers.receiving.accept(ID)
        if state is State.ENDED:
            transfers.receive(encode(FolderFile(transfer=OTHER, folder=ID, path=("a",), size=0)))
            transfers.receiving.accept(OTHER)
            transfers.receive(encode(FileStart(transfer=OTHER, offset=0)))
            transfers.receive(encode(FileEnd(transfer=OTHER, sha256=EMPTY)))
            assert transfers.receiving.finished(OTHER) == [Received(ID)]
        return ID
    transfers.receive(encode(FileOffer(transfer=ID, name="file", size=1)))
    if state in {State.ACCEPTED, State.RUNNING, State.ENDED}:
        transfers.receiving.accept(ID)
    if state in {State.RUNNING, State.ENDED}:
        transfers.receive(encode(FileStart(transfer=ID, offset=0)))
    if state is State.ENDED:
        transfers.receive(chunk(ID, 0, b"x"))
        transfers.receive(encode(FileEnd(transfer=ID, sha256=sha256(b"x"))))
    return ID


def accept(transfers: FileTransfers, transfer: bytes) -> None:
    transfers.receive(encode(FileAccept(transfer=transfer, offset=0, prefix_hash=EMPTY)))


def give_all(transfers: FileTransfers, data: bytes) -> None:
    for wanted in transfers.sending.what_to_read():
        end = wanted.offset + wanted.length
        transfers.sending.give_data(wanted.transfer, data[wanted.offset : end])


def inputs(part: Part, state: State, transfer: bytes) -> Iterator[tuple[str, bytes]]:
    """Each kind of message, such as it would be if it were allowed."""
    path: tuple[str, ...] = ("a",)
    yield "file_accept", encode(FileAccept(transfer=transfer, offset=0, prefix_hash=EMPTY))
    yield "file_decline", encode(FileDecline(transfer=transfer, reason="declined"))
    yield "file_start", encode(FileStart(transfer=transfer, offset=0))
    yield "data", chunk(transfer, 0, b"x")
    yield "file_ack", encode(FileAck(transfer=transfer, offset=1))
    yield "file_end", encode(FileEnd(transfer=transfer, sha256=sha256(b"x")))
    yield "file_done", encode(FileDone(transfer=transfer))
    yield "folder_file", encode(FolderFile(transfer=OTHER, folder=transfer, path=path, size=0))
    yield "file_abort", encode(FileAbort(transfer=transfer, reason="cancelled"))


REACHED = [
    (part, state)
    for part in Part
    for state in State
    if state is not State.GONE
    and not (part in {Part.SENT_FOLDER, Part.RECEIVED_FOLDER} and state is State.ACCEPTED)
]


@pytest.mark.parametrize(("part", "state"), REACHED)
def test_each_message_is_taken_or_refused_as_the_table_says(part: Part, state: State) -> None:
    kinds = [kind for kind, _ in inputs(part, state, ID)]
    assert {kind for _, _, kind in TABLE} == set(kinds)
    for at, kind in enumerate(kinds):
        transfers, transfer = in_state(part, state)
        message = list(inputs(part, state, transfer))[at][1]
        if part is Part.SENT_FILE and state is State.RUNNING and kind == "file_ack":
            give_all(transfers, b"x")
            transfers.next_message()
        if part is Part.RECEIVED_FILE and state is State.RUNNING and kind == "file_end":
            transfers.receive(chunk(ID, 0, b"x"))
        following = TABLE.get((part, state, kind))
        if following is None:
            with pytest.raises(UnexpectedMessage):
                transfers.receive(message)
            for call in (transfers.next_message, lambda t=transfers: t.receive(b"")):
                with pytest.raises(UnexpectedMessage):
                    call()
            continue
        transfers.receive(message)
        found = transfers.sending.find(transfer) or transfers.receiving.find(transfer)
        if following is State.GONE:
            assert found is None
        elif (part, following) == (Part.SENT_FILE, State.ACCEPTED):
            assert found is not None
            assert found.state is State.RUNNING  # Nothing is kept there, so that it began at once.
        else:
            assert found is not None
            assert found.state is following


@pytest.mark.parametrize("kind", sorted(FOLDERS_ONLY))
def test_a_file_of_a_folder_is_neither_declined_nor_aborted_by_itself(kind: str) -> None:
    transfers, folder = in_state(Part.SENT_FOLDER, State.OFFERED)
    accept(transfers, folder)
    member = said(transfers)[0].transfer
    message = {"file_decline": FileDecline, "file_abort": FileAbort}[kind]
    with pytest.raises(UnexpectedMessage):
        transfers.receive(encode(message(transfer=member, reason="cancelled")))


@pytest.mark.parametrize(("part", "state"), REACHED)
def test_who_is_told_of_an_abort_answers_once(part: Part, state: State) -> None:
    transfers, transfer = in_state(part, state)
    abort = FileAbort(transfer=transfer, reason="no_space")
    events = transfers.receive(encode(abort))
    if state is State.ABORTING:
        assert (events, said(transfers)) == ([], [])
    else:
        assert events == [Aborted(transfer, "no_space")]
        assert said(transfers) == [abort]
    assert transfers.receive(encode(abort)) == []
    assert said(transfers) == []


def test_what_is_unknown_is_refused() -> None:
    for _, message in inputs(Part.SENT_FILE, State.OFFERED, ID):
        if message != encode(FileAbort(transfer=ID, reason="cancelled")):
            with pytest.raises(UnexpectedMessage):
                FileTransfers().receive(message)


def test_a_number_is_used_once_at_a_time() -> None:
    transfers, transfer = in_state(Part.SENT_FILE, State.OFFERED)
    with pytest.raises(UnexpectedMessage):
        transfers.receive(encode(FileOffer(transfer=transfer, name="x", size=0)))
    transfers, _ = in_state(Part.RECEIVED_FOLDER, State.RUNNING)
    with pytest.raises(UnexpectedMessage):
        transfers.receive(encode(FolderFile(transfer=ID, folder=ID, path=("a",), size=0)))


# Data.


@pytest.mark.parametrize(
    ("offset", "data"), [(1, b"x"), (0, b"xxx"), (2**53 - 1, b"x")], ids=["gap", "more", "far"]
)
def test_a_receiver_takes_the_next_bytes_and_no_more_than_announced(
    offset: int, data: bytes
) -> None:
    transfers = FileTransfers()
    transfers.receive(encode(FileOffer(transfer=ID, name="file", size=2)))
    transfers.receiving.accept(ID)
    transfers.receive(encode(FileStart(transfer=ID, offset=0)))
    with pytest.raises(UnexpectedMessage):
        transfers.receive(chunk(ID, offset, data))


def test_a_receiver_takes_no_end_before_the_end() -> None:
    transfers, _ = in_state(Part.RECEIVED_FILE, State.RUNNING)
    with pytest.raises(UnexpectedMessage):
        transfers.receive(encode(FileEnd(transfer=ID, sha256=EMPTY)))


def test_other_bytes_than_were_hashed_end_the_transfer_and_not_the_session() -> None:
    transfers, _ = in_state(Part.RECEIVED_FILE, State.RUNNING)
    transfers.receive(chunk(ID, 0, b"x"))
    wrong = encode(FileEnd(transfer=ID, sha256=sha256(b"y")))
    assert transfers.receive(wrong) == [Aborted(ID, "damaged")]
    assert said(transfers) == [FileAbort(transfer=ID, reason="damaged")]
    transfers.receive(encode(FileOffer(transfer=OTHER, name="next", size=1)))


@pytest.mark.attack(26)
def test_a_receiver_refuses_more_than_the_window_of_all_files_together(
    figure: Callable[[str], None],
) -> None:
    transfers = FileTransfers()
    size = WINDOW // 2
    for transfer in (ID, OTHER):
        transfers.receive(encode(FileOffer(transfer=transfer, name="file", size=size + 1)))
        transfers.receiving.accept(transfer)
        transfers.receive(encode(FileStart(transfer=transfer, offset=0)))
        for offset in range(0, size, 32_768):
            transfers.receive(chunk(transfer, offset, bytes(32_768)))
    with pytest.raises(UnexpectedMessage):
        transfers.receive(chunk(OTHER, size, b"x"))
    figure(f"limits: {WINDOW:,} bytes of files on their way taken, one more refused")


def test_acknowledged_bytes_make_room() -> None:
    transfers = FileTransfers()
    transfers.receive(encode(FileOffer(transfer=ID, name="file", size=3 * WINDOW)))
    transfers.receiving.accept(ID)
    transfers.receive(encode(FileStart(transfer=ID, offset=0)))
    said(transfers)
    for offset in range(0, 3 * WINDOW, 32_768):
        transfers.receive(chunk(ID, offset, bytes(32_768)))
        transfers.receiving.written(ID, offset + 32_768)
        assert said(transfers) == [FileAck(transfer=ID, offset=offset + 32_768)]


def test_a_sender_stops_at_the_window_whatever_the_number_of_files() -> None:
    transfers = FileTransfers()
    for _ in range(5):
        accept(transfers, transfers.sending.offer_file("file", WINDOW))
    for _ in range(10):
        give_all(transfers, bytes(WINDOW))
    chunks = [message for message in said(transfers) if isinstance(message, Chunk)]
    total = sum(len(each.data) for each in chunks)
    assert WINDOW - MAX_CHUNK < total <= WINDOW
    # They have taken turns: nobody is a chunk ahead of the others.
    counts = [sum(each.transfer == of for each in chunks) for of in {c.transfer for c in chunks}]
    assert len(counts) == 5
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_an_acknowledgement_is_of_what_was_sent_and_once(offset: int) -> None:
    transfers, transfer = in_state(Part.SENT_FILE, State.ENDED)
    if offset == 1:
        transfers.receive(encode(FileAck(transfer=transfer, offset=1)))
    with pytest.raises(UnexpectedMessage):
        transfers.receive(encode(FileAck(transfer=transfer, offset=offset)))


def test_a_receiver_that_has_more_than_there_is() -> None:
    transfers, transfer = in_state(Part.SENT_FILE, State.OFFERED)
    with pytest.raises(UnexpectedMessage):
        transfers.receive(encode(FileAccept(transfer=transfer, offset=2, prefix_hash=EMPTY)))


def test_nothing_has_one_hash() -> None:
    transfers, transfer = in_state(Part.SENT_FILE, State.OFFERED)
    with pytest.raises(UnexpectedMessage):
        transfers.receive(encode(FileAccept(transfer=transfer, offset=0, prefix_hash=sha256(b"x"))))


# Going on.


class Long(RunningHash):
    """The hash of five gibibytes, without their being there."""

    def __init__(self, seed: bytes) -> None:
        super().__init__()
        self.update(seed)
        self.length = 5 * 2**30


@pytest.mark.parametrize("same", [True, False])
def test_a_file_of_five_gibibytes_goes_on_where_it_was_if_it_is_the_same(same: bool) -> None:
    size = 5 * 2**30 + 10
    sender, receiver = FileTransfers(), FileTransfers()
    transfer = sender.sending.offer_file("large", size)
    events = [receiver.receive(encode(message)) for message in said(sender)]
    assert isinstance(events[0][0], Offered)
    receiver.receiving.accept(transfer, Long(b"x"))
    (accepted,) = said(receiver)
    (event,) = sender.receive(encode(accepted))
    assert event == Accepted(transfer, 5 * 2**30)
    assert sender.sending.what_to_read() == []
    sender.sending.give_prefix(transfer, Long(b"x" if same else b"y"))
    begin = 5 * 2**30 if same else 0
    (start,) = said(sender)
    assert start == FileStart(transfer=transfer, offset=begin)
    assert receiver.receive(encode(start)) == [Started(transfer, begin)]
    (wanted,) = sender.sending.what_to_read()
    assert wanted.offset == begin
    if not same:
        return
    sender.sending.give_data(transfer, b"0123456789")
    for message in said(sender):
        data = message if isinstance(message, FileEnd) else None
        raw = encode(data) if data else chunk(transfer, message.offset, bytes(message.data))
        events.append(receiver.receive(raw))
    assert events[-1] == [Received(transfer)]
    receiver.receiving.written(transfer, size)
    receiver.receiving.finished(transfer)
    assert sender.receive(encode(said(receiver)[0])) == [Finished(transfer)]


@pytest.mark.parametrize("offset", [1, 3, 4])
def test_a_start_is_where_the_receiver_said_or_at_the_beginning(offset: int) -> None:
    transfers = FileTransfers()
    transfers.receive(encode(FileOffer(transfer=ID, name="file", size=4)))
    prefix = RunningHash()
    prefix.update(b"12")
    transfers.receiving.accept(ID, prefix)
    with pytest.raises(UnexpectedMessage):
        transfers.receive(encode(FileStart(transfer=ID, offset=offset)))


# Folders.


FILES = [(("a",), 1), (("b", "c"), 2), (("b", "d"), 3)]


def send_members(files: list[tuple[tuple[str, ...], int]], **changes: Any) -> list[Any]:
    transfers = FileTransfers()
    transfers.receive(folder_offer(FILES, **changes))
    transfers.receiving.accept(ID)
    events = []
    for number, (path, size) in enumerate(files):
        transfer = number.to_bytes(16)
        offer = FolderFile(transfer=transfer, folder=ID, path=path, size=size)
        events += transfers.receive(encode(offer))
    return events


def test_a_folder_that_is_as_announced() -> None:
    events = send_members(FILES)
    assert [(event.path, event.size) for event in events] == FILES
    assert all(isinstance(event, MemberOffered) for event in events)


@pytest.mark.parametrize(
    "files",
    [
        [FILES[0], FILES[1], (("b", "e"), 3)],
        [FILES[0], FILES[1], (("b", "d"), 4)],
        [FILES[0], FILES[1], (("b", "d"), 2)],
        [FILES[0], FILES[0]],
        [FILES[1], FILES[0]],
        [*FILES, (("e",), 0)],
        [(("a",), 7)],
    ],
    ids=["name", "larger", "smaller", "twice", "order", "more files", "more bytes"],
)
def test_a_folder_that_is_not_as_announced(files: list[tuple[tuple[str, ...], int]]) -> None:
    with pytest.raises(UnexpectedMessage):
        send_members(files)


def test_a_listing_that_is_anothers() -> None:
    with pytest.raises(UnexpectedMessage):
        send_members(FILES, listing=bytes(32))


@pytest.mark.attack(26)
def test_few_files_of_a_folder_at_once(figure: Callable[[str], None]) -> None:
    files: list[tuple[tuple[str, ...], int]] = [((f"{n:03}",), 0) for n in range(MAX_MEMBERS + 1)]
    transfers = FileTransfers()
    transfers.receive(folder_offer(files))
    transfers.receiving.accept(ID)
    *allowed, last = [
        encode(FolderFile(transfer=number.to_bytes(16), folder=ID, path=path, size=0))
        for number, (path, _) in enumerate(files)
    ]
    for offer in allowed:
        transfers.receive(offer)
    with pytest.raises(UnexpectedMessage, match="few at once"):
        transfers.receive(last)
    figure(f"limits: {MAX_MEMBERS} files of a folder at once taken, one more refused")


@pytest.mark.parametrize("count", [3, MAX_MEMBERS + 1])
def test_a_folder_that_is_given_up_grows_no_further_than_another(count: int) -> None:
    files: list[tuple[tuple[str, ...], int]] = [((f"{n:03}",), 0) for n in range(count)]
    transfers = FileTransfers()
    transfers.receive(folder_offer(files))
    transfers.receiving.accept(ID)
    transfers.receiving.cancel(ID, "no_space")
    *members, one_more = [
        encode(FolderFile(transfer=number.to_bytes(16), folder=ID, path=path, size=0))
        for number, (path, _) in enumerate([*files[:MAX_MEMBERS], (("zzz",), 0)])
    ]
    for member in members:
        assert transfers.receive(member) == []
    with pytest.raises(UnexpectedMessage):
        transfers.receive(one_more)


def test_a_sender_offers_few_files_of_a_folder_at_once() -> None:
    transfers = FileTransfers()
    folder = transfers.sending.offer_folder("folder", [((f"{n:03}",), 0) for n in range(50)])
    accept(transfers, folder)
    assert sum(isinstance(message, FolderFile) for message in said(transfers)) == MAX_MEMBERS


def test_a_folder_is_what_it_was_when_it_was_offered() -> None:
    transfers = FileTransfers()
    files = [((f"{n:03}",), 0) for n in range(2 * MAX_MEMBERS)]
    folder = transfers.sending.offer_folder("folder", files)
    files.clear()
    accept(transfers, folder)
    assert sum(isinstance(message, FolderFile) for message in said(transfers)) == MAX_MEMBERS


@pytest.mark.parametrize(
    "files",
    [
        [],
        [(("b",), 1), (("a",), 1)],
        [(("a",), 1), (("a",), 1)],
        [(("a", ".."), 1)],
        [(("a/b",), 1)],
        [((), 1)],
        [(("x",) * 33, 1)],
        [(("a",), -1)],
        [(("\ud800",), 1)],
        [((b"a",), 1)],
        [("a", 1)],
        [(5, 1)],
        [(("a",), 1.0)],
        [(("a",), None)],
    ],
)
def test_folders_that_cannot_be_offered(files: Any) -> None:
    transfers = FileTransfers()
    with pytest.raises(UsageError):
        transfers.sending.offer_folder("folder", files)
    assert transfers.next_message() is None


# Limits.


def test_a_folder_has_no_more_files_than_may_be_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    transfers = FileTransfers()
    files: list[tuple[tuple[str, ...], int]] = [((f"{number}",), 0) for number in range(3)]
    monkeypatch.setattr("e2ee.file_sender.MAX_FILES", 2)
    with pytest.raises(OverLimit, match="may have 2 files"):
        transfers.sending.offer_folder("folder", files)
    assert transfers.sending.offer_folder("folder", files[:2])


def test_what_is_declined_is_forgotten_and_the_sender_told() -> None:
    transfers, _ = in_state(Part.RECEIVED_FILE, State.OFFERED)
    transfers.receiving.decline(ID, "declined")
    assert transfers.receiving.find(ID) is None
    assert said(transfers) == [FileDecline(transfer=ID, reason="declined")]


@pytest.mark.attack(26)
def test_at_most_a_hundred_offers_on_either_side(figure: Callable[[str], None]) -> None:
    transfers = FileTransfers()
    for number in range(MAX_OFFERS):
        transfers.sending.offer_file("file", 0)
        transfers.receive(encode(FileOffer(transfer=number.to_bytes(16), name="file", size=0)))
    with pytest.raises(OverLimit):
        transfers.sending.offer_file("file", 0)
    with pytest.raises(OverLimit):
        transfers.sending.offer_folder("folder", FILES)
    with pytest.raises(UnexpectedMessage):
        transfers.receive(encode(FileOffer(transfer=ID, name="file", size=0)))
    figure(f"limits: {MAX_OFFERS} offers made and taken, one more refused on either side")


@pytest.mark.attack(26)
def test_at_most_sixteen_files_run(figure: Callable[[str], None]) -> None:
    sender, receiver = FileTransfers(), FileTransfers()
    offers = [sender.sending.offer_file("file", 1) for _ in range(MAX_RUNNING + 4)]
    for offer in offers:
        accept(sender, offer)
    starts = [message for message in said(sender) if isinstance(message, FileStart)]
    assert len(starts) == MAX_RUNNING
    sender.cancel(starts[0].transfer, "cancelled")
    (fresh,) = (message for message in said(sender) if isinstance(message, FileStart))
    waiting = [offer for offer in offers if offer not in {s.transfer for s in (*starts, fresh)}]
    sender.cancel(waiting[0], "cancelled")
    sender.cancel(fresh.transfer, "cancelled")
    assert [m.transfer for m in said(sender) if isinstance(m, FileStart)] == waiting[1:2]

    for number in range(MAX_RUNNING + 1):
        transfer = number.to_bytes(16)
        receiver.receive(encode(FileOffer(transfer=transfer, name="file", size=1)))
        receiver.receiving.accept(transfer)
    for number in range(MAX_RUNNING):
        receiver.receive(encode(FileStart(transfer=number.to_bytes(16), offset=0)))
    with pytest.raises(UnexpectedMessage, match="more than 16"):
        receiver.receive(encode(FileStart(transfer=MAX_RUNNING.to_bytes(16), offset=0)))
    figure(f"limits: {MAX_RUNNING} files run at once on either side, one more refused")


# Bytes.


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "x" * 256, "é" * 128])
def test_names_that_no_file_has(name: str) -> None:
    plain = encode(FileOffer(transfer=ID, name="NAME", size=0))
    escaped = name.replace("\0", "\\u0000").encode()
    with pytest.raises(MalformedMessage):
        FileTransfers().receive(plain.replace(b"NAME", escaped))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        b"\x01" + bytes(24),
        b"\x01" + bytes(25 + MAX_CHUNK),
        b"\x02" + bytes(30),
        b"\x01" + bytes(16) + b"\xff" * 8 + b"x",
        b'{"kind":"file_new"}',
        b'{"kind":"file_done","transfer":"AAAA"}',
        b'{"kind":"file_abort","transfer":"AAAAAAAAAAAAAAAAAAAAAA==","reason":"\\u001b[2J"}',
        b'{"kind": "file_done","transfer":"AAAAAAAAAAAAAAAAAAAAAA=="}',
    ],
)
def test_what_is_not_a_message_about_files(message: bytes) -> None:
    with pytest.raises(MalformedMessage):
        FileTransfers().receive(message)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_no_bytes_do_anything_but_be_refused(data: bytes) -> None:
    for message in (data, b"\x01" + data, b'{"kind":"file_' + data):
        with pytest.raises(ProtocolError):
            FileTransfers().receive(message)


def test_which_messages_are_about_files() -> None:
    for _, message in inputs(Part.SENT_FILE, State.OFFERED, ID):
        assert is_file_message(message)
    assert is_file_message(b'{"kind":"file_done"')  # And malformed.
    for other in (b'{"kind":"text","id":1,"body":"x"}', b"", b"{", b"\x02"):
        assert not is_file_message(other)


def test_a_kind_that_is_not_known_is_left_to_the_chat_whatever_it_is_called() -> None:
    for kind in ("file_preview", "file_", "folder_", "file_offers"):
        message = f'{{"kind":"{kind}","x":1}}'.encode()
        assert not is_file_message(message)
        assert Conversation(MemoryJournal()).receive(message) == Unsupported(kind, message)


def test_calls_that_cannot_be() -> None:
    transfers, transfer = in_state(Part.SENT_FILE, State.ACCEPTED)
    with pytest.raises(UsageError):
        transfers.sending.give_prefix(transfer, RunningHash())
    transfers, transfer = in_state(Part.SENT_FILE, State.RUNNING)
    with pytest.raises(UsageError):
        transfers.sending.give_data(transfer, b"x")  # Nobody has asked.
    transfers.sending.what_to_read()
    with pytest.raises(UsageError):
        transfers.sending.give_data(transfer, b"xx")
    transfers, _ = in_state(Part.RECEIVED_FILE, State.OFFERED)
    with pytest.raises(UsageError):
        transfers.receiving.accept(ID, Long(b"x"))
    transfers, _ = in_state(Part.RECEIVED_FILE, State.RUNNING)
    with pytest.raises(UsageError):
        transfers.receiving.written(ID, 1)
    transfers, _ = in_state(Part.RECEIVED_FOLDER, State.RUNNING)
    transfers.receive(encode(FolderFile(transfer=OTHER, folder=ID, path=("a",), size=0)))
    with pytest.raises(UsageError, match="cancel the folder"):
        transfers.receiving.decline(OTHER, "declined")
    for bad in ("", "a/b"):
        with pytest.raises(UsageError):
            transfers.sending.offer_file(bad, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.sending.give_prefix(ID, RunningHash()),
        lambda t: t.sending.give_data(ID, b"x"),
        lambda t: t.receiving.accept(ID),
        lambda t: t.receiving.decline(ID, "declined"),
        lambda t: t.receiving.written(ID, 1),
        lambda t: t.receiving.finished(ID),
        lambda t: t.cancel(ID, "cancelled"),
    ],
)
def test_a_call_that_comes_too_late_does_nothing(call: Callable[[FileTransfers], Any]) -> None:
    transfers = FileTransfers()
    assert not call(transfers)
    assert transfers.next_message() is None
