"""TLS 1.3 of Python's ``ssl``, both sides in memory."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

HOST_NAME = "benchmark.invalid"
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
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.verify_mode = ssl.CERT_REQUIRED
        # A ticket would be work for a later connection, which neither side here makes.
        self._server.num_tickets = 0
        for context, other in ((self._client, self._server), (self._server, self._client)):
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            # OpenSSL 3.5 and later would choose a hybrid; earlier ones have none.
            context.set_ecdh_curve("X25519")
            _authenticate(context, to=other)

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


def check(client: TlsSide, server: TlsSide) -> None:
    """Raise RuntimeError unless the connection is what the report says."""
    cipher = client.tls.cipher()
    if client.tls.version() != "TLSv1.3" or cipher is None or cipher[0] != CIPHER_SUITE:
        raise RuntimeError(f"not TLS 1.3 with {CIPHER_SUITE}: {client.tls.version()}, {cipher}")
    if not (client.tls.getpeercert(binary_form=True) and server.tls.getpeercert(binary_form=True)):
        raise RuntimeError("one side of the TLS connection has shown no certificate")


def _authenticate(context: ssl.SSLContext, *, to: ssl.SSLContext) -> None:
    """Give a context a new certificate, and let the other trust it."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST_NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST_NAME)]), critical=False)
        .sign(key, None)
        .public_bytes(Encoding.PEM)
    )
    to.load_verify_locations(cadata=certificate.decode())
    # ssl takes a private key from a file only.
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "key-and-certificate.pem")
        with open(path, "xb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.write(certificate)
        context.load_cert_chain(path)
