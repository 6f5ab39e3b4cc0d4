"""Only what needs hypothesis asks for it, and says how to get it."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = "import sys; sys.modules['hypothesis'] = None; sys.modules['pytest'] = None\n"


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("module", ["strategies", "message_strategies", "machine"])
def test_what_needs_hypothesis_says_which_extra_to_install(module: str) -> None:
    ran = run(f"import e2ee.testing.{module}")
    assert ran.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: e2ee.testing's strategies and its machine need hypothesis: "
        "install e2ee-session[testing]"
    )


@pytest.mark.parametrize("module", ["attacker", "fixed_keys", "pair", "streams", "unsent"])
def test_the_rest_needs_neither_hypothesis_nor_pytest(module: str) -> None:
    ran = run(f"import e2ee.testing.{module}")
    assert (ran.returncode, ran.stderr) == (0, "")
