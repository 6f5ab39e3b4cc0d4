"""Handshake patterns as data, and the modifiers that make new patterns from them.

Noise revision 34, sections 7.4 (one-way), 7.5 (fundamental), 9.4 (psk), 10.2 (fallback) and
appendix 18.1 (deferred); the hfs modifier is the one of "KEM-based Hybrid Forward Secrecy for
Noise", revision 1. SPEC.md section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from e2ee.errors import InvalidProtocolName


class Token(StrEnum):
    """One step of a message pattern."""

    E = "e"
    """The sender's ephemeral public key."""
    S = "s"
    """The sender's static public key, sealed as soon as there is a key."""
    EE = "ee"
    """Diffie-Hellman of both ephemeral keys."""
    ES = "es"
    """Of the initiator's ephemeral key and the responder's static one."""
    SE = "se"
    """Of the initiator's static key and the responder's ephemeral one."""
    SS = "ss"
    """Of both static keys."""
    PSK = "psk"
    """A pre-shared key is mixed in."""
    E1 = "e1"
    """The initiator's KEM public key."""
    EKEM1 = "ekem1"
    """The ciphertext to it, whose secret is mixed in."""


DH_TOKENS = frozenset({Token.EE, Token.ES, Token.SE, Token.SS})

Tokens = tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern in canonical form: the initiator writes the first message, then they alternate.

    ``initiator_pre_message``, ``responder_pre_message`` -- what each has of the other's beforehand.
    ``messages`` -- the tokens of each message.
    """

    initiator_pre_message: Tokens
    responder_pre_message: Tokens
    messages: tuple[Tokens, ...]

    @property
    def one_way(self) -> bool:
        """Whether only the initiator ever sends: the responder has no ephemeral key."""
        return len(self.messages) == 1 and Token.E not in self.responder_pre_message

    def contains(self, token: Token) -> bool:
        """Whether any message has this token."""
        return any(token in message for message in self.messages)


def _tokens(text: str) -> Tokens:
    return tuple(Token(name.strip()) for name in text.split(",") if name.strip())


def _pattern(text: str) -> Pattern:
    """Read ``pre-message of the initiator | of the responder | message / message / …``."""
    initiator, responder, messages = text.split("|")
    return Pattern(_tokens(initiator), _tokens(responder), tuple(map(_tokens, messages.split("/"))))


PATTERNS: dict[str, Pattern] = {
    name: _pattern(text)
    for name, text in {
        # one-way
        "N": "|s| e, es",
        "K": "s|s| e, es, ss",
        "X": "|s| e, es, s, ss",
        # fundamental
        "NN": "|| e / e, ee",
        "NK": "|s| e, es / e, ee",
        "NX": "|| e / e, ee, s, es",
        "XN": "|| e / e, ee / s, se",
        "XK": "|s| e, es / e, ee / s, se",
        "XX": "|| e / e, ee, s, es / s, se",
        "KN": "s|| e / e, ee, se",
        "KK": "s|s| e, es, ss / e, ee, se",
        "KX": "s|| e / e, ee, se, s, es",
        "IN": "|| e, s / e, ee, se",
        "IK": "|s| e, es, s, ss / e, ee, se",
        "IX": "|| e, s / e, ee, se, s, es",
        # deferred
        "NK1": "|s| e / e, ee, es",
        "NX1": "|| e / e, ee, s / es",
        "X1N": "|| e / e, ee / s / se",
        "X1K": "|s| e, es / e, ee / s / se",
        "XK1": "|s| e / e, ee, es / s, se",
        "X1K1": "|s| e / e, ee, es / s / se",
        "X1X": "|| e / e, ee, s, es / s / se",
        "XX1": "|| e / e, ee, s / es, s, se",
        "X1X1": "|| e / e, ee, s / es, s / se",
        "K1N": "s|| e / e, ee / se",
        "K1K": "s|s| e, es / e, ee / se",
        "KK1": "s|s| e / e, ee, se, es",
        "K1K1": "s|s| e / e, ee, es / se",
        "K1X": "s|| e / e, ee, s, es / se",
        "KX1": "s|| e / e, ee, se, s / es",
        "K1X1": "s|| e / e, ee, s / se, es",
        "I1N": "|| e, s / e, ee / se",
        "I1K": "|s| e, es, s / e, ee / se",
        "IK1": "|s| e, s / e, ee, se, es",
        "I1K1": "|s| e, s / e, ee, es / se",
        "I1X": "|| e, s / e, ee, s, es / se",
        "IX1": "|| e, s / e, ee, se, s / es",
        "I1X1": "|| e, s / e, ee, s / se, es",
    }.items()
}
"""By name, without modifiers."""


def _with_psk(position: int) -> Callable[[Pattern], Pattern]:
    """psk0 goes to the start of the first message, pskN to the end of message N."""

    def transform(pattern: Pattern) -> Pattern:
        messages = list(pattern.messages)
        if position > len(messages):
            raise InvalidProtocolName(f"psk{position} needs a pattern of {position} messages")
        if position == 0:
            messages[0] = (Token.PSK, *messages[0])
        else:
            messages[position - 1] = (*messages[position - 1], Token.PSK)
        return replace(pattern, messages=tuple(messages))

    return transform


def _insert_after(message: Tokens, anchor: Token, token: Token) -> Tokens:
    at = message.index(anchor) + 1
    return (*message[:at], token, *message[at:])


def _with_hfs(pattern: Pattern) -> Pattern:
    """e1 follows the first e, or the first DH of that message; ekem1 follows the first ee."""
    if not pattern.contains(Token.EE):
        raise InvalidProtocolName("hfs needs a pattern with an ee token")
    messages = list(pattern.messages)
    first_e = next(i for i, message in enumerate(messages) if Token.E in message)
    anchor = next((token for token in messages[first_e] if token in DH_TOKENS), Token.E)
    messages[first_e] = _insert_after(messages[first_e], anchor, Token.E1)
    first_ee = next(i for i, message in enumerate(messages) if Token.EE in message)
    messages[first_ee] = _insert_after(messages[first_ee], Token.EE, Token.EKEM1)
    return replace(pattern, messages=tuple(messages))


_REVERSED = {Token.ES: Token.SE, Token.SE: Token.ES}


def _with_fallback(pattern: Pattern) -> Pattern:
    """The first message becomes a pre-message of its sender, who is the responder from here on.

    The rest is a pattern begun by the former responder; to keep it in canonical form the roles
    change places, in the pre-messages and in the DH tokens.
    """
    if pattern.one_way or not set(pattern.messages[0]) <= {Token.E, Token.S}:
        raise InvalidProtocolName(
            "fallback needs a pattern that can be left after its first message"
        )
    known = {*pattern.initiator_pre_message, *pattern.messages[0]}
    return Pattern(
        initiator_pre_message=pattern.responder_pre_message,
        responder_pre_message=tuple(token for token in (Token.E, Token.S) if token in known),
        messages=tuple(
            tuple(_REVERSED.get(token, token) for token in message)
            for message in pattern.messages[1:]
        ),
    )


MODIFIERS: dict[str, Callable[[Pattern], Pattern]] = {
    "fallback": _with_fallback,
    "hfs": _with_hfs,
    **{f"psk{position}": _with_psk(position) for position in range(5)},
}
"""Each modifier's name and what it makes of a pattern. All commute but ``fallback``."""
