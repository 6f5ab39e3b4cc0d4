"""The second client, written from SPEC.md alone, against the real sessions, in both roles."""

import ast
import base64
import itertools
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import e2ee
from e2ee import (
    CLASSICAL_AESGCM,
    Closed,
    HandshakeCompleted,
    Identity,
    KeysRefreshed,
    Limits,
    MessageReceived,
    Padding,
    ProtocolError,
    Session,
)
from e2ee.code_offer import OfferState
from e2ee.errors import (
    InvalidInvitation,
    InvitationRefused,
    UnsupportedSuite,
    WrongCode,
)
from e2ee.invitation import Link, SpokenCode
from e2ee.opening import KnownDevice
from e2ee.safety_number import SafetyNumber
from e2ee.suites import SUITES
from tests.second_client.pair import (
    CODE,
    KNOWN,
    LINK,
    WORDS,
    Change,
    Pair,
    now,
    second,
)

CLIENT = Path(__file__).with_name("client.py")
VECTORS = Path(__file__).parents[1] / "vectors"


def two_clients(suite: int, first_begins: bool, change: Change = lambda _: None) -> tuple[Any, Any]:
    """Two second clients that have in common what the suite needs; one of them is changed."""
    changed, other = second.Me.generate(now()), second.Me.generate(now())
    change(changed)
    caller, answerer = (changed, other) if first_begins else (other, changed)
    code = second.read_code("4-acrobat-velcro-sugar", WORDS)
    link = second.Link(answerer.identity_key, bytes(32), now(), (("localhost", 1),))
    calls: dict[str, Any] = {"link": link, "code": code}
    calls |= {"responder_static": answerer.static_key, "sequence": 1}
    answers: dict[str, Any] = {"links": {link.lookup_id: link}, "code": code}
    answers["contacts"] = {caller.identity_key: {}}
    sides = (
        second.Client(caller, True, now(), (suite,), **calls),
        second.Client(answerer, False, now(), (suite,), **answers),
    )
    return sides if first_begins else sides[::-1]


def talk(one: Any, two: Any) -> None:
    while one.out or two.out:
        for sender, receiver in ((one, two), (two, one)):
            data = bytes(sender.out)
            sender.out.clear()
            receiver.receive(data)


both_roles = pytest.mark.parametrize("client_first", [True, False], ids=["client->", "session->"])
all_suites = pytest.mark.parametrize("suite", SUITES, ids=hex)


@pytest.fixture(
    params=[(suite, client_first) for suite in SUITES for client_first in (True, False)],
    ids=lambda p: f"{p[0]:#06x} {'client->' if p[1] else 'session->'}",
)
def pair(request: pytest.FixtureRequest) -> Pair:
    suite, client_first = request.param
    return Pair(suite, client_first).open()


def record_sizes(wire: bytes) -> list[int]:
    """The lengths of the plaintexts of whole records."""
    sizes, at = [], 0
    while at < len(wire):
        size = int.from_bytes(wire[at : at + 2], "big")
        sizes.append(size - 16)
        at += 2 + size
    assert at == len(wire)
    return sizes


