"""Where a case is made: the side under test, a peer that can misbehave, and what they say.

Both are second clients, so nothing here knows the package. What the side under test did is written
down, and checked against what the author of the case expects: a failure with this name, or none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .case import Case
from .second_client import ANY, CODE, KNOWN, LINK, Draws, FixedClient, SecondClient, second

NOW = 1_750_000_000
"""Seconds since 1970 in every case."""

DAY = 86_400
SPOKEN = "4-acrobat-velcro-sugar"
ADDRESSES = (("localhost", 3233),)
Change = Callable[[bytes], bytes]

_PUBLISHED = json.loads(
    (Path(__file__).parents[1] / "vectors" / "e2ee-v1-handshake.json").read_text()
)["vectors"]
KEMS = [
    (
        bytes.fromhex(vector["initiator"]["kem_seed"]),
        bytes.fromhex(vector["kem_ciphertext"]),
        bytes.fromhex(vector["kem_secret"]),
    )
    for vector in _PUBLISHED
]
"""Seed, ciphertext and secret of three encapsulations, for whichever side needs them."""


def secret(*names: str) -> bytes:
    """32 bytes that anybody can make again."""
    return hashlib.sha256(" ".join(("e2ee kit", *names)).encode()).digest()


def private(*names: str) -> Any:
    return second.X25519PrivateKey.from_private_bytes(secret(*names))


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    """The data with one bit changed."""
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


class Person(second.Me):  # type: ignore[misc]
    """Somebody with keys that anybody can make again, and whose payload can be spoilt.

    ``spoil`` makes another payload (512 bytes) of the person and the further members.
    """

    def __init__(self, name: str) -> None:
        identity = second.Ed25519PrivateKey.from_private_bytes(secret(name, "identity"))
        super().__init__(identity, private(name, "device"), NOW - DAY, NOW + 90 * DAY)
        self.spoil: Callable[..., bytes] | None = None

    def payload(self, **further: int | bytes) -> bytes:
        if self.spoil is not None:
            return self.spoil(self, **further)
        honest: bytes = super().payload(**further)
        return honest


TESTED, PEER, STRANGER = "tested", "peer", "stranger"


class LowOrder:
    """A private key whose public key is a point of low order, as its owner would use it.

    Whoever accepts the point has a shared secret of zeros with it, and so has its owner.
    """

    def __init__(self, public: bytes) -> None:
        self.public = public

    def public_key(self) -> LowOrder:
        return self

    def public_bytes_raw(self) -> bytes:
        return self.public

    def exchange(self, _: Any) -> bytes:
        return bytes(32)


class GivenKem:
    """An ML-KEM key pair that shows this public key."""

    def __init__(self, public: bytes) -> None:
        self.public = public

    def public_key(self) -> GivenKem:
        return self

    def public_bytes_raw(self) -> bytes:
        return self.public

    def decapsulate(self, _: bytes) -> bytes:
        return bytes(32)


def draws(who: str) -> Draws:
    """What the peer draws."""
    return Draws(
        [private(who, "ephemeral", str(number)) for number in range(4)],
        [second.MLKEM768PrivateKey.from_seed_bytes(seed) for seed, _, _ in KEMS],
        [(shared, sealed) for _, sealed, shared in KEMS],
        [secret(who, "nonce"), secret(who, "sid")[:16], secret(who, "scalar")],
    )


class Peer(FixedClient):
    """The peer: it believes what it is told, and may begin its handshake with another prologue."""

    def __init__(
        self, *args: Any, other: Person, prologue: bytes | None = None, **rest: Any
    ) -> None:
        self.other, self.other_prologue = other, prologue
        super().__init__(*args, **rest)

    def _begin(self, prologue: bytes, psk: bytes = b"") -> None:
        other = self.other_prologue
        super()._begin(prologue if other is None else other, psk)

    def _check(self, *_: Any) -> dict[str, Any]:
        self.peer = self.other.identity_key, self.other.static_key
        return {"sequence": 7}


class Stage:
    """A side under test in this ``role``, and the ``peer``.

    ``suite`` -- of the opening. ``accepts`` -- what a responder under test accepts, when it is
    more than that, or something else. ``settings`` -- lines of the case in place of the usual
    ones, or none where they are empty. ``fresh`` -- the side under test draws other ephemeral
    keys. ``me``, ``draw`` and ``peer`` -- who the peer is, what it draws, and how it is made.
    """

    def __init__(
        self,
        role: str,
        suite: int,
        *,
        accepts: tuple[int, ...] = (),
        settings: dict[str, str] | None = None,
        fresh: bool = False,
        me: Person | None = None,
        draw: Draws | None = None,
        **peer: Any,
    ) -> None:
        self.suite, self.first = suite, role == "initiator"
        self.tested, self.me = Person(TESTED), me or Person(PEER)
        self.settings = self._settings(role, accepts or (suite,), settings or {})
        self.drawn, self.happened = self._draws(3 * fresh), list[tuple[str, str]]()
        self.peer = self._make_peer(draw or draws(PEER), peer)
        self.side = SecondClient(Case("", self.settings + self.drawn))
        self.failed, self.hears = False, True
        self.do("start")

    def _settings(
        self, role: str, accepts: tuple[int, ...], changes: dict[str, str]
    ) -> list[tuple[str, str]]:
        certificate, signature = self.tested.certificate()
        written: list[tuple[str, str]] = [("kind", "session"), ("role", role)]
        if self.first:
            written.append(("suite", f"{self.suite:#06x}"))
        else:
            written.append(("accepts", " ".join(f"{suite:#06x}" for suite in accepts)))
        written += [
            ("now", str(NOW)),
            ("identity-seed", secret(TESTED, "identity").hex()),
            ("device-private", secret(TESTED, "device").hex()),
            ("certificate", certificate.hex()),
            ("signature", signature.hex()),
        ]
        in_common = {self.suite} if self.first else set(accepts)
        if KNOWN in in_common:
            written += self._known()
        if LINK in in_common:
            written += self._link()
        if CODE in in_common:
            written.append(("code", SPOKEN))
            written.append(("commitment-nonce", secret(TESTED, "nonce").hex()))
            if self.first:
                written.append(("sid", secret(TESTED, "sid")[:16].hex()))
            written.append(("cpace-scalar", secret(TESTED, "scalar").hex()))
        written = [(key, value) for key, value in written if key not in changes]
        return written + [(key, value) for key, value in changes.items() if value]

    def _draws(self, first: int) -> list[tuple[str, str]]:
        """What the side under test draws."""
        numbers = range(first, first + 3)
        drawn = [("ephemeral", secret(TESTED, "ephemeral", str(n)).hex()) for n in numbers]
        drawn += [("kem-seed", seed.hex()) for seed, _, _ in KEMS]
        return drawn + [("kem-answer", f"{x.hex()} {shared.hex()}") for _, x, shared in KEMS]

    def _known(self) -> list[tuple[str, str]]:
        if self.first:
            return [
                ("expected-peer", self.me.identity_key.hex()),
                ("peer-device", self.me.static_key.hex()),
                ("sequence", "7"),
            ]
        return [("contact", f"{self.me.identity_key.hex()} {self.me.static_key.hex()} 6")]

    @property
    def link(self) -> Any:
        """The invitation of whoever is the responder."""
        inviter = self.me if self.first else self.tested
        return second.Link(inviter.identity_key, secret("link"), NOW + DAY, ADDRESSES)

    def _link(self) -> list[tuple[str, str]]:
        if self.first:
            return [("link", self.link.text())]
        return [("pending-link", f"{self.link.secret.hex()} {self.link.expires}")]

    def _make_peer(self, draw: Draws, changes: dict[str, Any]) -> Peer:
        link, code = self.link, second.Code(4, b"acrobat-velcro-sugar")
        if self.first:
            del draw.octets[1]
        common: dict[str, Any] = {
            "me": self.me,
            "other": self.tested,
            "initiator": not self.first,
            "now": NOW,
            "suites": (self.suite,),
            "code": code,
        }
        if self.first:
            common |= {"links": {link.lookup_id: link}}
            common |= {"contacts": {self.tested.identity_key: {}}}
        else:
            common |= {"link": link, "responder_static": self.tested.static_key, "sequence": 7}
            if self.suite == LINK:
                common["expected_peer"] = self.tested.identity_key
        return Peer(draw, **common | changes)

    # What happens.

    def do(self, action: str, value: str = "", fail: str | None = None) -> None:
        """One action on the side under test; ``fail`` -- the error that must come of it."""
        assert not self.failed, "nothing happens after a failure"
        step = self.side.do(action, value)
        if action != "start":
            self.happened.append((action, value))
        self.happened += [("event", event) for event in step.events]
        self.happened += [("send", sent.hex()) for sent in step.sent]
        assert (step.failure is None) == (fail is None), (step.failure, fail)
        if fail is not None:
            assert step.failure in (ANY, fail), (step.failure, fail)
            self.happened.append(("fail", fail))
            self.failed = True
        if self.hears:
            # A peer that has misbehaved may not understand the answer.
            with contextlib.suppress(second.Failure):
                self.peer.receive(b"".join(step.sent))

    @property
    def sent(self) -> bytes:
        """What the side under test sent last."""
        return bytes.fromhex(next(value for key, value in self.happened[::-1] if key == "send"))

    def take(self) -> bytes:
        """What the peer has to send."""
        data = bytes(self.peer.out)
        self.peer.out.clear()
        return data

    def give(self, data: bytes | None = None, *, fail: str | None = None) -> None:
        """These bytes to the side under test, or what the peer has to send."""
        self.do("receive", (self.take() if data is None else data).hex(), fail)

    def flights(self, count: int) -> None:
        """So many flights of the peer, as they should be."""
        for _ in range(count):
            self.give()

    def open(self) -> Stage:
        while self.peer.out:
            self.give()
        assert self.side.client.state == self.peer.state == "OPEN"
        return self

    def call(self, *words: str) -> None:
        self.do("call", " ".join(words))

    def end(self, fail: str | None = None) -> None:
        self.do("end", "", fail)

    # What a peer can seal that it should not.

    def sealed(self, plaintext: bytes) -> bytes:
        """A record around this plaintext."""
        ciphertext = self.peer.sending.encrypt(b"", plaintext)
        return struct.pack(">H", len(ciphertext)) + bytes(ciphertext)

    def record(self, content_type: int, content: bytes, padding: bytes = b"") -> bytes:
        return self.sealed(struct.pack(">BH", content_type, len(content)) + content + padding)

    def data(self, content: bytes) -> bytes:
        return self.record(0, content)

    def message(self, content: bytes) -> bytes:
        return self.data(struct.pack(">I", len(content)) + content)

    def control(self, content: bytes) -> bytes:
        return self.record(1, content)

    # The end of a case.

    def finished(self, name: str, about: str, section: str) -> Case:
        """The case, without what was not drawn in it."""
        draws = self.side.client.draws
        left = {
            "ephemeral": len(draws.ephemerals),
            "kem-seed": len(draws.kems),
            "kem-answer": len(draws.encapsulations),
        }
        drawn = []
        for key, count in left.items():
            values = [line for line in self.drawn if line[0] == key]
            drawn += values[: len(values) - count]
        head = [("section", section), ("about", about)]
        return Case(name, [*head, *self.settings, *drawn, *self.happened])
