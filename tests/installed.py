"""Checks an installation from a wheel: what is there, and that nothing else came with it.

Run by the installation's own interpreter, outside of the repository.
"""

import sysconfig
from importlib.metadata import distribution, packages_distributions
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import e2ee
import e2ee_cli.main

assert e2ee.Session.__module__ == "e2ee.session"
assert e2ee_cli.main.app.info.name == "e2ee"

ours = sorted(name for name, owners in packages_distributions().items() if "e2ee-session" in owners)
assert ours == ["e2ee", "e2ee_cli"], ours
assert files("e2ee").joinpath("py.typed").is_file()
assert files("e2ee").joinpath("words.txt").is_file()
for module in ("pair", "strategies"):
    assert find_spec(f"e2ee.testing.{module}") is not None, f"e2ee.testing.{module} is missing"
for stranger in ("cli", "tests", "benchmarks"):
    assert find_spec(stranger) is None, f"{stranger} was installed too"
assert Path(sysconfig.get_path("data"), "share/man/man1/e2ee.1").is_file()

installed = distribution("e2ee-session")
assert installed.metadata["License-Expression"] == "Apache-2.0"
scripts = [entry.name for entry in installed.entry_points.select(group="console_scripts")]
assert scripts == ["e2ee"], scripts
plugins = [entry.value for entry in installed.entry_points.select(group="pytest11")]
assert plugins == ["e2ee.testing.plugin"], plugins
print(f"e2ee {installed.version} is installed well")
