"""``e2ee connect``: call somebody who listens, and chat."""

from __future__ import annotations

import time

from e2ee import Padding, Session
from e2ee.transport import tcp

from .addresses import parse_address
from .chat import TIMEOUTS, announce, chat
from .home import own_identity
from .output import Output


async def connect(address: str, *, peer: str | None, output: Output) -> None:
    host, port = parse_address(address)
    session = Session.initiator(
        own_identity(output), expected_peer=peer, now=time.time(), padding=Padding.CHAT
    )
    where = tcp.display_address((host, port))
    output.status("connecting", f"Connecting to {where} …", address=where)
    channel = await tcp.connect(host, port, session, timeouts=TIMEOUTS)
    announce(output, channel.peer, expected=peer is not None)
    await chat(channel, output, leave_at_end_of_input=True)
