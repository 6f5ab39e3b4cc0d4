"""The backup phrase: 26 words bring an identity back, and a mistake in them is noticed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ee import Identity
from e2ee.backup import PHRASE_LENGTH, backup_phrase, restore
from e2ee.errors import InvalidBackup, UsageError
from e2ee.ids import PREFIX_LENGTH, word_list

NOW = 1_800_000_000
SEED = b"CANARY-identity-seed-32-bytes-AA"
WORDS = word_list()

SEEDS = st.binary(min_size=32, max_size=32) | st.sampled_from([bytes(32), b"\xff" * 32])


def checksum(seed: bytes) -> int:
    digest = hashlib.sha256(b"e2ee backup phrase v1\0" + seed).digest()
    return int(digest.hex()[:3], 16)


PLACES = {word: place for place, word in enumerate(WORDS)}


def as_number(phrase: Sequence[str]) -> int:
    number = 0
    for word in phrase:
        number = number * 1296 + PLACES[word]
    return number


def as_phrase(number: int) -> list[str]:
    return [WORDS[number // 1296**power % 1296] for power in reversed(range(26))]


def test_twenty_six_words_are_enough_and_twenty_five_are_not() -> None:
    assert len(WORDS) == len(set(WORDS)) == 1296
    assert 1296**25 < 2 ** (256 + 12) < 1296**26
    assert PHRASE_LENGTH == 26


@given(SEEDS)
def test_every_identity_comes_back_from_its_phrase(seed: bytes) -> None:
    identity = Identity.from_seed(seed, now=NOW)
    phrase = backup_phrase(identity)
    restored = restore(phrase, now=NOW + 9)
    assert restored.id == identity.id
    assert restored.use_seed(bytes) == seed
    assert restored.device_key.private_bytes_raw() != identity.device_key.private_bytes_raw()
    assert restored.not_after == identity.not_after + 9


@given(SEEDS)
def test_the_phrase_is_as_the_specification_says(seed: bytes) -> None:
    phrase = backup_phrase(Identity.from_seed(seed))
    assert list(phrase) == as_phrase(int.from_bytes(seed) << 12 | checksum(seed))


def test_two_phrases_that_never_change() -> None:
    assert " ".join(backup_phrase(Identity.from_seed(bytes(32)))) == (
        "aardvark aardvark aardvark aardvark aardvark aardvark aardvark aardvark aardvark "
        "aardvark aardvark aardvark aardvark aardvark aardvark aardvark aardvark aardvark "
        "aardvark aardvark aardvark aardvark aardvark aardvark abbreviate feline"
    )
    assert " ".join(backup_phrase(Identity.from_seed(bytes(range(32))))) == (
        "aardvark achiness janitor snugness occupation jasmine pushup unjustly dibs "
        "elastic aardvark dimple jersey utility fictitious exist sulphur enactment "
        "rudderless jasmine upload auditorium bohemian wrongdoing folksong affidavit"
    )


def test_of_each_word_the_first_three_letters_are_enough_in_any_case() -> None:
    identity = Identity.from_seed(SEED)
    phrase = backup_phrase(identity)
    for length in range(PREFIX_LENGTH, max(map(len, phrase)) + 1):
        shortened = [word[:length] for word in phrase]
        assert restore(shortened).id == identity.id
        assert restore([word.upper() for word in shortened]).id == identity.id
        assert restore([word.title() for word in shortened]).id == identity.id


@pytest.mark.parametrize("typed", ["zzz", "", "a", "ac", "acrobatt", "acrobat ", "äcr", "\x1b[2J"])
def test_a_word_that_is_not_in_the_list_is_named_with_its_place(typed: str) -> None:
    phrase = list(backup_phrase(Identity.from_seed(SEED)))
    for place in (0, 12, 25):
        wrong = phrase.copy()
        wrong[place] = typed
        with pytest.raises(InvalidBackup, match=f"^word {place + 1} of the backup") as caught:
            restore(wrong)
        assert repr(typed) in str(caught.value)
        assert str(caught.value).isprintable()


def test_a_long_wrong_word_makes_no_long_error() -> None:
    with pytest.raises(InvalidBackup) as caught:
        restore(["x" * 100_000] * 26)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("count", [0, 1, 25, 27, 52])
def test_another_number_of_words_is_refused_with_both_numbers(count: int) -> None:
    phrase = backup_phrase(Identity.from_seed(SEED)) * 2
    with pytest.raises(InvalidBackup, match=f"a backup has 26 words, not {count}"):
        restore([*phrase, "acrobat"][:count])


def test_a_text_is_no_sequence_of_words() -> None:
    with pytest.raises(InvalidBackup):
        restore("acrobatvelcrosugaracrobatv")


def fits(number: int) -> bool:
    """Much quicker than to restore it."""
    return number < 2**268 and checksum((number >> 12).to_bytes(32)) == number & 0xFFF


def is_noticed(phrase: Sequence[str], identity: Identity) -> bool:
    """Where the checksum happens to fit the id is another, and nothing of the first is shown."""
    try:
        restored = restore(phrase)
    except InvalidBackup as error:
        return "checksum does not fit" in str(error)
    assert restored.id != identity.id
    return False


def test_every_single_changed_word_is_tried_and_the_checksum_misses_few(
    figure: Callable[[str], None],
) -> None:
    identity = Identity.from_seed(SEED)
    number = as_number(backup_phrase(identity))
    tried = missed = 0
    for power in range(26):
        weight = 1296**power
        digit = number // weight % 1296
        for other in range(1296):
            if other != digit:
                tried += 1
                changed = number + (other - digit) * weight
                if fits(changed):
                    missed += 1
                    assert not is_noticed(as_phrase(changed), identity)
    assert tried == 26 * 1295
    # 8.2 are expected; above 24 is less likely than one in a hundred thousand.
    assert missed <= 24
    figure(f"backup phrase: the checksum misses {missed} of {tried} changes of one word")


def test_a_sample_of_changed_words_is_noticed_by_restoring() -> None:
    identity = Identity.from_seed(SEED)
    phrase = backup_phrase(identity)
    rng = random.Random(1)
    noticed = 0
    for _ in range(300):
        changed = list(phrase)
        place = rng.randrange(26)
        changed[place] = rng.choice([word for word in WORDS if word != phrase[place]])
        noticed += is_noticed(changed, identity)
    assert noticed >= 297


def test_swaps_are_noticed_but_for_a_few(figure: Callable[[str], None]) -> None:
    tried = missed = 0
    for index in range(40):
        identity = Identity.from_seed(hashlib.sha256(bytes([index])).digest())
        phrase = backup_phrase(identity)
        for first in range(26):
            for second in range(first):
                swapped = list(phrase)
                swapped[first], swapped[second] = phrase[second], phrase[first]
                if swapped != list(phrase):
                    tried += 1
                    number = as_number(swapped)
                    if fits(number):
                        missed += 1
                        assert not is_noticed(swapped, identity)
    assert tried > 12_900
    # 3.2 are expected.
    assert missed <= 15
    figure(f"backup phrase: the checksum misses {missed} of {tried} swaps of two words")


def test_numbers_that_no_identity_has_are_refused() -> None:
    seed = bytes(32)
    number = checksum(seed)
    assert restore(as_phrase(number)).use_seed(bytes) == seed
    # The same but for a multiple of 2^268, which must not be cut off.
    for above in (1, 2):
        if number + (above << 268) < 1296**26:
            with pytest.raises(InvalidBackup, match="checksum"):
                restore(as_phrase(number + (above << 268)))
    with pytest.raises(InvalidBackup, match="checksum"):
        restore([WORDS[-1]] * 26)


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=30))
def test_any_words_restore_an_identity_or_are_refused(words: list[str]) -> None:
    try:
        restored = restore(words)
    except InvalidBackup as error:
        assert "\n" not in str(error)  # noqa: PT017 -- either outcome is right
    else:
        assert len(backup_phrase(restored)) == 26


def test_a_mistyped_backup_is_not_repeated_in_the_error() -> None:
    phrase = list(backup_phrase(Identity.from_seed(SEED)))
    phrase[3] = "acrobat" if phrase[3] != "acrobat" else "sugar"
    with pytest.raises(InvalidBackup) as caught:
        restore(phrase)
    assert not any(word in str(caught.value).split() for word in phrase)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33), "x" * 32, None])
def test_a_seed_of_another_size_is_refused(seed: bytes) -> None:
    with pytest.raises(UsageError, match="32 bytes"):
        Identity.from_seed(seed)
