"""Known vulnerabilities from a file, for machines that reach no database: records in the OSV format.

The file is what osv.dev publishes for an ecosystem (`PyPI/all.zip`), or a folder of the same JSON records.
Format: https://ossf.github.io/osv-schema/.
"""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ECOSYSTEM = "PyPI"
Record = dict[str, Any]


def known(packages: Iterable[tuple[str, str]], advisories: Path) -> list[dict[str, Any]]:
    """What is known of packages (name, version), in pip-audit's form. Withdrawn records count as none.

    Raises ValueError where the file holds no advisory for this ecosystem: an empty list would look like good news.
    """
    by_name: dict[str, list[tuple[Record, Record]]] = defaultdict(list)
    for record in _records(advisories):
        if not record.get("withdrawn"):
            for affected in record.get("affected", ()):
                package = affected.get("package", {})
                if package.get("ecosystem") == ECOSYSTEM:
                    by_name[canonicalize_name(package["name"])].append((record, affected))
    if not by_name:
        raise ValueError(f"{advisories} holds no advisory for {ECOSYSTEM} in the OSV format")
    return [
        {
            "name": name,
            "version": version,
            "vulns": [
                {"id": record["id"], "fix_versions": _fixes(affected)}
                for record, affected in by_name[canonicalize_name(name)]
                if _is_affected(affected, version)
            ],
        }
        for name, version in packages
    ]


def locked(lock: Path) -> list[tuple[str, str]]:
    """Name and version of every package of a requirements file with hashes."""
    lines = (line.split(";")[0].strip() for line in lock.read_text("utf-8").splitlines())
    pairs = (line.rstrip(" \\").split("==") for line in lines if "==" in line and not line.startswith(("#", "-")))
    return [(name.strip(), version.strip()) for name, version in pairs]


def _records(path: Path) -> Iterator[Record]:
    if path.is_dir():
        yield from (json.loads(file.read_bytes()) for file in sorted(path.glob("*.json")))
        return
    with zipfile.ZipFile(path) as archive:
        yield from (json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json"))


def _is_affected(affected: Record, text: str) -> bool:
    """Listed by name, or inside a range: from `introduced` up to, not including, `fixed`, or up to `last_affected`."""
    if text in affected.get("versions", ()):
        return True
    version = Version(text)
    for found in affected.get("ranges", ()):
        inside = False
        for event in found["events"] if found.get("type") == "ECOSYSTEM" else ():
            ((what, bound),) = event.items()
            try:
                reached = bound == "0" or version >= Version(bound)
            except InvalidVersion:
                continue
            if what == "introduced":
                inside = inside or reached
            elif what == "fixed":
                inside = inside and not reached
            elif what == "last_affected":
                inside = inside and (version == Version(bound) or not reached)
        if inside:
            return True
    return False


def _fixes(affected: Record) -> list[str]:
    return [
        event["fixed"]
        for found in affected.get("ranges", ())
        if found.get("type") == "ECOSYSTEM"
        for event in found["events"]
        if "fixed" in event
    ]
