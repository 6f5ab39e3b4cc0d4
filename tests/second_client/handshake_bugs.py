"""Bugs below the opening: in ciphers, hashes, tokens and the split. SPEC.md section 3."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.second_client.bugs import (
    BAD_KEM_KEY,
    BURNED,
    CONFIRMATION,
    KEYS_DIFFER,
    LOW_ORDER,
    NOT_TAKEN,
    ONE_TRY,
    OUR_OWN,
    SEALED_WRONG,
    TAG,
    TRUNCATED,
    WRONG_CODE,
    Bug,
    Instead,
    after,
    cut,
    given,
    nothing,
    result,
    said,
    spent,
    twice,
)
from tests.second_client.client import (
    CipherState,
    Handshake,
    SymmetricState,
    hkdf,
)

EVERYWHERE = "M> K> L> C> M< K< L< C<"


def in_handshake(_: CipherState, ad: bytes, plaintext: bytes) -> bool:
    return ad != b""


def of_opening(_: Handshake, protocol: str, *args: Any, **options: Any) -> bool:
    return "NN" not in protocol


def token(*symbols: str) -> Callable[..., bool]:
    return lambda _, symbol, *data: symbol in symbols


# Ciphers.


def skips_a_nonce(right: Instead, state: CipherState, ad: bytes, plaintext: bytes) -> Any:
    state.n += 1
    return right(state, ad, plaintext)


def does_not_count(right: Instead, state: CipherState, ad: bytes, plaintext: bytes) -> Any:
    sealed = right(state, ad, plaintext)
    state.n -= 1
    return sealed


def takes_the_other_cipher(right: Instead, state: CipherState, cipher: str, key: bytes) -> None:
    right(state, "ChaChaPoly" if cipher == "AESGCM" else "AESGCM", key)


# Hashes.


def begins_with(**values: Callable[[bytes], bytes]) -> Instead:
    """The symmetric state begins with other values, made of the protocol's name."""

    def change(state: SymmetricState, protocol: str) -> None:
        for name, value in values.items():
            setattr(state, name, value(protocol.encode()))

    return after(change)


def renamed(change: Callable[[str], str]) -> Instead:
    return given(lambda state, protocol: (state, change(protocol)))


def hashes(change: Callable[[bytes, bytes], bytes]) -> Instead:
    def instead(_: Instead, state: SymmetricState, data: bytes) -> None:
        state.h = hashlib.sha256(change(state.h, data)).digest()

    return instead


def does_not_hash(right: Instead, state: SymmetricState, data: bytes) -> Any:
    h = state.h
    other = right(state, data)
    state.h = h
    return other


def hashes_the_plaintext(right: Instead, state: SymmetricState, plaintext: bytes) -> Any:
    h = state.h
    sent = right(state, plaintext)
    state.h = hashlib.sha256(h + plaintext).digest()
    return sent


