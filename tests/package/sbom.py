"""Checks a bill of materials against the environment that it was made of: ``sbom.py FILE``.

Run by that environment's own interpreter, in which the wheel and what it needs is installed, and
nothing else. That the file has the form of CycloneDX is checked where it is made.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import distributions, requires
from pathlib import Path
from typing import Any


def canonical(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def main(path: Path) -> None:
    bom = json.loads(path.read_text())
    listed = {canonical(part["name"]): part["version"] for part in bom["components"]}
    installed = {canonical(each.metadata["Name"]): each.version for each in distributions()}
    root = bom["metadata"]["component"]
    assert installed.pop("e2ee-session") == root["version"]
    assert listed == installed, set(listed.items()) ^ set(installed.items())

    names = {part["bom-ref"]: canonical(part["name"]) for part in bom["components"]}
    names[root["bom-ref"]] = "e2ee-session"
    needed = {names[each["ref"]]: each.get("dependsOn", []) for each in bom["dependencies"]}
    for name, references in needed.items():
        # More may be listed: what is here for another reason, and that an extra would ask for.
        assert {names[reference] for reference in references} >= asked_for(name, installed), name
    assert reachable("e2ee-session", needed, names) == {"e2ee-session", *listed}
    for part in bom["components"]:
        assert part["purl"] == f"pkg:pypi/{canonical(part['name'])}@{part['version']}"
        assert part["licenses"], part["name"]
    print(f"the bill of materials has the {len(listed)} distributions that e2ee-session needs here")


def asked_for(name: str, installed: dict[str, Any]) -> set[str]:
    """What a distribution's metadata asks for here: what is installed, and no extra."""
    lines = [line for line in requires(name) or [] if "extra ==" not in line]
    names = {canonical(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]) for line in lines}
    return names & installed.keys()


def reachable(name: str, needed: dict[str, list[str]], names: dict[str, str]) -> set[str]:
    below = (reachable(names[reference], needed, names) for reference in needed.get(name, []))
    return {name}.union(*below)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
