"""Completion: the words that fit, and shells that take them as words and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from e2ee import Identity, Peer
from e2ee.contacts import ContactBook
from e2ee_cli.book import Book
from e2ee_cli.completion import SCRIPTS, answer
from e2ee_cli.main import app

COMMAND = typer.main.get_command(app)
NAMES = ["Zoë", "anna", "anna maria", "`touch pwned`", "a;b*"]


def words(*typed: str) -> list[str]:
    return [line.partition("\t")[0] for line in answer(COMMAND, typed).splitlines()]


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile that knows somebody of each of the names."""
    monkeypatch.setenv("E2EE_HOME", str(tmp_path))
    monkeypatch.delenv("E2EE_PROFILE", raising=False)
    me = Identity.generate(now=time.time())
    me.save(tmp_path / "identity")

    def meet(book: ContactBook) -> None:
        for name in NAMES:
            peer = Peer(Identity.generate(now=0).public_key, os.urandom(32), 0, 1)
            book.meet(peer, "meeting", 1, address=None, name=name)

    Book(me).change(meet)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "fitting"),
    [
        (["con"], ["connect", "contact"]),
        (["contact", "un"], ["unblock"]),
        (["-v", "--log-file", "contact", "contact", "un"], ["unblock"]),
        (["listen", "--kn"], ["--known"]),
        (["listen", "--require", ""], ["seen", "invited", "verified"]),
        (["listen", "--port", ""], []),
        (["listen", ""], []),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["nonsense", "more", "--x", ""], list(COMMAND.commands)),  # type: ignore[attr-defined]
        (["join", "--file", ""], [""]),
        (["join", "--file", "x", "--at", ""], []),
        (["--profile", ""], []),
    ],
)
def test_words_that_fit(typed: list[str], fitting: list[str]) -> None:
    assert words(*typed) == fitting


def test_contacts_where_one_is_meant(people: Path) -> None:
    for command in (["connect"], ["contact", "show"], ["listen", "--peer"], ["contact", "rename"]):
        assert sorted(words(*command, "")) == sorted(NAMES)
    assert words("connect", "ann") == ["anna", "anna maria"]
    assert words("contact", "rename", "anna", "") == []
    assert words("join", "--as", "") == []
    assert words("connect", "--peer", "anna", "Z") == ["Zoë"]


def test_another_profile_has_other_contacts(people: Path) -> None:
    assert words("--profile", "work", "connect", "") == []
    assert os.environ.pop("E2EE_PROFILE") == "work"


def test_no_identity_is_made_and_no_passphrase_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EE_HOME", str(tmp_path / "none"))
    assert words("connect", "") == []
    assert not (tmp_path / "none").exists()
    monkeypatch.setenv("E2EE_HOME", str(tmp_path))
    locked = Identity.generate(now=1)
    locked.save(tmp_path / "identity", passphrase="correct horse")  # noqa: S106
    assert words("connect", "") == []
    (tmp_path / "identity").write_bytes(b"nonsense")
    assert words("connect", "") == []


def in_shell(shell: str, program: str, e2ee: Any, home: Path) -> str:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    run = subprocess.run(
        [shell, "-c", program],
        env={
            **os.environ,
            "E2EE_HOME": str(home),
            "PATH": f"{Path(e2ee.path).parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
        },
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stderr == ""
    return run.stdout


def test_bash_takes_a_name_as_one_word(
    e2ee: Any, people: Path, figure: Callable[[str], None]
) -> None:
    program = """
        eval "$(e2ee completion bash)"
        COMP_WORDS=(e2ee connect "") COMP_CWORD=2
        _e2ee e2ee
        for word in "${COMPREPLY[@]}"; do eval "printf '%s\\n' $word"; done | LC_ALL=C sort
    """
    assert in_shell("bash", program, e2ee, people).splitlines() == sorted(NAMES)
    assert not (people / "pwned").exists()
    figure(f"completion: {len(NAMES)} names with what a shell would run, 0 run")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_each_script_is_one_that_its_shell_reads(shell: str, e2ee: Any, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(SCRIPTS[shell])
    in_shell(shell, f"{shell} -n script", e2ee, tmp_path)


def test_fish_offers_what_fits(e2ee: Any, people: Path) -> None:
    program = 'e2ee completion fish | source; complete -C "e2ee connect ann"'
    assert in_shell("fish", program, e2ee, people).splitlines() == [
        "anna\tcontact",
        "anna maria\tcontact",
    ]
