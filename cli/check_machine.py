"""Checks of the machine itself: its clock, the terminal, Python and the libraries."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from e2ee.identity import DAY

from .checks import Check, ok, problem, warning
from .clean import quoted
from .encounter import day
from .exits import CliError, Exit
from .home import LATEST, home
from .lines import STDIN
from .output import STDOUT
from .version import DISTRIBUTION

EARLIEST_PLAUSIBLE = 1_767_225_600
"""2026-01-01: this program is younger."""

LATEST_PLAUSIBLE = 4_102_444_800
"""2100-01-01."""

NARROWEST = 40
"""Columns from which lines and words have room."""

TESTED = ((3, 11), (3, 13))
"""The first and the last Python that the tests run with."""


def check_machine(now: float) -> Iterator[Check]:
    """``now`` -- what the clock says, in seconds since 1970."""
    yield check_clock(now)
    yield check_terminal()
    yield check_encoding()
    yield check_python(sys.version_info[:3])
    yield check_libraries()


def check_clock(now: float) -> Check:
    wrong = "set it right: certificates have dates, and peers look at them"
    if not 0 <= now <= LATEST:
        return problem("clock", "it shows a time that cannot be", wrong, Exit.TRUST)
    if not EARLIEST_PLAUSIBLE <= now <= LATEST_PLAUSIBLE:
        return problem("clock", f"it shows {day(now)}", wrong, Exit.TRUST)
    written = _last_written()
    if written > now + DAY:
        return warning(
            "clock",
            f"it shows {day(now)}, but there are files of {day(written)}",
            "set it right, if it is wrong: certificates have dates",
        )
    return ok("clock", f"{day(now)}, plausible")


def _last_written() -> float:
    """When one of the profile's files was last written, by its date; 0 for none."""
    with contextlib.suppress(OSError, CliError):
        return max((path.lstat().st_mtime for path in home().iterdir()), default=0)
    return 0


def check_terminal() -> Check:
    if not (os.isatty(STDIN) and os.isatty(STDOUT)):
        return ok("terminal", "none: lines are read from, or written to, a pipe or a file")
    term = os.environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        return warning(
            "terminal",
            f"TERM is {quoted(term)}, so that lines cannot be edited well",
            "set it to what the terminal is, for example: export TERM=xterm-256color",
        )
    columns, rows = os.get_terminal_size(STDOUT)
    if columns < NARROWEST:
        return warning(
            "terminal",
            f"it says that it has {columns} columns",
            f"make it at least {NARROWEST} wide, or run: resize",
        )
    # The console of Linux has no bracketed paste; what else is in use has had it for long.
    paste = "not known here" if term.startswith("linux") else "worth trying"
    return ok("terminal", f"{term}, {columns} by {rows}, {_colours()}, bracketed paste {paste}")


def _colours() -> str:
    import curses  # noqa: PLC0415 -- only here

    if os.environ.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    with contextlib.suppress(curses.error):
        curses.setupterm(fd=STDOUT)
        if (count := curses.tigetnum("colors")) > 0:
            return f"{count} colours"
    return "no colours"


def check_encoding() -> Check:
    encoding = sys.stdout.encoding.lower()
    if encoding != "utf-8":
        return warning(
            "encoding",
            f"the output is {encoding}: what it lacks is shown as an escape",
            "choose a UTF-8 locale, for example: export LC_ALL=C.UTF-8",
        )
    return ok("encoding", "UTF-8")


def check_python(version: tuple[int, ...]) -> Check:
    shown = ".".join(map(str, version))
    first, last = (".".join(map(str, tested)) for tested in TESTED)
    if not TESTED[0] <= version[:2] <= TESTED[1]:
        return warning("Python", f"{shown} is not tested", f"use one from {first} to {last}")
    return ok("Python", shown)


def check_libraries() -> Check:
    """Whether all that the package needs is there, and nothing that stands in its place."""
    again = f"install {DISTRIBUTION} again, into an environment of its own"
    try:
        needed = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return problem("libraries", f"{DISTRIBUTION} is not installed", again, Exit.INTERNAL)
    with contextlib.suppress(metadata.PackageNotFoundError):
        foreign = metadata.version("e2ee")
        return problem(
            "libraries", f"another package is called e2ee (version {foreign})", again, Exit.INTERNAL
        )
    shown = []
    for requirement in needed:
        if "extra ==" in requirement:
            continue  # For programs that embed e2ee; ours has no use for it.
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)", requirement)
        assert match is not None, "pyproject.toml has no other form"
        name, least = match[1], match[2]
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            return problem("libraries", f"{name} is missing", again, Exit.INTERNAL)
        if _numbers(version) < _numbers(least):
            return problem(
                "libraries", f"{name} {version} is older than {least}", again, Exit.INTERNAL
            )
        shown.append(f"{name} {version}")
    return ok("libraries", f"{_openssl()}; {', '.join(shown)}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall("[0-9]+", version)))


def _openssl() -> str:
    from cryptography.hazmat.backends.openssl import backend  # noqa: PLC0415 -- only here

    return backend.openssl_version_text()