def derives(change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> Instead:
    """MixKey makes something else of ck and its input: ck and the key."""

    def instead(_: Instead, state: SymmetricState, ikm: bytes) -> None:
        state.ck, key = change(state.ck, ikm)
        state.cipher = CipherState(state.cipher_name, key)

    return instead


def two(output: bytes) -> tuple[bytes, bytes]:
    return output[:32], output[-32:]


def counts_on(right: Instead, state: SymmetricState, ikm: bytes) -> None:
    n = state.cipher.n if state.cipher else 0
    right(state, ikm)
    assert state.cipher is not None
    state.cipher.n = n


def swaps_outputs(_: Instead, state: SymmetricState, ikm: bytes) -> None:
    o = hkdf(state.ck, ikm, b"", 96)
    state.ck, state.cipher = o[:32], CipherState(state.cipher_name, o[32:64])
    state.mix_hash(o[64:])


# Tokens.


def moves(symbol: str, message: int, index: int) -> Instead:
    """The token stands elsewhere in the pattern; messages are counted from 0."""

    def change(handshake: Handshake, *args: Any, **options: Any) -> None:
        messages = [[token for token in m if token != symbol] for m in handshake.pattern]
        messages[message].insert(index, symbol)
        handshake.pattern = tuple(tuple(message) for message in messages)

    return after(change)


def follows(*messages: Sequence[str]) -> Instead:
    """It follows another pattern."""

    def change(handshake: Handshake, *args: Any, **options: Any) -> None:
        handshake.pattern = tuple(tuple(message) for message in messages)

    return after(change)


def takes_for(symbol: str) -> Instead:
    return given(lambda handshake, _: (handshake, symbol))


def with_psk_of_zeros(right: Instead, handshake: Handshake, symbol: str) -> None:
    psk, handshake.psk = handshake.psk, bytes(32)
    right(handshake, symbol)
    handshake.psk = psk


def with_static_key(right: Instead, handshake: Handshake, symbol: str) -> None:
    mine = handshake.mine["e"]
    handshake.mine["e"] = handshake.mine["s"]
    right(handshake, symbol)
    handshake.mine["e"] = mine


def in_the_other_role(right: Instead, handshake: Handshake, symbol: str) -> None:
    handshake.initiator = not handshake.initiator
    right(handshake, symbol)
    handshake.initiator = not handshake.initiator


def keys_e(_: Instead, handshake: Handshake, public: bytes) -> None:
    handshake.symmetric.mix_hash(public)
    handshake.symmetric.mix_key(public)


def does_not_key_e(_: Instead, handshake: Handshake, public: bytes) -> None:
    handshake.symmetric.mix_hash(public)


def sends_e(public: Callable[[Handshake], bytes]) -> Instead:
    def instead(_: Instead, handshake: Handshake, symbol: str) -> bytes:
        handshake.mine["e"] = X25519PrivateKey.generate()
        sent = public(handshake)
        handshake._mix_e(sent)
        return sent

    return instead


def sends_s(public: bytes) -> Instead:
    return lambda _, handshake, symbol: handshake.symmetric.encrypt_and_hash(public)


def sends_s_in_the_clear(_: Instead, handshake: Handshake, symbol: str) -> bytes:
    public = handshake.mine["s"].public_key().public_bytes_raw()
    handshake.symmetric.mix_hash(public)
    return public


def sends_e1(public: Callable[[bytes], bytes]) -> Instead:
    def instead(_: Instead, handshake: Handshake, symbol: str) -> bytes:
        handshake.kem = MLKEM768PrivateKey.generate()
        sent = public(handshake.kem.public_key().public_bytes_raw())
        return handshake.symmetric.encrypt_and_hash(sent)

    return instead


def encapsulates(send: Callable[[SymmetricState, bytes, bytes], bytes]) -> Instead:
    """It does something else with the secret and the ciphertext."""

    def instead(_: Instead, handshake: Handshake, symbol: str) -> bytes:
        secret, ciphertext = handshake.their_kem.encapsulate()
        return send(handshake.symmetric, secret, ciphertext)

    return instead


def leaves_the_secret_out(state: SymmetricState, secret: bytes, ciphertext: bytes) -> bytes:
    return state.encrypt_and_hash(ciphertext)


def mixes_zeros(state: SymmetricState, secret: bytes, ciphertext: bytes) -> bytes:
    sent = state.encrypt_and_hash(ciphertext)
    state.mix_key(bytes(32))
    return sent


def mixes_before(state: SymmetricState, secret: bytes, ciphertext: bytes) -> bytes:
    state.mix_key(secret)
    return state.encrypt_and_hash(ciphertext)


def hashes_too(state: SymmetricState, secret: bytes, ciphertext: bytes) -> bytes:
    sent = state.encrypt_and_hash(ciphertext)
    state.mix_key_and_hash(secret)
    return sent


def sends_junk(state: SymmetricState, secret: bytes, ciphertext: bytes) -> bytes:
    sent = state.encrypt_and_hash(os.urandom(len(ciphertext)))
    state.mix_key(secret)
    return sent


def reads_without_secret(_: Instead, handshake: Handshake, symbol: str, data: bytes) -> None:
    handshake.symmetric.decrypt_and_hash(data)


# Split.


def splits(output: Callable[[SymmetricState], bytes]) -> Instead:
    def instead(_: Instead, handshake: Handshake) -> tuple[bytes, bytes, bytes]:
        o = output(handshake.symmetric)
        return o[:32], o[32:64], o[64:]

    return instead


MIX_KEY, MIX_HASH = "SymmetricState.mix_key", "SymmetricState.mix_hash"
ENCRYPT, NAME = "CipherState.encrypt", "SymmetricState.__init__"
MIX, WRITE, PATTERN = "Handshake._mix", "Handshake._write_token", "Handshake.__init__"

BUGS: dict[str, Bug] = {
    # Ciphers.
    "the first nonce is 1": Bug(ENCRYPT, skips_a_nonce, SEALED_WRONG, when=in_handshake, turn=1),
    "two texts under one nonce": Bug(
        ENCRYPT,
        does_not_count,
        {"K> L>": said(TAG), "C>": said(BURNED), "K<": said(TAG, "second"), "L<": cut(NOT_TAKEN)},
        when=in_handshake,
    ),
    "MixKey does not reset the nonce": Bug(
        MIX_KEY,
        counts_on,
        {"M> L> C> X> K<": cut(TRUNCATED), "K> M< L< X<": said(TAG), "C<": said(WRONG_CODE)},
    ),
    "nothing is sealed together with h": Bug(
        ENCRYPT,
        given(lambda state, ad, plaintext: (state, b"", plaintext)),
        SEALED_WRONG,
        when=in_handshake,
    ),
    "a tag that is too short": Bug(
        ENCRYPT,
        result(lambda sealed: sealed[:-1]),
        {"M> K> L> C> M< K<": cut(TRUNCATED), "L<": cut(NOT_TAKEN), "C<": cut(ONE_TRY)},
        when=in_handshake,
        turn=1,
    ),
    "a tag of zeros": Bug(
        ENCRYPT,
        result(lambda sealed: sealed[:-16] + bytes(16)),
        SEALED_WRONG,
        when=in_handshake,
        turn=1,
    ),
    "the tag before the ciphertext": Bug(
        ENCRYPT,
        result(lambda sealed: sealed[-16:] + sealed[:-16]),
        SEALED_WRONG,
        when=in_handshake,
        turn=1,
    ),
    "plaintext instead of ciphertext": Bug(
        ENCRYPT,
        lambda right, state, ad, plaintext: plaintext + right(state, ad, plaintext)[-16:],
        SEALED_WRONG,
        when=in_handshake,
        turn=1,
    ),
    "the other cipher": Bug(
        "CipherState.__init__",
        takes_the_other_cipher,
        {
            "M> H> K< L<": cut(TRUNCATED),
            "K> L> M< H<": said(TAG),
            "C>": said(BURNED),
            "C<": cut(ONE_TRY),
        },
    ),
    # Hashes.
    "a protocol name in small letters": Bug(
        NAME, begins_with(h=lambda name: hashlib.sha256(name.lower()).digest()), KEYS_DIFFER
    ),
    "the protocol name of another KEM": Bug(
        NAME, renamed(lambda name: name.replace("MLKEM768", "Kyber768")), KEYS_DIFFER
    ),
    "the KEM before the curve in the protocol name": Bug(
        NAME, renamed(lambda name: name.replace("25519+MLKEM768", "MLKEM768+25519")), KEYS_DIFFER
    ),
    "a protocol name without hfs": Bug(
        NAME, renamed(lambda name: name.replace("hfs", "")), KEYS_DIFFER
    ),
    "a long protocol name that is cut": Bug(
        NAME, begins_with(h=lambda name: name[:32], ck=lambda name: name[:32]), KEYS_DIFFER
    ),
    "a short protocol name that is hashed": Bug(
        NAME,
        begins_with(h=lambda name: hashlib.sha256(name).digest()),
        {"X>": cut(TRUNCATED), "X<": said(TAG)},
    ),
    "ck begins with zeros": Bug(NAME, begins_with(ck=lambda _: bytes(32)), KEYS_DIFFER),
    "MixHash leaves h as it is": Bug(MIX_HASH, nothing, KEYS_DIFFER),
    "MixHash forgets what was before": Bug(MIX_HASH, hashes(lambda h, data: data), KEYS_DIFFER),
    "MixHash puts the data first": Bug(MIX_HASH, hashes(lambda h, data: data + h), KEYS_DIFFER),
    "MixKey leaves ck as it is": Bug(
        MIX_KEY,
        derives(lambda ck, ikm: (ck, hkdf(ck, ikm, b"", 64)[32:])),
        {"M> L> C> K<": cut(TRUNCATED), "K> M< L<": said(TAG), "C<": said(WRONG_CODE)},
    ),
    "MixKey swaps ck and the key": Bug(
        MIX_KEY, derives(lambda ck, ikm: two(hkdf(ck, ikm, b"", 64))[::-1]), KEYS_DIFFER
    ),
    "MixKey swaps salt and input": Bug(
        MIX_KEY, derives(lambda ck, ikm: two(hkdf(ikm, ck, b"", 64))), KEYS_DIFFER
    ),
    "MixKey with a label": Bug(
        MIX_KEY, derives(lambda ck, ikm: two(hkdf(ck, ikm, b"key", 64))), KEYS_DIFFER
    ),
    "MixKey takes the third output for the key": Bug(
        MIX_KEY, derives(lambda ck, ikm: two(hkdf(ck, ikm, b"", 96))), KEYS_DIFFER
    ),
    "MixKey takes its input for the key": Bug(
        MIX_KEY, derives(lambda ck, ikm: (hkdf(ck, ikm, b"", 32), ikm)), KEYS_DIFFER
    ),
    "MixKeyAndHash swaps hash and key": Bug(
        "SymmetricState.mix_key_and_hash",
        swaps_outputs,
        {
            "M> K> M< K<": said(TAG, "second"),
            "L>": said(TAG),
            "C>": said(BURNED),
            "L<": cut(TRUNCATED),
            "C<": cut(ONE_TRY),
        },
    ),
    "MixKeyAndHash without the hash": Bug(
        "SymmetricState.mix_key_and_hash",
        lambda _, state, ikm: state.mix_key(ikm),
        {
            "M> K> M< K<": said(TAG, "second"),
            "L>": said(TAG),
            "C>": said(BURNED),
            "L<": cut(TRUNCATED),
            "C<": cut(ONE_TRY),
        },
    ),
    "the plaintext goes into h": Bug(
        "SymmetricState.encrypt_and_hash", hashes_the_plaintext, SEALED_WRONG
    ),
    "what is sent does not go into h": Bug(
        "SymmetricState.encrypt_and_hash",
        does_not_hash,
        {
            "M>": cut(TRUNCATED),
            "K> L> M< K< L<": said(TAG),
            "C>": said(BURNED),
            "C<": said(WRONG_CODE),
        },
    ),
    "what is read does not go into h": Bug(
        "SymmetricState.decrypt_and_hash",
        does_not_hash,
        {"M> K> L> C> K< L<": cut(TRUNCATED), "M<": said(TAG), "C<": cut(ONE_TRY)},
    ),
    # Tokens.
    "a psk of zeros": Bug(
        MIX,
        with_psk_of_zeros,
        {
            "M> K> M< K<": said(TAG, "second"),
            "L>": said(TAG),
            "C>": said(BURNED),
            "L<": cut(TRUNCATED),
            "C<": cut(ONE_TRY),
        },
        when=token("psk"),
    ),
    "the psk left out": Bug(
        MIX,
        nothing,
        {
            "M> K> M< K<": said(TAG, "second"),
            "L>": said(TAG),
            "C>": said(BURNED),
            "L<": cut(TRUNCATED),
            "C<": cut(ONE_TRY),
        },
        when=token("psk"),
    ),
    "the psk twice": Bug(
        MIX,
        twice,
        {
            "M> K> M< K<": said(TAG, "second"),
            "L>": said(TAG),
            "C>": said(BURNED),
            "L<": cut(TRUNCATED),
            "C<": cut(ONE_TRY),
        },
        when=token("psk"),
    ),
    "the psk after e": Bug(
        PATTERN,
        moves("psk", 0, 1),
        {"L>": said(TAG), "C>": said(BURNED), "L<": cut(TRUNCATED), "C<": cut(ONE_TRY)},
        when=of_opening,
    ),
    "the psk at the end of message 1": Bug(
        PATTERN,
        moves("psk", 0, 3),
        {"L> C> L<": cut(TRUNCATED), "C<": cut(ONE_TRY)},
        when=of_opening,
    ),
    "the psk in message 2": Bug(
        PATTERN,
        moves("psk", 1, 1),
        {"L> C> L<": cut(TRUNCATED), "C<": cut(ONE_TRY)},
        when=of_opening,
    ),
    "with a psk e is not keyed": Bug(
        "Handshake._mix_e",
        does_not_key_e,
        {
            "M> K> M< K<": said(TAG, "second"),
            "L>": said(TAG),
            "C>": said(BURNED),
            "L<": cut(TRUNCATED),
            "C<": cut(ONE_TRY),
        },
    ),
    "without a psk e is keyed": Bug(
        "Handshake._mix_e",
        keys_e,
        {"M>": said(BAD_KEM_KEY), "K>": said(TAG), "X> M< K< X<": cut(TRUNCATED)},
    ),
    "ee left out": Bug(
        MIX,
        nothing,
        {"M> K> L> C> M<": cut(TRUNCATED), "K< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=token("ee"),
    ),
    "es left out": Bug(
        MIX,
        nothing,
        {"M> K> L> C> K<": cut(TRUNCATED), "M< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=token("es"),
    ),
    "se left out": Bug(
        MIX,
        nothing,
        {
            "M> L> C> K<": said(TAG),
            "K>": cut(TRUNCATED),
            "M<": cut(TRUNCATED, "opened"),
            "L<": cut(NOT_TAKEN),
            "C<": cut(ONE_TRY),
        },
        when=token("se"),
    ),
    "ss left out": Bug(MIX, nothing, {"K>": said(TAG), "K<": cut(TRUNCATED)}, when=token("ss")),
    "es in the place of se": Bug(
        MIX,
        takes_for("es"),
        {
            "M> L> C> K<": said(TAG),
            "K>": cut(TRUNCATED),
            "M<": cut(TRUNCATED, "opened"),
            "L<": cut(NOT_TAKEN),
            "C<": cut(ONE_TRY),
        },
        when=token("se"),
    ),
    "se in the place of es": Bug(
        MIX, takes_for("se"), {"M> L> C>": cut(TRUNCATED)}, when=token("es")
    ),
    "es and se in the other role": Bug(
        MIX, in_the_other_role, {"M> L> C>": cut(TRUNCATED)}, when=token("es", "se")
    ),
    "ee with the static key": Bug(
        MIX,
        with_static_key,
        {"M> K> L> C>": cut(TRUNCATED), "M< K< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=lambda handshake, symbol: symbol == "ee" and "s" in handshake.mine,
    ),
    "an e of zeros": Bug(
        WRITE,
        sends_e(lambda _: bytes(32)),
        {"M> K> L> C> M< K< L<": said(LOW_ORDER), "C<": said(WRONG_CODE)},
        when=token("e"),
    ),
    "an e of low order": Bug(
        WRITE,
        sends_e(lambda _: bytes([1]).ljust(32, b"\0")),
        {"M> K> L> C> M< K< L<": said(LOW_ORDER), "C<": said(WRONG_CODE)},
        when=token("e"),
    ),
    "the other's e sent back": Bug(
        WRITE,
        sends_e(lambda handshake: handshake.theirs["e"].public_bytes_raw()),
        {"M< K<": said(OUR_OWN), "L<": said(TAG), "C<": said(WRONG_CODE)},
        when=token("e"),
    ),
    "an s of zeros": Bug(
        WRITE,
        sends_s(bytes(32)),
        {"M> K> L> C> M< L<": said(LOW_ORDER), "C<": said(WRONG_CODE)},
        when=token("s"),
    ),
    "another s than the one that is used": Bug(
        WRITE,
        sends_s(bytes([9]).ljust(32, b"\0")),
        {"M> K> L> C> M< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=token("s"),
    ),
    "s in the clear": Bug(
        WRITE,
        sends_s_in_the_clear,
        {"M> K> L> C> M<": cut(TRUNCATED), "L<": cut(NOT_TAKEN), "C<": cut(ONE_TRY)},
        when=token("s"),
    ),
    # The post-quantum half.
    "the hybrid half left out": Bug(
        PATTERN,
        follows(("e",), ("e", "ee", "s", "es"), ("s", "se")),
        {"M> M<": cut(TRUNCATED)},
        when=of_opening,
    ),
    "the secret of ekem1 left out": Bug(
        WRITE,
        encapsulates(leaves_the_secret_out),
        {"M< K< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=token("ekem1"),
    ),
    "the secret of ekem1 left out by who reads it": Bug(
        "Handshake._read_token",
        reads_without_secret,
        {"M> K> L> C>": cut(TRUNCATED)},
        when=token("ekem1"),
    ),
    "the secret of ekem1 replaced by zeros": Bug(
        WRITE,
        encapsulates(mixes_zeros),
        {"M< K< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=token("ekem1"),
    ),
    "the secret of ekem1 mixed too early": Bug(
        WRITE,
        encapsulates(mixes_before),
        {"M< K< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=token("ekem1"),
    ),
    "the secret of ekem1 mixed as a psk": Bug(
        WRITE,
        encapsulates(hashes_too),
        {"M< K< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=token("ekem1"),
    ),
    "a junk ciphertext in ekem1": Bug(
        WRITE,
        encapsulates(sends_junk),
        {"M< K< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=token("ekem1"),
    ),
    "ekem1 before ee": Bug(
        PATTERN,
        moves("ekem1", 1, 1),
        {"M<": cut(TRUNCATED), "K< L<": said(TAG), "C<": said(WRONG_CODE)},
        when=of_opening,
    ),
    "e1 before e": Bug(PATTERN, moves("e1", 0, 0), {"M>": said(BAD_KEM_KEY)}, when=of_opening),
    "e1 with coefficients that are not reduced": Bug(
        WRITE,
        sends_e1(lambda _: b"\xff" * 1184),
        {"M> K> L> C>": said(BAD_KEM_KEY)},
        when=token("e1"),
    ),
    "e1 of zeros": Bug(
        WRITE, sends_e1(lambda _: bytes(1184)), {"M> K> L> C>": cut(TRUNCATED)}, when=token("e1")
    ),
    "e1 that is too short": Bug(
        WRITE,
        sends_e1(lambda public: public[:-1]),
        {"M> K> L> C>": cut(TRUNCATED)},
        when=token("e1"),
    ),
    "another e1 than the one that is used": Bug(
        WRITE,
        sends_e1(lambda _: MLKEM768PrivateKey.generate().public_key().public_bytes_raw()),
        {"M> K> L> C>": cut(TRUNCATED)},
        when=token("e1"),
    ),
    # Split.
    "split keys swapped": Bug(
        "Handshake.split",
        result(lambda keys: (keys[1], keys[0], keys[2])),
        {"M> K> L> C> M< K< L< C<": said(TAG, "opened")},
        turn=1,
    ),
    "one key for both directions": Bug(
        "Handshake.split",
        result(lambda keys: (keys[0], keys[0], keys[2])),
        {"M> K> L> C>": cut(TRUNCATED, "first"), "M< K< L< C<": said(TAG, "opened")},
        turn=1,
    ),
    "split of h instead of ck": Bug(
        "Handshake.split",
        splits(lambda state: hkdf(state.h, b"", b"", 96)),
        {
            "M> M<": said(TAG, "opened"),
            "K> L<": said(CONFIRMATION),
            "C<": said(spent(CONFIRMATION)),
            "L> C> K<": cut(TRUNCATED, "opened"),
        },
        turn=1,
    ),
    "split with ck as input": Bug(
        "Handshake.split",
        splits(lambda state: hkdf(b"", state.ck, b"", 96)),
        {
            "M> M<": said(TAG, "opened"),
            "K> L<": said(CONFIRMATION),
            "C<": said(spent(CONFIRMATION)),
            "L> C> K<": cut(TRUNCATED, "opened"),
        },
        turn=1,
    ),
    "split with a label": Bug(
        "Handshake.split",
        splits(lambda state: hkdf(state.ck, b"", b"keys", 96)),
        {
            "M> M<": said(TAG, "opened"),
            "K> L<": said(CONFIRMATION),
            "C<": said(spent(CONFIRMATION)),
            "L> C> K<": cut(TRUNCATED, "opened"),
        },
        turn=1,
    ),
    "the exporter secret is a key": Bug(
        "Handshake.split",
        result(lambda keys: (keys[0], keys[1], keys[0])),
        {
            "M> M<": said(TAG, "second"),
            "K> L<": said(CONFIRMATION),
            "C<": said(spent(CONFIRMATION)),
            "L> C> K<": cut(TRUNCATED, "opened"),
        },
        turn=1,
    ),
}
