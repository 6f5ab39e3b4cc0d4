"""A program that has a chat screen and no network, run by tests in a terminal.

``python screen_program.py CONTROL TYPED [plain] [bell] [notify]``: reads what to do from the pipe
CONTROL, a JSON object in a line, and writes what was typed to the file TYPED, one a line.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from e2ee_cli.commands import PATH, CommandHelp
from e2ee_cli.exits import CliError
from e2ee_cli.output import Output
from e2ee_cli.screen import Line, open_screen
from e2ee_cli.signals import run
from e2ee_cli.threads import in_thread

COMMANDS = (
    CommandHelp("help", "", "What may be typed"),
    CommandHelp("file", PATH, "Send a file"),
    CommandHelp("quit", "", "Leave"),
)


async def program(control: str, typed: str, *options: str) -> None:
    screen = open_screen(
        Output(as_json=False),
        COMMANDS,
        plain="plain" in options,
        bell="bell" in options,
        notify="notify" in options,
    )
    async with screen, asyncio.TaskGroup() as tasks:
        obeying = tasks.create_task(obey(screen, control))
        with open(typed, "a", encoding="utf-8") as log:  # noqa: ASYNC230
            async for item in screen.typed():
                said = item if isinstance(item, str) else [item.name, item.argument]
                log.write(json.dumps(said) + "\n")
                log.flush()
        obeying.cancel()


async def obey(screen: Any, control: str) -> None:
    pipe = await in_thread(Path(control).open)
    while line := await in_thread(pipe.readline):
        for verb, what in json.loads(line).items():
            match verb:
                case "show":
                    await screen.show(Line(**{"kind": "theirs", "at": time.time(), **what}))
                case "flood":
                    await flood(screen, what["count"], what["body"])
                case "waiting":
                    screen.waiting(what["texts"], what["state"])
                case "progress":
                    screen.progress(what)
                case "linger":
                    await linger(what)
                case "fail":
                    raise RuntimeError(what)
                case "footer":
                    screen.footer(what["text"], alarm=what.get("alarm", False))


async def flood(screen: Any, count: int, body: str) -> None:
    for number in range(count):
        await screen.show(Line("theirs", "bob", body.format(number), time.time()))
    await screen.flush()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    await screen.show(Line("note", "", f"flooded, {peak} MiB", time.time()))


async def linger(seconds: float) -> None:
    """Also when the end is asked for."""
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.sleep(seconds)


if __name__ == "__main__":
    try:
        run(program(*sys.argv[1:]))
    except CliError as error:
        sys.exit(int(error.code))
