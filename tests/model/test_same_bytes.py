"""The model's Noise, computed with bytes instead of symbols, is the product's."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import reduce

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from e2ee.handshake import Handshake, KnownAnswerWarning, Token, parse_protocol_name
from e2ee.primitives import HASHES
from e2ee.suites import SUITES
from tests.known_answers import FixedKem
from tests.model.noise import Fresh, begin
from tests.model.terms import Term, public, public_point, secret

HYBRID = dict.fromkeys(
    name
    for suite in SUITES.values()
    for name in (suite.name, suite.refresh_name)
    if "MLKEM768_AESGCM" in name
)
SHA256 = HASHES["SHA256"]


class Bytes:
    """What each term is, when leaves are these bytes."""

    def __init__(self, leaves: dict[Term, bytes], kem: dict[str, bytes]) -> None:
        self._known = leaves
        self._kem = kem

    def of(self, term: Term) -> bytes:
        if term not in self._known:
            self._known[term] = self._compute(term)
        return self._known[term]

    def _compute(self, term: Term) -> bytes:
        if term.symbol == "point":
            return reduce(self._multiply, term.parts[2:], self._public(term.parts[1]))
        if term.symbol in self._kem:
            return self._kem[term.symbol]
        parts = [self.of(part) for part in term.parts]
        match term.symbol:
            case "join":
                return b"".join(parts)
            case "digest":
                return SHA256.hash(b"".join(parts))
            case "derive":
                output = int(str(term.arguments[3]))
                return SHA256.hkdf(parts[0], parts[1], 32 * output + 32, parts[2])[-32:]
            case "seal":
                nonce = int(str(term.arguments[1])).to_bytes(12)
                return AESGCM(parts[0]).encrypt(nonce, parts[2], parts[1])
        raise AssertionError(term.symbol)

    def _public(self, exponent: Term) -> bytes:
        private = X25519PrivateKey.from_private_bytes(self.of(exponent))
        return private.public_key().public_bytes_raw()

    def _multiply(self, point: bytes, exponent: Term) -> bytes:
        private = X25519PrivateKey.from_private_bytes(self.of(exponent))
        return private.exchange(X25519PublicKey.from_public_bytes(point))


@pytest.mark.parametrize("name", HYBRID)
def test_messages_hash_and_keys_of_the_model_are_those_of_the_product(
    name: str, figure: Callable[[str], None]
) -> None:
    pattern = parse_protocol_name(name).pattern
    statics, ephemerals = ([secret(f"{what} {n}") for n in (0, 1)] for what in ("s", "e"))
    psk, prologue, text = secret("psk"), public("prologue"), public("text")
    with_psk = pattern.contains(Token.PSK)
    with_static = pattern.contains(Token.S)
    known = bool(pattern.responder_pre_message)
    leaves = {leaf: os.urandom(32) for leaf in (*statics, *ephemerals, psk, prologue, text)}
    leaves |= {public("nothing"): b"", public(name): name.encode()}
    seed = os.urandom(64)
    kem_public = MLKEM768PrivateKey.from_seed_bytes(seed).public_key()
    shared, ciphertext = kem_public.encapsulate()
    kem = {
        "kem key": kem_public.public_bytes_raw(),
        "kem secret": shared,
        "encapsulation": ciphertext,
    }
    value = Bytes(leaves, kem)

    models = [
        begin(
            name,
            initiator=initiator,
            prologue=prologue,
            fresh=Fresh(ephemerals[place], secret("kem"), secret("randomness")),
            s=statics[place] if with_static else None,
            rs=public_point(statics[1]) if known and initiator else None,
            psk=psk if with_psk else None,
        )
        for place, initiator in enumerate((True, False))
    ]
    with pytest.warns(KnownAnswerWarning):
        products = [
            Handshake(
                name,
                initiator=initiator,
                prologue=value.of(prologue),
                s=value.of(statics[place]) if with_static else None,
                rs=value.of(public_point(statics[1])) if known and initiator else None,
                e=value.of(ephemerals[place]),
                psks=[value.of(psk)] if with_psk else [],
                kem=FixedKem(seed, ciphertext, shared),
            )
            for place, initiator in enumerate((True, False))
        ]
    for number in range(len(pattern.messages)):
        writer, reader = number % 2, 1 - number % 2
        message, models[writer] = models[writer].write(text)
        fields = iter(message.parts)
        ((_, _, models[reader]),) = models[reader].read(lambda *_, it=fields: [next(it)])
        sent = products[writer].write_message(value.of(text))
        products[reader].read_message(sent)
        assert value.of(message) == sent
    assert models[0].keys() == models[1].keys()
    for model, product in zip(models, products, strict=True):
        assert value.of(model.symmetric.h) == product.handshake_hash
        assert value.of(model.keys()[2]) == product.exporter_secret
    send, _ = products[0].split()
    assert send.encrypt_with_ad(b"", b"record") == AESGCM(value.of(models[0].keys()[0])).encrypt(
        bytes(12), b"record", None
    )
    figure(
        f"{name}: {len(pattern.messages)} of {len(pattern.messages)} messages of the model "
        "have the product's bytes"
    )
