"""Tables of SPEC.md and docs/scripting.md, and the protocol's own known answers, are the code's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.mark.parametrize("script", ["spec_tables", "known_answers", "scripting_tables"])
def test_the_code_still_gives_what_is_published(script: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", f"tests.{script}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=TESTS.parent,
    )
    assert run.returncode == 0, run.stderr
