"""Makes the terminal transcripts of pages in docs/, by running the real program in terminals.

``python tests/docs/transcripts.py --write`` puts them there; a test compares them. Ids and words
are those of three fixed identities; the code, ports and dates, which differ in every run, are
replaced by samples.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pyte

from e2ee import Identity
from e2ee_cli.frames import END

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "people.md", DOCS / "two-terminals.md"]
PROGRAM = str(Path(sys.executable).with_name("e2ee"))
SYNCHRONIZED = 2026 << 5
"""The emulator's name of the mode that a frame is drawn in."""
COLUMNS, ROWS = 100, 60
ADDRESS = "192.168.1.20"
CODE = "4-acrobat-velcro-sugar"
DATE = "2026-11-24"


class Terminal:
    """A person's terminal, in which one command runs."""

    def __init__(self, town: Town, person: str, command: str, arguments: list[str]) -> None:
        self.town = town
        self.command = command
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.Stream(self.screen)
        self.child = pexpect.spawn(
            PROGRAM,
            arguments,
            env={
                **os.environ,
                "E2EE_HOME": str(town.folder / person),
                "NO_COLOR": "1",
                "TERM": "xterm",
            },
            cwd=town.folder / person,
            encoding="utf-8",
            timeout=40,
            dimensions=(ROWS, COLUMNS),
        )
        self.child.logfile_read = self

    def write(self, text: str) -> None:
        self.stream.feed(text)

    def flush(self) -> None:
        pass

    def expect(self, pattern: str) -> Any:
        self.child.expect(pattern)
        return self.child.match

    def say(self, line: str) -> None:
        self.child.sendline(line)

    def end(self) -> str:
        """Wait for the end of the program; all that is on the screen."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.picture()

    def picture(self) -> str:
        """All that is on the screen, when it is whole."""
        while SYNCHRONIZED in self.screen.mode:
            self.child.expect(re.escape(END))
        rows = [row.rstrip() for row in self.screen.display]
        return "\n".join([f"$ {self.command}", *rows]).rstrip()


class Town:
    """Three people with fixed identities, each with a home of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples: list[tuple[str, str]] = []
        for person in ("alice", "bob", "carol"):
            self.new_identity(person, person)

    def new_identity(self, person: str, seed: str) -> Identity:
        identity = Identity.from_seed(hashlib.sha256(seed.encode()).digest(), now=time.time())
        (self.folder / person).mkdir(exist_ok=True)
        identity.save(self.folder / person / "identity", replace=True)
        return identity

    def run(self, person: str, command: str, *more: str) -> Terminal:
        """``command`` as it is shown; ``more`` -- what is added, and not shown."""
        shown = command
        for sample, real in self.samples:
            command = command.replace(real, sample)
        return Terminal(self, person, shown, command.split()[1:] + list(more))

    def wait_for_port(self, terminal: Terminal) -> str:
        address: str = terminal.expect(r"(127\.0\.0\.1:\d+)")[1]
        self.samples.append((address, ADDRESS))
        return address

    def tidy(self, text: str) -> str:
        for sample, real in self.samples:
            text = text.replace(sample, real)
        today = time.strftime("%Y-%m-%d")
        tomorrow = re.compile(r"until \d{4}-\d\d-\d\d \d\d:\d\d")
        text = tomorrow.sub("until 2026-11-25 09:30", text.replace(today, DATE))
        text = re.sub(r"(?m)^\d\d:\d\d ", "09:41 ", text)
        text = re.sub(r"invitation \d+ on", "invitation 4 on", text)
        return re.sub(r"127\.0\.0\.1:\d+", "192.168.1.77:50312", text)


LISTEN = ("--host", "127.0.0.1", "--port", "0")


def again(address: str) -> tuple[str, ...]:
    return ("--host", "127.0.0.1", "--port", address.rpartition(":")[2])


def conversation(caller: Terminal, answerer: Terminal) -> None:
    for terminal in (caller, answerer):
        terminal.expect("Ctrl-D leaves")
    caller.say("Hello! Is it you?")
    answerer.expect(r": Hello! Is it you\?")
    caller.expect(r"you: Hello! Is it you\?")
    answerer.say("It is.")
    caller.expect(": It is")
    answerer.expect("you: It is")
    caller.child.sendeof()
    answerer.expect("has left")


def hang_up(listener: Terminal) -> str:
    """The end of who would wait for more calls; what was on the screen."""
    listener.child.sendeof()
    return listener.end()


