"""How Sphinx makes the site: ``sphinx-build -W -n -c docs . build/docs``.

The source folder is the repository, so that links among the pages, README.md and SPEC.md are the
same here and where the files are read as they are.
"""

import tomllib
from importlib.metadata import version as version_of
from pathlib import Path

distribution = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
project = "e2ee"
author = "the e2ee authors"
version = release = version_of(distribution["name"])

root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/reference/*.rst",
    "README.md",
    "SPEC.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "changes/README.md",
]
exclude_patterns = [".venv", ".git", "build", "tests", "e2ee", "cli", "benchmarks"]
extensions = ["myst_parser", "sphinx.ext.autodoc"]

myst_heading_anchors = 4

autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "exclude-members": "model_config",
}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

nitpicky = True
# Names of others: a build needs no network, so it cannot look them up.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(annotated_types|asyncio|collections|contextlib|cryptography|os|socket|websockets)\..*",
    ),
    ("py:.*", "SearchStrategy"),  # of hypothesis
    ("py:.*", r"e2ee\..*\.T"),  # a type variable
    ("py:.*", r"e2ee\.testing\.wires\..*"),  # a base class that nobody names
    ("py:.*", r"e2ee\.primitives\..*"),  # what a protocol's name stands for, and nobody calls
]

html_theme = "furo"
html_title = f"e2ee {release}"
html_extra_path = ["site_root"]
html_copy_source = False
