"""The cipher of ``cryptography`` alone: the floor of what a session can cost.

Below 4 KiB it is called as most programs would, above so that it writes into a buffer that is
there already; of the two the faster one, each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from time import process_time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.rounds import Run, in_batches
from e2ee.limits import KIB, MAX_CONTENT_LENGTH

INTO_A_BUFFER = 4 * KIB
"""Bytes from which the call that writes into a buffer is the faster one."""

TAG = 16


class Raw:
    """One key."""

    def __init__(self) -> None:
        self._aead = AESGCM(AESGCM.generate_key(256))
        self._buffer = memoryview(bytearray(MAX_CONTENT_LENGTH + TAG))

    def sealing(self, message: bytes) -> Run:
        """Each operation seals the message under a nonce of its own, as a session does."""
        aead, buffer = self._aead, bytearray(len(message) + TAG)

        def run(number: int) -> float:
            nonces = list(_nonces(number))
            began = process_time()
            for nonce in nonces:
                aead.encrypt(nonce, message, None)
            return process_time() - began

        def run_into_the_buffer(number: int) -> float:
            nonces = list(_nonces(number))
            began = process_time()
            for nonce in nonces:
                aead.encrypt_into(nonce, message, None, buffer)
            return process_time() - began

        return run if len(message) < INTO_A_BUFFER else run_into_the_buffer

    def opening(self, message: bytes, batch: int) -> Run:
        """Each operation opens a message; so many sealed ones take turns."""
        aead, buffer = self._aead, bytearray(len(message))
        sealed = [(nonce, aead.encrypt(nonce, message, None)) for nonce in _nonces(batch)]

        def open_some(number: int) -> float:
            turn = sealed[:number]
            began = process_time()
            for nonce, one in turn:
                aead.decrypt(nonce, one, None)
            return process_time() - began

        def open_some_into_the_buffer(number: int) -> float:
            turn = sealed[:number]
            began = process_time()
            for nonce, one in turn:
                aead.decrypt_into(nonce, one, None, buffer)
            return process_time() - began

        return in_batches(
            open_some if len(message) < INTO_A_BUFFER else open_some_into_the_buffer, batch
        )

    def passing(self, message: bytes) -> Callable[[], object]:
        """An operation that seals and opens the message, in the records of a session."""
        aead, buffer = self._aead, self._buffer
        view = memoryview(message)
        pieces = [
            (nonce, view[start : start + MAX_CONTENT_LENGTH])
            for nonce, start in zip(
                _nonces(len(message)), range(0, len(message), MAX_CONTENT_LENGTH), strict=False
            )
        ]
        if len(message) < INTO_A_BUFFER:
            return lambda: [
                aead.decrypt(nonce, aead.encrypt(nonce, piece, None), None)
                for nonce, piece in pieces
            ]
        opened = memoryview(bytearray(MAX_CONTENT_LENGTH))

        def run() -> None:
            for nonce, piece in pieces:
                length = len(piece)
                sealed = buffer[: length + TAG]
                aead.encrypt_into(nonce, piece, None, sealed)
                aead.decrypt_into(nonce, sealed, None, opened[:length])

        return run


def _nonces(number: int) -> Iterator[bytes]:
    """Noise's for AES-GCM: four zero bytes, then a counter."""
    return map(struct.Struct(">LQ").pack, [0] * number, range(number))
