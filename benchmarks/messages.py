"""Comparisons of messages: sealed, opened, and passed from one side to the other in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from time import process_time

from benchmarks.noises import dissononce, noiseprotocol, passing
from benchmarks.pyopenssl import PyOpenSsl
from benchmarks.raw import INTO_A_BUFFER, Raw
from benchmarks.rounds import Comparison, Run, in_batches, plain
from benchmarks.sessions import Pair, answer, shaking_hands
from benchmarks.tls import Tls
from e2ee import HYBRID_AESGCM, MessageReceived, Session
from e2ee.limits import KIB, MAX_CONTENT_LENGTH, MIB

SIZES = {"64 B": 64, "1 KiB": KIB, "16 KiB": 16 * KIB, "64 KiB": 64 * KIB}
"""Bytes of a message that fits the record of its own, or nearly so, by the name in the report."""

ONE_RECORD = MAX_CONTENT_LENGTH - 4
"""Bytes of the message that fills one record: its length prefix has the other four."""

GROWING_SIZES = {
    "1 B": 1,
    "16 B": 16,
    "256 B": 256,
    "4 KiB": 4 * KIB,
    "64 KiB": 64 * KIB,
    "1 MiB": MIB,
    "16 MiB": 16 * MIB,
}

QUEUED = 16
"""Messages in the row of those that wait for one flush."""

GROWING_QUEUES = (1, 10, 100, 1_000, 10_000)

BATCH = 256 * KIB
"""Bytes of sealed messages that are ready to be opened: they fit a cache, as what has just come
from a socket does."""

MAX_BATCH = 64

BULK_MESSAGE = 64 * KIB
BULK_FLUSH = 256 * KIB
"""Bytes of messages before each flush, as many as a channel has on its way."""


def sealed_and_opened(sizes: dict[str, int]) -> list[Comparison]:
    """A session beside the cipher alone, for each direction."""
    raw = Raw()
    found = []
    for name, size in sizes.items():
        message, batch = os.urandom(size), max(1, min(MAX_BATCH, BATCH // size))
        found += [
            Comparison(
                f"seal {name}", {"e2ee": _sealing(message, 1), "AESGCM": raw.sealing(message)}
            ),
            Comparison(
                f"open {name}",
                {"e2ee": _opening(message, 1, batch), "AESGCM": raw.opening(message, batch)},
            ),
        ]
    return found


def queued(counts: Iterable[int]) -> list[Comparison]:
    """Messages of 64 B of which so many wait for one flush, beside the cipher for each alone.

    One operation is a whole queue.
    """
    raw, message = Raw(), os.urandom(64)
    found = []
    for count in counts:
        found += [
            Comparison(
                f"seal {count:,} queued",
                {"e2ee": _sealing(message, count), "AESGCM": _times(raw.sealing(message), count)},
            ),
            Comparison(
                f"open {count:,} queued",
                {
                    "e2ee": _opening(message, count, max(1, MAX_BATCH // count)),
                    "AESGCM": _times(raw.opening(message, MAX_BATCH), count),
                },
            ),
        ]
    return found


def passed(sizes: dict[str, int]) -> list[Comparison]:
    """Everybody who can pass a message to another side. RuntimeError if it does not arrive."""
    tls, other_tls = Tls(), PyOpenSsl()
    found = []
    for name, size in sizes.items():
        message = os.urandom(size)
        operations: dict[str, Callable[[], bytes]] = {
            "e2ee": _passing(message),
            "ssl": tls.passing(message),
            "pyOpenSSL": other_tls.passing(message),
            "noiseprotocol": passing(noiseprotocol()(), message),
            "dissononce": passing(dissononce()(), message),
        }
        for contender, operation in operations.items():
            if operation() != message:
                raise RuntimeError(f"{contender} did not deliver {name}")
        contenders = {
            contender: plain(operation) for contender, operation in operations.items()
        } | {"AESGCM": plain(Raw().passing(message))}
        found.append(Comparison(f"pass {name}", contenders))
    return found


def growing_sizes(largest: int) -> list[Comparison]:
    """A session beside the cipher alone, from the smallest message to the largest."""
    found = []
    for name, size in GROWING_SIZES.items():
        if size > largest:
            break
        message = os.urandom(size)
        contenders = {"e2ee": plain(_passing(message)), "AESGCM": plain(Raw().passing(message))}
        found.append(Comparison(f"grow {name}", contenders))
    return found


def bulk(total: int) -> Comparison:
    """So many bytes from one side to the other, as programs move them that care for speed."""
    message = os.urandom(BULK_MESSAGE)
    flush = os.urandom(BULK_FLUSH)
    passes = total // BULK_FLUSH
    return Comparison(
        "bulk",
        {
            "e2ee": plain(_times_over(_passing_bulk(message), passes)),
            "AESGCM": plain(_times_over(Raw().passing(flush), passes)),
            "ssl": plain(_times_over(Tls().passing(flush), passes)),
            "pyOpenSSL": plain(_times_over(PyOpenSsl().passing(flush), passes)),
        },
    )


def _times(run: Run, count: int) -> Run:
    return lambda number: run(number * count)


def _times_over(operation: Callable[[], object], count: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(count):
            operation()

    return run


def _pair() -> Pair:
    return shaking_hands(HYBRID_AESGCM)()


def _sealing(message: bytes, queue: int) -> Run:
    """Nobody opens what comes of it; the sender goes on sealing."""
    sender, _ = _pair()
    send, take = sender.send, sender.data_to_send
    take_piece = sender.buffer_to_send

    def run(number: int) -> float:
        began = process_time()
        for _ in range(number):
            send(message)
            take()
        return process_time() - began

    def run_in_place(number: int) -> float:
        began = process_time()
        for _ in range(number):
            send(message)
            while take_piece():
                pass
        return process_time() - began

    def run_queued(number: int) -> float:
        began = process_time()
        for _ in range(number):
            for _ in range(queue):
                send(message)
            take()
        return process_time() - began

    if queue > 1:
        return run_queued
    return run if len(message) < INTO_A_BUFFER else run_in_place


def _opening(message: bytes, queue: int, batch: int) -> Run:
    sender, receiver = _pair()

    def run(number: int) -> float:
        came = [_sealed(sender, message, queue) for _ in range(number)]
        receive = receiver.receive_data
        began = process_time()
        for data in came:
            receive(data)
        taken = process_time() - began
        answer(receiver, sender)
        return taken

    return in_batches(run, batch)


def _sealed(sender: Session, message: bytes, queue: int) -> bytes:
    for _ in range(queue):
        sender.send(message)
    return sender.data_to_send()


def _passing(message: bytes) -> Callable[[], bytes]:
    sender, receiver = _pair()

    def run() -> bytes:
        sender.send(message)
        events = receiver.receive_data(sender.data_to_send())
        answer(receiver, sender)
        return next(event.data for event in events if isinstance(event, MessageReceived))

    return run


def _passing_bulk(message: bytes) -> Callable[[], None]:
    """As a transport does it: in place, with one copy in between in the place of a socket."""
    sender, receiver = _pair()
    count = BULK_FLUSH // len(message)

    def run() -> None:
        for _ in range(count):
            sender.send(message)
        while piece := sender.buffer_to_send():
            left = memoryview(piece)
            while left:
                room = receiver.get_buffer(len(left))
                length = min(len(room), len(left))
                room[:length] = left[:length]
                receiver.buffer_updated(length)
                left = left[length:]
        answer(receiver, sender)

    return run
