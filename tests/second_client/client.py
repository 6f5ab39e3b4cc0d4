"""A second implementation of the e2ee protocol, version 1, written from SPEC.md alone.

It shares no code with the package and is there to keep the document honest: the tests beside it
let it talk with the real sessions. It does no I/O, reads no clock, keeps no deadline and sets no
timers; sections 7.7, 8 and 17 (discovery, files) are not part of it. Comments name the sections of
SPEC.md.
"""

import base64
import hashlib
import hmac
import json
import os
import struct
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Failure(ValueError):
    """The one kind of error; the session is over."""


class VersionRefused(Failure):
    """The responder speaks another version."""


class SuiteRefused(Failure):
    """The responder wants another suite."""


class InvitationRefused(Failure):
    """The responder does not know the link or code, or it is used up."""


class NewCodeNeeded(Failure):
    """The one try that a code allows is over."""


def need(condition: bool, text: str) -> None:
    if not condition:
        raise Failure(text)


# --- 2. Notation and primitives --------------------------------------------------------------


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(ikm)


LOW_ORDER_Y = {0, 1, 2**255 - 20} | {
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
}


def identity_public_key(raw: bytes) -> Ed25519PublicKey:
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    need(len(raw) == 32 and y < 2**255 - 19 and y not in LOW_ORDER_Y, "bad Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(raw)


# --- 3.1 CipherState ---------------------------------------------------------------------------


class CipherState:
    def __init__(self, cipher: str, key: bytes) -> None:
        self.cipher, self.n = cipher, 0
        self._set(key)

    def _set(self, key: bytes) -> None:
        self.aead = AESGCM(key) if self.cipher == "AESGCM" else ChaCha20Poly1305(key)
        self.used = 0  # records under this key, section 9.6

    def _nonce(self, n: int) -> bytes:
        return bytes(4) + n.to_bytes(8, "big" if self.cipher == "AESGCM" else "little")

    def encrypt(self, ad: bytes, plaintext: bytes) -> bytes:
        need(self.n < 2**64 - 1 and len(plaintext) <= 65519, "cannot encrypt")
        sealed = self.aead.encrypt(self._nonce(self.n), plaintext, ad)
        self.n, self.used = self.n + 1, self.used + 1
        return sealed

    def decrypt(self, ad: bytes, sealed: bytes) -> bytes:
        need(self.n < 2**64 - 1 and 16 <= len(sealed) <= 65535, "cannot decrypt")
        plaintext = self.aead.decrypt(self._nonce(self.n), sealed, ad)
        self.n, self.used = self.n + 1, self.used + 1
        return plaintext

    def rekey(self) -> None:
        self._set(self.aead.encrypt(self._nonce(2**64 - 1), bytes(32), b"")[:32])


# --- 3.2 SymmetricState ------------------------------------------------------------------------


class SymmetricState:
    def __init__(self, protocol: str) -> None:
        name = protocol.encode("ascii")
        self.h = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self.ck = self.h
        self.cipher_name = protocol.split("_")[3]
        self.cipher: CipherState | None = None

    def mix_hash(self, data: bytes) -> None:
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, ikm: bytes) -> None:
        o = hkdf(self.ck, ikm, b"", 64)
        self.ck, self.cipher = o[:32], CipherState(self.cipher_name, o[32:])

    def mix_key_and_hash(self, ikm: bytes) -> None:
        o = hkdf(self.ck, ikm, b"", 96)
        self.ck, self.cipher = o[:32], CipherState(self.cipher_name, o[64:])
        self.mix_hash(o[32:64])

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        data = self.cipher.encrypt(self.h, plaintext) if self.cipher else plaintext
        self.mix_hash(data)
        return data

    def decrypt_and_hash(self, data: bytes) -> bytes:
        plaintext = self.cipher.decrypt(self.h, data) if self.cipher else data
        self.mix_hash(data)
        return plaintext


# --- 3.3 Tokens, 3.4 the protocols, 3.5 Split --------------------------------------------------

PATTERNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "XXhfs": (("e", "e1"), ("e", "ee", "ekem1", "s", "es"), ("s", "se")),
    "NNhfs+psk0": (("psk", "e", "e1"), ("e", "ee", "ekem1")),
    "XXhfs+psk0": (("psk", "e", "e1"), ("e", "ee", "ekem1", "s", "es"), ("s", "se")),
    "IKhfs": (("e", "es", "e1", "s", "ss"), ("e", "ee", "ekem1", "se")),
    "XX": (("e",), ("e", "ee", "s", "es"), ("s", "se")),
    "NNpsk0": (("psk", "e"), ("e", "ee")),
}
SENT = {"e": 32, "s": 32, "e1": 1184, "ekem1": 1088}  # what a token puts on the wire, without tag


@dataclass
class Fixed:
    """What is drawn at random in a handshake, unless a known-answer test fixes it."""

    ephemeral: X25519PrivateKey | None = None
    kem: MLKEM768PrivateKey | None = None
    encapsulation: tuple[bytes, bytes] | None = None  # secret, ciphertext
    steps: list[tuple[int, str, bytes, bytes]] | None = None  # message, symbol, h, ck


