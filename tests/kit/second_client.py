"""The second client as the side under test, with everything fixed that it draws at random.

Cases are made with it, so that what they expect comes from SPEC.md and not from the package.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import e2ee

from .case import Case, Step

CLIENT = Path(__file__).parents[1] / "second_client" / "client.py"
WORDS = [
    line
    for line in Path(e2ee.__file__).with_name("words.txt").read_text().splitlines()
    if not line.startswith("#")
]


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("kit_second_client", CLIENT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


second = _load()
KNOWN, LINK, CODE = 0x0101, 0x0201, 0x0301


class _Bowl:
    """Stands where the client looks for ``os``: what it draws has been laid in before."""

    def __init__(self) -> None:
        self.laid_in: list[bytes] = []

    def urandom(self, size: int) -> bytes:
        value = self.laid_in.pop(0)
        assert len(value) == size
        return value

    @contextmanager
    def of(self, laid_in: list[bytes]) -> Iterator[None]:
        self.laid_in = laid_in
        yield


bowl = second.os = _Bowl()


@dataclass
class Draws:
    """What one side draws, in the order of use. Keys may be objects that behave as keys do."""

    ephemerals: list[Any]
    kems: list[Any] = field(default_factory=list)
    encapsulations: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Pairs of secret and ciphertext."""
    octets: list[bytes] = field(default_factory=list)

    def fixed(self, *, initiator: bool, hybrid: bool) -> Any:
        """What the next handshake draws."""
        return second.Fixed(
            ephemeral=self.ephemerals.pop(0),
            kem=self.kems.pop(0) if hybrid and initiator else None,
            encapsulation=self.encapsulations.pop(0) if hybrid and not initiator else None,
        )


class FixedClient(second.Client):  # type: ignore[name-defined,misc]
    """The second client, which draws what it is given."""

    def __init__(self, draws: Draws, *, initiator: bool, suites: tuple[int, ...], **rest: Any):
        self.draws = draws
        with bowl.of(draws.octets):
            super().__init__(initiator=initiator, suites=suites, **rest)

    def receive(self, data: bytes) -> list[Any]:
        with bowl.of(self.draws.octets):
            events: list[Any] = super().receive(data)
        return events

    def _begin(self, prologue: bytes, psk: bytes = b"") -> None:
        self.fixed = self.draws.fixed(initiator=self.initiator, hybrid="MLKEM" in self.protocol)
        super()._begin(prologue, psk)

    def _refresh_handshake(self, initiator: bool) -> Any:
        handshake = super()._refresh_handshake(initiator)
        hybrid = "MLKEM" in self.refresh_protocol
        handshake.fixed = self.draws.fixed(initiator=initiator, hybrid=hybrid)
        return handshake


class GivenMe(second.Me):  # type: ignore[name-defined,misc]
    """Somebody whose certificate is given."""

    given: tuple[bytes, bytes]

    def certificate(self) -> tuple[bytes, bytes]:
        return self.given


def _me(case: Case) -> Any:
    me = GivenMe(
        second.Ed25519PrivateKey.from_private_bytes(case.octets("identity-seed")),
        second.X25519PrivateKey.from_private_bytes(case.octets("device-private")),
        0,
        0,
    )
    me.given = case.octets("certificate"), case.octets("signature")
    return me


def _contacts(case: Case) -> dict[bytes, dict[bytes, int]]:
    contacts: dict[bytes, dict[bytes, int]] = {}
    for line in case.all("contact"):
        identity, *device = line.split()
        devices = contacts.setdefault(bytes.fromhex(identity), {})
        if device:
            devices[bytes.fromhex(device[0])] = int(device[1])
    for identity in case.all("blocked"):
        del contacts[bytes.fromhex(identity)]
    return contacts


def _links(case: Case) -> dict[bytes, Any]:
    pending = [line.split() for line in case.all("pending-link")]
    links = [second.Link(b"", bytes.fromhex(s), int(expires), ()) for s, expires in pending]
    return {link.lookup_id: link for link in links}


def client(case: Case) -> FixedClient:
    """The side under test as the case describes it."""
    private = second.X25519PrivateKey.from_private_bytes
    answers = [line.split() for line in case.all("kem-answer")]
    draws = Draws(
        [private(bytes.fromhex(key)) for key in case.all("ephemeral")],
        [second.MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(x)) for x in case.all("kem-seed")],
        [(bytes.fromhex(secret), bytes.fromhex(sealed)) for sealed, secret in answers],
        [
            bytes.fromhex(value)
            for key in ("commitment-nonce", "sid", "cpace-scalar")
            for value in case.all(key)
        ],
    )
    code, link = case.get("code"), case.get("link")
    expected = case.get("expected-peer")
    return FixedClient(
        draws,
        initiator=case["role"] == "initiator",
        suites=tuple(int(suite, 16) for suite in (case.get("suite") or case["accepts"]).split()),
        me=_me(case),
        now=int(case["now"]),
        expected_peer=None if expected is None else bytes.fromhex(expected),
        responder_static=bytes.fromhex(case.get("peer-device") or ""),
        sequence=int(case.get("sequence") or 0),
        contacts=_contacts(case),
        link=None if link is None else second.read_link(link),
        links=_links(case),
        code=None if code is None else second.read_code(code, WORDS),
    )


def _told(event: Any) -> str:
    if isinstance(event, second.Opened):
        parts = event.identity_key, event.static_key, event.handshake_hash
        return " ".join(["opened", *(part.hex() for part in parts)])
    if isinstance(event, second.Message):
        return f"message {event.data.hex()}".rstrip()
    return "refreshed" if isinstance(event, second.Refreshed) else "closed"


NAMES = {
    second.VersionRefused: "version-refused",
    second.SuiteRefused: "suite-refused",
    second.InvitationRefused: "invitation-refused",
    second.NewCodeNeeded: "new-code-needed",
}
"""Of the errors that the second client tells apart."""
ANY = "any"
"""Of all others."""


class SecondClient:
    """The second client under a case."""

    def __init__(self, case: Case) -> None:
        self.client: FixedClient
        self.case = case

    def do(self, action: str, value: str) -> Step:
        """What came of one action."""
        events, failure = [], None
        try:
            events = self._act(action, value.split())
        except second.Failure as error:
            failure = NAMES.get(type(error), ANY)
            events, self.client.events = self.client.events, []
        sent = bytes(self.client.out)
        self.client.out.clear()
        return Step(action, value, tuple(map(_told, events)), (sent,) if sent else (), failure)

    def _act(self, action: str, words: list[str]) -> list[Any]:
        if action == "start":
            self.client = client(self.case)
        elif action == "receive":
            return self.client.receive(bytes.fromhex(words[0]))
        elif action == "end":
            self.client.end()
        elif words[0] == "send":
            self.client.send(bytes.fromhex("".join(words[1:])))
        else:
            calls = {"update-key": "update_key", "refresh": "refresh", "ping": "ping"}
            getattr(self.client, calls.get(words[0], "close"))()
        return []
