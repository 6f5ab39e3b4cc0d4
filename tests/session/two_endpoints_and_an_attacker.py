"""Alice and Bob talk in every way that there is, and Mallory has the wire between them.

A machine of hypothesis: each example is a conversation, honest or not, of up to 40 steps, in which
after each step everything is checked that must hold. ``test_two_endpoints_and_an_attacker.py``
runs some examples. For a long run, with one process for each core,

    nice -n 19 python -m tests.session.two_endpoints_and_an_attacker --seconds 600

adds what it counted to ``tests/evidence/state_machine.json``. A failure ends the run, shows the
steps that lead to it, and leaves the file as it was.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from e2ee import (
    CLASSICAL_AESGCM,
    Closed,
    Event,
    HandshakeCompleted,
    KeysRefreshed,
    Limits,
    MessageReceived,
    Padding,
    ProtocolError,
    Session,
    State,
    Suite,
    UsageError,
)
from e2ee.record import RecordLayer
from e2ee.record.refresh import RefreshState
from e2ee.suites import SUITES, Approach

from .containers import assert_within_caps
from .people import MALLORY, PEOPLE, Acquaintance, Keys, mallory
from .poisoned import assert_dead
from .watched_aead import Watch, watched_ciphers

STEPS = 40
EVIDENCE = Path(__file__).parents[1] / "evidence" / "state_machine.json"

T = TypeVar("T")

SIDES = st.sampled_from([0, 1])
CHANCE = st.integers(0, 3)
"""What ends a connection is done at 3, which is one of four: else few would live for long."""
CALLS = st.sampled_from([Session.refresh, Session.update_key, Session.ping])
CHEAP_SUITES = (CLASSICAL_AESGCM,) * (len(SUITES) - 1)
"""Half of the conversations are classical: they take half the time, and all else is the same."""
MANY_KEYS = st.builds(
    Limits,
    max_message_size=st.just(200_000),
    key_update_records=st.integers(2, 9),
    refresh_records=st.integers(1, 20),
    refresh_bytes=st.sampled_from([1, 500, 10_000, 2**30]),
)
"""Limits so small that keys are replaced all the time."""
SIZES = st.one_of(st.integers(0, 30), st.sampled_from([65_480, 65_512, 150_000]))
"""Bytes: of a line, around the end of a record, and of three records."""
FROM_MALLORY = b"Mallory"
OVERHEAD = 700
"""Bytes that one call puts on the wire at most, beside what the application sends: a record with
its padding, a key update and an offer before it are less; an offer has one of its own."""

counted: Counter[str] = Counter()
watch = Watch()


def records(wire: bytes) -> Iterator[bytes]:
    while wire:
        end = 2 + int.from_bytes(wire[:2])
        yield wire[:end]
        wire = wire[end:]


class End:
    """One side of one connection: its session, and what came of it."""

    def __init__(self, session: Session, limits: Limits) -> None:
        self.session = session
        self.limits = limits
        self.on_the_way: list[bytes] = []
        """What it has sent and nobody has got: messages of the opening, then records."""
        self.said: list[bytes] = []
        """All that it has put on the wire."""
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self.completed: HandshakeCompleted | None = None
        self.refreshes = 0
        self.error: ProtocolError | None = None
        self._opening_sent = False
        self._untaken = 0

    def call(self, call: Callable[[Session], object], size: int = 0) -> bool:
        """Whether the application's call was done; ``size`` is in bytes of what it sends."""
        before = self.session.state
        try:
            call(self.session)
        except UsageError:
            assert before is self.session.state is not State.OPEN
            return False
        except ProtocolError as error:
            assert before is State.FAILED
            self.expect(error)
            return False
        self._untaken += 2 * size + 2 * OVERHEAD
        self._check()
        return True

    def speak(self) -> None:
        """Put on the wire what the session has to say."""
        try:
            data = self.session.data_to_send()
        except ProtocolError as error:
            self.expect(error)
            return
        if not data:
            return
        self._untaken = 0
        pieces = list(records(data)) if self._opening_sent else [data]
        self._opening_sent = self.session.state not in (State.HANDSHAKE, State.FAILED)
        self.on_the_way += pieces
        self.said += pieces

    def receive(self, data: bytes | None) -> None:
        """Bytes, or the end of the stream. Only ProtocolErrors come of either."""
        before = self.session.state
        events: list[Event] | tuple[object, ...] = []
        try:
            if data is None:
                self.session.receive_eof()
            else:
                events = self.session.receive_data(data)
        except ProtocolError as error:
            if self.error is not None:
                self.expect(error)
                return
            self.error = error
            events = error.events
        for event in events:
            match event:
                case HandshakeCompleted():
                    assert self.completed is None
                    self.completed = event
                case MessageReceived():
                    self.received.append(event.data)
                case KeysRefreshed():
                    self.refreshes += 1
                case Closed():
                    assert self.session.state is State.CLOSED or self.error is not None
        # Nothing may follow the peer's close, not even what it has sealed.
        assert before is not State.CLOSED or not data or self.error is not None
        self._untaken += OVERHEAD
        if not self._opening_sent:
            self.speak()
        self._check()

    def expect(self, error: ProtocolError) -> None:
        """A dead session has one error for all calls."""
        assert error is self.error

    def interrupted(self, call: Callable[[], object]) -> bool:
        """Whether Ctrl-C, or a task's end, has come in the middle of this call."""
        try:
            call()
        except KeyboardInterrupt:
            with pytest.raises(ProtocolError, match="interrupted") as caught:
                self.session.data_to_send()
            self.error = caught.value
            return True
        return False

    def _check(self) -> None:
        if self.session.state is not State.FAILED:
            assert_within_caps(self.session, self.limits, self._untaken)

    @property
    def layer(self) -> RecordLayer | None:
        """With its keys, while it has any."""
        has_keys = self.session.state in (State.OPEN, State.CLOSING)
        return self.session._layer if has_keys else None


