"""Patterns and what modifiers make of them: by Noise's rules, and complete against themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain, combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2ee.errors import InvalidProtocolName
from e2ee.handshake import PATTERNS, Handshake, Pattern, Token, parse_protocol_name
from e2ee.primitives import CIPHERS, HASHES

Messages = list[list[str]]

ONE_WAY = ["N", "K", "X"]
FUNDAMENTAL = ["".join(letters) for letters in product("NXKI", "NKX")]
DEFERRED = [
    *("NK1", "NX1", "X1N", "X1K", "XK1", "X1K1", "X1X", "XX1", "X1X1", "K1N", "K1K", "KK1"),
    *("K1K1", "K1X", "KX1", "K1X1", "I1N", "I1K", "IK1", "I1K1", "I1X", "IX1", "I1X1"),
]


def words(pattern: Pattern) -> Messages:
    return [[token.value for token in message] for message in pattern.messages]


def written(text: str) -> Messages:
    return [message.split() for message in text.replace(",", " ").split("/")]


# The patterns from the letters of their names, sections 7.4, 7.5 and 7.6.


def fundamental(initiator: str, responder: str) -> Messages:
    first, second, third = ["e"], ["e", "ee"], []
    if responder == "K":
        first += ["es"]
    if initiator == "I":
        first += ["s"]
    if initiator in "KI":
        second += ["se"]
        first += ["ss"] if responder == "K" else []
    if responder == "X":
        second += ["s", "es"]
    if initiator == "X":
        third += ["s", "se"]
    return [message for message in (first, second, third) if message]


def defer(messages: Messages, token: str) -> Messages:
    """The authentication by this DH moves to the next message; ss would bring it forward again."""
    deferred: Messages = [[t for t in m if t not in (token, "ss")] for m in messages]
    at = next(i for i, message in enumerate(messages) if token in message) + 1
    if at == len(deferred):
        deferred.append([token])
    elif at == 1:
        deferred[at].append(token)
    else:
        deferred[at].insert(0, token)
    return deferred


def test_the_table_holds_the_38_patterns_of_the_specification_and_no_others() -> None:
    assert sorted(PATTERNS) == sorted(ONE_WAY + FUNDAMENTAL + DEFERRED)
    assert len(PATTERNS) == 38


@pytest.mark.parametrize("name", ONE_WAY)
def test_a_one_way_pattern_is_the_first_message_to_a_known_responder(name: str) -> None:
    initiator = "I" if name == "X" else name
    assert words(PATTERNS[name]) == fundamental(initiator, "K")[:1]
    assert PATTERNS[name].one_way


@pytest.mark.parametrize("name", FUNDAMENTAL)
def test_a_fundamental_pattern_follows_from_its_letters(name: str) -> None:
    assert words(PATTERNS[name]) == fundamental(*name)
    assert not PATTERNS[name].one_way


@pytest.mark.parametrize("name", DEFERRED)
def test_a_deferred_pattern_follows_from_the_fundamental_one(name: str) -> None:
    messages = fundamental(*name.replace("1", ""))
    if name.endswith("1"):
        messages = defer(messages, "es")
    if name[1] == "1":
        messages = defer(messages, "se")
    assert words(PATTERNS[name]) == messages


@pytest.mark.parametrize("name", PATTERNS)
def test_only_the_letter_k_and_one_way_patterns_have_keys_known_before(name: str) -> None:
    initiator, responder = name[0], "K" if name in ONE_WAY else name.replace("1", "")[1]
    pattern = PATTERNS[name]
    assert pattern.initiator_pre_message == ((Token.S,) if initiator == "K" else ())
    assert pattern.responder_pre_message == ((Token.S,) if responder == "K" else ())


# The rules of validity, section 7.3, with section 9.3 for psk.


class Checker:
    """Walks through a pattern as both parties do and asserts every rule of validity."""

    def __init__(self, pattern: Pattern) -> None:
        self.sent = [set(pattern.initiator_pre_message), set(pattern.responder_pre_message)]
        self.done: set[Token] = set()
        self.has_key = False
        self.uses_psks = pattern.contains(Token.PSK)
        if self.uses_psks and Token.E in self.sent[0] | self.sent[1]:
            self.has_key = True
        for number, message in enumerate(pattern.messages):
            for token in message:
                self.step(number % 2, token)
            self.encrypt(number % 2)

    def step(self, writer: int, token: Token) -> None:
        if token is Token.PSK:
            self.has_key = True
        elif token in (Token.E, Token.S, Token.E1):
            assert token not in self.sent[writer], "a key is sent once"
            if token is not Token.E:
                self.encrypt(writer)
            self.sent[writer].add(token)
            self.has_key |= token is Token.E and self.uses_psks
        elif token is Token.EKEM1:
            assert Token.EE in self.done, "the KEM adds to ee, it does not replace it"
            assert Token.E1 in self.sent[1 - writer], "a ciphertext needs the other's e1"
            # The ciphertext is encrypted before a later se of the same message. hfs wants it so;
            # the key is fresh already, by ee.
        else:
            assert Token(token.value[0]) in self.sent[0], "both know the initiator's key"
            assert Token(token.value[1]) in self.sent[1], "both know the responder's key"
            self.has_key = True
        if token.value not in ("e", "s", "e1", "psk"):
            assert token not in self.done, "no DH is done twice"
        self.done.add(token)

    def encrypt(self, writer: int) -> None:
        if not self.has_key:
            return
        static_first = (Token.SE, Token.SS) if writer == 0 else (Token.ES, Token.SS)
        ephemeral = (Token.EE, Token.ES) if writer == 0 else (Token.EE, Token.SE)
        for with_static, with_ephemeral in zip(static_first, ephemeral, strict=True):
            if with_static in self.done:
                assert with_ephemeral in self.done, "a DH with own s needs the one with own e"
        if Token.PSK in self.done:
            assert Token.E in self.sent[writer], "nothing is encrypted by a psk without own e"


def modified(sets: Iterator[tuple[str, list[str]]]) -> Iterator[str]:
    for name, modifiers in sets:
        yield name + "+".join(modifiers)


def with_psks() -> Iterator[tuple[str, list[str]]]:
    """Every pattern with every set of psk modifiers that it can take, the empty one too."""
    for name, pattern in PATTERNS.items():
        places = [f"psk{place}" for place in range(len(pattern.messages) + 1)]
        for count in range(len(places) + 1):
            for chosen in combinations(places, count):
                yield name, list(chosen)


def with_psks_and_hfs() -> Iterator[tuple[str, list[str]]]:
    return ((name, ["hfs", *psks]) for name, psks in with_psks() if name not in ONE_WAY)


def with_fallback_and_psks() -> Iterator[tuple[str, list[str]]]:
    for name, psks in with_psks():
        fits = not any(token in PATTERNS[name].messages[0] for token in (Token.ES, Token.SS))
        if fits and f"psk{len(PATTERNS[name].messages)}" not in psks:
            yield name, ["fallback", *psks]


def names(suffix: str = "AESGCM_SHA256") -> Iterator[str]:
    for pattern in chain(modified(with_psks()), modified(with_fallback_and_psks())):
        yield f"Noise_{pattern}_25519_{suffix}"
    for pattern in modified(with_psks_and_hfs()):
        yield f"Noise_{pattern}_25519+MLKEM768_{suffix}"


def test_every_pattern_with_every_set_of_modifiers_obeys_the_rules_of_validity(
    figure: Callable[[str], None],
) -> None:
    checked = [Checker(parse_protocol_name(name).pattern) for name in names()]
    figure(f"patterns: {len(checked)} combinations of modifiers obey the rules of validity")
    assert len(checked) > 1000


@pytest.mark.parametrize(
    ("message", "broken_rule"),
    [
        ("e / e, ee, ee", "no DH is done twice"),
        ("e, e / e, ee", "a key is sent once"),
        ("e, es / e, ee", "both know the responder's key"),
        ("e, s / e, ee, s, es, ss", "a DH with own s needs the one with own e"),
        ("e / e, s, es", "a DH with own s needs the one with own e"),
        ("psk, s, e / e, ee", "nothing is encrypted by a psk without own e"),
        ("e, e1 / e, ekem1, ee", "the KEM adds to ee"),
        ("e / e, ee, ekem1", "a ciphertext needs the other's e1"),
    ],
)
def test_the_checker_sees_a_broken_rule(message: str, broken_rule: str) -> None:
    pattern = Pattern((), (), tuple(tuple(map(Token, m)) for m in written(message)))
    with pytest.raises(AssertionError, match=broken_rule):
        Checker(pattern)


# What the modifiers make.


@pytest.mark.parametrize(
    ("name", "messages", "lengths"),
    [
        ("XXhfs", "e, e1 / e, ee, ekem1, s, es / s, se", [1216, 1200, 64]),
        ("IKhfs", "e, es, e1, s, ss / e, ee, ekem1, se", [1296, 1152]),
        ("KKhfs", "e, es, e1, ss / e, ee, ekem1, se", [1248, 1152]),
        ("INhfs", "e, e1, s / e, ee, ekem1, se", [1248, 1152]),
        ("NNhfs+psk0", "psk, e, e1 / e, ee, ekem1", [1248, 1152]),
        ("XX", "e / e, ee, s, es / s, se", [32, 96, 64]),
        ("NNpsk0", "psk, e / e, ee", [48, 48]),
        ("XXpsk0+psk3", "psk, e / e, ee, s, es / s, se, psk", [48, 96, 64]),
        ("X1Npsk4", "e / e, ee / s / se, psk", [48, 48, 64, 16]),
        ("INpsk1", "e, s, psk / e, ee, se", [96, 48]),
        ("XXpsk3+fallback", "e, ee, s, se / s, es, psk", [96, 64]),
    ],
)
def test_modified_patterns_have_exactly_these_tokens_and_lengths(
    name: str, messages: str, lengths: list[int], figure: Callable[[str], None]
) -> None:
    kem = "+MLKEM768" if "hfs" in name else ""
    full_name = f"Noise_{name}_25519{kem}_AESGCM_SHA256"
    pattern = parse_protocol_name(full_name).pattern
    assert words(pattern) == written(messages)
    assert complete(full_name) == lengths
    if kem:
        figure(f"{name}: {messages}; {', '.join(map(str, lengths))} bytes with empty payloads")


@pytest.mark.parametrize(
    ("name", "initiators", "responders", "messages"),
    [
        ("XXfallback", [], ["e"], "e, ee, s, se / s, es"),
        ("XXfallback+psk0", [], ["e"], "psk, e, ee, s, se / s, es"),
        ("NXfallback", [], ["e"], "e, ee, s, se"),
        ("IXfallback", [], ["e", "s"], "e, ee, es, s, se"),
        ("XK1fallback", ["s"], ["e"], "e, ee, se / s, es"),
    ],
)
def test_fallback_makes_the_first_message_a_pre_message_and_swaps_the_roles(
    name: str, initiators: list[str], responders: list[str], messages: str
) -> None:
    pattern = parse_protocol_name(f"Noise_{name}_25519_AESGCM_SHA256").pattern
    assert pattern.initiator_pre_message == tuple(map(Token, initiators))
    assert pattern.responder_pre_message == tuple(map(Token, responders))
    assert words(pattern) == written(messages)


@pytest.mark.parametrize("name", PATTERNS)
def test_fallback_is_only_for_patterns_whose_first_message_mixes_no_secret(name: str) -> None:
    first = set(words(PATTERNS[name])[0])
    if first <= {"e", "s"}:
        parse_protocol_name(f"Noise_{name}fallback_25519_AESGCM_SHA256")
    else:
        with pytest.raises(InvalidProtocolName):
            parse_protocol_name(f"Noise_{name}fallback_25519_AESGCM_SHA256")


# Everything completes against itself.


def parties(name: str) -> tuple[Handshake, Handshake]:
    """Both sides of a protocol, each with exactly the keys that its pattern asks for."""
    protocol = parse_protocol_name(name)
    dh, pattern = protocol.dh, protocol.pattern
    s = [dh.generate(), dh.generate()]
    e = dh.generate()
    psks = [os.urandom(32) for message in pattern.messages for t in message if t is Token.PSK]
    pre_messages = (pattern.initiator_pre_message, pattern.responder_pre_message)
    falls_back = Token.E in pattern.responder_pre_message
    initiator, responder = (
        Handshake(
            name,
            initiator=own == 0,
            prologue=b"prologue",
            s=s[own],
            rs=s[1 - own].public_key() if Token.S in pre_messages[1 - own] else None,
            e=e if falls_back and own == 1 else None,
            re=e.public_key() if falls_back and own == 0 else None,
            psks=psks,
        )
        for own in (0, 1)
    )
    return initiator, responder


def complete(name: str, payloads: tuple[bytes, ...] = ()) -> list[int]:
    """Run a whole handshake; returns the lengths of its messages."""
    writer, reader = initiator, responder = parties(name)
    lengths: list[int] = []
    while not initiator.finished:
        payload = payloads[len(lengths)] if payloads else b""
        announced = writer.next_message_length(len(payload))
        assert reader.next_message_length(len(payload)) == announced
        message = writer.write_message(payload)
        assert len(message) == announced
        assert reader.read_message(message) == payload
        lengths.append(len(message))
        writer, reader = reader, writer
    assert responder.finished
    assert initiator.handshake_hash == responder.handshake_hash
    assert initiator.exporter_secret == responder.exporter_secret
    sealed = initiator.split()[0].encrypt_with_ad(b"ad", b"to the responder")
    assert responder.split()[1].decrypt_with_ad(b"ad", sealed) == b"to the responder"
    if len(lengths) > 1:
        sealed = responder.split()[0].encrypt_with_ad(b"ad", b"to the initiator")
        assert initiator.split()[1].decrypt_with_ad(b"ad", sealed) == b"to the initiator"
    return lengths


@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("dh", ["25519", "448"])
def test_every_pattern_completes_with_every_function(dh: str, cipher: str, hash_name: str) -> None:
    for name in PATTERNS:
        complete(f"Noise_{name}_{dh}_{cipher}_{hash_name}")
    for name in (*FUNDAMENTAL, *DEFERRED):
        complete(f"Noise_{name}hfs_{dh}+MLKEM768_{cipher}_{hash_name}")


@pytest.mark.parametrize(("cipher", "hash_name"), [("AESGCM", "SHA256"), ("ChaChaPoly", "BLAKE2b")])
def test_every_pattern_completes_with_every_set_of_modifiers(cipher: str, hash_name: str) -> None:
    for name in names(f"{cipher}_{hash_name}"):
        complete(name, (b"first", b"", b"a third payload", b"4"))


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(list(names())),
    payloads=st.tuples(*[st.one_of(st.binary(max_size=40), st.just(bytes(60_000)))] * 4),
)
def test_any_payloads_arrive_and_each_length_is_known_before(
    name: str, payloads: tuple[bytes, ...]
) -> None:
    complete(name, payloads)
