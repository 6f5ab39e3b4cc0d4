"""What comes with the package: little, and each file of it by its hash."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
DIRECT = 10
"""More are a decision: each has its reason beside it in pyproject.toml."""


def with_all_below(names: set[str]) -> set[str]:
    """These distributions and what they need, in this environment."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        for line in requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting |= {canonicalize_name(needed.name)} - found
    return found


def pinned() -> Iterator[tuple[str, int]]:
    """Each distribution that is installed for work on the package, and how many hashes it has."""
    text = (ROOT / "requirements-dev.txt").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name = re.match(r"([A-Za-z0-9._-]+)(?:\[\S+\])?==\S+", line)
            assert name is not None, f"not pinned to one version: {line[:60]}"
            yield canonicalize_name(name[1]), line.count("--hash=sha256:")


def versions(lock: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^ ;]+)", lock.read_text()):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def test_no_two_locks_ask_for_other_versions_in_one_environment() -> None:
    locks = {lock.name: versions(lock) for lock in ROOT.glob("requirements-*.txt")}
    assert len(locks) >= 4
    for (one, here), (other, there) in itertools.combinations(locks.items(), 2):
        assert {n: v for n, v in here.items() if there.get(n, v) != v} == {}, f"{one}, {other}"


def test_what_is_deployed_is_what_was_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    deployed = versions(ROOT / "requirements.txt")
    direct: set[str] = {
        canonicalize_name(Requirement(line).name) for line in project["dependencies"]
    }
    elsewhere = {"colorama"}  # on Windows
    assert with_all_below(direct) == deployed.keys() - elsewhere
    tested = versions(ROOT / "requirements-dev.txt")
    assert {name: tested[name] for name in deployed} == deployed
    text = (ROOT / "requirements.txt").read_text().replace("\\\n", " ")
    assert all("--hash=sha256:" in line for line in text.splitlines() if "==" in line)


@pytest.mark.attack(96)
def test_few_packages_come_along_and_each_is_pinned_by_hashes(
    figure: Callable[[str], None],
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    assert len(direct) == DIRECT
    locked = dict(pinned())
    assert all(hashes > 0 for hashes in locked.values())
    everything = with_all_below(set(direct))
    assert everything <= set(locked)
    figure(
        f"supply chain: {len(direct)} direct dependencies at run time, {len(everything)} with all "
        f"below; {len(locked)} packages locked by {sum(locked.values())} hashes, tools included"
    )
