"""TLS 1.3 of pyOpenSSL, on the OpenSSL that ``cryptography`` brings, both sides in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from OpenSSL import SSL, crypto

from benchmarks.certificates import new_certificate
from benchmarks.tls import CIPHER_SUITE

KEY_AGREEMENT = "X25519MLKEM768"
HANDSHAKE = 2**14
"""Bytes; no message of a handshake here has so many."""

RECORD = 2**14
OVERHEAD = 64
"""Bytes of a record of TLS, and more than what it adds to them."""


class PyOpenSsl:
    """Makes connections with mutual authentication by Ed25519 certificates, without resumption.

    pyOpenSSL cannot choose the key agreement: it is OpenSSL's own choice, which is hybrid.
    """

    def __init__(self) -> None:
        self._client, self._server = _context(), _context()
        for context, other in ((self._client, self._server), (self._server, self._client)):
            key, certificate = new_certificate()
            context.use_privatekey(crypto.PKey.from_cryptography_key(key))
            context.use_certificate(crypto.X509.from_cryptography(certificate))
            other.get_cert_store().add_cert(crypto.X509.from_cryptography(certificate))
        client, server = self.connect()
        if client.get_cipher_name() != CIPHER_SUITE or not server.get_peer_certificate():
            raise RuntimeError("pyOpenSSL did not connect as the report says")
        if client.get_group_name() != KEY_AGREEMENT:
            raise RuntimeError(f"pyOpenSSL agrees on keys by {client.get_group_name()}")

    def connect(self) -> tuple[Any, Any]:
        """A client and a server, connected."""
        client, server = SSL.Connection(self._client, None), SSL.Connection(self._server, None)
        client.set_connect_state()
        server.set_accept_state()
        _shake(client)
        _pass(client, server)
        _shake(server)
        _pass(server, client)
        client.do_handshake()
        _pass(client, server)
        server.do_handshake()
        return client, server

    def passing(self, message: bytes) -> Callable[[], bytes]:
        """An operation that takes a message from one side to the other."""
        client, server = self.connect()
        size = len(message)
        sealed_size = size + OVERHEAD * (size // RECORD + 1)

        def run() -> bytes:
            client.sendall(message)
            _pass(client, server, sealed_size)
            received: bytes = server.recv(size)
            if len(received) == size:
                return received
            parts = [received]
            missing = size - len(received)
            while missing:
                parts.append(server.recv(missing))
                missing -= len(parts[-1])
            return b"".join(parts)

        return run


def _context() -> Any:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(CIPHER_SUITE.encode())
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    return context


def _shake(side: Any) -> None:
    with suppress(SSL.WantReadError):
        side.do_handshake()


def _pass(sender: Any, receiver: Any, size: int = HANDSHAKE) -> None:
    """Everything that waits in the one's memory, which is less than ``size`` bytes."""
    receiver.bio_write(sender.bio_read(size))
