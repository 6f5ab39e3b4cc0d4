"""Each public name says what it means, of how many bytes, what it raises and where it is from.

Public is what the reference in docs/reference/ is made of.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeGuard

import e2ee
from e2ee import errors, handshake, transport

ROOT = Path(__file__).parents[2]
REFERENCE = "\n".join(page.read_text() for page in sorted(ROOT.glob("docs/reference/*.rst")))
SOURCE = re.compile(r"SPEC\.md|RFC \d|FIPS \d|Noise revision 34")
EXPORTED = {*e2ee.__all__, *transport.__all__, *handshake.__all__}
SIZE = re.compile(r"\bbytes?\b|\blength\b|\d longer")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    name: str
    doc: str
    body: list[ast.stmt]


@cache
def module(name: str) -> Module:
    path = importlib.import_module(name).__file__
    assert path is not None
    tree = ast.parse(Path(path).read_text())
    return Module(name, ast.get_docstring(tree) or "", tree.body)


class Public(NamedTuple):
    """A class, function or constant; ``owner`` is its class."""

    name: str
    node: ast.ClassDef | Function | ast.Assign | ast.AnnAssign
    doc: str
    module: Module
    owner: ast.ClassDef | None = None

    @property
    def all_docs(self) -> str:
        return " ".join([self.doc, (self.owner and ast.get_docstring(self.owner)) or ""])


def members(body: list[ast.stmt], of: Module, owner: ast.ClassDef | None) -> Iterator[Public]:
    for node, after in zip(body, [*body[1:], None], strict=True):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                name, doc = node.name, ast.get_docstring(node) or ""
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                doc = ""
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                    doc = str(after.value.value)
            case _:
                continue
        # A constant of a module that says nothing is not in the reference.
        is_internal = isinstance(node, ast.Assign | ast.AnnAssign) and not (owner or doc)
        if name.startswith("_") or (is_internal and name not in EXPORTED):
            continue
        where = f"{of.name}.{owner.name}" if owner else of.name
        yield Public(f"{where}.{name}", node, doc, of, owner)
        if isinstance(node, ast.ClassDef):
            yield from members(node.body, of, node)


def public() -> Iterator[Public]:
    for directive, target in re.findall(r"(?m)^\.\. auto(module|class):: ([\w.]+)", REFERENCE):
        if directive == "module":
            # A package's names are those of its modules.
            if not hasattr(importlib.import_module(target), "__path__"):
                yield from members(module(target).body, module(target), None)
        elif (found := documented_class(target)) is not None:
            yield from found


def documented_class(target: str) -> list[Public] | None:
    """The class with its members, if no ``automodule`` has it already."""
    parent, _, name = target.removesuffix("()").rpartition(".")
    kind = getattr(importlib.import_module(parent or "e2ee"), name)
    if re.search(rf"(?m)^\.\. automodule:: {kind.__module__}$", REFERENCE):
        return None
    home = module(kind.__module__)
    [node] = [n for n in home.body if isinstance(n, ast.ClassDef) and n.name == name]
    return list(members([node], home, None))


PUBLIC = list(public())
ERRORS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}


def of_kind(*kinds: type[ast.AST]) -> list[Public]:
    return [each for each in PUBLIC if isinstance(each.node, kinds)]


CLASSES = of_kind(ast.ClassDef)
FUNCTIONS = of_kind(ast.FunctionDef, ast.AsyncFunctionDef)


def takes_or_gives_bytes(function: Function) -> bool:
    arguments = function.args
    hints = [each.annotation for each in (*arguments.args, *arguments.kwonlyargs)]
    shown = [ast.unparse(hint) for hint in (*hints, function.returns) if hint is not None]
    return any(re.search(r"\b(bytes|memoryview)\b", hint) for hint in shown)


def raised(function: Function, of: Module, owner: ast.ClassDef | None, seen: set[str]) -> set[str]:
    """The errors of this package that it raises, also by others of its class and module.

    What a ``try`` of it catches does not count.
    """
    found: set[str] = set()
    methods = {node.name: node for node in (owner.body if owner else []) if is_function(node)}
    functions = {node.name: node for node in of.body if is_function(node)}
    stack: list[ast.AST] = [*function.body]
    while stack:
        node = stack.pop()
        match node:
            case ast.Try():
                stack += [*node.handlers, *node.orelse, *node.finalbody]
                continue
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name)) | ast.Name(id=name)):
                found |= {name} & ERRORS.keys()
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name)):
                if name in methods and name not in seen:
                    found |= raised(methods[name], of, owner, seen | {name})
            case ast.Call(func=ast.Name(id=name)):
                if name in functions and name not in seen:
                    found |= raised(functions[name], of, None, seen | {name})
        stack += ast.iter_child_nodes(node)
    return found


def is_function(node: ast.AST) -> TypeGuard[Function]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def test_every_exported_name_is_in_the_reference() -> None:
    described = {each.name.rpartition(".")[2] for each in PUBLIC}
    for package in (e2ee, transport, handshake):
        assert set(package.__all__) - described == set(), package.__name__
    assert len(CLASSES) > 80
    assert len(FUNCTIONS) > 120


def test_what_pages_import_is_in_the_reference() -> None:
    modules = re.findall(r"(?m)^\.\. automodule:: ([\w.]+)$", REFERENCE)
    described = {name.rpartition(".")[2] for name in [each.name for each in PUBLIC] + modules}
    imported: set[str] = set()
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        for block in re.findall(r"(?ms)^```python\n(.*?)^```$", page.read_text()):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("e2ee"):
                    imported |= {alias.name for alias in node.names}
    assert "Session" in imported
    assert imported - described == set()


def test_everything_says_what_it_means() -> None:
    silent = [
        each.name
        for each in PUBLIC
        if not (each.doc or (each.owner and f"``{each.name.rpartition('.')[2]}``" in each.all_docs))
    ]
    assert silent == []


def test_every_class_and_function_says_where_it_is_from() -> None:
    silent = [
        each.name
        for each in PUBLIC
        if not SOURCE.search(" ".join([each.module.doc, each.all_docs]))
    ]
    assert silent == []


def test_every_function_of_bytes_says_how_many() -> None:
    silent = [
        each.name
        for each in FUNCTIONS
        if is_function(each.node)
        and takes_or_gives_bytes(each.node)
        and not SIZE.search(each.all_docs)
    ]
    assert silent == []


def test_every_function_says_what_it_raises() -> None:
    silent = []
    for each in FUNCTIONS:
        assert is_function(each.node)
        for name in sorted(raised(each.node, each.module, each.owner, {each.node.name})):
            kinds = [kind.__name__ for kind in ERRORS[name].__mro__ if kind.__name__ in ERRORS]
            if not any(re.search(rf"\b{kind}\b", each.all_docs) for kind in kinds):
                silent.append(f"{each.name}: {name}")
    assert silent == []
