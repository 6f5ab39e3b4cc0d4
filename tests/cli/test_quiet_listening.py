"""``listen --known`` against a scanner: not one byte, and the same end for everything."""

from __future__ import annotations

import json
import socket
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from e2ee import Identity, Session
from e2ee.invitation import SpokenCode
from e2ee.opening import KnownDevice

PATIENCE = 25
"""Seconds; strangers are reset after 15.1."""


class Scan(threading.Thread):
    """Sends these bytes, perhaps ends its half, and waits for what comes."""

    def __init__(self, port: int, data: bytes, *, then_end: bool) -> None:
        super().__init__()
        self.port, self.data, self.then_end = port, data, then_end
        self.received = b""
        self.lasted = 0.0
        self.end = ""

    def run(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.settimeout(PATIENCE)
            began = time.monotonic()
            connection.sendall(self.data)
            if self.then_end:
                connection.shutdown(socket.SHUT_WR)
            try:
                while data := connection.recv(65_536):
                    self.received += data
                self.end = "FIN"
            except ConnectionResetError:
                self.end = "RST"
            except TimeoutError:
                self.end = "none"
            self.lasted = time.monotonic() - began


def static_key(identity: Identity) -> bytes:
    return identity.device_key.public_key().public_bytes_raw()


def test_a_scan_of_a_listener_for_contacts_gets_no_byte(
    e2ee: Any, recorder: Any, figure: Callable[[str], None]
) -> None:
    # Alice and Bob have met, and Alice has called Bob quietly, which somebody has recorded.
    bob, address = e2ee.listen()
    assert e2ee.run("connect", address, "--json", stdin=b"hello\n")[0] == 0
    assert e2ee.finish(bob)[0] == 0
    name = e2ee.run("contact", "list")[1].partition(":")[0]
    bob, address = e2ee.listen("--known")
    wire = recorder(address)
    code, _, err = e2ee.run("connect", wire.address, "--peer", name, stdin=b"quietly\n")
    assert code == 0, err
    assert e2ee.finish(bob)[:2] == (0, "quietly\n")
    recorded = bytes(wire.recorded)
    assert recorded[:8] == b"e2ee\x01\x00\x01\x01"
    call = recorded[: 8 + 1808]

    bob_identity = Identity.load(e2ee.folder / "bob" / "identity")
    stranger = Identity.generate(now=time.time())
    device = KnownDevice(static_key(bob_identity), int(time.time() * 2000))
    by_stranger = Session.initiator(stranger, device=device, expected_peer=bob_identity.id)
    inputs = {
        "nothing": b"",
        "one byte": b"e",
        "raw bytes": bytes(range(256)) * 20,
        "a megabyte": b"\0" * 2**20,
        "HTTP": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "TLS ClientHello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(506),
        "SSH": b"SSH-2.0-OpenSSH_9.9\r\n",
        "our first meeting": Session.initiator(stranger).data_to_send(),
        "our spoken code": Session.initiator(
            stranger, invitation=SpokenCode(4, ["acrobat", "velcro", "sugar"])
        ).data_to_send(),
        "an unknown version": b"e2ee\x02" + call[5:],
        "a call by no contact": by_stranger.data_to_send(),
        "half a call": call[:900],
        "a changed call": call[:-1] + bytes([call[-1] ^ 1]),
        "a replayed call": call,
    }
    bob, address = e2ee.listen("--known", "--json")
    port = int(address.rpartition(":")[2])
    scans = {
        (what, then_end): Scan(port, data, then_end=then_end)
        for what, data in inputs.items()
        for then_end in (False, True)
    }
    for scan in scans.values():
        scan.start()
    for scan in scans.values():
        scan.join()
    for (what, then_end), scan in scans.items():
        assert scan.received == b"", what
        # A megabyte that is not read cannot be sent to its end before the reset.
        assert scan.end == "RST", (what, then_end, scan.end)

    # Each input twice; the ends of all of them lie in one interval.
    ends = {what: [scans[what, then].lasted for then in (False, True)] for what in inputs}
    every = [lasted for pair in ends.values() for lasted in pair]
    for what, pair in ends.items():
        figure(f"scan of a quiet listener, {what}: 0 bytes, reset after {min(pair):.3f} s")
    spread = max(every) - min(every)
    figure(
        f"scan of a quiet listener: {len(scans)} connections, 0 bytes, reset after "
        f"{min(every):.3f} to {max(every):.3f} s (median {statistics.median(every):.3f})"
    )
    assert spread < 2

    # And who is known is still heard at once.
    code, _, err = e2ee.run("connect", address, "--peer", name, stdin=b"it is me\n")
    assert code == 0, err
    code, out, _ = e2ee.finish(bob)
    assert code == 0
    assert json.loads(out)["text"] == "it is me"


def test_who_is_not_known_is_told_what_it_may_be(e2ee: Any) -> None:
    bob, address = e2ee.listen("--known")
    code, out, err = e2ee.run("connect", address, stdin=b"hello\n")
    assert code == 4
    assert out == ""
    assert "no answer" in err
    assert "listen to contacts only" in err
    bob.terminate()
    e2ee.finish(bob)


def test_a_contact_whose_device_has_changed_is_met_anew_by_who_listens_openly(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    assert e2ee.run("connect", address, stdin=b"hello\n")[0] == 0
    assert e2ee.finish(bob)[0] == 0
    assert e2ee.run("id", "rotate-device", person="bob")[0] == 0
    port = address.rpartition(":")[2]
    name = e2ee.run("contact", "list")[1].partition(":")[0]
    for options in ((), ("--known",)):
        bob = e2ee.start(
            "listen", "--once", "--host", "127.0.0.1", "--port", port, *options, person="bob"
        )
        for line in bob.stderr:
            if b"e2ee connect" in line:
                break
        code, _, err = e2ee.run("connect", name, stdin=b"again\n")
        assert code == 0, err
        assert "known since" in err
        assert e2ee.finish(bob)[:2] == (0, "again\n")
