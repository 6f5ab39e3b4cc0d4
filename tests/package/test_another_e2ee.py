"""Another project's distribution has the name e2ee, and an import of this name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import e2ee

ROOT = Path(__file__).parents[2]
THEIRS = "def encrypt(message):\n    return message\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Where e2ee-session is installed, as if from a wheel."""
    folder = tmp_path / "site-packages"
    shutil.copytree(ROOT / "e2ee", folder / "e2ee")
    shutil.copytree(ROOT / "cli", folder / "e2ee_cli")
    (folder / "e2ee_session-0.1.0.dist-info").mkdir()
    return folder


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=site,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_alone_it_works(site: Path) -> None:
    assert run(site, "-c", "import e2ee").returncode == 0
    assert run(site, "-m", "e2ee_cli", "--help").returncode == 0


def test_ours_over_theirs(site: Path) -> None:
    """Theirs came first, so that the files are ours: until theirs is uninstalled."""
    (site / "e2ee-0.0.4.dist-info").mkdir()
    imported = run(site, "-c", "import e2ee.errors")
    assert imported.returncode == 1
    assert imported.stderr.splitlines()[-1].startswith("ImportError: ")
    assert "uninstall both, then install e2ee-session" in imported.stderr
    started = run(site, "-m", "e2ee_cli", "--help")
    assert (started.returncode, started.stdout) == (1, "")
    assert started.stderr.startswith("e2ee: another project's package")
    assert "Traceback" not in started.stderr


@pytest.mark.parametrize("it_is_still_there", [True, False])
def test_theirs_over_ours(site: Path, it_is_still_there: bool) -> None:
    """The beginning of our package is theirs, or went with theirs."""
    begin = site / "e2ee" / "__init__.py"
    begin.unlink()
    if it_is_still_there:
        (site / "e2ee-0.0.4.dist-info").mkdir()
        begin.write_text(THEIRS)
    imported = run(site, "-c", "from e2ee import Session")
    assert imported.returncode == 1
    assert "ImportError: cannot import name 'Session'" in imported.stderr
    started = run(site, "-m", "e2ee_cli", "--help")
    assert (started.returncode, started.stdout) == (1, "")
    assert started.stderr.startswith("e2ee: another project's package")
    assert "Traceback" not in started.stderr


def test_theirs_elsewhere_is_none_of_our_business(site: Path, tmp_path: Path) -> None:
    """Such as for all users, where ours is in an environment."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "e2ee").mkdir(parents=True)
    (elsewhere / "e2ee" / "__init__.py").write_text(THEIRS)
    (elsewhere / "e2ee-0.0.4.dist-info").mkdir()
    code = f"import sys; sys.path.append({str(elsewhere)!r}); from e2ee import Session"
    assert run(site, "-c", code).returncode == 0


def test_in_an_archive_there_is_nothing_beside_it(site: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", site)
    code = f"import sys; sys.path.insert(0, {archive!r}); import e2ee; print(e2ee.__file__)"
    (tmp_path / "empty").mkdir()
    imported = run(tmp_path / "empty", "-c", code)
    assert imported.stdout.startswith(archive), imported.stderr


def test_what_is_beside_the_package_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = ["e2ee", "e2ee_session-0.1.0.dist-info"]
    monkeypatch.setattr(os, "listdir", lambda _: beside)
    e2ee._check_that_nobody_else_is_here()
    beside.append("e2ee-0.0.4.dist-info")
    with pytest.raises(ImportError, match="uninstall both"):
        e2ee._check_that_nobody_else_is_here()


def test_in_an_archive_nobody_is_beside_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def listdir(_: str) -> list[str]:
        raise NotADirectoryError

    monkeypatch.setattr(os, "listdir", listdir)
    e2ee._check_that_nobody_else_is_here()
