"""hypothesis, or else what to install."""

try:
    from hypothesis import stateful
    from hypothesis import strategies as st
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "e2ee.testing's strategies and its machine need hypothesis: install e2ee-session[testing]"
    ) from None

__all__ = ["st", "stateful"]
