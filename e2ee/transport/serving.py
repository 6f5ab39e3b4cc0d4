"""What a listener of any kind does with a stream that somebody has opened to it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from e2ee.errors import E2EEError, NoRandomNumbers, ProtocolError, SessionClosed, TransportError
from e2ee.session import Session
from e2ee.transport.channel import Channel, Timeouts
from e2ee.transport.stream import Stream


async def serve_stream(
    stream: Stream,
    new_session: Callable[[], Session],
    *,
    on_failure: Callable[[E2EEError], None],
    on_authenticated: Callable[[], None],
    on_channel: Callable[[Channel], Awaitable[None]],
    timeouts: Timeouts,
) -> None:
    """From the handshake to the close, and whatever breaks it off is told to ``on_failure``."""
    try:
        session = new_session()
    except BaseException as error:
        await stream.close()
        if not isinstance(error, E2EEError):
            raise
        on_failure(error)
        return
    try:
        channel = await Channel.open(stream, session, timeouts=timeouts)
    except E2EEError as error:
        on_failure(error)
        return
    on_authenticated()
    try:
        await on_channel(channel)
        with contextlib.suppress(E2EEError):
            await channel.close()  # What it sent last arrives; failures were its to see.
    except (ProtocolError, SessionClosed, TransportError, NoRandomNumbers) as error:
        # A peer that goes, in order or not, is no fault of the application's; nor is the system.
        on_failure(error)
    finally:
        await channel.abort()
