"""The mutants of a module: each is its source with one small mistake in a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import e2ee.errors

ERRORS = {"ValueError", *vars(e2ee.errors)}
Function = ast.FunctionDef | ast.AsyncFunctionDef

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
}


@dataclass(frozen=True)
class Change:
    """Another node in one place of a tree."""

    owner: ast.AST
    field: str
    index: int | None
    new: ast.AST

    @property
    def old(self) -> ast.AST:
        value = getattr(self.owner, self.field)
        node: ast.AST = value if self.index is None else value[self.index]
        return node

    def make(self) -> None:
        if self.index is None:
            setattr(self.owner, self.field, self.new)
        else:
            getattr(self.owner, self.field)[self.index] = self.new


@dataclass(frozen=True)
class Mutant:
    """One mistake: where it is, and what is there with it."""

    path: Path
    function: str
    """The qualified name of the outermost function around it."""
    lines: range
    """Of the statement that it changes; of one with a body, those before the body."""
    was: str
    becomes: str
    module: ast.Module
    change: Change

    def __str__(self) -> str:
        return f"{self.path}:{self.lines.start} {self.function}: {self.was} -> {self.becomes}"

    @property
    def name(self) -> str:
        """Without the line, which other changes move."""
        return f"{self.path} {self.function}: {self.was} -> {self.becomes}"

    def compile(self, path: Path) -> CodeType:
        """The module with the mistake. This is for good: only a process of its own does it."""
        self.change.make()
        ast.fix_missing_locations(self.module)
        return compile(self.module, path, "exec", dont_inherit=True)


def mutants(path: Path, source: str) -> Iterator[Mutant]:
    """Every mutant of the functions of one file."""
    module = ast.parse(source)
    for name, function in _outermost(module, ""):
        for lines, change in _in_body(function):
            was, becomes = _short(change, change.old), _short(change, change.new)
            yield Mutant(path, name, lines, was, becomes, module, change)


def _outermost(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _outermost(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.If):
            yield from _outermost(child, prefix)


def _short(change: Change, node: ast.AST) -> str:
    if isinstance(node, ast.Pass | ast.Name) and isinstance(change.old, ast.stmt):
        return "(nothing)"
    if isinstance(node, ast.cmpop | ast.operator | ast.boolop):
        return f"{type(node).__name__} in `{ast.unparse(change.owner)}`"
    return ast.unparse(node)


def _parts(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    for field, value in ast.iter_fields(node):
        if isinstance(value, list):
            yield from ((field, i, v) for i, v in enumerate(value) if isinstance(v, ast.AST))
        elif isinstance(value, ast.AST):
            yield field, None, value


def _in_body(owner: ast.AST) -> Iterator[tuple[range, Change]]:
    """Where statements in a body can be changed, and to what."""
    for field, index, part in _parts(owner):
        if isinstance(part, ast.stmt):
            lines = _lines(part)
            for new in _other_statements(part):
                yield lines, Change(owner, field, index, new)
            for change in _in_expressions(part):
                yield lines, change
            yield from _in_body(part)
        elif isinstance(part, ast.ExceptHandler | ast.match_case):
            yield from _in_body(part)


def _lines(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    end = body[0].lineno if body else (statement.end_lineno or statement.lineno) + 1
    return range(statement.lineno, max(end, statement.lineno + 1))


def _other_statements(statement: ast.stmt) -> Iterator[ast.stmt]:
    match statement:
        case ast.Expr(value=ast.Constant()):  # a docstring
            return
        case (
            ast.Expr()
            | ast.Assign()
            | ast.AugAssign()
            | ast.AnnAssign(value=ast.expr())
            | ast.Raise()
            | ast.Delete()
        ):
            # A function that has no super() left could not take the place of one that has.
            has_super = "super()" in ast.unparse(statement)
            yield ast.Expr(ast.Name("__class__", ast.Load())) if has_super else ast.Pass()
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield ast.Return(ast.Constant(None))
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _in_expressions(node: ast.AST) -> Iterator[Change]:
    """Where what is computed can be changed. Not in what is said: the texts of errors are for
    people; and not in an assert, which is for the type checker, nor in a signature."""
    if isinstance(node, ast.Assert | ast.JoinedStr | ast.arguments) or _is_error(node):
        return
    for field, index, part in _parts(node):
        is_elsewhere = isinstance(part, ast.stmt | ast.ExceptHandler)
        if is_elsewhere or field in {"annotation", "returns", "decorator_list"}:
            continue
        if isinstance(part, ast.match_case):
            parts = [p for p in (part.pattern, part.guard) if p is not None]
            if part.guard is not None:
                yield Change(part, "guard", None, ast.UnaryOp(ast.Not(), part.guard))
            for inside in parts:
                yield from _in_expressions(inside)
            continue
        for new in _other_expressions(field, part):
            yield Change(node, field, index, new)
        yield from _in_expressions(part)


def _is_error(node: ast.AST) -> bool:
    """Whether this makes or raises an exception."""
    if isinstance(node, ast.Raise):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS


def _is_equation(node: ast.AST) -> bool:
    """Whether another change negates it already."""
    negated = ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In | ast.NotIn
    return isinstance(node, ast.Compare) and all(isinstance(op, negated) for op in node.ops)


def _other_expressions(field: str, node: ast.AST) -> Iterator[ast.AST]:
    if field in {"test", "ifs"} and isinstance(node, ast.expr) and not _is_equation(node):
        yield ast.UnaryOp(ast.Not(), node)
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=bytes(value)):
            yield ast.Constant(value + b"X")
        # With a blank in it, it is said to people.
        case ast.Constant(value=str(value)) if " " not in value:
            yield ast.Constant(value + "X")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.cmpop() | ast.boolop() | ast.operator() if type(node) in OPERATORS:
            yield OPERATORS[type(node)]()
