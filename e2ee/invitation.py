"""Invitations as people pass them on: a spoken code, and a link. SPEC.md sections 7.5 and 7.6."""

from __future__ import annotations

import re
import secrets
import struct
import unicodedata
from collections.abc import Sequence
from functools import cache

from e2ee._bare_errors import bare_errors
from e2ee._uncopyable import Uncopyable
from e2ee.errors import InvalidId, InvalidInvitation, InvalidPublicKey
from e2ee.ids import check_identity_key, decode_bech32m, encode_bech32m, whole_word, word_list
from e2ee.limits import MAX_HOST_LENGTH, MAX_KNOWN_TIME, MAX_PORT
from e2ee.primitives import HASHES
from e2ee.random_numbers import drawn

__all__ = ["Link", "SpokenCode"]

CODE_WORDS = 3
"""Words of a code, 10.3 bits each: 31 bits."""

MAX_CODE_NUMBER = 999
"""The highest number of a code: three digits are soon typed."""

LINK_SECRET_LENGTH = 32
LOOKUP_ID_LENGTH = 16

MAX_ADDRESSES = 8
"""Addresses in a link; it has to fit into a QR code."""

MAX_LINK_LENGTH = 1000
"""Characters of a link: in up to 1,023 the checksum finds any three wrong ones (BIP-173)."""

_SCHEME = "e2ee:"
_LINK_PREFIX = "invite"
_LINK_VERSION = 1
_LINK_HEAD = struct.Struct(f">B32s{LINK_SECRET_LENGTH}sQ")
_HOST = re.compile(rf"[A-Za-z0-9._:%-]{{1,{MAX_HOST_LENGTH}}}")


class SpokenCode(Uncopyable):
    """A number, by which the invitation is found, and three words, which are the secret."""

    __slots__ = ("number", "words")

    @bare_errors
    def __init__(self, number: int, words: Sequence[str]) -> None:
        """Raises InvalidInvitation."""
        if type(number) is not int or not 1 <= number <= MAX_CODE_NUMBER:
            raise InvalidInvitation(f"a code's number is from 1 to {MAX_CODE_NUMBER}")
        if not isinstance(words, (list, tuple)) or len(words) != CODE_WORDS:
            raise InvalidInvitation(
                f"a code is a number and {CODE_WORDS} words, like 4-acrobat-velcro-sugar"
            )
        self.number = number
        self.words = tuple(map(_whole_word, words))

    @classmethod
    def generate(cls, number: int) -> SpokenCode:
        """New random words. The number says nothing about them."""
        return cls(number, [drawn(secrets.choice, _code_words()) for _ in range(CODE_WORDS)])

    @classmethod
    @bare_errors
    def parse(cls, text: str) -> SpokenCode:
        """Read a code as a person types it: any case, blanks or dashes between the parts, and of
        each word three letters or more. Raises InvalidInvitation, which names the wrong word only.
        """
        if not isinstance(text, str):
            raise InvalidInvitation("a code is text")
        parts = re.split(r"[\s\-\u2010-\u2015\u2212_.,]+", unicodedata.normalize("NFKC", text))
        number, *words = [part for part in parts if part] or [""]
        if re.fullmatch("[0-9]{1,3}", number) is None:
            raise InvalidInvitation("a code begins with its number, like 4-acrobat-velcro-sugar")
        return cls(int(number), words)

    @property
    def password(self) -> bytes:
        """What the PAKE gets: the bytes of the three words, without the number."""
        return "-".join(self.words).encode()

    def __str__(self) -> str:
        return "-".join([str(self.number), *self.words])

    def __repr__(self) -> str:
        return f"<SpokenCode number {self.number}>"


@cache
def _code_words() -> tuple[str, ...]:
    """The list without its one word that has a dash: 1,295."""
    return tuple(word for word in word_list() if "-" not in word)


def _whole_word(typed: str) -> str:
    if not isinstance(typed, str):
        raise InvalidInvitation("a word of a code is text")
    word = whole_word(typed)
    if word is None or "-" in word:
        raise InvalidInvitation(f"{typed[:20]!r} is no word of the list; nothing was tried with it")
    return word


