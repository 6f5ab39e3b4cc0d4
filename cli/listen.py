"""``e2ee listen``: wait for somebody to call, and chat."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import deque

from e2ee import E2EEError, Padding, Session
from e2ee.ids import decode_id
from e2ee.transport import Channel, tcp

from .addresses import reachable_addresses, with_port
from .chat import TIMEOUTS, announce, chat
from .clean import clean
from .home import own_identity
from .output import Output

REPORTS, REPORT_PERIOD = 8, 10.0
"""Of strangers who were turned away so many are told of in so many seconds; others are counted."""


async def listen(host: str | None, port: int, *, peer: str | None, output: Output) -> None:
    """Chat with the first who completes a handshake (as ``peer``, where that is given)."""
    identity = own_identity(output)
    host = None if host == "*" else host and host.removeprefix("[").removesuffix("]")
    if peer is not None:
        decode_id(peer)

    def new_session() -> Session:
        return Session.responder(
            identity, expected_peer=peer, now=time.time(), padding=Padding.CHAT
        )

    arrived: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def on_channel(channel: Channel) -> None:
        if not arrived.done():
            arrived.set_result(channel)
            await over.wait()

    reported: deque[float] = deque(maxlen=REPORTS)
    unreported = 0

    def on_failure(address: str, error: E2EEError) -> None:
        nonlocal unreported
        now = time.monotonic()
        if len(reported) == REPORTS and now - reported[0] < REPORT_PERIOD:
            unreported += 1
            return
        reason = clean(str(error))
        others = f" (and {unreported} before)" if unreported else ""
        output.status(
            "turned_away",
            f"Somebody at {address} was not let in: {reason}{others}",
            address=address,
            reason=reason,
            unreported=unreported,
        )
        reported.append(now)
        unreported = 0

    listener = await tcp.listen(
        new_session,
        on_channel,
        host=host,
        port=port,
        on_failure=on_failure,
        timeouts=TIMEOUTS,
    )
    try:
        addresses = _addresses(host)
        lines = [f"e2ee connect {with_port(address, listener.port)}" for address in addresses]
        output.status(
            "listening",
            "Waiting for a call. On the other machine run"
            + (" one of" if len(lines) > 1 else "")
            + "".join(f"\n  {line}" for line in lines)
            + f"\nYour safety words: {' '.join(identity.words)}",
            port=listener.port,
            addresses=addresses,
            connect=lines,
            id=identity.id,
            words=list(identity.words),
        )
        channel = await arrived
        listener.stop_accepting()
        announce(output, channel.peer, expected=peer is not None)
        await chat(channel, output, leave_at_end_of_input=False)
    finally:
        over.set()
        await listener.close()


def _addresses(host: str | None) -> list[str]:
    """What to tell the other side for this ``--host``."""
    if host is None:
        return reachable_addresses()
    try:
        chosen = ipaddress.ip_address(host)
    except ValueError:
        return [host]
    if not chosen.is_unspecified:
        return [host]
    return [ip for ip in reachable_addresses() if ipaddress.ip_address(ip).version == 4] or [host]
