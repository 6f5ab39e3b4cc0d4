"""What may cost more than the figures say: nearly nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tests.speed.counting import Counts

MORE_INSTRUCTIONS = 0.02
"""Of a figure; what a message costs is a few hundred."""

MORE_BYTES = 64
"""A copy of the smallest message takes more: its 64 bytes, and 33 of the object."""

MORE_OF_MUCH = 0.001
"""Of a figure, where that is more bytes: random numbers do not all take the same."""


def excess(name: str, found: Counts, figure: Counts) -> Iterator[str]:
    """A line for each count of this operation that is above its figure by more than the margin."""
    for primitive, calls in found.primitives.items():
        if calls > (before := figure.primitives.get(primitive, 0)):
            yield f"{name}: {calls} calls of {primitive}, not {before}"
    if found.instructions > figure.instructions * (1 + MORE_INSTRUCTIONS):
        yield f"{name}: {found.instructions} instructions, not {figure.instructions}"
    if found.allocated > figure.allocated + max(MORE_BYTES, figure.allocated * MORE_OF_MUCH):
        yield f"{name}: {found.allocated:,} bytes allocated, not {figure.allocated:,}"
