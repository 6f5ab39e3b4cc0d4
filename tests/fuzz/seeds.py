"""What honest programs send, as inputs of the targets: where a fuzzer begins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from e2ee import Session, State
from e2ee import identity as identity_module
from e2ee.backup import backup_phrase
from e2ee.certificate import Peer
from e2ee.contacts import ContactBook
from e2ee.file_messages import encode_chunk
from e2ee.safety_number import SafetyNumber
from e2ee_cli.settings import SETTINGS

from . import second, sessions
from .files import NOWHERE, sealed_contacts
from .fixed import NOW, fixed_randomness, person

_one_at_a_time = threading.Lock()
"""What is fixed is fixed for a whole process, and several targets are begun in threads."""


def seeds(target: str) -> list[bytes]:
    """Inputs of this target."""
    with _one_at_a_time:
        return list(_SEEDS[target]())


# Sessions.


class _Talk:
    """A whole session, with everything that one can do; ``sent`` -- by each role, all of it."""

    def __init__(self, option: int, *, null: bool) -> None:
        self._null = null
        self._sides: dict[str, Session] = {}
        self.sent = {"initiator": b"", "responder": b""}
        for role in self.sent:
            with fixed_randomness(role, null_cipher=null):
                self._sides[role] = (
                    sessions.make_initiator(option)
                    if role == "initiator"
                    else sessions.make_responder(0)
                )
        self._settle()
        for role in self.sent:
            for act in (
                lambda side: side.send(b"first"),
                Session.update_key,
                Session.ping,
                lambda side: side.send(b""),
                Session.refresh,
                lambda side: side.send(b"in a new epoch"),
            ):
                self._act(role, act)
        self._act("initiator", Session.close)
        assert {side.state for side in self._sides.values()} == {State.CLOSED}

    def _act(self, role: str, act: Callable[[Session], None]) -> None:
        with fixed_randomness(role, null_cipher=self._null):
            act(self._sides[role])
        self._settle()

    def _settle(self) -> None:
        moved = True
        while moved:
            moved = False
            for role, other in (("initiator", "responder"), ("responder", "initiator")):
                with fixed_randomness(role, null_cipher=self._null):
                    data = self._sides[role].data_to_send()
                with fixed_randomness(other, null_cipher=self._null):
                    self._sides[other].receive_data(data)
                self.sent[role] += data
                moved |= bool(data)


def _to_responder(*, null: bool) -> Iterator[bytes]:
    for option in range(6):
        yield b"\0\1" + _Talk(option, null=null).sent["initiator"]
    yield b"\1\1" + _Talk(3, null=null).sent["initiator"]
    yield b"\0\0e2ee\2\0\0\1"
    yield b"\0\0HTTP/1.1 400 Bad Request"


def _to_initiator(*, null: bool) -> Iterator[bytes]:
    for option in range(6):
        yield bytes([option, 1]) + _Talk(option, null=null).sent["responder"]
    for code in (1, 2, 3):
        yield bytes([0, 0]) + b"e2ee\1" + bytes([code, 0, 1])


CONTROL = (b'{"kind":"ping"}', b'{"kind":"pong"}', b'{"kind":"key_update"}', b'{"kind":"close"}')


def _record(content_type: int, content: bytes, padding: int) -> bytes:
    plaintext = bytes([content_type]) + len(content).to_bytes(2) + content + bytes(padding)
    return (len(plaintext) + 16).to_bytes(2) + plaintext + bytes(16)


def _contents() -> Iterator[list[tuple[int, bytes]]]:
    """Records' types and contents."""
    with fixed_randomness("initiator", null_cipher=True):
        asker, answerer = sessions.make_open(2), sessions.make_open(0)
        offer = asker.data_to_send()
        answerer.receive_data(offer)
        answer = answerer.data_to_send()
    offered, answered = (sent[5:-16] for sent in (offer, answer))
    data = [(0, b"\0\0\0\5hello"), (0, b"\0\0\0\0"), (0, b"\0\0"), (0, b"\0\5he"), (0, b"llo")]
    close = (1, CONTROL[-1])
    yield [(1, text) for text in CONTROL]
    yield [*data, close]
    yield [close, data[0]]
    yield [(1, offered), (1, b'{"kind":"refresh_switch"}'), *data, close]
    yield [(1, answered), *data, (1, offered), close]


