"""The real program in a terminal, while a real peer floods it: what is typed stays what it is."""

from __future__ import annotations

import re
import string
import threading
import time
from collections.abc import Callable
from typing import Any

from .terminal_emulator import Terminal

LINES, TOGETHER = 10_000, 125


def test_not_one_typed_character_is_lost_or_displaced_while_a_peer_floods(
    e2ee: Any, figure: Callable[[str], None]
) -> None:
    place = ("--once", "--host", "127.0.0.1", "--port", "0")
    bob = Terminal([e2ee.path, "listen", *place], E2EE_HOME=str(e2ee.folder / "bob"), NO_COLOR="1")
    try:
        bob.wait(lambda: re.search(r"e2ee connect (127\.0\.0\.1:\d+)", "\n".join(bob.rows)))
        found = re.search(r"e2ee connect (\S+)", "\n".join(bob.rows))
        assert found is not None
        alice = e2ee.start("connect", found[1])
        heard: list[str] = []
        reading = threading.Thread(
            target=lambda: heard.extend(line.decode() for line in alice.stdout), daemon=True
        )
        reading.start()
        bob.wait_for("Ctrl-D leaves")

        def flood() -> None:
            # Spread out, so that much can be typed meanwhile.
            for begin in range(0, LINES, TOGETHER):
                lines = (f"line {number} of a flood\n" for number in range(begin, begin + TOGETHER))
                alice.stdin.write("".join(lines).encode())
                alice.stdin.flush()
                time.sleep(0.1)

        sending = threading.Thread(target=flood, daemon=True)
        sending.start()

        text, said, looks, misplaced = string.ascii_lowercase, 0, 0, 0
        bob.wait_for("line 1")
        while sending.is_alive():
            for character in text:
                bob.send(character)
                column, row = bob.cursor
                # The emulator may stand between an erasure and the redraw that comes with it.
                if row.startswith(">"):
                    looks += 1
                    misplaced += not text.startswith(row[2:]) or column != len(row[2:]) + 2
            bob.send("\r")
            said += 1
            # Typing has no haste; a program that is behind shows the line a little later.
            # An empty row alone may be that of a redraw, with the line still to come.
        arrived = said
        bob.wait(lambda: len(heard) >= arrived and any(row == ">" for row in bob.rows), patience=60)
        sending.join()
        alice.stdin.close()
        assert alice.wait(60) == 0
        reading.join(10)
        assert heard == [f"{text}\n"] * said
        assert (misplaced, looks > 0) == (0, True)
        bob.wait(lambda: any(f"line {LINES - 1} of" in row for row in bob.scrollback))
        shown = bob.scrollback
        numbers = [int(found[1]) for row in shown if (found := re.search(r"line (\d+) of", row))]
        assert numbers == list(range(LINES))
        figure(
            f"{said * len(text)} characters typed into `e2ee listen` while {LINES:,} lines came in "
            f"over the network: none lost; {misplaced} of {looks} looks found one displaced"
        )
    finally:
        bob.close()
