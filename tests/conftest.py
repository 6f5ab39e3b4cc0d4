"""What every test has: figures, the marks of attacks and tiers, and the record of a run."""

from __future__ import annotations

import json
import signal
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

pytest_plugins = ["tests.canaries"]

ATTACKS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("attacks.toml").read_text())
FIGURES = pytest.StashKey[list[tuple[str, str]]]()
ROWS = pytest.StashKey[dict[str, list[int]]]()

for profile, times in (("nightly", 100), ("release", 1_000)):
    hypothesis.settings.register_profile(profile, max_examples=100 * times, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="also what takes minutes or hours")
    parser.addoption("--record", metavar="FILE", help="write what the run showed, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "attack(row): evidence for this row of attacks.toml")
    config.addinivalue_line("markers", "nightly: takes minutes or hours; only with --nightly")
    config.addinivalue_line("markers", "slow: takes more than 5 s; not in the quick tier")
    config.addinivalue_line("markers", "virtual_time: waits for nothing outside of its loop")
    config.stash[FIGURES] = []
    config.stash[ROWS] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--nightly"):
        left_out = [item for item in items if item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]
    for item in items:
        rows = [row for mark in item.iter_markers("attack") for row in mark.args]
        if unknown := {str(row) for row in rows} - ATTACKS.keys():
            raise pytest.UsageError(f"{item.nodeid}: tests/attacks.toml lacks {unknown}")
        if rows:
            config.stash[ROWS][item.nodeid] = rows


@pytest.fixture(autouse=True)
def _ctrl_c_is_left_alone() -> Iterator[None]:
    """What one test does to it could end another."""
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """``figure("3 of 3 apples")`` puts this line, as this test's, in the summary of the run."""

    def say(line: str) -> None:
        request.config.stash[FIGURES].append((request.node.nodeid, line))

    return say


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its figures to the process that shows them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = session.config.stash[FIGURES]
        session.config.workeroutput["rows"] = session.config.stash[ROWS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    node.config.stash[FIGURES].extend((test, line) for test, line in output.get("figures", []))
    node.config.stash[ROWS].update(output.get("rows", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.stash[FIGURES]:
        terminalreporter.section("figures")
        for _, line in config.stash[FIGURES]:
            terminalreporter.write_line(line)
    if target := config.getoption("--record"):
        outcomes = {
            report.nodeid: (outcome, report.duration)
            for outcome in ("passed", "skipped", "failed", "error")
            for report in terminalreporter.stats.get(outcome, [])
        }
        tests = [
            {
                "test": test,
                "outcome": outcome,
                "seconds": round(seconds),
                "rows": config.stash[ROWS].get(test, []),
                "figures": [line for by, line in config.stash[FIGURES] if by == test],
            }
            for test, (outcome, seconds) in sorted(outcomes.items())
        ]
        Path(target).write_text(json.dumps(tests, indent=1))