def first_meeting(town: Town) -> tuple[str, ...]:
    bob = town.run("bob", "e2ee listen", *LISTEN)
    town.wait_for_port(bob)
    alice = town.run("alice", f"e2ee connect {ADDRESS}")
    conversation(alice, bob)
    return alice.end(), hang_up(bob)


def invited(town: Town) -> tuple[Terminal, Terminal]:
    """Bob, who invites, and Alice, who has joined him."""
    bob = town.run("bob", "e2ee invite", *LISTEN)
    town.samples.append((bob.expect(r"(\d+-[a-z]+-[a-z]+-[a-z]+)\r")[1], CODE))
    town.wait_for_port(bob)
    bob.expect("type it")
    alice = town.run("alice", "e2ee join --as bob")
    alice.expect("Tab completes")
    alice.say(town.samples[0][0])
    return bob, alice


def by_code(town: Town) -> tuple[str, ...]:
    bob, alice = invited(town)
    conversation(alice, bob)
    return bob.end(), alice.end()


def by_link(town: Town) -> tuple[str, ...]:
    bob = town.run("bob", "e2ee invite --link", *LISTEN)
    link = bob.expect(r"(e2ee:invite1\w+)")[1]
    bob.expect("Send this line")
    bob.screen.reset()
    alice = town.run("alice", "e2ee join --link --as bob")
    alice.expect("not shown")
    alice.say(link)
    conversation(alice, bob)
    bob.end()
    for port in re.findall(r"127\.0\.0\.1:\d+", "\n".join(alice.screen.display)):
        town.samples.append((port, ADDRESS))
    return (re.sub(r"\*[\s*]*\*", "*****", alice.end()),)


def met(town: Town) -> str:
    """Alice and Bob have met, and Alice calls him bob."""
    bob = town.run("bob", "e2ee listen", *LISTEN)
    address = town.wait_for_port(bob)
    alice = town.run("alice", f"e2ee connect {ADDRESS}")
    conversation(alice, bob)
    alice.end()
    hang_up(bob)
    listed = town.run("alice", "e2ee contact list").end()
    name = listed.partition("\n")[2].partition(":")[0]
    town.run("alice", f"e2ee contact rename {name} bob").end()
    return address


def verification(town: Town) -> tuple[str, ...]:
    met(town)
    alice = town.run("alice", "e2ee contact verify bob")
    alice.expect("not now")
    # A short answer: how a long one is broken into rows depends on when its letters come.
    alice.say(" ".join(word[:3] for word in Identity.load(town.folder / "bob" / "identity").words))
    return alice.end(), town.run("alice", "e2ee contact list").end()


def changed_identity(town: Town) -> tuple[str, ...]:
    address = met(town)
    new = town.new_identity("bob", "bob on another machine")
    for kept in ("contacts", "conversations"):
        (town.folder / "bob" / kept).unlink()
    bob = town.run("bob", "e2ee listen", *again(address))
    bob.expect("safety words")
    stopped = town.run("alice", "e2ee connect bob").end()
    trusted = town.run("alice", f"e2ee contact trust bob {new.id}").end()
    alice = town.run("alice", "e2ee connect bob")
    conversation(alice, bob)
    hang_up(bob)
    return stopped, trusted, alice.end()


def quiet(town: Town) -> tuple[str, ...]:
    address = met(town)
    bob = town.run("bob", "e2ee listen --known", *again(address))
    bob.expect("safety words")
    carol = town.run("carol", f"e2ee connect {ADDRESS}").end()
    alice = town.run("alice", "e2ee connect bob")
    conversation(alice, bob)
    return hang_up(bob), carol, alice.end()


def nearby(town: Town) -> tuple[str, ...]:
    old = met(town)
    town.samples[:] = [(old, "192.168.1.7")]
    bob = town.run("bob", "e2ee listen --visible", *LISTEN)
    town.wait_for_port(bob)
    bob.expect("that you are here")
    seen = town.run("alice", "e2ee nearby").end()
    alice = town.run("alice", "e2ee connect bob")
    conversation(alice, bob)
    return hang_up(bob), seen, alice.end()


