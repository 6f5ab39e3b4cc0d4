"""What can be set once and for all: one table of keys, from which the options get their defaults.

The command line counts before the environment, that before ``config.toml`` in the profile's
folder, and that before the default.
"""

from __future__ import annotations

import contextlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from e2ee.limits import MAX_PORT

from .clean import clean, quoted
from .exits import CliError, Exit

CONFIG_FILE = "config.toml"

MAX_CONFIG_SIZE = 64 * 1024
"""Bytes of the configuration."""

DEFAULT_PORT = 3233
"""What "e2ee" spells on a telephone."""

MAX_NAME = 32
"""Characters of one's own name in the settings; no more of a claimed name is shown anywhere."""

MAX_HISTORY_DAYS = 36_500
"""Days that a history can be kept: a hundred years."""


@dataclass(frozen=True, slots=True)
class Setting:
    """``values`` -- what it can be, for a person. ``check`` -- gives the value of one in the file;
    raises ValueError. ``parse`` -- gives one in the file for a text of the environment, likewise.
    ``option`` -- whether commands have an option of this name.
    """

    meaning: str
    values: str
    default: str
    check: Callable[[object], object]
    parse: Callable[[str], object] = str
    option: bool = True


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or clean(value) != value:
        raise ValueError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 -- one error for all that it cannot be
    return value


def _port(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_PORT:
        raise ValueError
    return value


def _days(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_HISTORY_DAYS:
        raise ValueError
    return value


def _grade(value: object) -> str:
    if value not in ("seen", "invited", "verified"):
        raise ValueError
    return str(value)


def _name(value: object) -> str:
    name = unicodedata.normalize("NFC", value) if isinstance(value, str) else "\n"
    if len(name) > MAX_NAME or clean(name) != name:
        raise ValueError
    return name


def _parse_flag(text: str) -> object:
    return {"true": True, "false": False}.get(text)


SETTINGS = {
    "require": Setting(
        "talk only to who is known at least so well",
        "one of seen, invited, verified",
        "nobody is refused",
        _grade,
    ),
    "name": Setting(
        "what I call myself, for contacts to see",
        f"a text of at most {MAX_NAME} visible characters",
        "no name",
        _name,
        option=False,
    ),
    "host": Setting("listen on this address only", "a text", "all addresses", _text),
    "port": Setting(
        "listen on this port; 0 for any free one",
        f"a whole number from 0 to {MAX_PORT}",
        str(DEFAULT_PORT),
        _port,
        parse=int,
    ),
    "history": Setting(
        "keep what is said in chats, encrypted for me", "true or false", "false", _flag, _parse_flag
    ),
    "history_days": Setting(
        "keep it for so many days",
        f"a whole number from 1 to {MAX_HISTORY_DAYS}",
        "for ever",
        _days,
        parse=int,
        option=False,
    ),
    "plain": Setting(
        "in a chat only add lines, never redraw", "true or false", "false", _flag, _parse_flag
    ),
    "bell": Setting(
        "ring when somebody writes and nobody looks",
        "true or false",
        "false",
        _flag,
        _parse_flag,
        option=False,
    ),
    "notify": Setting(
        "ask the terminal for a notification then",
        "true or false",
        "false",
        _flag,
        _parse_flag,
        option=False,
    ),
    "quiet": Setting(
        "say nothing on standard error but errors", "true or false", "false", _flag, _parse_flag
    ),
    "verbose": Setting(
        "say on standard error what I do", "true or false", "false", _flag, _parse_flag
    ),
    "log_file": Setting("write what I do to the end of this file", "a text", "no file", _text),
}


def variable(key: str) -> str:
    """The environment variable of a key."""
    return f"E2EE_{key.upper()}"


def option(key: str) -> str:
    """The long option of a key."""
    return f"--{key.replace('_', '-')}"


def setting(key: str) -> Any:
    """What the environment or the file says of a key; None where neither does. Raises CliError."""
    if given := os.environ.get(variable(key)):
        with _named(key, f"the environment: {variable(key)}"):
            return SETTINGS[key].check(SETTINGS[key].parse(given))
    return read_file().get(key)


def read_file() -> dict[str, Any]:
    """The keys that ``config.toml`` has. Raises CliError, which names the file and what is wrong
    with it.
    """
    from .home import home  # noqa: PLC0415 -- only what is not given is looked for

    path = home() / CONFIG_FILE
    try:
        # O_NONBLOCK: opening a FIFO must not wait for somebody to write to it.
        with open(
            path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)
        ) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CliError(f"{path} is not a plain file", Exit.FILES)
            data = file.read(MAX_CONFIG_SIZE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}", Exit.FILES) from None
    if len(data) > MAX_CONFIG_SIZE:
        raise CliError(f"{path} has more than {MAX_CONFIG_SIZE // 1024} KiB", Exit.OVER_LIMIT)
    return parsed(data, str(path))


def parsed(data: bytes, file: str) -> dict[str, Any]:
    """The keys in what a file has. Raises CliError, which names the ``file``."""
    import tomllib  # noqa: PLC0415 -- most have no file

    try:
        values = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise CliError(f"{file} is not UTF-8 text", Exit.USAGE) from None
    except (ValueError, RecursionError) as error:
        raise CliError(f"{file} is not TOML: {clean(str(error))}", Exit.USAGE) from None
    for key in values:
        if key not in SETTINGS:
            raise CliError(
                f"{file} has {quoted(key)}, which means nothing{_nearest(key)}", Exit.USAGE
            )
        with _named(key, f"{file}: {key}"):
            values[key] = SETTINGS[key].check(values[key])
    return values


@contextlib.contextmanager
def _named(key: str, where: str) -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise CliError(f"{where} is {SETTINGS[key].values}", Exit.USAGE) from None


def _nearest(key: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 -- for this error only

    found = get_close_matches(key, SETTINGS, n=1)
    return f"; did you mean {quoted(found[0])}?" if found else f"; there are {', '.join(SETTINGS)}"


class _Defaults(dict[str, Any]):
    """What is set, as the parser of the command line asks for it: not looked up before."""

    def __init__(self, *, lenient: bool) -> None:
        super().__init__()
        self._lenient = lenient

    def get(self, key: str, default: Any = None) -> Any:
        # The parser asks for arguments too, some of which are called like a key.
        if key not in SETTINGS or not SETTINGS[key].option:
            return default
        try:
            return setting(key)
        except CliError:
            if self._lenient:
                return default
            raise


def apply(command: Any, *, lenient: bool) -> None:
    """What is set is the default of each option of a key's name, in this command and below.

    ``lenient`` -- what cannot be understood is as if it were not set.
    """
    command.context_settings["default_map"] = _Defaults(lenient=lenient)
    for below in getattr(command, "commands", {}).values():
        apply(below, lenient=lenient)
