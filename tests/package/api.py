"""The public face of the package, as griffe reads it from the source: checked against ``api.txt``.

``python -m tests.package.api`` fails where they differ, and says what of it breaks programs.
``--write`` makes ``api.txt``, and the table in docs/stability.md, anew.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[2]
SNAPSHOT = Path(__file__).with_name("api.txt")
STABILITY = ROOT / "docs" / "stability.md"

PUBLIC = (
    "e2ee",
    "e2ee.backup",
    "e2ee.code_offer",
    "e2ee.contact_file",
    "e2ee.contacts",
    "e2ee.errors",
    "e2ee.handshake",
    "e2ee.ids",
    "e2ee.invitation",
    "e2ee.opening",
    "e2ee.safety_number",
    *(
        f"e2ee.testing.{name}"
        for name in (
            "attacker",
            "conformance",
            "fixed_keys",
            "machine",
            "pair",
            "strategies",
            "streams",
            "unsent",
        )
    ),
    "e2ee.transport",
    "e2ee.transport.blocking",
    "e2ee.transport.memory",
    "e2ee.transport.tcp",
    "e2ee.transport.unix",
    "e2ee.transport.websocket",
)

INSIDE = {"__slots__", "__post_init__", "__repr__"}
"""Of a class; nobody calls them."""

MADE_OTHERWISE = {
    *(
        "BlockingChannel",
        "Channel",
        "End",
        "Identity",
        "Listener",
        "MemoryStream",
        "Session",
        "SocketListener",
    ),
}
"""Whose constructors are for the package: a class method or a function of ours makes one."""


def main(arguments: list[str]) -> int:
    package = load(ROOT)
    face = {name: rendered(module(package, name)) for name in PUBLIC}
    if arguments == ["--write"]:
        SNAPSHOT.write_text(joined(face))
        STABILITY.write_text(with_table(STABILITY.read_text(), table(package)))
        return 0
    complaints = [
        *(f"{name} is in a public signature, and not public" for name in strangers(package)),
        *(f"this breaks programs: {breakage}" for breakage in breakages(snapshot(), face)),
    ]
    if SNAPSHOT.read_text() != joined(face):
        complaints.append(f"{SNAPSHOT.name} is not what is public: see --write, and git diff")
    if table(package) not in STABILITY.read_text():
        complaints.append(f"the table in {STABILITY.name} is not what is public: see --write")
    print("\n".join(complaints) or f"{len(face)} public modules are as {SNAPSHOT.name} has them")
    return 1 if complaints else 0


def load(folder: Path) -> griffe.Module:
    """The package in the source; nothing of it is run."""
    package = griffe.load(
        "e2ee", try_relative_path=False, search_paths=[folder], allow_inspection=False
    )
    assert isinstance(package, griffe.Module)
    return package


def module(package: griffe.Module, name: str) -> griffe.Module:
    found = package if name == "e2ee" else package[name.removeprefix("e2ee.")]
    assert isinstance(found, griffe.Module)
    return found


def public(parent: griffe.Object) -> dict[str, griffe.Object]:
    """What is public of a module or a class, by name, wherever it is defined."""
    found = {}
    for name, member in sorted(parent.members.items()):
        if member.is_public and (member.is_alias or not member.is_module):
            found[name] = member.final_target if isinstance(member, griffe.Alias) else member
    if isinstance(parent, griffe.Class):
        for name in INSIDE | ({"__init__"} if parent.name in MADE_OTHERWISE else set()):
            found.pop(name, None)
    return found


# As text, in the form of a stub: what may change without a change for programs is not in it.


def rendered(parent: griffe.Object) -> str:
    return "".join(map(_rendered, *zip(*public(parent).items(), strict=True)))


def _rendered(name: str, member: griffe.Object) -> str:
    if isinstance(member, griffe.Class):
        bases = ", ".join(map(str, member.bases))
        inside = rendered(member) if public(member) else "...\n"
        return f"class {name}({bases}):\n{textwrap.indent(inside, '    ')}"
    if isinstance(member, griffe.Function):
        above = "@classmethod\n" if "classmethod" in member.labels else ""
        begin = "async def" if "async" in member.labels else "def"
        return f"{above}{begin} {member.signature()}: ...\n"
    assert isinstance(member, griffe.Attribute)
    kind = "" if member.annotation is None else f": {member.annotation}"
    if member.value is None or member.labels == {"instance-attribute"}:  # set in a constructor
        return f"{name}{kind}\n" if kind else f"{name} = ...\n"
    return f"{name}{kind} = {member.value}\n"


def joined(face: dict[str, str]) -> str:
    return "\n".join(f"# {name}\n{text}" for name, text in face.items())


def snapshot() -> dict[str, str]:
    parts = re.split(r"^# (\S+)\n", SNAPSHOT.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# What is wrong with it.


def breakages(old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    """What of the old face a program may use that the new one lacks or has otherwise."""
    for name, text in old.items():
        if name not in new:
            yield f"{name} is gone"
            continue
        before, after = (
            griffe.visit(name, filepath=SNAPSHOT, code=code) for code in (text, new[name])
        )
        for breakage in griffe.find_breaking_changes(before, after):
            yield f"{breakage.obj.path}: {breakage.kind.value}"


def strangers(package: griffe.Module) -> list[str]:
    """What a program meets in public signatures and could not name."""
    faces = [public(module(package, name)) for name in PUBLIC]
    known = {member.path for face in faces for member in face.values()}
    met = {path for face in faces for member in face.values() for path in _names_in(member)}
    ours = [package[path.removeprefix("e2ee.")] for path in met if path.startswith("e2ee.")]
    paths = {
        each.final_target.path if each.is_alias else each.path for each in ours if each.is_class
    }
    # Those of primitives are what a protocol's name stands for, and nobody calls them.
    return sorted(path for path in paths - known if not path.startswith("e2ee.primitives."))


def _names_in(member: griffe.Object) -> Iterator[str]:
    if isinstance(member, griffe.Class):
        for part in public(member).values():
            yield from _names_in(part)
    elif isinstance(member, griffe.Function):
        for parameter in member.parameters:
            yield from _names(parameter.annotation)
        yield from _names(member.returns)
    elif isinstance(member, griffe.Attribute):
        yield from _names(member.annotation)


def _names(annotation: str | griffe.Expr | None) -> Iterator[str]:
    if isinstance(annotation, griffe.Expr):
        for part in annotation.iterate(flat=True):
            if isinstance(part, griffe.ExprName):
                yield part.canonical_path


# For people.


def table(package: griffe.Module) -> str:
    rows = ["| module | names |", "|---|---|"]
    for name in PUBLIC:
        shown = ", ".join(f"`{each}`" for each in public(module(package, name)))
        rows.append(f"| `{name}` | {shown} |")
    return "\n".join(rows) + "\n"


def with_table(text: str, rows: str) -> str:
    return re.sub(r"(<!-- public -->\n).*?(<!-- end -->)", rf"\1{rows}\2", text, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
