"""Which version of which distribution this is."""

DISTRIBUTION = "e2ee-session"

VERSION = "0.1.0"
"""That of pyproject.toml too. To look it up in what is installed takes as long as all the rest."""


def version_line() -> str:
    """What ``--version`` shows."""
    return f"e2ee {VERSION}"
