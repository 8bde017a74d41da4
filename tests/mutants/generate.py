"""Mutants of market/ made by rule: a comparison turned, an operator exchanged, a number moved, a call left out.

Our own hundred lines, and neither mutmut nor cosmic-ray: both start a test runner for every mutant, which takes longer
than the quick tests do, and bring twenty packages with them; the rules below are the ones that they share.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
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
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
}


@dataclass(frozen=True, slots=True)
class Generated:
    """One mutant: the whole new text of a file, and what was done at which line, and where in its code (from 0)."""

    file: str
    line: int
    column: int
    what: str
    code: str
    text: str

    @property
    def name(self) -> str:
        """Where and what."""
        return f"{self.file}:{self.line} {self.what}"

    @property
    def key(self) -> str:
        """The same with the line's code in place of its number, which moves, and the place in it."""
        return f"{self.file} {self.what} at {self.column} in `{self.code}`"


def mutants_of(root: Path, file: str) -> Iterator[Generated]:
    """All mutants of a file. The text is printed from the syntax tree: comments go, the meaning stays."""
    source = (root / file).read_text("utf-8")
    lines = source.splitlines()
    for number, node in enumerate(ast.walk(ast.parse(source))):
        for choice in range(len(_changes(node))):
            tree = ast.parse(source)
            target = next(n for i, n in enumerate(ast.walk(tree)) if i == number)
            before = ast.unparse(target)
            _changes(target)[choice]()
            after = ast.unparse(target)
            line, column = getattr(target, "lineno", 0), getattr(target, "col_offset", 0)
            text = lines[line - 1] if line else ""
            column -= len(text) - len(text.lstrip())
            what = f"`{_short(before)}` -> `{_short(after)}`"
            yield Generated(file, line, column, what, text.strip(), ast.unparse(tree) + "\n")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


class _Change:
    """What may be done to a node."""

    def __init__(self, node: ast.AST, name: str, value: object) -> None:
        self._node, self._name, self._value = node, name, value

    def __call__(self) -> None:
        setattr(self._node, self._name, self._value)


def _changes(node: ast.AST) -> list[_Change]:
    changes: list[_Change] = []
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        changes.append(_Change(node, "ops", [COMPARISONS[type(node.ops[0])](), *node.ops[1:]]))
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        changes.append(_Change(node, "op", OPERATORS[type(node.op)]()))
    elif isinstance(node, ast.BoolOp):
        changes.append(_Change(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        changes.append(_Change(node, "op", ast.UAdd()))
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        changes.append(_Change(node, "value", node.value + 1))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        changes.append(_Change(node, "value", ast.Constant(None)))
    return changes


def sample(root: Path, count: int, seed: int = 1) -> list[Generated]:
    """`count` mutants drawn over all of market/, the same ones for the same tree. Limits are left out: their values are
    what they are, and tests use others."""
    files = sorted(p.relative_to(root).as_posix() for p in (root / "market").rglob("*.py"))
    found = [m for f in files if not f.endswith("limits.py") for m in mutants_of(root, f)]
    return random.Random(seed).sample(found, min(count, len(found)))
