"""The program in scripts: pipes, JSON, exit codes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import termios
import time
from array import array
from pathlib import Path
from typing import IO, Any

import pytest


def test_a_line_from_a_pipe_arrives_and_both_sides_end_well(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    code, out, err = e2ee.run("connect", address, stdin=b"hi\n")
    assert (code, out) == (0, "")
    assert "NOT VERIFIED" in err
    assert e2ee.finish(bob)[:2] == (0, "hi\n")


def test_each_side_can_speak(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    alice = e2ee.start("connect", address)
    bob.stdin.write(b"from bob\n")
    bob.stdin.close()
    bob.stdin = None
    assert alice.stdout.readline() == b"from bob\n"
    assert e2ee.finish(alice, b"from alice")[0] == 0
    assert e2ee.finish(bob)[:2] == (0, "from alice\n")


def unread(pipe: IO[bytes]) -> int:
    """Bytes in it that the program at its other end has not taken."""
    found = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, found)
    return found[0]


def test_what_was_on_its_way_when_the_other_leaves_still_arrives(e2ee: Any) -> None:
    for number in range(5):  # Each with others, as what is left waits for the next time.
        bob, address = e2ee.listen(person=f"bob{number}")
        bob.stdin.write(b"from bob\n" * 3)
        bob.stdin.flush()
        alice = e2ee.start("connect", address, person=f"alice{number}")
        for line in alice.stderr:
            if b"Connected" in line:
                break
        # What nobody has read yet would not count.
        while unread(bob.stdin):
            time.sleep(0.001)
        code, out, _ = e2ee.finish(alice, b"")
        bob.stdin.close()
        bob.stdin = None
        bobs, _, err = e2ee.finish(bob)
        # Who says 0 is right; and a line that was shown has been confirmed.
        assert code == 0
        assert (bobs, out.count("from bob\n")) in {(0, 3), (6, 0), (6, 1), (6, 2)}, err


def test_nobodys_signals_are_taken_back(e2ee: Any) -> None:
    """nohup, and a shell's ``&``, have some signals ignored."""
    ignored = (signal.SIGHUP, signal.SIGINT)
    bob, address = e2ee.listen(
        preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in ignored]
    )
    bob.send_signal(signal.SIGHUP)
    bob.send_signal(signal.SIGINT)
    assert e2ee.run("connect", address, stdin=b"still here\n")[0] == 0
    assert e2ee.finish(bob)[:2] == (0, "still here\n")


def test_json_is_one_object_a_line_on_both_streams(e2ee: Any) -> None:
    bob, address = e2ee.listen("--json")
    text = 'a "quoted" line \x1b[31m \u202e 🎈'
    code, out, err = e2ee.run("connect", address, "--json", stdin=text.encode() + b"\n\n")
    assert (code, out) == (0, "")
    events = [json.loads(line) for line in err.splitlines()]
    receipts = [event for event in events if event["event"] == "delivered"]
    assert sum(receipt["count"] for receipt in receipts) == 2
    assert receipts[-1]["left"] == 0
    (connected,) = (event for event in events if event["event"] == "connected")
    assert connected["peer"] == e2ee.id_of("bob")
    assert connected["verified"] is False
    assert len(connected["words"]) == 8
    code, out, err = e2ee.finish(bob)
    assert code == 0
    assert out.isascii()
    messages = [json.loads(line) for line in out.splitlines()]
    assert [message.pop("event") for message in messages] == ["message", "message"]
    assert [message.pop("text") for message in messages] == [text, ""]
    assert {message.pop("peer") for message in messages} == {e2ee.id_of("alice")}
    first, second = (message.pop("id").split(".") for message in messages)
    assert (first[0], first[1], second[1]) == (second[0], "1", "2")
    assert [message.keys() for message in messages] == [{"v", "from"}, {"v", "from"}]
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["connected", "left"]


def test_errors_are_json_too(e2ee: Any) -> None:
    code, out, err = e2ee.run("connect", "127.0.0.1:1", "--json", person="alice")
    error = json.loads(err.splitlines()[-1])
    assert (error["event"], error["code"], code, out) == ("error", 4, 4, "")
    code, out, err = e2ee.run("listen", "--json", "--port", "99999")
    assert (json.loads(err)["code"], code, out) == (2, 2, "")


