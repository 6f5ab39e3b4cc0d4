"""Which version of which distribution this is."""

from importlib.metadata import version

DISTRIBUTION = "e2ee-session"


def version_line() -> str:
    """What ``--version`` shows."""
    return f"e2ee {version(DISTRIBUTION)}"
