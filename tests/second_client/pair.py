"""The second client and a real session, with what they must have in common, over no wire at all."""

from __future__ import annotations

import copy
import importlib
import itertools
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import e2ee
from e2ee import Identity, MessageReceived, Peer, ProtocolError, Session
from e2ee.code_offer import CodeOffer
from e2ee.contacts import ContactBook
from e2ee.invitation import Link, SpokenCode
from e2ee.opening import KnownDevice
from e2ee.suites import SUITES

second: Any = importlib.import_module("tests.second_client.client")
"""Untyped, so that tests can make it misbehave."""

MEETINGS = (0x0001, 0x0002, 0x0003)
KNOWN, LINK, CODE = 0x0101, 0x0201, 0x0301
WORDS = [
    line
    for line in Path(e2ee.__file__).with_name("words.txt").read_text().splitlines()
    if not line.startswith("#")
]


def now() -> int:
    return int(time.time())


Change = Callable[[Any], object]


class RealLinks:
    """The pending links of a real session."""

    def __init__(self, *links: Link) -> None:
        self.pending = {link.lookup_id: link.psk for link in links}

    def psk(self, lookup_id: bytes) -> bytes | None:
        return self.pending.get(lookup_id)

    def take(self, lookup_id: bytes) -> bool:
        return self.pending.pop(lookup_id, None) is not None


def device_key(identity: Identity) -> bytes:
    return identity.device_key.public_key().public_bytes_raw()


def same_link(link: Any) -> Link:
    return Link.parse(link.text())


class Pair:
    """The second client (`client`) and a real session (`real`) over an imaginary wire.

    In the openings that need it, both know what they must have in common.
    """

    def __init__(
        self,
        suite: int,
        client_first: bool,
        *,
        change: Change = lambda _: None,
        client: dict[str, Any] | None = None,
        **real: Any,
    ) -> None:
        self.me = second.Me.generate(now())
        change(self.me)
        self.identity = Identity.generate()
        mine: dict[str, Any] = {}
        common = self._known if suite == KNOWN else self._link if suite == LINK else self._code
        if suite not in MEETINGS:
            common(client_first, mine, real)
        elif client_first:
            real.setdefault("suites", (SUITES[suite],))
        else:
            real["suite"] = SUITES[suite]
        real.setdefault("now", now())
        if client_first:
            real.setdefault("suites", ())
        self.suite, self.client_first = suite, client_first
        self.client_options, self.real_options = mine | (client or {}), real
        self._start()

    def _start(self) -> None:
        self.client = second.Client(
            self.me, self.client_first, now(), (self.suite,), **self.client_options
        )
        make = Session.responder if self.client_first else Session.initiator
        self.real = make(self.identity, **self.real_options)
        self.to_client, self.to_real = bytearray(), bytearray()
        self.client_events: list[Any] = []
        self.real_events: list[Any] = []

    def again(self, *, client: dict[str, Any] | None = None, **real: Any) -> Pair:
        """The same two with the same memory, in another connection."""
        other = copy.copy(self)
        other.client_options = self.client_options | (client or {})
        other.real_options = self.real_options | real
        other._start()
        return other

    def from_client(self) -> bytes:
        data = bytes(self.client.out)
        self.client.out.clear()
        return data

    def flights(self) -> Iterator[bytes]:
        """Carries one flight in each step, the initiator's first; what it carried."""
        from_client = self.client_first
        while data := self.from_client() if from_client else self.real.data_to_send():
            self.to_either(not from_client, data)
            yield data
            from_client = not from_client

    def carry(self, count: int) -> None:
        for _ in itertools.islice(self.flights(), count):
            pass

    def to_either(self, client: bool, data: bytes) -> None:
        if client:
            self.client_events += self.client.receive(data)
        else:
            self.real_events += self.real.receive_data(data)

    def initiators_first(self) -> bytes:
        return self.from_client() if self.client_first else self.real.data_to_send()

    def responder_fails_at(self, data: bytes) -> bytes:
        """What the responder still sends after it has refused this."""
        with pytest.raises((ProtocolError, second.Failure)):
            self.to_either(not self.client_first, data)
        if not self.client_first:
            return self.from_client()
        try:
            return self.real.data_to_send()
        except ProtocolError:
            return b""

    def initiator_fails_at(self, data: bytes) -> Exception:
        with pytest.raises((ProtocolError, second.Failure)) as caught:
            self.to_either(self.client_first, data)
        error: Exception = caught.value
        return error

    def initiator_hears_the_end(self) -> Exception:
        with pytest.raises((ProtocolError, second.Failure)) as caught:
            self.client.end() if self.client_first else self.real.receive_eof()
        error: Exception = caught.value
        return error

    def _known(self, client_first: bool, mine: dict[str, Any], real: dict[str, Any]) -> None:
        if client_first:
            mine["responder_static"], mine["sequence"] = device_key(self.identity), 1
            mine["expected_peer"] = self.identity.public_key
            book = ContactBook()
            book.meet(Peer(self.me.identity_key, self.me.static_key, 0, 2**50), "meeting", 0)
            real.setdefault("admit", lambda peer, sequence: book.admit(peer, sequence, 0))
        else:
            mine["contacts"] = {self.identity.public_key: {}}
            real.setdefault("device", KnownDevice(self.me.static_key, 1))
            real.setdefault("expected_peer", second.id_of(self.me.identity_key))

    def _link(self, client_first: bool, mine: dict[str, Any], real: dict[str, Any]) -> None:
        inviter = self.identity.public_key if client_first else self.me.identity_key
        link = second.Link(inviter, random.randbytes(32), now() + 60, (("localhost", 1),))
        if client_first:
            mine["link"] = link
            real.setdefault("links", RealLinks(same_link(link)))
        else:
            mine["links"] = {link.lookup_id: link}
            real.setdefault("invitation", same_link(link))

    def _code(self, client_first: bool, mine: dict[str, Any], real: dict[str, Any]) -> None:
        code = SpokenCode.generate(999)
        mine["code"] = second.read_code(str(code), WORDS)
        if client_first:
            real.setdefault("code", CodeOffer(code))
        else:
            real.setdefault("invitation", code)

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

    def open(self) -> Pair:
        self.pump()
        assert self.client.state == "OPEN"
        assert self.real.state.value == "open"
        return self
