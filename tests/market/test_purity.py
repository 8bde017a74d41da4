"""market/ depends on nothing but the log: a walk over its syntax trees, and proof that each check can fail."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

MARKET = Path(__file__).resolve().parents[2] / "market"
FILES = sorted(MARKET.rglob("*.py"))

PURE_MODULES = {
    "__future__",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "operator",
    "struct",
    "typing",
}
"""What the rules may import of the standard library. Clocks, randomness, files, sockets and threads are not on it."""
OUR_MODULES = ("contractnet.messages", "market")

IMPURE_NAMES = {
    "hash": "differs between processes",
    "id": "is an address",
    "open": "reads or writes files",
    "print": "writes",
    "input": "reads",
    "float": "is inexact",
    "complex": "is inexact",
    "eval": "hides what runs",
    "exec": "hides what runs",
    "__import__": "hides an import",
    "globals": "hides what is read",
    "breakpoint": "stops the worker",
}
UNORDERED = {"set", "frozenset"}
ORDER_TAKERS = {"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "reversed", "next"}
ORDER_METHODS = {"join", "extend", "fromkeys"}


def impurities(source: str) -> list[str]:
    """Everything in a module that could make two workers differ, as `line: reason`."""
    tree = ast.parse(source)
    sets = _names_of_sets(tree)
    found = [
        f"{getattr(node, 'lineno', 0)}: {reason}"
        for node in ast.walk(tree)
        for reason in (*_imports(node), *_names(node), *_floats(node), *_unordered(node, sets))
    ]
    return sorted(found)


def _imports(node: ast.AST) -> Iterator[str]:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
        # `from contractnet import messages` names the package that is allowed in its second half.
        if node.module == "contractnet":
            names = [f"contractnet.{alias.name}" for alias in node.names]
        if node.level:
            yield "relative import"
            return
    for name in names:
        ours = any(name == root or name.startswith(f"{root}.") for root in OUR_MODULES)
        if name not in PURE_MODULES and not ours:
            yield f"imports {name}"


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in IMPURE_NAMES:
        yield f"{node.id} {IMPURE_NAMES[node.id]}"


def _floats(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        yield f"{node.value} is inexact"
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        yield "/ is inexact"


def _is_set(node: ast.AST | None, sets: set[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in UNORDERED
    if isinstance(node, ast.BinOp):
        return _is_set(node.left, sets) or _is_set(node.right, sets)
    return isinstance(node, ast.Name) and node.id in sets


def _names_of_sets(tree: ast.AST) -> set[str]:
    """Names that are bound to a set anywhere in the module, or annotated as one."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_set(node.value, names):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            is_set = ast.unparse(node.annotation).split("[")[0] in UNORDERED | {"Set", "AbstractSet"}
            names |= {node.target.id} if is_set or _is_set(node.value, names) else set()
    return names


def _unordered(node: ast.AST, sets: set[str]) -> Iterator[str]:
    taken: list[ast.AST] = []
    if isinstance(node, ast.For | ast.comprehension):
        taken = [node.iter]
    elif isinstance(node, ast.Starred):
        taken = [node.value]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ORDER_TAKERS:
        taken = list(node.args)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        taken = list(node.args) if node.func.attr in ORDER_METHODS else []
        taken += [node.func.value] if node.func.attr == "pop" else []
    if any(_is_set(item, sets) for item in taken):
        yield "takes the order of a set"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(MARKET)))
def test_a_module_of_the_rules_is_pure(path: Path) -> None:
    """No clock, randomness, environment, I/O, float, hash, address or order of a set is in the rules."""
    assert impurities(path.read_text("utf-8")) == []


def test_the_walk_sees_the_rules() -> None:
    """The walk is not empty: it covers the folders of the rules."""
    assert {"shard.py", "evolve.py", "pricing.py", "contracts.py"} <= {path.name for path in FILES}


BAD = {
    "import time": "imports time",
    "import random": "imports random",
    "import os.path": "imports os.path",
    "from datetime import datetime": "imports datetime",
    "from secrets import token_bytes": "imports secrets",
    "import threading": "imports threading",
    "import socket": "imports socket",
    "import nacl.signing": "imports nacl.signing",
    "from contractnet import codec": "imports contractnet.codec",
    "from contractnet.envelope import seal": "imports contractnet.envelope",
    "import marketing": "imports marketing",
    "from . import state": "relative import",
    "def f():\n    import uuid": "imports uuid",
    "open('x')": "open reads or writes files",
    "f = open": "open reads or writes files",
    "hash(x)": "hash differs between processes",
    "sorted(x, key=id)": "id is an address",
    "__import__('time')": "__import__ hides an import",
    "x = 0.5": "0.5 is inexact",
    "x = 1e3": "1000.0 is inexact",
    "x = 1j": "1j is inexact",
    "x = a / b": "/ is inexact",
    "x /= 2": "/ is inexact",
    "x = float(y)": "float is inexact",
    "x: float": "float is inexact",
    "for x in {1, 2}: pass": "takes the order of a set",
    "for x in set(y): pass": "takes the order of a set",
    "[x for x in frozenset(y)]": "takes the order of a set",
    "[x for x in {z for z in y}]": "takes the order of a set",
    "list(set(y))": "takes the order of a set",
    "','.join({z for z in y})": "takes the order of a set",
    "f(*{1, 2})": "takes the order of a set",
    "won = {1}\nfor x in won: pass": "takes the order of a set",
    "won: set[int] = f()\ntuple(won)": "takes the order of a set",
    "for x in set(a) - b: pass": "takes the order of a set",
    "won = set(y)\nwon.pop()": "takes the order of a set",
}


@pytest.mark.parametrize("source", BAD)
def test_an_impure_line_is_found(source: str) -> None:
    """Each check fails where it should."""
    assert [found.split(": ", 1)[1] for found in impurities(source)] == [BAD[source]]


GOOD = (
    "from contractnet.messages import Code",
    "from contractnet import messages",
    "from market.state import State",
    "x = a // b",
    "least, rest = divmod(a, b)",
    "won = {b.id for b in bids}\nif x in won: pass",
    "sorted({1, 2})",
    "bid = Bid(id=x)\nbid.id",
    "class A:\n    id: bytes",
    "for x in {1: 2}: pass",
)


@pytest.mark.parametrize("source", GOOD)
def test_a_pure_line_is_left_alone(source: str) -> None:
    """The checks do not fail where they should not."""
    assert impurities(source) == []
