"""``e2ee doctor`` finds each fault that is made, says a way forward, and changes nothing."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pytest

from e2ee import Identity, Peer
from e2ee.contact_file import ContactFile
from e2ee.identity import DAY
from e2ee_cli import check_machine, check_network
from e2ee_cli.check_files import check_files
from e2ee_cli.checks import Check
from e2ee_cli.exits import Exit
from e2ee_cli.mdns import NoDiscovery

NOW = time.time()
PASSPHRASE = "correct horse"  # noqa: S105 -- of a test


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of somebody who has an identity and one contact."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("E2EE_HOME", str(folder))
    monkeypatch.delenv("E2EE_PROFILE", raising=False)
    monkeypatch.delenv("E2EE_PASSPHRASE_FILE", raising=False)
    identity = Identity.generate(now=NOW)
    identity.save(folder / "identity")
    with ContactFile(folder / "contacts", identity).update() as book:
        other = Identity.generate()
        book.meet(Peer(other.public_key, bytes(32), 0, 1), "meeting", NOW)
    return folder


def files(now: float = NOW) -> dict[str, Check]:
    return {check.about: check for check in check_files(now)}


def everything_in(folder: Path) -> list[tuple[str, int, bytes]]:
    return sorted(
        (str(path), path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    )


def test_where_nothing_is_wrong_all_is_ok_and_nothing_is_changed(home: Path) -> None:
    before = everything_in(home)
    checks = files()
    assert list(checks) == [
        *("folder", "identity", "certificate", "contacts", "conversations", "configuration"),
        "other files",
    ]  # fmt: skip
    assert {check.state for check in checks.values()} == {"ok"}
    assert checks["contacts"].text.startswith("1, ")
    assert everything_in(home) == before


def test_before_the_first_use_nothing_is_made(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EE_HOME", str(tmp_path / "new" / "folder"))
    assert [check.state for check in check_files(NOW)] == ["ok"]
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir(mode=0o700)
    monkeypatch.setenv("E2EE_HOME", str(tmp_path / "empty"))
    assert files()["identity"].state == "warning"
    assert "e2ee id" in files()["identity"].way
    assert not list((tmp_path / "empty").iterdir())


def identity_open_to_others(home: Path) -> None:
    (home / "identity").chmod(0o644)


def identity_cut(home: Path) -> None:
    (home / "identity").write_bytes((home / "identity").read_bytes()[:-30])


def identity_of_the_future(home: Path) -> None:
    whole = (home / "identity").read_text()
    (home / "identity").write_text(whole.replace("version 1", "version 7"))


def identity_gone(home: Path) -> None:
    (home / "identity").unlink()


def identity_a_fifo(home: Path) -> None:
    (home / "identity").unlink()
    os.mkfifo(home / "identity", 0o600)


def identity_a_dangling_link(home: Path) -> None:
    (home / "identity").unlink()
    (home / "identity").symlink_to(home / "nowhere")


def contacts_damaged(home: Path) -> None:
    whole = bytearray((home / "contacts").read_bytes())
    whole[-1] ^= 1
    (home / "contacts").write_bytes(whole)


def conversations_damaged(home: Path) -> None:
    (home / "conversations").write_bytes(b"SQLite format 3\0" + bytes(4080))
    (home / "conversations").chmod(0o600)


def contacts_open_to_others(home: Path) -> None:
    (home / "contacts").chmod(0o640)


def config_not_toml(home: Path) -> None:
    (home / "config.toml").write_text("\x1b[31m = ")


def config_with_a_wrong_key(home: Path) -> None:
    (home / "config.toml").write_text("colour = 1")


def folder_open_to_be_seen(home: Path) -> None:
    home.chmod(0o755)


def folder_open_to_be_changed(home: Path) -> None:
    home.chmod(0o777)


def folder_a_file(home: Path) -> None:
    for path in home.iterdir():
        path.unlink()
    home.rmdir()
    home.write_text("")


def left_over(home: Path) -> None:
    (home / ".identity.\x1b[2J.tmp").write_text("")


def changeable(home: Path) -> None:
    (home / "notes").write_text("")
    (home / "notes").chmod(0o666)


@pytest.mark.parametrize(
    ("spoil", "about", "state", "way", "code"),
    [
        (identity_open_to_others, "identity", "problem", "chmod 600", Exit.FILES),
        (identity_cut, "identity", "problem", "backup", Exit.FILES),
        (identity_of_the_future, "identity", "problem", "backup", Exit.FILES),
        (identity_gone, "identity", "problem", "e2ee id import", Exit.FILES),
        (identity_a_fifo, "identity", "problem", "backup", Exit.FILES),
        (identity_a_dangling_link, "identity", "problem", "backup", Exit.FILES),
        (contacts_damaged, "contacts", "problem", "backup", Exit.FILES),
        (conversations_damaged, "conversations", "problem", "backup", Exit.FILES),
        (contacts_open_to_others, "contacts", "problem", "chmod 600", Exit.FILES),
        (config_not_toml, "configuration", "problem", "README", Exit.USAGE),
        (config_with_a_wrong_key, "configuration", "problem", "there are", Exit.USAGE),
        (folder_open_to_be_seen, "folder", "warning", "chmod 700", Exit.OK),
        (folder_open_to_be_changed, "folder", "problem", "chmod 700", Exit.FILES),
        (folder_a_file, "folder", "problem", "E2EE_HOME", Exit.FILES),
        (left_over, "other files", "warning", "remove it", Exit.OK),
        (changeable, "other files", "warning", "chmod go-w", Exit.OK),
    ],
)
def test_each_fault_of_the_files_is_found(
    home: Path, spoil: Callable[[Path], None], about: str, state: str, way: str, code: Exit
) -> None:
    spoil(home)
    before = everything_in(home)
    check = files()[about]
    assert (check.state, check.code) == (state, code)
    assert way in check.way
    shown = check.text + check.way
    assert shown.isprintable(), "one line, and no control character"
    assert everything_in(home) == before


@pytest.mark.parametrize("name", ["identity", "contacts"])
def test_for_a_file_of_another_user_no_backup_is_asked_for(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    opened = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if path == home / name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    check = files()[name]
    assert (check.state, check.code) == ("problem", Exit.FILES)
    assert "Permission denied" in check.text
    assert "chown" in check.way
    assert "backup" not in check.way


def test_a_profile_that_has_no_such_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2EE_PROFILE", "../x")
    (check,) = check_files(NOW)
    assert (check.state, check.code) == ("problem", Exit.USAGE)


@pytest.mark.parametrize(
    ("away", "state", "text"),
    [
        (0, "ok", "good until"),
        (89 * DAY, "ok", "renewed in time"),
        (91 * DAY, "warning", "ended"),
        (-2 * DAY, "warning", "begins"),
    ],
)
def test_the_dates_of_the_certificate(home: Path, away: float, state: str, text: str) -> None:
    check = files(NOW + away)["certificate"]
    assert check.state == state
    assert text in check.text


def test_a_locked_identity_is_not_asked_for_and_opened_only_by_a_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Identity.load(home / "identity").save(home / "identity", replace=True, passphrase=PASSPHRASE)
    checks = files()
    assert "locked" in checks["identity"].text
    assert "certificate" not in checks
    assert {check.state for check in checks.values()} == {"ok"}
    contacts_open_to_others(home)
    assert files()["contacts"].state == "problem"
    (home / "contacts").chmod(0o600)
    (home / "contacts").write_text("something else")
    assert files()["contacts"].state == "problem"
    (home / "contacts").unlink()
    file = tmp_path / "passphrase"
    monkeypatch.setenv("E2EE_PASSPHRASE_FILE", str(file))
    assert (files()["identity"].state, files()["identity"].code) == ("problem", Exit.FILES)
    file.write_text("wrong\n")
    assert (files()["identity"].state, files()["identity"].code) == ("problem", Exit.IN_USE)
    file.write_text(PASSPHRASE + "\n")
    checks = files()
    assert checks["identity"].state == checks["certificate"].state == "ok"
    assert PASSPHRASE not in "".join(check.text + check.way for check in checks.values())


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (NOW, "ok"),
        (NOW - 3 * DAY, "warning"),
        (0, "problem"),
        (-5, "problem"),
        (1_700_000_000, "problem"),
        (5_000_000_000, "problem"),
        (2.0**60, "problem"),
    ],
    ids=["right", "behind its files", "1970", "before 1970", "2023", "2128", "absurd"],
)
def test_clocks(home: Path, now: float, state: str) -> None:
    check = check_machine.check_clock(now)
    assert check.state == state
    assert check.code == (Exit.TRUST if state == "problem" else Exit.OK)
    assert bool(check.way) == (state != "ok")


def port(number: int) -> Check:
    return asyncio.run(check_network.check_port(number))


def unused() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
    return number


def test_a_port_is_free_or_somebody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        check = port(number)
        assert (check.state, check.code) == ("problem", Exit.IN_USE)
        assert f"process {os.getpid()}" in check.text
        assert "--port 0" in check.way
        monkeypatch.setattr(psutil, "net_connections", denied)
        monkeypatch.setattr(psutil, "process_iter", lambda: [psutil.Process()])
        assert "a program of another user" in port(number).text
    # The number of any of them may be somebody else's by now.
    assert "ok" in {port(unused()).state for _ in range(5)}


def denied(_: str) -> Any:
    raise psutil.AccessDenied


def test_a_port_that_another_e2ee_has(e2ee: Any) -> None:
    process, address = e2ee.listen()
    check = port(int(address.rpartition(":")[2]))
    assert check.state == "warning"
    assert f"another e2ee (process {process.pid})" in check.text


def test_another_e2ee_hides_its_port_from_who_is_not_root_and_is_found_by_its_name(
    e2ee: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel shows the files of a program that is not dumpable to root only."""
    process, address = e2ee.listen()
    hidden = [one._replace(pid=None) for one in psutil.net_connections("tcp")]
    monkeypatch.setattr(psutil, "net_connections", lambda _: hidden)
    monkeypatch.setattr(
        psutil, "process_iter", lambda: [psutil.Process(), psutil.Process(process.pid)]
    )
    check = port(int(address.rpartition(":")[2]))
    assert check.state == "warning"
    assert f"is held, it seems, by another e2ee (process {process.pid})" in check.text


