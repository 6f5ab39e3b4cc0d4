"""The second client, written from SPEC.md alone, against the real sessions, in both roles."""

import ast
import importlib.util
import itertools
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import e2ee
from e2ee import (
    CLASSICAL_AESGCM,
    HYBRID_AESGCM,
    HYBRID_CHACHAPOLY,
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

CLIENT = Path(__file__).with_name("client.py")


def load() -> Any:
    spec = importlib.util.spec_from_file_location("second_client", CLIENT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


second = load()
SUITES = {1: HYBRID_AESGCM, 2: HYBRID_CHACHAPOLY, 3: CLASSICAL_AESGCM}
WORDS = [
    line
    for line in Path(e2ee.__file__).with_name("words.txt").read_text().splitlines()
    if not line.startswith("#")
]


def now() -> int:
    return int(time.time())


class Pair:
    """The second client (`client`) and a real session (`real`) over an imaginary wire."""

    def __init__(
        self, suite: int, client_first: bool, *, client: dict[str, Any] | None = None, **real: Any
    ) -> None:
        self.me = second.Me.generate(now())
        self.identity = Identity.generate()
        self.client = second.Client(self.me, client_first, now(), (suite,), **(client or {}))
        real.setdefault("now", now())
        if client_first:
            self.real = Session.responder(self.identity, suites=(SUITES[suite],), **real)
        else:
            self.real = Session.initiator(self.identity, suite=SUITES[suite], **real)
        self.to_client, self.to_real = bytearray(), bytearray()
        self.client_events: list[Any] = []
        self.real_events: list[Any] = []

    def collect(self) -> None:
        self.to_real += self.client.out
        self.client.out.clear()
        self.to_client += self.real.data_to_send()

    def give_real(self, size: int) -> None:
        data, self.to_real = bytes(self.to_real[:size]), self.to_real[size:]
        self.real_events += self.real.receive_data(data)

    def give_client(self, size: int) -> None:
        data, self.to_client = bytes(self.to_client[:size]), self.to_client[size:]
        self.client_events += self.client.receive(data)

    def pump(self, size: int = 2**30) -> tuple[list[Any], list[Any]]:
        """Carries all there is, `size` bytes at a time; the client's events and the session's."""
        self.client_events, self.real_events = [], []
        self.collect()
        while self.to_real or self.to_client:
            self.give_real(size)
            self.give_client(size)
            self.collect()
        return self.client_events, self.real_events

    def messages(self) -> tuple[list[bytes], list[bytes]]:
        mine = [event.data for event in self.client_events if isinstance(event, second.Message)]
        real = [event.data for event in self.real_events if isinstance(event, MessageReceived)]
        return mine, real

    def open(self) -> "Pair":
        self.pump()
        assert self.client.state == "OPEN"
        assert self.real.state.value == "open"
        return self


both_roles = pytest.mark.parametrize("client_first", [True, False], ids=["client->", "session->"])
all_suites = pytest.mark.parametrize("suite", [1, 2, 3])


@pytest.fixture(params=[(s, r) for s in (1, 2, 3) for r in (True, False)], ids=str)
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
    allowed = {"base64", "cryptography", "dataclasses", "hashlib", "json", "struct", "typing"}
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


Change = Callable[[Any], object]


def _other_certificate(me: Any) -> None:
    me.certificate = second.Me.generate(now()).certificate


def _bad_signature(me: Any) -> None:
    certificate, signature = me.certificate()
    me.certificate = lambda: (certificate, signature[:-1] + bytes([signature[-1] ^ 1]))


def _bad_padding(me: Any) -> None:
    payload = me.payload()
    me.payload = lambda: payload[:-1] + b"\1"


def _expired(me: Any) -> None:
    me.not_after = now() - 3600


def _too_early(me: Any) -> None:
    me.not_before = now() + 3600


@both_roles
@pytest.mark.parametrize(
    "change", [_other_certificate, _bad_signature, _bad_padding, _expired, _too_early]
)
def test_bad_certificates(client_first: bool, change: Change) -> None:
    pair = Pair(1, client_first)
    change(pair.me)
    with pytest.raises(ProtocolError):
        pair.pump()
    checked = second.Me.generate(now())
    change(checked)
    with pytest.raises((second.Failure, second.InvalidSignature)):
        second.check_payload(checked.payload(), checked.static_key, bytes(32), now())


@both_roles
def test_reflection(client_first: bool) -> None:
    me = second.Me.generate(now())
    pair = Pair(1, client_first)
    pair.client.me = me
    good = second.check_payload(me.payload(), me.static_key, bytes(32), now())
    assert good == me.identity_key
    with pytest.raises(second.Failure, match="own key"):
        second.check_payload(me.payload(), me.static_key, me.static_key, now())


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
    pair = Pair(rng.choice([1, 2, 3]), rng.random() < 0.5, limits=limits).open()
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
    me, other = second.Me.generate(now()), second.Me.generate(now())
    bad = second.Client(me, client_first, now())
    good = second.Client(other, not client_first, now())
    while bad.out or good.out:
        for one, two in ((bad, good), (good, bad)):
            data = bytes(one.out)
            one.out.clear()
            two.receive(data)
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
    assert second.read_chat(b'{"kind":"leave"}') == {"kind": "leave"}
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
        b'{"kind":"leave","id":1}',
        b'{"kind":"text","id":0,"body":""}',
        b'{"kind":"text","id":true,"body":""}',
        b'{"kind":"text","id":1.0,"body":""}',
        b'{"kind":"text","id":9007199254740992,"body":""}',
        b'{"kind":"text","id":1,"body":"\\ud800"}',
        b'{"kind":"text","id":1,"body":"' + b"a" * (2**20 + 1) + b'"}',
    ):
        with pytest.raises(ValueError):  # noqa: PT011 -- it has one kind of error
            second.read_chat(malformed)
