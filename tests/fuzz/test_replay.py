"""What fuzzing has found interesting once, and what honest programs send, through every target
again; no fuzzer is needed for that.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import corpus
from .seeds import seeds
from .targets import TARGETS


@pytest.mark.attack(37)
@pytest.mark.attack(50)
@pytest.mark.parametrize("target", TARGETS)
def test_no_input_of_the_corpus_breaks_a_promise(
    target: str, figure: Callable[[str], None]
) -> None:
    inputs = [*corpus.read(target), *seeds(target)]
    for data in inputs:
        TARGETS[target](data)
    figure(f"fuzzing, {target}: {len(inputs)} inputs of the corpus replayed, no promise broken")


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in corpus.FOLDER.glob("*.hex")) <= 2 * 2**20