def settle(ends: tuple[End, End]) -> None:
    """Move bytes both ways until nobody has any."""
    for _ in range(200):
        moved = False
        for side in (0, 1):
            ends[side].speak()
            data = b"".join(ends[side].on_the_way)
            ends[side].on_the_way.clear()
            if data:
                ends[1 - side].receive(data)
                moved = True
        if not moved:
            return
    raise AssertionError("two sides never come to rest")


@cache
def recorded(suite: Suite) -> list[bytes]:
    """All pieces of another session of the same two, with everything in it."""
    alice, bob = ends = new_ends(Acquaintance(suite))
    settle(ends)
    for end in ends:
        for call in (Session.refresh, Session.update_key, Session.ping):
            end.call(lambda session: session.send(b"of another session"))
            end.speak()
            end.call(call)
            settle(ends)
    alice.call(Session.close)
    settle(ends)
    return alice.said + bob.said


def new_ends(acquaintance: Acquaintance) -> tuple[End, End]:
    alice, bob = acquaintance.new_sessions()
    ends = End(alice, acquaintance.limits[0]), End(bob, acquaintance.limits[1])
    ends[0].speak()
    return ends


class TwoEndpointsAndAnAttacker(RuleBasedStateMachine):
    """``ends[0]`` is Alice's, who opens; ``ends[1]`` Bob's."""

    @initialize(
        suite=st.sampled_from([*SUITES.values(), *CHEAP_SUITES]),
        limits=st.one_of(st.tuples(MANY_KEYS, MANY_KEYS), st.just((Limits(), Limits()))),
        padding=st.sampled_from(Padding),
        expected=st.tuples(st.booleans(), st.booleans()),
        hostile=st.sampled_from([True, True, True, False]),
        opened_at_once=st.sampled_from([True, True, False]),
    )
    def begin(
        self,
        suite: Suite,
        limits: tuple[Limits, Limits],
        padding: Padding,
        expected: tuple[bool, bool],
        hostile: bool,
        opened_at_once: bool,
    ) -> None:
        self.acquaintance = Acquaintance(suite, limits, padding, expected)
        self.hostile = hostile
        self.history: list[bytes] = []
        """What was said in the connections before."""
        self.connection = 0
        self.connect()
        if opened_at_once:
            settle(self.ends)

    def connect(self) -> None:
        self.connection += 1
        self.ends = new_ends(self.acquaintance)
        self.disturbed = False
        self.compared = False
        self.healed: tuple[int, int] | None = None
        """From how many refreshes on, of Alice and of Bob, the thief is shut out."""
        watch.stolen.clear()

    def disturb(self, what: str) -> None:
        self.disturbed = True
        counted[what] += 1

    # What honest ends and an honest wire do.

    @rule()
    def deliver_everything(self) -> None:
        """Those whose connection has failed or ended begin anew, as people do."""
        if any(end.session.state in (State.FAILED, State.CLOSED) for end in self.ends):
            self.begin_anew()
        settle(self.ends)

    @rule(side=SIDES, call=CALLS)
    def converse(self, side: int, call: Callable[[Session], None]) -> None:
        """Some of everything, all of it delivered: so that what is attacked has come far."""
        self.send(side, 1)
        self.ends[side].call(call)
        self.send(1 - side, 1)
        self.deliver_everything()

    @rule(side=SIDES)
    def deliver_the_next(self, side: int) -> None:
        self.ends[side].speak()
        if self.ends[side].on_the_way:
            self.ends[1 - side].receive(self.ends[side].on_the_way.pop(0))

    @rule(side=SIDES, size=st.one_of(st.integers(1, 100), st.integers(1, 100_000)))
    def deliver_bytes(self, side: int, size: int) -> None:
        self.ends[side].speak()
        arrived = []
        while size and self.ends[side].on_the_way:
            piece = self.ends[side].on_the_way.pop(0)
            arrived.append(piece[:size])
            if rest := piece[size:]:
                self.ends[side].on_the_way.insert(0, rest)
            size -= len(arrived[-1])
        self.ends[1 - side].receive(b"".join(arrived))

    @rule(side=SIDES, size=SIZES)
    def send(self, side: int, size: int) -> None:
        end = self.ends[side]
        message = b"%d, %d of %d:" % (self.connection, len(end.sent), side) + bytes(size)
        if end.call(lambda session: session.send(message), len(message)):
            end.sent.append(message)

    @rule(side=SIDES, call=CALLS)
    def call(self, side: int, call: Callable[[Session], None]) -> None:
        self.ends[side].call(call)

    @rule(side=SIDES, chance=CHANCE)
    def close(self, side: int, chance: int) -> None:
        if chance == 3:
            self.ends[side].call(Session.close)

    @rule(side=SIDES, what=st.sampled_from(["type", "size", "export"]))
    def misuse(self, side: int, what: str) -> None:
        """A wrong call is refused, and changes nothing."""
        end = self.ends[side]
        wrong: Any = "text"
        calls: dict[str, Callable[[Session], object]] = {
            "type": lambda session: session.receive_data(wrong),
            "size": lambda session: session.send(bytes(end.limits.max_message_size + 1)),
            "export": lambda session: session.export("label", 0),
        }
        before = end.session.state
        try:
            calls[what](end.session)
        except UsageError:
            assert end.session.state is before is not State.FAILED
        except ProtocolError as error:
            end.expect(error)
        else:
            raise AssertionError("a wrong call was done")

    # What else can happen to them.

    @rule(side=SIDES)
    def steal_all_keys(self, side: int) -> None:
        """The thief only listens. A refresh that is under way does not shut him out."""
        layers = [end.layer for end in self.ends]
        if layers[0] is None or layers[1] is None:
            return
        states = {layer._refresh.state for layer in layers if layer is not None}
        needed = 1 if states == {RefreshState.IDLE} else 2
        self.healed = (self.ends[0].refreshes + needed, self.ends[1].refreshes + needed)
        layer = layers[side]
        assert layer is not None
        watch.stolen |= {key_of(layer._send), key_of(layer._receive)}
        counted["thefts"] += 1

    @rule(
        side=SIDES,
        calls=st.integers(0, 2),
        what=st.sampled_from(["receive", "send", "speak"]),
        chance=CHANCE,
    )
    def interrupt(self, side: int, calls: int, what: str, chance: int) -> None:
        """A call is left in its middle, after so many calls of a cipher."""
        end = self.ends[side]
        if not self.hostile or chance < 3 or end.error is not None:
            return
        other = self.ends[1 - side]
        calls_of: dict[str, Callable[[], object]] = {
            "receive": lambda: end.receive(b"".join(other.on_the_way)),
            "send": lambda: self.send(side, 190_000),
            "speak": end.speak,
        }
        watch.fuse = calls
        try:
            if end.interrupted(calls_of[what]):
                self.disturb("interruptions")
        finally:
            watch.fuse = None
        if what == "receive":
            other.on_the_way.clear()

    @rule(side=SIDES, chance=CHANCE)
    def crash(self, side: int, chance: int) -> None:
        """One side is gone, the other sees the stream end, and they begin anew."""
        if not self.hostile or chance < 3:
            return
        left = self.ends[1 - side]
        closed = left.session.state is State.CLOSED
        left.receive(None)
        assert closed or left.error is not None
        self.disturb("crashes")
        self.begin_anew()

    def begin_anew(self) -> None:
        for end in self.ends:
            self.history += end.said
        self.finish()
        self.connect()

    # What Mallory does.

    @rule(
        side=SIDES,
        how=st.sampled_from(["drop", "double", "swap", "flip", "insert", "cut"]),
        place=st.integers(0, 2**16),
        bit=st.integers(0, 7),
    )
    def tamper(self, side: int, how: str, place: int, bit: int) -> None:
        """``place`` counts pieces, or bytes of a piece."""
        wire = self.something_on_the_way(side)
        if not self.hostile or not wire:
            return
        chosen = place % len(wire)
        piece = bytearray(wire[chosen])
        at = place % len(piece)
        match how:
            case "drop":
                del wire[chosen]
            case "double":
                wire.insert(chosen, wire[chosen])
            case "swap" if len(wire) > 1:
                other = chosen - 1
                wire[chosen], wire[other] = wire[other], wire[chosen]
            case "flip":
                piece[at] ^= 1 << bit
                wire[chosen] = bytes(piece)
            case "insert":
                piece.insert(at, place & 0xFF)
                wire[chosen] = bytes(piece)
            case "cut":
                wire.clear()
                for end in self.ends:
                    end.receive(None)
        self.disturb("changes on the wire")

    def something_on_the_way(self, side: int) -> list[bytes]:
        self.ends[side].speak()
        for _ in range(2 - len(self.ends[side].on_the_way)):
            self.send(side, 1)
            self.ends[side].speak()
        return self.ends[side].on_the_way

    @rule(
        side=SIDES,
        source=st.sampled_from(["replayed", "reflected", "earlier", "spliced"]),
        which=st.integers(0, 2**16),
        place=st.integers(0, 3),
    )
    def inject(self, side: int, source: str, which: int, place: int) -> None:
        """A genuine piece of this direction, the other one, an earlier or another session."""
        sources = {
            "replayed": self.ends[side].said,
            "reflected": self.ends[1 - side].said,
            "earlier": self.history,
            "spliced": recorded(self.acquaintance.suite),
        }
        pieces = sources[source]
        if not self.hostile or not pieces:
            return
        self.ends[side].on_the_way.insert(place, pieces[which % len(pieces)])
        self.disturb(source)

    @rule(side=SIDES, keys=st.sampled_from(Keys), chance=CHANCE)
    def impersonate(self, side: int, keys: Keys, chance: int) -> None:
        """Mallory talks to this side, in the other's place, for as long as she can."""
        if not self.hostile or chance < 3:
            return
        if self.ends[side].session.state is not State.HANDSHAKE:
            self.begin_anew()
        victim, attacker = self.ends[side], mallory(side, keys, self.acquaintance)
        heard = 0
        for _ in range(6):
            try:
                attacker.receive_data(b"".join(victim.said[heard:]))
                heard = len(victim.said)
                if attacker.state is State.OPEN:
                    attacker.send(FROM_MALLORY)
                data = attacker.data_to_send()
            except ProtocolError:
                break
            victim.receive(data)
            victim.speak()
        self.ends[1 - side].on_the_way.clear()
        self.disturb("impersonations")

    # What holds after each step.

    def may_be_mallory(self, side: int) -> bool:
        """Whoever meets somebody without asking for an identity has met whom it says."""
        return (
            self.disturbed
            and self.acquaintance.suite.approach is Approach.MEETING
            and not self.acquaintance.expected[side]
        )

    @invariant()
    def each_has_what_the_other_sent_and_nothing_else(self) -> None:
        if not hasattr(self, "ends"):
            return
        counted["steps"] += 1
        for side in (0, 1):
            end, other = self.ends[side], self.ends[1 - side]
            peer = end.session.peer
            if peer is None:
                assert not end.received
            elif peer.identity_key == PEOPLE[1 - side].public_key:
                assert end.received == other.sent[: len(end.received)]
            else:
                assert peer.identity_key == MALLORY.public_key
                assert self.may_be_mallory(side)
                assert set(end.received) <= {FROM_MALLORY}

    @invariant()
    def both_have_the_same_session(self) -> None:
        if not hasattr(self, "ends") or self.compared:
            return
        alice, bob = self.ends
        meets = [
            end.completed is not None
            and end.completed.peer.identity_key == PEOPLE[1 - side].public_key
            for side, end in enumerate(self.ends)
        ]
        # Of the two one is done first, and the other only with its help.
        first = self.acquaintance.suite.approach in (Approach.LINK, Approach.CODE)
        assert meets[first] or not meets[1 - first]
        if meets[0] and meets[1]:
            assert alice.completed is not None
            assert bob.completed is not None
            assert alice.completed.handshake_hash == bob.completed.handshake_hash
            assert alice.completed.suite is bob.completed.suite is self.acquaintance.suite
            if alice.layer is not None and bob.layer is not None:
                assert alice.session.export("both", 32) == bob.session.export("both", 32)
                assert alice.layer._initiator is not bob.layer._initiator
            self.compared = True

    @invariant()
    def dead_stays_dead_and_the_undisturbed_live(self) -> None:
        for end in getattr(self, "ends", ()):
            if end.error is not None:
                assert self.disturbed
                assert end.session.state is State.FAILED
                end.speak()

    @invariant()
    def a_thief_is_shut_out_by_a_refresh(self) -> None:
        if getattr(self, "healed", None) is None:
            return
        assert self.healed is not None
        for end, refreshes in zip(self.ends, self.healed, strict=True):
            if end.layer is not None and end.refreshes >= refreshes:
                assert key_of(end.layer._receive) not in watch.stolen
                # Who has closed sends nothing more, and needs no new key for it.
                assert end.layer.state is not State.OPEN or (
                    key_of(end.layer._send) not in watch.stolen
                )
                counted["looks"] += 1

    # The end.

    def finish(self) -> None:
        """The undisturbed come to a clean end with everything received, the others stay dead."""
        for end in self.ends:
            if end.error is not None:
                end.speak()
                assert_dead(end.session, end.error)
        if not self.disturbed:
            settle(self.ends)
            for end in self.ends:
                end.call(Session.close)
            settle(self.ends)
            for side in (0, 1):
                assert self.ends[side].received == self.ends[1 - side].sent
                assert self.ends[side].session.state is State.CLOSED
                self.ends[side].receive(None)
            counted["finished"] += 1
        counted["opened"] += self.compared
        counted["refreshed"] += any(end.refreshes for end in self.ends)
        counted["refreshes"] += sum(end.refreshes for end in self.ends)
        counted["messages"] += sum(len(end.received) for end in self.ends)
        counted["connections"] += 1

    def teardown(self) -> None:
        if not hasattr(self, "ends"):
            return
        self.each_has_what_the_other_sent_and_nothing_else()
        if self.disturbed:
            # Whatever was done to them, they can meet again.
            self.begin_anew()
            settle(self.ends)
            self.send(0, 1)
            self.send(1, 1)
        self.finish()
        counted["examples"] += 1


