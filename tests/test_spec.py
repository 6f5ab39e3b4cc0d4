"""SPEC.md and the protocol's own known answers are those of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.mark.parametrize("script", ["spec_tables.py", "known_answers.py"])
def test_the_code_still_gives_what_is_published(script: str) -> None:
    run = subprocess.run(
        [sys.executable, TESTS / script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
