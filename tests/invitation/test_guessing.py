"""How far guessing gets: one try for a code, and no better than chance for safety words."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import settings

from e2ee import Identity, ProtocolError, Session, State
from e2ee.code_offer import CodeOffer, OfferState
from e2ee.ids import safety_words, word_list
from e2ee.invitation import SpokenCode

Figure = Callable[[str], None]

BOB, MALLORY = Identity.generate(), Identity.generate()
FEW = 8
"""Words that the third of a code is drawn from here, so that guesses succeed at all."""


def within_three_sigma(hits: int, tries: int, chance: float) -> bool:
    return (hits - tries * chance) ** 2 <= 9 * tries * chance * (1 - chance)


@pytest.mark.attack(17)
def test_a_guesser_has_one_try_and_its_chance(figure: Figure) -> None:
    source = random.Random(17)
    words = word_list()[:FEW]
    tries, hits = 3 * settings().max_examples, 0
    for _ in range(tries):
        code = SpokenCode(4, ["acrobat", "velcro", source.choice(words)])
        offer = CodeOffer(code)
        order = source.sample(words, 3)
        opened = []
        for word in order:
            mallory = Session.initiator(
                MALLORY, invitation=SpokenCode(4, ["acrobat", "velcro", word])
            )
            bob = Session.responder(BOB, suites=(), code=offer)
            sessions = (mallory, bob)
            turn = 0
            try:
                while data := sessions[turn].data_to_send():
                    turn = 1 - turn
                    sessions[turn].receive_data(data)
            except ProtocolError:
                assert offer.state is not OfferState.OPEN
            opened.append(bob.state is State.OPEN)
        # The second and the third guess are worth nothing, right or wrong.
        assert opened == [order[0] == code.words[2], False, False]
        hits += opened[0]
    assert within_three_sigma(hits, tries, 1 / FEW)
    figure(
        f"guessed code, 1 of {FEW} here: {hits} of {tries} first tries, 0 of {2 * tries} later "
        f"ones; of a real code, 1 of {1295**3:,}"
    )


@pytest.mark.attack(17)
@pytest.mark.parametrize(
    "tries", [2**14, pytest.param(2**20, marks=pytest.mark.nightly)], ids=["2^14", "2^20"]
)
def test_grinding_for_safety_words_is_no_better_than_chance(tries: int, figure: Figure) -> None:
    """What stands for a key here is hashed just as a key is."""
    wanted = safety_words(bytes(32))
    hits = [0] * 8
    for number in range(1, tries + 1):
        found = safety_words(number.to_bytes(32))
        equal = 0
        while equal < 8 and found[equal] == wanted[equal]:
            hits[equal] += 1
            equal += 1
    assert within_three_sigma(hits[0], tries, 1 / 1296)
    assert hits[2] == 0
    figure(
        f"safety words: {tries:,} keys, {hits[0]} with the first word ({tries / 1296:.0f} "
        f"expected), {hits[1]} with two, 0 with three of eight"
    )
