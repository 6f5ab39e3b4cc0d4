"""What is set: the command line before the environment, that before ``config.toml``, that before
the default; everything else is refused by name."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from e2ee.contacts import Grade
from e2ee_cli.config import Config, load_config
from e2ee_cli.exits import CliError, Exit
from e2ee_cli.main import app
from e2ee_cli.settings import MAX_CONFIG_SIZE, SETTINGS, apply, option, read_file, setting, variable


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("E2EE_HOME", str(tmp_path))
    monkeypatch.delenv("E2EE_PROFILE", raising=False)
    return tmp_path / "config.toml"


def test_no_file_and_an_empty_one_ask_for_nothing(file: Path) -> None:
    assert load_config() == Config(require=Grade.NEW, name="")
    file.touch()
    assert load_config() == Config(require=Grade.NEW, name="")


@pytest.mark.parametrize(
    ("word", "grade"),
    [("seen", Grade.SEEN), ("invited", Grade.INVITED), ("verified", Grade.VERIFIED)],
)
def test_the_two_keys(file: Path, word: str, grade: Grade) -> None:
    file.write_text(f'# mine\nrequire = "{word}"\nname = "Zoë"\n', encoding="utf-8")
    assert load_config() == Config(require=grade, name="Zoë")


def test_the_keys_of_history(file: Path) -> None:
    assert load_config().history is False
    assert load_config().history_days is None
    file.write_text("history = true\nhistory_days = 30\n")
    assert load_config() == Config(history=True, history_days=30)


def test_what_is_no_plain_file_is_not_waited_for(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(CliError, match="is not a plain file") as caught:
        load_config()
    assert caught.value.code is Exit.FILES


def test_a_file_is_read_up_to_its_limit(file: Path) -> None:
    file.write_text("#" * (MAX_CONFIG_SIZE - 1) + "\n")
    assert load_config() == Config()
    file.write_text("#" * MAX_CONFIG_SIZE + "\n")
    with pytest.raises(CliError, match="has more than 64 KiB") as caught:
        load_config()
    assert caught.value.code is Exit.OVER_LIMIT


def test_each_profile_has_its_own(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('name = "Zoe"')
    monkeypatch.setenv("E2EE_PROFILE", "work")
    assert load_config().name == ""
    folder = file.parent / "profiles" / "work"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('name = "Dr. Zoe"')
    assert load_config().name == "Dr. Zoe"


def test_a_name_is_composed(file: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Zoë")
    file.write_text(f'name = "{decomposed}"', encoding="utf-8")
    assert load_config().name == "Zoë" != decomposed
    # Its length is that of the composed form.
    file.write_text(f'name = "{unicodedata.normalize("NFD", "ë" * 32)}"', encoding="utf-8")
    assert load_config().name == "ë" * 32


@pytest.mark.parametrize("name", ["", "x" * 32, "Zoë 🎈", "日本", "❤️", "👩‍👩‍👧", "a b"])
def test_names_that_one_may_have(file: Path, name: str) -> None:
    file.write_text(f'name = "{name}"', encoding="utf-8")
    assert load_config().name == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('requires = "seen"', "'requires', which means nothing; did you mean 'require'?"),
        ("log-file = 'x'", "which means nothing; did you mean 'log_file'?"),
        ("zzz = 1", "which means nothing; there are require, name, "),
        ("port = 65536", "port is a whole number from 0 to 65535"),
        ("port = -1", "port is a whole number"),
        ("port = true", "port is a whole number"),
        ("port = '1'", "port is a whole number"),
        ("host = ''", "host is a text"),
        ('host = "a\\u001b"', "host is a text"),
        ("quiet = 1", "quiet is true or false"),
        ("verbose = 'yes'", "verbose is true or false"),
        ("log_file = true", "log_file is a text"),
        ("[contacts]\nx = 1", "'contacts', which means nothing"),
        ('"\\u001b[2J" = 1', "which means nothing"),
        ('require = "new"', "require is one of seen, invited, verified"),
        ('require = "Verified"', "require is one of"),
        ('require = ""', "require is one of"),
        ("require = 3", "require is one of"),
        ("require = false", "require is one of"),
        ('require = ["seen"]', "require is one of"),
        ("require = {seen = 1}", "require is one of"),
        ("[require]\nseen = 1", "require is one of"),
        ("history = 1", "history is true or false"),
        ('history = "yes"', "history is true or false"),
        ("history_days = 0", "from 1 to 36500"),
        ("history_days = 36501", "from 1 to 36500"),
        ("history_days = true", "from 1 to 36500"),
        ("history_days = 1.5", "from 1 to 36500"),
        ('history_days = "30"', "from 1 to 36500"),
        ("name = 1", "name is a text"),
        ("name = ['Zoe']", "name is a text"),
        (f'name = "{"x" * 33}"', "at most 32"),
        ('name = "a\\nb"', "name is a text"),
        ('name = "a\\tb"', "name is a text"),
        ('name = "\\u001b[31m"', "name is a text"),
        ('name = "a\\u202eb"', "name is a text"),
        ('name = "a\\u200bb"', "name is a text"),
        ('name = "\\u3164"', "name is a text"),
        ('name = "\\u2800"', "name is a text"),
        ("name = Zoe", "is not TOML"),
        ('name = "a"\nname = "b"', "is not TOML"),
        ("name = ", "is not TOML"),
        ("x = " + "9" * 5000, "is not TOML"),
        ("x = " + "[" * 60_000, "is not TOML"),
        ("\x1b[2J", "is not TOML"),
    ],
)
def test_what_is_refused_names_the_file_and_the_key(file: Path, content: str, text: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(CliError) as caught:
        load_config()
    assert caught.value.code is Exit.USAGE
    assert str(caught.value).startswith(str(file))
    assert text in str(caught.value)
    assert str(caught.value).isprintable()


def test_bytes_that_are_not_utf_8_are_refused(file: Path) -> None:
    file.write_bytes(b'name = "\xff"')
    with pytest.raises(CliError, match=r"config\.toml is not UTF-8 text$") as caught:
        load_config()
    assert caught.value.code is Exit.USAGE


def test_a_file_that_cannot_be_read_is_not_taken_for_none(file: Path) -> None:
    file.mkdir()
    with pytest.raises(CliError, match=r"config\.toml cannot be read") as caught:
        load_config()
    assert caught.value.code is Exit.FILES


def test_a_bad_file_ends_every_command_that_talks_to_somebody(e2ee: Any, tmp_path: Path) -> None:
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "config.toml").write_text('require = "verfied"')
    for command in (["listen", "--port", "0"], ["connect", "127.0.0.1:1"], ["invite"], ["join"]):
        code, out, err = e2ee.run(*command)
        assert (code, out) == (2, "")
        assert "config.toml: require is one of" in err


def listens_with(*arguments: str) -> dict[str, Any]:
    """What `e2ee listen` would run with."""
    command: Any = typer.main.get_command(app)
    apply(command, lenient=False)
    listen = command.commands["listen"]
    parameters: dict[str, Any] = listen.make_context("listen", list(arguments)).params
    return parameters


def test_the_command_line_before_the_environment_before_the_file_before_the_default(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (listens_with()["port"], listens_with()["require"]) == (3233, None)
    file.write_text('port = 4001\nrequire = "seen"\nhost = "127.0.0.1"')
    with_file = listens_with()
    assert (with_file["port"], with_file["require"]) == (4001, "seen")
    assert with_file["host"] == "127.0.0.1"
    monkeypatch.setenv("E2EE_PORT", "4002")
    monkeypatch.setenv("E2EE_REQUIRE", "invited")
    assert (listens_with()["port"], listens_with()["require"]) == (4002, "invited")
    given = listens_with("--port", "4003", "--require", "verified")
    assert (given["port"], given["require"]) == (4003, "verified")
    assert load_config().require is Grade.INVITED
    monkeypatch.setenv("E2EE_NAME", "Zoë")
    assert load_config().name == "Zoë"
    monkeypatch.setenv("E2EE_PORT", "")  # As if it were not there.
    assert listens_with()["port"] == 4001


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", "x"),
        ("port", "65536"),
        ("require", "new"),
        ("quiet", "yes"),
        ("name", "a\x1bb"),
        ("name", "x" * 33),
        ("host", "\u202e"),
    ],
)
def test_a_variable_that_is_wrong_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.setenv(variable(key), value)
    with pytest.raises(CliError, match=f"the environment: E2EE_{key.upper()} is ") as caught:
        setting(key)
    assert caught.value.code is Exit.USAGE
    assert str(caught.value).isprintable()


def test_each_key_can_be_in_the_file_and_has_its_option(file: Path) -> None:
    file.write_text(
        'require = "seen"\nname = "Zoë"\nhost = "::"\nport = 1\nquiet = true\nverbose = false\n'
        'log_file = "log"\nhistory = true\nhistory_days = 30\nplain = true\nbell = true\n'
        "notify = true\n"
    )
    assert set(read_file()) == set(SETTINGS)
    command: Any = typer.main.get_command(app)
    options = {
        name
        for each in [command, *command.commands.values()]
        for parameter in each.params
        if parameter.param_type_name == "option"
        for name in parameter.opts
    }
    assert {option(key) for key, about in SETTINGS.items() if about.option} <= options
    assert not {option(key) for key, about in SETTINGS.items() if not about.option} & options


def test_what_i_call_myself_is_nobody_whom_a_command_is_about(e2ee: Any) -> None:
    assert e2ee.run("id")[0] == 0
    (e2ee.folder / "alice" / "config.toml").write_text('name = "Alice"\nhistory = true\n')
    assert e2ee.run("history")[::2] == (0, "Nothing such was kept.\n")
    code, _, err = e2ee.run("contact", "remove")
    assert (code, "Missing argument 'NAME'" in err) == (2, True)


def test_no_argument_has_the_name_of_an_option_that_can_be_set() -> None:
    def below(command: Any) -> Iterator[Any]:
        yield from command.params
        for each in getattr(command, "commands", {}).values():
            yield from below(each)

    arguments = {
        one.name for one in below(typer.main.get_command(app)) if one.param_type_name == "argument"
    }
    assert not arguments & {key for key, about in SETTINGS.items() if about.option}


def test_what_is_set_for_all_counts_in_a_profile_and_with_a_bad_file_there_is_still_help(
    e2ee: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "alice" / "profiles" / "work"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("quiet = true")
    assert e2ee.run("--profile", "work", "id")[2] == ""
    (folder / "config.toml").write_text("quite = true")
    code, out, err = e2ee.run("--profile", "work", "id")
    assert (code, out) == (2, "")
    assert "did you mean 'quiet'?" in err
    assert e2ee.run("--profile", "work", "listen", "--help")[0] == 0
