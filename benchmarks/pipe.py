"""``e2ee pipe`` beside ``openssl``: ``python -m benchmarks.pipe [--rounds N] [--size MIB]``.

Bytes go from a pipe through two processes on loopback into another pipe. The two take turns; the
clock runs from when a first byte has come through. A first round of each, without a clock, checks
that the bytes that come are those that were sent.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

MIB = 2**20
DEFAULT_ROUNDS = 5
DEFAULT_SIZE = 1024

E2EE = str(Path(sys.executable).with_name("e2ee"))
CIPHER_SUITE = "TLS_AES_256_GCM_SHA384"

Process = subprocess.Popen[bytes]
Ends = tuple[Process, Process]
"""Who sends its standard input, and who has it on its standard output."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pipe", description="Measures e2ee pipe beside openssl."
    )
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, metavar="N")
    parser.add_argument("--size", type=int, default=DEFAULT_SIZE, metavar="MIB")
    options = parser.parse_args()
    print(compare(options.size * MIB, options.rounds))


def compare(size: int, rounds: int) -> str:
    """Move so many bytes so many times with each; the result in one line.

    Raises RuntimeError where other bytes come than were sent.
    """
    with TemporaryDirectory() as folder:
        ways = (lambda: _e2ee(folder), lambda: _openssl(folder))
        for way in ways:
            check(way, size)
        ours, theirs = zip(
            *([seconds(way, size) for way in ways] for _ in range(rounds)), strict=True
        )
    ratios = sorted(their / our for our, their in zip(ours, theirs, strict=True))
    return (
        f"e2ee pipe, {size // MIB} MiB on loopback: {size / median(ours) / 1e6:,.0f} MB/s, "
        f"openssl s_client to s_server {size / median(theirs) / 1e6:,.0f} MB/s; "
        f"speed / openssl {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, "
        f"{rounds} rounds)"
    )


def check(way: Callable[[], Ends], size: int) -> None:
    """Send bytes of all kinds. Raises RuntimeError unless they come."""
    block = os.urandom(MIB)
    sent, came = hashlib.sha256(), hashlib.sha256()
    for _ in range(size // MIB):
        sent.update(block)
    with _running(way) as (sender, receiver):
        _move(sender, receiver, block, size, came.update)
    if sent.digest() != came.digest():
        raise RuntimeError("other bytes have come than were sent")


def seconds(way: Callable[[], Ends], size: int) -> float:
    """How long so many bytes take."""
    with _running(way) as (sender, receiver):
        _move(sender, receiver, b"\0", 1, lambda _: None)
        began = time.perf_counter()
        _move(sender, receiver, bytes(MIB), size, lambda _: None)
        return time.perf_counter() - began


def _move(
    sender: Process, receiver: Process, block: bytes, size: int, use: Callable[[memoryview], object]
) -> None:
    assert sender.stdin is not None
    assert receiver.stdout is not None
    into, out_of = sender.stdin, receiver.stdout.fileno()

    def feed() -> None:
        for _ in range(size // len(block)):
            into.write(block)
        into.flush()

    feeding = threading.Thread(target=feed)
    feeding.start()
    room = memoryview(bytearray(MIB))
    left = size
    while left:
        length = os.readv(out_of, [room])
        if not length:
            raise RuntimeError("the end has come too early")
        use(room[:length])
        left -= length
    feeding.join()


@contextmanager
def _running(way: Callable[[], Ends]) -> Iterator[Ends]:
    with ExitStack() as stack:
        ends = way()
        for process in ends:
            stack.enter_context(process)
            stack.callback(process.kill)
        yield ends


def _e2ee(folder: str) -> Ends:
    port = _free_port()
    receiver = _start(
        [E2EE, "pipe", "--listen", "--host", "127.0.0.1", "--port", str(port)],
        E2EE_HOME=os.path.join(folder, "bob"),
    )
    _wait_for(port)
    return _start(
        [E2EE, "pipe", f"127.0.0.1:{port}"], E2EE_HOME=os.path.join(folder, "alice")
    ), receiver


def _openssl(folder: str) -> Ends:
    key, certificate = (os.path.join(folder, name) for name in ("key.pem", "certificate.pem"))
    if not os.path.exists(key):
        request = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=benchmark"]
        subprocess.run(
            ["openssl", *request, "-keyout", key, "-out", certificate],
            check=True,
            capture_output=True,
        )
    port = _free_port()
    where = f"127.0.0.1:{port}"
    server = ["s_server", "-accept", where, "-key", key, "-cert", certificate]
    receiver = _start(["openssl", *server, "-quiet", "-ciphersuites", CIPHER_SUITE])
    _wait_for(port)
    return _start(["openssl", "s_client", "-connect", where, "-quiet"]), receiver


def _start(command: list[str], **environment: str) -> Process:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int) -> None:
    """Until somebody listens there; who comes and says nothing keeps nobody."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


if __name__ == "__main__":
    main()
