"""Every key pair, nonce and name of a run is drawn anew, from the system, in each process."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import e2ee
from e2ee import CLASSICAL_AESGCM, Session
from e2ee.invitation import SpokenCode

from .people import ALICE

Figure = Callable[[str], None]


@pytest.mark.attack(18)
@pytest.mark.parametrize("openings", [10_000, pytest.param(100_000, marks=pytest.mark.nightly)])
def test_no_two_openings_have_a_key_in_common(openings: int, figure: Figure) -> None:
    seen = {
        Session.initiator(ALICE, suite=CLASSICAL_AESGCM).data_to_send()[8:] for _ in range(openings)
    }
    assert len(seen) == openings
    figure(f"randomness: {openings:,} openings, {openings - len(seen)} ephemeral keys twice")


@pytest.mark.attack(18)
@pytest.mark.parametrize("forks", [50, pytest.param(1_000, marks=pytest.mark.nightly)])
def test_a_fork_draws_other_keys_than_its_parent(forks: int, figure: Figure) -> None:
    def drawn() -> bytes:
        meeting = Session.initiator(ALICE).data_to_send()
        code = Session.initiator(ALICE, invitation=SpokenCode(4, ["acrobat", "velcro", "sugar"]))
        # The ephemeral key; the KEM's; the name of the run, CPace's share and the commitment.
        return meeting[8:40] + meeting[40:72] + code.data_to_send()[8:]

    parts: list[set[bytes]] = [set() for _ in range(5)]
    for _ in range(forks):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, drawn())
            finally:
                os._exit(0)
        own = drawn()
        os.waitpid(child, 0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            theirs = pipe.read()
        for data in (own, theirs):
            code = data[64:]
            pieces = (data[:32], data[32:64], code[:16], code[18:50], code[50:82])
            for part, piece in zip(parts, pieces, strict=True):
                part.add(piece)
    assert [len(part) for part in parts] == [2 * forks] * 5
    figure(f"randomness: {forks:,} pairs of parent and forked child, 0 values in common")


FIXED = {"Handshake": {"e", "kem"}, "CPace": {"scalar"}}
"""What replaces random values, for known-answer tests."""


@pytest.mark.attack(18)
def test_the_package_never_fixes_a_random_value(figure: Figure) -> None:
    calls = 0
    for file in Path(e2ee.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                forbidden = FIXED.get(node.func.id, set())
                calls += bool(forbidden)
                assert not forbidden & {keyword.arg for keyword in node.keywords}, file
    assert calls == 3
    figure(f"randomness: {calls} of {calls} handshakes and runs of CPace in the code fix nothing")
