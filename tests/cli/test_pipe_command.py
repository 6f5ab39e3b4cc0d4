"""``e2ee pipe`` between two real processes: bytes, ends, and what happens when it breaks."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

EVERY_BYTE = bytes(range(256)) * 1000
STALLED_BELOW = 32 * 2**20
"""Bytes that a pipe may hold in all, of which nobody takes any."""


@pytest.fixture
def waiting(e2ee: Any) -> Callable[..., Any]:
    """Starts bob's end; gives it, and the address to connect to."""

    def start(*arguments: str, **options: Any) -> tuple[subprocess.Popen[bytes], str]:
        command = ("pipe", "--listen", "--host", "127.0.0.1", "--port", "0", *arguments)
        process = e2ee.start(*command, person="bob", **options)
        for line in process.stderr:
            if b"Waiting" in line:
                return process, line.split()[-1].decode()
            if b'"listening"' in line:
                return process, f"127.0.0.1:{json.loads(line)['port']}"
        raise AssertionError("it does not wait")

    return start


def end(process: subprocess.Popen[bytes], stdin: bytes | None = None) -> tuple[int, bytes, str]:
    """Exit code, stdout, stderr; no traceback ever."""
    out, err = process.communicate(stdin, 60)
    for trouble in (b"Traceback", b"never retrieved"):
        assert trouble not in err, err.decode()
    return process.returncode, out or b"", err.decode()


def end_both(
    alice: subprocess.Popen[bytes], bob: subprocess.Popen[bytes], stdin: bytes, bobs: bytes = b""
) -> list[tuple[int, bytes, str]]:
    """Each with what it says; neither ends before the other."""
    with ThreadPoolExecutor(2) as threads:
        return [
            done.result()
            for done in [threads.submit(end, alice, stdin), threads.submit(end, bob, bobs)]
        ]


