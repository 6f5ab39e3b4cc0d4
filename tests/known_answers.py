"""Makes tests/vectors/e2ee-v1-handshake.json, the known answers of the protocol's own suites.

Generated once; ``python tests/known_answers.py`` checks that today's code still gives the same,
``--write`` replaces them (which is a change of protocol). The KEM's encapsulation is random in
``cryptography``, so ciphertext and secret are taken from the file when it exists.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from e2ee import HYBRID_AESGCM, HYBRID_CHACHAPOLY, Limits, Padding, Suite
from e2ee.certificate import SIGNATURE_LABEL
from e2ee.handshake import CipherState, Handshake, KnownAnswerWarning, Token
from e2ee.identity import Identity
from e2ee.messages import Certificate, HandshakePayload, decode, encode
from e2ee.opening import _PREAMBLE, MAGIC, VERSION, Code
from e2ee.primitives import CIPHERS, HASHES, MlKem768
from e2ee.record import RecordLayer
from e2ee.record.refresh import PSK_LABEL
from e2ee.session import EXPORTER_LABEL

VECTORS = Path(__file__).parent / "vectors" / "e2ee-v1-handshake.json"


class FixedKem(MlKem768):
    """ML-KEM-768 with a given key pair, and given answers for the side that encapsulates."""

    def __init__(self, seed: bytes, ciphertext: bytes, secret: bytes) -> None:
        self.private_key = MLKEM768PrivateKey.from_seed_bytes(seed)
        self.answer = (ciphertext, secret)

    def generate(self) -> tuple[MLKEM768PrivateKey, bytes]:
        return self.private_key, self.private_key.public_key().public_bytes_raw()

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        assert public_key == self.private_key.public_key().public_bytes_raw()
        return self.answer


class TracedHandshake(Handshake):
    """Writes down h and ck after each step that it writes."""

    steps: list[dict[str, Any]]

    def _write_token(self, token: Token) -> bytes:
        written = super()._write_token(token)
        self.trace(self._next_message + 1, token.value)
        return written

    def write_message(self, payload: bytes = b"") -> bytes:
        message = super().write_message(payload)
        self.trace(self._next_message, "payload")
        return message

    def trace(self, message: int, token: str) -> None:
        self.steps.append(
            {
                "message": message,
                "token": token,
                "h": self._symmetric.handshake_hash.hex(),
                "ck": self._symmetric.chaining_key.hex(),
            }
        )


def key(*names: str) -> bytes:
    """32 bytes that anybody can make again."""
    return hashlib.sha256(" ".join(("e2ee known answers", *names)).encode()).digest()


def person(vector: str, role: str) -> tuple[dict[str, Any], Identity]:
    identity_key = Ed25519PrivateKey.from_private_bytes(key(vector, role, "identity"))
    device_key = X25519PrivateKey.from_private_bytes(key(vector, role, "static"))
    ephemeral = X25519PrivateKey.from_private_bytes(key(vector, role, "ephemeral"))
    certificate = encode(
        Certificate(
            identity=identity_key.public_key().public_bytes_raw(),
            static_key=device_key.public_key().public_bytes_raw(),
            not_before=1_700_000_000,
            not_after=1_800_000_000,
        )
    )
    signature = identity_key.sign(SIGNATURE_LABEL + certificate)
    payload = HandshakePayload(certificate=certificate, signature=signature)
    identity = Identity(identity_key, device_key, decode(HandshakePayload, encode(payload)))
    return {
        "identity_seed": identity_key.private_bytes_raw().hex(),
        "identity_public": identity.public_key.hex(),
        "id": identity.id,
        "words": list(identity.words),
        "static_private": device_key.private_bytes_raw().hex(),
        "static_public": device_key.public_key().public_bytes_raw().hex(),
        "ephemeral_private": ephemeral.private_bytes_raw().hex(),
        "ephemeral_public": ephemeral.public_key().public_bytes_raw().hex(),
        "certificate": certificate.hex(),
        "signature": signature.hex(),
        "payload": identity.handshake_payload().hex(),
    }, identity


def make(name: str, suite: Suite, published: dict[str, Any] | None) -> dict[str, Any]:
    people = {role: person(name, role) for role in ("initiator", "responder")}
    kem_seed = key(name, "kem d") + key(name, "kem z")
    kem_public = MLKEM768PrivateKey.from_seed_bytes(kem_seed).public_key()
    if published is None:
        secret, ciphertext = kem_public.encapsulate()
    else:
        ciphertext = bytes.fromhex(published["kem_ciphertext"])
        secret = bytes.fromhex(published["kem_secret"])
    people["initiator"][0].update(
        kem_seed=kem_seed.hex(), kem_public=kem_public.public_bytes_raw().hex()
    )
    prologue = _PREAMBLE.pack(MAGIC, VERSION, Code.HELLO, suite.number)
    steps: list[dict[str, Any]] = []
    sides = {}
    for role, (described, identity) in people.items():
        sides[role] = TracedHandshake(
            suite.name,
            initiator=role == "initiator",
            prologue=prologue,
            s=identity.device_key,
            e=bytes.fromhex(described["ephemeral_private"]),
            kem=FixedKem(kem_seed, ciphertext, secret),
        )
        sides[role].steps = steps
    initiator, responder = sides["initiator"], sides["responder"]
    initiator.trace(0, "prologue")
    messages = [initiator.write_message()]
    responder.read_message(messages[0])
    messages.append(responder.write_message(people["responder"][1].handshake_payload()))
    initiator.read_message(messages[1])
    messages.append(initiator.write_message(people["initiator"][1].handshake_payload()))
    responder.read_message(messages[2])
    transcript, exporter_secret = initiator.handshake_hash, initiator.exporter_secret
    keys = HASHES["SHA256"].hkdf(bytes.fromhex(steps[-1]["ck"]), b"", 96)
    assert keys[64:] == exporter_secret
    hkdf = HASHES["SHA256"].hkdf
    label, length = "known answers", 48
    return {
        "suite": suite.number,
        "protocol_name": suite.name,
        "prologue": prologue.hex(),
        **{role: described for role, (described, _) in people.items()},
        "kem_ciphertext": ciphertext.hex(),
        "kem_secret": secret.hex(),
        "steps": steps,
        "messages": [message.hex() for message in messages],
        "handshake_hash": transcript.hex(),
        "initiator_key": keys[:32].hex(),
        "responder_key": keys[32:64].hex(),
        "exporter_secret": exporter_secret.hex(),
        "export": {
            "label": label,
            "length": length,
            "value": hkdf(
                transcript,
                exporter_secret,
                length,
                EXPORTER_LABEL + length.to_bytes(2) + label.encode(),
            ).hex(),
        },
        "refresh_psk": hkdf(transcript, exporter_secret, 32, PSK_LABEL).hex(),
        "records": list(records(suite, initiator, responder, keys)),
    }


def records(
    suite: Suite, initiator: Handshake, responder: Handshake, keys: bytes
) -> list[dict[str, str]]:
    """A short conversation: text, an empty message, a key update, a ping, a pong, both closes."""
    layers = {
        role: RecordLayer(
            handshake,
            initiator=role == "initiator",
            suite=suite,
            limits=Limits(),
            padding=Padding.CHAT if role == "initiator" else Padding.NONE,
        )
        for role, handshake in (("initiator", initiator), ("responder", responder))
    }
    spoken = []
    first, second = layers["initiator"], layers["responder"]
    first.send(b'{"kind":"text","id":1,"body":"hello"}')
    spoken.append(("initiator", first.take()))
    second.send(b"")
    second.send(b"two in one record")
    spoken.append(("responder", second.take()))
    first.update_key()
    spoken.append(("initiator", first.take()))
    first.ping()
    spoken.append(("initiator", first.take()))
    second.receive(b"".join(data for who, data in spoken if who == "initiator"), [])
    spoken.append(("responder", second.take()))
    first.close()
    spoken.append(("initiator", first.take()))
    second.receive(spoken[-1][1], [])
    spoken.append(("responder", second.take()))
    plaintexts = {
        role: decrypted(suite, key, [data for who, data in spoken if who == role])
        for role, key in (("initiator", keys[:32]), ("responder", keys[32:64]))
    }
    return [
        {"from": who, "plaintext": plaintexts[who].pop(0).hex(), "record": data.hex()}
        for who, data in spoken
    ]


def decrypted(suite: Suite, key: bytes, sealed: list[bytes]) -> list[bytes]:
    """Open one direction's records again with its key."""
    state = CipherState(CIPHERS[suite.name.split("_")[3]], key)
    opened = []
    for record in sealed:
        opened.append(state.decrypt_with_ad(b"", record[2:]))
        if b'"key_update"' in opened[-1]:
            state.rekey()
    return opened


def vectors() -> dict[str, Any]:
    published = json.loads(VECTORS.read_text())["vectors"] if VECTORS.exists() else [None] * 3
    suites = (HYBRID_AESGCM, HYBRID_AESGCM, HYBRID_CHACHAPOLY)
    return {
        "vectors": [
            make(f"vector {number}", suite, old)
            for number, (suite, old) in enumerate(zip(suites, published, strict=True))
        ]
    }


def main() -> None:
    warnings.simplefilter("ignore", KnownAnswerWarning)
    text = json.dumps(vectors(), indent=1) + "\n"
    if "--write" in sys.argv:
        VECTORS.write_text(text)
    elif text != VECTORS.read_text():
        raise SystemExit("the code no longer gives its known answers")


if __name__ == "__main__":
    main()
