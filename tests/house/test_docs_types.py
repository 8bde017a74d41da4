"""The Python of the documents is what the SDK takes: all blocks and the programs of docs/examples, in a call of mypy.

A block stands in a function whose parameters are the names that it uses and does not make; GIVEN has their types.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import contractnet

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
MODULES = ("contractnet", "contractnet.errors", "contractnet.strategies", "contractnet.client.http")
"""Where names come from that a block does not import."""
GIVEN = {
    **dict.fromkeys(("agent", "buyer", "contractor", "holder", "manager", "oncall", "other"), "Agent"),
    **dict.fromkeys(("cfp", "first", "second", "third"), "Cfp"),
    **dict.fromkeys(("deadline_ms", "now_ms", "number", "paid_ucr", "used", "winning_ucr"), "int"),
    "accounts": "list[bytes]",
    "ann": "Credential",
    "bob": "Credential",
    "bank": "Bank",
    "bidders": "dict[bytes, str]",
    "connection": "Connection",
    "operator": "Operator",
    "owner": "bytes",
    "reserve": "OpportunityReserve",
    "salt": "bytes",
    "trusted": "set[str]",
    "utilization": "float",
    "winners": "list[bytes]",
}
GIVEN_ON = {"strategies": {"accounts": "dict[str, list[bytes]]"}}
"""Where a page means something else by a name."""
PLANTED = "lease = connection.leases()[0]\nawait agent.claim(lease, credits(8), tusk='train')\n"
"""What was in docs/negotiations.md, and a slip: proof that the check sees what it is for."""


def unmade(tree: ast.AST) -> list[str]:
    """The names that a tree uses and nothing in it makes."""
    used: set[str] = set()
    # `credits` is a builtin too, which an interactive Python prints its authors by.
    made = set(dir(builtins)) - set(contractnet.__all__)
    for node in ast.walk(tree):
        match node:
            case ast.Name(name, ast.Load()):
                used.add(name)
            case ast.Name(name) | ast.arg(name) | ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                made.add(name)
            case ast.ExceptHandler(name=str(name)):
                made.add(name)
            case ast.alias(name, other):
                made.add(other or name)
    return sorted(used - made)


def module_of(name: str) -> str | None:
    """The public module of the SDK that has a name, if any."""
    return next((module for module in MODULES if name in dir(importlib.import_module(module))), None)


def typed(page: str, block: str) -> str:
    """A module with the block in a function. Raises KeyError for a name that GIVEN does not have."""
    body = textwrap.indent(block, "    ") + "    return\n"
    names = unmade(ast.parse(f"async def block() -> None:\n{body}"))
    given = GIVEN | GIVEN_ON.get(page, {})
    parameters = {name: given[name] for name in names if name in given or module_of(name) is None}
    imported = {*names, *re.findall(r"[A-Z]\w+", " ".join(parameters.values()))} - parameters.keys()
    imports = [
        "import httpx" if name == "httpx" else f"from {module_of(name)} import {name}" for name in sorted(imported)
    ]
    signature = ", ".join(f"{name}: {kind}" for name, kind in parameters.items())
    return "\n".join([*imports, "", f"async def block({signature}) -> None:", body])


def test_the_python_of_the_documents_has_the_types_of_the_sdk(tmp_path: Path) -> None:
    """mypy finds what was planted, and nothing else."""
    for page in PAGES:
        blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for number, block in enumerate(blocks, 1):
            path = tmp_path / f"docs_{page.stem.replace('-', '_')}_{number}.py"
            path.write_text(typed(page.stem, block), encoding="utf-8")
    written = sorted(tmp_path.glob("*.py"))
    assert len(written) >= 15
    planted = tmp_path / "docs_planted.py"
    planted.write_text(typed("planted", PLANTED), encoding="utf-8")
    # With the project's configuration and cache, as `make lint` has them: most of the time is spent on the SDK.
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context"]
    checked = subprocess.run(
        [*command, *map(str, (*EXAMPLES, *written, planted))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not checked.stderr
    found = [line for line in checked.stdout.splitlines() if ": error:" in line]
    # By its name: what the cache knows of the same text has the folder of an earlier run.
    seen = [line.rsplit("[", 1)[-1] for line in found if f"/{planted.name}:" in line]
    assert seen == ["operator]", "call-arg]"], checked.stdout
    assert len(found) == len(seen), checked.stdout
