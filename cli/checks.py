"""What one check of ``e2ee doctor`` has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from e2ee.errors import E2EEError

from .exits import CliError, Exit, describe, exit_code

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Check:
    """``about`` -- what was looked at. ``way`` -- the way forward, where not all is well.
    ``code`` -- with which a command would end for such a problem.
    """

    about: str
    state: State
    text: str
    way: str = ""
    code: Exit = Exit.OK


def ok(about: str, text: str) -> Check:
    return Check(about, "ok", text)


def warning(about: str, text: str, way: str) -> Check:
    return Check(about, "warning", text, way)


def problem(about: str, text: str, way: str, code: Exit) -> Check:
    return Check(about, "problem", text, way, code)


def failed(about: str, error: E2EEError | CliError, way: str) -> Check:
    """What an error means that a command would end with; most name their own way forward."""
    text, _, own_way = describe(error).partition("; ")
    return problem(about, text, own_way or way, exit_code(error))
