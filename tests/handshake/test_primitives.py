"""Every primitive gives the answers of Wycheproof and of CCTV, valid and invalid alike."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from e2ee import certificate
from e2ee.certificate import verify_payload
from e2ee.errors import CertificateError, InvalidId, InvalidPublicKey
from e2ee.ids import check_identity_key, decode_id, encode_id
from e2ee.messages import Certificate, HandshakePayload
from e2ee.primitives import CIPHERS, DHS, HASHES, MlKem768, RunningHash

Figure = Callable[[str], None]

VECTORS = Path(__file__).parents[1] / "vectors"


def wycheproof(name: str, count: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of (test, its group); the file must hold exactly ``count`` tests."""
    with gzip.open(VECTORS / "wycheproof" / f"{name}_test.json.gz") as compressed:
        published = json.load(compressed)
    tests = [(test, group) for group in published["testGroups"] for test in group["tests"]]
    assert len(tests) == published["numberOfTests"] == count
    yield from tests


def summary(name: str, counts: Counter[str]) -> str:
    return f"{name}: " + ", ".join(f"{count} {what}" for what, count in counts.items())


@pytest.mark.attack(8)
def test_x25519_gives_the_published_secret_and_refuses_a_secret_of_zeros(figure: Figure) -> None:
    dh = DHS["25519"]
    counts: Counter[str] = Counter()
    for test, _ in wycheproof("x25519", 518):
        private = dh.load_private(bytes.fromhex(test["private"]))
        public = dh.load_public(bytes.fromhex(test["public"]))
        if "ZeroSharedSecret" in test["flags"]:
            with pytest.raises(InvalidPublicKey):
                dh.exchange(private, public)
            counts["refused as of low order"] += 1
        else:
            assert dh.exchange(private, public).hex() == test["shared"], test["tcId"]
            counts["secrets equal"] += 1
    figure(summary("Wycheproof x25519", counts))
    assert counts["refused as of low order"] == 31


@pytest.mark.parametrize(
    ("file", "name", "count"),
    [("aes_gcm", "AESGCM", 316), ("chacha20_poly1305", "ChaChaPoly", 325)],
)
def test_an_aead_seals_as_published_and_opens_nothing_that_was_changed(
    file: str, name: str, count: int, figure: Figure
) -> None:
    aead_type = CIPHERS[name].aead
    counts: Counter[str] = Counter()
    for test, _ in wycheproof(file, count):
        nonce, ad = bytes.fromhex(test["iv"]), bytes.fromhex(test["aad"])
        plaintext, sealed = bytes.fromhex(test["msg"]), bytes.fromhex(test["ct"] + test["tag"])
        aead = aead_type(bytes.fromhex(test["key"]))
        if not takes_nonce(name, len(nonce)):
            with pytest.raises(ValueError, match=r"[Nn]once"):
                aead.decrypt(nonce, sealed, ad)
            counts["refused for the nonce's length"] += 1
        elif test["result"] == "valid":
            assert aead.encrypt(nonce, plaintext, ad) == sealed, test["tcId"]
            assert aead.decrypt(nonce, sealed, ad) == plaintext, test["tcId"]
            counts["sealed and opened"] += 1
        else:
            with pytest.raises(InvalidTag):
                aead.decrypt(nonce, sealed, ad)
            counts["refused for the tag"] += 1
    figure(summary(f"Wycheproof {file}", counts))


def takes_nonce(name: str, length: int) -> bool:
    """What ``cryptography`` takes; Noise itself only ever uses 12 bytes."""
    return 8 <= length <= 128 if name == "AESGCM" else length == 12


def test_hkdf_gives_the_published_keys_and_refuses_to_give_too_many(figure: Figure) -> None:
    hkdf = HASHES["SHA256"].hkdf
    counts: Counter[str] = Counter()
    for test, _ in wycheproof("hkdf_sha256", 86):
        ikm, salt, info = (bytes.fromhex(test[part]) for part in ("ikm", "salt", "info"))
        if test["result"] == "valid":
            assert hkdf(salt, ikm, test["size"], info).hex() == test["okm"], test["tcId"]
            counts["keys equal"] += 1
        else:
            with pytest.raises(ValueError, match=r"[Cc]annot derive keys larger"):
                hkdf(salt, ikm, test["size"], info)
            counts["refused as too long"] += 1
    figure(summary("Wycheproof hkdf_sha256", counts))


