"""Imports point one way: services -> market -> contractnet's message types.

The graph comes from grimp, the library under import-linter: it reads every import statement, also those inside
functions and under TYPE_CHECKING. import-linter itself has no allow-list of external packages, which two rules need.
"""

from __future__ import annotations

import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]

SERVICES = ("streams", "projections", "analytics", "broker")
# What runs a market on one machine, and what attacks one, stand above all others: each may import every one of them,
# and none of them imports it. What attacks stands above what runs: it attacks a market as that makes it.
ROOFS = ("services", "faults")
PACKAGES = ("contractnet", "market", *SERVICES, *ROOFS)

# The import names of the runtime dependencies in pyproject.toml: an agent's environment has nothing else.
# httpx only with the extra `http`: nothing but contractnet.client.http imports it.
AGENT_LIBRARIES = frozenset({"confluent_kafka", "fastavro", "httpx", "nacl", "rich", "typer"})


def arrow_problem(importer: str, imported: str) -> str | None:
    """Return why module `importer` may not import module `imported`, or None when it may."""
    source, target = importer.partition(".")[0], imported.partition(".")[0]
    if target == source or target in sys.stdlib_module_names:
        return None
    if target in {"tests", "benchmarks", "scripts"}:
        return f"{target} is no library"
    if source == "contractnet":
        if target in PACKAGES:
            return "contractnet imports no other package of ours; its CLI finds service commands by name"
        return None if target in AGENT_LIBRARIES else f"{target} is no runtime dependency of the wheel"
    if source == "market":
        is_messages = imported == "contractnet.messages" or imported.startswith("contractnet.messages.")
        return None if is_messages else "market imports the standard library and contractnet.messages only"
    if target in ROOFS and (source, target) != ("faults", "services"):
        return f"nothing imports {target}; what needs it finds it by name"
    if target in SERVICES and source not in ROOFS:
        return "services do not import each other; they meet in topics and files"
    return None


def broken_arrows(packages: list[str]) -> list[str]:
    """Return one line for each forbidden import in `packages`, with file line and reason."""
    # None turns grimp's cache off: a stale one would pass a broken tree.
    graph = grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)
    problems: list[str] = []
    for importer in sorted(graph.modules):
        if importer.partition(".")[0] not in packages:
            continue
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            reason = arrow_problem(importer, imported)
            if reason is not None:
                lines = graph.get_import_details(importer=importer, imported=imported)
                problems += [f"{importer}:{line['line_number']} imports {imported}: {reason}" for line in lines]
    return problems


def test_imports_point_one_way() -> None:
    """No module imports against the arrows."""
    packages = [name for name in PACKAGES if (ROOT / name / "__init__.py").exists()]
    assert packages, "no package with an __init__.py: the check would be empty"
    problems = broken_arrows(packages)
    assert not problems, "\n".join(["imports against the arrows:", *problems])


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("contractnet.client.agent", "contractnet.codec"),
        ("contractnet.client.agent", "confluent_kafka"),
        ("market.decide", "contractnet.messages"),
        ("market.decide", "contractnet.messages.commands"),
        ("market.decide", "dataclasses"),
        ("streams.referee", "market.decide"),
        ("streams.referee", "contractnet.codec"),
        ("streams.referee", "faust"),
        ("broker.jvm", "contractnet.errors"),
        ("services.supervisor", "broker.jvm"),
        ("services.supervisor", "streams.topics"),
        ("faults.world", "broker.jvm"),
        ("faults.world", "services.access"),
        ("faults.audit", "analytics.verify"),
    ],
)
def test_arrows_that_are_allowed(importer: str, imported: str) -> None:
    """A package may import itself, the standard library, what its place allows, and its libraries."""
    assert arrow_problem(importer, imported) is None


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("contractnet.cli.app", "streams.up"),
        ("contractnet.client.agent", "market"),
        ("contractnet.cli.query", "duckdb"),
        ("market.decide", "contractnet.messages_extra"),
        ("market.decide", "contractnet.codec"),
        ("market.decide", "streams"),
        ("market.decide", "fastavro"),
        ("projections.projector", "streams.app"),
        ("streams.app", "broker.jvm"),
        ("broker.jvm", "tests.broker"),
        ("streams.app", "services.supervisor"),
        ("streams.writer", "faults.worker"),
        ("services.supervisor", "faults.world"),
        ("contractnet.cli.running", "services.up"),
    ],
)
def test_arrows_that_are_forbidden(importer: str, imported: str) -> None:
    """An import against the arrows, or of a library that the place lacks, is named with its reason."""
    assert arrow_problem(importer, imported)
