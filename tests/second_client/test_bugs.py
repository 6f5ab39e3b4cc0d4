"""A second client with bugs, one at a time: the session finds each, and says which it is."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import ProtocolError, Session, State
from tests.second_client import chat_bugs, handshake_bugs, opening_bugs, record_bugs
from tests.second_client.bugs import NOT_E2EE, PLACES, TOLD, Answer, Bug, planted
from tests.second_client.chat_play import ChatPlay
from tests.second_client.play import Play

TABLES = {
    "in the handshake": handshake_bugs.BUGS,
    "in the opening": opening_bugs.BUGS,
    "behind the opening": record_bugs.BUGS,
}
MADE_WITHOUT = ("bugs", "chat_bugs", "handshake_bugs", "opening_bugs", "record_bugs")

LATER: tuple[Callable[[Session], object], ...] = (
    lambda session: session.receive_data(b"e2ee"),
    lambda session: session.receive_data(b""),
    lambda session: session.receive_eof(),
    lambda session: session.send(b"x"),
    lambda session: session.data_to_send(),
    lambda session: session.update_key(),
    lambda session: session.refresh(),
    lambda session: session.ping(),
    lambda session: session.export("x", 32),
    lambda session: session.close(),
)
"""Every call that a program can make."""


def answers(bug: Bug) -> dict[str, Answer]:
    """By place."""
    return {place: answer for places, answer in bug.answers.items() for place in places.split()}


def exercised(name: str, bug: Bug, place: str) -> tuple[Play, Answer]:
    with planted(bug) as misbehaved:
        play = Play(place)
        answer = play.run()
    assert misbehaved, f"{name}: nothing of it happened in {place}"
    return play, answer


def check_dead(play: Play) -> None:
    session = play.pair.real
    for call in LATER:
        assert session.state is State.FAILED
        with pytest.raises(ProtocolError) as caught:
            call(session)
        assert caught.value is play.error


@pytest.mark.parametrize("place", PLACES)
def test_without_a_bug_all_goes_well(place: str) -> None:
    assert Play(place).run() == Answer("", TOLD)


@pytest.mark.attack(13)
@pytest.mark.parametrize(
    "table",
    [
        pytest.param("in the handshake", marks=pytest.mark.attack(3)),
        pytest.param("in the opening", marks=pytest.mark.attack(14)),
        pytest.param("behind the opening", marks=pytest.mark.attack(25)),
    ],
)
def test_each_bug_is_answered_with_its_error_and_the_session_is_dead(
    table: str, figure: Callable[[str], None]
) -> None:
    wrong: list[str] = []
    places = 0
    for name, bug in TABLES[table].items():
        for place, expected in answers(bug).items():
            assert expected.error, f"{name} is allowed: it belongs to the harmless ones"
            play, answer = exercised(name, bug, place)
            places += 1
            if answer.error.startswith(NOT_E2EE[:10]) and expected.error == NOT_E2EE:
                # A random key that comes instead of an opening may begin as TLS does.
                answer = dataclasses.replace(answer, error=NOT_E2EE)
            if answer == expected:
                check_dead(play)
            else:
                wrong.append(f"{name}, {place}: {answer}")
    assert not wrong, "\n".join(wrong)
    figure(
        f"buggy peer: {len(TABLES[table])} of {len(TABLES[table])} bugs planted {table} answered "
        f"with the exact error, in {places} roles and openings"
    )


def test_without_a_bug_each_text_of_a_chat_is_shown_once() -> None:
    play = ChatPlay()
    assert play.run() == Answer("", chat_bugs.TOLD)
    assert play.chat.told == ["cuatro"]
    assert not play.memory.texts
    assert not play.journal.count_unconfirmed()


@pytest.mark.attack(13)
def test_each_bug_in_a_chat_is_answered_with_its_error_and_no_text_is_lost(
    figure: Callable[[str], None],
) -> None:
    wrong: list[str] = []
    for name, bug in chat_bugs.BUGS.items():
        with planted(bug) as misbehaved:
            play = ChatPlay()
            answer = play.run()
        assert misbehaved, f"{name}: nothing of it happened"
        if bug.answers != {"chat": answer}:
            wrong.append(f"{name}: {answer}")
        waiting = [text.body for text in play.journal.unconfirmed()]
        assert play.shown_by_another_program() == waiting, name
    assert not wrong, "\n".join(wrong)
    figure(
        f"buggy peer: {len(chat_bugs.BUGS)} of {len(chat_bugs.BUGS)} bugs planted in a chat "
        "answered with the exact error"
    )


def test_there_are_more_than_three_hundred_bugs() -> None:
    assert sum(map(len, TABLES.values())) > 300


@pytest.mark.parametrize("name", record_bugs.HARMLESS)
def test_what_the_specification_allows_does_no_harm(name: str) -> None:
    bug = record_bugs.HARMLESS[name]
    for place, expected in answers(bug).items():
        assert exercised(name, bug, place)[1] == expected, place


@pytest.mark.parametrize("name", MADE_WITHOUT)
def test_bugs_are_made_without_the_package(name: str) -> None:
    for node in ast.walk(ast.parse(Path(__file__).with_name(f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("e2ee") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not str(node.module).startswith("e2ee")
