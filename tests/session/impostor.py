"""An attacker's handshake: it shows any keys, and mixes guesses where it has no secret."""

from __future__ import annotations

from e2ee.handshake import Handshake, Token


class Impostor(Handshake):
    """``claimed`` is shown as the own static key, ``claimed_ephemeral`` as the own ephemeral key;
    ``guesses`` stand in for what tokens mix."""

    claimed: bytes = b""
    claimed_ephemeral: bytes = b""
    guesses: dict[Token, bytes]

    def _static_public(self, own: bool) -> bytes:
        return self.claimed if own and self.claimed else super()._static_public(own)

    def _ephemeral_public(self, own: bool) -> bytes:
        return (
            self.claimed_ephemeral
            if own and self.claimed_ephemeral
            else super()._ephemeral_public(own)
        )

    def _mix_secret(self, token: Token) -> None:
        if token in self.guesses:
            self._symmetric.mix_key(self.guesses[token])
        else:
            super()._mix_secret(token)
