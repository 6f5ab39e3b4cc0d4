"""Two real processes, each in a terminal of its own, with somebody who listens in between."""

from __future__ import annotations

import base64
import re
import signal
import termios
import time
from typing import Any

import pexpect
import pytest


def ended(child: Any) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    assert "Traceback" not in child.before
    status: int | None = child.exitstatus
    return status


def test_two_people_chat_and_the_wire_shows_nothing_of_it(
    e2ee: Any, terminal: Any, recorder: Any
) -> None:
    bob = terminal("listen", "--once", "--host", "127.0.0.1", "--port", "0", person="bob")
    bob.expect(r"e2ee connect (127\.0\.0\.1:\d+)")
    wire = recorder(bob.match[1])
    alice = terminal("connect", wire.address, person="alice")

    # Before the first line: who it is, and that nobody has verified it.
    for child in (alice, bob):
        child.expect("NEW: never met before, NOT VERIFIED")
        child.expect(r"(e2ee1[a-z0-9]{58})")
        child.expect("their safety words: ([a-z -]+)")
        child.expect("e2ee contact verify [a-z-]+")
        child.expect("Ctrl-D leaves")

    said = ["Meet me at the old lighthouse, at nine.", "Grüße aus Zürich 🎈", "x"]
    answered = ["I will bring the blueprints.", "日本語も大丈夫"]
    for line in said:
        alice.sendline(line)
        bob.expect(f"[a-z-]+: {re.escape(line)}")
    for line in answered:
        bob.sendline(line)
        alice.expect(f"[a-z-]+: {re.escape(line)}")
    alice.sendeof()
    assert ended(alice) == 0
    bob.expect("has left")
    assert ended(bob) == 0

    recorded = bytes(wire.recorded)
    assert recorded.startswith(b"e2ee\x01")
    assert len(recorded) > 1224 + 1720 + 576
    secrets = [line for line in said + answered if len(line) > 1]
    secrets += [e2ee.id_of("alice"), e2ee.id_of("bob"), "kind", "text", "certificate"]
    for secret in secrets:
        for form in (
            secret.encode(),
            secret.encode("utf-16-le"),
            secret.encode().hex().encode(),
            base64.b64encode(secret.encode())[:-4],
        ):
            assert form not in recorded, secret
    # Short lines, receipts and the close have one length.
    lengths = set()
    at = 1224 + 1720 + 576
    opening = sorted(re.findall(rb"e2ee\x01\x00\x00\x01", recorded))
    assert len(opening) == 2
    directions = recorded[at:]
    while directions:
        lengths.add(int.from_bytes(directions[:2]))
        directions = directions[2 + int.from_bytes(directions[:2]) :]
    assert lengths == {272}


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 0)], ids=["Ctrl-C", "Ctrl-D"])
def test_leaving_is_orderly_and_the_terminal_is_as_it_was(
    terminal: Any, key: str, code: int
) -> None:
    bob = terminal("listen", "--once", "--host", "127.0.0.1", "--port", "0", person="bob")
    bob.expect(r"e2ee connect (127\.0\.0\.1:\d+)")
    alice = terminal("connect", bob.match[1], person="alice")
    before = termios.tcgetattr(alice.child_fd)
    alice.expect("Ctrl-D leaves")
    alice.sendline("last words")
    bob.expect("[a-z-]+: last words")
    alice.send(key)
    bob.expect("has left")
    assert ended(bob) == 0
    alice.expect(pexpect.EOF)
    assert termios.tcgetattr(alice.child_fd) == before
    alice.close()
    assert alice.exitstatus == code


def test_ctrl_c_while_waiting_for_a_call(terminal: Any) -> None:
    bob = terminal("listen", "--once", "--host", "127.0.0.1", "--port", "0", person="bob")
    bob.expect("e2ee connect")
    bob.sendintr()
    bob.expect_exact("e2ee: stopped by Ctrl-C")
    assert ended(bob) == 130


def test_a_closed_terminal_ends_the_chat_in_order(terminal: Any) -> None:
    bob = terminal("listen", "--once", "--host", "127.0.0.1", "--port", "0", person="bob")
    bob.expect(r"e2ee connect (127\.0\.0\.1:\d+)")
    alice = terminal("connect", bob.match[1], person="alice")
    alice.expect("Ctrl-D leaves")
    alice.kill(signal.SIGHUP)
    bob.expect("has left")
    assert ended(alice) == 129


def test_a_terminal_that_nobody_reads_does_not_hold_up_the_end(e2ee: Any) -> None:
    bob = pexpect.spawn(
        e2ee.path,
        ["listen", "--host", "127.0.0.1", "--port", "0"],
        env=e2ee.environment("bob"),
        encoding="utf-8",
        timeout=20,
    )
    bob.expect(r"e2ee connect (127\.0\.0\.1:\d+)")
    alice = e2ee.start("connect", bob.match[1])
    alice.stdin.write(b"x" * 900 + b"\n" * 200)
    alice.stdin.write((b"y" * 900 + b"\n") * 200)
    alice.stdin.flush()
    for line in alice.stderr:
        if b"voice" in line:
            break
    time.sleep(1)
    bob.kill(signal.SIGTERM)
    deadline = time.monotonic() + 15
    while bob.isalive():
        assert time.monotonic() < deadline, "it cannot be stopped"
        time.sleep(0.05)
    assert bob.exitstatus == 143
    bob.close(force=True)


def test_nothing_from_a_peer_acts_on_the_terminal(e2ee: Any, terminal: Any) -> None:
    arguments = ("listen", "--once", "--plain", "--host", "127.0.0.1", "--port", "0")
    bob = terminal(*arguments, person="bob")
    bob.expect(r"e2ee connect (127\.0\.0\.1:\d+)")
    hostile = [
        "\x1b[2J\x1b]52;c;aGk=\x07\x1b]0;title\x07",
        "\x9b31m red \u202e reversed \u2066 isolated \u200b",
        "[/bad] [link=http://example.org]click[/link] :smile: [red]",
        "me\r\x1b[Apeer (verified): send money",
    ]
    code, _, _ = e2ee.run("connect", bob.match[1], stdin="\n".join(hostile).encode())
    assert code == 0
    bob.expect("has left")
    shown = bob.before
    bob.expect(pexpect.EOF)
    assert not set(shown) & set("\x1b\x07\x9b\u202e\u2066\u200b\x00")
    assert r"\x1b[2J\x1b]52;c;aGk=\x07" in shown
    assert r"\x9b31m red \u202e reversed \u2066 isolated \u200b" in shown
    assert hostile[2] in " ".join(shown.split())
    assert r": me\r\x1b[Apeer (verified): send money" in shown