def _records() -> Iterator[bytes]:
    for option in (0, 1, 2, 3, 8, 16, 34, 64):
        for contents in _contents():
            script = b"".join(
                bytes([kind, 3]) + len(content).to_bytes(2) + content for kind, content in contents
            )
            yield bytes([option, 1, 0, 0, 0]) + script
            yield bytes([option, 1, 0, 30, 1]) + script


def _records_behind_cipher() -> Iterator[bytes]:
    for option in (0, 1, 2, 3, 8, 16, 34, 64):
        for contents in _contents():
            yield bytes([option, 1]) + b"".join(
                _record(kind, content, 3) for kind, content in contents
            )


# Messages.


def _messages() -> Iterator[bytes]:
    """One of each kind, with values that fit."""
    for table in (second.CONTROL, second.CHAT, second.FILES):
        for kind, described in table.items():
            yield _object({"kind": kind}, described)
    yield _object({}, second.CERTIFICATE)
    yield _object({}, second.PAYLOAD)
    sequence, nonce = second.CHAT["resume"]["received"], second.CERTIFICATE["identity"]
    yield _object({}, {**second.PAYLOAD, "sequence": sequence})
    yield _object({}, {**second.PAYLOAD, "nonce": nonce})
    yield b'{"kind":"typing","a":[1]}'
    yield encode_chunk(bytes(16), 7, memoryview(b"data"))
    yield b"\2bytes"


def _object(first: dict[str, object], described: second.Members) -> bytes:
    values = dict(first)
    for name, (kind, fits) in described.items():
        candidates: tuple[object, ...] = (
            *(bytes(size) for size in (16, 32, 64)),
            1,
            "left",
            "declined",
            ["chat"],
        )
        values[name] = next(value for value in candidates if type(value) is kind and fits(value))
    return second.encode(values)


# Texts.


def _typed() -> Iterator[bytes]:
    alice, bob = person("alice"), person("bob")
    number = SafetyNumber(alice.public_key, bob.public_key)
    link = sessions.link()
    content = (
        b"\1" + bob.public_key + bytes(32) + NOW.to_bytes(8) + b"\x0c192.168.1.20" + b"\x0c\xa1"
    )
    for kind, texts in enumerate(
        (
            [alice.id, alice.id.upper(), f" {bob.id}\n", alice.id[:-1]],
            [link.text, link.text.upper(), f"{link.text[:40]}\n{link.text[40:]}"],
            [sessions.CODE, "4 ACRO\u2013VEL.sug", "\uff11\uff12-acrobat-velcro-sugar", "0-a-b-c"],
            [" ".join(number.words), number.digits, number.qr_text, bob.id, number.digits[:25]],
            [" ".join(backup_phrase(alice)), " ".join(w[:3] for w in backup_phrase(bob))],
            ["192.168.1.20", "[::1]:4000", "chat.example.org.:80", "::1", "fe80::1%eth0"],
            ["Zoë", "e2ee1x", "a\u200bb", "-x", "two words"],
        )
    ):
        yield from (bytes([kind]) + text.encode() for text in texts)
    yield b"\7" + alice.public_key
    yield b"\x08" + content
    yield b"\x08" + content[:-1]


def _file_names() -> Iterator[bytes]:
    for name in ("report.pdf", "..", ".bashrc", "-rf", "CON.txt", "a/b\\c", "x" * 250 + ".tar.gz"):
        yield b"\0" + name.encode()
        yield b"\1" + name.encode()
    yield b"\0" + "Gr\u00fc\u00dfe \u202e\U0001f468\u200d\U0001f469 . ".encode()


def _terminal() -> Iterator[bytes]:
    for text in (
        "plain words, and more of them, so that a row is full",
        "\x1b[2J\x1b]0;title\x07\x9b31m\r\n\x08",
        "\u202eabc\u202c \u200b\u2066x\u2069",
        "日本語 עברית \U0001f468\u200d\U0001f469\u200d\U0001f467 ❤\ufe0f e\u0301\u0302\u0303",
        '"quoted\u201d (bracketed) \uff02',
    ):
        yield b"\x28" + text.encode()
    yield b"\x0a\xff\xc0\xaf\xed\xa0\x80"


