"""A man in the middle against the real program, in each of the ways in which two people meet."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2ee import Identity
from e2ee.invitation import Link

PROGRAM = Path(__file__).with_name("man_in_the_middle.py")
SAID = "the secret plan"


class Mallory:
    def __init__(self, target: str, kind: str, secret: str = "", port: str = "0") -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), target, kind, secret, port],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = f"127.0.0.1:{int(self.process.stdout.readline())}"
        self.port = int(self.address.rpartition(":")[2])
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines += iter(self.process.stdout.readline, "")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def has(self, word: str) -> bool:
        return any(line.startswith(word) for line in list(self.lines))


@pytest.fixture
def mallory() -> Iterator[Callable[..., Mallory]]:
    made: list[Mallory] = []

    def make(*arguments: str) -> Mallory:
        made.append(Mallory(*arguments))
        return made[-1]

    yield make
    for one in made:
        one.end()


def meet(e2ee: Any, *connect_options: str) -> tuple[str, str]:
    """Alice calls Bob, once; the address, and Alice's name for Bob."""
    bob, address = e2ee.listen("--json")
    code, _, err = e2ee.run("connect", address, "--json", *connect_options, stdin=b"hello\n")
    assert code == 0, err
    assert e2ee.finish(bob)[0] == 0
    connected = next(json.loads(x) for x in err.splitlines() if '"connected"' in x)
    return address, connected["name"]


@pytest.mark.attack(1, 16)
@pytest.mark.parametrize("dialled", ["name", "address"])
@pytest.mark.parametrize("grade", ["known", "verified"])
def test_a_contact(
    e2ee: Any,
    mallory: Any,
    grade: str,
    dialled: str,
    wait_until: Any,
    figure: Callable[[str], None],
) -> None:
    """He has taken over the address at which Alice met Bob."""
    address, name = meet(e2ee)
    if grade == "verified":
        bob_id = e2ee.id_of("bob").encode()
        code, _, err = e2ee.run("contact", "verify", name, stdin=bob_id)
        assert code == 0, err
    bob, real = e2ee.listen()
    man = mallory(real, "meeting", "", address.rpartition(":")[2])
    target = name if dialled == "name" else address
    code, out, err = e2ee.run("connect", target, stdin=f"{SAID}\n".encode())
    assert code == 5, err
    assert out == ""
    assert f"is not the {name} that you know" in err
    assert "Nothing was sent" in err
    assert ("verified by comparison" in err) == (grade == "verified")
    wait_until(lambda: man.has("FAILED to the caller"))
    assert not man.has("READ")
    bob.terminate()
    e2ee.finish(bob)
    figure(
        f"man in the middle of a {grade} contact, by {dialled}: caught, exit code 5, "
        "0 application bytes"
    )


@pytest.mark.attack(1)
def test_by_link(e2ee: Any, mallory: Any, wait_until: Any, figure: Callable[[str], None]) -> None:
    bob = e2ee.start(
        "invite", "--link", "--host", "127.0.0.1", "--port", "0", "--json", person="bob"
    )
    text = json.loads(bob.stdout.readline())["link"]
    link = Link.parse(text)
    his = Link(Identity.generate().public_key, bytes(32), 2**40, [("127.0.0.1", 1)])
    man = mallory("{}:{}".format(*link.addresses[0]), "link", his.text)
    # He cannot change the link, but where it leads.
    redirected = Link(link.identity_key, link._secret, link.expires, [("127.0.0.1", man.port)])
    code, out, err = e2ee.run("join", "--link", stdin=f"{redirected.text}\n\n{SAID}\n".encode())
    assert code in (4, 7), err
    assert out == ""
    wait_until(lambda: man.has("FAILED to the caller") and man.has("FAILED to the listener"))
    assert not man.has("READ")
    assert not man.has("INSIDE")
    assert "Connected" not in err
    bob.terminate()
    e2ee.finish(bob)
    figure("man in the middle of a link: caught at both ends, 0 application bytes")


@pytest.mark.attack(1, 17)
def test_by_spoken_code_which_he_guesses(
    e2ee: Any, mallory: Any, wait_until: Any, figure: Callable[[str], None]
) -> None:
    bob = e2ee.start("invite", "--host", "127.0.0.1", "--port", "0", "--json", person="bob")
    told = json.loads(bob.stdout.readline())
    number, first, second, _ = told["code"].split("-")
    guess = f"{number}-{first}-{second}-{'tiger' if 'tiger' not in told['code'] else 'opera'}"
    man = mallory(f"127.0.0.1:{told['port']}", "code", guess)
    code, out, err = e2ee.run(
        "join", "--at", man.address, stdin=f"{told['code']}\n{SAID}\n".encode()
    )
    assert code == 7, err
    assert out == ""
    assert "ask for a new one" in err
    wait_until(lambda: man.has("FAILED to the caller") and man.has("FAILED to the listener"))
    assert not man.has("READ")
    assert not man.has("INSIDE")
    assert "Connected" not in err
    code, _, err = e2ee.finish(bob, b"")
    assert code == 7
    assert "wrong code, which is burned" in err
    assert not list(e2ee.run("contact", "list")[1])
    figure("man in the middle of a spoken code: caught at both ends, code burned, 0 bytes")


@pytest.mark.attack(1)
def test_at_a_first_meeting_he_is_inside_and_shown_as_not_verified(
    e2ee: Any, mallory: Any, figure: Callable[[str], None]
) -> None:
    """Nothing can be done about it, but to say so; and the words that are shown are his."""
    bob, address = e2ee.listen()
    man = mallory(address, "meeting")
    code, _, err = e2ee.run("connect", man.address, stdin=f"{SAID}\n".encode())
    assert code == 0, err
    assert "NEW: never met before, NOT VERIFIED" in err
    assert e2ee.id_of("bob") not in err
    code, out, bobs = e2ee.finish(bob)
    assert out == f"{SAID}\n"
    assert "NEW: never met before, NOT VERIFIED" in bobs
    assert e2ee.id_of("alice") not in bobs
    assert man.has("READ")
    # Comparing finds him.
    name = e2ee.run("contact", "list")[1].partition(":")[0]
    code, _, err = e2ee.run("contact", "verify", name, stdin=e2ee.id_of("bob").encode())
    assert code == 5
    assert "NOT the safety number" in err
    figure(
        "man in the middle of a first meeting: shown as NEW and NOT VERIFIED, found by comparing"
    )