def close_stdin(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None


def flood(process: subprocess.Popen[bytes]) -> int:
    """Write to its stdin until it has taken nothing for a while; how much that was."""
    assert process.stdin is not None
    assert process.stderr is not None
    assert b"Connected" in process.stderr.readline()
    number = process.stdin.fileno()
    os.set_blocking(number, False)
    written, last = 0, time.monotonic()
    while time.monotonic() - last < 1.5 and written < 2 * STALLED_BELOW:
        try:
            written += os.write(number, bytes(2**16))
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    return written


def test_each_direction_ends_by_itself_whichever_is_first(e2ee: Any, waiting: Any) -> None:
    for callers_first in (True, False):
        bob, address = waiting()
        alice = e2ee.start("pipe", address)
        first, second = (alice, bob) if callers_first else (bob, alice)
        first.stdin.write(EVERY_BYTE)
        close_stdin(first)
        # Its end is seen while the other direction is open, which goes on.
        assert second.stdout.read() == EVERY_BYTE
        second.stdin.write(b"one\r\n")
        second.stdin.flush()
        assert first.stdout.read(5) == b"one\r\n"
        assert end(second, b"two")[:2] == (0, b"")
        assert end(first)[:2] == (0, b"two")


def test_an_archive_goes_there_and_comes_back(e2ee: Any, waiting: Any, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(40):
        (tree / str(number)).write_bytes(os.urandom(number * 10_007))
    there, back = tmp_path / "there", tmp_path / "back"
    there.mkdir()
    back.mkdir()
    bob, address = waiting(stdin=subprocess.PIPE)
    unpacking = subprocess.Popen(["tar", "-x", "-C", there], stdin=bob.stdout)
    packing = subprocess.Popen(["tar", "-c", "-C", tmp_path, "tree"], stdout=subprocess.PIPE)
    alice = e2ee.start("pipe", address, stdin=packing.stdout)
    assert (packing.wait(30), unpacking.wait(30)) == (0, 0)
    answer = io.BytesIO()
    with tarfile.open(fileobj=answer, mode="w") as archive:
        archive.add(there / "tree", "tree")
    bob.stdout.close()
    bob.stdout = None
    (code, out, _), (bobs, _, _) = end_both(alice, bob, b"", answer.getvalue())
    assert (code, bobs) == (0, 0)
    with tarfile.open(fileobj=io.BytesIO(out)) as archive:
        archive.extractall(back, filter="data")
    for file in tree.iterdir():
        assert (back / "tree" / file.name).read_bytes() == file.read_bytes()
    packing.stdout.close()  # type: ignore[union-attr]


def test_nothing_at_all_from_dev_null_to_a_file(e2ee: Any, waiting: Any, tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        bob, address = waiting("--json", stdin=subprocess.DEVNULL, stdout=out)
        alice = e2ee.start("-q", "pipe", address, stdin=subprocess.DEVNULL)
        assert end(alice) == (0, b"", "")
        code, _, err = end(bob)
    assert code == 0
    assert (tmp_path / "out").read_bytes() == b""
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["connected", "left"]


def test_stderr_has_one_line_of_whom_and_no_more(e2ee: Any, waiting: Any) -> None:
    e2ee.id_of("alice")
    bob, address = waiting()
    (_, _, err), (_, _, bobs) = end_both(e2ee.start("pipe", address), bob, b"")
    (line,) = err.splitlines()
    assert line.startswith("Connected")
    assert "NEW" in line
    assert "NOT VERIFIED" in line
    assert len(bobs.splitlines()) == 1


def test_a_file_to_a_file(e2ee: Any, waiting: Any, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(EVERY_BYTE * 20)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
        bob, address = waiting(stdin=subprocess.DEVNULL, stdout=target)
        assert end(e2ee.start("pipe", address, stdin=source))[:2] == (0, b"")
        assert end(bob)[0] == 0
    assert (tmp_path / "out").read_bytes() == EVERY_BYTE * 20


def test_a_server_behind_the_waiting_end_which_has_one_socket_for_both(
    e2ee: Any, waiting: Any
) -> None:
    """As ``socat TCP:localhost:22 EXEC:'e2ee pipe --listen'`` has it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs = server.accept()[0]
    with theirs:
        with ours:
            bob, address = waiting(stdin=ours, stdout=ours)
        alice = e2ee.start("pipe", address)
        theirs.sendall(b"SSH-2.0-server\r\n")
        assert alice.stdout.readline() == b"SSH-2.0-server\r\n"
        alice.stdin.write(EVERY_BYTE)
        close_stdin(alice)
        with theirs.makefile("rb") as reader:
            assert reader.read() == EVERY_BYTE  # To its end, though we may still answer.
        theirs.sendall(b"goodbye")
        theirs.shutdown(socket.SHUT_WR)
        assert end(alice)[:2] == (0, b"goodbye")
        assert end(bob)[0] == 0


def test_streams_that_do_not_block(e2ee: Any, waiting: Any) -> None:
    source, into = os.pipe()
    out_of, target = os.pipe()
    for number in (source, target):
        os.set_blocking(number, False)
    bob, address = waiting(stdin=subprocess.DEVNULL, stdout=target)
    alice = e2ee.start("pipe", address, stdin=source)
    os.close(source)
    os.close(target)
    digest = hashlib.sha256()

    def drain() -> None:
        while data := os.read(out_of, 2**16):
            digest.update(data)

    draining = threading.Thread(target=drain)
    draining.start()
    time.sleep(0.2)
    with open(into, "wb") as writer:
        writer.write(EVERY_BYTE * 10)
    assert (end(alice)[0], end(bob)[0]) == (0, 0)
    draining.join()
    os.close(out_of)
    assert digest.digest() == hashlib.sha256(EVERY_BYTE * 10).digest()


def test_a_cut_in_the_middle_is_told_and_what_came_is_good(e2ee: Any, waiting: Any) -> None:
    bob, address = waiting()
    host, port = address.split(":")
    with socket.create_server(("127.0.0.1", 0)) as server:
        alice = e2ee.start("pipe", f"127.0.0.1:{server.getsockname()[1]}")
        caller = server.accept()[0]
    with caller, socket.create_connection((host, int(port))) as callee:
        threading.Thread(target=copy, args=(callee, caller), daemon=True).start()
        threading.Thread(target=copy, args=(caller, callee, 3 * 2**20), daemon=True).start()
        writer = threading.Thread(target=write_all, args=(alice.stdin, bytes(2**23)), daemon=True)
        writer.start()
        code, out, err = end(bob)
        assert code == 4
        assert "not whole" in err
        assert len(out) > 2**21
        assert out.count(0) == len(out)
        alice.stdin = None
        code, out, err = end(alice)
        assert (code, out) == (4, b"")
        assert "may not be whole" in err
        writer.join(20)


def copy(source: socket.socket, target: socket.socket, limit: int = 2**62) -> None:
    """So many bytes; then the connection is cut, both ways."""
    left = limit
    with contextlib.suppress(OSError):
        while left > 0 and (data := source.recv(65_536)):
            target.sendall(data)
            left -= len(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)  # What is on its way arrives.
    with contextlib.suppress(OSError):
        source.shutdown(socket.SHUT_RDWR)


def write_all(stream: Any, data: bytes) -> None:
    """Until nobody takes it any more."""
    with contextlib.suppress(OSError):
        stream.write(data)
    with contextlib.suppress(OSError):
        stream.close()


def test_an_output_that_nobody_reads_ends_both(e2ee: Any, waiting: Any) -> None:
    bob, address = waiting()
    alice = e2ee.start("pipe", address)
    writer = threading.Thread(target=write_all, args=(alice.stdin, bytes(2**24)), daemon=True)
    writer.start()
    assert bob.stdout.read(10) == bytes(10)
    bob.stdout.close()
    bob.stdout = None
    assert end(bob)[0] == 141
    alice.stdin = None
    code, out, err = end(alice)
    assert (code, out) == (6, b"")
    assert "not taken any more" in err
    writer.join(20)


def test_a_full_disk_is_told_to_the_sender_even_after_its_end(e2ee: Any, waiting: Any) -> None:
    with open("/dev/full", "wb") as full:
        bob, address = waiting(stdin=subprocess.DEVNULL, stdout=full)
    assert end(e2ee.start("pipe", address), b"x")[0] == 6
    assert end(bob)[0] == 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_reader_that_stalls_holds_up_no_signal_and_fills_no_memory(
    e2ee: Any, waiting: Any, number: signal.Signals
) -> None:
    e2ee.id_of("alice")
    bob, address = waiting()
    alice = e2ee.start("pipe", address)
    assert 2**20 < flood(alice) < STALLED_BELOW
    who, other = (bob, alice) if number == signal.SIGTERM else (alice, bob)
    who.send_signal(number)
    assert who.wait(20) == 128 + number
    other.kill() if other is bob else None
    code, out, err = end(other)
    if other is alice:
        assert (code, out) == (6, b"")
        assert "it was stopped" in err


def test_who_wants_a_chat_is_told_and_nothing_is_shown(e2ee: Any, waiting: Any) -> None:
    bob, address = waiting()
    code, out, err = e2ee.run("connect", address, stdin=b"hello\n")
    assert (code, out) == (4, "")
    assert "ready for a pipe there, not for a chat" in err
    code, got, err = end(bob)
    assert (code, got) == (4, b"")
    assert "ready for a chat there, not for a pipe" in err
    bob, address = e2ee.listen()
    code, got, err = end(e2ee.start("pipe", address), b"hello\n")
    assert (code, got) == (4, b"")
    assert "ready for a chat or files there, not for a pipe" in err


def test_the_one_who_is_asked_for_and_nobody_else(e2ee: Any, waiting: Any) -> None:
    bob, address = waiting("--peer", e2ee.id_of("carol"))
    code, out, _ = end(e2ee.start("pipe", address), b"secret")
    assert (code, out) == (4, b"")
    carol = e2ee.start("pipe", address, "--peer", e2ee.id_of("bob"), person="carol")
    (code, out, err), bobs = end_both(carol, bob, b"x")
    assert (code, out) == (0, b"")
    assert "that you asked for" in err
    assert bobs[:2] == (0, b"x")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["bob", "--listen"], 2),
        (["127.0.0.1:1", "--known"], 2),
        (["127.0.0.1:1", "--port", "3233"], 2),
        (["--listen", "--peer", "nobody"], 3),
        (["127.0.0.1:1"], 4),
    ],
)
def test_nothing_on_stdout_when_it_does_not_work(
    e2ee: Any, arguments: list[str], code: int
) -> None:
    result, out, err = end(e2ee.start("pipe", *arguments), b"x")
    assert (result, out) == (code, b"")
    assert len(err.splitlines()) <= 2
