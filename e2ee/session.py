"""Session: the whole protocol as one object without I/O. Bytes in, events and bytes out.

SPEC.md sections 4 to 10; the states are in ``states.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from e2ee import _uncopyable
from e2ee._one_at_a_time import OneAtATime, busy
from e2ee._uncopyable import Uncopyable, check_process, this_process
from e2ee.certificate import Peer
from e2ee.code_offer import CodeOffer
from e2ee.errors import E2EEError, ProtocolError, SessionClosed, Truncated, UsageError
from e2ee.events import Event, HandshakeCompleted
from e2ee.identity import Identity
from e2ee.ids import decode_id
from e2ee.invitation import Link, SpokenCode
from e2ee.limits import Limits
from e2ee.opening import Accepted, KnownDevice, Links, Opening
from e2ee.primitives import HASHES
from e2ee.record import Padding, RecordLayer, as_view
from e2ee.states import State
from e2ee.suites import (
    CODE_AESGCM,
    DEFAULT_ACCEPTED_SUITES,
    DEFAULT_SUITE,
    KNOWN_AESGCM,
    LINK_AESGCM,
    Approach,
    Suite,
)

T = TypeVar("T")

OPENING_BUFFER_LENGTH = 64 * 1024
"""Bytes: what a stranger has sent is read, or the system resets the connection and a refusal is
lost on the way."""

MIN_BUFFER_LENGTH = 4 * 1024
MAX_BUFFER_LENGTH = 256 * 1024
"""Bytes of the memory for what is received: as much as comes at a time."""

EXPORTER_LABEL = b"e2ee exporter v1\0"
MAX_EXPORT_LENGTH = 255 * 32
"""Bytes of an export; HKDF-SHA256's limit (RFC 5869, section 2.3)."""