def test_a_long_input_arrives_whole_and_in_order(e2ee: Any, tmp_path: Path) -> None:
    lines = "".join(f"line {number}\tof many\n" for number in range(20_000))
    received = tmp_path / "received"
    with received.open("wb") as file:
        bob, address = e2ee.listen(stdout=file, stdin=subprocess.DEVNULL)
        assert e2ee.run("connect", address, stdin=lines.encode(), timeout=100)[0] == 0
        assert e2ee.finish(bob)[0] == 0
    assert received.read_text() == lines


def test_lines_up_to_one_mebibyte(e2ee: Any, tmp_path: Path) -> None:
    received = tmp_path / "received"
    with received.open("wb") as file:
        bob, address = e2ee.listen(stdout=file)
    longest = b"x" * 2**20
    alice = e2ee.start("connect", address)
    alice.stdin.write(b"before\n" + longest + b"\n" + longest + b"y\n")
    alice.stdin.flush()
    code, _, err = e2ee.finish(alice)
    assert code == 9
    assert "above 1,048,576 bytes" in err
    # What came before the line that is too long was accepted, and is not lost.
    assert e2ee.finish(bob)[0] == 0
    assert received.read_bytes() == b"before\n" + longest + b"\n"


def test_input_that_is_not_text_is_refused_without_loss_of_what_came_before(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    code, _, err = e2ee.run("connect", address, stdin=b"text\n\xff\xfe\n")
    assert code == 2
    assert "not UTF-8" in err
    assert e2ee.finish(bob)[:2] == (0, "text\n")


def test_the_peer_that_was_asked_for(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    code, _, err = e2ee.run("connect", address, "--peer", e2ee.id_of("bob").upper(), stdin=b"hi")
    assert code == 0
    assert "the identity that you asked for" in err
    assert "NOT VERIFIED" not in err
    assert e2ee.finish(bob)[1] == "hi\n"


def test_somebody_else_is_refused_before_a_line_is_sent(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    code, _, err = e2ee.run("connect", address, "--peer", e2ee.id_of("carol"), stdin=b"secret")
    assert code == 5
    assert e2ee.id_of("bob") in err
    assert "not the one asked for" in err
    bob.terminate()
    assert e2ee.finish(bob)[1] == ""


def test_a_listener_lets_only_the_peer_in_that_it_waits_for(e2ee: Any) -> None:
    bob, address = e2ee.listen("--peer", e2ee.id_of("alice"))
    code, _, _ = e2ee.run("connect", address, person="mallory", stdin=b"let me in")
    assert code in (4, 6)
    assert e2ee.run("connect", address, stdin=b"it is me")[0] == 0
    code, out, err = e2ee.finish(bob)
    assert (code, out) == (0, "it is me\n")
    assert "was not let in" in err


def test_one_identity_on_both_sides_is_a_reflection(e2ee: Any) -> None:
    bob, address = e2ee.listen(person="alice")
    code, _, err = e2ee.run("connect", address)
    assert code == 5
    assert "this very identity" in err
    bob.terminate()
    assert e2ee.finish(bob)[0] == 143


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_says_goodbye(e2ee: Any, number: int, wait_until: Any) -> None:
    bob, address = e2ee.listen()
    alice = e2ee.start("connect", address)
    alice.stdin.write(b"accepted\n")
    alice.stdin.flush()
    assert bob.stdout.readline() == b"accepted\n"
    alice.send_signal(number)
    assert e2ee.finish(alice)[0] == 128 + number
    code, _, err = e2ee.finish(bob)
    assert code == 0
    assert "has left" in err


def test_a_peer_that_is_killed_is_not_taken_for_one_that_left(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    alice = e2ee.start("connect", address)
    alice.stdin.write(b"here\n")
    alice.stdin.flush()
    assert bob.stdout.readline() == b"here\n"
    alice.kill()
    code, _, err = e2ee.finish(bob)
    assert code == 4
    assert "cut" in err or "broke" in err


def test_output_that_nobody_reads(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    bob.stdout.close()
    bob.stdout = None
    code, _, err = e2ee.run("connect", address, stdin=b"unread\n")
    assert code == 6
    assert "without confirming" in err
    code, _, err = e2ee.finish(bob)
    assert code == 141


def test_output_that_is_full(e2ee: Any) -> None:
    with open("/dev/full", "wb") as full:
        bob, address = e2ee.listen(stdout=full)
        assert e2ee.run("connect", address, stdin=b"unwritten\n")[0] == 6
        code, _, err = e2ee.finish(bob)
    assert code == 10
    assert "No space left" in err


def test_output_that_is_stuck_does_not_hold_up_the_end(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    alice = e2ee.start("connect", address)
    # Far more than the pipe of bob's output takes, and nobody reads it.
    alice.stdin.write(b"much\n" * 20_000)
    alice.stdin.flush()
    os.set_blocking(bob.stderr.fileno(), True)
    for line in bob.stderr:
        if b"NOT VERIFIED" in line:
            break
    bob.terminate()
    assert bob.wait(timeout=20) == 143
    alice.stdin.close()
    alice.stdin = None
    assert e2ee.finish(alice)[0] == 6


def test_messages_that_nobody_reads_hold_up_nothing(e2ee: Any) -> None:
    bob, address = e2ee.listen("--json")
    host, port = address.split(":")
    for _ in range(2000):  # Far more reports than the pipe takes.
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert e2ee.run("connect", address, stdin=b"hello\n")[0] == 0
    assert bob.stdout.readline()


def test_reports_of_strangers_are_bounded(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    host, port = address.split(":")
    for _ in range(100):
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.recv(1) == b""
    bob.terminate()
    code, _, err = e2ee.finish(bob)
    assert code == 143
    assert 1 <= err.count("was not let in") <= 20


def test_a_second_signal_ends_the_program_at_once(e2ee: Any) -> None:
    for pause in (0.0, 0.005, 0.02, 0.05):
        _, address = e2ee.listen()
        alice = e2ee.start("connect", address)
        for line in alice.stderr:
            if b"Connected" in line:
                break
        alice.send_signal(signal.SIGTERM)
        time.sleep(pause)
        alice.send_signal(signal.SIGINT)
        # By our own code, or by the second signal itself where the end was near.
        assert e2ee.finish(alice)[0] in (143, 130, -signal.SIGINT)


STARTING = """
import signal, sys, types
import e2ee_cli.__main__ as program
shown = types.ModuleType("e2ee_cli.main")
shown.main = lambda: print(signal.getsignal(signal.SIGINT).name)
sys.modules["e2ee_cli.main"] = shown
signal.signal(signal.SIGINT, getattr(signal, sys.argv[1]))
program.main()
"""


@pytest.mark.parametrize(
    ("before", "during"),
    [("default_int_handler", "SIG_DFL"), ("SIG_DFL", "SIG_DFL"), ("SIG_IGN", "SIG_IGN")],
)
def test_ctrl_c_while_the_program_starts_is_no_traceback(before: str, during: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", STARTING, before], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"{during}\n"


def test_input_that_does_not_block_is_waited_for(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    alice = e2ee.start("connect", address, stdin=reading)
    os.close(reading)
    for line in alice.stderr:
        if b"Connected" in line:
            break
    os.write(writing, b"late\n")
    os.close(writing)
    assert e2ee.finish(alice)[0] == 0
    assert e2ee.finish(bob)[:2] == (0, "late\n")


def test_input_that_cannot_be_read(e2ee: Any, tmp_path: Path) -> None:
    _, address = e2ee.listen()
    for_writing = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    alice = e2ee.start("connect", address, stdin=for_writing)
    os.close(for_writing)
    code, _, err = e2ee.finish(alice)
    assert code == 10
    assert "cannot read the input: Bad file descriptor" in err


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_that_cannot_be_written(e2ee: Any, option: str) -> None:
    with open("/dev/full", "wb") as full:
        code, _, err = e2ee.finish(e2ee.start(option, stdout=full))
    assert code == 10
    assert "No space left" in err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(e2ee: Any, closed: str) -> None:
    bob, address = e2ee.listen()
    alice = subprocess.run(
        ["bash", "-c", f"exec {e2ee.path} connect {address} {closed}"],
        input=b"",
        env=e2ee.environment("alice"),
        timeout=40,
        check=False,
        capture_output=True,
    )
    assert alice.returncode == 0, alice.stderr
    assert e2ee.finish(bob)[0] == 0