@pytest.mark.parametrize(
    ("own", "state", "text"),
    [
        (["127.0.0.1", "::1", "192.168.1.20", "fd00::2"], "ok", "IPv4 and IPv6"),
        (["127.0.0.1", "192.168.1.20", "fe80::1"], "ok", "(IPv4)"),
        (["127.0.0.1", "::1"], "warning", "only loopback"),
        (["127.0.0.1", "fe80::1", "169.254.3.4"], "warning", "169.254.3.4"),
        ([], "warning", "only loopback"),
    ],
)
def test_addresses(monkeypatch: pytest.MonkeyPatch, own: list[str], state: str, text: str) -> None:
    monkeypatch.setattr(
        check_network, "own_addresses", lambda: list(map(ipaddress.ip_address, own))
    )
    check = check_network.check_addresses()
    assert check.state == state
    assert text in check.text


def test_discovery(multicast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(check_network.check_discovery()).state == ("ok" if multicast else "warning")

    async def nothing_comes(_: object) -> bool:
        return False

    monkeypatch.setattr(check_network, "comes_back", nothing_comes)
    check = asyncio.run(check_network.check_discovery())
    assert (check.state, "5353" in check.way) == ("warning", True)

    def no_network(_: object) -> Any:
        raise NoDiscovery("No such device")

    monkeypatch.setattr(check_network, "local_network", no_network)
    check = asyncio.run(check_network.check_discovery())
    assert check.state == "warning"
    assert "No such device" in check.text


@pytest.mark.parametrize(
    ("term", "columns", "state", "text"),
    [
        ("xterm-256color", 80, "ok", "bracketed paste worth trying"),
        ("linux", 80, "ok", "bracketed paste not known"),
        ("dumb", 80, "warning", "TERM"),
        ("", 80, "warning", "TERM"),
        ("xterm", 0, "warning", "0 columns"),
    ],
)
def test_terminals(
    monkeypatch: pytest.MonkeyPatch, term: str, columns: int, state: str, text: str
) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: True)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
    monkeypatch.setenv("TERM", term)
    check = check_machine.check_terminal()
    assert check.state == state
    assert text in check.text
    monkeypatch.setattr(os, "isatty", lambda _: False)
    assert check_machine.check_terminal().state == "ok"


