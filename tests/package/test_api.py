"""That the comparison of public signatures sees what breaks programs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("griffe", reason="requirements-package.txt is not installed")

from tests.package import api

CODE = """
class Thing:
    size: int = 0
    def use(self, by: str, *, twice: bool = False) -> int: ...
def make(size: int = 1) -> Thing: ...
"""


def broken(change: tuple[str, str]) -> list[str]:
    old, new = change
    assert old in CODE
    return list(api.breakages({"x": CODE}, {"x": CODE.replace(old, new)}))


@pytest.mark.parametrize(
    "change",
    [
        ("class Thing:", "class Other:"),
        ("    size: int = 0\n", ""),
        ("by: str", "how: str"),
        ("by: str", "by: str, when: int"),
        ("*, ", ""),
        ("twice: bool = False", "twice: bool"),
        ("bool = False) -> int", "bool = False)"),
        ("size: int = 1", "size: int = 2"),
    ],
)
def test_what_breaks_is_seen(change: tuple[str, str]) -> None:
    if change == ("*, ", ""):
        assert not broken(change)  # More can be called than before.
    else:
        assert broken(change)


def test_what_is_added_breaks_nothing() -> None:
    assert not broken(("-> Thing: ...", "-> Thing: ...\ndef more() -> None: ..."))
    assert not broken(("twice: bool = False", "twice: bool = False, thrice: bool = False"))
    assert list(api.breakages({"x": CODE}, {})) == ["x is gone"]


def test_what_is_there_now_is_what_is_written(tmp_path: Path) -> None:
    """And another source is not."""
    assert api.main([]) == 0
    shutil.copytree(api.ROOT / "e2ee", tmp_path / "e2ee")
    backup = tmp_path / "e2ee" / "backup.py"
    backup.write_text(backup.read_text().replace("def restore(", "def restored("))
    package = api.load(tmp_path)
    face = {"e2ee.backup": api.rendered(api.module(package, "e2ee.backup"))}
    before = {"e2ee.backup": api.snapshot()["e2ee.backup"]}
    assert list(api.breakages(before, face)) == ["e2ee.backup.restore: Public object was removed"]
    assert not api.strangers(package)
    internal = "from e2ee.pake import CPace\n\n\ndef run() -> CPace: ...\n"
    backup.write_text(backup.read_text() + internal)
    assert api.strangers(api.load(tmp_path)) == ["e2ee.pake.CPace"]
