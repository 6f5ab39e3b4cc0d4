"""Who sits at a terminal is told what is waited for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from e2ee_cli import hint
from e2ee_cli.output import Output


def test_a_code_from_a_terminal_that_was_named_as_a_file(terminal: Callable[..., Any]) -> None:
    child = terminal("join", "--file", "/dev/stdin", "--at", "127.0.0.1:1", person="alice")
    child.expect("I read the code or the link from this terminal; Enter and then Ctrl-D")
    child.sendline("1-acrobat-velcro-sugar")
    child.sendeof()
    child.expect("cannot connect")


def test_nothing_is_said_of_what_is_no_terminal_or_comes_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = threading.Event()
    monkeypatch.setattr(Output, "status", lambda *_, **__: said.set())
    reading, writing = os.pipe()
    main, terminal = os.openpty()
    output = Output(as_json=False)
    monkeypatch.setattr(hint, "PATIENCE", 0.01)
    with hint.hinting(output, "it", reading):
        assert not said.wait(0.1)
    monkeypatch.setattr(hint, "PATIENCE", 3600)
    with hint.hinting(output, "it", terminal):
        pass
    threads = threading.enumerate()
    timers = [t for t in threads if isinstance(t, threading.Timer) and t.interval == 3600]
    assert all(timer.finished.is_set() for timer in timers)
    monkeypatch.setattr(hint, "PATIENCE", 0.01)
    with hint.hinting(output, "it", terminal):
        assert said.wait(20)
    for number in (reading, writing, main, terminal):
        os.close(number)


class Timer:
    """A timer of a read that takes so many seconds."""

    passing = 0.0

    def __init__(
        self, interval: float, function: Callable[..., None], args: Any, kwargs: Any
    ) -> None:
        self._interval = interval
        self._call = partial(function, *args, **kwargs)

    def start(self) -> None:
        if Timer.passing >= self._interval:
            self._call()

    def cancel(self) -> None: ...


@pytest.mark.attack(26)
def test_the_hint_comes_at_its_time_and_not_before(
    monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    def hints(seconds: float) -> int:
        said: list[str] = []
        monkeypatch.setattr(Output, "status", lambda _, *words, **__: said.append(words[0]))
        monkeypatch.setattr(Timer, "passing", seconds)
        with hint.hinting(Output(as_json=False), "it", terminal):
            pass
        return said.count("hint")

    monkeypatch.setattr(hint, "threading", SimpleNamespace(Timer=Timer))
    main, terminal = os.openpty()
    limit = hint.PATIENCE
    assert [hints(seconds) for seconds in (0, 0.999 * limit, limit, 1e6)] == [0, 0, 1, 1]
    os.close(main)
    os.close(terminal)
    figure(f"limits: who types within {limit:g} s gets no hint")