class Link(Uncopyable):
    """An invitation link: whose it is, where they are, and a secret that is good once.

    ``identity_key`` -- the inviter's, 32 bytes. ``secret`` -- 32 random bytes. ``expires`` --
    seconds since 1970. ``addresses`` -- one to eight pairs of host and port.
    """

    __slots__ = ("_secret", "addresses", "expires", "identity_key")

    @bare_errors
    def __init__(
        self,
        identity_key: bytes,
        secret: bytes,
        expires: int,
        addresses: Sequence[tuple[str, int]],
    ) -> None:
        """Raises InvalidInvitation."""
        if not isinstance(identity_key, bytes) or not isinstance(secret, bytes):
            raise InvalidInvitation("the keys of a link are bytes")
        try:
            check_identity_key(identity_key)
        except InvalidPublicKey:
            raise InvalidInvitation("a link names an identity that no one can have") from None
        if len(secret) != LINK_SECRET_LENGTH:
            raise InvalidInvitation("a link has a secret of 32 bytes")
        if type(expires) is not int or not 0 <= expires <= MAX_KNOWN_TIME:
            raise InvalidInvitation(
                "a link has a time when it expires, in whole seconds since 1970"
            )
        if not isinstance(addresses, (list, tuple)) or not 1 <= len(addresses) <= MAX_ADDRESSES:
            raise InvalidInvitation(f"a link has 1 to {MAX_ADDRESSES} addresses")
        for address in addresses:
            if not _is_address(address):
                raise InvalidInvitation("a link has an address that cannot be one")
        self.identity_key = identity_key
        self._secret = secret
        self.expires = expires
        self.addresses = tuple(addresses)

    @classmethod
    @bare_errors
    def parse(cls, text: str) -> Link:
        """Read a link; blanks and line breaks in it do not matter. Raises InvalidInvitation."""
        if not isinstance(text, str):
            raise InvalidInvitation("a link is text")
        text = "".join(text.split())
        if not text.lower().startswith(_SCHEME + _LINK_PREFIX):
            raise InvalidInvitation(f"a link begins with {_SCHEME}{_LINK_PREFIX}")
        if len(text) > MAX_LINK_LENGTH:
            raise InvalidInvitation("this is longer than any link")
        try:
            data = decode_bech32m(_LINK_PREFIX, text[len(_SCHEME) :])
        except InvalidId:
            raise InvalidInvitation(
                "the link is cut short or mistyped: its checksum does not fit; copy all of it"
            ) from None
        if data[:1] != bytes([_LINK_VERSION]):
            raise InvalidInvitation("the link is of a version that this program does not know")
        if len(data) < _LINK_HEAD.size:
            raise InvalidInvitation("the link is cut short")
        _, identity_key, secret, expires = _LINK_HEAD.unpack_from(data)
        return cls(identity_key, secret, expires, _parse_addresses(data[_LINK_HEAD.size :]))

    @property
    def text(self) -> str:
        """The link, one line. In capital letters it means the same, in a smaller QR code.

        Raises InvalidInvitation where the addresses are too long for a link.
        """
        data = _LINK_HEAD.pack(_LINK_VERSION, self.identity_key, self._secret, self.expires)
        for host, port in self.addresses:
            data += bytes([len(host)]) + host.encode() + port.to_bytes(2)
        text = _SCHEME + encode_bech32m(_LINK_PREFIX, data)
        if len(text) > MAX_LINK_LENGTH:
            raise InvalidInvitation("the addresses are too long for a link")
        return text

    @property
    def lookup_id(self) -> bytes:
        """What the joiner shows, so that the inviter finds the link: 16 bytes."""
        return lookup_id_of(self._secret)

    @property
    def psk(self) -> bytes:
        """The pre-shared key of the handshake, 32 bytes."""
        return psk_of(self._secret)


def _is_address(address: object) -> bool:
    if not isinstance(address, (tuple, list)) or len(address) != 2:
        return False
    host, port = address
    if not isinstance(host, str) or type(port) is not int:
        return False
    return _HOST.fullmatch(host) is not None and 0 < port <= MAX_PORT


def lookup_id_of(secret: bytes) -> bytes:
    """The lookup id, 16 bytes, of the link with this secret."""
    return HASHES["SHA256"].hkdf(b"", secret, LOOKUP_ID_LENGTH, b"e2ee link lookup id v1")


def psk_of(secret: bytes) -> bytes:
    """The pre-shared key, 32 bytes, of the link with this secret."""
    return HASHES["SHA256"].hkdf(b"", secret, 32, b"e2ee link psk v1")


def _parse_addresses(data: bytes) -> list[tuple[str, int]]:
    addresses = []
    while data:
        length = data[0]
        host, port, data = data[1 : 1 + length], data[1 + length : 3 + length], data[3 + length :]
        if len(port) != 2:
            raise InvalidInvitation("the link is cut short")
        addresses.append((host.decode("ascii", "replace"), int.from_bytes(port)))
    return addresses