# Files.


def _identity_file() -> Iterator[bytes]:
    written: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity_module, "write_private", lambda _, text, **__: written.append(text))
        person("alice").save(NOWHERE)
    yield from (bytes([kind]) + text for kind in (0, 1) for text in written)
    # The last letter of a key stands for four bits and two that mean nothing.
    key, rest = written[0].split(b"=", 1)
    yield b"\0" + key[:-1] + bytes([key[-1] + 1]) + b"=" + rest
    yield b"\0e2ee identity, version 2\n"
    salt = "A" * 22 + "=="
    yield b"\0e2ee locked identity, version 1\nargon2id 65536 3 4\nsalt %b\nsealed AAAA\n" % (
        salt.encode()
    )


def _contact_file() -> Iterator[bytes]:
    book = ContactBook()
    yield b"\2" + book.to_bytes()
    for name in ("bob", "carol"):
        who = person(name)
        static_key = who.device_key.public_key().public_bytes_raw()
        peer = Peer(who.public_key, static_key, 0, NOW)
        book.meet(peer, "meeting", NOW, address=("192.168.1.20", 3233))
        book.admit(peer, 7, NOW)
        book.claim(who.public_key, name)
    data = book.to_bytes()
    yield b"\2" + data
    yield b"\1" + len(data).to_bytes(4) + data + bytes(20)
    yield b"\0" + sealed_contacts(len(data).to_bytes(4) + data)


def _configuration() -> Iterator[bytes]:
    for key in SETTINGS:
        for value in ("true", '"seen"', '"a text"', "1", "30", '""', "[1]", "1979-05-27"):
            yield f"{key} = {value}\n".encode()
    yield 'require = "verified"\nname = "Zoë"\nhistory = true\nhistory_days = 30\n'.encode()
    yield b"[contacts]\nx = 1\n"


# Steps of machines; the numbers are those of the tables there.


def _chat() -> Iterator[bytes]:
    yield bytes([9, 8, 8, 11, 3, 0, 11, 11, 1, 0, 1, 0, 4, 1])
    yield bytes([2, 1, 0, 0, 0, 10, 11, 0, 0, 0, 0, 10, 12, 5, 6])
    yield bytes([2, 1, 9, 0, 9, 10, 11, 15, 2, 1, 0, 11, 0, 10])
    yield bytes([9, 8, 11, 3, 200, 11, 3, 0, 11, 1, 0, 13, 11])
    yield b"\7\x11" + b'{"kind":"typing"}'


def _files() -> Iterator[bytes]:
    # Offer 16 bytes, accept, start, a chunk, written, acknowledge, end, finished, done.
    whole = [1, 0, 0, 16, 1, 8, 1, 3, 0, 1, 4, 0, 15, 0, 1, 11, 0, 16, 1, 14, 1, 5, 0, 1, 12, 1, 14]
    yield bytes(whole)
    yield bytes([1, 0, 0, 16, 1, 9, 4, 1, 3, 4, 1, 4, 0, 11, 0, 1, 5, 1, 1, 14, 1, 6])
    yield bytes([1, 0, 0, 16, 1, 8, 1, 3, 0, 1, 4, 0, 3, 1])
    member = [2, 2, 1, 0, 2, 8, 2, 3, 0, 2, 4, 0, 0, 0, 2, 5, 0, 2, 12]
    yield bytes([1, 1, 0, 1, 8, *member])
    yield bytes([1, 1, 0, 1, 10, 1, 6, 1, 0, 0, 1, 1, 13, 1, 6])


_SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "responder": lambda: _to_responder(null=False),
    "initiator": lambda: _to_initiator(null=False),
    "responder_behind_cipher": lambda: _to_responder(null=True),
    "initiator_behind_cipher": lambda: _to_initiator(null=True),
    "records": _records,
    "records_behind_cipher": _records_behind_cipher,
    "messages": _messages,
    "typed": _typed,
    "file_names": _file_names,
    "terminal": _terminal,
    "identity_file": _identity_file,
    "contact_file": _contact_file,
    "configuration": _configuration,
    "chat": _chat,
    "files": _files,
}
