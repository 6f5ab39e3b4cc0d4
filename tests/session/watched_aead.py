"""Ciphers that note under which key and nonce they seal, for everything that runs meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast
from unittest import mock

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from e2ee.primitives import CIPHERS, Cipher

RESERVED_COUNTER = b"\xff" * 8


class Watch:
    """What all ciphers of a run have done, and what is to become of them."""

    def __init__(self) -> None:
        self.encryptions = 0
        self.last: dict[bytes, int] = {}
        """The last counter that each key has sealed under. They only grow, so none comes twice."""
        self.stolen: set[bytes] = set()
        """Keys that a thief has, and all that follow from them by rekeying."""
        self.fuse: int | None = None
        """After so many calls of a cipher the next one is interrupted."""

    def before_a_call(self) -> None:
        if self.fuse is not None:
            if self.fuse == 0:
                self.fuse = None
                raise KeyboardInterrupt
            self.fuse -= 1


class WatchedAead:
    """One key, in the place of ``cryptography``'s object."""

    watch: Watch
    real: type[AESGCM] | type[ChaCha20Poly1305]

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._aead = self.real(key)

    def encrypt(self, nonce: bytes, data: bytes, ad: bytes | None) -> bytes:
        if nonce[4:] == RESERVED_COUNTER:
            # A rekey, which both ends compute: the same output, and never sent.
            assert (data, ad) == (bytes(32), None)
            sealed = self._aead.encrypt(nonce, data, ad)
            if self.key in self.watch.stolen:
                self.watch.stolen.add(sealed[:32])
            return sealed
        self.watch.before_a_call()
        counter = int.from_bytes(nonce[4:], "big" if self.real is AESGCM else "little")
        assert counter > self.watch.last.get(self.key, -1), "a nonce came again under one key"
        self.watch.last[self.key] = counter
        self.watch.encryptions += 1
        return self._aead.encrypt(nonce, data, ad)

    def encrypt_into(
        self, nonce: bytes, data: memoryview, ad: bytes | None, out: memoryview
    ) -> int:
        out[:] = self.encrypt(nonce, bytes(data), ad)
        return len(out)

    def decrypt(self, nonce: bytes, data: bytes, ad: bytes | None) -> bytes:
        self.watch.before_a_call()
        return self._aead.decrypt(nonce, data, ad)


@contextmanager
def watched_ciphers() -> Iterator[Watch]:
    """Handshakes that begin in this context use watched ciphers."""
    watch = Watch()
    watched = {
        name: Cipher(
            cast(
                type[AESGCM],
                type("Watched", (WatchedAead,), {"watch": watch, "real": cipher.aead}),
            ),
            cipher.pack_nonce,
        )
        for name, cipher in CIPHERS.items()
    }
    with mock.patch.dict(CIPHERS, watched):
        yield watch
