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
"""Of the flood, at least; and so many at once."""

LOOKS = 500
"""At the prompt, at least, while the flood goes on."""


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

        text, said, looks, flooded = string.ascii_lowercase, 0, 0, 0
        misplaced: list[tuple[int, str]] = []

        def flood() -> None:
            nonlocal flooded
            # Spread out, so that much can be typed meanwhile.
            while flooded < LINES or looks < LOOKS:
                numbers = range(flooded, flooded + TOGETHER)
                lines = (f"line {number} of a flood\n" for number in numbers)
                alice.stdin.write("".join(lines).encode())
                alice.stdin.flush()
                flooded += TOGETHER
                time.sleep(0.1)

        sending = threading.Thread(target=flood, daemon=True)
        sending.start()
        bob.wait_for("line 1")
        while sending.is_alive():
            for character in text:
                bob.send(character)
                time.sleep(0.001)  # The emulator shares a processor with whoever types.
                column, row = bob.cursor
                looks += 1
                if not f"> {text}".startswith(row or "-") or column != len(row[2:]) + 2:
                    misplaced.append((column, row))
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
        assert (misplaced, looks > 0) == ([], True)
        bob.wait(lambda: any(f"line {flooded - 1} of" in row for row in bob.scrollback))
        shown = bob.scrollback
        numbers = [int(found[1]) for row in shown if (found := re.search(r"line (\d+) of", row))]
        assert numbers == list(range(flooded))
        figure(
            f"{said * len(text)} characters typed into `e2ee listen` while {flooded:,} lines came "
            f"in over the network: none lost; 0 of {looks} looks found one displaced"
        )
    finally:
        bob.close()