def key_of(cipher_state: Any) -> bytes:
    key: bytes = cipher_state._aead.key
    return key


def run(examples: int) -> Counter[str]:
    """So many examples; returns what was counted. No pair of key and nonce may come twice."""
    global watch
    counted.clear()
    recorded.cache_clear()
    with watched_ciphers() as watch:
        run_state_machine_as_test(
            TwoEndpointsAndAnAttacker,
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    counted["encryptions"] = watch.encryptions
    return counted


def figures(count: Counter[str]) -> list[str]:
    """What was counted, for people."""
    lines = """\
two endpoints and an attacker: {examples:,} examples in {steps:,} steps
connections: {connections:,}, {opened:,} opened at both ends, {refreshed:,} with new keys later, \
{finished:,} left alone and come to a clean end
attacks and faults: {changes on the wire:,} changes on the wire, {replayed:,} pieces replayed, \
{reflected:,} reflected, {earlier:,} of earlier connections, {spliced:,} of another session, \
{impersonations:,} impersonations, {interruptions:,} interruptions, {crashes:,} crashes
nonces: {encryptions:,} encryptions, no pair of key and nonce twice
thefts of all keys: {thefts:,}, none of use after the next refresh, in {looks:,} looks
"""
    return lines.format_map(count).splitlines()


# A long run.

BATCH = 500
"""Examples in one run of hypothesis, after which the pairs of keys and nonces are forgotten."""


def run_until(end: float) -> Counter[str]:
    """Batches until this time, in seconds since 1970."""
    total: Counter[str] = Counter()
    while time.time() < end:
        total += run(BATCH)
    return total


def add_to_evidence(count: Counter[str], commit: str, seconds: float) -> None:
    """``seconds`` -- of all processes together."""
    evidence = json.loads(EVIDENCE.read_text()) if EVIDENCE.exists() else {"by_commit": {}}
    by_commit = evidence["by_commit"]
    by_commit[commit] = dict(
        Counter(by_commit.get(commit, {})) + count + Counter(seconds=round(seconds))
    )
    total: Counter[str] = sum(map(Counter, by_commit.values()), Counter())
    EVIDENCE.parent.mkdir(exist_ok=True)
    EVIDENCE.write_text(
        json.dumps(
            {
                "name": "Two endpoints and an attacker, all runs together",
                "command": "python -m tests.session.two_endpoints_and_an_attacker --seconds 600",
                "commit": commit,
                "date": datetime.now(UTC).date().isoformat(),
                "seconds": total["seconds"],
                "figures": figures(total),
                "by_commit": by_commit,
            },
            indent=1,
        )
        + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="many more examples, on every core")
    parser.add_argument("--seconds", type=int, required=True)
    seconds = parser.parse_args().seconds
    # What counts is which package was tested.
    last_change = ["git", "log", "-1", "--format=%h", "--", "e2ee"]
    commit = subprocess.run(last_change, check=True, capture_output=True, text=True).stdout.strip()
    cores = os.cpu_count() or 1
    # Spawned, not forked: children of one process would draw the same examples.
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        counts = pool.map(run_until, [time.time() + seconds] * cores)
    count = sum(counts, Counter())
    add_to_evidence(count, commit, cores * seconds)
    print("\n".join(figures(count)))


if __name__ == "__main__":
    main()
