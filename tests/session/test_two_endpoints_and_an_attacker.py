"""Some examples of the machine in ``two_endpoints_and_an_attacker.py``, and of what it guards.

The number of examples follows hypothesis's profile: ``--hypothesis-profile=nightly`` runs a hundred
times as many as continuous integration.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings

from .two_endpoints_and_an_attacker import figures, run

Figure = Callable[[str], None]


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.attack(5, 7, 20, 21, 22, 24, 30, 31, 49, 50)
def test_two_endpoints_and_an_attacker(figure: Figure) -> None:
    for line in figures(run(2 * settings().max_examples)):
        figure(line)