class Handshake:
    def __init__(
        self,
        protocol: str,
        initiator: bool,
        prologue: bytes,
        *,
        static: X25519PrivateKey | None = None,
        psk: bytes = b"",
        responder_static: bytes = b"",
        fixed: Fixed | None = None,
    ) -> None:
        name = protocol.split("_")[1]
        self.pattern = PATTERNS[name]
        self.initiator, self.psk, self.fixed = initiator, psk, fixed or Fixed()
        self.message = 0
        self.mine: dict[str, X25519PrivateKey] = {"s": static} if static else {}
        self.theirs: dict[str, X25519PublicKey] = {}
        self.symmetric = SymmetricState(protocol)
        self.symmetric.mix_hash(prologue)
        self._note("prologue")
        if name == "IKhfs":  # the pre-message <- s
            if initiator:
                self.theirs["s"] = X25519PublicKey.from_public_bytes(responder_static)
            self.symmetric.mix_hash(
                responder_static if initiator else self.mine["s"].public_key().public_bytes_raw()
            )

    def _note(self, symbol: str) -> None:
        if self.fixed.steps is not None:
            self.fixed.steps.append((self.message, symbol, self.symmetric.h, self.symmetric.ck))

    def write(self, payload: bytes) -> bytes:
        self.message += 1
        message = b""
        for symbol in self.pattern[self.message - 1]:
            message += self._write_token(symbol)
            self._note(symbol)
        message += self.symmetric.encrypt_and_hash(payload)
        self._note("payload")
        return message

    def read(self, message: bytes) -> bytes:
        self.message += 1
        for symbol in self.pattern[self.message - 1]:
            tag = 16 if self.symmetric.cipher and symbol != "e" else 0
            size = SENT[symbol] + tag if symbol in SENT else 0
            need(len(message) >= size, "handshake message too short")
            self._read_token(symbol, message[:size])
            self._note(symbol)
            message = message[size:]
        payload = self.symmetric.decrypt_and_hash(message)
        self._note("payload")
        return payload

    def _write_token(self, symbol: str) -> bytes:
        state = self.symmetric
        if symbol == "e":
            self.mine["e"] = self.fixed.ephemeral or X25519PrivateKey.generate()
            public = self.mine["e"].public_key().public_bytes_raw()
            self._mix_e(public)
            return public
        if symbol == "s":
            return state.encrypt_and_hash(self.mine["s"].public_key().public_bytes_raw())
        if symbol == "e1":
            self.kem = self.fixed.kem or MLKEM768PrivateKey.generate()
            return state.encrypt_and_hash(self.kem.public_key().public_bytes_raw())
        if symbol == "ekem1":
            secret, ciphertext = self.fixed.encapsulation or self.their_kem.encapsulate()
            sent = state.encrypt_and_hash(ciphertext)
            state.mix_key(secret)
            return sent
        self._mix(symbol)
        return b""

    def _read_token(self, symbol: str, data: bytes) -> None:
        state = self.symmetric
        if symbol == "e":
            self.theirs["e"] = X25519PublicKey.from_public_bytes(data)
            self._mix_e(data)
        elif symbol == "s":
            self.theirs["s"] = X25519PublicKey.from_public_bytes(state.decrypt_and_hash(data))
        elif symbol == "e1":
            self.their_kem = MLKEM768PublicKey.from_public_bytes(state.decrypt_and_hash(data))
        elif symbol == "ekem1":
            state.mix_key(self.kem.decapsulate(state.decrypt_and_hash(data)))
        else:
            self._mix(symbol)

    def _mix_e(self, public: bytes) -> None:
        self.symmetric.mix_hash(public)
        if self.pattern[0][0] == "psk":
            self.symmetric.mix_key(public)

    def _mix(self, symbol: str) -> None:
        if symbol == "psk":
            self.symmetric.mix_key_and_hash(self.psk)
            return
        mine, theirs = (symbol[0], symbol[1]) if self.initiator else (symbol[1], symbol[0])
        # exchange() refuses a shared secret of zeros with a ValueError.
        self.symmetric.mix_key(self.mine[mine].exchange(self.theirs[theirs]))

    def split(self) -> tuple[bytes, bytes, bytes]:
        o = hkdf(self.symmetric.ck, b"", b"", 96)
        return o[:32], o[32:64], o[64:]


# --- 4. Opening --------------------------------------------------------------------------------

MAGIC = b"e2ee"
REFRESH = "Noise_NNhfs+psk0_25519+MLKEM768_AESGCM_SHA256"
SUITES = {  # opening, handshake, refresh, lengths of the messages
    0x0001: (
        "meeting",
        "Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256",
        REFRESH,
        (1216, 1712, 576),
    ),
    0x0002: (
        "meeting",
        "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256",
        "Noise_NNhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256",
        (1216, 1712, 576),
    ),
    0x0003: (
        "meeting",
        "Noise_XX_25519_AESGCM_SHA256",
        "Noise_NNpsk0_25519_AESGCM_SHA256",
        (32, 608, 576),
    ),
    0x0101: ("known", "Noise_IKhfs_25519+MLKEM768_AESGCM_SHA256", REFRESH, (1808, 1664)),
    0x0201: (
        "link",
        "Noise_XXhfs+psk0_25519+MLKEM768_AESGCM_SHA256",
        REFRESH,
        (1248, 1712, 576),
    ),
    0x0301: (
        "code",
        "Noise_XXhfs+psk0_25519+MLKEM768_AESGCM_SHA256",
        REFRESH,
        (1248, 1712, 576),
    ),
}


def preamble(version: int, code: int, suite: int) -> bytes:
    return struct.pack(">4sBBH", MAGIC, version, code, suite)


# --- 6. Canonical messages ---------------------------------------------------------------------


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def encode(**members: str | int | bytes | list[str]) -> bytes:
    plain = {n: b64(v) if isinstance(v, bytes) else v for n, v in members.items()}
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def decode(data: bytes, members: dict[str, type]) -> dict[str, Any]:
    plain = json.loads(data.decode())
    need(type(plain) is dict and list(plain) == list(members), "wrong members")
    values: dict[str, Any] = {}
    for name, kind in members.items():
        value = plain[name]
        need(type(value) is (str if kind is bytes else kind), f"wrong type of {name}")
        need(kind is not int or 0 <= value < 2**53, f"{name} out of range")
        values[name] = base64.urlsafe_b64decode(value) if kind is bytes else value
    need(encode(**values) == data, "not canonical")
    return values


def kind_of(data: bytes) -> str:
    """The kind of a message that begins with {"kind":"name" and then a comma or the end."""
    start, _, rest = data.partition(b'{"kind":"')
    name, quote, rest = rest.partition(b'"')
    need(start == b"" and quote == b'"' and rest[:1] in (b",", b"}"), "no kind")
    return name.decode("ascii")


