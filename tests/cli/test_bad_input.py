"""Each mistake and each foreign server gives one line and a code from the table in the README."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["connect", "nonexistent.invalid"], 4, "cannot be resolved"),
        (["connect", "127.0.0.1:1"], 4, "nobody listens there"),
        (["connect", ""], 2, "is not an address"),
        (["connect", "host:"], 2, "is not an address"),
        (["connect", "host:0"], 2, "is not an address"),
        (["connect", "host:70000"], 2, "is not an address"),
        (["connect", "host:" + "9" * 5000], 2, "is not an address"),
        (["connect", "host:000001999999"], 2, "is not an address"),
        (["connect", "a:b:c"], 2, "is not an address"),
        (["connect", "[::1"], 2, "is not an address"),
        (["connect", "[/bad]"], 2, "is not an address"),
        (["connect", "x" * 300], 2, "is not an address"),
        (["connect", "nonexistent.invalid"], 4, "no contact is called 'nonexistent.invalid', and"),
        (["connect", "a b"], 2, "is not an address"),
        (["connect", "127.0.0.1", "--peer", "e2ee1qqq"], 2, "an id"),
        (["connect"], 2, "see e2ee connect --help"),
        (["connect", "bob", "--wait", "no"], 2, "'--wait': 'no' is not one of 'sent', 'delivered'"),
        (["completion"], 2, "Choose from: bash, zsh, fish; see e2ee completion --help"),
        (["invite", "--link", "list"], 2, "--link has no place before list"),
        (["invite", "--as", "bob", "list"], 2, "--as has no place before list"),
        (["invite", "--port", "0", "--at", ""], 2, "is not an address"),
        (["invite", "--port", "0", "--at", "a b"], 2, "is not an address"),
        (["join", "1-acrobat-velcro-sugar", "--link"], 2, "a code and --link exclude each other"),
        (["join", "1-acrobat-velcro-sugar", "--file", "x"], 2, "a code and --file exclude each"),
        (["join", "--at", "a b"], 2, "is not an address"),
        (["id", "export", "--output", ""], 10, "is not the name of a file"),
        (["conect"], 2, "No such command 'conect'. Did you mean 'connect', 'contact'? See e2ee"),
        (["listen", "--port", "99999"], 2, "port"),
        (["listen", "--port", "0", "--host", "nonexistent.invalid"], 4, "cannot be resolved"),
        (["listen", "--port", "0", "--host", "203.0.113.9"], 4, "cannot listen"),
        (["listen", "--port", "0", "--peer", "bob"], 3, "no contact is called 'bob'"),
        (["--nope"], 2, "No such option"),
    ],
)
def test_mistakes_of_the_user(e2ee: Any, arguments: list[str], code: int, text: str) -> None:
    exit_code, out, err = e2ee.run(*arguments)
    assert exit_code == code
    assert out == ""
    assert err.splitlines()[-1].startswith("e2ee: ")
    assert text in err


def test_a_port_in_use(e2ee: Any) -> None:
    _, address = e2ee.listen()
    port = address.rpartition(":")[2]
    code, _, err = e2ee.run("listen", "--host", "127.0.0.1", "--port", port)
    assert code == 8
    assert "--port" in err


@pytest.fixture
def server() -> Iterator[Callable[[bytes], str]]:
    """A server that greets with these bytes, reads for ever, and says nothing more."""
    opened: list[socket.socket] = []

    def serve(greeting: bytes) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        opened.append(listening)

        def answer() -> None:
            try:
                connection = listening.accept()[0]
            except OSError:
                return
            with connection:
                connection.sendall(greeting)
                while connection.recv(65_536):
                    pass

        threading.Thread(target=answer, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield serve
    for listening in opened:
        listening.close()


@pytest.mark.parametrize(
    ("greeting", "what"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "TLS"),
        (b"220 mail.example.org ESMTP\r\n", "something else"),
    ],
)
def test_a_port_that_speaks_something_else(
    e2ee: Any, server: Callable[[bytes], str], greeting: bytes, what: str
) -> None:
    code, _, err = e2ee.run("connect", server(greeting))
    assert code == 4
    assert f"does not speak e2ee, but {what}" in err


def test_a_listener_survives_what_is_not_e2ee(e2ee: Any) -> None:
    bob, address = e2ee.listen()
    host, port = address.split(":")
    for greeting in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"", os.urandom(5000)):
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(greeting)
            stranger.shutdown(socket.SHUT_WR)
            answered = stranger.recv(65_536)
        assert answered == b""
    assert e2ee.run("connect", address, stdin=b"still here\n")[0] == 0
    code, out, err = e2ee.finish(bob)
    assert (code, out) == (0, "still here\n")
    assert err.count("was not let in") == 4
    assert "HTTP" in err
    assert "TLS" in err


def test_other_versions_and_suites_are_named(e2ee: Any, server: Callable[[bytes], str]) -> None:
    for answer, text in (
        (b"e2ee\x02\x01\x00\x00", "the peer speaks version 2"),
        (b"e2ee\x01\x02\x00\x02", "asks for Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256"),
    ):
        code, _, err = e2ee.run("connect", server(answer))
        assert code == 4
        assert text in err


def make_home_a_file(home: Path) -> None:
    home.write_text("")


def readable_by_others(home: Path) -> None:
    (home / "identity").chmod(0o644)


def cut_short(home: Path) -> None:
    whole = (home / "identity").read_bytes()
    (home / "identity").write_bytes(whole[:-30])


def foreign_version(home: Path) -> None:
    whole = (home / "identity").read_text()
    (home / "identity").write_text(whole.replace("version 1", "version 7"))


def garbage(home: Path) -> None:
    (home / "identity").write_bytes(os.urandom(500))


def folder_in_its_place(home: Path) -> None:
    (home / "identity").unlink()
    (home / "identity").mkdir()


def fifo_in_its_place(home: Path) -> None:
    (home / "identity").unlink()
    os.mkfifo(home / "identity", 0o600)


def dangling_link(home: Path) -> None:
    (home / "identity").unlink()
    (home / "identity").symlink_to(home / "nowhere")


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (readable_by_others, "chmod 600"),
        (cut_short, "backup"),
        (foreign_version, "version"),
        (garbage, "backup"),
        (folder_in_its_place, "not a regular file"),
        (fifo_in_its_place, "not a regular file"),
        (dangling_link, "does not exist"),
    ],
)
@pytest.mark.parametrize("command", ["id", "connect"])
def test_an_identity_file_that_cannot_be_used(
    e2ee: Any, spoil: Callable[[Path], None], text: str, command: str
) -> None:
    e2ee.run("id")
    home = e2ee.folder / "alice"
    spoil(home)
    before = sorted(home.iterdir())
    arguments = ["id"] if command == "id" else ["connect", "127.0.0.1:1"]
    code, out, err = e2ee.run(*arguments)
    assert (code, out) == (10, "")
    assert text in err
    assert str(home) in err
    assert sorted(home.iterdir()) == before


def test_a_home_that_cannot_be_made(e2ee: Any) -> None:
    make_home_a_file(e2ee.folder / "alice")
    code, _, err = e2ee.run("id")
    assert code == 10
    assert "E2EE_HOME" in err


def test_the_identity_is_made_once_and_kept(e2ee: Any) -> None:
    processes = [e2ee.start("id") for _ in range(6)]
    shown = {e2ee.finish(process)[1] for process in processes}
    assert len(shown) == 1
    home = e2ee.folder / "alice"
    assert (home / "identity").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in home.iterdir()] == ["identity"]
