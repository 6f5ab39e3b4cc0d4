"""The Noise Protocol Framework, revision 34, with the hfs modifier: bytes in, bytes out."""

from e2ee.handshake.cipher_state import CipherState
from e2ee.handshake.handshake import Handshake, KnownAnswerWarning
from e2ee.handshake.patterns import PATTERNS, Pattern, Token
from e2ee.handshake.protocol_name import Protocol, parse_protocol_name

__all__ = [
    "PATTERNS",
    "CipherState",
    "Handshake",
    "KnownAnswerWarning",
    "Pattern",
    "Protocol",
    "Token",
    "parse_protocol_name",
]