# --- 5. Handshake payload and device certificate -----------------------------------------------

SIGNED = b"e2ee device certificate v1\0"
CERTIFICATE = {
    "version": int,
    "identity": bytes,
    "static_key": bytes,
    "not_before": int,
    "not_after": int,
}
DAY = 86400


@dataclass
class Me:
    """An identity and one device of it, with the validity of the device's certificate."""

    identity: Ed25519PrivateKey
    static: X25519PrivateKey
    not_before: int
    not_after: int

    @classmethod
    def generate(cls, now: int) -> "Me":
        identity, static = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
        return cls(identity, static, now - DAY, now + 90 * DAY)

    @property
    def identity_key(self) -> bytes:
        return self.identity.public_key().public_bytes_raw()

    @property
    def static_key(self) -> bytes:
        return self.static.public_key().public_bytes_raw()

    def certificate(self) -> tuple[bytes, bytes]:
        certificate = encode(
            version=1,
            identity=self.identity_key,
            static_key=self.static_key,
            not_before=self.not_before,
            not_after=self.not_after,
        )
        return certificate, self.identity.sign(SIGNED + certificate)

    def payload(self, **further: int | bytes) -> bytes:
        certificate, signature = self.certificate()
        text = encode(certificate=certificate, signature=signature, **further)
        return (struct.pack(">H", len(text)) + text).ljust(512, b"\0")


def check_payload(
    payload: bytes, proven: bytes, own: bytes, now: int, further: dict[str, type]
) -> tuple[bytes, dict[str, Any]]:
    """Checks a payload against the static key that its sender proved.

    Returns the sender's identity key and the members, among them those of `further`.
    """
    size = int.from_bytes(payload[:2], "big")
    need(len(payload) == 512 and size <= 510 and not any(payload[2 + size :]), "bad payload")
    outer = decode(payload[2 : 2 + size], {"certificate": bytes, "signature": bytes, **further})
    need(len(outer["certificate"]) <= 300 and len(outer["signature"]) == 64, "bad sizes")
    need(len(outer.get("nonce", bytes(32))) == 32, "size of the nonce")
    inner = decode(outer["certificate"], CERTIFICATE)
    identity: bytes = inner["identity"]
    need(inner["version"] == 1, "bad certificate version")
    identity_public_key(identity).verify(outer["signature"], SIGNED + outer["certificate"])
    need(inner["static_key"] == proven, "certificate of another device")
    need(inner["not_before"] <= now <= inner["not_after"], "certificate not valid now")
    need(proven != own, "our own key came back")
    return identity, outer


# --- 7. Identity as people meet it -------------------------------------------------------------

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _polymod(prefix: str, data: list[int]) -> int:
    check = 1
    expanded = [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix)]  # BIP-173
    for value in [*expanded, *data]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= g if top >> i & 1 else 0
    return check


def bech32m(prefix: str, content: bytes) -> str:
    count = (len(content) * 8 + 4) // 5
    number = int.from_bytes(content, "big") << count * 5 - len(content) * 8
    data = [number >> 5 * i & 31 for i in reversed(range(count))]
    check = _polymod(prefix, [*data, 0, 0, 0, 0, 0, 0]) ^ 0x2BC830A3
    data += [check >> 5 * i & 31 for i in reversed(range(6))]
    return prefix + "1" + "".join(CHARSET[value] for value in data)


