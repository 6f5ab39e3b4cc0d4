"""The vocabulary of errors: each has its use, and nothing else is raised by the package."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2ee import errors

ROOT = Path(__file__).parent.parent
VOCABULARY = {
    name
    for name, error in vars(errors).items()
    if isinstance(error, type) and error.__module__ == errors.__name__
}
KINDS = {"E2EEError", "TrustRefused", "FileError", "TransportError"}
"""Caught more than raised."""

INTERNAL = {
    "NotLocked",
    "WrongKey",
    "ValueError",  # to pydantic, which makes its own of it
    "TypeError",  # to who copies or pickles what must not be
    "FileExistsError",  # to the code around it
    "StopAsyncIteration",  # the end of "async for"
    "AttributeError",  # to who asks a module or an object for what it has not
    "ImportError",  # where another distribution has overwritten this one
    "ModuleNotFoundError",  # where an extra is not installed
}
"""Never reach who uses the package as its documentation says."""


def raised(path: Path) -> Iterator[str]:
    """Names of what is raised in a module, or made to be raised elsewhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and node.exc is not None:
            made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(made, ast.Name) and made.id[0].isupper():
                yield made.id


@pytest.mark.attack(13)
def test_the_package_raises_nothing_but_its_own_errors(figure: Callable[[str], None]) -> None:
    found = {
        name
        for path in (ROOT / "e2ee").rglob("*.py")
        if path.parent.name != "testing"  # Whose assertions are for who tests.
        for name in raised(path)
    }
    assert found - VOCABULARY == INTERNAL
    figure(f"errors: {len(VOCABULARY)} in the vocabulary; the package raises no other")


def test_every_error_of_the_vocabulary_is_used() -> None:
    code = "\n".join(
        path.read_text() for path in (ROOT / "e2ee").rglob("*.py") if path.name != "errors.py"
    )
    unused = {
        name
        for name in VOCABULARY - KINDS
        if f"{name}(" not in code and name + "," not in code and f"={name}" not in code
    }
    assert unused == set()
