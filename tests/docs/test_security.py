"""What SECURITY.md claims, and each attack of the catalogue, has tests, and they exist."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SECURITY = (ROOT / "SECURITY.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def functions(path: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse((ROOT / path).read_text())
    return {
        node.name: node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def claims() -> dict[str, list[tuple[str, str]]]:
    _, rest = SECURITY.split("<!-- claims -->")
    section, _ = rest.split("<!-- end -->")
    _, *parts = re.split(r"(?m)^### ", section)
    return {part.partition("\n")[0]: NAMED.findall(part) for part in parts}


def test_every_claim_has_its_tests(figure: Callable[[str], None]) -> None:
    found = claims()
    assert [int(title.split(".")[0]) for title in found] == list(range(1, len(found) + 1))
    for title, tests in found.items():
        assert tests, title
    named = NAMED.findall(SECURITY)
    missing = [(path, name) for path, name in named if name not in functions(path)]
    assert not missing
    assert all(name.startswith("test_") for _, name in named)
    figure(f"claims: {len(found)} of {len(found)} have tests, {len(set(named))} tests in all")


def test_every_lesson_has_its_test() -> None:
    _, rest = SECURITY.split("## Lessons from others")
    rows = [line for line in rest.split("##")[0].splitlines() if line.startswith("| [")]
    assert len(rows) >= 8
    for row in rows:
        assert NAMED.search(row), row


def marked() -> set[int]:
    """The rows that some test is marked with, where the mark names them."""
    rows: set[int] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.attack":
                rows |= {
                    row.value
                    for row in node.args
                    if isinstance(row, ast.Constant) and isinstance(row.value, int)
                }
    return rows


def test_every_attack_of_the_catalogue_has_a_test() -> None:
    catalogue = tomllib.loads((ROOT / "tests/attacks.toml").read_text())
    assert marked() == {int(row) for row, attack in catalogue.items() if "instead" not in attack}