def from_bech32m(prefix: str, text: str) -> bytes:
    """The content of small letters behind a prefix."""
    need(text.startswith(prefix + "1"), f"does not begin with {prefix}1")
    data = [CHARSET.index(letter) for letter in text[len(prefix) + 1 :]]
    need(len(data) >= 6 and _polymod(prefix, data) == 0x2BC830A3, "checksum")
    number, bits = 0, (len(data) - 6) * 5
    for value in data[:-6]:
        number = number << 5 | value
    need(bits % 8 < 5 and number & (1 << bits % 8) - 1 == 0, "padding bits")
    return (number >> bits % 8).to_bytes(bits // 8, "big")


def of_one_case(text: str) -> str:
    need(text in (text.lower(), text.upper()), "mixed case")
    return text.lower()


def id_of(key: bytes) -> str:
    return bech32m("e2ee", key)


def key_of(text: str) -> bytes:
    text = of_one_case(text.strip())
    need(len(text) == 63, "not an id")
    key = from_bech32m("e2ee", text)
    identity_public_key(key)
    return key


def safety_words(key: bytes, words: list[str]) -> list[str]:
    number = int.from_bytes(hashlib.sha256(b"e2ee safety words v1\0" + key).digest(), "big")
    return [words[number // 1296**i % 1296] for i in range(8)]


def safety_digits(one: bytes, other: bytes) -> str:
    halves = (
        int.from_bytes(hashlib.sha256(b"e2ee safety digits v1\0" + key).digest(), "big") % 10**25
        for key in sorted((one, other))
    )
    return "".join(f"{half:025}" for half in halves)


def safety_qr(one: bytes, other: bytes) -> str:
    return bech32m("safety", b"".join(sorted((one, other)))).upper()


# --- 7.5 Spoken code


@dataclass
class Code:
    """A number and the password of the PAKE; the inviter's connections share one object."""

    number: int
    password: bytes
    state: Literal["open", "taken", "burned"] = "open"


SEPARATORS = "-_.,\u2010\u2011\u2012\u2013\u2014\u2015\u2212"


def read_code(text: str, words: list[str]) -> Code:
    text = unicodedata.normalize("NFKC", text)
    for separator in SEPARATORS:
        text = text.replace(separator, " ")
    number, *parts = text.lower().split()
    need(number.isdecimal() and number.isascii() and len(number) <= 3, "number of the code")
    need(int(number) > 0, "number of the code")
    need(len(parts) == 3, "a code has three words")
    found = []
    for part in parts:
        fits = [word for word in words if word.startswith(part)]
        need(len(part) >= 3 and len(fits) == 1, "unknown word")
        found += fits
    return Code(int(number), "-".join(found).encode())


P, A = 2**255 - 19, 486662


def prepend_len(data: bytes) -> bytes:
    length, size = b"", len(data)
    while size >= 128:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return length + bytes([size]) + data


def lv_cat(*parts: bytes) -> bytes:
    return b"".join(map(prepend_len, parts))


def cpace_generator(password: bytes, ci: bytes, sid: bytes) -> bytes:
    zeros = max(0, 128 - 1 - len(prepend_len(password)) - len(prepend_len(b"CPace255")))
    text = lv_cat(b"CPace255", password, bytes(zeros), ci, sid)
    r = int.from_bytes(hashlib.sha512(text).digest()[:32], "little") & (2**255 - 1)
    v = -A * pow(1 + 2 * r * r, -1, P) % P
    e = pow(v**3 + A * v**2 + v, (P - 1) // 2, P)
    return ((e * v - (1 - e) * A * pow(2, -1, P)) % P).to_bytes(32, "little")


def x25519(scalar: bytes, point: bytes) -> bytes:
    """Refuses a result of zeros with a ValueError."""
    private = X25519PrivateKey.from_private_bytes(scalar)
    return private.exchange(X25519PublicKey.from_public_bytes(point))


def cpace_isk(sid: bytes, k: bytes, ya: bytes, ada: bytes, yb: bytes, adb: bytes) -> bytes:
    text = lv_cat(b"CPace255_ISK", sid, k) + lv_cat(ya, ada) + lv_cat(yb, adb)
    return hashlib.sha512(text).digest()


# --- 7.6 Link


@dataclass(frozen=True)
class Link:
    identity_key: bytes
    secret: bytes
    expires: int
    addresses: tuple[tuple[str, int], ...]

    @property
    def lookup_id(self) -> bytes:
        return hkdf(b"", self.secret, b"e2ee link lookup id v1", 16)

    @property
    def psk(self) -> bytes:
        return hkdf(b"", self.secret, b"e2ee link psk v1", 32)

    def text(self) -> str:
        content = b"\1" + self.identity_key + self.secret + struct.pack(">Q", self.expires)
        for host, port in self.addresses:
            content += bytes([len(host)]) + host.encode("ascii") + struct.pack(">H", port)
        return "e2ee:" + bech32m("invite", content)


HOST = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:%-")


def read_link(text: str) -> Link:
    text = "".join(text.split())
    need(len(text) <= 1000 and text[:5].lower() == "e2ee:", "not a link")
    content = from_bech32m("invite", of_one_case(text[5:]))
    need(content[:1] == b"\1", "version of the link")
    need(len(content) > 73, "link too short")
    key, secret, expires = struct.unpack(">32s32sQ", content[1:73])
    identity_public_key(key)
    need(expires < 2**53, "end of the link")
    rest, addresses = content[73:], []
    while rest:
        size = rest[0]
        host, port, rest = rest[1 : 1 + size], rest[1 + size : 3 + size], rest[3 + size :]
        need(len(host) == size and len(port) == 2 and set(host) <= HOST, "address of the link")
        need(1 <= size <= 253 and port != b"\0\0", "address of the link")
        addresses.append((host.decode("ascii"), int.from_bytes(port, "big")))
    need(len(addresses) <= 8, "too many addresses")
    return Link(key, secret, expires, tuple(addresses))


# --- 9.2 to 9.5 Contents of records ------------------------------------------------------------

DATA, CONTROL = 0, 1
MAX_CONTENT = 65516
MAX_MESSAGE = 16 * 2**20
CONTROLS: dict[str, dict[str, type]] = {
    "close": {},
    "key_update": {},
    "refresh_offer": {"message": bytes},
    "refresh_answer": {"message": bytes},
    "refresh_switch": {},
    "ping": {},
    "pong": {},
}


def padded_length(n: int) -> int:
    """The policy "chat": how long a plaintext of n bytes becomes."""
    if n <= 256:
        return 256
    e = n.bit_length() - 1
    step = 1 << (e - e.bit_length())  # S = floor(log2 E) + 1 is the number of bits of E
    return min((n + step - 1) // step * step, 65519)


def open_plaintext(plaintext: bytes) -> tuple[int, bytes]:
    content_type, size = struct.unpack(">BH", plaintext[:3])
    need(content_type in (DATA, CONTROL), "unknown content type")
    need(3 + size <= len(plaintext), "content longer than its record")
    need(not any(plaintext[3 + size :]), "padding not zero")
    return content_type, plaintext[3 : 3 + size]


# --- 9 and 10. The session ---------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    identity_key: bytes
    static_key: bytes
    suite: int
    handshake_hash: bytes


@dataclass(frozen=True)
class Message:
    data: bytes


@dataclass(frozen=True)
class Refreshed:
    pass


@dataclass(frozen=True)
class Closed:
    pass


Event = Opened | Message | Refreshed | Closed
State = Literal["HANDSHAKE", "OPEN", "CLOSING", "CLOSED", "FAILED"]


@dataclass
class Client:
    """One side: feed it with `receive`, send what is in `out`, and `end` it with the stream."""

    me: Me
    initiator: bool
    now: int
    suites: tuple[int, ...] = (1,)  # an initiator offers the first, a responder accepts all
    expected_peer: bytes | None = None
    chat_padding: bool = False
    key_update_records: int = 2**20
    refresh_records: int = 2**16
    fixed: Fixed | None = None
    # Section 4.3: what the initiator knows, and whom the responder knows: the device keys of each
    # identity, with the highest sequence number of each.
    responder_static: bytes = b""
    sequence: int = 0
    contacts: dict[bytes, dict[bytes, int]] = field(default_factory=dict)
    # Section 4.4: the initiator's link, and the responder's by their lookup ids, until used.
    link: Link | None = None
    links: dict[bytes, Link] = field(default_factory=dict)
    code: Code | None = None  # section 4.5
    out: bytearray = field(default_factory=bytearray)
    events: list[Event] = field(default_factory=list)  # after a failure: what came before it
    state: State = "HANDSHAKE"
    refreshing: Literal["IDLE", "OFFERED", "CROSSED", "ANSWERED"] = "IDLE"

    def __post_init__(self) -> None:
        self.buffer, self.stream, self.hello = bytearray(), bytearray(), b""
        self.error: Failure | None = None
        self.pong_due, self.since_refresh = False, 0
        self.one_try = False  # section 4.5: the initiator's message 1 has gone out
        self.further: dict[str, int | bytes] = {}  # members of our own payload
        self.their_further: dict[str, type] = {}  # and of the other's
        if self.initiator:
            self.hello = preamble(1, 0, self.suites[0])
            self._expect((8, self._answer), *self._call())
            self.own = bytes(self.out[8:40])
        else:
            self._expect((8, self._hello))

    # --- 4. Opening

    def _expect(self, *steps: tuple[int, Callable[[bytes], None]]) -> None:
        """What comes next: so many bytes, and what to do with them."""
        self.steps = list(steps)

    def _opening(self) -> bool:
        size, step = self.steps[0]
        if step in (self._hello, self._answer):
            need(MAGIC.startswith(bytes(self.buffer[:4])), "wrong magic")
        elif self.initiator:
            need(bytes(self.buffer[:32]) != self.own, "our own bytes")
        if len(self.buffer) < size:
            return False
        self.steps.pop(0)
        step(self._take(size))
        return True

    def _begin(self, prologue: bytes, psk: bytes = b"") -> None:
        self.handshake = Handshake(
            self.protocol,
            self.initiator,
            prologue,
            static=self.me.static,
            psk=psk,
            responder_static=self.responder_static,
            fixed=self.fixed,
        )

    def _use(self, suite: int) -> None:
        self.suite = suite
        self.opening, self.protocol, self.refresh_protocol, self.sizes = SUITES[suite]
        if self.opening == "code":
            self.nonce = os.urandom(32)
            text = b"e2ee code commitment v1\0" + self.me.identity_key + self.nonce
            self.commitment = hashlib.sha256(text).digest()
            self.further, self.their_further = {"nonce": self.nonce}, {"nonce": bytes}

    def _check(self, payload: bytes, further: dict[str, type]) -> dict[str, Any]:
        proven = self.handshake.theirs["s"].public_bytes_raw()
        identity, members = check_payload(payload, proven, self.me.static_key, self.now, further)
        need(self.expected_peer in (None, identity), "somebody else")
        if self.opening == "code":
            text = b"e2ee code commitment v1\0" + identity + members["nonce"]
            need(hashlib.sha256(text).digest() == self.their_commitment, "commitment")
        self.peer = identity, proven
        return members

    def _split(self) -> None:
        self.sending, self.receiving = self._new_epoch(self.handshake, self.initiator)
        self.handshake_hash, self.exporter_secret = self.epoch  # section 9.8: those of epoch 0
        info = b"e2ee confirmation v1"
        self.confirmation = hkdf(self.handshake_hash, self.exporter_secret, info, 32)
        del self.handshake

    def _open(self) -> None:
        self.state = "OPEN"
        self.events.append(Opened(*self.peer, self.suite, self.handshake_hash))

    def _confirmed(self, confirmation: bytes) -> None:
        need(hmac.compare_digest(confirmation, self.confirmation), "confirmation")
        self._open()

    # --- 4.1 to 4.5, the initiator

    def _call(self) -> list[tuple[int, Callable[[bytes], None]]]:
        """Sends the first bytes; what comes after the answer."""
        self._use(self.suites[0])
        if self.opening == "code":
            assert self.code is not None
            self.sid, number = os.urandom(16), struct.pack(">H", self.code.number)
            share = self._cpace_share(self.sid, number)
            self.first = self.hello + self.sid + number + share + self.commitment
            self.out += self.first
            return [(64, self._code_answered), (self.sizes[1], self._message_2)]
        first, psk, payload = self.hello, b"", b""
        if self.opening == "link":
            assert self.link is not None
            need(self.expected_peer in (None, self.link.identity_key), "link of somebody else")
            self.expected_peer = self.link.identity_key
            first, psk = self.hello + self.link.lookup_id, self.link.psk
        elif self.opening == "known":
            payload = self.me.payload(sequence=self.sequence)
        self._begin(first, psk)
        self.out += first + self.handshake.write(payload)
        return [(self.sizes[1], self._message_2)]

    def _answer(self, answer: bytes) -> None:
        _, version, code, suite = struct.unpack(">4sBBH", answer)
        if code == 1:
            raise VersionRefused(f"the peer speaks version {version}")
        if code == 2:
            raise SuiteRefused(f"the peer wants suite {suite}")
        if code == 3:
            raise InvitationRefused("the invitation is wrong, used or expired")
        need(answer == self.hello, "unknown answer")

    def _code_answered(self, data: bytes) -> None:
        theirs, self.their_commitment = data[:32], data[32:]
        psk = self._cpace_psk(self.sid, theirs, self.share, self.commitment, theirs, data[32:])
        self._begin(self.first + self.hello + data, psk)
        self.out += self.handshake.write(b"")
        self.one_try = True

    def _message_2(self, message: bytes) -> None:
        self._check(self.handshake.read(message), self.their_further)
        if self.opening != "known":
            self.out += self.handshake.write(self.me.payload(**self.further))
        self._split()
        if self.opening == "known":
            self.out += self.confirmation
        if self.opening in ("meeting", "known"):
            self._open()
        else:
            self._expect((32, self._confirmed))

    # --- 4.1 to 4.5, the responder

    def _hello(self, hello: bytes) -> None:
        _, version, code, suite = struct.unpack(">4sBBH", hello)
        if version != 1:
            self._refuse(1, 0)
            raise VersionRefused(f"version {version}")
        need(code == 0, "not a hello")
        if suite not in self.suites:
            self._refuse(2, self.suites[0])
            raise SuiteRefused(f"suite {suite}")
        self.hello = hello
        self._use(suite)
        if self.opening == "code":
            self._expect((82, self._code_asked))
        elif self.opening == "link":
            self._expect((16, self._link_asked))
        else:
            self._begin(hello)
            self._expect((self.sizes[0], self._message_1))

    def _refuse(self, code: int, suite: int) -> None:
        if any(SUITES[suite][0] != "known" for suite in self.suites):  # else mute
            self.out += preamble(1, code, suite)

    def _link_asked(self, lookup_id: bytes) -> None:
        self.link = self.links.get(lookup_id)
        if self.link is None or self.link.expires < self.now:
            self._refuse(3, self.suite)
            raise InvitationRefused("no such link")
        self._begin(self.hello + lookup_id, self.link.psk)
        self._expect((self.sizes[0], self._message_1))

    def _code_asked(self, data: bytes) -> None:
        sid, number, theirs, self.their_commitment = struct.unpack(">16s2s32s32s", data)
        if (
            self.code is None
            or self.code.state != "open"
            or (self.code.number != int.from_bytes(number, "big"))
        ):
            self._refuse(3, self.suite)
            raise InvitationRefused("no such code")
        share = self._cpace_share(sid, number)
        psk = self._cpace_psk(sid, theirs, theirs, data[50:], share, self.commitment)
        sent = self.hello + share + self.commitment
        self._begin(self.hello + data + sent, psk)
        self.out += sent
        self._expect((self.sizes[0], self._message_1))

    def _message_1(self, message: bytes) -> None:
        if self.opening == "known":
            self._admit(message)
            self.out += self.hello + self.handshake.write(self.me.payload())
            self._split()
            self._expect((32, self._confirmed))
            return
        if self.opening == "code":
            self._take_code(message)
            self.out += self.handshake.write(self.me.payload(**self.further))
        else:
            need(self.handshake.read(message) == b"", "payload in message 1")
            self.out += self.hello + self.handshake.write(self.me.payload())
        self._expect((self.sizes[2], self._message_3))

    def _admit(self, message: bytes) -> None:
        try:
            sequence = self._check(self.handshake.read(message), {"sequence": int})["sequence"]
            identity, static = self.peer
            need(identity in self.contacts, "not a contact")
            need(sequence > self.contacts[identity].get(static, 0), "a replay")
        except (ValueError, InvalidTag, InvalidSignature, RecursionError):
            meeting = [suite for suite in self.suites if SUITES[suite][0] == "meeting"]
            if meeting:
                self._refuse(2, meeting[0])
            raise
        self.contacts[identity][static] = sequence

    def _take_code(self, message: bytes) -> None:
        assert self.code is not None
        need(self.code.state == "open", "the code is used up")
        self.code.state = "burned"
        need(self.handshake.read(message) == b"", "payload in message 1")
        self.code.state = "taken"

    def _message_3(self, message: bytes) -> None:
        self._check(self.handshake.read(message), self.their_further)
        self._split()
        if self.opening == "link":
            assert self.link is not None
            need(self.links.pop(self.link.lookup_id, None) is not None, "the link is used up")
        if self.opening != "meeting":
            self.out += self.confirmation
        self._open()

    # --- 4.5 CPace

    def _cpace_share(self, sid: bytes, number: bytes) -> bytes:
        assert self.code is not None
        ci = b"e2ee code v1\0" + self.hello + number
        self.scalar = os.urandom(32)
        self.share = x25519(self.scalar, cpace_generator(self.code.password, ci, sid))
        return self.share

    def _cpace_psk(
        self, sid: bytes, theirs: bytes, ya: bytes, ada: bytes, yb: bytes, adb: bytes
    ) -> bytes:
        need(theirs != self.share, "our own share came back")
        k = x25519(self.scalar, theirs)
        return hkdf(b"", cpace_isk(sid, k, ya, ada, yb, adb), b"e2ee code psk v1", 32)

    def _new_epoch(self, handshake: Handshake, first: bool) -> tuple[CipherState, CipherState]:
        """The new sending and receiving states; `first` sent the handshake's first message."""
        one, two, exporter_secret = handshake.split()
        self.epoch = handshake.symmetric.h, exporter_secret
        cipher = self.protocol.split("_")[3]
        states = CipherState(cipher, one), CipherState(cipher, two)
        return states if first else states[::-1]

    # --- Input

    def _take(self, size: int) -> bytes:
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def receive(self, data: bytes) -> list[Event]:
        if self.error:
            raise self.error
        self.buffer += data
        try:
            while self.buffer and (self._opening if self.state == "HANDSHAKE" else self._record)():
                pass
        except (ValueError, InvalidTag, InvalidSignature, RecursionError) as error:
            if self.one_try and self.state == "HANDSHAKE":
                self.error = NewCodeNeeded(repr(error))
            else:
                self.error = error if isinstance(error, Failure) else Failure(repr(error))
            self.state = "FAILED"
            raise self.error from error
        if self.pong_due and self.state == "OPEN":
            self.control("pong")
        self.pong_due = False
        events, self.events = self.events, []
        return events

    def end(self) -> None:
        """The stream has ended (section 9.9)."""
        if self.state != "CLOSED":
            kind = NewCodeNeeded if self.one_try and self.state == "HANDSHAKE" else Failure
            self.state, self.error = "FAILED", self.error or kind("truncated")
            raise self.error

    def _record(self) -> bool:
        need(self.state in ("OPEN", "CLOSING"), "bytes after the peer's close")
        size = int.from_bytes(self.buffer[:2], "big")
        if len(self.buffer) < 2:
            return False
        need(size >= 19, "record too short")
        if len(self.buffer) < 2 + size:
            return False
        need(self.receiving.used < 2**22, "too many records under one key")
        plaintext = self.receiving.decrypt(b"", self._take(2 + size)[2:])
        content_type, content = open_plaintext(plaintext)
        self._data(content) if content_type == DATA else self._control(content)
        return True

    def _data(self, content: bytes) -> None:
        self.stream += content
        while len(self.stream) >= 4:
            size = int.from_bytes(self.stream[:4], "big")
            need(size <= MAX_MESSAGE, "message too long")
            if len(self.stream) < 4 + size:
                break
            self.events.append(Message(bytes(self.stream[4 : 4 + size])))
            del self.stream[: 4 + size]

    def _control(self, content: bytes) -> None:
        kind = kind_of(content)
        need(kind in CONTROLS, "unknown control message")
        members = decode(content, {"kind": str, **CONTROLS[kind]})
        if kind == "close":
            need(not self.stream, "close within a message")
            if self.state == "OPEN":
                self.control("close")
            self.state = "CLOSED"
            self.events.append(Closed())
        elif kind == "key_update":
            self.receiving.rekey()
        elif kind == "ping":
            self.pong_due = True
        elif kind.startswith("refresh_"):
            message = members.get("message", b"?")
            need(1 <= len(message) <= 4096, "size of a refresh message")
            self._refresh_input(kind, message)

    # --- Output

    def record(self, content_type: int, content: bytes) -> None:
        if self.sending.used >= self.key_update_records - 1:
            self.update_key()
        self._seal(content_type, content)

    def _seal(self, content_type: int, content: bytes) -> None:
        self._put(self.sending.encrypt(b"", self._plaintext(content_type, content)))
        self.since_refresh += 1

    def _plaintext(self, content_type: int, content: bytes) -> bytes:
        plaintext = struct.pack(">BH", content_type, len(content)) + content
        if self.chat_padding:
            plaintext = plaintext.ljust(padded_length(len(plaintext)), b"\0")
        return plaintext

    def _put(self, sealed: bytes) -> None:
        self.out += struct.pack(">H", len(sealed)) + sealed

    def control(self, kind: str, **members: bytes) -> None:
        self.record(CONTROL, encode(kind=kind, **members))

    def _need_open(self) -> None:
        if self.error:
            raise self.error
        if self.state != "OPEN":
            raise RuntimeError(f"not in state {self.state}")

    def send(self, message: bytes) -> None:
        self.send_cut(struct.pack(">I", len(message)) + message, MAX_CONTENT)

    def send_cut(self, stream: bytes, *sizes: int) -> None:
        """Section 9.4: some of the stream of messages in contents of these sizes, in turn."""
        self._need_open()
        at = turn = 0
        while at < len(stream):
            size = sizes[turn % len(sizes)]
            self.record(DATA, stream[at : at + size])
            at, turn = at + size, turn + 1
        if self.since_refresh >= self.refresh_records and self.refreshing == "IDLE":
            self.refresh()

    def ping(self) -> None:
        self._need_open()
        self.control("ping")

    def update_key(self) -> None:
        self._need_open()
        self._seal(CONTROL, encode(kind="key_update"))
        self.sending.rekey()

    def close(self) -> None:
        self._need_open()
        self.control("close")
        self.state = "CLOSING"

    # --- 9.7 Refresh

    def refresh(self) -> None:
        self._need_open()
        need(self.refreshing == "IDLE", "a refresh is under way")
        self.offer = self._refresh_handshake(initiator=True)
        self.control("refresh_offer", message=self.offer.write(b""))
        self.refreshing = "OFFERED"

    def _refresh_handshake(self, initiator: bool) -> Handshake:
        epoch_hash, secret = self.epoch
        return Handshake(
            self.refresh_protocol,
            initiator,
            b"e2ee refresh v1\0" + epoch_hash,
            psk=hkdf(epoch_hash, secret, b"e2ee refresh psk v1", 32),
        )

    def _refresh_input(self, kind: str, message: bytes) -> None:
        was = self.refreshing
        if kind == "refresh_offer" and was == "OFFERED" and self.initiator:
            self.refreshing = "CROSSED"
        elif kind == "refresh_offer" and was in ("IDLE", "OFFERED"):
            if self.state == "OPEN":
                self._refresh_answer(message)
        elif kind == "refresh_answer" and was in ("OFFERED", "CROSSED"):
            need(self.offer.read(message) == b"", "payload in a refresh")
            sending, self.receiving = self._new_epoch(self.offer, first=True)
            del self.offer
            if self.state == "OPEN":
                self.control("refresh_switch")
                self.sending = sending
                self._refresh_done()
        elif kind == "refresh_switch" and was == "ANSWERED":
            self.receiving = self.next_receiving
            del self.next_receiving
            self._refresh_done()
        else:
            raise Failure(f"{kind} in {was}")

    def _refresh_answer(self, message: bytes) -> None:
        self.offer = self._refresh_handshake(initiator=False)  # in place of one of our own
        need(self.offer.read(message) == b"", "payload in a refresh")
        self.control("refresh_answer", message=self.offer.write(b""))
        self.sending, self.next_receiving = self._new_epoch(self.offer, first=False)
        del self.offer
        self.refreshing = "ANSWERED"

    def _refresh_done(self) -> None:
        self.refreshing, self.since_refresh = "IDLE", 0
        self.events.append(Refreshed())

    # --- 9.8 Exporter

    def export(self, label: bytes, length: int) -> bytes:
        info = b"e2ee exporter v1\0" + struct.pack(">H", length) + label
        return hkdf(self.handshake_hash, self.exporter_secret, info, length)


# --- 11. Chat layer ----------------------------------------------------------------------------

CHAT: dict[str, dict[str, type]] = {
    "hello": {"purposes": list},
    "stream": {"id": bytes, "first": int},
    "resume": {"received": int},
    "text": {"id": int, "body": str},
    "receipt": {"id": int},
    "name": {"name": str},
    "leave": {"reason": str},
    "end": {},
    "written": {},
}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def chat_text(number: int, body: str) -> bytes:
    need(1 <= number < 2**53 and len(body.encode()) <= 2**20, "text out of range")
    return encode(kind="text", id=number, body=body)


def is_name(text: Any) -> bool:
    """Of a purpose, a reason or a kind."""
    return (
        type(text) is str
        and 1 <= len(text) <= 32
        and text[0] in LETTERS
        and all(c in LETTERS + "0123456789_.-" for c in text)
    )


def read_chat(data: bytes) -> dict[str, Any] | None:
    """The members of a chat message, or None when it is to be shown as unsupported."""
    kind = kind_of(data)
    if kind not in CHAT:
        need(is_name(kind), "malformed kind")
        return None
    members = decode(data, {"kind": str, **CHAT[kind]})
    need(len(members.get("purposes", "?")) in range(1, 9), "number of purposes")
    need(all(map(is_name, members.get("purposes", ()))), "name of a purpose")
    need(is_name(members.get("reason", "left")), "name of a reason")
    need(kind != "stream" or len(members["id"]) == 16, "size of a stream's name")
    need(kind == "stream" or members.get("id", 1) >= 1, "id out of range")
    need(members.get("first", 1) >= 1, "first out of range")
    need(len(members.get("body", "").encode()) <= 2**20, "body too long")
    need(1 <= len(members.get("name", "?")) <= 64, "length of a name")
    return members


class Memory:
    """What one side keeps over any number of channels with one identity (section 11.3)."""

    def __init__(self) -> None:
        self.stream, self.next = os.urandom(16), 1
        self.texts: dict[int, str] = {}  # those that are not confirmed
        self.heard: dict[bytes, int] = {}

    def restart(self) -> None:
        texts = list(self.texts.values())
        self.stream, self.next = os.urandom(16), len(texts) + 1
        self.texts = dict(enumerate(texts, 1))

    def hear(self, stream: bytes, number: int) -> None:
        self.heard.pop(stream, None)
        self.heard[stream] = number
        if len(self.heard) > 16:
            del self.heard[next(iter(self.heard))]


class Chat:
    """One side of one channel for chat: feed it with `receive`, send what is in `out`, in order."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.out: list[bytes] = []
        self.told: list[str] = []  # what was shown
        self.greeted = self.peer_left = self.left = False
        self.asked = self.ready = self.restarted = False
        self.sent = self.confirmed = 0
        self.end = 2**53  # no text from this one on goes out here: it was said after a goodbye
        self.hearing, self.received, self.streams = b"", 0, 0

    def put(self, kind: str, **members: Any) -> None:
        self.out.append(encode(kind=kind, **members))

    def begin(self) -> None:
        self.put("hello", purposes=["chat"])

    def receive(self, data: bytes) -> None:
        members = read_chat(data) or {"kind": "unsupported"}
        kind = members.pop("kind")
        need((kind == "hello") != self.greeted, "a hello comes first, and only then")
        need(not self.peer_left or kind in ("resume", "receipt"), "the peer had left")
        need(kind not in ("end", "written"), "not a pipe")
        getattr(self, "_on_" + kind)(**members)

    def _on_hello(self, purposes: list[str]) -> None:
        need("chat" in purposes, "another purpose")
        self.greeted = True
        self.begin_stream()

    def _on_unsupported(self) -> None:
        self.told.append("unsupported")

    def _on_name(self, name: str) -> None:
        self.told.append(name)

    def _on_leave(self, reason: str) -> None:
        self.peer_left = True
        self.end = self.memory.next

    # Our texts

    def begin_stream(self) -> None:
        first = min(self.memory.texts, default=self.memory.next)
        self.put("stream", id=self.memory.stream, first=first)
        self.asked, self.ready = True, False
        self.sent = self.confirmed = first - 1

    def _on_resume(self, received: int) -> None:
        need(self.asked, "a resume that was not asked for")
        if received >= self.memory.next:
            need(not self.restarted, "nobody can know a new stream")
            self.restarted = True
            self.memory.restart()
            self.begin_stream()
            return
        self.asked, self.ready = False, True
        self.sent = max(received, self.sent)
        self._confirm(received)
        self.go_on()

    def _on_receipt(self, id: int) -> None:  # noqa: A002 -- the member's name
        need(self.confirmed < id <= self.sent, "not a receipt for what was sent")
        self._confirm(id)

    def _confirm(self, number: int) -> None:
        self.confirmed = max(self.confirmed, number)
        self.memory.texts = {n: t for n, t in self.memory.texts.items() if n > number}

    def say(self, body: str) -> None:
        self.memory.texts[self.memory.next] = body
        self.memory.next += 1
        self.go_on()

    def go_on(self) -> None:
        while self.ready and not self.left and self.sent + 1 < min(self.memory.next, self.end):
            self.sent += 1
            self.out.append(chat_text(self.sent, self.memory.texts[self.sent]))

    def introduce(self, name: str) -> None:
        self.put("name", name=name)

    def leave(self) -> None:
        self.put("leave", reason="left")
        self.left, self.ready = True, False

    # The peer's texts

    def _on_stream(self, id: bytes, first: int) -> None:  # noqa: A002
        self.streams += 1
        need(self.streams <= 2, "stream after stream")
        received = self.memory.heard.get(id, 0)
        self.hearing, self.received = id, max(received, first - 1)
        self.resume(received)

    def resume(self, received: int) -> None:
        self.put("resume", received=received)

    def _on_text(self, id: int, body: str) -> None:  # noqa: A002
        need(self.hearing != b"" and id == self.received + 1, "texts come one by one")
        self.received = id
        self.told.append(body)
        self.memory.hear(self.hearing, id)
        self.confirm(id)

    def confirm(self, number: int) -> None:
        self.put("receipt", id=number)