def test_hmac_gives_the_published_tags_and_no_others(figure: Figure) -> None:
    counts: Counter[str] = Counter()
    for test, group in wycheproof("hmac_sha256", 174):
        key, data, tag = (bytes.fromhex(test[part]) for part in ("key", "msg", "tag"))
        assert len(tag) * 8 == group["tagSize"]
        ours = HASHES["SHA256"].hmac(key, data)[: len(tag)]
        assert (ours == tag) == (test["result"] == "valid"), test["tcId"]
        counts["tags equal" if ours == tag else "told from a changed one"] += 1
    figure(summary("Wycheproof hmac_sha256", counts))


@pytest.mark.attack(9)
def test_ed25519_verifies_what_is_valid_and_nothing_else(figure: Figure) -> None:
    counts: Counter[str] = Counter()
    for test, group in wycheproof("ed25519", 151):
        raw = bytes.fromhex(group["publicKey"]["pk"])
        check_identity_key(raw)
        signature, message = bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"])
        if test["result"] == "valid":
            Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
            counts["verified"] += 1
        else:
            with pytest.raises(InvalidSignature):
                Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
            counts["refused"] += 1
    figure(summary("Wycheproof ed25519", counts))


def test_ml_kem_makes_the_published_key_from_each_seed(figure: Figure) -> None:
    counts: Counter[str] = Counter()
    for test, _ in wycheproof("mlkem_768_keygen_seed", 100):
        key = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(test["seed"]))
        assert key.public_key().public_bytes_raw().hex() == test["ek"], test["tcId"]
        counts["keys equal"] += 1
    figure(summary("Wycheproof mlkem_768_keygen_seed", counts))


@pytest.mark.attack(10)
def test_ml_kem_decapsulates_to_the_published_secret_even_what_was_forged(figure: Figure) -> None:
    kem = MlKem768()
    counts: Counter[str] = Counter()
    # One of them is CCTV's strcmp: forged, and equal to the genuine one up to a zero byte.
    for test, _ in wycheproof("mlkem_768", 193):
        seed, ciphertext = bytes.fromhex(test["seed"]), bytes.fromhex(test["c"])
        if len(seed) != 64:
            with pytest.raises(ValueError, match="seed"):
                MLKEM768PrivateKey.from_seed_bytes(seed)
            counts["refused for the seed's length"] += 1
            continue
        key = MLKEM768PrivateKey.from_seed_bytes(seed)
        if "ek" in test:
            assert key.public_key().public_bytes_raw().hex() == test["ek"], test["tcId"]
        if test["result"] == "valid":
            assert kem.decapsulate(key, ciphertext).hex() == test["K"], test["tcId"]
            counts["secrets equal"] += 1
        else:
            assert len(ciphertext) != kem.ciphertext_length
            with pytest.raises(ValueError, match="ciphertext"):
                kem.decapsulate(key, ciphertext)
            counts["refused for the ciphertext's length"] += 1
    figure(summary("Wycheproof mlkem_768", counts))


@pytest.mark.attack(10)
def test_ml_kem_encapsulates_to_valid_public_keys_only(figure: Figure) -> None:
    kem = MlKem768()
    counts: Counter[str] = Counter()
    for test, _ in wycheproof("mlkem_768_encaps", 265):
        public_key = bytes.fromhex(test["ek"])
        if test["result"] == "valid":
            ciphertext, secret = kem.encapsulate(public_key)
            assert (len(ciphertext), len(secret)) == (kem.ciphertext_length, 32)
            counts["accepted (the randomness cannot be fixed, so lengths only)"] += 1
        else:
            with pytest.raises(InvalidPublicKey):
                kem.encapsulate(public_key)
            counts["refused"] += 1
    figure(summary("Wycheproof mlkem_768_encaps", counts))


