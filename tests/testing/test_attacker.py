"""An attacker does what the script says, or what the seed says, and never more."""

from __future__ import annotations

from typing import Any

import pytest

from e2ee import MessageReceived, Session, State, UsageError
from e2ee.errors import DecryptionError, ProtocolError, Truncated
from e2ee.testing.attacker import (
    CUT,
    Action,
    Attacker,
    Faults,
    Piece,
    Script,
    Side,
    cut,
    drop,
    duplicate,
    flip,
    forward,
    insert,
    replay,
    splice,
)
from e2ee.testing.pair import Pair

FROM_INITIATOR = Side.INITIATOR
RECORDS = 2
"""The number of the initiator's first piece that is a record."""


def of_initiator(number: int, data: bytes = b"abc") -> Piece:
    return Piece(FROM_INITIATOR, number, data)


@pytest.mark.parametrize(
    "attacker",
    [
        lambda _: None,
        lambda piece: piece.data,
        lambda _: 5,
        lambda _: "text",
        lambda _: [5],
        lambda _: [None],
        lambda _: ["text"],
        Script().at(FROM_INITIATOR, 0, splice(None)),  # type: ignore[arg-type]
        Script().at(FROM_INITIATOR, 0, flip(10**6)),
        Script().at(FROM_INITIATOR, 0, flip(-(10**6))),
    ],
)
def test_an_attacker_that_is_wrong_in_itself_is_told_so(attacker: Any) -> None:
    with pytest.raises(UsageError, match=r"bytes|no bit"):
        Pair(attacker=attacker).deliver()


@pytest.mark.parametrize(
    ("side", "number", "action"),
    [
        ("initiator", 0, drop),
        (FROM_INITIATOR, -1, drop),
        (FROM_INITIATOR, "0", drop),
        (FROM_INITIATOR, 0, None),
        (FROM_INITIATOR, 7, drop),
    ],
)
def test_an_attack_that_can_never_take_place_is_refused(
    side: Any, number: Any, action: Any
) -> None:
    script = Script().at(FROM_INITIATOR, 7, cut)
    with pytest.raises(UsageError):
        script.at(side, number, action)
    assert script.waiting == {(FROM_INITIATOR, 7): cut}


@pytest.mark.parametrize("fault", ["drop", "duplicate", "reorder", "corrupt", "cut"])
@pytest.mark.parametrize("likely", [-0.1, 1.1, 5, float("nan"), None, "0.5"])
def test_a_fault_is_not_more_likely_than_sure(fault: str, likely: Any) -> None:
    with pytest.raises(UsageError, match=fault):
        Faults(1, **{fault: likely})


@pytest.mark.parametrize("sessions", [(None, None), (1, 2), (Session, Session)])
def test_a_pair_is_of_sessions(sessions: Any) -> None:
    with pytest.raises(UsageError, match="two sessions"):
        Pair(sessions)


@pytest.mark.parametrize(
    ("action", "arrives"),
    [
        (drop, []),
        (duplicate, [b"abc", b"abc"]),
        (cut, [CUT]),
        (flip(0), [b"`bc"]),
        (flip(7), [b"\xe1bc"]),
        (flip(-1), [b"ab\xe3"]),
        (insert(b"-", 1), [b"a-bc"]),
        (replay(FROM_INITIATOR, 0), [b"abc", b"earlier"]),
        (replay(Side.RESPONDER, 0), [b"abc", b"theirs"]),
        (splice(b"other"), [b"other"]),
    ],
)
def test_an_action_does_what_it_is_called(action: Action, arrives: list[bytes]) -> None:
    script = Script().at(FROM_INITIATOR, 1, action)
    before = [of_initiator(0, b"earlier"), Piece(Side.RESPONDER, 0, b"theirs")]
    for piece in before:
        assert list(script(piece)) == [piece.data]
    assert list(script(of_initiator(1))) == arrives
    assert script.seen == [*before, of_initiator(1)]
    assert not script.waiting


def test_a_replay_of_what_has_not_been_sent_is_an_error_of_the_test() -> None:
    script = Script().at(FROM_INITIATOR, 0, replay(FROM_INITIATOR, 1))
    with pytest.raises(UsageError, match="piece 1 of the initiator has not been sent"):
        list(script(of_initiator(0)))


