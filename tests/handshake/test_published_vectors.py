"""Handshakes, transport messages and hashes are those that other projects published."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from e2ee.handshake import CipherState, Handshake
from e2ee.primitives import CIPHERS, MlKem768

pytestmark = pytest.mark.filterwarnings("ignore::e2ee.handshake.KnownAnswerWarning")

NOISE = Path(__file__).parents[1] / "vectors" / "noise"


def vectors(file: str) -> list[dict[str, Any]]:
    with gzip.open(NOISE / f"{file}.json.gz") as compressed:
        published: list[dict[str, Any]] = json.load(compressed)["vectors"]
    return published


def unhex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def side(vector: dict[str, Any], role: str) -> Handshake:
    return Handshake(
        vector["protocol_name"],
        initiator=role == "init",
        prologue=bytes.fromhex(vector[f"{role}_prologue"]),
        s=unhex(vector.get(f"{role}_static")),
        rs=unhex(vector.get(f"{role}_remote_static")),
        e=unhex(vector.get(f"{role}_ephemeral")),
        psks=[bytes.fromhex(psk) for psk in vector.get(f"{role}_psks", ())],
    )


def run(vector: dict[str, Any]) -> tuple[int, int]:
    """Both roles through one vector; returns its handshake messages and transport messages."""
    sides = [side(vector, "init"), side(vector, "resp")]
    messages = [
        (bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in vector["messages"]
    ]
    sent = 0
    for payload, ciphertext in messages:
        if sides[0].finished:
            break
        writer, reader = sides[sent % 2], sides[1 - sent % 2]
        assert writer.next_message_length(len(payload)) == len(ciphertext)
        assert writer.write_message(payload) == ciphertext
        assert reader.read_message(ciphertext) == payload
        sent += 1
    assert sides[0].finished
    assert sides[1].finished
    assert sides[0].handshake_hash == sides[1].handshake_hash
    if "handshake_hash" in vector:
        assert sides[0].handshake_hash.hex() == vector["handshake_hash"]
    one_way = sent == 1
    for index, (payload, ciphertext) in enumerate(messages[sent:], start=sent):
        turn = 0 if one_way else index % 2
        assert sides[turn].split()[0].encrypt_with_ad(b"", payload) == ciphertext
        assert sides[1 - turn].split()[1].decrypt_with_ad(b"", ciphertext) == payload
    assert sent < len(messages), "a vector without transport messages proves nothing about split"
    return sent, len(messages) - sent


@pytest.mark.parametrize(("file", "count"), [("cacophony", 944), ("snow", 408)])
def test_every_published_vector_is_reproduced_in_both_roles(
    file: str, count: int, figure: Callable[[str], None]
) -> None:
    failed, messages, transported = [], 0, 0
    published = vectors(file)
    for number, vector in enumerate(published):
        try:
            handshake, transport = run(vector)
        except Exception as error:  # noqa: BLE001 - one vector's failure must not hide the next
            failed.append(f"{number} {vector['protocol_name']}: {error!r}")
        else:
            messages += handshake
            transported += transport
    figure(
        f"{file}: {len(published) - len(failed)} of {len(published)} vectors pass, 0 skipped "
        f"({messages} handshake messages, {transported} transport messages)"
    )
    assert not failed
    assert len(published) == count


class PublishedKem(MlKem768):
    """ML-KEM-768 with the key pair, the ciphertext and the secret of a vector."""

    def __init__(self, vector: dict[str, Any]) -> None:
        seed = bytes.fromhex(vector["ephemeral_kem_i_seed"])
        self.private_key = MLKEM768PrivateKey.from_seed_bytes(seed)
        self.public_key = bytes.fromhex(vector["ephemeral_kem_i_public"])
        self.ciphertext = bytes.fromhex(vector["kem_ciphertext"])
        self.secret = bytes.fromhex(vector["kem_shared_secret"])

    def generate(self) -> tuple[MLKEM768PrivateKey, bytes]:
        return self.private_key, self.private_key.public_key().public_bytes_raw()

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        assert public_key == self.public_key
        return self.ciphertext, self.secret


def hybrid_side(vector: dict[str, Any], role: str) -> Handshake:
    return Handshake(
        vector["protocol_name"],
        initiator=role == "i",
        prologue=bytes.fromhex(vector["prologue"]),
        s=bytes.fromhex(vector[f"static_{role}_private"]),
        e=bytes.fromhex(vector[f"ephemeral_dh_{role}_private"]),
        kem=PublishedKem(vector),
    )


def run_hybrid(vector: dict[str, Any]) -> None:
    initiator, responder = hybrid_side(vector, "i"), hybrid_side(vector, "r")
    for turn, message in enumerate("abc"):
        writer, reader = (responder, initiator) if turn % 2 else (initiator, responder)
        expected = bytes.fromhex(vector[f"msg_{message}"])
        assert len(expected) == vector[f"msg_{message}_bytes"]
        assert writer.write_message() == expected
        assert reader.read_message(expected) == b""
    assert initiator.remote_static == bytes.fromhex(vector["static_r_public"])
    assert responder.remote_static == bytes.fromhex(vector["static_i_public"])
    for done in (initiator, responder):
        assert done.handshake_hash.hex() == vector["handshake_hash"]

    # These vectors publish the transport keys instead of transport messages.
    for sender, receiver, key in (
        (initiator, responder, "cs1_k"),
        (responder, initiator, "cs2_k"),
    ):
        published = CipherState(CIPHERS["ChaChaPoly"], bytes.fromhex(vector[key]))
        sealed = published.encrypt_with_ad(b"", b"a transport message")
        assert sender.split()[0].encrypt_with_ad(b"", b"a transport message") == sealed
        assert receiver.split()[1].decrypt_with_ad(b"", sealed) == b"a transport message"


def test_every_published_hybrid_vector_is_reproduced_in_both_roles(
    figure: Callable[[str], None],
) -> None:
    published = vectors("xxhfs-mlkem768-chachapoly")
    for vector in published:
        run_hybrid(vector)
    figure(f"XXhfs: {len(published)} of {len(published)} vectors pass, 0 skipped")
    assert len(published) == 5
