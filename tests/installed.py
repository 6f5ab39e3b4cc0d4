"""Checks an installation from a wheel: what is there, and that nothing else came with it.

Run by the installation's own interpreter, outside of the repository.
"""

from importlib.metadata import distribution, packages_distributions
from importlib.resources import files
from importlib.util import find_spec

ours = sorted(name for name, owners in packages_distributions().items() if "e2ee-session" in owners)
assert ours == ["e2ee", "e2ee_cli"], ours
assert files("e2ee").joinpath("py.typed").is_file()
assert files("e2ee").joinpath("words.txt").is_file()
for stranger in ("cli", "tests", "benchmarks"):
    assert find_spec(stranger) is None, f"{stranger} was installed too"

metadata = distribution("e2ee-session").metadata
assert metadata["License-Expression"] == "Apache-2.0"
scripts = [
    entry.name
    for entry in distribution("e2ee-session").entry_points.select(group="console_scripts")
]
assert scripts == ["e2ee"], scripts

import e2ee  # noqa: E402 -- what is there is checked first
import e2ee_cli.main  # noqa: E402

assert e2ee.Session
assert e2ee_cli.main.app
print(f"e2ee {metadata['Version']} is installed well")