class Session(Uncopyable):
    """One side of an end-to-end encrypted conversation over any stream of bytes.

    Feed it what arrives (``receive_data``, and ``receive_eof`` when the stream ends) and send
    what it gives (``data_to_send``, after every other call). It does no I/O, reads no clock and
    keeps no thread. A call while another is under way, from a second thread or from what the
    first one calls, raises UsageError and changes nothing.

    A ProtocolError is final: the keys are dropped and every later call raises it again. Where the
    system gives no random numbers, for a handshake or for new keys, NoRandomNumbers is raised, and
    is the end as well.
    """

    __slots__ = (
        "_buffer",
        "_buffer_length",
        "_error",
        "_exporter_secret",
        "_handshake_hash",
        "_layer",
        "_limits",
        "_one_at_a_time",
        "_opening",
        "_padding",
        "_process",
        "_unsent",
        "peer",
    )

    def __init__(self, opening: Opening, limits: Limits, padding: Padding) -> None:
        self._process = this_process()
        self._one_at_a_time = OneAtATime()
        self._opening: Opening | None = opening
        self._layer: RecordLayer | None = None
        self._limits = limits
        self._padding = padding
        self._error: E2EEError | None = None
        self._buffer = bytearray()
        self._buffer_length = OPENING_BUFFER_LENGTH
        self._unsent = opening.take()
        """Bytes of the opening, or a refusal, that ``data_to_send`` has yet to hand out."""
        self.peer: Peer | None = None
        """Whom the channel is authenticated to; None before HandshakeCompleted."""

    @classmethod
    def initiator(
        cls,
        identity: Identity,
        *,
        suite: Suite = DEFAULT_SUITE,
        device: KnownDevice | None = None,
        invitation: Link | SpokenCode | None = None,
        expected_peer: str | None = None,
        now: float | None = None,
        limits: Limits = Limits(),
        padding: Padding = Padding.NONE,
    ) -> Session:
        """The side that opens; its first bytes are ready in ``data_to_send``.

        With neither of the next two it is a first meeting, in this ``suite``. ``device`` -- calls
        a contact whose device is known, who may listen to contacts only; needs ``expected_peer``.
        ``invitation`` -- joins who has made this link or spoken code. A code is good for one
        try: whatever ProtocolError ends the opening, ask for a new one.

        ``expected_peer`` -- an ``e2ee1…`` id; anybody else is refused before our own identity
        is shown. A link names its own. ``now`` -- seconds since 1970; without it the validity of
        the peer's certificate is not checked. Raises InvalidId, UsageError.
        """
        _check_kinds((identity, Identity), (suite, Suite), (limits, Limits), (padding, Padding))
        if device is not None:
            _check_kinds((device, KnownDevice))
            if expected_peer is None or invitation is not None:
                raise UsageError("a known device is called as somebody's: give expected_peer")
            suite = KNOWN_AESGCM
        expected = None if expected_peer is None else decode_id(expected_peer)
        if isinstance(invitation, Link):
            if expected not in (None, invitation.identity_key):
                raise UsageError("the link is another identity's than expected_peer")
            suite, expected = LINK_AESGCM, invitation.identity_key
        elif isinstance(invitation, SpokenCode):
            suite = CODE_AESGCM
        elif invitation is not None:
            raise UsageError(
                f"a Link or a SpokenCode is needed here, not {type(invitation).__name__}"
            )
        elif device is None and suite.approach is not Approach.MEETING:
            raise UsageError("give the device or the invitation, and the suite follows")
        opening = Opening.initiate(
            identity, suite, device=device, invitation=invitation, expected_peer=expected, now=now
        )
        return cls(opening, limits, padding)

    @classmethod
    def responder(
        cls,
        identity: Identity,
        *,
        suites: Sequence[Suite] = DEFAULT_ACCEPTED_SUITES,
        admit: Callable[[Peer, int], bool] | None = None,
        links: Links | None = None,
        code: CodeOffer | None = None,
        expected_peer: str | None = None,
        now: float | None = None,
        limits: Limits = Limits(),
        padding: Padding = Padding.NONE,
    ) -> Session:
        """The side that waits for the other's first bytes.

        ``suites`` -- those of first meetings that are taken, any number. ``admit`` -- takes calls
        from contacts too: it says whether the peer is one and its number is new, see
        ``ContactBook.admit``. ``links``, ``code`` -- takes those who join by them.

        With no ``suites``, ``links`` or ``code``, only ``admit``, the session is mute: nobody but
        a contact gets a byte. The other parameters are as for ``initiator``. Raises InvalidId,
        UsageError.
        """
        _check_kinds((identity, Identity), (limits, Limits), (padding, Padding), (suites, Sequence))
        _check_kinds(*((suite, Suite) for suite in suites))
        if any(suite.approach is not Approach.MEETING for suite in suites):
            raise UsageError("suites are those of first meetings; give admit, links or code")
        if code is not None:
            _check_kinds((code, CodeOffer))
        accepted = Accepted(tuple(suites), admit, links, code)
        if accepted == Accepted():
            raise UsageError("a responder accepts at least one suite")
        opening = Opening.respond(
            identity,
            accepted,
            expected_peer=None if expected_peer is None else decode_id(expected_peer),
            now=now,
        )
        return cls(opening, limits, padding)

    @property
    def state(self) -> State:
        """HANDSHAKE, OPEN, CLOSING, CLOSED or FAILED."""
        if self._error is not None:
            return State.FAILED
        return State.HANDSHAKE if self._layer is None else self._layer.state

    # Receiving.

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Process bytes from the peer, in any chunking; returns what they told.

        Raises a ProtocolError, which is final; what the same bytes had told before the fault is
        in its ``events``. Raises UsageError for what is not bytes.
        """
        try:
            self._one_at_a_time.pop()
        except IndexError:
            raise busy() from None
        try:
            if self._error is not None or self._process is not _uncopyable._process:  # noqa: SLF001
                self._check_alive()
            # Nobody can change bytes while they are worked on; of anything else a copy is taken.
            return self._receive(data if type(data) is bytes else bytes(as_view(data)))
        finally:
            self._one_at_a_time.append(None)

    def get_buffer(self, size_hint: int = -1) -> memoryview:
        """Memory for the next bytes from the peer, to be filled from its beginning.

        ``buffer_updated`` then does what ``receive_data`` does, and saves a copy. The two are what
        an ``asyncio.BufferedProtocol`` has. ``size_hint`` -- how many bytes may come, -1 where that
        is not known; there may be room for less. The view is good until the next call. Raises
        UsageError for what is no number.
        """
        try:
            self._one_at_a_time.pop()
        except IndexError:
            raise busy() from None
        try:
            if self._error is not None or self._process is not _uncopyable._process:  # noqa: SLF001
                self._check_alive()
            try:
                wanted = max(self._buffer_length, min(size_hint, MAX_BUFFER_LENGTH))
            except TypeError:
                raise _not_a_length(size_hint) from None
            if len(self._buffer) < wanted:
                self._buffer = bytearray(wanted)
            return memoryview(self._buffer)
        finally:
            self._one_at_a_time.append(None)

    def buffer_updated(self, length: int) -> list[Event]:
        """Process the first ``length`` bytes of ``get_buffer``'s memory, as ``receive_data``."""
        try:
            self._one_at_a_time.pop()
        except IndexError:
            raise busy() from None
        try:
            if self._error is not None or self._process is not _uncopyable._process:  # noqa: SLF001
                self._check_alive()
            buffer = self._buffer
            try:
                received = memoryview(buffer)[:length]
            except TypeError:
                raise _not_a_length(length) from None
            if len(received) != length:
                raise UsageError(f"there is no buffer of {length} bytes; call get_buffer first")
            if length == len(buffer):
                self._buffer_length = min(2 * length, MAX_BUFFER_LENGTH)
            elif length < MIN_BUFFER_LENGTH:
                # There may be no more for a long time.
                self._buffer = bytearray()
                if self._layer is not None:
                    self._buffer_length = MIN_BUFFER_LENGTH
            return self._receive(received)
        finally:
            self._one_at_a_time.append(None)

    def _receive(self, data: bytes | memoryview) -> list[Event]:
        events: list[Event] = []
        try:
            if self._opening is not None:
                data = self._opening.receive(memoryview(data))
                self._unsent += self._opening.take()
                if self._opening.done:
                    events.append(self._open(self._opening))
            if self._layer is not None:
                self._layer.receive(data, events)
        except ProtocolError as error:
            error.events = tuple(events)
            self._fail(error)
        except BaseException:
            self._drop(_interrupted())
            raise
        return events

    def _open(self, opening: Opening) -> HandshakeCompleted:
        assert opening.peer is not None
        self.peer = opening.peer
        self._handshake_hash = opening.handshake.handshake_hash
        self._exporter_secret = opening.handshake.exporter_secret
        self._opening = None
        self._buffer_length = MIN_BUFFER_LENGTH
        self._layer = RecordLayer(
            opening.handshake,
            initiator=opening.initiator,
            suite=opening.suite,
            limits=self._limits,
            padding=self._padding,
        )
        return HandshakeCompleted(opening.peer, opening.suite, self._handshake_hash)

    def receive_eof(self) -> None:
        """The stream has ended: nothing more will ever come.

        Raises Truncated unless the peer had closed the session first.
        """
        with self._one_at_a_time:
            self._check_alive()
            if self.state is not State.CLOSED:
                self._fail(
                    (self._opening and self._opening.cut())
                    or Truncated(
                        "the connection ended in the middle: it was cut, not closed by the peer"
                    )
                )

    # Sending.

    def send(self, message: bytes | bytearray | memoryview) -> None:
        """Queue one message, of 0 bytes up to the limit; it leaves with ``data_to_send``.

        Raises UsageError (before the handshake has completed, too large, or not bytes) or
        SessionClosed.
        """
        try:
            self._one_at_a_time.pop()
        except IndexError:
            raise busy() from None
        try:
            layer = self._layer
            if layer is None or self._process is not _uncopyable._process:  # noqa: SLF001
                layer = self._established()
            try:
                layer.send(message)
            except UsageError:
                raise
            except BaseException:
                self._drop(_interrupted())
                raise
        finally:
            self._one_at_a_time.append(None)

    def data_to_send(self) -> bytes:
        """Everything that is now to be sent to the peer, once; b"" when there is nothing.

        After a failure this gives the refusal that explains it to the peer, where there is one,
        and then raises the error.
        """
        try:
            self._one_at_a_time.pop()
        except IndexError:
            raise busy() from None
        try:
            layer = self._layer
            if layer is None or self._unsent or self._process is not _uncopyable._process:  # noqa: SLF001
                return self._take_unsent() + (b"" if layer is None else self._do(layer.take))
            try:
                return layer.take()
            except BaseException:
                self._drop(_interrupted())
                raise
        finally:
            self._one_at_a_time.append(None)

    def buffer_to_send(self) -> bytes | memoryview:
        """The first piece of it, which may be a view of the session's memory; b"" at the end.

        It saves the copies that ``data_to_send`` makes of large messages: call it until nothing
        comes. What a view shows stays as it is while there is a view of it.
        """
        try:
            self._one_at_a_time.pop()
        except IndexError:
            raise busy() from None
        try:
            layer = self._layer
            if layer is None or self._unsent or self._process is not _uncopyable._process:  # noqa: SLF001
                return self._take_unsent()
            try:
                return layer.take_piece()
            except BaseException:
                self._drop(_interrupted())
                raise
        finally:
            self._one_at_a_time.append(None)

    def _take_unsent(self) -> bytes:
        """What is left of the opening, or its refusal. Raises what ended the session."""
        if self._error is None or not self._unsent:
            self._check_alive()
        data, self._unsent = self._unsent, b""
        return data

    def _do(self, call: Callable[[], T]) -> T:
        """Run a call that a refusal leaves as it was, and that must not be left half done."""
        try:
            return call()
        except UsageError:
            raise
        except BaseException:
            self._drop(_interrupted())
            raise

    def close(self) -> None:
        """Say that nothing more will be sent. The peer's messages still come, until its close.

        Does nothing when the session is closed already. Raises UsageError before the handshake
        has completed: there is nothing to close then, drop the session and the stream.
        """
        with self._one_at_a_time:
            self._do(self._established().close)

    def update_key(self) -> None:
        """Replace our sending key now. It happens by itself at the limits; see Limits."""
        with self._one_at_a_time:
            self._do(self._established().update_key)

    def refresh(self) -> None:
        """Start a fresh key agreement, unless one is under way; KeysRefreshed tells its end."""
        with self._one_at_a_time:
            self._do(self._established().refresh)

    def ping(self) -> None:
        """Ask for a sign of life: the peer's session answers with bytes, without an event."""
        with self._one_at_a_time:
            self._do(self._established().ping)

    # Binding.

    def export(self, label: str | bytes, length: int) -> bytes:
        """A secret for another use: equal on both sides, bound to this session's handshake hash.

        ``label`` names the use, as bytes or as a string that stands for its UTF-8; ``length`` is
        in bytes, 1 to 8,160. Refreshes do not change the secret, another length does. SPEC.md
        section 9.8. Raises UsageError.
        """
        with self._one_at_a_time:
            self._established()
            if type(length) is not int or not 1 <= length <= MAX_EXPORT_LENGTH:
                raise UsageError(f"an export has 1 to {MAX_EXPORT_LENGTH} bytes")
            try:
                name = label.encode() if isinstance(label, str) else bytes(as_view(label))
            except UnicodeEncodeError:
                raise UsageError("a label is text that has an encoding, or bytes") from None
            info = EXPORTER_LABEL + length.to_bytes(2) + name
            return HASHES["SHA256"].hkdf(self._handshake_hash, self._exporter_secret, length, info)

    # Dying.

    def discard(self) -> None:
        """Drop all keys at once, and what was to be sent; the peer is told nothing.

        Every later call raises SessionClosed, or the error that had ended the session before.
        Without it the keys go with the session itself, and those of records when both have closed.
        What remains in the memory of the process: SPEC.md section 14.
        """
        with self._one_at_a_time:
            check_process(self._process)
            self._drop(self._error or SessionClosed("the session was discarded"))

    def _established(self) -> RecordLayer:
        self._check_alive()
        if self._layer is None:
            raise UsageError("the handshake has not completed; wait for HandshakeCompleted")
        return self._layer

    def _check_alive(self) -> None:
        check_process(self._process)
        if self._error is not None:
            raise self._error.with_traceback(None)

    def _fail(self, error: ProtocolError) -> NoReturn:
        self._drop(error)
        raise error.with_traceback(None) from None

    def _drop(self, error: E2EEError) -> None:
        # What led to it has a traceback, whose frames would keep the keys alive.
        error.__context__ = error.__cause__ = None
        self._error = error.with_traceback(None)
        self._unsent = b""
        if self._opening is not None:
            self._unsent = self._opening.refusal
            self._opening.abandon()
        self._opening = self._layer = None
        self._exporter_secret = b""
        self._buffer = bytearray()

    def __repr__(self) -> str:
        return f"<Session {self.state.value}>"


def _check_kinds(*values: tuple[object, type]) -> None:
    for value, kind in values:
        if not isinstance(value, kind):
            # Not the value: what was given in an identity's place may be a key.
            raise UsageError(f"{kind.__name__} is needed here, not {type(value).__name__}")


def _not_a_length(value: object) -> UsageError:
    return UsageError(f"a number of bytes is needed here, not {type(value).__name__}")


def _interrupted() -> ProtocolError:
    return ProtocolError("the session was interrupted in the middle of a message")
