"""``config.toml``: four keys, and everything else is refused by name."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from e2ee.contacts import Grade
from e2ee_cli.config import Config, load_config
from e2ee_cli.exits import CliError, Exit


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
        ('requires = "seen"', "'requires', which means nothing"),
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
        ("history_days = 0", "from 1 to 36,500"),
        ("history_days = 36501", "from 1 to 36,500"),
        ("history_days = true", "from 1 to 36,500"),
        ("history_days = 1.5", "from 1 to 36,500"),
        ('history_days = "30"', "from 1 to 36,500"),
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
        ("x = " + "[" * 100_000, "is not TOML"),
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
    with pytest.raises(CliError, match="is not TOML") as caught:
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
