"""The fixtures, in a run of pytest of their own; and that the plugin is inert without them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest
from e2ee import Identity, Session, State

IDS = {}

def test_identities(e2ee_identities):
    alice, bob = e2ee_identities
    assert alice.id != bob.id

def test_pair(e2ee_pair, e2ee_identities):
    assert e2ee_pair.initiator.session.peer.id == e2ee_identities[1].id
    e2ee_pair.responder.session.send(b"hello")
    e2ee_pair.deliver()
    assert e2ee_pair.initiator.received == [b"hello"]

@pytest.mark.parametrize("_", range(2))
def test_keys_are_random(e2ee_identities, _):
    IDS[_] = e2ee_identities[0].id
    assert len(set(IDS.values())) == len(IDS)

def test_fixed(e2ee_fixed_keys, e2ee_identities, e2ee_pair):
    print("id:", e2ee_identities[0].id)

def test_fixed_whatever_the_order(e2ee_pair, e2ee_identities, e2ee_fixed_keys):
    print("id:", e2ee_identities[0].id)

def test_unsent(e2ee_nothing_unsent):
    Session.initiator(Identity.generate())

@pytest.mark.usefixtures("e2ee_nothing_unsent")
def test_sent(e2ee_pair):
    e2ee_pair.initiator.session.send(b"x")
    e2ee_pair.deliver()
"""


def run(folder: Path, program: str) -> str:
    """What pytest says of these tests, with this package's plugin and no other."""
    (folder / "test_program.py").write_text(program)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "e2ee.testing.plugin",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        [*command, "-q", "-rA", "--rootdir", folder, folder],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout


def test_the_fixtures_do_what_they_say(tmp_path: Path) -> None:
    first, second = run(tmp_path, TESTS), run(tmp_path, TESTS)
    assert "8 passed, 1 error" in first
    assert "ERROR test_program.py::test_unsent - AssertionError: a session that is" in first
    ids = [line for line in first.splitlines() if line.startswith("id: ")]
    assert len(set(ids)) == 2
    assert ids == [line for line in second.splitlines() if line.startswith("id: ")]


def test_pytest_finds_the_plugin_by_itself(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("e2ee")


def test_loading_the_plugin_imports_nothing_of_weight() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import e2ee.testing.plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split() == ["e2ee", "e2ee.errors", "e2ee.testing", "e2ee.testing.plugin"]
