"""TLS 1.3 of Python's ``ssl``, both sides in memory."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks.certificates import HOST_NAME, as_pem, new_certificate

CIPHER_SUITE = "TLS_AES_256_GCM_SHA384"


class TlsSide:
    """One side of a connection: its SSLObject, and the bytes that come in and go out."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=server,
            server_hostname=None if server else HOST_NAME,
        )

    def shake(self) -> None:
        """Go on with the handshake as far as the bytes that are here allow."""
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()

    def pass_to(self, other: TlsSide) -> None:
        other.incoming.write(self.outgoing.read())


class Tls:
    """Makes connections with mutual authentication by Ed25519 certificates, without resumption.

    Either side trusts the other's certificate itself, and the client checks the server's name.
    """

    def __init__(self) -> None:
        self._client = client_context()
        self._server = server_context()
        for context, other in ((self._client, self._server), (self._server, self._client)):
            _authenticate(context, to=other)
        _check(*self.connect())

    def connect(self) -> tuple[TlsSide, TlsSide]:
        """A client and a server, connected."""
        client, server = TlsSide(self._client, server=False), TlsSide(self._server, server=True)
        client.shake()
        client.pass_to(server)
        server.shake()
        server.pass_to(client)
        client.shake()
        client.pass_to(server)
        server.tls.do_handshake()
        return client, server

    def passing(self, message: bytes) -> Callable[[], bytes]:
        """An operation that takes a message from one side to the other."""
        client, server = self.connect()
        size = len(message)

        def run() -> bytes:
            client.tls.write(message)
            client.pass_to(server)
            received = server.tls.read(size)
            if len(received) == size:
                return received
            # One read gives at most one record of 16 KiB.
            parts = [received]
            missing = size - len(received)
            while missing:
                parts.append(server.tls.read(missing))
                missing -= len(parts[-1])
            return b"".join(parts)

        return run


def client_context() -> ssl.SSLContext:
    """TLS 1.3 with X25519; the server's name is checked."""
    return _restricted(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def server_context() -> ssl.SSLContext:
    """TLS 1.3 with X25519; asks for a certificate, and gives no tickets."""
    context = _restricted(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.verify_mode = ssl.CERT_REQUIRED
    # A ticket would be work for a later connection, which nobody here makes.
    context.num_tickets = 0
    return context


def _restricted(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # OpenSSL 3.5 and later would choose a hybrid; earlier ones have none.
    context.set_ecdh_curve("X25519")
    return context


def _check(client: TlsSide, server: TlsSide) -> None:
    """Raise RuntimeError unless the connection is what the report says."""
    cipher = client.tls.cipher()
    if client.tls.version() != "TLSv1.3" or cipher is None or cipher[0] != CIPHER_SUITE:
        raise RuntimeError(f"not TLS 1.3 with {CIPHER_SUITE}: {client.tls.version()}, {cipher}")
    if not (client.tls.getpeercert(binary_form=True) and server.tls.getpeercert(binary_form=True)):
        raise RuntimeError("one side of the TLS connection has shown no certificate")


def _authenticate(context: ssl.SSLContext, *, to: ssl.SSLContext) -> None:
    """Give a context a new certificate, and let the other trust it."""
    key, certificate = new_certificate()
    to.load_verify_locations(cadata=certificate.public_bytes(Encoding.PEM).decode())
    # ssl takes a private key from a file only.
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "key-and-certificate.pem")
        with open(path, "xb") as file:
            file.write(as_pem(key, certificate))
        context.load_cert_chain(path)