@pytest.mark.attack(10)
def test_ml_kem_refuses_every_public_key_with_a_coefficient_that_is_not_reduced(
    figure: Figure,
) -> None:
    kem = MlKem768()
    with gzip.open(VECTORS / "cctv-ml-kem" / "modulus-768.txt.gz", "rt") as lines:
        keys = [bytes.fromhex(line.strip()) for line in lines]
    for key in keys:
        assert len(key) == kem.public_key_length
        with pytest.raises(InvalidPublicKey):
            kem.encapsulate(key)
    figure(f"CCTV ML-KEM modulus-768: {len(keys)} of {len(keys)} keys refused")
    assert len(keys) == 780


@pytest.mark.attack(10)
def test_ml_kem_samples_on_where_three_blocks_are_not_enough(figure: Figure) -> None:
    lines = (VECTORS / "cctv-ml-kem" / "unluckysample-768.txt").read_text().splitlines()
    vector = {name: bytes.fromhex(value) for name, value in (line.split(" = ") for line in lines)}
    key = MLKEM768PrivateKey.from_seed_bytes(vector["d"] + vector["z"])
    # The secret is a hash of the public key too, and comes only if that encrypts to the same.
    assert MlKem768().decapsulate(key, vector["c"]) == vector["K"]
    figure("CCTV ML-KEM unluckysample-768: secret equal")


def cctv_ed25519() -> list[dict[str, Any]]:
    with gzip.open(VECTORS / "cctv-ed25519" / "ed25519vectors.json.gz") as compressed:
        published: list[dict[str, Any]] = json.load(compressed)
    assert len(published) == 914
    return published


@pytest.mark.attack(9)
def test_every_identity_key_of_low_order_is_refused(figure: Figure) -> None:
    low_order: set[bytes] = set()
    others: set[bytes] = set()
    for vector in cctv_ed25519():
        key = bytes.fromhex(vector["key"])
        (low_order if "low_order_A" in (vector["flags"] or ()) else others).add(key)
    for key in low_order:
        with pytest.raises(InvalidPublicKey):
            check_identity_key(key)
        with pytest.raises(InvalidId):
            decode_id(encode_id(key))
    for key in others:
        check_identity_key(key)
        assert decode_id(encode_id(key)) == key
    figure(
        f"CCTV ed25519: {len(low_order)} of {len(low_order)} keys of low order refused, "
        f"{len(others)} others accepted"
    )
    assert len(low_order) == 14


@pytest.mark.attack(9)
def test_a_certificate_is_judged_by_three_rules_in_every_edge_case_of_its_points(
    monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    """A key of low order is refused (a key in a second encoding is one); then OpenSSL refuses an R
    in a second encoding, and a residue of low order, as it does not multiply by the cofactor."""
    read: list[Certificate] = []
    monkeypatch.setattr(certificate, "SIGNATURE_LABEL", b"")
    monkeypatch.setattr(certificate, "decode", lambda _model, _data: read[-1])
    counts: Counter[str] = Counter()
    for vector in cctv_ed25519():
        flags = set(vector["flags"] or ())
        read.append(
            Certificate(
                identity=bytes.fromhex(vector["key"]),
                static_key=bytes(32),
                not_before=0,
                not_after=0,
            )
        )
        # The vectors sign messages of their own, which stand here for a certificate's bytes.
        payload = HandshakePayload(
            certificate=vector["msg"].encode(), signature=bytes.fromhex(vector["sig"])
        )
        if "low_order_A" in flags:
            refused = "low order"
        elif flags & {"non_canonical_R", "low_order_residue"}:
            refused = "forged"
        else:
            verify_payload(payload, static_key=bytes(32), now=None)
            counts["accepted"] += 1
            continue
        with pytest.raises(CertificateError, match=refused):
            verify_payload(payload, static_key=bytes(32), now=None)
        counts[f"refused ({refused})"] += 1
    figure(summary("CCTV ed25519, as certificates", counts))


def test_a_running_hash_is_that_of_all_its_pieces_so_far() -> None:
    running, whole = RunningHash(), b""
    for piece in (b"", b"one", bytes(1000), b"two"):
        running.update(piece)
        whole += piece
        assert running.digest() == HASHES["SHA256"].hash(whole)
        assert running.length == len(whole)
