"""Errors without the variables of the calls that led to them, which may be keys.

A traceback can be shown, or sent to a service, with the variables of its frames.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from e2ee.errors import E2EEError

P = ParamSpec("P")
T = TypeVar("T")


def bare_errors(function: Callable[P, T]) -> Callable[P, T]:
    """Our errors come out of this function as if it had no inside, and no arguments."""

    @wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except E2EEError as error:
            failure = error.with_traceback(None)
        del arguments, options
        failure.__context__ = failure.__cause__ = None
        raise failure

    return call
