"""Unix sockets: client and server on one machine, by the path of a file. SPEC.md section 1."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Awaitable, Callable

from e2ee.errors import AddressInUse, ConnectFailed, E2EEError, TransportError, UsageError
from e2ee.session import Session
from e2ee.transport.channel import Channel, Timeouts
from e2ee.transport.socket_stream import SocketStream
from e2ee.transport.stream import Stream
from e2ee.transport.tcp import ACCEPT_PAUSE, BACKLOG, CONNECT_TIMEOUT, SocketListener

__all__ = ["Listener", "connect", "connect_stream", "listen"]


async def connect_stream(path: str | os.PathLike[str]) -> Stream:
    """Connect to who listens at this path. Raises ConnectFailed; UsageError for no path."""
    name = _name_of(path)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await _connect(connection, name)
        loop = asyncio.get_running_loop()
        _, stream = await loop.create_unix_connection(SocketStream, sock=connection)
    except BaseException as error:
        connection.close()
        match error:
            case TimeoutError():
                reason = "too many others wait there"
            case FileNotFoundError() | ConnectionRefusedError():
                reason = "nobody listens there"
            case OSError() | ValueError():
                reason = _reason(error)
            case _:
                raise
        raise ConnectFailed(f"cannot connect to {path}: {reason}") from None
    return stream


async def _connect(connection: socket.socket, path: str) -> None:
    # asyncio takes a listener with too many callers for one that it is connecting to.
    while True:
        try:
            return connection.connect(path)
        except BlockingIOError:
            await asyncio.sleep(ACCEPT_PAUSE)


async def connect(
    path: str | os.PathLike[str], session: Session, *, timeouts: Timeouts = Timeouts()
) -> Channel:
    """Connect and shake hands.

    Raises ConnectFailed and UsageError, as ``connect_stream``, and what ``Channel.open`` raises.
    """
    return await Channel.open(await connect_stream(path), session, timeouts=timeouts)


class Listener(SocketListener):
    """A server on a Unix socket, whose file goes when it stops. ``listen`` makes one."""

    def __init__(
        self,
        listening: socket.socket,
        new_session: Callable[[], Session],
        on_channel: Callable[[Channel], Awaitable[None]],
        on_failure: Callable[[str, E2EEError], None],
        timeouts: Timeouts,
    ) -> None:
        super().__init__([listening], new_session, on_channel, on_failure, timeouts)
        self.path: str = self._own_address
        self._absolute_path = os.path.abspath(self.path)
        """The same after the program has gone to another folder."""
        self._file = os.lstat(self.path)

    def _who(self, _address: object) -> tuple[str, str]:
        return "", self.path  # The system tells nothing of who calls.

    def stop_accepting(self) -> None:
        """As for TCP, and remove the file."""
        if self._sockets:
            with contextlib.suppress(OSError):
                # Another program may have put its own there.
                if os.path.samestat(os.lstat(self._absolute_path), self._file):
                    os.unlink(self._absolute_path)
        super().stop_accepting()


async def listen(
    new_session: Callable[[], Session],
    on_channel: Callable[[Channel], Awaitable[None]],
    *,
    path: str | os.PathLike[str],
    on_failure: Callable[[str, E2EEError], None] = lambda _path, _error: None,
    timeouts: Timeouts = Timeouts(),
) -> Listener:
    """Listen at a path; only programs of this user can connect to it.

    A socket that was left there by a program that has ended is replaced. The rest is as for TCP.
    Raises AddressInUse where somebody listens there, TransportError; UsageError for no path.
    """
    name = _name_of(path)
    listening = socket.socket(socket.AF_UNIX)
    try:
        _remove_what_was_left(name)
        listening.bind(name)
        os.chmod(name, 0o600)  # Nobody can connect before it listens.
        listening.listen(BACKLOG)
        listening.setblocking(False)
        return Listener(listening, new_session, on_channel, on_failure, timeouts)
    except (OSError, ValueError) as error:
        listening.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise AddressInUse(f"{path} is in use by another program, or is no socket") from None
        raise TransportError(f"cannot listen at {path}: {_reason(error)}") from None


def _name_of(path: str | os.PathLike[str]) -> str:
    if not isinstance(path, str | os.PathLike) or not isinstance(name := os.fspath(path), str):
        raise UsageError("the path of a socket is a string, or a path made of strings")
    return name


def _remove_what_was_left(name: str) -> None:
    """The socket of a program that has ended. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(name).st_mode):
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(name)
            except ConnectionRefusedError:
                os.unlink(name)
            except BlockingIOError:
                pass  # Somebody listens, and is busy.


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
