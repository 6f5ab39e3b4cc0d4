"""Every case of the kit, against the package and against the second client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from . import generate
from .case import FOLDER, Case, Step, cases
from .real_core import RealCore
from .second_client import ANY, NAMES, SecondClient

Figure = Callable[[str], None]

ROWS = {
    "close": (23,),
    "preamble": (2, 14),
    "record": (19, 20, 21, 22, 25, 26),
    "valid": (27,),
}
"""What the cases of a folder are evidence for."""

every_folder = pytest.mark.parametrize(
    "folder",
    [
        pytest.param(path.name, marks=[pytest.mark.attack(row) for row in ROWS.get(path.name, ())])
        for path in sorted(FOLDER.iterdir())
    ],
)


def _passes(case: Case, side: RealCore | SecondClient) -> None:
    for step in case.steps():
        done = side.do(step.action, step.value)
        assert done == (step if isinstance(side, RealCore) else _coarse(step)), case.name


def _coarse(step: Step) -> Step:
    """As the second client tells it, which has few kinds of errors."""
    if step.failure in (None, *NAMES.values()):
        return step
    return replace(step, failure=ANY)


@every_folder
def test_the_package_does_what_each_case_says(folder: str, figure: Figure) -> None:
    passed = 0
    for case in cases(folder):
        for chunk in (2**20, 1):
            core = RealCore(case, chunk)
            with core.drawing():
                _passes(case, core)
        passed += 1
    figure(f"kit, {folder}: {passed} of {len(cases(folder))} cases, whole and byte by byte")


@every_folder
def test_the_second_client_does_what_each_case_says(folder: str, figure: Figure) -> None:
    passed = 0
    for case in cases(folder):
        _passes(case, SecondClient(case))
        passed += 1
    figure(f"kit, {folder}, second client: {passed} of {len(cases(folder))} cases")


def test_the_files_are_made_again_byte_for_byte(figure: Figure) -> None:
    assert generate.difference() == set()
    kept = cases()
    failures = sum(bool(case.all("fail")) for case in kept)
    figure(f"kit: {len(kept)} files, {failures} with one failure, {len(kept) - failures} valid")
