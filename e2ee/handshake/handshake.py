"""Handshake: Noise's HandshakeState, driven by the pattern's tokens.

Noise revision 34, section 5.3, with psk (section 9) and hfs. SPEC.md section 3. No line below
asks for a pattern's name: what a pattern does is in ``patterns.py``, as data.
"""

from __future__ import annotations

import hmac
import warnings
from collections.abc import Sequence
from typing import Any

from e2ee._bare_errors import bare_errors
from e2ee._uncopyable import Uncopyable, check_process, this_process
from e2ee.errors import (
    E2EEError,
    InvalidLength,
    UnexpectedPeer,
    UsageError,
)
from e2ee.handshake.cipher_state import MAX_MESSAGE_LENGTH, CipherState
from e2ee.handshake.patterns import DH_TOKENS, Token
from e2ee.handshake.protocol_name import parse_protocol_name
from e2ee.handshake.symmetric_state import SymmetricState
from e2ee.primitives import TAG_LENGTH, DhPrivateKey, DhPublicKey, Kem

# Members of an enumeration take ten times as long to look up.
_E, _S, _PSK, _E1, _EKEM1 = Token.E, Token.S, Token.PSK, Token.E1, Token.EKEM1

PSK_LENGTH = 32
"""Bytes of a pre-shared key; Noise revision 34, section 9.1."""


class KnownAnswerWarning(UserWarning):
    """Randomness was replaced by a fixed value: right in a known-answer test, fatal elsewhere."""