def test_client_is_independent() -> None:
    allowed = {"base64", "collections", "cryptography", "dataclasses", "hashlib", "hmac", "json"}
    allowed |= {"os", "struct", "typing", "unicodedata"}
    imported: set[str] = set()
    for node in ast.walk(ast.parse(CLIENT.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.Name):
            assert node.id not in ("__import__", "eval", "exec")
    assert imported == allowed


@all_suites
@both_roles
@pytest.mark.parametrize("size", [1, 7, 2**30])
def test_opening(suite: int, client_first: bool, size: int) -> None:
    pair = Pair(suite, client_first)
    [mine], [real] = pair.pump(size)
    assert isinstance(mine, second.Opened)
    assert isinstance(real, HandshakeCompleted)
    assert mine.handshake_hash == real.handshake_hash
    assert (mine.suite, real.suite) == (suite, SUITES[suite])
    for label, length in ((b"", 1), (b"a label", 32), (b"\0\xff", 8160)):
        assert pair.client.export(label, length) == pair.real.export(label, length)

    assert pair.real.peer is not None
    assert real.peer == pair.real.peer
    assert real.peer.identity_key == pair.me.identity_key
    assert real.peer.static_key == pair.me.static_key
    assert real.peer.id == second.id_of(pair.me.identity_key)
    assert list(real.peer.words) == second.safety_words(pair.me.identity_key, WORDS)
    assert mine.identity_key == pair.identity.public_key == second.key_of(pair.identity.id)
    assert second.id_of(mine.identity_key) == pair.identity.id
    assert second.safety_words(mine.identity_key, WORDS) == list(pair.identity.words)


@both_roles
def test_expected_peer(client_first: bool) -> None:
    pair = Pair(1, client_first)
    pair.client.expected_peer = pair.me.identity_key
    with pytest.raises(second.Failure, match="somebody else"):
        pair.pump()
    pair = Pair(1, client_first, expected_peer=pair.identity.id)
    with pytest.raises(ProtocolError):
        pair.pump()


def _other_certificate(me: Any) -> None:
    me.certificate = second.Me.generate(now()).certificate


def _bad_signature(me: Any) -> None:
    certificate, signature = me.certificate()
    me.certificate = lambda: (certificate, signature[:-1] + bytes([signature[-1] ^ 1]))


def _bad_padding(me: Any) -> None:
    payload = me.payload
    me.payload = lambda **further: payload(**further)[:-1] + b"\1"


def _expired(me: Any) -> None:
    me.not_after = now() - 3600


def _too_early(me: Any) -> None:
    me.not_before = now() + 3600


@all_suites
@both_roles
@pytest.mark.parametrize(
    "change", [_other_certificate, _bad_signature, _bad_padding, _expired, _too_early]
)
def test_bad_certificates(suite: int, client_first: bool, change: Change) -> None:
    pair = Pair(suite, client_first, change=change)
    with pytest.raises(ProtocolError):
        pair.pump()
    checked = second.Me.generate(now())
    change(checked)
    with pytest.raises((second.Failure, second.InvalidSignature)):
        second.check_payload(checked.payload(), checked.static_key, bytes(32), now(), {})


@both_roles
def test_reflection(client_first: bool) -> None:
    me = second.Me.generate(now())
    pair = Pair(1, client_first)
    pair.client.me = me
    good = second.check_payload(me.payload(), me.static_key, bytes(32), now(), {})
    assert good[0] == me.identity_key
    with pytest.raises(second.Failure, match="own key"):
        second.check_payload(me.payload(), me.static_key, me.static_key, now(), {})


def test_messages_of_all_sizes(pair: Pair) -> None:
    sizes = [0, 1, *range(65512, 65521), 2**20, 0]
    sent = [bytes([i]) * size for i, size in enumerate(sizes)]
    for message in sent:
        pair.client.send(message)
        pair.real.send(message)
    pair.pump()
    assert pair.messages() == (sent, sent)
    pair.client.send(sent[7])
    pair.real.send(sent[7])
    pair.pump(4099)
    assert pair.messages() == ([sent[7]], [sent[7]])


def test_largest_message(pair: Pair) -> None:
    limit = 2**24
    pair.client.send(bytes(limit))
    pair.real.send(bytes(limit))
    pair.pump()
    assert [len(m) for side in pair.messages() for m in side] == [limit, limit]
    with pytest.raises(e2ee.E2EEError):
        pair.real.send(bytes(limit + 1))
    pair.client.send_cut(struct.pack(">I", limit + 1), 4)
    with pytest.raises(ProtocolError):
        pair.pump()


def test_odd_cuts(pair: Pair) -> None:
    sent = [b"", b"a", b"", b"bcd" * 100, b"e" * 70000, b"", b"f"]
    stream = b"".join(struct.pack(">I", len(m)) + m for m in sent)
    pair.client.send_cut(stream, second.MAX_CONTENT)  # many in one record
    pair.client.send_cut(stream, 1, 2, 3, 5, 4000)
    pair.client.send_cut(stream[:6], 1)
    for size in itertools.islice(itertools.cycle([0, 7, 30000]), 9):  # with controls between
        pair.client.ping()
        pair.client.record(second.DATA, b"")
        pair.client.update_key()
        pair.client.record(second.DATA, stream[6 : 6 + size])
        stream = stream[:6] + stream[6 + size :]
    pair.pump(1000)
    assert pair.messages()[1] == sent * 3


def test_key_updates(pair: Pair) -> None:
    for turn in range(5):
        pair.client.update_key()
        pair.client.send(b"from the client %d" % turn)
        pair.client.update_key()
        if turn != 2:
            pair.real.update_key()
        pair.real.send(b"from the session %d" % turn)
        pair.pump()
        assert pair.messages() == ([b"from the session %d" % turn], [b"from the client %d" % turn])


@both_roles
def test_automatic_key_updates_are_the_last_record(client_first: bool) -> None:
    pair = Pair(1, client_first, limits=Limits(key_update_records=4)).open()
    pair.client.key_update_records = 4
    used = []
    for turn in range(9):
        pair.real.send(b"%d" % turn)
        pair.client.send(b"%d" % turn)
        pair.pump()
        used.append(pair.client.receiving.used)
        assert pair.client.sending.used == pair.client.receiving.used
    assert used == [1, 2, 3, 1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize("starters", ["client", "real", "client real"])
def test_refresh(pair: Pair, starters: str) -> None:
    exported = pair.client.export(b"x", 32)
    epochs = {pair.client.epoch}
    for turn in range(4):
        if "client" in starters:
            pair.client.refresh()
        if "real" in starters:
            pair.real.refresh()
        pair.client.send(b"under way")
        pair.real.send(b"under way")
        pair.client.update_key()
        mine, real = pair.pump(100 if turn == 2 else 2**30)
        assert mine.count(second.Refreshed()) == 1
        assert real.count(KeysRefreshed()) == 1
        assert pair.messages() == ([b"under way"], [b"under way"])
        assert pair.client.refreshing == "IDLE"
        assert pair.client.export(b"x", 32) == exported == pair.real.export("x", 32)
        epochs.add(pair.client.epoch)
    assert len(epochs) == 5


@pytest.mark.parametrize("first", ["offer", "answer"])
def test_refresh_and_close(pair: Pair, first: str) -> None:
    """A side that has sent its close still takes the new receiving key."""
    for client_closes in (True, False):
        fresh = Pair(pair.client.suite, pair.client.initiator).open()
        closer, other = fresh.client, fresh.real
        if not client_closes:
            closer, other = other, closer
        if first == "offer":
            closer.refresh()
        else:
            other.refresh()
            fresh.collect()
            fresh.give_real(2**30)
            fresh.give_client(2**30)
        closer.close()
        other.send(b"last words")
        mine, real = fresh.pump()
        assert mine[-1] == second.Closed()
        assert real[-1] == Closed()
        assert [b"last words"] in fresh.messages()


@all_suites
@both_roles
def test_automatic_refreshes(suite: int, client_first: bool) -> None:
    pair = Pair(suite, client_first, limits=Limits(refresh_records=3, key_update_records=5)).open()
    pair.client.refresh_records, pair.client.key_update_records = 4, 3
    sent: list[bytes] = []
    mine: list[Any] = []
    real: list[Any] = []
    for turn in range(40):
        sent.append(b"%d" % turn * 20000 if turn % 10 == 3 else b"%d" % turn)
        pair.client.send(sent[-1])
        pair.real.send(sent[-1])
        one, two = pair.pump(50 if turn % 10 == 7 else 2**30)
        mine, real = mine + one, real + two
    assert [event.data for event in mine if isinstance(event, second.Message)] == sent
    assert [event.data for event in real if isinstance(event, MessageReceived)] == sent
    assert mine.count(second.Refreshed()) == real.count(KeysRefreshed()) >= 10


def _actions(pair: Pair, rng: random.Random) -> Iterator[tuple[str, Any]]:
    """Anything that either side may do while open, and the wire moving in unequal steps."""
    for _ in range(300):
        what = rng.choice(["send", "send", "ping", "update_key", "refresh", "wire", "wire"])
        side = rng.choice([pair.client, pair.real])
        if what == "refresh" and side is pair.client and side.refreshing != "IDLE":
            continue
        yield what, side


@pytest.mark.parametrize("seed", range(12))
def test_anything_goes(seed: int) -> None:
    rng = random.Random(seed)
    limits = Limits(refresh_records=rng.randint(1, 20), key_update_records=rng.randint(2, 20))
    pair = Pair(rng.choice(list(SUITES)), rng.random() < 0.5, limits=limits).open()
    pair.client.refresh_records = rng.randint(1, 20)
    pair.client.key_update_records = rng.randint(2, 20)
    pair.client.chat_padding = rng.random() < 0.5
    sent: dict[Any, list[bytes]] = {pair.client: [], pair.real: []}
    pair.client_events, pair.real_events = [], []
    for what, side in _actions(pair, rng):
        if what == "wire":
            pair.collect()
            give = pair.give_client if side is pair.client else pair.give_real
            give(rng.choice([1, 3, 40, 1500, 2**30]))
        elif what == "send":
            message = rng.randbytes(rng.choice([0, 1, 10, 300, 70000]))
            sent[side].append(message)
            side.send(message)
        else:
            getattr(side, what)()
    for side in rng.choice([(pair.client,), (pair.real,), (pair.client, pair.real)]):
        side.close()
    so_far = pair.client_events, pair.real_events
    pair.pump(rng.choice([100, 2**30]))
    pair.client_events, pair.real_events = (
        so_far[0] + pair.client_events,
        so_far[1] + pair.real_events,
    )
    assert pair.messages() == (sent[pair.real], sent[pair.client])
    assert (pair.client.state, pair.real.state.value) == ("CLOSED", "closed")


Client = Any
Session.__hash__  # noqa: B018  # sessions are keys of a dict above
second.Client.__hash__ = object.__hash__


@both_roles
def test_padding_none(client_first: bool) -> None:
    pair = Pair(1, client_first).open()
    for size in (0, 1, 300, 65512):
        pair.real.send(bytes(size))
        assert record_sizes(pair.real.data_to_send()) == [3 + 4 + size]


@both_roles
def test_padding_chat(client_first: bool) -> None:
    pair = Pair(1, client_first, padding=Padding.CHAT, client={"chat_padding": True}).open()
    # The plaintext has 3 + 4 + the message's bytes. By hand: n = 257 gives E = 8, S = 4, steps of
    # 16; n = 1025 E = 10, S = 4, steps of 64; n = 40,000 E = 15, S = 4, steps of 2,048.
    by_hand = {0: 256, 249: 256, 250: 272, 265: 272, 266: 288, 1018: 1088, 39993: 40960}
    by_hand |= {65512: 65519, 61433: 61440, 61434: 63488, 63482: 65519}
    for size, padded in by_hand.items():
        pair.real.send(bytes(size))
        wire = pair.real.data_to_send()
        assert record_sizes(wire) == [padded]
        assert pair.client.receive(wire) == [second.Message(bytes(size))]
        pair.client.send(bytes(size))
        assert record_sizes(bytes(pair.client.out)) == [padded]
        assert pair.pump()[1] == [MessageReceived(bytes(size))]
    for call in ("ping", "update_key", "close"):
        getattr(pair.real, call)()
        assert record_sizes(pair.real.data_to_send()) == [256]


def test_every_padded_length(pair: Pair) -> None:
    """A receiver accepts any padding."""
    for extra in (1, 2, 100, 65519 - 8):
        plaintext = struct.pack(">BHI", 0, 5, 1) + b"x" + bytes(extra)
        sealed = pair.client.sending.encrypt(b"", plaintext)
        pair.client.out += struct.pack(">H", len(sealed)) + sealed
        assert pair.pump()[1] == [MessageReceived(b"x")]


def test_ping_pong(pair: Pair) -> None:
    for _ in range(3):
        pair.client.ping()
    assert len(pair.client.out) == 3 * (2 + 16 + 3 + 15)
    pair.collect()
    pair.give_real(2**30)
    assert record_sizes(pair.real.data_to_send()) == [3 + 15]  # one for all
    pair.client.receiving.n += 1  # the pong that was taken away
    pair.real.ping()
    pair.real.ping()
    pair.collect()
    pair.give_client(2**30)
    assert record_sizes(bytes(pair.client.out)) == [3 + 15]
    pair.pump()
    pair.client.send(b"still well")
    pair.pump()
    assert pair.messages() == ([], [b"still well"])


@pytest.mark.parametrize("closers", ["client", "real", "client real"])
def test_close(pair: Pair, closers: str) -> None:
    pair.client.send(b"before")
    pair.real.send(b"before")
    if "client" in closers:
        pair.client.close()
    if "real" in closers:
        pair.real.close()
    mine, real = pair.pump()
    assert mine == [second.Message(b"before"), second.Closed()]
    assert real == [MessageReceived(b"before"), Closed()]
    pair.client.end()
    pair.real.receive_eof()
    assert pair.client.export(b"x", 9) == pair.real.export(b"x", 9)
    with pytest.raises(ProtocolError):
        pair.real.receive_data(b"\0")
    with pytest.raises(second.Failure):
        pair.client.receive(b"\0")


def test_data_after_own_close(pair: Pair) -> None:
    pair.real.close()
    pair.client.ping()
    pair.client.update_key()
    pair.client.send(b"late")
    assert pair.pump()[1] == [MessageReceived(b"late"), Closed()]
    pair = Pair(pair.client.suite, pair.client.initiator).open()
    pair.client.close()
    pair.real.ping()
    pair.real.update_key()
    pair.real.send(b"late")
    assert pair.pump()[0] == [second.Message(b"late"), second.Closed()]


def test_truncation(pair: Pair) -> None:
    with pytest.raises(ProtocolError):
        pair.real.receive_eof()
    with pytest.raises(second.Failure, match="truncated"):
        pair.client.end()


def test_client_refuses_version_and_suite() -> None:
    for hello, answer, error in (
        (second.preamble(2, 0, 1), second.preamble(1, 1, 0), second.VersionRefused),
        (second.preamble(1, 0, 3), second.preamble(1, 2, 1), second.SuiteRefused),
        (second.preamble(1, 0, 99), second.preamble(1, 2, 1), second.SuiteRefused),
        (second.preamble(1, 1, 1), b"", second.Failure),
        (b"GET ", b"", second.Failure),
    ):
        client = second.Client(second.Me.generate(now()), False, now(), (1, 2))
        real = Session.responder(Identity.generate())
        with pytest.raises(error):
            client.receive(hello)
        assert bytes(client.out) == answer
        with pytest.raises(ProtocolError):
            real.receive_data(hello)
        if answer:
            assert real.data_to_send() == answer
        else:
            with pytest.raises(ProtocolError):
                real.data_to_send()


def test_suite_refused_by_the_other() -> None:
    client = second.Client(second.Me.generate(now()), True, now(), (3,))
    real = Session.responder(Identity.generate())
    with pytest.raises(ProtocolError):
        real.receive_data(bytes(client.out))
    with pytest.raises(second.SuiteRefused, match="suite 1"):
        client.receive(real.data_to_send())

    client = second.Client(second.Me.generate(now()), False, now(), (1, 2))
    real = Session.initiator(Identity.generate(), suite=CLASSICAL_AESGCM)
    with pytest.raises(second.SuiteRefused):
        client.receive(real.data_to_send())
    with pytest.raises(ProtocolError, match="AESGCM"):
        real.receive_data(bytes(client.out))


def test_version_refused_by_the_other() -> None:
    client = second.Client(second.Me.generate(now()), True, now())
    real = Session.responder(Identity.generate())
    hello = bytearray(client.out)
    hello[4] = 2
    with pytest.raises(ProtocolError):
        real.receive_data(bytes(hello))
    with pytest.raises(second.VersionRefused, match="version 1"):
        client.receive(real.data_to_send())

    real = Session.initiator(Identity.generate())
    with pytest.raises(ProtocolError, match="version 2"):
        real.receive_data(second.preamble(2, 1, 0))
    client = second.Client(second.Me.generate(now()), True, now())
    with pytest.raises(second.Failure, match="unknown answer"):
        client.receive(second.preamble(1, 0, 2))


# --- Known, link and code: sections 4.3 to 4.6


@both_roles
@pytest.mark.parametrize(
    ("suite", "lengths"),
    [
        (KNOWN, [8 + 1808, 8 + 1664, 32]),
        (LINK, [8 + 16 + 1248, 8 + 1712, 576, 32]),
        (CODE, [8 + 82, 8 + 64, 1248, 1712, 576, 32]),
    ],
    ids=["known", "link", "code"],
)
def test_flights_of_an_opening(client_first: bool, suite: int, lengths: list[int]) -> None:
    pair = Pair(suite, client_first)
    assert [len(flight) for flight in pair.flights()] == lengths
    assert (pair.client.state, pair.real.state.value) == ("OPEN", "open")


@pytest.mark.parametrize("suite", [KNOWN, LINK, CODE], ids=["known", "link", "code"])
@both_roles
def test_nobody_opens_before_the_confirmation_is_right(suite: int, client_first: bool) -> None:
    """In a known call the initiator sends it, with a link or a code the responder."""
    receiver_is_client = client_first == (suite != KNOWN)
    for spoil in (False, True):
        pair = Pair(suite, client_first)
        pair.carry({KNOWN: 2, LINK: 3, CODE: 5}[suite])
        confirmation = pair.real.data_to_send() if receiver_is_client else pair.from_client()
        assert len(confirmation) == 32
        pair.to_either(receiver_is_client, confirmation[:31])
        assert not (pair.client_events if receiver_is_client else pair.real_events)
        last = bytes([confirmation[31] ^ spoil])
        if spoil:
            with pytest.raises((ProtocolError, second.Failure)):
                pair.to_either(receiver_is_client, last)
        else:
            pair.to_either(receiver_is_client, last)
            assert len(pair.client_events if receiver_is_client else pair.real_events) == 1


def _call_again(pair: Pair, sequence: int) -> Pair:
    if pair.client_first:
        return pair.again(client={"sequence": sequence})
    return pair.again(device=KnownDevice(pair.me.static_key, sequence))


@both_roles
def test_a_known_call_that_is_recorded_or_not_above_the_last_gets_no_byte(
    client_first: bool,
) -> None:
    pair = _call_again(Pair(KNOWN, client_first), 5)
    recorded = pair.initiators_first()
    pair.to_either(not client_first, recorded)
    assert len(pair.from_client() if not client_first else pair.real.data_to_send()) == 8 + 1664

    assert pair.again().responder_fails_at(recorded) == b""
    for sequence in (4, 5):
        late = _call_again(pair, sequence)
        assert late.responder_fails_at(late.initiators_first()) == b""
    _call_again(pair, 6).open()
    assert pair.again().responder_fails_at(recorded) == b""


@both_roles
@pytest.mark.parametrize("case", ["stranger", "spoiled", "another device key"])
@pytest.mark.parametrize("mute", [True, False])
def test_a_known_call_that_is_not_admitted(client_first: bool, case: str, mute: bool) -> None:
    """Who accepts nothing else sends nothing; who accepts meetings asks for one."""
    pair = Pair(KNOWN, client_first)
    if case == "stranger":
        if client_first:
            pair.me = second.Me.generate(now())
        else:
            pair.identity = Identity.generate()
    elif case == "another device key":
        key = second.Me.generate(now()).static_key
        pair.client_options["responder_static"] = key
        if not client_first:
            pair.real_options["device"] = KnownDevice(key, 1)
    if client_first and not mute:
        pair.real_options["suites"] = (SUITES[2], SUITES[1])
    pair._start()
    if not client_first and not mute:
        pair.client.suites = (KNOWN, 2, 1)
    call = bytearray(pair.initiators_first())
    if case == "spoiled":
        call[-1] ^= 1
    answer = pair.responder_fails_at(bytes(call))
    assert answer == (b"" if mute else second.preamble(1, 2, 2))
    if answer:
        error = pair.initiator_fails_at(answer)
        assert isinstance(error, (second.SuiteRefused, UnsupportedSuite))


@both_roles
@pytest.mark.parametrize(
    "hello", [second.preamble(2, 0, 1), second.preamble(1, 0, 1), second.preamble(1, 0, 99)]
)
def test_a_mute_responder_refuses_without_a_byte(client_first: bool, hello: bytes) -> None:
    assert Pair(KNOWN, client_first).responder_fails_at(hello) == b""


def _payload_with(me: Any, **members: Any) -> None:
    payload = me.payload
    me.payload = lambda **_: payload(**members)


@both_roles
@pytest.mark.parametrize(
    ("suite", "members"),
    [
        (1, {"sequence": 1}),
        (1, {"nonce": bytes(32)}),
        (LINK, {"sequence": 1}),
        (LINK, {"nonce": bytes(32)}),
        (CODE, {}),
        (CODE, {"nonce": bytes(31)}),
        (CODE, {"nonce": bytes(32)}),  # it does not open the commitment
        (CODE, {"sequence": 1, "nonce": bytes(32)}),
        (KNOWN, {"nonce": bytes(32)}),
        (KNOWN, {"sequence": 2, "nonce": bytes(32)}),
    ],
)
def test_payloads_with_other_members(
    client_first: bool, suite: int, members: dict[str, Any]
) -> None:
    pair = Pair(suite, client_first, change=lambda me: _payload_with(me, **members))
    with pytest.raises(ProtocolError):
        pair.pump()
    bad, good = two_clients(suite, client_first, lambda me: _payload_with(me, **members))
    with pytest.raises(second.Failure):
        talk(bad, good)
    assert good.state == "FAILED"


def test_a_nonce_has_32_bytes() -> None:
    me = second.Me.generate(now())
    for size in (31, 33):
        with pytest.raises(second.Failure, match="nonce"):
            second.check_payload(
                me.payload(nonce=bytes(size)), me.static_key, bytes(32), now(), {"nonce": bytes}
            )


@pytest.mark.parametrize(
    ("client_first", "case"),
    # When a session's link expires is for the owner of its links to know.
    [(True, "unknown"), (True, "used"), (False, "unknown"), (False, "used"), (False, "expired")],
)
def test_a_link_that_is_refused(client_first: bool, case: str) -> None:
    pair = Pair(LINK, client_first)
    if case == "used":
        pair.again().open()
    elif client_first:
        pair.real_options["links"].pending.clear()
    elif case == "unknown":
        pair.client_options["links"].clear()
    else:
        [link] = pair.client.links.values()
        pair.client.now = link.expires + 1
    first = pair.initiators_first()
    refusal = pair.responder_fails_at(first)
    assert len(refusal) == 8
    assert refusal[:6] == b"e2ee\1\3"
    error = pair.initiator_fails_at(refusal)
    assert isinstance(error, (second.InvitationRefused, InvitationRefused))


@both_roles
def test_of_two_who_use_one_link_at_once_one_is_too_late_and_gets_no_word(
    client_first: bool,
) -> None:
    pair = Pair(LINK, client_first)
    quick, late = pair.again(), pair.again()
    late.carry(2)
    message_3 = late.initiators_first()
    quick.open()
    assert late.responder_fails_at(message_3) == b""
    late.initiator_hears_the_end()


@both_roles
def test_a_spoiled_message_1_does_not_use_a_link_up(client_first: bool) -> None:
    pair = Pair(LINK, client_first)
    first = bytearray(pair.initiators_first())
    first[-1] ^= 1
    assert pair.responder_fails_at(bytes(first)) == b""
    pair.again().open()


def test_a_link_names_the_only_identity_that_may_answer() -> None:
    for client_first in (True, False):
        pair = Pair(LINK, client_first)
        if client_first:
            pair.identity = Identity.generate()
        else:
            pair.me = second.Me.generate(now())
        pair._start()
        with pytest.raises((ProtocolError, second.Failure)):
            list(pair.flights())
        assert not pair.client_events
        assert not pair.real_events


def _offer_state(pair: Pair) -> str:
    if pair.client_first:
        state: OfferState = pair.real_options["code"].state
        return state.value
    return str(pair.client_options["code"].state)


def _with_code(pair: Pair, number: int, words: str) -> Pair:
    """The same two, but the initiator has this code."""
    code = second.read_code(f"{number}-{words}", WORDS)
    if pair.client_first:
        return pair.again(client={"code": code})
    return pair.again(invitation=SpokenCode(number, words.split("-")))


def _needs_new_code(error: Exception) -> bool:
    return isinstance(error, (second.NewCodeNeeded, WrongCode))


def _refused_by_code_3(pair: Pair) -> bool:
    refusal = pair.responder_fails_at(pair.initiators_first())
    error = pair.initiator_fails_at(refusal)
    is_refusal = isinstance(error, (second.InvitationRefused, InvitationRefused))
    return is_refusal and refusal[:6] == b"e2ee\1\3" and len(refusal) == 8


@both_roles
def test_a_wrong_code_is_burned_by_message_1_in_all_connections(client_first: bool) -> None:
    pair = Pair(CODE, client_first)
    wrong = _with_code(pair, 999, "acrobat-velcro-sugar")
    right = pair.again()
    right.carry(2)
    wrong.carry(2)
    assert _offer_state(pair) == "open"  # shares alone tell nothing
    assert wrong.responder_fails_at(wrong.initiators_first()) == b""
    assert _offer_state(pair) == "burned"
    assert _needs_new_code(wrong.initiator_hears_the_end())

    # The right one, whose shares had been exchanged before, and one that comes later.
    right.responder_fails_at(right.initiators_first())
    assert _needs_new_code(right.initiator_hears_the_end())
    assert _refused_by_code_3(pair.again())


@both_roles
def test_a_code_is_taken_by_the_first_message_1(client_first: bool) -> None:
    pair = Pair(CODE, client_first)
    first = pair.again()
    first.carry(3)
    assert _offer_state(pair) == "taken"
    assert _refused_by_code_3(pair.again())
    first.open()


@both_roles
def test_another_number_is_refused_and_burns_nothing(client_first: bool) -> None:
    pair = Pair(CODE, client_first)
    assert _refused_by_code_3(_with_code(pair, 998, "acrobat-velcro-sugar"))
    assert _offer_state(pair) == "open"
    pair.again().open()


@both_roles
def test_an_initiator_asks_for_a_new_code_when_message_2_fails(client_first: bool) -> None:
    pair = Pair(CODE, client_first)
    pair.carry(3)
    message_2 = bytearray(pair.real.data_to_send() if client_first else pair.from_client())
    message_2[-1] ^= 1
    assert _needs_new_code(pair.initiator_fails_at(bytes(message_2)))


@both_roles
@pytest.mark.parametrize("share", ["low order", "own"])
def test_shares_that_are_refused(client_first: bool, share: str) -> None:
    pair = Pair(CODE, client_first)
    first = pair.initiators_first()
    bad = bytes(32)
    if share == "low order":
        assert pair.again().responder_fails_at(first[:26] + bad + first[58:]) == b""
        assert _offer_state(pair) == "open"
    else:
        bad = first[26:58]
    pair.to_either(not client_first, first)
    answer = pair.from_client() if not client_first else pair.real.data_to_send()
    pair.initiator_fails_at(answer[:8] + bad + answer[40:])


def test_cpace_gives_the_published_answers() -> None:
    vectors = json.loads((VECTORS / "cpace" / "testvectors.json").read_text())["G_25519"]
    of = {name: base64.b64decode(value) for name, value in vectors.items()}
    assert second.cpace_generator(of["PRS"], of["CI"], of["sid"]) == of["g"]
    assert second.x25519(of["ya"], of["g"]) == of["Ya"]
    assert second.x25519(of["yb"], of["g"]) == of["Yb"]
    assert second.x25519(of["ya"], of["Yb"]) == second.x25519(of["yb"], of["Ya"]) == of["K"]
    isk = second.cpace_isk(of["sid"], of["K"], of["Ya"], of["ADa"], of["Yb"], of["ADb"])
    assert isk == of["ISK_IR"]


# --- 7.4 to 7.6: numbers, codes and links as texts


def test_safety_numbers() -> None:
    for _ in range(20):
        one, other = Identity.generate().public_key, Identity.generate().public_key
        number = SafetyNumber(one, other)
        assert second.safety_digits(one, other) == number.digits.replace(" ", "")
        assert second.safety_qr(one, other) == number.qr_text
        assert second.safety_digits(other, one) == second.safety_digits(one, other)


@pytest.mark.parametrize(
    "text",
    [
        "4-acrobat-velcro-sugar",
        "4 ACROBAT velcro Sugar",
        " 4.acr,vel - sug\n",
        "4--acro..velcr\tsuga",
    ],
)
def test_codes_that_both_read(text: str) -> None:
    mine, real = second.read_code(text, WORDS), SpokenCode.parse(text)
    assert (mine.number, mine.password) == (real.number, real.password)


def test_three_letters_stand_for_each_word() -> None:
    words = [word for word in WORDS if "-" not in word]
    assert len(words) == 1295
    for at in range(0, len(words), 3):
        some = (words + words[:3])[at : at + 3]
        code = second.read_code("7 " + " ".join(word[:3] for word in some), WORDS)
        assert code.password == SpokenCode(7, some).password == "-".join(some).encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acrobat-velcro-sugar",
        "0-acrobat-velcro-sugar",
        "1000-acrobat-velcro-sugar",
        "4-acrobat-velcro",
        "4-acrobat-velcro-sugar-sugar",
        "4-ac-velcro-sugar",
        "4-aa-velcro-sugar",  # too short, although only one word begins so
        "4-yo-yo-velcro-sugar",
        "4-acrobats-velcro-sugar",
        "4-xyz-velcro-sugar",
        "\u0664-acrobat-velcro-sugar",
        "-4-acrobat",
    ],
)
def test_codes_that_both_refuse(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- it has one kind of error
        second.read_code(text, WORDS)
    with pytest.raises(InvalidInvitation):
        SpokenCode.parse(text)


ADDRESSES = [
    (("localhost", 1),),
    (("192.168.1.20", 3233), ("fe80::1%eth0", 65535), ("a" * 253, 1)),
    tuple((f"host-{i}_.example", 1000 + i) for i in range(8)),
]


@pytest.mark.parametrize("addresses", ADDRESSES)
def test_links_that_both_read(addresses: tuple[tuple[str, int], ...]) -> None:
    key, secret = Identity.generate().public_key, random.randbytes(32)
    mine, real = second.Link(key, secret, 2**40, addresses), Link(key, secret, 2**40, addresses)
    assert mine.text() == real.text
    assert (mine.lookup_id, mine.psk) == (real.lookup_id, real.psk)
    for text in (real.text, real.text.upper(), f"  {real.text[:50]}\n {real.text[50:]}\t"):
        assert second.read_link(text).text().lower() == Link.parse(text).text.lower()
    assert second.read_link(real.text) == mine


def _link_text(content: bytes, prefix: str = "invite") -> str:
    return "e2ee:" + str(second.bech32m(prefix, content))


def _bad_links() -> dict[str, str]:
    good = second.Link(Identity.generate().public_key, bytes(32), 2**40, (("localhost", 1),))
    content = second.from_bech32m("invite", good.text()[5:])
    head, text = content[:73], good.text()
    wrong = "q" if text[30] != "q" else "p"
    stray = [second.CHARSET.index(letter) for letter in text[len("e2ee:invite1") : -6]] + [0]
    check = second._polymod("invite", stray + [0] * 6) ^ 0x2BC830A3
    stray += [check >> 5 * i & 31 for i in reversed(range(6))]
    too_long = b"".join(bytes([200]) + b"a" * 200 + b"\0\1" for _ in range(4))
    return {
        "mistyped": text[:30] + wrong + text[31:],
        "cut": text[:-1],
        "mixed case": text[:40] + text[40:].upper(),
        "no scheme": text[5:],
        "prefix": _link_text(content, "invitf"),
        "version": _link_text(b"\2" + content[1:]),
        "identity of low order": _link_text(content[:1] + bytes(32) + content[33:]),
        "no address": _link_text(head),
        "short head": _link_text(head[:-1]),
        "nine addresses": _link_text(head + content[73:] * 9),
        "empty host": _link_text(head + b"\0\0\1"),
        "host with a blank": _link_text(head + b"\3a b\0\1"),
        "host of 254": _link_text(head + b"\xfe" + b"a" * 254 + b"\0\1"),
        "half a port": _link_text(content[:-1]),
        "five stray bits": "e2ee:invite1" + "".join(second.CHARSET[value] for value in stray),
        "too long": _link_text(head + too_long),
        "empty": "",
    }


BAD_LINKS = _bad_links()


@pytest.mark.parametrize("case", BAD_LINKS)
def test_links_that_both_refuse(case: str) -> None:
    with pytest.raises((second.Failure, ValueError)):
        second.read_link(BAD_LINKS[case])
    with pytest.raises(InvalidInvitation):
        Link.parse(BAD_LINKS[case])


REFUSED: dict[str, Change] = {
    "content type": lambda c: c.record(2, b"x"),
    "short record": lambda c: c.out.extend(b"\0\x12"),
    "empty control": lambda c: c.record(1, b""),
    "unknown kind": lambda c: c.record(1, b'{"kind":"nope"}'),
    "white space": lambda c: c.record(1, b'{"kind":"ping" }'),
    "escape": lambda c: c.record(1, b'{"kind":"p\\u0069ng"}'),
    "more members": lambda c: c.record(1, b'{"kind":"ping","a":1}'),
    "twice": lambda c: c.record(1, b'{"kind":"ping","kind":"ping"}'),
    "deep": lambda c: c.record(1, b"[" * 60000),
    "no message": lambda c: c.record(1, b'{"kind":"refresh_offer","message":""}'),
    "trailing bits": lambda c: c.record(1, b'{"kind":"refresh_offer","message":"AB=="}'),
    "answer without offer": lambda c: c.control("refresh_answer", message=b"x"),
    "switch without answer": lambda c: c.control("refresh_switch"),
    "junk offer": lambda c: c.control("refresh_offer", message=bytes(1248)),
    "close in a message": lambda c: (c.send_cut(b"\0\0\0\5ab", 6), c.close()),
    "close in a length": lambda c: (c.send_cut(b"\0", 1), c.close()),
    "bytes after close": lambda c: (c.close(), c.out.extend(b"\0")),
}


@both_roles
@pytest.mark.parametrize("case", REFUSED)
def test_refused(client_first: bool, case: str) -> None:
    pair = Pair(1, client_first).open()
    REFUSED[case](pair.client)
    with pytest.raises(ProtocolError):
        pair.pump()
    assert pair.real.state.value == "failed"
    # The same from a second client.
    bad, good = two_clients(1, client_first)
    talk(bad, good)
    REFUSED[case](bad)
    with pytest.raises(second.Failure):
        good.receive(bytes(bad.out))
    assert good.state == "FAILED"


def test_ids() -> None:
    for _ in range(20):
        identity = Identity.generate()
        assert second.key_of(f" {identity.id.upper()}\n") == identity.public_key
        assert second.safety_words(identity.public_key, WORDS) == list(identity.words)
    text = identity.id
    wrong = "q" if text[30] != "q" else "p"
    for bad in (text[:30] + wrong + text[31:], text[:-1], text[:9] + text[9:].upper(), "b" + text):
        with pytest.raises(ValueError):  # noqa: PT011 -- it has one kind of error
            second.key_of(bad)
    for y in second.LOW_ORDER_Y:
        for sign in (0, 2**255):
            with pytest.raises(second.Failure):
                second.key_of(second.id_of((y | sign).to_bytes(32, "little")))


def test_chat() -> None:
    text = second.chat_text(1, 'a "line"\n\\ \x00\x1f\x7f é 🎈')
    assert text == (
        b'{"kind":"text","id":1,"body":"a \\"line\\"\\n\\\\ \\u0000\\u001f\x7f \xc3\xa9 \xf0\x9f'
        b'\x8e\x88"}'
    )
    assert second.read_chat(text)["body"] == 'a "line"\n\\ \x00\x1f\x7f é 🎈'
    assert second.read_chat(b'{"kind":"receipt","id":7}') == {"kind": "receipt", "id": 7}
    leave = {"kind": "leave", "reason": "left"}
    assert second.read_chat(b'{"kind":"leave","reason":"left"}') == leave
    name = {"kind": "name", "name": "Zoë" + "x" * 61}
    assert second.read_chat(second.encode(**name)) == name
    for unknown in (
        b'{"kind":"x"}',
        b'{"kind":"x-1._","whatever',
        b'{"kind":"' + b"a" * 32 + b'"}',
    ):
        assert second.read_chat(unknown) is None
    for malformed in (
        b"",
        b"hello",
        b'{"kind":""}',
        b'{"kind":"X"}',
        b'{"kind":"' + b"a" * 33 + b'"}',
        b'{"kind":"x":',
        b'{"kind": "x"}',
        b'{"kind":"leave"}',
        b'{"kind":"leave","reason":"Left"}',
        b'{"kind":"hello","purposes":[]}',
        b'{"kind":"hello","purposes":["a","a","a","a","a","a","a","a","a"]}',
        b'{"kind":"hello","purposes":["Chat"]}',
        b'{"kind":"hello","purposes":[1]}',
        b'{"kind":"stream","id":"AAAA","first":1}',
        b'{"kind":"stream","id":"AAAAAAAAAAAAAAAAAAAAAA==","first":0}',
        b'{"kind":"resume","received":-1}',
        b'{"kind":"name","name":""}',
        b'{"kind":"name","name":"' + b"a" * 65 + b'"}',
        b'{"kind":"text","id":0,"body":""}',
        b'{"kind":"text","id":true,"body":""}',
        b'{"kind":"text","id":1.0,"body":""}',
        b'{"kind":"text","id":9007199254740992,"body":""}',
        b'{"kind":"text","id":1,"body":"\\ud800"}',
        b'{"kind":"text","id":1,"body":"' + b"a" * (2**20 + 1) + b'"}',
    ):
        with pytest.raises(ValueError):  # noqa: PT011 -- it has one kind of error
            second.read_chat(malformed)
