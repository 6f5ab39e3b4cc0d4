"""A man in the middle: a whole program that ends both handshakes with keys of his own, and
forwards what he reads.

    python man_in_the_middle.py HOST:PORT KIND [SECRET [OWN-PORT]]

He listens on 127.0.0.1, on a free port if none is given, and prints it. KIND
is what he pretends to: ``meeting`` (also to who calls as a contact, whom he asks for a first
meeting), ``link`` with a link that he has made himself, or ``code`` with a guess. Each line that he
can read he prints, after ``READ ``; each end that he cannot enter, after ``FAILED ``. For each
caller he calls HOST:PORT.
"""

from __future__ import annotations

import asyncio
import sys

from e2ee import E2EEError, Identity, Session
from e2ee.code_offer import CodeOffer
from e2ee.invitation import Link, SpokenCode
from e2ee.transport import Channel, tcp

MALLORY = Identity.generate()


class HisLink:
    """He answers to every link, with a secret of his own."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def psk(self, _lookup_id: bytes) -> bytes:
        return self._link.psk

    def take(self, _lookup_id: bytes) -> bool:
        return True


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def carry(source: Channel, target: Channel) -> None:
    async for message in source:
        say("READ", message)
        await target.send(message)
    await target.close()


class Mallory:
    def __init__(self, address: str, kind: str, secret: str) -> None:
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
        self.kind = kind
        self.link = Link.parse(secret) if kind == "link" else None
        self.code = SpokenCode.parse(secret) if kind == "code" else None
        self.tasks: list[asyncio.Task[None]] = []

    def to_caller(self) -> Session:
        if self.link is not None:
            return Session.responder(MALLORY, suites=(), links=HisLink(self.link))
        if self.code is not None:
            return Session.responder(MALLORY, suites=(), code=CodeOffer(self.code))
        return Session.responder(MALLORY, admit=lambda _peer, _number: True)

    async def call_listener(self) -> Channel | None:
        session = Session.initiator(MALLORY, invitation=self.link or self.code)
        try:
            channel = await tcp.connect(self.host, self.port, session)
        except E2EEError as error:
            say("FAILED to the listener:", error)
            return None
        say("INSIDE, to the listener")
        return channel

    async def on_channel(self, caller: Channel) -> None:
        say("INSIDE, to the caller")
        listener = await self.call_listener()
        if listener is None:
            await caller.abort()
            return
        await asyncio.gather(
            carry(caller, listener), carry(listener, caller), return_exceptions=True
        )

    def on_failure(self, _address: str, error: E2EEError) -> None:
        say("FAILED to the caller:", error)
        if self.kind != "meeting":
            # Whom the caller has refused, the listener may still take.
            self.tasks.append(asyncio.create_task(self.try_listener()))

    async def try_listener(self) -> None:
        if (channel := await self.call_listener()) is not None:
            await channel.abort()


async def main(address: str, kind: str, secret: str = "", own_port: str = "0") -> None:
    man = Mallory(address, kind, secret)
    server = await tcp.listen(
        man.to_caller,
        man.on_channel,
        host="127.0.0.1",
        port=int(own_port),
        on_failure=man.on_failure,
    )
    say(server.port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
