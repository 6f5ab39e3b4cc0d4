"""Openings and the refresh, and an intruder who has the network: SPEC.md, sections 3 to 5, 9.7."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.model import claims
from tests.model.mutants import BROKEN, REDUNDANT
from tests.model.mutation import Mutation
from tests.model.openings import Opening
from tests.model.questions import Answer, Question, ask, questions

QUESTIONS = {question.title: question for question in questions()}
ROWS: dict[object, int] = {
    claims.authentic: 1,
    claims.secret_keys: 1,
    claims.forward_secret: 1,
    claims.invited_only: 1,
    claims.invited_contacts_only: 1,
    claims.secret_without_kem: 3,
    claims.secret_from_recording: 3,
    claims.secret_without_both: 3,
    claims.secret_without_anything: 3,
    claims.healed_from_recording: 3,
    claims.same_view: 4,
    claims.authentic_but_for_alice: 5,
    claims.authentic_but_for_bob: 5,
    claims.not_oneself: 6,
    claims.unique: 7,
    claims.one_answer: 7,
    claims.no_answer_for_alice: 7,
    claims.link_once: 7,
    claims.one_guess: 17,
    claims.no_guessing_later: 17,
    claims.records_from_peer: 24,
}
"""Rows of the catalogue that a claim is about; what says "downgrade" is about row 2."""


def marks(question: Question) -> list[pytest.MarkDecorator]:
    if isinstance(question.claim, claims.Hidden):
        return [pytest.mark.attack(15)]
    if "downgrade" in question.name:
        return [pytest.mark.attack(2)]
    return [pytest.mark.attack(ROWS[question.claim])] if question.claim in ROWS else []


@cache
def answers(search: tuple[object, ...]) -> dict[str, Answer]:
    """Those of all questions that one search answers."""
    alike = [question for question in QUESTIONS.values() if question.search == search]
    return {answer.question.title: answer for answer in ask(alike)}


@pytest.mark.parametrize(
    "title",
    [pytest.param(title, marks=marks(each), id=title) for title, each in QUESTIONS.items()],
)
def test_the_model_answers_as_the_specification_says(
    title: str, figure: Callable[[str], None]
) -> None:
    answer = answers(QUESTIONS[title].search)[title]
    figure(str(answer))
    assert answer.expected, answer.attack


@pytest.mark.parametrize("mutation", BROKEN, ids=lambda mutation: mutation.name)
def test_the_search_finds_what_each_protective_step_prevents(
    mutation: Mutation, figure: Callable[[str], None]
) -> None:
    (answer,) = ask([QUESTIONS[BROKEN[mutation]]], mutation)
    figure(f"model without one step: {mutation.value}; {answer}")
    assert answer.question.holds
    assert answer.attack is not None


def test_every_step_is_found_or_said_to_be_redundant() -> None:
    assert BROKEN.keys() | REDUNDANT == set(Mutation)
    assert not BROKEN.keys() & REDUNDANT


@pytest.mark.nightly
@pytest.mark.timeout(0)
@pytest.mark.parametrize("opening", Opening, ids=lambda opening: opening.value)
def test_more_sessions_and_keys_of_the_wrong_kind_change_no_answer(
    opening: Opening, figure: Callable[[str], None]
) -> None:
    asked = [each for each in questions(large=True) if each.opening is opening]
    found = ask(asked, wide=True)
    states = {answer.question.search: answer.states for answer in found}
    figure(f"{opening.value}: {len(found)} answers as expected in {sum(states.values()):,} states")
    assert [answer for answer in found if not answer.expected] == []


@pytest.mark.nightly
@pytest.mark.parametrize("mutation", sorted(REDUNDANT), ids=lambda mutation: mutation.name)
def test_without_a_redundant_step_no_answer_changes(
    mutation: Mutation, figure: Callable[[str], None]
) -> None:
    found = ask(QUESTIONS.values(), mutation)
    figure(f"model without one step: {mutation.value}; {len(found)} answers are as before")
    assert [answer for answer in found if not answer.expected] == []
