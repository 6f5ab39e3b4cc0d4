"""What a profile wants of every chat: who may talk, and what to call oneself."""

from __future__ import annotations

from dataclasses import dataclass

from e2ee.contacts import Grade

from .settings import setting

GRADES = {grade.name.lower(): grade for grade in Grade if grade is not Grade.NEW}
"""The values of ``--require``."""


@dataclass(frozen=True, slots=True)
class Config:
    """``require`` -- the least grade of whom to talk to. ``name`` -- what to call oneself.
    ``history`` -- whether to keep what is said; ``history_days`` -- for how long, None for ever.
    ``plain``, ``bell``, ``notify`` -- as for ``open_screen``.
    """

    require: Grade = Grade.NEW
    name: str = ""
    history: bool = False
    history_days: int | None = None
    plain: bool = False
    bell: bool = False
    notify: bool = False


def load_config() -> Config:
    """What the environment and the file say. Raises CliError."""
    require, name = setting("require"), setting("name")
    return Config(
        Grade.NEW if require is None else GRADES[require],
        name or "",
        history_days=setting("history_days"),
        **{key: setting(key) or False for key in ("history", "plain", "bell", "notify")},
    )
