"""The table of events is a schema, and has all that the program says."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from e2ee_cli.events import EVENTS, schema

SOURCES = sorted((Path(__file__).parent.parent.parent / "cli").glob("*.py"))
FOR_EYES_ONLY = {"qr", "starting", "legend", "wire", "over"}
"""Said by what has no --json: the demo, and pictures for a terminal."""


def test_the_command_prints_a_valid_schema(e2ee: Any) -> None:
    code, out, err = e2ee.run("schema")
    assert (code, err, json.loads(out)) == (0, "", schema())
    Draft202012Validator.check_schema(json.loads(out))


def test_a_line_is_one_event_with_its_fields_and_nothing_else() -> None:
    validator = Draft202012Validator(schema())
    validator.validate({"v": 1, "event": "connecting", "address": "127.0.0.1:1"})
    validator.validate({"v": 1, "event": "error", "message": "no", "code": 4, "kind": "X"})
    for wrong in (
        {"event": "connecting", "address": "127.0.0.1:1"},
        {"v": 2, "event": "connecting", "address": "127.0.0.1:1"},
        {"v": 1, "event": "connecting"},
        {"v": 1, "event": "connecting", "address": 1},
        {"v": 1, "event": "connecting", "address": "127.0.0.1:1", "more": 1},
        {"v": 1, "event": "something"},
    ):
        with pytest.raises(ValidationError):
            validator.validate(wrong)


def test_every_event_of_the_program_is_in_the_table_and_every_row_is_used() -> None:
    said = {"message", "hint"}
    for source in SOURCES:
        text = source.read_text()
        said |= set(re.findall(r'\.(?:status|note|say)\(\s*"(\w+)"', text))
        said |= set(re.findall(r'\bevent="(\w+)"', text))
    assert said - FOR_EYES_ONLY == set(EVENTS)


def texts_of(call: ast.Call) -> Iterator[str]:
    """What it is given for a person, without what is filled in."""
    for argument in call.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value
        elif isinstance(argument, ast.JoinedStr):
            yield "".join(str(p.value) for p in argument.values if isinstance(p, ast.Constant))


def test_a_text_that_we_break_into_rows_fits_a_terminal_of_80_columns() -> None:
    broken = [
        text
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in {"status", "CliError"}
        for text in texts_of(node)
        if "\n" in text
    ]
    assert len(broken) > 10
    assert [row for text in broken for row in text.split("\n") if len(row) >= 80] == []


def test_nothing_that_lets_somebody_in_may_be_logged() -> None:
    for event, field in [("code", "code"), ("link", "link"), ("backup", "phrase")]:
        assert not EVENTS[event].fields[field].logged
    assert not EVENTS["message"].fields["text"].logged
    assert not any(field.logged for field in EVENTS["safety_number"].fields.values())
