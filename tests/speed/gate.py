"""What may cost more than the figures say: nearly nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tests.speed.counting import Counts

MORE_INSTRUCTIONS = 3
"""A copy into memory that is there already takes more."""

MORE_BYTES = 64
"""A copy of the smallest message takes more: its 64 bytes, and 33 of the object."""

MORE_OF_MANY_INSTRUCTIONS = 0.005
"""Of a figure, where that is more: another patch of Python may have other lines in asyncio."""

MORE_OF_MANY_BYTES = 0.001
"""Of a figure, where that is more: random numbers do not all take the same."""


def excess(name: str, found: Counts, figure: Counts) -> Iterator[str]:
    """A line for each count of this operation that is above its figure by more than the margin."""
    for primitive, calls in found.primitives.items():
        if calls > (before := figure.primitives.get(primitive, 0)):
            yield f"{name}: {calls} calls of {primitive}, not {before}"
    instructions = max(MORE_INSTRUCTIONS, figure.instructions * MORE_OF_MANY_INSTRUCTIONS)
    if found.instructions > figure.instructions + instructions:
        yield f"{name}: {found.instructions} instructions, not {figure.instructions}"
    allocated = max(MORE_BYTES, figure.allocated * MORE_OF_MANY_BYTES)
    if found.allocated > figure.allocated + allocated:
        yield f"{name}: {found.allocated:,} bytes allocated, not {figure.allocated:,}"
