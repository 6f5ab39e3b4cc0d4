"""``e2ee doctor``: whether this machine is fit for a chat, and what to do where it is not."""

from __future__ import annotations

import time

from .check_files import check_files
from .check_machine import check_machine
from .check_network import check_network
from .checks import Check
from .exits import CliError
from .output import Output


async def doctor(output: Output) -> None:
    """Look, say a line for each thing that was looked at, and change nothing.

    Raises CliError with the code of the first problem, if there is one.
    """
    now = time.time()
    checks = []
    for check in (*check_files(now), *check_machine(now)):
        _say(check, output)
        checks.append(check)
    async for check in check_network():
        _say(check, output)
        checks.append(check)
    problems = [check for check in checks if check.state == "problem"]
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise CliError(f"{count} in {len(checks)} checks; see above", problems[0].code)


def _say(check: Check, output: Output) -> None:
    advice = f"; {check.way}" if check.way else ""
    output.data(
        f"{check.state:<8} {check.about}: {check.text}{advice}",
        event="check",
        check=check.about,
        state=check.state,
        text=check.text,
        way=check.way,
        code=check.code,
    )
