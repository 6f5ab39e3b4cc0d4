"""The configuration of a profile: ``config.toml`` in its folder. README.md has the keys."""

from __future__ import annotations

import tomllib
import unicodedata
from dataclasses import dataclass

from e2ee.contacts import MAX_NAME_LENGTH, Grade

from .clean import clean
from .exits import CliError, Exit
from .home import home

CONFIG_FILE = "config.toml"

MAX_HISTORY_DAYS = 36_500

GRADES = {grade.name.lower(): grade for grade in Grade if grade is not Grade.NEW}
"""The values of ``--require``."""


@dataclass(frozen=True, slots=True)
class Config:
    """``require`` -- the least grade of whom to talk to. ``name`` -- what to call oneself.
    ``history`` -- whether to keep what is said; ``history_days`` -- for how long, None for ever.
    """

    require: Grade = Grade.NEW
    name: str = ""
    history: bool = False
    history_days: int | None = None


def load_config() -> Config:
    """Raises CliError, which names the file and what is wrong with it."""
    path = home() / CONFIG_FILE
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}", Exit.FILES) from None
    except (ValueError, RecursionError) as error:
        raise CliError(f"{path} is not TOML: {clean(str(error))}", Exit.USAGE) from None
    require, name = values.pop("require", None), values.pop("name", "")
    history, days = values.pop("history", False), values.pop("history_days", None)
    if values:
        raise CliError(f"{path} has {next(iter(values))!r}, which means nothing", Exit.USAGE)
    if require is not None and not (isinstance(require, str) and require in GRADES):
        raise CliError(f"{path}: require is one of {', '.join(GRADES)}", Exit.USAGE)
    if isinstance(name, str):
        name = unicodedata.normalize("NFC", name)
    if not isinstance(name, str) or len(name) > MAX_NAME_LENGTH or clean(name) != name:
        raise CliError(
            f"{path}: name is a text of at most {MAX_NAME_LENGTH} visible characters", Exit.USAGE
        )
    if not isinstance(history, bool):
        raise CliError(f"{path}: history is true or false", Exit.USAGE)
    if days is not None and not (type(days) is int and 1 <= days <= MAX_HISTORY_DAYS):
        raise CliError(
            f"{path}: history_days is a number from 1 to {MAX_HISTORY_DAYS:,}", Exit.USAGE
        )
    return Config(Grade.NEW if require is None else GRADES[require], name, history, days)