def the_chat(town: Town) -> tuple[str, ...]:
    bob = town.run("bob", "e2ee listen", *LISTEN)
    town.wait_for_port(bob)
    alice = town.run("alice", f"e2ee connect {ADDRESS}")
    for terminal in (alice, bob):
        terminal.expect("Ctrl-D leaves")
    bob.screen.reset()
    alice.screen.reset()
    alice.say("Good morning!")
    bob.expect(": Good morning!")
    alice.expect("you: Good morning!")
    bob.say("Good morning. /help is worth a look.")
    alice.expect("/help is worth a look")
    alice.say("/help")
    alice.expect("sends, Alt-Enter")
    plan = town.folder / "plan.txt"
    plan.write_text("First we take the old lighthouse.\n" * 100)
    alice.say(f"/file {plan}")
    bob.expect("/decline 1")
    bob.say("/accept")
    bob.expect("has come")
    alice.expect("has plan.txt")
    carol = town.run("carol", f"e2ee connect {ADDRESS}")
    carol.expect("Ctrl-D leaves")
    bob.expect("contact verify")
    carol.say("Me too!")
    bob.expect("Me too!")
    carol.expect("you: Me too!")
    bob.say("/list")
    bob.expect("here, not verified.*here, not verified")
    bob.say("Both of you are here, then.")
    bob.expect("you .to .*: Both of you are here, then")
    alice.child.sendeof()
    bob.expect("has left")
    carol.child.sendeof()
    bob.expect("has left")
    town.samples.append((str(plan), "plan.txt"))
    carol.end()
    return alice.end(), hang_up(bob)


def no_connection(town: Town) -> tuple[str, ...]:
    address = met(town)
    bob = town.run("bob", "e2ee listen", *again(address))
    bob.expect("safety words")
    alice = town.run("alice", "e2ee connect bob")
    alice.expect("Ctrl-D leaves")
    bob.expect("contact verify")
    alice.screen.reset()
    bob.child.kill(9)
    alice.expect("is lost")
    alice.say("Are you still there?")
    alice.expect("not delivered yet")
    shown = alice.picture()
    bob = town.run("bob", "e2ee listen", *again(address))
    bob.expect("Are you still there")
    alice.expect("you: Are you still there")
    alice.child.sendeof()
    alice.end()
    bob.expect("has left")
    return shown, hang_up(bob)


def the_first_time(town: Town) -> tuple[str, ...]:
    bob, alice = invited(town)
    for terminal in (alice, bob):
        terminal.expect("Ctrl-D leaves")
    bob.say("Good to see you. Have you got the plan?")
    alice.expect(": Good to see you. Have you got the plan?")
    bob.expect("you: Good to see you. Have you got the plan?")
    plan = town.folder / "alice" / "plan.txt"
    plan.write_text("First we take the old lighthouse.\n" * 100)
    alice.say("/file plan.txt")
    bob.expect("/decline 1")
    bob.say("/accept")
    bob.expect("has come")
    alice.expect("has plan.txt")
    alice.child.sendeof()
    bob.expect("has left")
    return bob.end(), alice.end()


def the_next_time(town: Town) -> tuple[str, ...]:
    bob, alice = invited(town)
    conversation(alice, bob)
    alice.end()
    bob.end()
    bob = town.run("bob", "e2ee listen", *again(town.samples[1][0]))
    bob.expect("safety words")
    alice = town.run("alice", "e2ee connect bob")
    conversation(alice, bob)
    hang_up(bob)
    return (alice.end(),)


SCENES = {
    "first meeting": first_meeting,
    "invitation by code": by_code,
    "invitation by link": by_link,
    "verification": verification,
    "changed identity": changed_identity,
    "quiet listening": quiet,
    "nearby": nearby,
    "chat": the_chat,
    "no connection": no_connection,
    "the first time": the_first_time,
    "the next time": the_next_time,
}


@contextmanager
def town() -> Iterator[Town]:
    with tempfile.TemporaryDirectory() as folder:
        yield Town(Path(folder))


def play(scene: str) -> str:
    """The scene's transcripts, as they stand in the page."""
    with town() as place:
        texts = SCENES[scene](place)
        return "\n\n".join(f"```console\n{place.tidy(text)}\n```" for text in texts) + "\n"


def mark(scene: str) -> str:
    return f"<!-- transcript: {scene} -->\n"


def page_of(scene: str) -> Path:
    [page] = [page for page in PAGES if mark(scene) in page.read_text()]
    return page


def put(page: str, scene: str, text: str) -> str:
    before, begin, rest = page.partition(mark(scene))
    _, end, after = rest.partition("<!-- end -->")
    assert end, f"the place for {scene!r} has no end"
    return before + begin + text + end + after


if __name__ == "__main__":
    for name in SCENES:
        path = page_of(name)
        written = put(path.read_text(), name, play(name))
        if "--write" in sys.argv:
            path.write_text(written)
        elif written != path.read_text():
            raise SystemExit(f"{path} is not what the program shows: run this with --write")
