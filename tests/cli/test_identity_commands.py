"""``e2ee id``: backups, passphrases, profiles and device keys, by the real program."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import stat
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from e2ee import Identity, IdentityFileError
from e2ee.backup import backup_phrase
from e2ee.errors import IdentityLocked, WrongPassphrase
from e2ee.identity import DAY, LOCKED_HEADER
from e2ee_cli import home as homes
from e2ee_cli.exits import STOPPED
from e2ee_cli.output import Output

PHRASE = "Übung macht den Meister 7"
OTHER = "another passphrase"


class Id:
    """Runs the program without a terminal to ask at, and finds its files."""

    def __init__(self, e2ee: Any, folder: Path) -> None:
        self.e2ee = e2ee
        self.folder = folder

    def path(self, person: str = "alice", profile: str = "") -> Path:
        home = self.folder / person
        return (home / "profiles" / profile if profile else home) / "identity"

    def start(
        self, *arguments: str, person: str = "alice", variables: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        environment = {**self.e2ee.environment(person), **(variables or {})}
        process: subprocess.Popen[bytes] = self.e2ee.start(
            *arguments, person=person, env=environment, start_new_session=True
        )
        return process

    def run(
        self,
        *arguments: str,
        person: str = "alice",
        stdin: bytes = b"",
        variables: dict[str, str] | None = None,
    ) -> tuple[int, str, str]:
        finished: tuple[int, str, str] = self.e2ee.finish(
            self.start(*arguments, person=person, variables=variables), stdin
        )
        return finished

    def unlocking(self, phrase: str = PHRASE, name: str = "secret") -> dict[str, str]:
        """The variable that names a file with this passphrase."""
        file = self.folder / name
        file.write_text(phrase + "\n", encoding="utf-8")
        return {"E2EE_PASSPHRASE_FILE": str(file)}

    def make(self, phrase: str | None = None, age: float = 0, person: str = "alice") -> Identity:
        identity = Identity.generate(now=time.time() - age)
        self.path(person).parent.mkdir(mode=0o700, exist_ok=True)
        identity.save(self.path(person), passphrase=phrase)
        return identity


@pytest.fixture
def ids(e2ee: Any, tmp_path: Path) -> Id:
    return Id(e2ee, tmp_path)


@pytest.fixture
def terminal(e2ee: Any) -> Iterator[Callable[..., Any]]:
    opened: list[Any] = []

    def open_terminal(*arguments: str, person: str = "alice") -> Any:
        child = pexpect.spawn(
            e2ee.path,
            list(arguments),
            env={**e2ee.environment(person), "TERM": "xterm"},
            encoding="utf-8",
            timeout=20,
            dimensions=(40, 120),
        )
        opened.append(child)
        return child

    yield open_terminal
    for child in opened:
        child.close(force=True)


def ended(child: Any) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    assert "Traceback" not in child.before
    status: int | None = child.exitstatus
    return status


def answer(child: Any, prompt: str, text: str) -> None:
    child.expect_exact(prompt)
    child.waitnoecho()
    child.sendline(text)


def is_error(result: tuple[int, str, str], code: int, *texts: str) -> None:
    """Nothing on stdout, and one line for a person at the end."""
    assert result[:2] == (code, ""), result
    last = result[2].splitlines()[-1]
    assert last.startswith("e2ee: ")
    for text in texts:
        assert text in last


# Who I am.


def test_id_and_id_show_are_the_same(ids: Id) -> None:
    identity = ids.make()
    words = " ".join(identity.words)
    plain = ids.run("id")
    assert plain == ids.run("id", "show") == (0, f"{identity.id}\nsafety words: {words}\n", "")
    as_json = ids.run("id", "--json")
    assert as_json == ids.run("id", "show", "--json")
    assert json.loads(as_json[1]) == {
        "v": 1,
        "event": "identity",
        "id": identity.id,
        "words": list(identity.words),
    }


def test_processes_that_make_the_identity_at_once_agree_on_one(ids: Id) -> None:
    processes = [ids.start("id", "--json") for _ in range(8)]
    results = [ids.e2ee.finish(process) for process in processes]
    assert [code for code, _, _ in results] == [0] * 8
    assert {json.loads(out)["id"] for _, out, _ in results} == {Identity.load(ids.path()).id}
    assert sum("identity_created" in err for _, _, err in results) == 1
    assert os.listdir(ids.path().parent) == ["identity"]


# Backup.


def words_of(exported: str) -> list[str]:
    return re.findall(r"\d+ ([a-z-]+)", exported.partition("\n\n")[2])


def test_an_exported_identity_is_restored_in_another_profile(ids: Id) -> None:
    identity = ids.make()
    code, exported, err = ids.run("id", "export")
    assert (code, err) == (0, "")
    assert identity.id in exported.splitlines()
    assert "e2ee id import" in exported
    assert tuple(words_of(exported)) == backup_phrase(identity)
    assert max(map(len, exported.splitlines())) <= 80

    code, out, err = ids.run("--profile", "new", "id", "import", stdin=exported.encode())
    assert (code, out) == (0, identity.id + "\n")
    # And none of the words.
    assert err == f"Restored in {ids.path(profile='new')}, with a new device key.\n"
    restored = Identity.load(ids.path(profile="new"))
    assert restored.id == identity.id
    assert restored.device_key.private_bytes_raw() != identity.device_key.private_bytes_raw()
    assert not restored.needs_renewal(time.time())
    assert ids.run("--profile", "new", "id") == ids.run("id")


@pytest.mark.parametrize("form", ["{}\n", "{}", "{}\r\n", "\n\n{}\n\n"])
def test_bare_words_in_any_arrangement_are_restored(ids: Id, form: str) -> None:
    identity = Identity.generate()
    words = [word[:3].upper() for word in backup_phrase(identity)]
    text = form.format(" ".join(words[:9]) + "\n" + "\t".join(words[9:]))
    # Two empty lines end an input that is no terminal.
    if text.startswith("\n\n"):
        is_error(ids.run("id", "import", stdin=text.encode()), 2, "26 words, not 0")
    else:
        assert ids.run("id", "import", stdin=text.encode())[:2] == (0, identity.id + "\n")


def test_export_writes_a_new_private_file_that_import_reads(ids: Id, tmp_path: Path) -> None:
    identity = ids.make()
    backup = tmp_path / "backup.txt"
    code, out, err = ids.run("id", "export", "--output", str(backup))
    assert (code, out) == (0, "")
    assert str(backup) in err
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert backup.read_text() == ids.run("id", "export")[1]
    before = backup.read_bytes()
    is_error(ids.run("id", "export", "--output", str(backup)), 10, "exists already")
    assert backup.read_bytes() == before
    is_error(ids.run("id", "export", "--output", str(tmp_path / "no" / "b")), 10, "cannot be")
    code, out, _ = ids.run("id", "import", person="bob", stdin=before)
    assert (code, out) == (0, identity.id + "\n")


def test_import_leaves_an_identity_that_is_there(ids: Id) -> None:
    ids.make()
    before = ids.path().read_bytes()
    phrase = " ".join(backup_phrase(Identity.generate())).encode()
    is_error(ids.run("id", "import", stdin=phrase), 2, "e2ee --profile NAME id import")
    assert ids.path().read_bytes() == before
    ids.path().unlink()
    ids.path().symlink_to("nowhere")
    is_error(ids.run("id", "import", stdin=phrase), 2, "e2ee --profile NAME id import")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda words: words[:25], "26 words, not 25"),
        (lambda words: [*words, "acrobat"], "26 words, not 27"),
        (lambda words: [*words[:4], "qqq", *words[5:]], "word 5 of the backup, 'qqq'"),
        (lambda words: [*words[:4], "\x1b[m", *words[5:]], "word 5 of the backup"),
        (lambda words: words[1:] + words[:1], "checksum does not fit"),
        (lambda words: [], "26 words, not 0"),
    ],
)
def test_a_wrong_backup_makes_nothing(ids: Id, change: Any, text: str) -> None:
    words = change(list(backup_phrase(Identity.from_seed(bytes(32)))))
    result = ids.run("id", "import", stdin=(" ".join(words) + "\n").encode())
    is_error(result, 2, text)
    assert "\x1b" not in result[2]
    assert not ids.path().parent.exists()


def test_words_are_typed_at_a_terminal_and_a_wrong_line_is_asked_again(
    ids: Id, terminal: Any
) -> None:
    identity = Identity.generate()
    words = backup_phrase(identity)
    child = terminal("id", "import")
    child.expect_exact("Words, from number 1:")
    child.send(" ".join(words[:10]) + "\r")
    child.expect_exact("Words, from number 11:")
    child.send(" ".join([*words[10:12], "qqq"]) + "\r")
    child.expect("'qqq' is not in the list of words")
    child.expect_exact("Words, from number 11:")
    child.send("\r")
    child.expect_exact("Words, from number 11:")
    child.send(" ".join(f"{place} {word}" for place, word in enumerate(words[10:], 11)) + "\r")
    child.expect(identity.id)
    assert ended(child) == 0
    assert Identity.load(ids.path()).id == identity.id


# Passphrase.


def test_a_passphrase_set_at_a_terminal_is_not_shown_and_locks_the_file(
    ids: Id, terminal: Any
) -> None:
    identity = ids.make()
    child = terminal("id", "passphrase")
    answer(child, "New passphrase: ", PHRASE)
    answer(child, "The same again: ", PHRASE)
    child.expect("locked with the new passphrase")
    seen = child.before
    assert ended(child) == 0
    assert PHRASE not in seen + child.before
    assert ids.path().read_text().startswith(LOCKED_HEADER + "\n")
    assert stat.S_IMODE(ids.path().stat().st_mode) == 0o600
    assert Identity.load(ids.path(), PHRASE).id == identity.id

    child = terminal("id")
    answer(child, "Passphrase: ", PHRASE)
    child.expect(identity.id)
    assert ended(child) == 0


def test_a_passphrase_is_changed_and_removed_at_a_terminal(ids: Id, terminal: Any) -> None:
    identity = ids.make(PHRASE)
    child = terminal("id", "passphrase")
    answer(child, "Passphrase: ", PHRASE)
    answer(child, "New passphrase: ", OTHER)
    answer(child, "The same again: ", OTHER)
    assert ended(child) == 0
    assert Identity.load(ids.path(), OTHER).id == identity.id
    child = terminal("id", "passphrase", "--remove")
    answer(child, "Passphrase: ", OTHER)
    child.expect("no passphrase now")
    assert ended(child) == 0
    assert Identity.load(ids.path()).id == identity.id


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (["one", "two"], "two different passphrases"),
        ([""], "--remove"),
        (["x" * 1025, "x" * 1025], "1 to 1024 bytes"),
    ],
)
def test_a_new_passphrase_that_cannot_be_meant_changes_nothing(
    ids: Id, terminal: Any, answers: list[str], text: str
) -> None:
    ids.make()
    before = ids.path().read_bytes()
    child = terminal("id", "passphrase")
    for prompt, typed in zip(("New passphrase: ", "The same again: "), answers, strict=False):
        answer(child, prompt, typed)
    child.expect_exact(text)
    assert ended(child) == 2
    assert ids.path().read_bytes() == before


def test_five_wrong_passphrases_end_with_exit_code_8(ids: Id, terminal: Any) -> None:
    ids.make(PHRASE)
    before = ids.path().read_bytes()
    child = terminal("id")
    for left, typed in zip((4, 3, 2, 1, 0), ("no", "", PHRASE[:-1], "x" * 1025, "no"), strict=True):
        answer(child, "Passphrase: ", typed)
        child.expect(f"Tries left: {left}")
    child.expect("e2ee: the identity stays locked after 5 wrong passphrases.*id import")
    assert ended(child) == 8
    assert ids.path().read_bytes() == before


def test_the_fifth_passphrase_may_be_the_right_one(ids: Id, terminal: Any) -> None:
    identity = ids.make(PHRASE)
    child = terminal("id")
    for _ in range(4):
        answer(child, "Passphrase: ", "no")
    answer(child, "Passphrase: ", PHRASE)
    child.expect(identity.id)
    assert ended(child) == 0


def test_leaving_the_question_is_an_error_of_one_line(ids: Id, terminal: Any) -> None:
    ids.make(PHRASE)
    child = terminal("id")
    child.expect_exact("Passphrase: ")
    child.waitnoecho()
    child.sendeof()
    child.expect_exact("\r\ne2ee: no passphrase was given")
    assert child.before == ""
    assert ended(child) == 8


def no_tty_of_ours(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOCTTY)


def test_ctrl_c_and_sigterm_at_the_question_leave_the_terminal_as_it_was(
    ids: Id, terminal: Any
) -> None:
    ids.make(PHRASE)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        child = terminal("id")
        # A terminal whose program has gone says nothing more, so another holds it open.
        child.expect_exact("Passphrase: ")
        assert child.waitnoecho()
        with open(f"/proc/{child.pid}/fd/0", "rb", buffering=0, opener=no_tty_of_ours) as held:
            child.kill(number)
            child.expect_exact(f"e2ee: {STOPPED[number]}")
            child.wait()
            assert termios.tcgetattr(held)[3] & termios.ECHO
        child.close()
        assert child.exitstatus == code


def test_after_a_stop_it_is_asked_anew_and_hidden_again(ids: Id, terminal: Any) -> None:
    ids.make(PHRASE)
    child = terminal("id")
    child.expect_exact("Passphrase: ")
    assert child.waitnoecho()
    child.kill(signal.SIGSTOP)
    modes = termios.tcgetattr(child.child_fd)
    modes[3] |= termios.ECHO
    termios.tcsetattr(child.child_fd, termios.TCSANOW, modes)
    child.kill(signal.SIGCONT)
    child.expect_exact("Passphrase: ")
    assert not child.getecho()
    child.sendline(PHRASE)
    child.expect("safety words")
    assert PHRASE not in child.before
    assert ended(child) == 0


def test_bytes_that_are_no_text_are_an_error_of_one_line(ids: Id, e2ee: Any) -> None:
    ids.make(PHRASE)
    child = pexpect.spawn(
        e2ee.path, ["id"], env={**e2ee.environment("alice"), "LC_ALL": "C.UTF-8"}, timeout=20
    )
    child.expect_exact(b"Passphrase: ")
    child.waitnoecho()
    child.send(b"\xff\xfe\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.before.startswith(b"\r\ne2ee: ")
    assert b"inside the program" not in child.before
    assert child.exitstatus == 2


def test_without_a_terminal_a_locked_identity_says_how(ids: Id) -> None:
    ids.make(PHRASE)
    for command in (["id"], ["id", "export"], ["id", "rotate-device"], ["contact", "list"]):
        is_error(ids.run(*command), 8, "no terminal", "E2EE_PASSPHRASE_FILE")
    ids.make(person="bob")
    is_error(ids.run("id", "passphrase", person="bob"), 8, "no terminal", "--new-file")


def test_a_file_gives_the_passphrase_to_every_command(ids: Id) -> None:
    identity = ids.make(PHRASE)
    variables = ids.unlocking()
    assert identity.id in ids.run("id", variables=variables)[1]
    assert identity.id in ids.run("id", "export", variables=variables)[1]
    assert ids.run("contact", "list", variables=variables)[0] == 0
    # The first line counts, whatever ends it.
    Path(variables["E2EE_PASSPHRASE_FILE"]).write_bytes(PHRASE.encode() + b"\r\nmore")
    assert identity.id in ids.run("id", variables=variables)[1]


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        (b"wrong\n", 8, "does not open"),
        (b"", 2, "no passphrase in its first line"),
        (b"\nsecond", 2, "no passphrase in its first line"),
        (b"\xff\xfe\n", 10, "not UTF-8"),
        (b"x" * 2000, 8, "does not open"),
        (b"x" * 1_000_000, 8, "does not open"),
        (None, 10, "cannot be read: No such file"),
    ],
)
def test_a_passphrase_file_of_no_use_is_an_error_of_one_line(
    ids: Id, content: bytes | None, code: int, text: str
) -> None:
    ids.make(PHRASE)
    variables = ids.unlocking()
    file = Path(variables["E2EE_PASSPHRASE_FILE"])
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    is_error(ids.run("id", variables=variables), code, text, str(file))


def test_scripts_set_change_and_remove_a_passphrase(ids: Id, tmp_path: Path) -> None:
    identity = ids.make()
    new = tmp_path / "new"
    new.write_text(PHRASE)
    code, out, err = ids.run("id", "passphrase", "--new-file", str(new))
    assert (code, out) == (0, "")
    assert "id export" in err
    assert Identity.load(ids.path(), PHRASE).id == identity.id
    variables = ids.unlocking()
    new.write_text(OTHER + "\n")
    assert ids.run("id", "passphrase", "--new-file", str(new), variables=variables)[0] == 0
    with pytest.raises(WrongPassphrase):
        Identity.load(ids.path(), PHRASE)
    is_error(ids.run("id", "passphrase", "--remove", variables=variables), 8)
    variables = ids.unlocking(OTHER)
    is_error(
        ids.run("id", "passphrase", "--remove", "--new-file", str(new), variables=variables), 2
    )
    assert ids.run("id", "passphrase", "--remove", variables=variables)[0] == 0
    assert Identity.load(ids.path()).id == identity.id
    assert ids.run("id", "passphrase", "--remove")[0] == 0


# Renewal and rotation.


def device_of(identity: Identity) -> bytes:
    return identity.device_key.private_bytes_raw()


@pytest.mark.parametrize("phrase", [None, PHRASE])
def test_a_certificate_is_renewed_and_the_file_stays_locked(ids: Id, phrase: str | None) -> None:
    identity = ids.make(phrase, age=61 * DAY)
    before = ids.path().read_bytes()
    code, _, err = ids.run("id", variables=ids.unlocking())
    assert (code, err) == (0, "")
    assert ids.path().read_bytes() != before
    assert ids.path().read_text().startswith(LOCKED_HEADER) is (phrase is not None)
    renewed = Identity.load(ids.path(), phrase)
    assert (renewed.id, device_of(renewed)) == (identity.id, device_of(identity))
    assert renewed.not_after > identity.not_after + 60 * DAY


@pytest.mark.parametrize("phrase", [None, PHRASE])
def test_rotation_gives_a_new_device_key_and_says_what_it_means(
    ids: Id, phrase: str | None
) -> None:
    identity = ids.make(phrase)
    code, out, err = ids.run("id", "rotate-device", variables=ids.unlocking())
    assert (code, out) == (0, "")
    assert "new device key" in err
    assert "e2ee listen --known" in err
    assert ids.path().read_text().startswith(LOCKED_HEADER) is (phrase is not None)
    rotated = Identity.load(ids.path(), phrase)
    assert rotated.id == identity.id
    assert device_of(rotated) != device_of(identity)
    assert ids.run("contact", "list", variables=ids.unlocking())[0] == 0


def test_what_was_locked_meanwhile_stays_locked(
    ids: Id, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EE_HOME", str(tmp_path / "alice"))
    monkeypatch.delenv("E2EE_PROFILE", raising=False)
    identity = ids.make()
    # Another program locks it between this one's reading and writing.
    identity.save(ids.path(), replace=True, passphrase=PHRASE)
    with pytest.raises(IdentityLocked):
        homes.rewrite(lambda kept: kept.renewed(time.time()), None, None)
    Identity.load(ids.path(), PHRASE)
    # And another changes the passphrase, or the device key.
    rotated = identity.rotated(time.time())
    rotated.save(ids.path(), replace=True, passphrase=OTHER)
    with pytest.raises(WrongPassphrase):
        homes.rewrite(lambda kept: kept.renewed(time.time()), PHRASE, PHRASE)
    homes.rewrite(lambda kept: kept.renewed(time.time()), OTHER, OTHER)
    assert device_of(Identity.load(ids.path(), OTHER)) == device_of(rotated)


def test_two_programs_never_write_the_identity_at_once(
    ids: Id, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EE_HOME", str(tmp_path / "alice"))
    monkeypatch.delenv("E2EE_PROFILE", raising=False)
    identity = ids.make(age=61 * DAY)
    before = ids.path().read_bytes()

    def inside(kept: Identity) -> Identity:
        with pytest.raises(IdentityFileError, match="another program is writing"):
            homes.rewrite(lambda identity: identity, None, None)
        is_error(ids.run("id", "rotate-device"), 10, "another program is writing", "try again")
        # What only wants to renew goes on without.
        assert identity.id in ids.run("id")[1]
        assert ids.path().read_bytes() == before
        return kept.rotated(time.time())

    homes.rewrite(inside, None, None)
    assert device_of(Identity.load(ids.path())) != device_of(identity)
    homes.rewrite(lambda kept: kept, None, None)


def test_a_renewal_that_cannot_be_saved_is_made_again_next_time(
    ids: Id, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EE_HOME", str(tmp_path / "alice"))
    monkeypatch.delenv("E2EE_PROFILE", raising=False)
    ids.make(age=61 * DAY)
    before = ids.path().read_bytes()
    # A lock that is a link is not followed, as somebody else may have put it there.
    ids.path().with_name("identity.lock").symlink_to(tmp_path / "elsewhere")
    assert not homes.own_identity(Output(as_json=False)).needs_renewal(time.time())
    assert ids.path().read_bytes() == before
    assert not (tmp_path / "elsewhere").exists()
    is_error(ids.run("id", "rotate-device"), 10, "cannot be written")


# Profiles.


def test_profiles_are_other_people_each_in_a_private_folder(ids: Id, tmp_path: Path) -> None:
    main = ids.run("id", "--json")[1]
    work = ids.run("--profile", "work", "id", "--json")[1]
    assert main != work
    assert ids.run("id", "--json", variables={"E2EE_PROFILE": "work"})[1] == work
    assert ids.run("id", "--json", variables={"E2EE_PROFILE": ""})[1] == main
    # What is asked for on the command line counts more.
    assert ids.run("--profile", "work", "id", "--json", variables={"E2EE_PROFILE": "x"})[1] == work
    assert not ids.path(profile="x").exists()
    assert Identity.load(ids.path(profile="work")).id == json.loads(work)["id"]
    folders = [path for path in (tmp_path / "alice").rglob("*") if path.is_dir()]
    assert len(folders) == 2
    for folder in (tmp_path / "alice", *folders):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_first_profile_makes_the_folders_above_it_private_too(ids: Id, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        variables = {"E2EE_HOME": str(tmp_path / "a" / "b")}
        assert ids.run("--profile", "work", "id", variables=variables)[0] == 0
    finally:
        os.umask(before)
    for folder in ("a", "a/b", "a/b/profiles", "a/b/profiles/work"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "../bob",
        "../../bob",
        "/bob",
        "a/b",
        "a\\b",
        "a.b",
        "a b",
        "a\n",
        "bób",
        "٣",
        "x" * 33,
        "\x1b[31m",
        "\u202eabc",
        "-\t",
    ],
)
def test_a_profile_cannot_climb_out_of_its_folder(ids: Id, tmp_path: Path, name: str) -> None:
    for result in (
        ids.run("--profile", name, "id"),
        ids.run("id", "import", variables={"E2EE_PROFILE": name}),
    ):
        is_error(result, 2, "no name for a profile")
        assert len(result[2].splitlines()) == 1
        assert result[2].strip().isprintable()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a", "Z9_-", "x" * 32, "-", "__"])
def test_names_that_profiles_may_have(ids: Id, name: str) -> None:
    assert ids.run("id", variables={"E2EE_PROFILE": name})[0] == 0
    assert ids.path(profile=name).is_file()


# Secrets.


@pytest.mark.attack(81)
def test_a_running_program_shows_no_secret_to_other_programs(
    ids: Id, terminal: Any, figure: Callable[[str], None]
) -> None:
    identity = ids.make(PHRASE)
    variables = ids.unlocking()
    typed = terminal("listen", "--once", "--host", "127.0.0.1", "--port", "0")
    answer(typed, "Passphrase: ", PHRASE)
    typed.expect("e2ee connect")
    read = ids.start("listen", "--host", "127.0.0.1", "--port", "0", variables=variables)
    assert read.stderr is not None
    line = next(line for line in read.stderr if b"e2ee connect" in line)
    keys = (identity.use_seed(bytes), device_of(identity))
    secrets = [PHRASE.encode(), *(form for key in keys for form in forms(key))]
    for process in (typed.pid, read.pid):
        for name in ("cmdline", "environ"):
            try:
                shown = Path(f"/proc/{process}/{name}").read_bytes()
            except PermissionError:
                assert name == "environ"  # It is not dumpable: for root only.
                continue
            assert shown
            assert not any(secret in shown for secret in secrets)
    assert not any(secret in line for secret in secrets)
    assert PHRASE not in typed.before + typed.after
    figure(f"/proc: 2 programs, {len(secrets)} forms of their secrets, in no cmdline or environ")


def forms(key: bytes) -> list[bytes]:
    return [key, key.hex().encode(), base64.urlsafe_b64encode(key)[:-1]]


def test_no_file_shows_a_key_of_a_locked_identity(ids: Id, tmp_path: Path) -> None:
    """Once it was locked, nothing that the program leaves behind has them."""
    identity = ids.make()
    new = tmp_path / "new"
    new.write_text(PHRASE)
    assert ids.run("id", "passphrase", "--new-file", str(new))[0] == 0
    for command in (["contact", "list"], ["id"]):
        assert ids.run(*command, variables=ids.unlocking())[0] == 0
    left = [path.read_bytes() for path in (tmp_path / "alice").rglob("*") if path.is_file()]
    assert left
    for key in (identity.use_seed(bytes), device_of(identity)):
        for form in forms(key):
            assert not any(form in content for content in left)


def test_json_before_a_command_below_is_not_passed_over(ids: Id) -> None:
    code, out, err = ids.run("id", "--json", "show")
    assert (code, out) == (2, "")
    assert "--json stands after show" in err
