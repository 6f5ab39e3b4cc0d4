"""The profile that a command runs in: the person, whom they know, and what they want of peers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from e2ee.contacts import TrustPolicy

from .book import Book
from .config import GRADES, Config, load_config
from .home import own_identity
from .output import Output


@dataclass(frozen=True, slots=True)
class Profile:
    """What every command that opens a channel needs."""

    book: Book
    config: Config
    policy: TrustPolicy
    output: Output


def open_profile(
    require: str | None, output: Output, *, plain: bool = False, history: bool = False
) -> Profile:
    """``require`` -- the grade that the command line asks for, before the configuration's.
    ``plain``, ``history`` -- as in Config, from the command line.

    Asks for a passphrase where the identity has one. Raises CliError, IdentityFileError.
    """
    config = load_config()
    config = replace(config, plain=plain or config.plain, history=history or config.history)
    grade = config.require if require is None else GRADES[require]
    return Profile(Book(own_identity(output)), config, TrustPolicy(grade), output)
