"""-q, -v and --log-file: what the program does, and never what is said or what lets somebody in."""

from __future__ import annotations

import json
import os
import resource
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from e2ee_cli.output import Output

CANARY = "canarytext"
PASSPHRASE = "canary passphrase"  # noqa: S105


class Logged:
    """Runs commands with -v and --log-file, and keeps what they log and what they say of it."""

    def __init__(self, e2ee: Any) -> None:
        self.e2ee = e2ee
        self.file = e2ee.folder / "log"
        self.options = ["-v", "--log-file", str(self.file)]
        self.said = ""
        self.commands = 0

    def start(self, *command: str, person: str = "alice", **variables: str) -> Any:
        self.commands += 1
        environment = {**self.e2ee.environment(person), **variables}
        return self.e2ee.start(*self.options, *command, person=person, env=environment)

    def finish(self, process: Any, stdin: str = "") -> str:
        code, out, err = self.e2ee.finish(process, stdin.encode())
        assert code == 0, err
        self.said += err
        return str(out)

    def run(self, *command: str, stdin: str = "", **options: str) -> str:
        return self.finish(self.start(*command, **options), stdin)

    def hits(self, *secrets: str) -> list[str]:
        text = self.file.read_text() + self.said
        return [secret for secret in secrets if secret.lower() in text.lower()]


@pytest.fixture
def logged(e2ee: Any) -> Logged:
    return Logged(e2ee)


def first_line(process: Any) -> Any:
    return json.loads(process.stdout.readline())


@pytest.mark.attack(79)
def test_no_secret_of_any_command_is_logged(logged: Logged, figure: Callable[[str], None]) -> None:
    folder = logged.e2ee.folder
    passphrase = folder / "passphrase"
    passphrase.write_text(PASSPHRASE)
    locked = {"E2EE_PASSPHRASE_FILE": str(passphrase)}
    here = ["--host", "127.0.0.1", "--port", "0", "--json"]
    secrets = [CANARY, PASSPHRASE]

    bob = logged.start("invite", *here, person="bob")
    told = first_line(bob)
    code = told["code"]
    secrets += [code, code.partition("-")[2]]
    at = f"127.0.0.1:{told['port']}"
    logged.run("join", "--at", at, "--as", "bob", stdin=f"{code}\n{CANARY}\n")
    assert CANARY in logged.finish(bob)

    bob = logged.start("invite", "--link", *here, "--as", "carol", person="bob")
    link = first_line(bob)["link"]
    secrets += [link, link[-40:]]
    logged.run("join", "--link", person="carol", E2EE_INVITATION=link, stdin=f"{CANARY}\n")
    assert CANARY in logged.finish(bob)

    logged.run("id", "passphrase", "--new-file", str(passphrase))
    phrase = json.loads(logged.run("id", "export", "--json", **locked))["phrase"]
    secrets.append(" ".join(phrase[:3]))
    logged.run("id", "import", person="dave", stdin=" ".join(phrase))
    logged.run("id", "rotate-device", **locked)
    logged.run("id", **locked)
    logged.run("contact", "list", **locked)
    number = json.loads(_first(logged, "contact", "verify", "bob", "--json", **locked))
    secrets += [number["digits"], " ".join(number["words"][:3])]

    secrets += [" ".join(part) for part in (phrase, number["words"])]
    assert logged.hits(*secrets) == []
    # And it is a log: of each command at least its beginning and its end.
    lines = logged.file.read_text().splitlines()
    assert sum("started command=" in line for line in lines) == logged.commands
    assert sum("ended code=" in line for line in lines) == logged.commands
    assert any("connecting address=127.0.0.1:" in line for line in lines)
    assert any("connected peer=e2ee1" in line for line in lines)
    assert "error" in logged.file.read_text()
    assert "kind=CliError" in logged.said
    figure(f"log: {logged.commands} commands, {len(secrets)} secrets, 0 in log or stderr")


def _first(logged: Logged, *command: str, **variables: str) -> str:
    """The output of a command that ends without what it asks for."""
    code, out, err = logged.e2ee.finish(logged.start(*command, **variables), b"\n")
    assert code == 6
    logged.said += err
    return str(out)


def test_quiet_says_nothing_but_errors(e2ee: Any) -> None:
    assert e2ee.run("-q", "id")[2] == ""  # It makes an identity, without a word.
    code, _, err = e2ee.run("-q", "connect", "127.0.0.1:1")
    assert (code, err.count("\n")) == (4, 1)
    assert err.startswith("e2ee: cannot connect")


def test_quiet_counts_before_verbose_and_the_file_gets_all(e2ee: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert e2ee.run("-q", "-v", "--log-file", str(log), "id")[2] == ""
    assert "identity_created" in log.read_text()


def test_verbose_is_json_where_all_is(e2ee: Any) -> None:
    code, _, err = e2ee.run("-v", "id", "--json")  # What it says is checked in passing.
    assert code == 0
    texts = [json.loads(line).get("text", "") for line in err.splitlines()]
    assert "started command=id" in texts


def test_the_file_is_for_its_owner_and_is_added_to(e2ee: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    old = os.umask(0)
    try:
        e2ee.run("--log-file", str(log), "contact", "list")
    finally:
        os.umask(old)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    log.write_text("kept\n")
    e2ee.run("contact", "list", "--json")
    assert log.read_text() == "kept\n"
    e2ee.run("--log-file", str(log), "contact", "list")
    assert log.read_text().startswith("kept\n2")


@pytest.mark.parametrize("name", ["", "folder", "pipe", "none/log", "x\x00y"])
def test_a_log_that_cannot_be_written_is_an_error(e2ee: Any, tmp_path: Path, name: str) -> None:
    from e2ee_cli import logs  # noqa: PLC0415
    from e2ee_cli.exits import CliError, Exit  # noqa: PLC0415

    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CliError, match="log file") as caught:
        logs.begin(Output(as_json=False), verbose=False, file=f"{tmp_path}/{name}")
    assert caught.value.code is Exit.FILES
    assert str(caught.value).isprintable()
    assert Output.observers == []


@pytest.mark.attack(94)
def test_a_log_on_a_full_disk_is_told_of_once_and_ends_nothing(e2ee: Any, tmp_path: Path) -> None:
    e2ee.run("id")
    log = tmp_path / "log"
    log.write_bytes(bytes(2**20))
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (2**20, 2**20))
    process = e2ee.start("--log-file", str(log), "contact", "list", preexec_fn=limit)
    code, _, err = e2ee.finish(process)
    assert code == 0
    assert err.count("cannot be written: File too large") == 1
    assert log.stat().st_size == 2**20
