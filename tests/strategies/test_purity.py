"""Strategies are functions of their arguments: a walk over the syntax trees, and proof that each check can fail."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

STRATEGIES = Path(__file__).resolve().parents[2] / "contractnet" / "strategies"
FILES = sorted(STRATEGIES.rglob("*.py"))

PURE = {
    "__future__",
    "bisect",
    "collections",
    "copy",
    "collections.abc",
    "dataclasses",
    "fractions",
    "hashlib",
    "itertools",
    "math",
    "operator",
    "typing",
    "random",
}
"""`random` for the type of a generator that the caller passes; its module functions are refused below."""
OURS = ("contractnet.strategies", "contractnet.messages", "contractnet.errors")
IMPURE = {"open", "print", "input", "eval", "exec", "__import__", "hash", "id"}


def impurities(source: str) -> list[str]:
    """Everything in a module that reads a clock, the world, or randomness of its own."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "relative"]
            found += ["from random import"] * (node.module == "random")
        found += [f"imports {name}" for name in names if name not in PURE and not name.startswith(OURS)]
        if isinstance(node, ast.Name) and node.id in IMPURE:
            found.append(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
            found += [f"random.{node.attr}"] * (node.attr != "Random")
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "random.Random":
            found.append("a generator of its own")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(STRATEGIES).as_posix())
def test_strategies_are_pure(path: Path) -> None:
    """No clock, no I/O, no randomness but a generator that was passed."""
    assert impurities(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    ["import time", "from os import path", "import random\nrandom.random()", "import random\nr = random.Random()",
     "from random import choice", "open('x')", "print(1)", "from contractnet.client import Agent", "from . import x"],
)  # fmt: skip
def test_impurity_is_seen(source: str) -> None:
    """Each check can fail."""
    assert impurities(source)


def test_strategies_load_without_kafka() -> None:
    """In a fresh interpreter the package brings in no library but the standard one."""
    program = (
        "import sys, contractnet.strategies, contractnet.strategies.bargaining\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "print(*sorted(tops & {'confluent_kafka', 'fastavro', 'nacl', 'rich', 'typer'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