def test_a_script_tells_what_never_took_place() -> None:
    script = Script().at(FROM_INITIATOR, 0, flip(0)).at(FROM_INITIATOR, 9, drop)
    list(script(of_initiator(0)))
    assert list(script.waiting) == [(FROM_INITIATOR, 9)]


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (drop, DecryptionError),
        (duplicate, DecryptionError),
        (cut, Truncated),
        (flip(-1), DecryptionError),
        (replay(FROM_INITIATOR, RECORDS), DecryptionError),
        (splice(bytes(100)), ProtocolError),
    ],
)
def test_every_attack_on_a_session_ends_it(action: Action, error: type[ProtocolError]) -> None:
    script = Script().at(FROM_INITIATOR, RECORDS + 1, action)
    pair = Pair(attacker=script)
    pair.deliver()
    for message in (b"before", b"attacked", b"after"):
        if pair.initiator.session.state is State.OPEN:
            pair.initiator.session.send(message)
        pair.deliver()
    assert not script.waiting
    assert pair.responder.received in ([b"before"], [b"before", b"attacked"])
    assert isinstance(pair.responder.error, error)
    assert pair.responder.session.state is State.FAILED


def pieces() -> list[Piece]:
    return [Piece(side, number, b"%d" % number * 9) for number in range(200) for side in Side]


def what_arrives(attacker: Attacker, side: Side) -> list[list[bytes]]:
    return [list(attacker(piece)) for piece in pieces() if piece.side is side]


def test_faults_follow_from_the_seed_whichever_side_speaks_first() -> None:
    def faults(seed: int) -> Faults:
        return Faults(seed, drop=0.2, duplicate=0.2, reorder=0.2, corrupt=0.2, cut=0.1)

    first, second = faults(1), faults(1)
    there, back = what_arrives(first, Side.INITIATOR), what_arrives(first, Side.RESPONDER)
    assert what_arrives(second, Side.RESPONDER) == back
    assert what_arrives(second, Side.INITIATOR) == there
    assert there != back
    assert what_arrives(faults(2), Side.INITIATOR) != there
    assert {fault for fault, _ in first.done} == {"drop", "duplicate", "reorder", "corrupt", "cut"}


def test_without_chances_nothing_is_done() -> None:
    faults = Faults(1)
    assert what_arrives(faults, Side.INITIATOR) == what_arrives(forward, Side.INITIATOR)
    assert faults.done == []


@pytest.mark.parametrize(
    ("fault", "arrives"),
    [
        ("drop", [[], [], []]),
        ("duplicate", [[b"a", b"a"], [b"b", b"b"], [b"c", b"c"]]),
        ("reorder", [[], [b"a"], [b"b"]]),
        ("cut", [[CUT], [CUT], [CUT]]),
    ],
)
def test_a_certain_fault_befalls_every_piece(fault: str, arrives: list[list[bytes]]) -> None:
    faults = Faults(1, **{fault: 1.0})
    sent = [of_initiator(number, data) for number, data in enumerate([b"a", b"b", b"c"])]
    assert [list(faults(piece)) for piece in sent] == arrives
    assert faults.done == [(fault, piece) for piece in sent]


def test_a_corrupt_piece_differs_in_one_bit() -> None:
    [changed] = Faults(1, corrupt=1)(of_initiator(0, bytes(1000)))
    assert sum(byte.bit_count() for byte in changed) == 1


def test_a_piece_that_was_held_comes_after_the_next_one() -> None:
    faults = Faults(1, reorder=1)
    assert faults(of_initiator(0, b"a")) == []
    faults._chances["reorder"] = 0
    assert faults(of_initiator(1, b"b")) == [b"b", b"a"]


def test_whatever_a_bad_wire_does_what_arrives_is_the_beginning_of_what_was_sent() -> None:
    ends: set[str] = set()
    for seed in range(40):
        faults = Faults(seed, drop=0.02, duplicate=0.02, reorder=0.02, corrupt=0.02, cut=0.02)
        pair = Pair(attacker=faults, seed=seed)
        pair.deliver()
        sent = [b"%d" % number for number in range(10)]
        for message in sent:
            for end in pair.ends:
                if end.session.state is State.OPEN:
                    end.session.send(message)
            pair.deliver()
        for end in pair.ends:
            assert end.received == sent[: len(end.received)]
            ends.add(type(end.error).__name__)
            assert faults.done or end.received == sent
    assert ends >= {"NoneType", "DecryptionError", "Truncated"}


def test_any_function_of_a_piece_is_an_attacker() -> None:
    def hold_records(piece: Piece) -> list[bytes]:
        return [piece.data] if piece.number < RECORDS else []

    pair = Pair(attacker=hold_records)
    pair.deliver()
    pair.initiator.session.send(b"held up")
    pair.deliver()
    assert pair.responder.received == []
    assert pair.responder.error is None


def test_a_piece_is_seen_before_anything_of_it_arrives() -> None:
    order: list[str] = []

    def look(piece: Piece) -> list[bytes]:
        order.append(f"seen {piece.number}")
        return [piece.data]

    def hear(session: Session, event: object) -> None:
        if isinstance(event, MessageReceived):
            order.append("heard")

    pair = Pair(attacker=look, applications=(hear, hear))
    pair.deliver()
    order.clear()
    pair.initiator.session.send(b"hi")
    pair.deliver()
    assert order == ["seen 2", "heard"]