def test_an_encoding_that_lacks_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w", encoding="latin-1") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        check = check_machine.check_encoding()
    assert (check.state, "UTF-8" in check.way) == ("warning", True)


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 10, 9), "warning"), ((3, 11, 0), "ok"), ((3, 13, 4), "ok"), ((3, 14, 0), "warning")],
)
def test_pythons(version: tuple[int, ...], state: str) -> None:
    assert check_machine.check_python(version).state == state


def test_libraries_that_are_missing_old_or_in_our_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_machine.check_libraries().state == "ok"
    really = metadata.version

    def with_version(name: str, answer: str | None) -> str:
        def version(asked: str) -> str:
            if asked != name:
                return really(asked)
            if answer is None:
                raise metadata.PackageNotFoundError
            return answer

        monkeypatch.setattr(metadata, "version", version)
        check = check_machine.check_libraries()
        assert (check.state, check.code) == ("problem", Exit.INTERNAL)
        return str(check.text)

    assert with_version("segno", None) == "segno is missing"
    assert with_version("zeroconf", "0.9.3").startswith("zeroconf 0.9.3 is older than 0.")
    assert "another package is called e2ee" in with_version("e2ee", "1.0")


def test_the_command_ends_with_the_code_of_the_first_problem(e2ee: Any) -> None:
    e2ee.id_of("alice")
    home = e2ee.folder / "alice"
    home.chmod(0o700)
    before = everything_in(home)
    code, out, err = e2ee.run("doctor")
    assert {line.split()[0] for line in out.splitlines()} <= {"ok", "warning", "problem"}
    assert (code == 0) == ("problem " not in out)  # The port may be taken here.
    assert everything_in(home) == before
    config_with_a_wrong_key(home)
    identity_open_to_others(home)
    code, out, err = e2ee.run("doctor", "--json")
    checks = [json.loads(line) for line in out.splitlines()]
    assert {check["state"] for check in checks} <= {"ok", "warning", "problem"}
    assert all(bool(check["way"]) == (check["state"] != "ok") for check in checks)
    first = next(check for check in checks if check["state"] == "problem")
    assert (first["check"], first["code"], code) == ("identity", 10, 10)
    assert json.loads(err)["code"] == 10
