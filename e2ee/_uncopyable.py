"""Objects that hold keys and counters must exist once: a copy would repeat nonces."""

from __future__ import annotations

from typing import NoReturn


class Uncopyable:
    """Refuses to be copied or pickled, and shows none of its fields."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds secrets and cannot be copied or pickled")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