class Handshake(Uncopyable):
    """One side of one Noise handshake.

    ``protocol_name`` -- such as ``Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256``.
    ``initiator`` -- whether this side writes the first message. In a ``fallback`` pattern that
    is the party that was the responder before.
    ``s`` -- own static private key; ``rs`` -- the peer's static public key, where the pattern
    knows it beforehand. Where the pattern transmits it instead, ``rs`` is what it must equal.
    ``re`` -- the peer's ephemeral public key, in ``fallback`` patterns.
    ``psks`` -- one 32-byte key for each ``psk`` token, in their order.
    Keys are raw bytes (32 for 25519, 56 for 448) or loaded key objects of ``cryptography``.

    ``e`` fixes the ephemeral key and ``kem`` replaces the KEM. Both are for known-answer tests
    and warn with KnownAnswerWarning; an ``e`` that ``fallback`` carries over from the message
    before is the one honest use, and does not.

    Raises UsageError for keys that are missing or of the wrong kind, InvalidProtocolName.
    """

    @bare_errors
    def __init__(
        self,
        protocol_name: str,
        *,
        initiator: bool,
        prologue: bytes = b"",
        s: bytes | DhPrivateKey | None = None,
        rs: bytes | DhPublicKey | None = None,
        e: bytes | DhPrivateKey | None = None,
        re: bytes | DhPublicKey | None = None,
        psks: Sequence[bytes] = (),
        kem: Kem | None = None,
    ) -> None:
        self._protocol = protocol = parse_protocol_name(protocol_name)
        self._initiator = initiator
        self._error: E2EEError | None = None
        self._process = this_process()
        self._next_message = 0
        self._overhead: int | None = None
        """Bytes that the next message has beside its payload, once they are asked for."""
        self._keys: tuple[CipherState, CipherState, bytes] | None = None
        self._kem = protocol.kem if kem is None else kem
        self._kem_private: Any = None
        self._kem_public = b""
        dh = protocol.dh
        self._s = None if s is None else dh.load_private(s)
        self._e = None if e is None else dh.load_private(e)
        self._rs: DhPublicKey | None = None
        self._re = None if re is None else dh.load_public(re)
        self._known_rs = None if rs is None else dh.load_public(rs)
        self._psks = list(psks)
        self._uses_psks = protocol.pattern.contains(_PSK)
        self._check_keys()
        if kem is not None:
            warnings.warn("the KEM was replaced", KnownAnswerWarning, stacklevel=3)
        if e is not None and _E not in self._pre_message(own=True):
            warnings.warn("the ephemeral key is fixed", KnownAnswerWarning, stacklevel=3)

        # The prologue and the pre-messages, section 5.3, Initialize().
        self._symmetric = SymmetricState(protocol)
        self._symmetric.mix_hash(prologue)
        for own in (initiator, not initiator):
            for token in self._pre_message(own=own):
                if token is _S:
                    self._symmetric.mix_hash(self._static_public(own))
                else:
                    self._mix_ephemeral(self._ephemeral_public(own))

    def _pre_message(self, *, own: bool) -> tuple[Token, ...]:
        pattern = self._protocol.pattern
        return (
            pattern.initiator_pre_message
            if own == self._initiator
            else pattern.responder_pre_message
        )

    def _messages_of(self, *, own: bool) -> tuple[tuple[Token, ...], ...]:
        return self._protocol.pattern.messages[0 if own == self._initiator else 1 :: 2]

    def _check_keys(self) -> None:
        name = self._protocol.name

        def has(token: Token, *, own: bool) -> bool:
            return token in self._pre_message(own=own) or any(
                token in message for message in self._messages_of(own=own)
            )

        if self._s is None and has(_S, own=True):
            raise UsageError(f"{name} needs s, your static private key")
        if _S in self._pre_message(own=False):
            if self._known_rs is None:
                raise UsageError(f"{name} needs rs, the peer's static public key")
            self._rs = self._known_rs
        elif self._known_rs is not None and not has(_S, own=False):
            raise UsageError(f"{name} cannot check rs: the peer has no static key in it")
        if self._re is None and _E in self._pre_message(own=False):
            raise UsageError(f"{name} needs re, the peer's ephemeral public key")
        if self._e is None and _E in self._pre_message(own=True):
            raise UsageError(f"{name} needs e, the ephemeral private key already used")
        wanted = sum(message.count(_PSK) for message in self._protocol.pattern.messages)
        if len(self._psks) != wanted:
            raise UsageError(f"{name} needs {wanted} psks, not {len(self._psks)}")
        if any(not isinstance(psk, bytes) or len(psk) != PSK_LENGTH for psk in self._psks):
            raise UsageError(f"a psk has {PSK_LENGTH} bytes")

    # What the outside may know.

    @property
    def finished(self) -> bool:
        """Whether every handshake message has been written and read."""
        return self._next_message == len(self._protocol.pattern.messages)

    @property
    def handshake_hash(self) -> bytes:
        """The hash of the whole transcript, 32 or 64 bytes, for channel binding.

        Raises UsageError before the handshake has finished.
        """
        self._check_finished()
        return self._symmetric.handshake_hash

    @property
    def remote_static(self) -> bytes | None:
        """The peer's static public key, as soon as it is known; None until then.

        It is proven to be the peer's only when the handshake has finished.
        """
        return None if self._rs is None else self._rs.public_bytes_raw()

    def split(self) -> tuple[CipherState, CipherState]:
        """The transport ciphers of this side: (send, receive).

        The same two objects at every call, or their nonces would repeat. After a one-way pattern
        the direction that must not be used refuses. Raises UsageError before the handshake has
        finished.
        """
        from_initiator, from_responder, _ = self._split()
        if self._initiator:
            return from_initiator, from_responder
        return from_responder, from_initiator

    def _split(self) -> tuple[CipherState, CipherState, bytes]:
        self._check_finished()
        if self._keys is None:
            self._keys = self._symmetric.split()
            if self._protocol.pattern.one_way:
                self._keys[1].forbid("after a one-way pattern only the initiator sends")
        return self._keys

    @property
    def exporter_secret(self) -> bytes:
        """A secret of the hash's length that both sides share and that no message reveals.

        SPEC.md section 3.5. Raises UsageError before the handshake has finished.
        """
        return self._split()[2]

    # Messages.

    def next_message_length(self, payload_length: int) -> int:
        """Bytes of the next message, of whichever side, when its payload has so many."""
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self.finished:
            raise UsageError("the handshake has finished; use split()")
        if self._overhead is None:
            self._overhead = self._message_overhead()
        return self._overhead + payload_length

    def _message_overhead(self) -> int:
        tag = TAG_LENGTH if self._symmetric.has_key else 0
        length = 0
        for token in self._protocol.pattern.messages[self._next_message]:
            if token is _E:
                length += self._protocol.dh.length
                if self._uses_psks:
                    tag = TAG_LENGTH
            elif token is _S:
                length += self._protocol.dh.length + tag
            elif token is _E1:
                length += self._checked_kem.public_key_length + tag
            elif token is _EKEM1:
                length += self._checked_kem.ciphertext_length + tag
            else:
                tag = TAG_LENGTH
        return length + tag

    def write_message(self, payload: bytes = b"") -> bytes:
        """The next handshake message, with this payload.

        Raises UsageError when it is not this side's turn, when the message would exceed 65,535
        bytes, or for a payload that is not bytes; nothing has changed then.
        """
        tokens = self._begin(writing=True)
        if not isinstance(payload, bytes):
            raise UsageError("a payload is bytes")
        if self.next_message_length(len(payload)) > MAX_MESSAGE_LENGTH:
            raise UsageError(f"a handshake message has at most {MAX_MESSAGE_LENGTH} bytes")
        try:
            message = b"".join(map(self._write_token, tokens))
            message += self._symmetric.encrypt_and_hash(payload)
        except E2EEError as error:
            raise self._die(error) from None
        self._next_message += 1
        self._overhead = None
        return message

    def read_message(self, message: bytes) -> bytes:
        """Process the peer's next message; returns its payload.

        Raises UsageError when it is not the peer's turn. Every ProtocolError is final:
        InvalidLength, InvalidPublicKey, DecryptionError, UnexpectedPeer.
        """
        tokens = self._begin(writing=False)
        message = bytes(message)
        shortest = self.next_message_length(0)
        if not shortest <= len(message) <= MAX_MESSAGE_LENGTH:
            raise self._die(InvalidLength(f"this handshake message has {shortest} bytes or more"))
        at = 0
        try:
            for token in tokens:
                at += self._read_token(token, message, at)
            payload = self._symmetric.decrypt_and_hash(message[at:])
        except E2EEError as error:
            raise self._die(error) from None
        self._next_message += 1
        self._overhead = None
        return payload

    def _begin(self, *, writing: bool) -> tuple[Token, ...]:
        check_process(self._process)
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self.finished:
            raise UsageError("the handshake has finished; use split()")
        if writing != (self._initiator == (self._next_message % 2 == 0)):
            raise UsageError(
                f"it is {'the peer' if writing else 'you'} who writes the next message"
            )
        return self._protocol.pattern.messages[self._next_message]

    def _check_finished(self) -> None:
        check_process(self._process)
        if self._error is not None:
            raise self._error.with_traceback(None)
        if not self.finished:
            raise UsageError("the handshake has not finished")

    def _die(self, error: E2EEError) -> E2EEError:
        # What led to it has a traceback, whose frames would keep the keys alive.
        error.__context__ = error.__cause__ = None
        self._error = error.with_traceback(None)
        for name in ("_symmetric", "_s", "_e", "_psks", "_kem_private"):
            setattr(self, name, None)
        return error

    # Tokens.

    def _write_token(self, token: Token) -> bytes:
        if token is _E:
            self._e = self._e or self._protocol.dh.generate()
            public = self._ephemeral_public(own=True)
            self._mix_ephemeral(public)
            return public
        if token is _S:
            return self._symmetric.encrypt_and_hash(self._static_public(own=True))
        if token is _E1:
            self._kem_private, self._kem_public = self._checked_kem.generate()
            return self._symmetric.encrypt_and_hash(self._kem_public)
        if token is _EKEM1:
            ciphertext, secret = self._checked_kem.encapsulate(self._kem_public)
            sealed = self._symmetric.encrypt_and_hash(ciphertext)
            self._symmetric.mix_key(secret)
            return sealed
        self._mix_secret(token)
        return b""

    def _read_token(self, token: Token, message: bytes, at: int) -> int:
        """Process one token of the message from this offset; returns the bytes it took."""
        dh = self._protocol.dh
        tag = TAG_LENGTH if self._symmetric.has_key else 0
        if token is _E:
            public = message[at : at + dh.length]
            self._re = dh.load_public(public)
            self._mix_ephemeral(public)
            return dh.length
        if token is _S:
            length = dh.length + tag
            static = self._symmetric.decrypt_and_hash(message[at : at + length])
            self._set_remote_static(static)
            return length
        if token is _E1:
            length = self._checked_kem.public_key_length + tag
            self._kem_public = self._symmetric.decrypt_and_hash(message[at : at + length])
            return length
        if token is _EKEM1:
            length = self._checked_kem.ciphertext_length + tag
            ciphertext = self._symmetric.decrypt_and_hash(message[at : at + length])
            secret = self._checked_kem.decapsulate(self._kem_private, ciphertext)
            self._symmetric.mix_key(secret)
            return length
        self._mix_secret(token)
        return 0

    def _set_remote_static(self, static: bytes) -> None:
        if self._known_rs is not None and not hmac.compare_digest(
            self._known_rs.public_bytes_raw(), static
        ):
            raise UnexpectedPeer("the peer's static key is not the expected one")
        self._rs = self._protocol.dh.load_public(static)

    def _mix_secret(self, token: Token) -> None:
        if token is _PSK:
            self._symmetric.mix_key_and_hash(self._psks.pop(0))
            return
        assert token in DH_TOKENS
        # The first letter is the initiator's key, the second the responder's.
        initiators, responders = token
        own, remote = (initiators, responders) if self._initiator else (responders, initiators)
        private = self._e if own == _E else self._s
        public = self._re if remote == _E else self._rs
        assert private is not None
        assert public is not None
        self._symmetric.mix_key(self._protocol.dh.exchange(private, public))

    @property
    def _checked_kem(self) -> Kem:
        assert self._kem is not None
        return self._kem

    def _mix_ephemeral(self, public: bytes) -> None:
        self._symmetric.mix_hash(public)
        if self._uses_psks:
            self._symmetric.mix_key(public)

    def _ephemeral_public(self, own: bool) -> bytes:
        if own:
            assert self._e is not None
            return self._e.public_key().public_bytes_raw()
        assert self._re is not None
        return self._re.public_bytes_raw()

    def _static_public(self, own: bool) -> bytes:
        if own:
            assert self._s is not None
            return self._s.public_key().public_bytes_raw()
        assert self._rs is not None
        return self._rs.public_bytes_raw()
